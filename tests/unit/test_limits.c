/* SPDX-License-Identifier: Apache-2.0 */

/* Where each rule begins and ends, to the millisecond and to the message. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/judge/judge.h"
#include "aggregator/judge/pace.h"

#define NOW_MS INT64_C(1700000000000)
#define S INT64_C(1000)
#define MIN_MS (60 * S)

/* What is remembered of a consumer that works, and what is judged of it. */
struct facts {
	struct cluster_track cluster;
	struct log_track log;
	struct group_track group;
	struct commit_track commit;
	struct rules rules;
	int64_t now_ms;
	struct verdict verdict;
};

static void learn(struct track_pace *p, int64_t usual_ms)
{
	for (int i = 0; i < PACE_KNOWN; i++)
		pace_add(p, usual_ms, NOW_MS - (PACE_KNOWN - i) * 10 * S, false);
}

/* 100 of 1000 messages wait, for 5 s. */
static void begin(struct facts *f)
{
	*f = (struct facts){
		.cluster = {.version = TRACK_VERSION,
			    .interval_ms = 10000,
			    .passes = 200,
			    .fresh_pass = 1,
			    .window_ms = 10 * MIN_MS,
			    .last_ms = NOW_MS,
			    .before_ms = NOW_MS - 10 * S,
			    .first_ms = NOW_MS - 2000 * S},
		.log = {.version = TRACK_VERSION,
			.start = 10,
			.end = 1000,
			.stable = TRACK_UNKNOWN,
			.row_at_ms = NOW_MS,
			.end_moved_ms = NOW_MS},
		.group = {.version = TRACK_VERSION,
			  .state = TRACK_GROUP_STABLE,
			  .had_members = 1,
			  .member_count = 1},
		.commit = {.version = TRACK_VERSION,
			   .flags = TRACK_WAITED,
			   .owner = TRACK_OWNER_PRESENT,
			   .subscription = TRACK_SUBSCRIPTION_YES,
			   .status = STATUS_OK,
			   .first_pass = 1,
			   .offset = 900,
			   .arrival_ms = NOW_MS - 5 * S,
			   .first_seen_ms = NOW_MS - 2000 * S,
			   .highest = 900,
			   .progress_ms = NOW_MS - 5 * S,
			   .progress_at_ms = NOW_MS,
			   .owned_since_ms = NOW_MS - 2000 * S,
			   .owned_end = 20,
			   .oldest_ms = NOW_MS - 5 * S,
			   .clear_end = TRACK_UNKNOWN,
			   .probe_end = TRACK_UNKNOWN},
		.rules = RULES_DEFAULT,
		.now_ms = NOW_MS,
	};
	window_add(&f->commit.offsets, NOW_MS - 5 * S, 900, 25000);
	learn(&f->commit.commits, 3 * S);
	learn(&f->commit.progress, 3 * S);
}

static struct judge_input input(const struct facts *f)
{
	return (struct judge_input){&f->commit,  &f->log,   &f->group,
				    &f->cluster, &f->rules, f->now_ms};
}

static void is(struct facts *f, enum status status, enum reason reason)
{
	struct judge_input in = input(f);

	judge(&in, &f->verdict);
	assert_string_equal(status_str(f->verdict.status), status_str(status));
	assert_string_equal(reason_str(f->verdict.reason), reason_str(reason));
}

/* Neither a commit nor progress, and messages wait, for so long. */
static void silent(struct facts *f, int64_t ms)
{
	f->commit.arrival_ms = NOW_MS - ms;
	f->commit.progress_ms = NOW_MS - ms;
	f->commit.progress_at_ms = NOW_MS - ms;
	f->commit.oldest_ms = NOW_MS - ms;
	f->commit.offsets.at_ms = NOW_MS - ms;
}

static void the_rules_are_what_is_documented(void **state)
{
	const struct rules *r = &RULES_DEFAULT;

	(void)state;
	assert_int_equal(r->allowed_lag, 0);
	assert_int_equal(r->max_time_lag_ms, 0);
	assert_int_equal(r->window_ms, 600000);
	assert_int_equal(r->stop_after_min_ms, 60000);
	assert_int_equal(r->stop_after_max_ms, 3600000);
	assert_int_equal(r->warn_after_ms, 60000);
	assert_int_equal(r->expire_group_ms, INT64_C(7) * 24 * 3600000);
	assert_int_equal(r->raise_after, 2);
	assert_int_equal(r->clear_after, 2);
	assert_false(r->ignore);
}

