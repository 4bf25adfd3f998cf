/* SPDX-License-Identifier: Apache-2.0 */

/* The source itself, so that its parts can be tested one by one. */
#include "aggregator/judge/trend.c"

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

/* What a judge is told of a series of lags, with a commit every 20 s. */
struct told {
	struct cluster_track cluster;
	struct log_track log;
	struct commit_track commit;
	struct trend trend;
	int64_t at_ms, end;
};

static void begin(struct told *s, size_t points)
{
	*s = (struct told){
		.cluster = {.interval_ms = 10000, .passes = 100, .window_ms = 600 * S},
		.commit = {.status = STATUS_OK, .first_pass = 1, .offset = 0},
		.at_ms = NOW_MS - (int64_t)points * STEP_S * S,
		.end = 1000000,
	};
}

static void add(struct told *s, double lag)
{
	s->at_ms += STEP_S * S;
	s->end += STEP_S * COMES;
	window_add(&s->log.ends, s->at_ms, s->end, 0);
	window_add(&s->commit.offsets, s->at_ms, s->end - (int64_t)lag, 0);
}

static bool worse(struct told *s)
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
		struct told s;

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

static void add_growing(struct told *s, size_t points)
{
	for (size_t i = 0; i < points; i++)
		add(s, 9000 + 500 * (double)i);
}

static void little_of_a_window_tells_no_trend(void **state)
{
	struct told s;

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
	struct told s;

	(void)state;
	begin(&s, 3);
	assert_false(worse(&s));
	assert_int_equal(s.trend.behind_ms, 0);
	window_add(&s.commit.offsets, NOW_MS, 5, 0);
	assert_false(worse(&s)); /* a log that was never seen */
	assert_int_equal(s.trend.behind_ms, 0);
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
	struct told s;

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
	static const struct {
		size_t points, steps; /* steps over which the rates are taken */
	} CASES[] = {{28, 7}, {24, 6}, {8, 4}, {5, 4}, {3, 2}, {2, 1}};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		struct told s;
		double lag = 40000;
		size_t steps = CASES[k].steps;

		begin(&s, CASES[k].points);
		for (size_t i = CASES[k].points; i-- > 0;) {
			add(&s, lag);
			lag -= 10 * (double)i; /* slower and slower */
		}
		(void)worse(&s);
		assert_true(s.trend.grows == COMES);
		double read =
			COMES + 10.0 * (double)(steps * (steps + 1)) / 2 / (double)steps / STEP_S;
		if (fabs(s.trend.reads - read) > 1e-9)
			fail_msg("%zu points: %f", CASES[k].points, s.trend.reads);
	}
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
		{"not yet close", 1510, true}, /* a quarter of a minute is close */
		{"close", 1490, false},
		{"at the end", 0, false},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		struct told s;

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
	struct told s;

	(void)state;
	begin(&s, 24);
	add_growing(&s, 24);
	assert_true(worse(&s));
	/* Since the last commit hardly anything has come. */
	window_add(&s.log.ends, s.at_ms + 10 * S, s.end + 10, 0);
	assert_false(worse(&s));
}

/* --- the parts; all series newest first, ten seconds and a thousand messages from point to point
 * --- */

struct part {
	struct window_point commits[POINTS_MAX];
	struct series s;
};

static struct series *part(struct part *p, size_t count, const double *lags)
{
	*p = (struct part){.s = {.count = count, .commits = p->commits}};
	for (size_t i = 0; i < count; i++) {
		p->s.lag[i] = lags[i];
		p->s.end[i] = 1000000 - 1000 * (double)i;
		p->s.behind_ms[i] = 1000 * lags[i];
		p->commits[i].at_ms = NOW_MS - (int64_t)i * 10 * S;
		p->commits[i].value = (int64_t)(p->s.end[i] - lags[i]);
	}
	return &p->s;
}

#define PART(p, ...)                                                                               \
	part(p, sizeof((const double[]){__VA_ARGS__}) / sizeof(double),                            \
	     (const double[]){__VA_ARGS__})
