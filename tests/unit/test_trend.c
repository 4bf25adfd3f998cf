/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1700000000000)
#define S INT64_C(1000)
#define STEP_S 20
#define COMES 100 /* a second, so that a lag of 6000 is a minute old */
#define WARN_MS (60 * S)

/* A series of lags, a commit every 20 s. */
struct series {
	struct cluster_track cluster;
	struct log_track log;
	struct commit_track commit;
	struct trend trend;
	int64_t at_ms, end;
};

static void begin(struct series *s, size_t points)
{
	*s = (struct series){
		.cluster = {.interval_ms = 10000, .passes = 100, .window_ms = 600 * S},
		.commit = {.status = STATUS_OK, .first_pass = 1, .offset = 0},
		.at_ms = NOW_MS - (int64_t)points * STEP_S * S,
		.end = 1000000,
	};
}

static void add(struct series *s, double lag)
{
	s->at_ms += STEP_S * S;
	s->end += STEP_S * COMES;
	window_add(&s->log.ends, s->at_ms, s->end, 0);
	window_add(&s->commit.offsets, s->at_ms, s->end - (int64_t)lag, 0);
}

static bool worse(struct series *s)
{
	trend_of(&s->commit, &s->log, &s->cluster, NOW_MS - 600 * S, WARN_MS, &s->trend);
	return s->trend.worse;
}

/* What a series looks like: a slope a step, a zigzag, waves of so many steps, and its last steps.
 */
static const struct shape {
	const char *what;
	size_t points;
	double base, slope, zigzag, wave;
	size_t wave_steps;
	double last[4]; /* added to the newest points, the newest last */
	bool begins;    /* a warning is raised */
	bool lasts;     /* one that is up stays */
} SHAPES[] = {
	{.what = "grows", .points = 24, .slope = 500, .begins = true, .lasts = true},
	{.what = "grows a little",
	 .points = 24,
	 .base = 9000,
	 .slope = 40,
	 .begins = true,
	 .lasts = true},
	{.what = "by less than counts", .points = 24, .base = 9000, .slope = 8},
	{.what = "stays", .points = 24, .base = 9000},
	{.what = "falls", .points = 24, .base = 20000, .slope = -300},
	{.what = "grows, but is not old", .points = 24, .slope = 100},
	{.what = "grows a short time",
	 .points = 6,
	 .base = 6000,
	 .slope = 500,
	 .begins = true,
	 .lasts = true},
	{.what = "grew, is a step lower now",
	 .points = 24,
	 .slope = 500,
	 .last = {0, 0, 0, -2000},
	 .lasts = false},
	{.what = "grew, stands now",
	 .points = 24,
	 .slope = 500,
	 .last = {0, 0, 0, -500},
	 .lasts = true},
	{.what = "grew, stood for two steps",
	 .points = 24,
	 .slope = 500,
	 .last = {0, 0, -500, -1000},
	 .lasts = true},
	{.what = "grows beyond its noise",
	 .points = 24,
	 .base = 9000,
	 .slope = 40,
	 .zigzag = 100,
	 .begins = true,
	 .lasts = true},
	{.what = "within its noise",
	 .points = 24,
	 .base = 9000,
	 .slope = 20,
	 .zigzag = 100,
	 .lasts = true},
	{.what = "waves that rise",
	 .points = 28,
	 .base = 9000,
	 .slope = 300,
	 .wave = 1500,
	 .wave_steps = 5,
	 .begins = true,
	 .lasts = true},
	{.what = "waves that stay", .points = 28, .base = 9000, .wave = 1500, .wave_steps = 5},
};

static double lag_of(const struct shape *sh, size_t i)
{
	double lag = sh->base + sh->slope * (double)i + (i % 2 == 1 ? sh->zigzag : -sh->zigzag);
	size_t left = sh->points - 1 - i;

	if (sh->wave_steps > 0)
		lag += sh->wave * sin(2 * M_PI * (double)i / (double)sh->wave_steps);
	return left < 4 ? lag + sh->last[3 - left] : lag;
}

static void what_grows_is_told_from_what_goes_up_and_down(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(SHAPES); k++) {
		const struct shape *sh = &SHAPES[k];
		struct series s;

		begin(&s, sh->points);
		for (size_t i = 0; i < sh->points; i++)
			add(&s, lag_of(sh, i));
		if (worse(&s) != sh->begins)
			fail_msg("%s: raised %d", sh->what, s.trend.worse);
		s.commit.status = STATUS_WARN;
		if (worse(&s) != sh->lasts)
			fail_msg("%s: lasts %d", sh->what, s.trend.worse);
	}
}

static void add_growing(struct series *s, size_t points)
{
	for (size_t i = 0; i < points; i++)
		add(s, 9000 + 500 * (double)i);
}

