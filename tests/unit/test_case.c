/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/judge/track.h"
#include "aggregator/replay.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define COLUMNS "\"columns\":[\"t_committed_ms\",\"committed\",\"end\"]"
#define NAMES "\"scenario\":\"s\",\"topic\":\"t\",\"partition\":3"

/* Read a file of this text. */
static int load(const char *text, struct cases *ret_c, struct buf *errors)
{
	struct temp dir = temp_make();
	char path[128];

	snprintf(path, sizeof(path), "%s/cases.jsonl", dir.dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	int err = cases_load(path, ret_c, errors);
	temp_remove(&dir);
	return err;
}

static void columns_may_come_in_any_order(void **state)
{
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(cases_free) struct cases c = {.series = NULL};

	(void)state;
	assert_int_equal(
		load("{" NAMES ",\"columns\":[\"end\",\"new\",\"state\",\"t_committed_ms\","
		     "\"committed\"],\"series\":[[7,0,\"STABLE\",1000,null],[9,1,null,2000,5]],"
		     "\"commits\":[[1500,5],[1600,null]],\"phases\":[{\"name\":\"p\",\"from_ms\":0,"
		     "\"to_ms\":9000,\"grace_ms\":10,\"group\":[\"OK\",\"ERR\"],\"scored\":true,"
		     "\"parts\":{\"t/3\":[\"STOP\"]}}]}\n",
		     &c, &errors),
		ERR_OK);
	assert_int_equal(c.count, 1);
	const struct case_series *s = &c.series[0];
	assert_string_equal(s->name, "t/3");
	assert_int_equal(s->row_count, 2);
	assert_int_equal(s->rows[0].committed_at_ms, 1000);
	assert_int_equal(s->rows[0].end_at_ms, 1000);
	assert_int_equal(s->rows[0].end, 7);
	assert_int_equal(s->rows[0].committed, CASE_NONE);
	assert_int_equal(s->rows[0].state, TRACK_GROUP_STABLE);
	assert_int_equal(s->rows[0].start, CASE_NONE);
	assert_int_equal(s->rows[1].committed, 5);
	assert_int_equal(s->commits[1].offset, CASE_NONE);
	assert_int_equal(s->phases[0].right, CASE_BIT(STATUS_OK) | CASE_BIT(STATUS_ERR));
	assert_int_equal(s->phases[0].parts[0].right, CASE_BIT(STATUS_STOP));
}

static void what_is_no_case_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *line, *why;
	} BAD[] = {
		{"[]", "not a JSON object"},
		{"{\"topic\":", "not a JSON object"},
		{"{" COLUMNS ",\"series\":[[1,2,3]]}", "name is missing"},
		{"{" NAMES ",\"columns\":[\"end\"],\"series\":[[1]]}", "t_committed_ms"},
		{"{" NAMES "," COLUMNS ",\"series\":[]}", "1 to 1,000,000 rows"},
		{"{" NAMES "," COLUMNS "}", "1 to 1,000,000 rows"},
		{"{" NAMES "," COLUMNS ",\"series\":[[5,1,1],[5,1,1]]}", "do not rise"},
		{"{" NAMES "," COLUMNS ",\"series\":[[-5,1,1]]}", "out of range"},
		{"{" NAMES "," COLUMNS ",\"series\":[[null,1,1]]}", "missing or out of range"},
		{"{" NAMES "," COLUMNS ",\"series\":[[1,1,1]],\"phases\":[{\"name\":\"p\","
		 "\"from_ms\":0,\"to_ms\":9,\"grace_ms\":0,\"group\":[\"GOOD\"]}]}",
		 "no such status: GOOD"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		CLEANUP(buf_free) struct buf errors = {0};
		CLEANUP(buf_free) struct buf text = {0};
		struct cases c = {.series = NULL};

		buf_puts(&text, "{" NAMES "," COLUMNS ",\"series\":[[1,1,1]]}\n");
		buf_puts(&text, BAD[i].line);
		buf_putc(&text, '\n');
		assert_int_equal(load(buf_str(&text), &c, &errors), ERR_MALFORMED);
		if (strstr(buf_str(&errors), "cases.jsonl:2: ") == NULL ||
		    strstr(buf_str(&errors), BAD[i].why) == NULL)
			fail_msg("%s: %s", BAD[i].line, buf_str(&errors));
	}
}

static void an_empty_file_and_none_are_said(void **state)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct cases c = {.series = NULL};

	(void)state;
	assert_int_equal(load("", &c, &errors), ERR_MALFORMED);
	assert_non_null(strstr(buf_str(&errors), "no case in it"));
	assert_int_equal(cases_load("/nonexistent/cases", &c, &errors), -ENOENT);
}

static size_t passes;

static void count_passes(void *arg, size_t part, const struct judge_input *in,
			 const struct verdict *v)
{
	(void)arg;
	(void)v;
	assert_int_equal(part, 0);
	assert_true(in->now_ms >= REPLAY_BASE_MS + 1000);
	passes++;
}

static void a_series_is_played_pass_by_pass(void **state)
{
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(cases_free) struct cases c = {.series = NULL};
	struct replay *r = NULL;

	(void)state;
	buf_puts(&text, "{" NAMES "," COLUMNS ",\"series\":[");
	for (int i = 1; i <= 60; i++)
		buf_printf(&text, "%s[%d,0,%d]", i == 1 ? "" : ",", i * 5000, i * 100);
	buf_puts(&text, "],\"commits\":[[1,0]]}\n");
	assert_int_equal(load(buf_str(&text), &c, &errors), ERR_OK);
	for (size_t every = 1; every <= 2; every++) {
		const struct replay_options o = {.every = every};

		assert_int_equal(replay_new(c.series, c.count, &o, &r), ERR_OK);
		passes = 0;
		replay_run(r, count_passes, NULL);
		assert_int_equal(passes, 60 / every);
		assert_int_equal(replay_at(r, 0)->group, STATUS_NOTFOUND);
		assert_int_equal(replay_at(r, 60000)->group, STATUS_OK);
		assert_int_equal(replay_at(r, 300000)->group, STATUS_ERR);
		assert_int_equal(replay_at(r, 300000)->parts[0], STATUS_STOP);
		replay_free(&r);
	}
	const struct replay_options o = {.every = 1};
	assert_int_equal(replay_new(c.series, REPLAY_PARTS_MAX + 1, &o, &r), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_may_come_in_any_order),
		cmocka_unit_test(what_is_no_case_is_refused_with_its_line),
		cmocka_unit_test(an_empty_file_and_none_are_said),
		cmocka_unit_test(a_series_is_played_pass_by_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
