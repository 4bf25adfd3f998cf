/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/judge/pace.h"
#include "tests/verdicts/play.h"

#define T0 PLAY_START_MS

static void records_stay_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct commit_track) <= 448);
	assert_true(sizeof(struct log_track) <= 384);
}

static void a_pass_that_is_not_later_is_none(void **state)
{
	struct cluster_track c = {0};

	(void)state;
	assert_true(track_cluster_pass(&c, T0, 10000, 600000));
	struct cluster_track old = c;
	assert_false(track_cluster_pass(&c, T0, 10000, 600000));
	assert_false(track_cluster_pass(&c, T0 - 5000, 10000, 600000));
	assert_memory_equal(&old, &c, sizeof(c));
}

static void gaps_are_remembered_but_for_one_interval(void **state)
{
	struct cluster_track c = {0};

	(void)state;
	track_cluster_pass(&c, T0, 10000, 600000);
	track_cluster_pass(&c, T0 + 10000, 10000, 600000);
	track_cluster_pass(&c, T0 + 30000, 10000, 600000);
	assert_int_equal(track_blind_ms(&c, T0, T0 + 30000), 0);
	track_cluster_pass(&c, T0 + 130000, 10000, 600000);
	assert_int_equal(track_blind_ms(&c, T0, T0 + 130000), 90000);
	assert_int_equal(track_blind_ms(&c, T0 + 100000, T0 + 130000), 30000);
	assert_int_equal(track_blind_ms(&c, T0 + 130000, T0 + 140000), 0);
	assert_int_equal(track_seen_ms(&c, NULL, T0, T0 + 130000), 40000);
	assert_int_equal(c.fresh_pass, 1);
	track_cluster_pass(&c, T0 + 130000 + 600000, 10000, 600000);
	assert_int_equal(c.fresh_pass, c.passes);
	for (int i = 1; i < 100; i++)
		track_cluster_pass(&c, T0 + 730000 + i * INT64_C(100000), 10000, 600000);
	assert_int_equal(c.gaps[TRACK_GAPS - 1].to_ms, c.last_ms);
}

static void a_log_row_twice_changes_nothing(void **state)
{
	struct play p;
	struct track_log_row row = {0, 100, TRACK_UNKNOWN, 3};

	(void)state;
	play_init(&p, 10);
	track_cluster_pass(&p.cluster, T0, 10000, 600000);
	assert_true(track_log_row(&p.log, &p.cluster, T0, &row));
	struct log_track old = p.log;
	assert_false(track_log_row(&p.log, &p.cluster, T0, &row));
	assert_false(track_log_row(&p.log, &p.cluster, T0 + 10000, &row));
	assert_memory_equal(&old, &p.log, sizeof(old));
}

static void a_log_that_cannot_be_asked_keeps_its_numbers(void **state)
{
	struct play p;
	struct track_log_row row = {5, 100, TRACK_UNKNOWN, TRACK_UNKNOWN};
	struct track_log_row none = {TRACK_UNKNOWN, TRACK_UNKNOWN, TRACK_UNKNOWN, TRACK_UNKNOWN};

	(void)state;
	play_init(&p, 10);
	track_cluster_pass(&p.cluster, T0, 10000, 600000);
	track_log_row(&p.log, &p.cluster, T0, &row);
	assert_true(track_log_row(&p.log, &p.cluster, T0 + 10000, &none));
	assert_false(track_log_row(&p.log, &p.cluster, T0 + 20000, &none));
	assert_int_equal(p.log.end, 100);
	assert_int_equal(p.log.unknown_since_ms, T0 + 10000);
	row.end = 120;
	assert_true(track_log_row(&p.log, &p.cluster, T0 + 30000, &row));
	assert_int_equal(p.log.unknown_since_ms, 0);
	assert_int_equal(track_seen_ms(&p.cluster, &p.log, T0, T0 + 30000), 10000);
}