static void little_of_a_window_tells_no_trend(void **state)
{
	struct series s;

	(void)state;
	begin(&s, 5); /* 80 s */
	add_growing(&s, 5);
	assert_false(worse(&s));
	begin(&s, 6); /* 100 s */
	add_growing(&s, 6);
	assert_true(worse(&s));
	s.commit.first_pass = s.cluster.passes - 5;
	assert_true(worse(&s));
	s.commit.first_pass++;
	assert_false(worse(&s));
	/* As long, but in four points. */
	begin(&s, 8);
	for (int i = 0; i < 4; i++) {
		s.at_ms += STEP_S * S;
		s.end += STEP_S * COMES;
		add(&s, 9000 + 1000 * (double)i);
	}
	assert_false(worse(&s));
	s.at_ms += STEP_S * S;
	s.end += STEP_S * COMES;
	add(&s, 13000);
	assert_true(worse(&s));
}

static void nothing_is_no_trend(void **state)
{
	struct series s;

	(void)state;
	begin(&s, 3);
	assert_false(worse(&s));
	assert_int_equal(s.trend.behind_ms, 0);
	window_add(&s.commit.offsets, NOW_MS, 5, 0);
	assert_false(worse(&s)); /* a log that was never seen */
	window_clear(&s.commit.offsets);
	add(&s, 1000);
	assert_false(worse(&s));
	assert_int_equal(s.trend.behind_ms, 0); /* nor is its age known */
	assert_true(s.trend.reads == 0 && s.trend.grows == 0);
	add(&s, 1000);
	assert_false(worse(&s));
	assert_int_equal(s.trend.behind_ms, 9990); /* the message after the committed ones */
	assert_true(s.trend.reads == COMES && s.trend.grows == COMES);
}

static void what_led_to_an_err_says_nothing_of_the_time_after(void **state)
{
	struct series s;

	(void)state;
	begin(&s, 24);
	add_growing(&s, 24);
	assert_true(worse(&s));
	s.commit.status = STATUS_STALL;
	assert_false(worse(&s));
	s.commit.status = STATUS_OK;
	s.commit.after_err = 1;
	s.commit.since_ms = s.at_ms - 99 * S;
	assert_false(worse(&s));
	s.commit.since_ms = s.at_ms - 100 * S; /* six points, the first included */
	assert_true(worse(&s));
	assert_true(s.trend.reads > 0);
}

static void rates_are_those_of_the_last_quarter(void **state)
{
	struct series s;

	(void)state;
	begin(&s, 24);
	for (size_t i = 0; i < 24; i++)
		add(&s, i < 18 ? 20000 : 20000 - 1000 * (double)(i - 17));
	(void)worse(&s);
	assert_true(s.trend.grows == COMES);
	assert_true(s.trend.reads == COMES + 1000.0 / STEP_S);
	/* Of few points the last five. */
	begin(&s, 8);
	for (size_t i = 0; i < 8; i++)
		add(&s, i < 4 ? 20000 : 20000 - 1000 * (double)(i - 3));
	(void)worse(&s);
	assert_true(s.trend.reads == COMES + 1000.0 / STEP_S);
	begin(&s, 3);
	for (size_t i = 0; i < 3; i++)
		add(&s, 5000 - 1000 * (double)i);
	(void)worse(&s);
	assert_true(s.trend.reads == COMES + 1000.0 / STEP_S);
}

static void a_group_that_was_close_to_the_end_has_but_one_burst(void **state)
{
	static const struct {
		const char *what;
		double valley; /* lag between the waves; a little down at last is a rise in waves
				  only */
		bool want;
	} CASES[] = {
		{"never close", 6000, true},
		{"not yet close", 1600, true}, /* 16 s, where a quarter of a minute is close */
		{"close", 1400, false},
		{"at the end", 0, false},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		struct series s;

		double v = CASES[k].valley;
		const double lags[] = {v,    3400, 5400,  7000,  v,     3400,  5400,  7000,
				       v,    3400, 5400,  7000,  v,     3400,  5400,  7400,
				       9400, 8000, 10000, 10600, 11200, 11800, 12400, 12300};
		begin(&s, ARRAY_LEN(lags));
		for (size_t i = 0; i < ARRAY_LEN(lags); i++)
			add(&s, lags[i]);
		if (worse(&s) != CASES[k].want)
			fail_msg("%s: %d", CASES[k].what, s.trend.worse);
	}
}

static void what_comes_now_decides_whether_it_grows_now(void **state)
{
	struct series s;

	(void)state;
	begin(&s, 24);
	add_growing(&s, 24);
	assert_true(worse(&s));
	/* Since the last commit hardly anything has come. */
	window_add(&s.log.ends, s.at_ms + 10 * S, s.end + 10, 0);
	assert_false(worse(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_grows_is_told_from_what_goes_up_and_down),
		cmocka_unit_test(little_of_a_window_tells_no_trend),
		cmocka_unit_test(nothing_is_no_trend),
		cmocka_unit_test(what_led_to_an_err_says_nothing_of_the_time_after),
		cmocka_unit_test(rates_are_those_of_the_last_quarter),
		cmocka_unit_test(a_group_that_was_close_to_the_end_has_but_one_burst),
		cmocka_unit_test(what_comes_now_decides_whether_it_grows_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