static void every_verdict_tells_its_rule(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(f.verdict.rule, 9);
	f.now_ms = NOW_MS + 3600 * S;
	is(&f, STATUS_OK, REASON_NO_DATA);
	assert_int_equal(f.verdict.rule, 1);
	begin(&f);
	f.commit.first_pass = f.cluster.passes;
	is(&f, STATUS_OK, REASON_WARMING_UP);
	assert_int_equal(f.verdict.rule, 2);
	begin(&f);
	f.commit.beyond_pass = 1;
	is(&f, STATUS_REWIND, REASON_OFFSET_BEYOND_END);
	assert_int_equal(f.verdict.rule, 3);
	f.commit.flags |= TRACK_ABANDONED;
	is(&f, STATUS_OK, REASON_ABANDONED);
	assert_int_equal(f.verdict.rule, 6);
	begin(&f);
	f.commit.lost = 5;
	f.commit.lost_at_ms = NOW_MS;
	is(&f, STATUS_WARN, REASON_DATA_LOSS);
	assert_int_equal(f.verdict.rule, 3);
	assert_int_equal(f.verdict.lost, 5);
	begin(&f);
	f.commit.flags = 0;
	is(&f, STATUS_OK, REASON_CAUGHT_UP);
	assert_int_equal(f.verdict.rule, 4);
	assert_int_equal(f.verdict.lost, 0);
	begin(&f);
	f.commit.rewind_at_ms = NOW_MS - 20 * S;
	is(&f, STATUS_REWIND, REASON_WENT_BACKWARDS);
	assert_int_equal(f.verdict.rule, 5);
	assert_int_equal(f.verdict.limit_ms, 300000);
	assert_int_equal(f.verdict.elapsed_ms, 20000);
	begin(&f);
	silent(&f, 100 * S);
	is(&f, STATUS_STOP, REASON_NO_COMMITS);
	assert_int_equal(f.verdict.rule, 6);
	f.commit.arrival_ms = NOW_MS;
	is(&f, STATUS_STALL, REASON_NO_PROGRESS);
	assert_int_equal(f.verdict.rule, 7);
	begin(&f);
	f.commit.oldest_ms = NOW_MS - 40 * S;
	f.rules.max_time_lag_ms = 20 * S;
	is(&f, STATUS_WARN, REASON_TIME_LAG);
	assert_int_equal(f.verdict.rule, 8);
	f.rules.ignore = true;
	is(&f, STATUS_OK, REASON_IGNORED);
	assert_int_equal(f.verdict.rule, 0);
}

static void three_intervals_without_a_pass_are_blindness(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.now_ms = NOW_MS + 30000;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.now_ms++;
	is(&f, STATUS_OK, REASON_NO_DATA);
	assert_true(f.verdict.hold);
}

static void the_third_pass_is_judged(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.commit.first_pass = f.cluster.passes - 1;
	is(&f, STATUS_OK, REASON_WARMING_UP);
	f.commit.first_pass--;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.cluster.fresh_pass = f.cluster.passes - 1;
	is(&f, STATUS_OK, REASON_WARMING_UP);
}

static void an_offset_is_beyond_the_end_with_the_second_pass(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.commit.beyond_pass = f.cluster.passes;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.commit.beyond_pass--;
	is(&f, STATUS_REWIND, REASON_OFFSET_BEYOND_END);
}

/* The pass closest to the limit counts: half an interval before it, but no more than a twelfth of
 * the limit. */