static void a_log_that_shrinks_is_another_one(void **state)
{
	static const struct {
		const char *what;
		struct track_log_row row;
		uint32_t generation;
	} CASES[] = {
		{"grows", {50, 1100, -1, 7}, 0},
		{"start rises", {80, 1000, -1, 7}, 0},
		{"new leader", {50, 1000, -1, 8}, 0},
		{"cut at its end", {50, 990, -1, 8}, 1},
		{"recreated", {0, 20, -1, 0}, 1},
		{"recreated and already longer", {0, 2000, -1, -1}, 1},
		{"recreated, told by the epoch", {50, 1200, -1, 2}, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct play p;
		struct track_log_row row = {50, 1000, -1, 7};

		play_init(&p, 10);
		track_cluster_pass(&p.cluster, T0, 10000, 600000);
		track_log_row(&p.log, &p.cluster, T0, &row);
		track_log_row(&p.log, &p.cluster, T0 + 10000, &CASES[i].row);
		if (p.log.generation != CASES[i].generation)
			fail_msg("%s", CASES[i].what);
	}
}

static void rows_of_a_pass_may_come_in_any_order_and_twice(void **state)
{
	struct play a;
	struct play b;

	(void)state;
	play_init(&a, 10);
	play_init(&b, 10);
	play_members(&a, 1, TRACK_OWNER_PRESENT);
	play_members(&b, 1, TRACK_OWNER_PRESENT);
	for (int i = 1; i < 100; i++) {
		a.end = b.end = i * INT64_C(100);
		a.start = b.start = i;
		play_commit(&a, i * INT64_C(90));
		play_commit(&b, i * INT64_C(90));
		play_pass(&a);
		play_pass(&b);
		/* The same pass again. */
		struct judge_input in = play_input(&b);
		assert_false(track_cluster_pass(&b.cluster, b.now_ms, 10000, 600000));
		play_rows(&b);
		assert_false(track_pass(&b.commit, &b.log, in.group, &b.cluster, b.now_ms));
		assert_false(track_publish(&b.commit, &b.verdict, &b.rules, b.now_ms));
		assert_memory_equal(&a.commit, &b.commit, sizeof(a.commit));
		assert_memory_equal(&a.log, &b.log, sizeof(a.log));
	}
}

static void an_idle_partition_does_not_change(void **state)
{
	static const int64_t LAGS[] = {0, 1, 50};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(LAGS); k++) {
		struct play p;
		int changes = 0;

		play_init(&p, 10);
		play_members(&p, 1, TRACK_OWNER_PRESENT);
		play_on(&p, 20, 100, true, LAGS[k]);
		for (int i = 0; i < 500; i++) {
			play_pass(&p);
			changes += p.changed;
		}
		/* Raising a STOP for what waits takes two. */
		assert_in_range(changes, 0, 3);
	}
}

static void a_partition_that_never_committed_does_not_change_either(void **state)
{
	struct play p;
	int changes = 0;

	(void)state;
	play_init(&p, 10);
	play_members(&p, 1, TRACK_OWNER_PRESENT);
	p.end = 1000;
	for (int i = 0; i < 100; i++) {
		play_pass(&p);
		changes += p.changed;
	}
	assert_in_range(changes, 1, 3);
}

static void the_pace_is_that_of_waiting_messages(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 10);
	/* One message in ten minutes, committed at once: the silence between is no pace. */
	for (int i = 0; i < 20; i++) {
		play_on(&p, 1, 1, true, 0);
		play_on(&p, 59, 0, false, 0);
	}
	assert_true(pace_known(&p.commit.commits));
	assert_in_range(pace_usual_ms(&p.commit.commits), 0, 10000);
	/* A commit every 50 s of a busy log is one. */
	play_init(&p, 10);
	for (int i = 0; i < 20; i++) {
		play_on(&p, 4, 100, false, 0);
		play_on(&p, 1, 100, true, 0);
	}
	assert_in_range(pace_usual_ms(&p.commit.commits), 40000, 50000);
}

static void time_without_members_is_no_pace(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 10);
	play_members(&p, 1, TRACK_OWNER_PRESENT);
	play_on(&p, 10, 100, true, 0);
	play_members(&p, 0, TRACK_OWNER_NONE);
	play_on(&p, 17, 100, false, 0);
	play_members(&p, 1, TRACK_OWNER_PRESENT);
	play_on(&p, 10, 100, true, 0);
	assert_in_range(p.commit.commits.longest_ms[0], 0, 20000);
	assert_in_range(p.commit.progress.longest_ms[0], 0, 20000);
}

static void an_outage_of_a_member_is_no_pace_at_first(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 10);
	play_members(&p, 1, TRACK_OWNER_PRESENT);
	play_on(&p, 10, 100, true, 0);
	play_on(&p, 17, 100, false, 0);
	assert_int_equal(p.commit.status, STATUS_STOP);
	play_on(&p, 3, 100, true, 0);
	assert_in_range(pace_usual_ms(&p.commit.commits), 0, 20000);
}

