/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "aggregator/serve/cells.h"
#include "aggregator/serve/cursor.h"
#include "aggregator/serve/gzip.h"
#include "aggregator/serve/pretty.h"
#include "aggregator/serve/query.h"
#include "common/err.h"

/* --- the language --- */

static const struct query_kind ALL = {"env cluster group status reason topic state", 0x1f};
static struct query q;
static struct response rs;

/* Whether the query is taken; if not, rs.body is a string. */
static bool read_as(const char *query, const struct query_kind *kind)
{
	const struct request rq = {.query = query, .target = ""};

	response_free(&rs);
	response_init(&rs);
	bool taken = query_read(&rq, kind, &q, &rs);
	(void)buf_str(&rs.body);
	return taken;
}

static bool takes(const char *query)
{
	return read_as(query, &ALL);
}

/* It is refused with 400 and a body that says so. */
static void refuses(const char *query, const char *said)
{
	if (takes(query))
		fail_msg("%s is taken", query);
	assert_int_equal(rs.status, 400);
	if (strstr(rs.body.data, said) == NULL)
		fail_msg("%s: %s", query, rs.body.data);
}

static int clean_up(void **state)
{
	(void)state;
	response_free(&rs);
	return 0;
}

static void what_is_not_asked_for_is_not_set(void **state)
{
	(void)state;
	assert_true(takes(""));
	assert_null(q.env);
	assert_null(q.cursor);
	assert_int_equal(q.statuses, 0);
	assert_int_equal(q.sort, QUERY_BY_NAME);
	assert_false(q.falling);
	assert_int_equal(q.limit, QUERY_LIMIT_MAX);
	assert_false(q.csv);
	assert_true(query_status(&q, STATUS_ERR));
	assert_true(query_reason(&q, REASON_NO_DATA, false));
	assert_true(query_state(&q, "Empty"));
	assert_true(query_glob(NULL, "x"));
}

static void every_parameter_is_read(void **state)
{
	(void)state;
	assert_true(takes("env=PR*&cluster=a%2Fb&group=x+y&topic=t&q=Z&status=err,WARN"
			  "&reason=no_commits,rebalance_storm&state=stable&sort=-time_lag"
			  "&limit=7&cursor=abc&format=csv&pretty"));
	assert_string_equal(q.env, "PR*");
	assert_string_equal(q.cluster, "a/b");
	assert_string_equal(q.group, "x y");
	assert_string_equal(q.topic, "t");
	assert_string_equal(q.q, "Z");
	assert_string_equal(q.cursor, "abc");
	assert_int_equal(q.sort, QUERY_BY_TIME_LAG);
	assert_true(q.falling && q.csv);
	assert_int_equal(q.limit, 7);
	assert_true(query_status(&q, STATUS_ERR) && query_status(&q, STATUS_WARN));
	assert_false(query_status(&q, STATUS_OK));
	assert_true(query_reason(&q, REASON_NO_COMMITS, false));
	assert_true(query_reason(&q, REASON_CAUGHT_UP, true));
	assert_false(query_reason(&q, REASON_CAUGHT_UP, false));
	assert_true(query_state(&q, "Stable"));
	assert_false(query_state(&q, "Empty"));
	assert_false(query_state(&q, ""));
	const char *const has[] = {"a", "xzy", NULL};
	const char *const lacks[] = {"a", "b", NULL};
	assert_true(query_finds(&q, has));
	assert_false(query_finds(&q, lacks));
	assert_true(takes("state=unknown"));
	assert_true(query_state(&q, ""));
}

static void what_is_wrong_is_said_with_what_is_allowed(void **state)
{
	(void)state;
	refuses("colour=red", "\"allowed\":[\"env\",\"cluster\",");
	refuses("colour=red", "\"parameter\":\"colour\"");
	refuses("sort=size", "\"allowed\":[\"name\",\"lag\",\"time_lag\",\"status\",\"since\"]");
	refuses("sort=", "sort must be");
	refuses("status=BAD", "\"allowed\":[\"OK\",\"WARN\",\"ERR\"");
	refuses("status=OK,,ERR", "status must be");
	refuses("reason=hunger", "no_commits");
	refuses("state=Lost", "Rebalancing");
	refuses("limit=0", "1 to 10000");
	refuses("limit=10001", "1 to 10000");
	refuses("limit=-5", "1 to 10000");
	refuses("limit=99999999999999999999", "1 to 10000");
	refuses("format=xml", "\"allowed\":[\"json\",\"csv\"]");
	refuses("env=a&env=b", "env is given twice");
	refuses("env", "env needs a value");
	refuses("env=%zz", "percent");
	refuses("env=%00", "percent");
	refuses("q=%", "percent");
	refuses("=x", "is no parameter here");
	refuses("Env=x", "Env is no parameter here");
	assert_false(read_as("status=OK", &(struct query_kind){"topic", 1}));
	assert_false(read_as("sort=lag", &(struct query_kind){"topic", 1}));
	assert_true(takes("&&env=a&"));
}

