/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What has to hold for every consumer: healthy ones never alarm, dead ones are found in time, and
 * neither order, clocks, restarts nor our own blindness have a say in it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/verdicts/sim.h"

#define SEED 20240611
#define PLAY_S 4000

static const int64_t INTERVALS_MS[] = {1000, 4000, 10000, 30000, 60000};

static const struct sim_plan HEALTHY[] = {
	{.what = "steady", .produce = 20, .commit_every = 2},
	{.what = "fast", .produce = 5000, .commit_every = 5},
	{.what = "commits every 30 s", .produce = 20, .commit_every = 30},
	{.what = "commits every 50 s", .produce = 20, .commit_every = 50},
	{.what = "commits every 110 s", .produce = 20, .commit_every = 110},
	{.what = "a message a minute", .one_every = 60, .commit_every = 2},
	{.what = "a message in ten minutes", .one_every = 600, .commit_every = 5},
	{.what = "rare messages, slow timer", .one_every = 17, .commit_every = 100},
	{.what = "bursts",
	 .produce = 20,
	 .burst = 100,
	 .burst_every = 300,
	 .burst_for = 30,
	 .read = 60,
	 .commit_every = 3},
	{.what = "bursts that take 4 of 5 min",
	 .produce = 20,
	 .burst = 2400,
	 .burst_every = 300,
	 .burst_for = 15,
	 .read = 180,
	 .commit_every = 5},
	{.what = "bursts out of silence",
	 .burst = 1000,
	 .burst_every = 120,
	 .burst_for = 5,
	 .read = 100,
	 .commit_every = 2},
	{.what = "a large burst an hour",
	 .burst = 1000,
	 .burst_every = 3600,
	 .burst_for = 50,
	 .read = 100,
	 .commit_every = 5},
	{.what = "works 5 of 20 s",
	 .produce = 10,
	 .read = 300,
	 .work_every = 20,
	 .work_for = 5,
	 .commit_every = 2,
	 .commit_same = true},
	{.what = "works 5 of 50 s",
	 .produce = 10,
	 .read = 300,
	 .work_every = 50,
	 .work_for = 5,
	 .commit_every = 2,
	 .commit_same = true},
	{.what = "works 8 of 90 s",
	 .produce = 10,
	 .read = 300,
	 .work_every = 90,
	 .work_for = 8,
	 .commit_every = 2,
	 .commit_same = true},
	{.what = "works 8 of 90 s, silent else",
	 .produce = 10,
	 .read = 300,
	 .work_every = 90,
	 .work_for = 8,
	 .commit_every = 2},
	{.what = "three in hand", .produce = 10, .hold = 3, .commit_every = 2},
	{.what = "backlog", .produce = 20, .backlog = 36000, .read = 130, .commit_every = 10},
	{.what = "backlog, hardly faster",
	 .produce = 100,
	 .backlog = 360000,
	 .read = 105,
	 .commit_every = 5},
	{.what = "redeploys of 10 s",
	 .produce = 20,
	 .commit_every = 3,
	 .pause_at = 60,
	 .pause_every = 60,
	 .pause_for = 10,
	 .pause_leaves = true},
	{.what = "redeploys of 45 s",
	 .produce = 20,
	 .commit_every = 3,
	 .pause_at = 60,
	 .pause_every = 200,
	 .pause_for = 45,
	 .pause_leaves = true},
	{.what = "pauses of 50 s",
	 .produce = 20,
	 .commit_every = 3,
	 .pause_at = 100,
	 .pause_every = 120,
	 .pause_for = 50},
	{.what = "rare commits and redeploys",
	 .produce = 20,
	 .commit_every = 50,
	 .pause_at = 400,
	 .pause_every = 170,
	 .pause_for = 30,
	 .pause_leaves = true},
	{.what = "transactions", .marker_every = 5, .commit_every = 2},
	{.what = "rare transactions", .marker_every = 700, .commit_every = 2},
	{.what = "rare transactions, commits always",
	 .marker_every = 700,
	 .commit_every = 2,
	 .commit_same = true},
	{.what = "idle, commits always",
	 .produce = 10,
	 .produce_until = 80,
	 .commit_every = 2,
	 .commit_same = true},
	{.what = "idle and off",
	 .produce = 20,
	 .produce_until = 80,
	 .commit_every = 2,
	 .dead_from = 100},
	{.what = "jitter", .produce = 20, .commit_every = 3, .jitter_every = 15, .jitter = 40},
	{.what = "jitter before much is known",
	 .produce = 31,
	 .commit_every = 52,
	 .commit_same = true,
	 .jitter_every = 32,
	 .jitter = 249},
	{.what = "large bursts, rare commits",
	 .produce = 98.7,
	 .burst = 3660,
	 .burst_every = 803,
	 .burst_for = 45,
	 .read = 472.1,
	 .commit_every = 34.7,
	 .commit_same = true},
	{.what = "outage of all for 100 s",
	 .produce = 20,
	 .commit_every = 5,
	 .blind_from = 300,
	 .blind_for = 100,
	 .pause_at = 300,
	 .pause_for = 135},
	{.what = "outage of all for 30 s",
	 .produce = 20,
	 .commit_every = 5,
	 .blind_from = 300,
	 .blind_for = 30,
	 .pause_at = 300,
	 .pause_for = 55},
	{.what = "no members", .produce = 20, .commit_every = 5, .no_members = true},
	{.what = "seen by moves only", .produce = 20, .commit_every = 50, .admin = true},
	{.what = "at its limit", .produce = 98, .read = 100, .commit_every = 5},
};