static void one_outage_is_no_habit(void **state)
{
	struct track_pace pace = {0};
	int64_t t = T0;

	(void)state;
	for (int i = 0; i < 10; i++)
		pace_add(&pace, 3000, t += 10000, false);
	pace_add(&pace, 180000, t += 180000, true);
	assert_in_range(pace_usual_ms(&pace), 3000, 3000);
	pace_add(&pace, 170000, t + 180000, true);
	assert_in_range(pace_usual_ms(&pace), 170000, 180000);
}

static void a_long_interval_is_kept_for_an_hour(void **state)
{
	struct track_pace pace = {0};
	int64_t t = T0;

	(void)state;
	for (int i = 0; i < 5; i++)
		pace_add(&pace, 100000, t += 100000, false);
	for (int i = 0; i < 340; i++)
		pace_add(&pace, 2000, t += 10000, false);
	assert_int_equal(pace_usual_ms(&pace), 100000);
	for (int i = 0; i < 800; i++)
		pace_add(&pace, 2000, t += 10000, false);
	assert_int_equal(pace_usual_ms(&pace), 2000);
}

static void quick_events_at_the_start_do_not_make_the_pace_known(void **state)
{
	struct track_pace pace = {0};

	(void)state;
	for (int i = 0; i < 30; i++)
		pace_add(&pace, 1000, T0 + i * INT64_C(1000), false);
	assert_false(pace_known(&pace));
	for (int i = 30; i < 60; i++)
		pace_add(&pace, 1000, T0 + i * INT64_C(1000), false);
	assert_true(pace_known(&pace));
}

static void publish(struct commit_track *t, const struct rules *r, enum status s, int64_t pass)
{
	struct verdict v = {.status = s, .reason = REASON_CAUGHT_UP};

	track_publish(t, &v, r, T0 + pass * 10000);
}

static void worse_and_better_have_to_last(void **state)
{
	struct commit_track t = {.status = STATUS_OK};
	const struct rules *r = &RULES_DEFAULT;

	(void)state;
	publish(&t, r, STATUS_STOP, 1);
	publish(&t, r, STATUS_STOP, 1); /* the same pass again */
	assert_int_equal(t.status, STATUS_OK);
	publish(&t, r, STATUS_OK, 2);
	publish(&t, r, STATUS_WARN, 3);
	assert_int_equal(t.status, STATUS_OK);
	publish(&t, r, STATUS_STALL, 4);
	assert_int_equal(t.status, STATUS_STALL);
	assert_int_equal(t.since_ms, T0 + 40000);
	publish(&t, r, STATUS_OK, 5);
	publish(&t, r, STATUS_STALL, 6);
	publish(&t, r, STATUS_OK, 7);
	assert_int_equal(t.status, STATUS_STALL);
	publish(&t, r, STATUS_WARN, 8);
	assert_int_equal(t.status, STATUS_WARN);
}

static void the_counts_are_rules(void **state)
{
	struct commit_track t = {.status = STATUS_OK};
	struct rules r = RULES_DEFAULT;

	(void)state;
	r.raise_after = 1;
	r.clear_after = 4;
	publish(&t, &r, STATUS_WARN, 1);
	assert_int_equal(t.status, STATUS_WARN);
	for (int i = 2; i < 5; i++)
		publish(&t, &r, STATUS_OK, i);
	assert_int_equal(t.status, STATUS_WARN);
	publish(&t, &r, STATUS_OK, 5);
	assert_int_equal(t.status, STATUS_OK);
}

static void what_is_held_neither_raises_nor_clears(void **state)
{
	struct commit_track t = {.status = STATUS_STOP};
	struct verdict v = {.status = STATUS_OK, .hold = true};

	(void)state;
	for (int i = 1; i < 10; i++)
		assert_false(track_publish(&t, &v, &RULES_DEFAULT, T0 + i * INT64_C(10000)));
	assert_int_equal(t.status, STATUS_STOP);
}

static void a_track_that_changes_says_so_and_no_other(void **state)
{
	struct commit_track t = {.status = STATUS_OK, .reason = REASON_CAUGHT_UP};
	struct verdict v = {.status = STATUS_OK, .reason = REASON_CAUGHT_UP};

	(void)state;
	assert_false(track_publish(&t, &v, &RULES_DEFAULT, T0));
	v.reason = REASON_KEEPING_UP;
	assert_true(track_publish(&t, &v, &RULES_DEFAULT, T0 + 10000));
	assert_int_equal(t.reason, REASON_KEEPING_UP);
	assert_false(track_publish(&t, &v, &RULES_DEFAULT, T0 + 20000));
	/* One bad pass is remembered, and forgotten with a good one for the same reason as before. */
	v.status = STATUS_WARN;
	assert_true(track_publish(&t, &v, &RULES_DEFAULT, T0 + 30000));
	assert_int_equal(t.pending_count, 1);
	v.status = STATUS_OK;
	assert_true(track_publish(&t, &v, &RULES_DEFAULT, T0 + 40000));
	assert_int_equal(t.pending_count, 0);
	assert_false(track_publish(&t, &v, &RULES_DEFAULT, T0 + 50000));
}