static void silence_is_called_at_its_limit(void **state)
{
	static const struct {
		uint32_t interval_s;
		int64_t usual_ms, from_ms;
	} CASES[] = {
		{10, 3 * S, 55000},         {4, 3 * S, 58000},
		{60, 3 * S, 55000},         {10, 50 * S, 145000},
		{60, 100 * S, 275000},      {10, 20 * MIN_MS - 1, 3594997},
		{10, 21 * MIN_MS, 3595000}, {60, 60 * MIN_MS, 4470000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct facts f;

		begin(&f);
		f.cluster.interval_ms = CASES[i].interval_s * 1000;
		f.commit.commits = f.commit.progress = (struct track_pace){0};
		learn(&f.commit.commits, CASES[i].usual_ms);
		learn(&f.commit.progress, CASES[i].usual_ms);
		silent(&f, CASES[i].from_ms - 1);
		is(&f, STATUS_OK, REASON_KEEPING_UP);
		silent(&f, CASES[i].from_ms);
		is(&f, STATUS_STOP, REASON_NO_COMMITS);
		/* The same for commits that bring nothing. */
		f.commit.arrival_ms = NOW_MS;
		is(&f, STATUS_STALL, REASON_NO_PROGRESS);
		silent(&f, CASES[i].from_ms - 1);
		f.commit.arrival_ms = NOW_MS;
		is(&f, STATUS_OK, REASON_KEEPING_UP);
	}
}

static void an_unknown_pace_allows_two_minutes(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.commit.commits.count--;
	assert_int_equal(judge_stop_after_ms(&f.commit, &f.rules), 120000);
	assert_int_equal(judge_stall_after_ms(&f.commit, &f.rules), 120000);
	begin(&f);
	f.commit.progress.count--;
	assert_int_equal(judge_stop_after_ms(&f.commit, &f.rules), 60000);
	assert_int_equal(judge_stall_after_ms(&f.commit, &f.rules), 120000);
	f.rules.stop_after_min_ms = 150000;
	assert_int_equal(judge_stop_after_ms(&f.commit, &f.rules), 150000);
}

static void a_group_without_members_is_called_after_half_the_time(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.group.member_count = 0;
	silent(&f, 54999);
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	silent(&f, 55000);
	is(&f, STATUS_STOP, REASON_NO_MEMBERS);
	assert_int_equal(f.verdict.limit_ms, 60000);
	learn(&f.commit.commits, 50 * S);
	silent(&f, 69999);
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	silent(&f, 70000);
	is(&f, STATUS_STOP, REASON_NO_MEMBERS);
	assert_int_equal(f.verdict.limit_ms, 75000);
	f.group.had_members = 0;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
}

static void a_partition_is_unassigned_after_five_minutes(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	silent(&f, 400 * S);
	f.commit.unowned_since_ms = NOW_MS - 299999;
	is(&f, STATUS_STOP, REASON_NO_COMMITS);
	f.commit.unowned_since_ms = NOW_MS - 300000;
	is(&f, STATUS_STOP, REASON_UNASSIGNED);
	assert_int_equal(f.verdict.limit_ms, 300000);
	f.commit.subscription = TRACK_SUBSCRIPTION_UNKNOWN;
	is(&f, STATUS_WARN, REASON_UNOWNED);
	assert_int_equal(f.verdict.elapsed_ms, 400000);
}

static void two_intervals_without_a_move_show_that_lost_messages_have_no_reader(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.commit.lost = 5;
	f.commit.lost_at_ms = NOW_MS;
	silent(&f, 19999);
	is(&f, STATUS_WARN, REASON_DATA_LOSS);
	silent(&f, 20000);
	is(&f, STATUS_STOP, REASON_DATA_LOSS);
	f.commit.arrival_ms++;
	is(&f, STATUS_STALL, REASON_DATA_LOSS);
	/* Within its usual time it may have read them. */
	f.commit.arrival_ms = NOW_MS - 3 * S;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.commit.arrival_ms--;
	is(&f, STATUS_STALL, REASON_DATA_LOSS);
	f.commit.flags = 0;
	is(&f, STATUS_WARN, REASON_DATA_LOSS);
}

static void a_loss_with_nothing_left_is_shown_for_half_an_hour(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.commit.lost = 5;
	f.commit.lost_at_ms = NOW_MS - 1800 * S;
	f.commit.flags = 0;
	silent(&f, 3000 * S);
	f.log.start = f.log.end;
	f.log.start_moved_ms = NOW_MS - 1800 * S;
	is(&f, STATUS_WARN, REASON_DATA_LOSS);
	f.log.start_moved_ms--;
	is(&f, STATUS_OK, REASON_CAUGHT_UP);
	f.log.start--;
	is(&f, STATUS_WARN, REASON_DATA_LOSS);
}

static void as_much_as_is_allowed_is_nothing(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.rules.allowed_lag = 100;
	is(&f, STATUS_OK, REASON_CAUGHT_UP);
	f.rules.allowed_lag = 99;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	/* Of a partition without a commit: what came since it is owned. */
	f.commit.offset = TRACK_UNKNOWN;
	f.rules.allowed_lag = 980;
	is(&f, STATUS_OK, REASON_CAUGHT_UP);
	f.rules.allowed_lag = 979;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(f.verdict.lag, TRACK_UNKNOWN);
}

static void offset_zero_is_a_commit(void **state)
{
	struct facts f;
	struct judge_input in;

	(void)state;
	begin(&f);
	f.commit.offset = 0;
	f.log.start = 0;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(f.verdict.lag, 1000);
	f.rules.allowed_lag = 999;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.rules.allowed_lag = 0;
	silent(&f, 60 * S);
	f.commit.owned_since_ms = NOW_MS;
	is(&f, STATUS_STOP, REASON_NO_COMMITS);
	in = input(&f);
	f.log.end_moved_ms = NOW_MS - 60 * S;
	assert_true(judge_wants_probe(&in, &f.verdict));
	f.commit.arrival_ms = NOW_MS;
	is(&f, STATUS_STALL, REASON_NO_PROGRESS);
	/* None at all. */
	f.commit.offset = TRACK_UNKNOWN;
	f.commit.arrival_ms = 0;
	f.commit.owned_since_ms = NOW_MS - 60 * S;
	is(&f, STATUS_STOP, REASON_NEVER_COMMITTED);
	assert_int_equal(f.verdict.elapsed_ms, 60000);
	assert_false(judge_wants_probe(&in, &f.verdict));
}

static void time_lag_is_known_or_not(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(f.verdict.time_lag_ms, 5000);
	assert_int_equal(f.verdict.lag, 100);
	f.commit.oldest_ms = NOW_MS + 7; /* of a clock that is ahead */
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(f.verdict.time_lag_ms, 0);
	f.commit.flags = 0;
	f.commit.oldest_ms = 0;
	is(&f, STATUS_OK, REASON_CAUGHT_UP);
	assert_int_equal(f.verdict.time_lag_ms, 0);
	f.commit.offset = TRACK_UNKNOWN;
	is(&f, STATUS_OK, REASON_CAUGHT_UP);
	assert_int_equal(f.verdict.time_lag_ms, TRACK_UNKNOWN);
	begin(&f);
	f.commit.flags = TRACK_UNREADABLE;
	f.commit.oldest_ms = NOW_MS - 200 * S;
	is(&f, STATUS_OK, REASON_OPEN_TRANSACTION);
	assert_int_equal(f.verdict.time_lag_ms, 200000);
	assert_int_equal(f.verdict.elapsed_ms, 200000);
	assert_int_equal(f.verdict.limit_ms, 0);
}

static void maintenance_ends_on_time(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	f.rules.maintenance_until_ms = NOW_MS + 1;
	is(&f, STATUS_OK, REASON_IGNORED);
	assert_false(f.verdict.counted);
	f.rules.maintenance_until_ms = NOW_MS;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.counted);
}