/* from: when it begins to be bad; allowed: seconds that the rules allow before it is called. */
static const struct {
	struct sim_plan plan;
	double from, allowed;
} BAD[] = {
	{{.what = "killed", .produce = 20, .commit_every = 3, .dead_from = 500}, 500, 60},
	{{.what = "hangs", .produce = 20, .commit_every = 3, .dead_from = 500, .dead_hangs = true},
	 500,
	 60},
	{{.what = "killed, no members",
	  .produce = 20,
	  .commit_every = 3,
	  .dead_from = 500,
	  .no_members = true},
	 500,
	 60},
	{{.what = "stuck",
	  .produce = 20,
	  .commit_every = 2,
	  .commit_same = true,
	  .stuck_from = 500},
	 500,
	 60},
	{{.what = "stuck, moves only",
	  .produce = 20,
	  .commit_every = 2,
	  .commit_same = true,
	  .stuck_from = 500,
	  .admin = true},
	 500,
	 60},
	{{.what = "dead after rare commits",
	  .produce = 20,
	  .commit_every = 50,
	  .dead_from = 1000,
	  .dead_hangs = true},
	 1000,
	 150},
	{{.what = "dead, few messages",
	  .one_every = 17,
	  .commit_every = 2,
	  .dead_from = 1000,
	  .dead_hangs = true},
	 1003,
	 60},
	{{.what = "half speed",
	  .produce = 30,
	  .read = 200,
	  .read_from_s = 1000,
	  .read_then = 15,
	  .commit_every = 3},
	 1000,
	 120},
	{{.what = "80 % speed",
	  .produce = 30,
	  .read = 200,
	  .read_from_s = 1000,
	  .read_then = 24,
	  .commit_every = 3},
	 1000,
	 300},
	{{.what = "in waves, too slow",
	  .produce = 10,
	  .burst = 1000,
	  .burst_every = 60,
	  .burst_for = 1,
	  .read = 18,
	  .commit_every = 3},
	 1,
	 280},
	{{.what = "half speed, commits every 30 s",
	  .produce = 30,
	  .read = 200,
	  .read_from_s = 1000,
	  .read_then = 15,
	  .commit_every = 30},
	 1000,
	 150},
};