static void edges_of_the_window_are_told(void **state)
{
	struct play p;
	struct track_edge first;
	struct track_edge last;

	(void)state;
	play_init(&p, 10);
	assert_false(track_edges(&p.commit, &p.log, 0, &first, &last));
	play_on(&p, 30, 100, true, 7);
	assert_true(track_edges(&p.commit, &p.log, 0, &first, &last));
	assert_int_equal(first.offset, 93);
	assert_int_equal(last.offset, 2993);
	assert_int_equal(last.lag, 7);
	assert_true(last.at_ms == p.now_ms && first.at_ms < last.at_ms);
}

static void rebalances_are_counted(void **state)
{
	struct group_track g = {0};
	struct track_group_row row = {TRACK_PROTOCOL_CLASSIC, TRACK_GROUP_STABLE, 1, 2};

	(void)state;
	for (int i = 0; i < 5; i++, row.generation++)
		track_group_row(&g, T0 + i * INT64_C(10000), &row);
	assert_int_equal(track_rebalances(&g, T0), 4);
	assert_int_equal(track_rebalances(&g, T0 + 30000), 2);
	row.member_count = 0;
	assert_true(track_group_row(&g, T0 + 60000, &row));
	assert_false(track_group_row(&g, T0 + 60000, &row));
	assert_int_equal(g.members_lost_ms, T0 + 60000);
}

static void a_commit_replayed_from_an_earlier_pass_is_ignored(void **state)
{
	struct play p;
	struct track_commit_row late = {5, T0, T0};

	(void)state;
	play_init(&p, 10);
	play_on(&p, 10, 100, true, 0);
	struct commit_track old = p.commit;
	assert_false(track_commit_row(&p.commit, &p.cluster, p.now_ms - 10000, &late));
	assert_false(track_commit_row(&p.commit, &p.cluster, p.now_ms, &late));
	assert_memory_equal(&old, &p.commit, sizeof(old));
}

static void a_pass_that_was_never_completed_is_joined_with_the_next(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 10);
	play_on(&p, 10, 100, true, 0);
	p.now_ms += p.interval_ms;
	track_cluster_pass(&p.cluster, p.now_ms, 10000, 600000);
	p.end += 100;
	play_commit(&p, p.end);
	play_rows(&p); /* and the agent dies */
	play_on(&p, 1, 100, true, 0);
	assert_int_equal(p.commit.highest, p.end);
	assert_int_equal(p.commit.before_offset, p.end - 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_stay_small),
		cmocka_unit_test(a_pass_that_is_not_later_is_none),
		cmocka_unit_test(gaps_are_remembered_but_for_one_interval),
		cmocka_unit_test(a_log_row_twice_changes_nothing),
		cmocka_unit_test(a_log_that_cannot_be_asked_keeps_its_numbers),
		cmocka_unit_test(a_log_that_shrinks_is_another_one),
		cmocka_unit_test(rows_of_a_pass_may_come_in_any_order_and_twice),
		cmocka_unit_test(an_idle_partition_does_not_change),
		cmocka_unit_test(a_partition_that_never_committed_does_not_change_either),
		cmocka_unit_test(the_pace_is_that_of_waiting_messages),
		cmocka_unit_test(time_without_members_is_no_pace),
		cmocka_unit_test(an_outage_of_a_member_is_no_pace_at_first),
		cmocka_unit_test(one_outage_is_no_habit),
		cmocka_unit_test(a_long_interval_is_kept_for_an_hour),
		cmocka_unit_test(quick_events_at_the_start_do_not_make_the_pace_known),
		cmocka_unit_test(worse_and_better_have_to_last),
		cmocka_unit_test(the_counts_are_rules),
		cmocka_unit_test(what_is_held_neither_raises_nor_clears),
		cmocka_unit_test(a_track_that_changes_says_so_and_no_other),
		cmocka_unit_test(edges_of_the_window_are_told),
		cmocka_unit_test(rebalances_are_counted),
		cmocka_unit_test(a_commit_replayed_from_an_earlier_pass_is_ignored),
		cmocka_unit_test(a_pass_that_was_never_completed_is_joined_with_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