static void a_loop_of_rewinds_is_one_while_the_offset_moves(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	silent(&f, 100 * S);
	f.commit.arrival_ms = NOW_MS;
	f.commit.offsets.at_ms = NOW_MS - 59999;
	is(&f, STATUS_STALL, REASON_REWIND_LOOP);
	f.commit.offsets.at_ms = NOW_MS - 60000;
	is(&f, STATUS_STALL, REASON_NO_PROGRESS);
	f.commit.offsets.at_ms = NOW_MS - 50000;
	f.commit.progress_at_ms = NOW_MS - 50000;
	is(&f, STATUS_STALL, REASON_NO_PROGRESS);
}

/* --- how much of the window is seen --- */

static void a_window_is_as_complete_as_what_was_seen_of_it(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 1.0F);
	f.commit.first_seen_ms = NOW_MS - 290 * S; /* and the interval before */
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 0.5F);
	f.commit.first_seen_ms = NOW_MS - 590 * S;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 1.0F);
	f.cluster.gaps[0] = (struct track_gap){NOW_MS - 160 * S, NOW_MS - 90 * S};
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 0.9F);
	f.commit.first_seen_ms = NOW_MS - 2000 * S;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 0.9F);
	/* Tracks are kept for the window of the cluster only. */
	f.rules.window_ms = 60 * MIN_MS;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 0.9F);
	f.rules.window_ms = 0;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_true(f.verdict.complete == 1.0F);
}

/* --- bounds on the age --- */

/* The log grew by 10 a second for as long as is seen, and so did what was read, at another speed.
 */