static void expect_quiet(const struct sim_plan *plan, int64_t interval_ms, uint64_t seed)
{
	struct sim s;

	sim_init(&s, plan, interval_ms, seed);
	while (sim_seconds(&s) < PLAY_S) {
		sim_pass(&s);
		if (sim_status(&s) > STATUS_OK)
			fail_msg(
				"%s, blind from %.0f s for %.0f s: %s (%s) at %.0f s, passes every "
				"%d s, seed %d",
				plan->what, plan->blind_from, plan->blind_for,
				status_str(sim_status(&s)), reason_str(sim_reason(&s)),
				sim_seconds(&s), (int)(interval_ms / 1000), (int)seed);
	}
}

static void healthy_consumers_never_alarm(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(HEALTHY) * ARRAY_LEN(INTERVALS_MS); k++) {
		for (uint64_t seed = SEED; seed < SEED + 3; seed++)
			expect_quiet(&HEALTHY[k / ARRAY_LEN(INTERVALS_MS)],
				     INTERVALS_MS[k % ARRAY_LEN(INTERVALS_MS)], seed);
	}
}

/* Seconds from `from` until it is called and stays so; -1: never. */
static double found_after(struct sim *s, double from)
{
	double found = -1;

	while (sim_seconds(s) < from + 1500) {
		sim_pass(s);
		if (sim_status(s) <= STATUS_OK)
			found = -1;
		else if (found < 0)
			found = sim_seconds(s) - from;
	}
	return found;
}

static void expect_found(size_t i, int64_t interval_ms, uint64_t seed)
{
	/* A commit interval may lie before the last pass that was in order. */
	double limit = BAD[i].allowed + 3 * (double)interval_ms / 1000 + BAD[i].plan.commit_every;
	struct sim s;

	sim_init(&s, &BAD[i].plan, interval_ms, seed);
	double found = found_after(&s, BAD[i].from);
	if (found < 0 || found > limit)
		fail_msg("%s: after %.0f s, passes every %d s, seed %d", BAD[i].plan.what, found,
			 (int)(interval_ms / 1000), (int)seed);
}

static void bad_ones_are_found_in_time(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(BAD) * ARRAY_LEN(INTERVALS_MS); k++) {
		for (uint64_t seed = SEED; seed < SEED + 3; seed++)
			expect_found(k / ARRAY_LEN(INTERVALS_MS),
				     INTERVALS_MS[k % ARRAY_LEN(INTERVALS_MS)], seed);
	}
}

static void recovery_is_shown_within_three_passes(void **state)
{
	static const struct sim_plan PLANS[] = {
		{.what = "killed",
		 .produce = 20,
		 .commit_every = 3,
		 .dead_from = 500,
		 .dead_to = 800},
		{.what = "hangs",
		 .produce = 20,
		 .commit_every = 3,
		 .dead_from = 500,
		 .dead_to = 800,
		 .dead_hangs = true,
		 .read = 60},
		{.what = "stuck",
		 .produce = 20,
		 .commit_every = 2,
		 .commit_same = true,
		 .stuck_from = 500,
		 .stuck_to = 800},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(PLANS) * ARRAY_LEN(INTERVALS_MS); k++) {
		const struct sim_plan *plan = &PLANS[k / ARRAY_LEN(INTERVALS_MS)];
		struct sim s;
		int passes = 0;

		sim_init(&s, plan, INTERVALS_MS[k % ARRAY_LEN(INTERVALS_MS)], SEED);
		while (sim_seconds(&s) < 800 + plan->commit_every)
			sim_pass(&s);
		for (; sim_status(&s) > STATUS_OK; passes++)
			sim_pass(&s);
		assert_in_range(passes, 0, 3);
		while (sim_seconds(&s) < 2000) {
			sim_pass(&s);
			assert_int_equal(sim_status(&s), STATUS_OK);
		}
	}
}