static void a_form_is_what_format_or_else_accept_says(void **state)
{
	struct request rq = {.query = "", .target = "", .accept = "text/csv"};

	(void)state;
	response_free(&rs);
	response_init(&rs);
	assert_true(query_read(&rq, &ALL, &q, &rs) && q.csv);
	rq.query = "format=json";
	assert_true(query_read(&rq, &ALL, &q, &rs) && !q.csv);
	rq.query = "";
	rq.accept = "application/json, text/csv;q=0.5";
	assert_true(query_read(&rq, &ALL, &q, &rs) && !q.csv);
}

/* All values together are never larger than the target they came in. */
static void many_long_values_fit(void **state)
{
	char text[REQUEST_TARGET_MAX + 1] = "env=";

	(void)state;
	memset(text + 4, 'e', 4000);
	strcpy(text + 4004, "&q="); /* NOLINT */
	memset(text + 4007, 'q', REQUEST_TARGET_MAX - 4007);
	assert_true(takes(text));
	assert_int_equal(strlen(q.env), 4000);
	assert_int_equal(strlen(q.q), REQUEST_TARGET_MAX - 4007);
}

/* --- cursors --- */

static void cursors_come_back(void **state)
{
	CLEANUP(buf_free) struct buf out = {0};
	const struct cursor c = {.sort = QUERY_BY_LAG,
				 .falling = true,
				 .value = -1,
				 .number = 1000000,
				 .names = {"a/b\xff%", "", "\xe4\xb8\xad"}};
	char room[CURSOR_BYTES_MAX];
	struct cursor back;

	(void)state;
	cursor_put(&out, &c);
	for (const char *at = buf_str(&out); *at != '\0'; at++)
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-_",
				       *at));
	assert_int_equal(cursor_get(buf_str(&out), room, &back), ERR_OK);
	assert_int_equal(back.sort, QUERY_BY_LAG);
	assert_true(back.falling);
	assert_int_equal(back.value, -1);
	assert_int_equal(back.number, 1000000);
	for (size_t i = 0; i < CURSOR_NAMES; i++)
		assert_string_equal(back.names[i], c.names[i]);
}

/* No byte can be another, none be missing, none be added. */
static void damaged_cursors_are_refused(void **state)
{
	CLEANUP(buf_free) struct buf out = {0};
	const struct cursor c = {.names = {"group", "PROD", "seoul"}, .value = 12};
	char room[CURSOR_BYTES_MAX];
	struct cursor back;

	(void)state;
	cursor_put(&out, &c);
	(void)buf_str(&out);
	for (size_t i = 0; i + 1 < out.size; i++) {
		char whole = out.data[i];

		out.data[i] = whole == 'A' ? 'B' : 'A';
		assert_int_equal(cursor_get(out.data, room, &back), ERR_MALFORMED);
		out.data[i] = '\0';
		assert_int_equal(cursor_get(out.data, room, &back), ERR_MALFORMED);
		out.data[i] = '.';
		assert_int_equal(cursor_get(out.data, room, &back), ERR_MALFORMED);
		out.data[i] = whole;
	}
	assert_int_equal(cursor_get(out.data, room, &back), ERR_OK);
	buf_puts(&out, "AAAA");
	assert_int_equal(cursor_get(buf_str(&out), room, &back), ERR_MALFORMED);
	char *large = malloc(CURSOR_BYTES_MAX * 2);
	assert_non_null(large);
	memset(large, 'A', CURSOR_BYTES_MAX * 2);
	large[CURSOR_BYTES_MAX * 2 - 1] = '\0';
	assert_int_equal(cursor_get(large, room, &back), ERR_MALFORMED);
	free(large);
}