static void read_at(struct facts *f, int64_t speed, int64_t lag)
{
	window_clear(&f->log.ends);
	window_clear(&f->commit.offsets);
	for (int64_t s = 600; s >= 0; s -= 20) {
		window_add(&f->log.ends, NOW_MS - s * S, 20000 - 10 * s, 25000);
		window_add(&f->commit.offsets, NOW_MS - s * S, 20000 - lag - speed * s, 25000);
	}
	f->log.end = 20000;
	f->commit.offset = 20000 - lag;
	f->commit.arrival_ms = f->commit.progress_ms = NOW_MS;
	f->commit.oldest_ms = NOW_MS - lag / 10 * S;
}

static void a_bound_on_the_age_allows_for_catching_up(void **state)
{
	static const struct {
		const char *what;
		int64_t speed, lag, bound_ms;
		enum status want;
	} CASES[] = {
		{"within the bound", 10, 3000, 300000, STATUS_OK},
		{"just above it", 10, 3000, 299999, STATUS_WARN},
		{"slower than what comes", 9, 3000, 100000, STATUS_WARN},
		{"at the end within a window", 16, 9000, 100000, STATUS_OK},
		{"exactly at the end then", 15, 9000, 100000, STATUS_OK},
		/* 6600 are read in a window: the oldest then came 540 s before its end. */
		{"not far enough within a window", 11, 9000, 839899, STATUS_WARN},
		{"far enough", 11, 9000, 839900, STATUS_OK},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct facts f;

		begin(&f);
		read_at(&f, CASES[i].speed, CASES[i].lag);
		f.rules.max_time_lag_ms = CASES[i].bound_ms;
		struct judge_input in = input(&f);
		judge(&in, &f.verdict);
		if (f.verdict.status != CASES[i].want)
			fail_msg("%s: %s", CASES[i].what, status_str(f.verdict.status));
	}
}

static void what_is_young_needs_no_look_at_the_window(void **state)
{
	struct facts f;

	(void)state;
	begin(&f);
	read_at(&f, 20, 300);
	f.commit.oldest_ms = NOW_MS - 29999;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(f.verdict.eta_ms, TRACK_UNKNOWN);
	f.commit.oldest_ms = NOW_MS - 30000;
	is(&f, STATUS_OK, REASON_CATCHING_UP);
	assert_int_equal(f.verdict.eta_ms, 30000);
	f.commit.oldest_ms = NOW_MS - 20000;
	f.rules.max_time_lag_ms = 20000;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.rules.max_time_lag_ms--;
	is(&f, STATUS_OK, REASON_CATCHING_UP);
	read_at(&f, 10, 300);
	is(&f, STATUS_WARN, REASON_TIME_LAG);
	/* From the first offset on, but not without a commit: that is what other rules look at. */
	f.commit.offset = 0;
	is(&f, STATUS_WARN, REASON_TIME_LAG);
	f.commit.offset = TRACK_UNKNOWN;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
	f.commit.offset = 19700;
	f.rules.max_time_lag_ms = 0;
	is(&f, STATUS_OK, REASON_KEEPING_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_are_what_is_documented),
		cmocka_unit_test(every_verdict_tells_its_rule),
		cmocka_unit_test(three_intervals_without_a_pass_are_blindness),
		cmocka_unit_test(the_third_pass_is_judged),
		cmocka_unit_test(an_offset_is_beyond_the_end_with_the_second_pass),
		cmocka_unit_test(silence_is_called_at_its_limit),
		cmocka_unit_test(an_unknown_pace_allows_two_minutes),
		cmocka_unit_test(a_group_without_members_is_called_after_half_the_time),
		cmocka_unit_test(a_partition_is_unassigned_after_five_minutes),
		cmocka_unit_test(
			two_intervals_without_a_move_show_that_lost_messages_have_no_reader),
		cmocka_unit_test(a_loss_with_nothing_left_is_shown_for_half_an_hour),
		cmocka_unit_test(as_much_as_is_allowed_is_nothing),
		cmocka_unit_test(offset_zero_is_a_commit),
		cmocka_unit_test(time_lag_is_known_or_not),
		cmocka_unit_test(maintenance_ends_on_time),
		cmocka_unit_test(a_loop_of_rewinds_is_one_while_the_offset_moves),
		cmocka_unit_test(a_window_is_as_complete_as_what_was_seen_of_it),
		cmocka_unit_test(a_bound_on_the_age_allows_for_catching_up),
		cmocka_unit_test(what_is_young_needs_no_look_at_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