static void a_warning_goes_when_lag_is_drained(void **state)
{
	static const struct {
		double speed, within_s;
	} CASES[] = {{33, 80}, {60, 23}, {120, 23}, {1000, 23}};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES) * ARRAY_LEN(INTERVALS_MS); k++) {
		int64_t interval_ms = INTERVALS_MS[k % ARRAY_LEN(INTERVALS_MS)];
		struct sim_plan plan = {.what = "slow, then fast",
					.produce = 30,
					.read = 15,
					.read_from_s = 600,
					.read_then = CASES[k / ARRAY_LEN(INTERVALS_MS)].speed,
					.commit_every = 3};
		struct sim s;

		sim_init(&s, &plan, interval_ms, SEED);
		while (sim_seconds(&s) < 600) {
			sim_pass(&s);
			assert_true(sim_seconds(&s) < 540 || sim_status(&s) == STATUS_WARN);
		}
		while (sim_status(&s) == STATUS_WARN)
			sim_pass(&s);
		assert_true(sim_seconds(&s) < 600 + CASES[k / ARRAY_LEN(INTERVALS_MS)].within_s +
						      3 * (double)interval_ms / 1000);
		while (sim_seconds(&s) < 1500) {
			sim_pass(&s);
			assert_int_equal(sim_status(&s), STATUS_OK);
		}
	}
}

static void the_second_death_is_found_as_the_first(void **state)
{
	static const struct sim_plan PLAN = {.what = "hangs again and again",
					     .produce = 20,
					     .commit_every = 3,
					     .pause_at = 150,
					     .pause_every = 330,
					     .pause_for = 170};
	struct sim s;
	int called = 0;

	(void)state;
	sim_init(&s, &PLAN, 10000, SEED);
	enum status before = STATUS_OK;
	while (sim_seconds(&s) < 150 + 330 + 170) {
		sim_pass(&s);
		called += sim_status(&s) > STATUS_OK && before == STATUS_OK;
		before = sim_status(&s);
	}
	assert_int_equal(called, 2);
}

/* --- one and the same consumer, seen in different ways --- */

static double random_in(uint64_t *seed, double from, double to)
{
	return from + (to - from) * (double)(sim_random(seed) % 10000) / 10000;
}

static struct sim_plan random_plan(uint64_t *seed)
{
	struct sim_plan p = {
		.what = "random",
		.produce = random_in(seed, 1, 200),
		.commit_every = random_in(seed, 1, 40),
		.commit_same = sim_random(seed) % 2 == 0,
		.admin = sim_random(seed) % 4 == 0,
	};

	p.read = sim_random(seed) % 2 == 0 ? 0 : p.produce * random_in(seed, 0.5, 2);
	if (sim_random(seed) % 2 == 0)
		p.dead_from = random_in(seed, 100, 1500);
	if (sim_random(seed) % 2 == 0)
		p.dead_to = p.dead_from + random_in(seed, 10, 600);
	p.dead_hangs = sim_random(seed) % 2 == 0;
	if (sim_random(seed) % 3 == 0)
		p.stuck_from = random_in(seed, 100, 1500);
	if (sim_random(seed) % 3 == 0)
		p.rewind_at = random_in(seed, 100, 1500), p.rewind_to = random_in(seed, 0, 1);
	if (sim_random(seed) % 3 == 0)
		p.blind_from = random_in(seed, 100, 1500), p.blind_for = random_in(seed, 10, 900);
	return p;
}

static void same_in_both(const struct sim *a, const struct sim *b, uint64_t seed)
{
	if (memcmp(&a->verdict, &b->verdict, offsetof(struct verdict, complete)) != 0 ||
	    a->verdict.lag != b->verdict.lag || a->verdict.time_lag_ms != b->verdict.time_lag_ms ||
	    sim_status(a) != sim_status(b) || sim_reason(a) != sim_reason(b))
		fail_msg("seed %llu at %.0f s: %s %s, %s %s", (unsigned long long)seed,
			 sim_seconds(a), status_str(a->verdict.status),
			 reason_str(a->verdict.reason), status_str(b->verdict.status),
			 reason_str(b->verdict.reason));
}

/* Play random consumers twice, the second time as vary() sets it. */
static void compare(void (*vary)(struct sim *s))
{
	for (uint64_t seed = SEED; seed < SEED + 40; seed++) {
		uint64_t r = seed * 7919;
		struct sim_plan plan = random_plan(&r);
		int64_t interval_ms = INTERVALS_MS[seed % ARRAY_LEN(INTERVALS_MS)];
		struct sim a;
		struct sim b;

		sim_init(&a, &plan, interval_ms, seed);
		sim_init(&b, &plan, interval_ms, seed);
		vary(&b);
		while (sim_seconds(&a) < 2500) {
			sim_pass(&a);
			sim_pass(&b);
			same_in_both(&a, &b, seed);
		}
	}
}