/* --- rows --- */

static void put_row(struct cells *c)
{
	cells_begin_row(c);
	cells_str(c, "name", "=1+1, \"x\"");
	cells_begin_object(c, "agent");
	cells_str(c, "name", "a\r\nb");
	cells_known(c, "age", -1);
	cells_end_object(c);
	cells_begin_words(c, "reasons");
	cells_word(c, "one");
	cells_word(c, "two");
	cells_end_words(c);
	cells_int(c, "lag", -5);
	cells_bool(c, "stale", true);
	cells_float(c, "complete", 0.5F);
	cells_time(c, "since_ms", 0);
	cells_str(c, "none", NULL);
	cells_str(c, "at", "@SUM(A1)");
	cells_str(c, "plain", "a-b=c");
	cells_end_row(c);
}

static void a_row_is_an_object_or_a_line(void **state)
{
	CLEANUP(buf_free) struct buf json = {0};
	CLEANUP(buf_free) struct buf csv = {0};
	struct cells c = cells_on(&json, CELLS_JSON);

	(void)state;
	put_row(&c);
	assert_string_equal(
		buf_str(&json),
		"{\"name\":\"=1+1, \\\"x\\\"\",\"agent\":{\"name\":\"a\\r\\nb\",\"age\":null},"
		"\"reasons\":[\"one\",\"two\"],\"lag\":-5,\"stale\":true,\"complete\":0.5,"
		"\"since_ms\":null,\"none\":\"\",\"at\":\"@SUM(A1)\",\"plain\":\"a-b=c\"}");
	c = cells_on(&csv, CELLS_NAMES);
	put_row(&c);
	c.form = CELLS_CSV;
	put_row(&c);
	assert_string_equal(buf_str(&csv),
			    "name,agent.name,agent.age,reasons,lag,stale,complete,since_ms,none,"
			    "at,plain\r\n"
			    "\"'=1+1, \"\"x\"\"\",\"a\r\nb\",,one two,-5,true,0.5,,,'@SUM(A1),"
			    "a-b=c\r\n");
}

/* --- forms --- */

static void json_is_made_pretty(void **state)
{
	CLEANUP(buf_free) struct buf out = {0};
	const char compact[] = "{\"a\":[1,{\"b{,:\\\"]\":\"\\\\\"}],\"c\":{},\"d\":[]}";

	(void)state;
	pretty(compact, sizeof(compact) - 1, &out);
	assert_string_equal(buf_str(&out), "{\n"
					   "  \"a\": [\n"
					   "    1,\n"
					   "    {\n"
					   "      \"b{,:\\\"]\": \"\\\\\"\n"
					   "    }\n"
					   "  ],\n"
					   "  \"c\": {},\n"
					   "  \"d\": []\n"
					   "}\n");
}

static void gzip_comes_back(void **state)
{
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf small = {0};
	char *back = NULL;

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "group-%d,", i % 700);
	assert_int_equal(gzip(text.data, text.size, &small), ERR_OK);
	assert_true(small.size < text.size / 5);
	back = malloc(text.size + 1);
	assert_non_null(back);
	z_stream z = {.next_in = (Bytef *)small.data,
		      .avail_in = (uInt)small.size,
		      .next_out = (Bytef *)back,
		      .avail_out = (uInt)text.size + 1};
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, text.size);
	assert_memory_equal(back, text.data, text.size);
	inflateEnd(&z);
	free(back);
	struct buf tight = {.limit = 10};
	assert_int_equal(gzip(text.data, text.size, &tight), ERR_LIMIT);
	buf_free(&tight);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_asked_for_is_not_set),
		cmocka_unit_test(every_parameter_is_read),
		cmocka_unit_test(what_is_wrong_is_said_with_what_is_allowed),
		cmocka_unit_test(a_form_is_what_format_or_else_accept_says),
		cmocka_unit_test(many_long_values_fit),
		cmocka_unit_test(cursors_come_back),
		cmocka_unit_test(damaged_cursors_are_refused),
		cmocka_unit_test(a_row_is_an_object_or_a_line),
		cmocka_unit_test(json_is_made_pretty),
		cmocka_unit_test(gzip_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, clean_up);
}