#define ASSERT_NUMBER(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void the_end_between_two_points_is_interpolated(void **state)
{
	const struct window_point ends[] = {
		{NOW_MS, 900}, {NOW_MS - 20000, 500}, {NOW_MS - 50000, 200}};
	static const struct {
		int64_t ago_ms;
		double want;
	} CASES[] = {{-5000, 900}, {0, 900},     {5000, 800}, {20000, 500},
		     {25000, 200}, {50000, 200}, {70000, 200}};
	struct follower f = {ends, 3, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		ASSERT_NUMBER(end_at(&f, NOW_MS - CASES[i].ago_ms, 20000), CASES[i].want);
}

static void the_time_of_an_offset_is_found(void **state)
{
	const struct cluster_track c = {.interval_ms = 10000, .window_ms = 480000};
	const struct window_point ends[] = {
		{NOW_MS, 900}, {NOW_MS - 20000, 500}, {NOW_MS - 50000, 200}};
	static const struct {
		int64_t offset;
		bool found;
		int64_t ago_ms;
	} CASES[] = {
		{900, true, 0},     {1000, true, 0},    {899, true, 0},      {699, true, 10000},
		{500, true, 19950}, {499, true, 20000}, {500, true, 19950},  {499, true, 20000},
		{349, true, 25000}, {200, true, 29966}, {199, false, 50000}, {0, false, 50000},
		{699, true, 10000}, /* gone back */
	};
	struct follower f = {ends, 3, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		int64_t at_ms = 0;
		bool found = passed_at(&f, CASES[i].offset, &c, &at_ms);

		if (found != CASES[i].found || NOW_MS - at_ms != CASES[i].ago_ms)
			fail_msg("%d: %d, %d ms ago", (int)CASES[i].offset, found,
				 (int)(NOW_MS - at_ms));
	}
}

static void lags_and_ages_go_with_the_commits(void **state)
{
	const struct cluster_track c = {.interval_ms = 10000, .window_ms = 480000};
	const struct window_point ends[] = {
		{NOW_MS, 900}, {NOW_MS - 20000, 500}, {NOW_MS - 40000, 200}};
	struct window_point commits[] = {{NOW_MS, 700},
					 {NOW_MS - 10000, 699},
					 {NOW_MS - 20000, 498},
					 {NOW_MS - 30000, 400},
					 {NOW_MS - 40000, 100}};
	struct series s = {.count = 5, .commits = commits};
	struct follower f = {ends, 3, 0};

	(void)state;
	collect_lags(&s, f, &c);
	ASSERT_NUMBER(s.end[1], 700);
	ASSERT_NUMBER(s.lag[0], 200);
	ASSERT_NUMBER(s.lag[1], 1);
	ASSERT_NUMBER(s.lag[3], 0); /* ahead of what is known to be there */
	collect_ages(&s, f, &c, 4);
	ASSERT_NUMBER(s.behind_ms[0], 9950);
	ASSERT_NUMBER(s.behind_ms[1], 0); /* a single message */
	ASSERT_NUMBER(s.behind_ms[2], 66);
	assert_false(s.at_least);
	collect_ages(&s, f, &c, 5);
	assert_true(s.at_least);
	ASSERT_NUMBER(s.behind_ms[4], 0);
}

static void a_single_message_has_no_age(void **state)
{
	const struct cluster_track c = {.interval_ms = 10000, .window_ms = 480000};
	const struct window_point ends[] = {{NOW_MS - 30000, 701}, {NOW_MS - 50000, 200}};
	struct window_point commits[] = {{NOW_MS, 700}, {NOW_MS - 1000, 699}};
	struct series s = {.count = 2, .commits = commits};
	struct follower f = {ends, 2, 0};

	(void)state;
	collect_lags(&s, f, &c);
	collect_ages(&s, f, &c, 2);
	ASSERT_NUMBER(s.lag[0], 1);
	ASSERT_NUMBER(s.behind_ms[0], 0);
	ASSERT_NUMBER(s.lag[1], 2);
	ASSERT_NUMBER(s.behind_ms[1], 29039);
}

static void a_median_is_that_of_any_order(void **state)
{
	(void)state;
	ASSERT_NUMBER(median((const double[]){3}, 1), 3);
	ASSERT_NUMBER(median((const double[]){1, 4}, 2), 2.5);
	ASSERT_NUMBER(median((const double[]){5, 1, 3}, 3), 3);
	ASSERT_NUMBER(median((const double[]){4, 1, 3, 2}, 4), 2.5);
	ASSERT_NUMBER(median((const double[]){2, 2, 9, 2, 8}, 5), 2);
	ASSERT_NUMBER(median((const double[]){9, 8, 7, 3, 2, 1}, 6), 5);
}

static void noise_is_what_no_line_explains(void **state)
{
	struct part p;

	(void)state;
	ASSERT_NUMBER(noise(PART(&p, 50, 40, 30, 20, 10)), 0);
	ASSERT_NUMBER(noise(PART(&p, 0, 6, 0, 2, 0)), 4);
	ASSERT_NUMBER(noise(PART(&p, 0, 6, 0)), 6);
	ASSERT_NUMBER(noise(PART(&p, 0, 0.5, 0)), 0.5);
	ASSERT_NUMBER(noise(PART(&p, 1, 2, 3, 7)), 0.75);
	struct series *s = PART(&p, 0, 10, 40);
	p.commits[2].at_ms = NOW_MS - 40 * S;
	ASSERT_NUMBER(noise(s), 0);
}

static void growth_is_from_the_oldest_third_to_the_newest(void **state)
{
	static const double NINE[] = {9, 8, 7, 5, 50, 5, 3, 2, 1};
	static const double TEN[] = {9, 8, 7, 5, 50, 5, 5, 3, 2, 1};
	struct part p;
	struct series *s = part(&p, 9, NINE);

	(void)state;
	ASSERT_NUMBER(growth(NINE, 9), 6);
	ASSERT_NUMBER(growth(TEN, 10), 6);
	ASSERT_NUMBER(ages(s, 4000), 6000);
	s->at_least = true;
	ASSERT_NUMBER(ages(s, 4000), 40000);
	s->end[8] = s->end[0] - 0.5;
	ASSERT_NUMBER(ages(s, 0.25), 40000);
	s->end[8] = s->end[0];
	ASSERT_NUMBER(ages(s, 4000), 0);
	ASSERT_NUMBER(least_growth(s), 30);
}

static void what_climbs_is_not_below_the_last_two(void **state)
{
	struct part p;

	(void)state;
	assert_true(climbs(PART(&p, 5, 5, 4, 9)));
	assert_true(climbs(PART(&p, 5, 4, 4, 9)));
	assert_false(climbs(PART(&p, 5, 5, 5, 1)));
	assert_false(climbs(PART(&p, 5, 6, 4, 1)));
	assert_false(climbs(PART(&p, 5, 4, 5, 1)));
	assert_false(climbs(PART(&p, 5, 4, 6, 1)));
}

static void a_peak_is_above_what_comes_after(void **state)
{
	struct part p;

	(void)state;
	assert_true(is_peak(PART(&p, 1, 3, 2), 1));
	assert_true(is_peak(PART(&p, 1, 3, 3), 1));
	assert_false(is_peak(PART(&p, 3, 3, 2), 1));
	assert_false(is_peak(PART(&p, 1, 3, 4), 1));
	assert_false(is_peak(PART(&p, 1, 3, 4), 2));
	assert_false(may_begin(PART(&p, 1, 3, 2, 3, 2, 1)));
	assert_true(may_begin(PART(&p, 1, 3, 2, 3, 2, 3, 2)));
	assert_true(may_begin(PART(&p, 3, 2, 1)));
}

static void waves_are_counted_since_the_group_was_close_to_the_end(void **state)
{
	static const struct {
		double lags[6];
		size_t close_at;
		struct waves want;
	} CASES[] = {
		{{7, 5, 9, 5, 8, 2}, 6, {2, 2, 3, 4}}, {{7, 5, 9, 5, 8, 2}, 3, {1, 2, 0, 4}},
		{{7, 5, 9, 5, 8, 2}, 5, {2, 2, 3, 4}}, {{9, 5, 9, 3, 4, 2}, 6, {2, 0, 4, 4}},
		{{1, 2, 3, 4, 5, 6}, 6, {0, 5, 0, 5}}, {{6, 5, 4, 3, 2, 1}, 1, {0, 0, 0, 0}},
		{{5, 6, 4, 3, 2, 1}, 1, {0, 0, 0, 0}}, {{6, 5, 4, 3, 7, 1}, 0, {1, 1, 0, 4}},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		struct part p;
		struct series *s = part(&p, 6, CASES[k].lags);

		for (size_t i = 0; i < 6; i++)
			s->behind_ms[i] = i == CASES[k].close_at ? 15000 : 15001;
		struct waves w = waves_of(s, 15000);
		const struct waves *want = &CASES[k].want;
		if (w.peaks != want->peaks || fabs(w.fall - want->fall) > 1e-9 ||
		    fabs(w.deepest - want->deepest) > 1e-9 || fabs(w.height - want->height) > 1e-9)
			fail_msg("%zu: %zu peaks, fall %.0f, deepest %.0f, height %.0f", k, w.peaks,
				 w.fall, w.deepest, w.height);
	}
}

static void the_floor_of_both_halves_is_compared(void **state)
{
	struct part p;

	(void)state;
	ASSERT_NUMBER(floor_rise(PART(&p, 7, 6, 9, 5, 8, 2)), 4);
	ASSERT_NUMBER(floor_rise(PART(&p, 7, 6, 4, 5, 8)), -1);
	ASSERT_NUMBER(floor_rise(PART(&p, 3, 6, 4, 9, 8, 9)), -5);
	ASSERT_NUMBER(floor_rise(PART(&p, 7, 6, 9, 2, 8, 5)), 4);
	ASSERT_NUMBER(floor_rise(PART(&p, 6, 7, 9, 9, 4, 8, 9, 9)), 2);
}

static void the_last_quarter_is_looked_at_in_halves(void **state)
{
	double lags[40] = {1, 1, 9, 2, 2, 0};
	struct part p;

	(void)state;
	assert_true(falls_in_quarter(part(&p, 24, lags)));
	lags[1] = 2;
	assert_false(falls_in_quarter(part(&p, 24, lags)));
	/* Of four or five points two and two. */
	assert_true(falls_in_quarter(PART(&p, 1, 2, 3, 4, 0)));
	assert_false(falls_in_quarter(PART(&p, 3, 4, 3, 4, 9)));
	/* Of 40 points five and five. */
	for (size_t i = 0; i < 40; i++)
		lags[i] = i < 3 ? 5 : i < 8 ? 1 : 9;
	assert_false(falls_in_quarter(part(&p, 40, lags)));
	lags[7] = lags[6] = 9;
	assert_true(falls_in_quarter(part(&p, 40, lags)));
	assert_false(falls_in_quarter(part(&p, 24, lags)));
}

static void a_fall_has_to_be_long_and_clear(void **state)
{
	static const struct {
		const char *what;
		size_t count;
		double lags[12];
		bool want;
	} CASES[] = {
		{"two steps", 8, {10, 20, 30, 29, 29, 29, 29, 29}, true},
		{"up", 8, {30, 20, 10, 10, 10, 10, 10, 10}, false},
		{"stands", 8, {30, 30, 40, 40, 40, 40, 40, 40}, false},
		{"as long before", 8, {10, 20, 30, 29, 10, 20, 30, 29}, false},
		{"right before", 8, {10, 20, 30, 10, 20, 30, 30, 30}, false},
		{"shorter before", 8, {10, 20, 30, 29, 30, 29, 30, 29}, true},
		{"as long at first", 8, {10, 20, 30, 29, 29, 10, 20, 30}, false},
		{"not beyond four noises", 9, {17, 34, 50, 40, 50, 40, 50, 40, 50}, false},
		{"beyond four noises", 9, {0, 40, 80, 70, 80, 70, 80, 70, 80}, true},
		{"exactly four noises", 9, {10, 30, 50, 40, 50, 40, 50, 40, 50}, true},
		{"one short step", 8, {0, 5000, 4900, 4900, 4900, 4900, 4900, 4900}, false},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		struct part p;

		if (falls_now(part(&p, CASES[k].count, CASES[k].lags), 10000) != CASES[k].want)
			fail_msg("%s", CASES[k].what);
	}
}

/* A step that took 20 s. */
static bool step_falls(double fall, int64_t interval_ms)
{
	struct part p;
	double lags[10];

	for (size_t i = 0; i < 10; i++)
		lags[i] = 90000;
	lags[0] = lags[1] - fall;
	struct series *s = part(&p, 10, lags);
	for (size_t i = 1; i < 10; i++)
		p.commits[i].at_ms -= 10 * S;
	return falls_now(s, interval_ms);
}

static void a_fall_in_one_step_has_to_be_clearer(void **state)
{
	(void)state;
	assert_true(step_falls(500, 10000)); /* as much as comes in an interval */
	assert_false(step_falls(499, 10000));
	assert_true(step_falls(50, 1000));
	assert_false(step_falls(49, 1000));
	struct part p;
	struct series *s = PART(&p, 0, 800, 700, 700, 700, 700, 700);
	p.commits[0].at_ms += 4 * S; /* 14 s */
	assert_false(falls_now(s, 1000));
	p.commits[0].at_ms += S;
	assert_true(falls_now(s, 1000));
}

static void what_is_no_deeper_than_waves_is_no_fall(void **state)
{
	struct part p;
	struct series *s = PART(&p, 10, 20, 30, 29, 29, 29, 29, 29);

	(void)state;
	assert_true(falls(s, &(struct waves){.fall = 20, .deepest = 13}, 10000));
	assert_false(falls(s, &(struct waves){.fall = 21, .deepest = 14}, 10000));
	assert_false(falls(PART(&p, 4, 3, 2, 1, 1, 1), &(struct waves){.fall = 9}, 10000));
}

static void only_points_after_an_err_count(void **state)
{
	struct part p;
	struct series *s = PART(&p, 1, 2, 3, 4, 5);
	struct commit_track t = {.status = STATUS_OK};

	(void)state;
	assert_int_equal(since_err(s, &t), 5);
	t.after_err = 1;
	t.since_ms = NOW_MS - 20 * S;
	assert_int_equal(since_err(s, &t), 3);
	t.status = STATUS_WARN;
	assert_int_equal(since_err(s, &t), 3);
	t.after_err = 0;
	assert_int_equal(since_err(s, &t), 5);
	t.status = STATUS_STOP;
	assert_int_equal(since_err(s, &t), 0);
}

static void a_trend_needs_time_passes_and_points(void **state)
{
	struct part p;
	struct series *s = PART(&p, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
	struct commit_track t = {.first_pass = 5};
	struct cluster_track c = {.passes = 10};

	(void)state;
	assert_true(is_known(s, &t, &c)); /* 90 s, the sixth pass */
	c.passes = 9;
	assert_false(is_known(s, &t, &c));
	c.passes = 10;
	p.commits[9].at_ms++;
	assert_false(is_known(s, &t, &c));
	p.commits[4].at_ms -= 100 * S;
	s->count = 5;
	assert_true(is_known(s, &t, &c));
	p.commits[3].at_ms -= 100 * S;
	s->count = 4;
	assert_false(is_known(s, &t, &c));
}

static void a_warning_begins_with_growth_beyond_noise_waves_and_counting(void **state)
{
	static const struct {
		const char *what;
		double lags[9]; /* in the newest third, the middle, the oldest */
		struct waves w;
		bool want;
	} CASES[] = {
		{"grows", {90, 80, 70, 60, 50, 40, 30, 20, 10}, {0}, true},
		{"by what is counted", {70, 61, 52, 45, 42, 36, 33, 31, 30}, {0}, false},
		{"by a little more", {70, 62, 52, 45, 42, 36, 33, 31, 30}, {0}, true},
		{"by no more than waves",
		 {90, 80, 70, 60, 50, 40, 30, 20, 10},
		 {.height = 60},
		 false},
		{"by more than waves", {90, 80, 70, 60, 50, 40, 30, 20, 10}, {.height = 59}, true},
		{"within two noises", {500, 400, 480, 250, 380, 200, 280, 200, 300}, {0}, false},
		{"beyond two noises", {800, 690, 790, 450, 550, 450, 280, 180, 300}, {0}, true},
		{"is not at its highest", {90, 80, 70, 60, 50, 40, 30, 20, 10}, {.fall = 1}, false},
		{"but within its noise",
		 {800, 690, 790, 450, 550, 450, 280, 180, 300},
		 {.fall = 100},
		 true},
		{"not within its noise",
		 {800, 690, 790, 450, 550, 450, 280, 180, 300},
		 {.fall = 500},
		 false},
		{"has fallen, in waves", {85, 90, 80, 60, 50, 40, 30, 20, 10}, {.peaks = 3}, true},
		{"has fallen, in two waves",
		 {85, 90, 80, 60, 50, 40, 30, 20, 10},
		 {.peaks = 2},
		 false},
		{"floor of waves",
		 {500, 600, 500, 600, 500, 600, 420, 530, 420},
		 {.peaks = 3, .height = 100},
		 true},
		{"floor within waves",
		 {500, 600, 500, 600, 500, 600, 425, 530, 425},
		 {.peaks = 3, .height = 100},
		 false},
		{"floor without waves",
		 {500, 600, 500, 600, 500, 600, 420, 530, 420},
		 {.peaks = 2, .height = 100},
		 false},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		const struct window_point log[] = {{NOW_MS, 1000000}, {NOW_MS - 10 * S, 999000}};
		struct part p;

		if (begins(part(&p, 9, CASES[k].lags), &CASES[k].w, log, 10000) != CASES[k].want)
			fail_msg("%s", CASES[k].what);
	}
}

static void the_age_has_to_grow_by_half_an_interval(void **state)
{
	const struct window_point log[] = {{NOW_MS, 1000000}, {NOW_MS - 10 * S, 999000}};
	const struct waves w = {0};
	struct part p;
	struct series *s = PART(&p, 90, 80, 70, 60, 50, 40, 30, 20, 10);

	(void)state;
	assert_true(begins(s, &w, log, 119999));
	assert_false(begins(s, &w, log, 120000));
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
		cmocka_unit_test(the_end_between_two_points_is_interpolated),
		cmocka_unit_test(the_time_of_an_offset_is_found),
		cmocka_unit_test(lags_and_ages_go_with_the_commits),
		cmocka_unit_test(a_single_message_has_no_age),
		cmocka_unit_test(a_median_is_that_of_any_order),
		cmocka_unit_test(noise_is_what_no_line_explains),
		cmocka_unit_test(growth_is_from_the_oldest_third_to_the_newest),
		cmocka_unit_test(what_climbs_is_not_below_the_last_two),
		cmocka_unit_test(a_peak_is_above_what_comes_after),
		cmocka_unit_test(waves_are_counted_since_the_group_was_close_to_the_end),
		cmocka_unit_test(the_floor_of_both_halves_is_compared),
		cmocka_unit_test(the_last_quarter_is_looked_at_in_halves),
		cmocka_unit_test(a_fall_has_to_be_long_and_clear),
		cmocka_unit_test(a_fall_in_one_step_has_to_be_clearer),
		cmocka_unit_test(what_is_no_deeper_than_waves_is_no_fall),
		cmocka_unit_test(only_points_after_an_err_count),
		cmocka_unit_test(a_trend_needs_time_passes_and_points),
		cmocka_unit_test(a_warning_begins_with_growth_beyond_noise_waves_and_counting),
		cmocka_unit_test(the_age_has_to_grow_by_half_an_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