static void set_reverse(struct sim *s)
{
	s->reverse = true;
}

static void set_twice(struct sim *s)
{
	s->twice = true;
}

static void set_reload(struct sim *s)
{
	s->reload = true;
}

static void set_skew(struct sim *s)
{
	s->skew_ms = -3600000;
}

/* A multiple of all bins of the history. */
static void set_shift(struct sim *s)
{
	s->shift_ms = INT64_C(7200000) * 12345;
}

static void the_order_of_rows_does_not_matter(void **state)
{
	(void)state;
	compare(set_reverse);
}

static void a_pass_applied_twice_changes_nothing(void **state)
{
	(void)state;
	compare(set_twice);
}

static void a_restart_between_any_two_passes_changes_nothing(void **state)
{
	(void)state;
	compare(set_reload);
}

static void the_clock_of_the_broker_has_no_say(void **state)
{
	(void)state;
	compare(set_skew);
}

static void a_shift_of_all_times_changes_nothing(void **state)
{
	(void)state;
	compare(set_shift);
}

/* --- what is worse is never judged better --- */

static void judge_now(const struct sim *s, int64_t later_ms, struct verdict *ret_v)
{
	struct cluster_track c = s->cluster;
	struct judge_input in = {&s->commit, &s->log,   &s->group,
				 &c,         &s->rules, s->cluster.last_ms + later_ms};

	c.last_ms += later_ms;
	judge(&in, ret_v);
}

/* Does this STOP last, whatever time goes by? */
static void expect_lasting(const struct sim *s)
{
	for (int64_t later_s = 10; later_s < 100000; later_s *= 3) {
		struct verdict v;

		judge_now(s, later_s * 1000, &v);
		assert_int_equal(v.status, STATUS_STOP);
	}
}

static void longer_silence_never_makes_a_stop_vanish(void **state)
{
	int stops = 0;

	(void)state;
	for (uint64_t seed = SEED; seed < SEED + 60; seed++) {
		uint64_t r = seed * 104729;
		struct sim_plan plan = random_plan(&r);
		struct sim s;

		sim_init(&s, &plan, 10000, seed);
		while (sim_seconds(&s) < 1800) {
			sim_pass(&s);
			if (s.verdict.status != STATUS_STOP || s.verdict.hold)
				continue;
			stops++;
			expect_lasting(&s);
		}
	}
	assert_true(stops > 100);
}

static void more_lag_is_never_judged_better(void **state)
{
	(void)state;
	for (uint64_t seed = SEED; seed < SEED + 60; seed++) {
		uint64_t r = seed * 15485863;
		struct sim_plan plan = random_plan(&r);
		struct sim s;

		plan.blind_for = 0;
		sim_init(&s, &plan, 10000, seed);
		while (sim_seconds(&s) < 1800) {
			struct verdict v;
			sim_pass(&s);
			if (s.commit.version == 0 || s.verdict.hold)
				continue;
			/* The same pass, but with more at the end of the log. */
			struct sim more = s;
			more.log.end += 100000;
			judge_now(&more, 0, &v);
			assert_true(v.status >= s.verdict.status);
			assert_true(v.lag >= s.verdict.lag);
		}
	}
}

/* Consumers that read all they get within the time between two bursts. */
static struct sim_plan random_healthy(uint64_t *seed)
{
	struct sim_plan p = {
		.what = "random and healthy",
		.produce = random_in(seed, 1, 3000),
		.commit_every = sim_random(seed) % 3 == 0 ? random_in(seed, 15, 40)
							  : random_in(seed, 0.5, 10),
		.commit_same = sim_random(seed) % 2 == 0,
		.admin = sim_random(seed) % 6 == 0,
		.no_members = sim_random(seed) % 6 == 0,
	};

