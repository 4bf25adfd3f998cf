/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregator/judge/story.h"

/* A commit of 20 comes a second after the pass that saw the log end at 18. */
static size_t points_of(uint32_t beyond_pass, struct story_point out[STORY_POINTS_MAX])
{
	struct log_track log = {.end = 30};
	struct commit_track commit = {.offset = 20, .beyond_pass = beyond_pass};
	const struct cluster_track cluster = {.interval_ms = 10000, .window_ms = 600000};
	const struct judge_input in = {
		.commit = &commit,
		.log = &log,
		.cluster = &cluster,
		.rules = &RULES_DEFAULT,
		.now_ms = 1040000,
	};

	window_add(&log.ends, 1000000, 18, 1);
	window_add(&log.ends, 1030000, 30, 1);
	window_add(&commit.offsets, 990000, 5, 1);
	window_add(&commit.offsets, 1001000, 20, 1);
	return story_points(&in, out);
}

static void no_point_has_more_committed_than_there_was(void **state)
{
	struct story_point points[STORY_POINTS_MAX];
	size_t count = points_of(0, points);

	(void)state;
	assert_int_equal(count, 4);
	assert_int_equal(points[2].at_ms, 1001000);
	assert_int_equal(points[2].committed, 20);
	assert_int_equal(points[2].end, 20);
	assert_int_equal(points[2].lag, 0);
	assert_int_equal(points[3].end, 30);
	assert_int_equal(points[3].lag, 10);
}

static void an_offset_beyond_the_end_is_shown_as_it_is(void **state)
{
	struct story_point points[STORY_POINTS_MAX];
	size_t count = points_of(7, points);

	(void)state;
	assert_int_equal(count, 4);
	assert_int_equal(points[2].end, 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_point_has_more_committed_than_there_was),
		cmocka_unit_test(an_offset_beyond_the_end_is_shown_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
