/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <stdio.h>

#include "common/clock.h"

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/unit/data"
#endif

static struct buf text;

static int start(void **state)
{
	static struct fixture f;

	fixture_start(&f);
	*state = &f;
	return 0;
}

static int stop(void **state)
{
	fixture_stop(*state);
	return 0;
}

static void scrape(struct fixture *f)
{
	struct response rs = fixture_ask(f, METHOD_GET, "/metrics", NULL, &text);

	assert_int_equal(rs.status, 200);
	assert_string_equal(rs.type, "text/plain; version=0.0.4; charset=utf-8");
	response_free(&rs);
}

static bool has_line(const char *line)
{
	size_t size = strlen(line);

	for (const char *at = buf_str(&text); (at = strstr(at, line)) != NULL; at++) {
		if ((at == text.data || at[-1] == '\n') && at[size] == '\n')
			return true;
	}
	return false;
}

/* The captured exposition, a line a time; its newlines are still escaped. */
static char *captured(void)
{
	FILE *file = fopen(TEST_DATA_DIR "/burrow-v3.txt", "r");
	static char line[32768];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL && strncmp(line, "\"# HELP", 7) != 0)
		;
	fclose(file);
	assert_int_equal(strncmp(line, "\"# HELP", 7), 0);
	return line + 1;
}

static void every_captured_sample_is_there(void **state)
{
	char *at = captured();
	unsigned count = 0;

	scrape(*state);
	for (char *end; (end = strstr(at, "\\n")) != NULL; at = end + 2) {
		char line[512];
		char *to = line;

		for (const char *from = at; from < end; from++) {
			if (*from != '\\')
				*to++ = *from;
		}
		*to = '\0';
		/* Burrow counts only partitions that have a leader, so its label is wrong. */
		if (strstr(line, "partition=\"1\",topic=\"t\"} 300") != NULL)
			continue;
		if (!has_line(line))
			fail_msg("missing: %s", line);
		count++;
	}
	assert_int_equal(count, 6 * 2 + 19);
	assert_true(
		has_line("burrow_kafka_topic_partition_offset{cluster=\"local\",partition=\"2\","
			 "topic=\"t\"} 300"));
	/* Burrow has these only for partitions with a full window. */
	assert_true(has_line("burrow_kafka_topic_partition_status{cluster=\"local\",consumer_group="
			     "\"g\",partition=\"2\",topic=\"t\"} 4"));
	assert_true(has_line("burrow_kafka_consumer_status{cluster=\"local\",consumer_group="
			     "\"memberonly\"} 1"));
}

static void warrens_own_are_there(void **state)
{
	scrape(*state);
	assert_true(has_line("warren_consumer_time_lag_seconds{cluster=\"local\",consumer_group="
			     "\"g\",environment=\"PROD\"} 61.500"));
	assert_true(has_line("warren_consumer_lost_messages{cluster=\"local\",consumer_group="
			     "\"g\",environment=\"PROD\"} 12"));
	assert_true(has_line("warren_consumer_retention_margin_seconds{cluster=\"local\","
			     "consumer_group=\"g\",environment=\"PROD\"} 90.500"));
	assert_false(has_line("warren_consumer_retention_margin_seconds{cluster=\"local\","
			      "consumer_group=\"full\",environment=\"PROD\"} 0"));
	assert_true(has_line("warren_consumer_stale{cluster=\"local\",consumer_group=\"g\","
			     "environment=\"PROD\"} 0"));
	assert_true(has_line("warren_agent_last_seen_timestamp_seconds{agent=\"dc1-a\",cluster="
			     "\"local\",environment=\"PROD\"} 1795372995"));
	assert_true(has_line("warren_agent_state{agent=\"dc1-a\",cluster=\"local\",environment="
			     "\"PROD\",state=\"running\"} 1"));
	assert_true(has_line("warren_agent_state{agent=\"dc1-a\",cluster=\"local\",environment="
			     "\"PROD\",state=\"blind\"} 0"));
	assert_true(has_line("warren_agent_problem{agent=\"dc1-a\",cluster=\"local\",environment="
			     "\"PROD\"} 0"));
	assert_true(has_line("warren_build_info{version=\"" WARREN_VERSION "\"} 1"));
}