	if (sim_random(seed) % 3 == 0) {
		p.burst = p.produce * random_in(seed, 1, 40);
		p.burst_every = random_in(seed, 60, 900);
		p.burst_for = random_in(seed, 1, MIN(45, p.burst_every / 4));
		p.read = (p.produce + p.burst * p.burst_for / p.burst_every) *
			 random_in(seed, 1.3, 4);
	} else if (sim_random(seed) % 2 == 0) {
		p.backlog = p.produce * random_in(seed, 10, 2000);
		p.read = p.produce * random_in(seed, 1.2, 5);
	} else if (sim_random(seed) % 2 == 0) {
		p.pause_at = random_in(seed, 30, 400);
		p.pause_every = random_in(seed, 100, 400);
		p.pause_for = random_in(seed, 2, 50 - p.commit_every);
	}
	if (sim_random(seed) % 4 == 0)
		p.produce_until = random_in(seed, 60, 1500);
	return p;
}

static void random_healthy_consumers_never_alarm(void **state)
{
	(void)state;
	for (uint64_t seed = SEED; seed < SEED + 400; seed++) {
		uint64_t r = seed * 982451653;
		struct sim_plan plan = random_healthy(&r);

		expect_quiet(&plan, INTERVALS_MS[seed % (ARRAY_LEN(INTERVALS_MS) - 1)], seed);
	}
}

static void blindness_never_raises(void **state)
{
	(void)state;
	for (uint64_t seed = SEED; seed < SEED + 60; seed++) {
		uint64_t r = seed * 32452843;
		struct sim_plan plan = HEALTHY[sim_random(&r) % ARRAY_LEN(HEALTHY)];

		plan.blind_from = random_in(&r, 30, 2000);
		plan.blind_for = random_in(&r, 5, 1500);
		plan.pause_at = plan.pause_for = plan.pause_every = 0;
		expect_quiet(&plan, INTERVALS_MS[seed % ARRAY_LEN(INTERVALS_MS)], seed);
	}
}

static void numbers_are_never_negative_or_absurd(void **state)
{
	(void)state;
	for (uint64_t seed = SEED; seed < SEED + 60; seed++) {
		uint64_t r = seed * 49979687;
		struct sim_plan plan = random_plan(&r);
		struct sim s;

		sim_init(&s, &plan, 10000, seed);
		while (sim_seconds(&s) < 2500) {
			const struct verdict *v = &s.verdict;
			sim_pass(&s);
			if (s.commit.version == 0)
				continue;
			assert_true(v->lag >= TRACK_UNKNOWN && v->lost >= 0);
			assert_true(v->time_lag_ms >= TRACK_UNKNOWN &&
				    v->time_lag_ms <= s.now_ms + 1000);
			assert_true(v->eta_ms >= TRACK_UNKNOWN);
			assert_true(v->complete >= 0 && v->complete <= 1);
			assert_true(v->elapsed_ms >= 0 && v->limit_ms >= 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_consumers_never_alarm),
		cmocka_unit_test(bad_ones_are_found_in_time),
		cmocka_unit_test(recovery_is_shown_within_three_passes),
		cmocka_unit_test(a_warning_goes_when_lag_is_drained),
		cmocka_unit_test(random_healthy_consumers_never_alarm),
		cmocka_unit_test(the_second_death_is_found_as_the_first),
		cmocka_unit_test(the_order_of_rows_does_not_matter),
		cmocka_unit_test(a_pass_applied_twice_changes_nothing),
		cmocka_unit_test(a_restart_between_any_two_passes_changes_nothing),
		cmocka_unit_test(the_clock_of_the_broker_has_no_say),
		cmocka_unit_test(a_shift_of_all_times_changes_nothing),
		cmocka_unit_test(longer_silence_never_makes_a_stop_vanish),
		cmocka_unit_test(more_lag_is_never_judged_better),
		cmocka_unit_test(blindness_never_raises),
		cmocka_unit_test(numbers_are_never_negative_or_absurd),
	};

	print_message("seed %d\n", SEED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
