/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"

static int saved_stderr = -1;
static FILE *captured;

static int capture(void **state)
{
	(void)state;
	captured = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	dup2(fileno(captured), STDERR_FILENO);
	log_set_level(LOG_LEVEL_INFO);
	log_set_format(LOG_FORMAT_LOGFMT);
	return 0;
}

static int release(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fclose(captured);
	return 0;
}

/* What was logged so far, without the times, which must have their form. */
static const char *logged(struct buf *out)
{
	CLEANUP(buf_free) struct buf all = {0};
	char chunk[4096];
	size_t n = 0;

	rewind(captured);
	while ((n = fread(chunk, 1, sizeof(chunk), captured)) > 0)
		buf_put(&all, chunk, n);
	buf_reset(out);
	for (const char *p = buf_str(&all); *p != '\0';) {
		static const char FORM[] = "dddd-dd-ddTdd:dd:dd.dddZ";

		if (p[0] == '2' && p[4] == '-' && strlen(p) >= strlen(FORM)) {
			for (size_t i = 0; i < strlen(FORM); i++) {
				char digit = FORM[i] == 'd' ? 'd' : p[i];

				assert_true(FORM[i] != 'd' || (p[i] >= '0' && p[i] <= '9'));
				assert_int_equal(digit, FORM[i]);
			}
			buf_puts(out, "T");
			p += strlen(FORM);
		} else {
			buf_putc(out, *p++);
		}
	}
	return buf_str(out);
}

static void a_line_has_time_level_message_and_fields(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};

	log_info("agent started", "version=%s clusters=%d", "0.1", 3);
	log_error("store is full", "");
	assert_string_equal(logged(&out),
			    "time=T level=info msg=\"agent started\" version=0.1 clusters=3\n"
			    "time=T level=error msg=\"store is full\"\n");
}

static void lower_levels_are_left_out(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};

	log_debug("a", "");
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
	log_warn("b", "");
	log_error("c", "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d", "");
	assert_string_equal(logged(&out),
			    "time=T level=error msg=\"c\"\ntime=T level=debug msg=\"d\"\n");
}

static void one_event_stays_one_line(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};

	log_warn("odd", "group=%s other=%s", "a\nlevel=error", log_quote("x\ny"));
	assert_string_equal(logged(&out), "time=T level=warn msg=\"odd\" group=a level=error "
					  "other=\"x\\ny\"\n");
}

static void json_lines_have_the_fields_as_members(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};

	log_set_format(LOG_FORMAT_JSON);
	log_info("batch \"refused\"", "agent=%s n=%d group=%s", "a-1", 3,
		 log_quote("say \"hi\" \\ \n\t\x01\xc3\xa9\xff<"));
	assert_string_equal(logged(&out),
			    "{\"time\":\"T\",\"level\":\"info\",\"msg\":\"batch \\\"refused\\\"\","
			    "\"agent\":\"a-1\",\"n\":\"3\",\"group\":\"say \\\"hi\\\" \\\\ "
			    "\\n\\t\\u0001\xc3\xa9\xef\xbf\xbd\\u003c\"}\n");
}

static void json_takes_fields_that_are_not_well_formed(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};

	log_set_format(LOG_FORMAT_JSON);
	log_info("m", "%s", "word  =v a= b=\"\" c=\"\\u00e9\\q\" d=\"open e=1");
	assert_string_equal(logged(&out),
			    "{\"time\":\"T\",\"level\":\"info\",\"msg\":\"m\",\"word\":\"\","
			    "\"\":\"v\",\"a\":\"\",\"b\":\"\",\"c\":\"\xc3\xa9q\"}\n");
}

static void a_line_too_long_is_cut_between_fields(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};
	char big[8100];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_info("m", "a=1 b=\"two words\" c=\"%s y%s\" d=4", big, big);
	log_info("m", "c=%s%s", big, big);
	assert_string_equal(logged(&out),
			    "time=T level=info msg=\"m\" a=1 b=\"two words\" truncated=true\n"
			    "time=T level=info msg=\"m\" truncated=true\n");
}

static const struct {
	const char *text;
	const char *quoted;
} QUOTES[] = {
	{NULL, "\"\""},
	{"", "\"\""},
	{"word", "word"},
	{"a-b_c.d/e:1", "a-b_c.d/e:1"},
	{"two words", "\"two words\""},
	{"a=b", "\"a=b\""},
	{"say \"hi\"", "\"say \\\"hi\\\"\""},
	{"back\\slash", "\"back\\\\slash\""},
	{"\n\r\t\x1b\x7f", "\"\\n\\r\\t\\u001b\\u007f\""},
	{"caf\xc3\xa9", "\"caf\xc3\xa9\""},
	{"\xff", "\"\\ufffd\""},
};

static void values_are_quoted_where_they_need_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(QUOTES); i++)
		assert_string_equal(log_quote(QUOTES[i].text), QUOTES[i].quoted);
}

static void four_quoted_values_live_at_a_time(void **state)
{
	(void)state;
	const char *a = log_quote("a a");
	const char *b = log_quote("b b");
	const char *c = log_quote("c c");
	const char *d = log_quote("d d");

	assert_string_equal(a, "\"a a\"");
	assert_string_equal(b, "\"b b\"");
	assert_string_equal(c, "\"c c\"");
	assert_string_equal(d, "\"d d\"");
}

static void long_values_are_cut(void **state)
{
	(void)state;
	char big[5000];

	for (int kind = 0; kind < 3; kind++) {
		memset(big, "x\n\""[kind], sizeof(big) - 1);
		big[sizeof(big) - 1] = '\0';
		const char *quoted = log_quote(big);
		assert_true(strlen(quoted) < 2048);
		assert_non_null(strstr(quoted, "..."));
	}
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_info("many", "thread=%s i=%d", log_quote(arg), i);
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};
	pthread_t threads[4];
	char names[4][4] = {"a a", "b b", "c c", "d d"};
	size_t lines = 0;

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	logged(&out);
	for (char *line = strtok(out.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char a = 0;
		char b = 0;
		int n = 0;

		assert_int_equal(sscanf(line,
					"time=T level=info msg=\"many\" thread=\"%c %c\" i=%d", &a,
					&b, &n),
				 3);
		assert_int_equal(a, b);
		lines++;
	}
	assert_int_equal(lines, 800);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, capture, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_time_level_message_and_fields),
		TEST(lower_levels_are_left_out),
		TEST(one_event_stays_one_line),
		TEST(json_lines_have_the_fields_as_members),
		TEST(json_takes_fields_that_are_not_well_formed),
		TEST(a_line_too_long_is_cut_between_fields),
		TEST(lines_of_threads_do_not_mix),
		cmocka_unit_test(values_are_quoted_where_they_need_it),
		cmocka_unit_test(four_quoted_values_live_at_a_time),
		cmocka_unit_test(long_values_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