static void the_age_of_a_pass_is_that_of_the_scrape(void **state)
{
	struct fixture *f = *state;
	struct view *v = fixture_view("aged", 5);
	double age = 0;

	v->received_ms = clock_wall_ms() - 4000;
	board_publish(f->board, v);
	for (int i = 0; i < 2; i++) {
		scrape(f);
		const char *at = strstr(text.data, "warren_pass_age_seconds{agent=\"dc1-a\","
						   "cluster=\"aged\",environment=\"PROD\"} ");
		assert_non_null(at);
		age = strtod(strchr(at, '}') + 2, NULL);
		assert_true(age >= 4 && age < 60);
	}
}

static void a_view_that_is_gone_takes_its_samples_along(void **state)
{
	struct fixture *f = *state;

	scrape(f);
	assert_non_null(strstr(text.data, "\"local\""));
	board_remove(f->board, 1);
	scrape(f);
	assert_null(strstr(text.data, "\"local\""));
	assert_non_null(strstr(text.data, "# TYPE burrow_kafka_consumer_status gauge\n"));
}

static void a_second_scrape_shares_the_rendering_of_the_first(void **state)
{
	struct fixture *f = *state;
	struct request rq = {.method = METHOD_GET, .target = "/metrics", .body = ""};
	struct response a, b, c;

	server_handle(f->server, &rq, &a);
	server_handle(f->server, &rq, &b);
	assert_ptr_equal(a.shared, b.shared);
	board_publish(f->board, fixture_local());
	server_handle(f->server, &rq, &c);
	assert_ptr_not_equal(a.shared, c.shared);
	response_free(&a);
	response_free(&b);
	response_free(&c);
}

static void a_label_may_hold_anything(void **state)
{
	static const struct {
		const char *name, *label;
	} NAMES[] = {
		{"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"x\xff\xc3", "x\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"{}=,", "{}=,"},
	};
	struct fixture *f = *state;
	char line[256];

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		struct view *v = fixture_view("c", 9);
		struct view_group *g = view_alloc(v, sizeof(*g));

		*g = (struct view_group){.name = NAMES[i].name, .id = 1, .status = STATUS_OK};
		v->groups = g;
		v->group_count = 1;
		board_publish(f->board, v);
		scrape(f);
		snprintf(line, sizeof(line),
			 "burrow_kafka_consumer_status{cluster=\"c\",consumer_group=\"%s\"} 1",
			 NAMES[i].label);
		assert_true(has_line(line));
	}
}

/* Each sample's family was announced before it, and no family twice. */
static void families_are_together(void **state)
{
	char family[128] = "";
	const char *seen[64];
	size_t count = 0;

	scrape(*state);
	for (const char *at = buf_str(&text); *at != '\0'; at = strchr(at, '\n') + 1) {
		if (sscanf(at, "# TYPE %127s", family) == 1) {
			for (size_t i = 0; i < count; i++)
				assert_int_not_equal(
					strncmp(seen[i], at,
						strlen("# TYPE ") + strlen(family) + 1),
					0);
			seen[count++] = at;
		} else if (*at != '#') {
			assert_int_equal(strncmp(at, family, strlen(family)), 0);
			assert_int_equal(at[strlen(family)], '{');
		}
	}
	assert_int_equal(count, 22);
}

static int free_text(void **state)
{
	(void)state;
	buf_free(&text);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_captured_sample_is_there),
		TEST(warrens_own_are_there),
		TEST(the_age_of_a_pass_is_that_of_the_scrape),
		TEST(a_view_that_is_gone_takes_its_samples_along),
		TEST(a_second_scrape_shares_the_rendering_of_the_first),
		TEST(a_label_may_hold_anything),
		TEST(families_are_together),
	};

	return cmocka_run_group_tests(tests, NULL, free_text);
}
