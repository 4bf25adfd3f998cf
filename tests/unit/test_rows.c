/* SPDX-License-Identifier: Apache-2.0 */

/* What one row changes in what is remembered, and what it does not. */

#include "aggregator/judge/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1700000000000)
#define S INT64_C(1000)
#define WINDOW_MS (600 * S)

static struct cluster_track cluster_at(int64_t at_ms)
{
	struct cluster_track c = {0};

	assert_true(track_cluster_pass(&c, at_ms, 10000, WINDOW_MS));
	return c;
}

/* --- passes --- */

static void points_are_kept_a_24th_of_the_window_apart(void **state)
{
	struct cluster_track c = cluster_at(T0);

	(void)state;
	assert_int_equal(track_gap_ms(&c), 25000);
}

static void more_than_two_intervals_are_a_gap(void **state)
{
	struct cluster_track c = cluster_at(T0);

	(void)state;
	track_cluster_pass(&c, T0 + 20000, 10000, WINDOW_MS);
	assert_int_equal(c.gaps[0].to_ms, 0);
	track_cluster_pass(&c, T0 + 40001, 10000, WINDOW_MS);
	assert_int_equal(c.gaps[0].from_ms, T0 + 20000);
	assert_int_equal(c.gaps[0].to_ms, T0 + 40001);
	assert_int_equal(track_blind_ms(&c, T0, T0 + 50000), 10001);
	assert_int_equal(c.before_ms, T0 + 20000);
	assert_int_equal(c.passes, 3);
}

static void the_newest_sixteen_gaps_are_remembered(void **state)
{
	struct cluster_track c = cluster_at(T0);

	(void)state;
	for (int i = 1; i <= 20; i++) {
		track_cluster_pass(&c, T0 + i * 100 * S, 10000, WINDOW_MS);
		if (i == TRACK_GAPS) /* each but for the interval that everybody waits */
			assert_int_equal(track_blind_ms(&c, T0, T0 + 9999 * S), 16 * 90 * S);
	}
	for (int i = 0; i < TRACK_GAPS; i++) {
		assert_int_equal(c.gaps[i].from_ms, T0 + (i + 4) * 100 * S);
		assert_int_equal(c.gaps[i].to_ms, T0 + (i + 5) * 100 * S);
	}
}

/* --- logs --- */

static void a_new_log_has_moved_nowhere(void **state)
{
	struct cluster_track c = cluster_at(T0);
	struct log_track l = {0};

	(void)state;
	assert_true(track_log_row(&l, &c, T0, &(struct track_log_row){5, 100, 90, 3}));
	assert_int_equal(l.version, TRACK_VERSION);
	assert_int_equal(l.start, 5);
	assert_int_equal(l.end, 100);
	assert_int_equal(l.stable, 90);
	assert_int_equal(l.start_moved_ms, 0);
	assert_int_equal(l.generation, 0);
	assert_int_equal(l.end_moved_ms, T0);
	assert_false(track_log_row(&l, &c, T0, &(struct track_log_row){5, 200, 90, 3}));
	assert_int_equal(l.end, 100);
}

static void starts_move_when_they_rise(void **state)
{
	struct cluster_track c = cluster_at(T0);
	struct log_track l = {0};

	(void)state;
	track_log_row(&l, &c, T0, &(struct track_log_row){-1, 100, -1, -1});
	assert_int_equal(l.start, 0); /* not known, and a log has one */
	track_log_row(&l, &c, T0 + 10 * S, &(struct track_log_row){0, 110, -1, -1});
	assert_int_equal(l.start_moved_ms, 0);
	track_log_row(&l, &c, T0 + 20 * S, &(struct track_log_row){1, 110, -1, -1});
	assert_int_equal(l.start_moved_ms, T0 + 20 * S);
	assert_int_equal(l.end_moved_ms, T0 + 10 * S);
	track_log_row(&l, &c, T0 + 30 * S, &(struct track_log_row){-1, 120, -1, -1});
	assert_int_equal(l.start, 1);
	assert_int_equal(l.start_moved_ms, T0 + 20 * S);
	track_log_row(&l, &c, T0 + 40 * S, &(struct track_log_row){0, 120, -1, -1});
	assert_int_equal(l.start, 0);
	assert_int_equal(l.generation, 1);
	assert_int_equal(l.start_moved_ms, T0 + 20 * S);
}

static void a_log_that_was_cut_keeps_its_past(void **state)
{
	static const struct {
		const char *what;
		struct track_log_row row;
		bool keeps;
	} CASES[] = {
		{"cut", {50, 990, -1, 7}, true},
		{"cut to half", {50, 500, -1, 7}, true},
		{"less is left", {50, 499, -1, 7}, false},
		{"another start", {49, 990, -1, 7}, false},
		{"a higher start", {51, 990, -1, 7}, true},
		{"another epoch, as long", {50, 1000, -1, 6}, false},
		{"another epoch, longer", {50, 1001, -1, 6}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct cluster_track c = cluster_at(T0);
		struct log_track l = {0};

		track_log_row(&l, &c, T0, &(struct track_log_row){50, 700, -1, 7});
		track_log_row(&l, &c, T0 + 60 * S, &(struct track_log_row){50, 1000, -1, 7});
		track_log_row(&l, &c, T0 + 120 * S, &CASES[i].row);
		assert_int_equal(l.generation, 1);
		assert_int_equal(l.recreated_ms, T0 + 120 * S);
		if (l.ends.count != (CASES[i].keeps ? 3 : 1))
			fail_msg("%s", CASES[i].what);
	}
}

static void what_could_not_be_asked_was_not_seen(void **state)
{
	struct cluster_track c = cluster_at(T0);
	struct log_track l = {.unknown = {T0 + 10 * S, T0 + 40 * S}};

	(void)state;
	assert_int_equal(track_seen_ms(&c, &l, T0, T0 + 100 * S), 70 * S);
	assert_int_equal(track_seen_ms(&c, NULL, T0, T0 + 100 * S), 100 * S);
	assert_int_equal(track_seen_ms(&c, &l, T0 + 20 * S, T0 + 30 * S), 0);
	assert_int_equal(track_seen_ms(&c, &l, T0 + 20 * S, T0), 0);
}

/* --- commits --- */

static void a_commit_arrives_in_its_pass(void **state)
{
	struct cluster_track c = cluster_at(T0);
	static const struct {
		int64_t arrival_ms, want_ms;
	} CASES[] = {{0, T0}, {T0 + 1, T0}, {T0 - 5, T0 - 5}, {1, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct commit_track t = {0};

		track_commit_row(&t, &c, T0,
				 &(struct track_commit_row){7, T0, CASES[i].arrival_ms});
		assert_int_equal(t.arrival_ms, CASES[i].want_ms);
		assert_int_equal(t.first_pass, 1);
	}
}

static void only_a_new_commit_changes_anything(void **state)
{
	static const struct {
		const char *what;
		int64_t at_s, joined_s;
		struct track_commit_row row;
		bool changes;
		int64_t before; /* offset before it, afterwards */
	} CASES[] = {
		{"of an earlier pass", -1, 0, {9, T0, T0}, false, -1},
		{"of a pass that is joined", 0, 0, {9, T0, T0}, false, -1},
		{"of a pass that is not", 0, -10, {9, T0, T0}, true, -1},
		{"of the next pass", 10, 0, {9, T0, T0}, true, 7},
		{"after one that was never joined", 10, -10, {9, T0, T0}, true, -1},
		{"the same", 10, 0, {7, T0, T0}, false, -1},
		{"the same offset again", 10, 0, {7, T0 + 1, T0}, true, 7},
		{"the same, seen later", 10, 0, {7, T0, T0 + 1}, true, 7},
		{"none", 10, 0, {-1, T0, T0}, false, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct cluster_track c = cluster_at(T0);
		struct commit_track t = {0};
		int64_t at_ms = T0 + CASES[i].at_s * S;

		assert_true(track_commit_row(&t, &c, T0, &(struct track_commit_row){7, T0, T0}));
		t.joined_at_ms = T0 + CASES[i].joined_s * S;
		struct commit_track old = t;
		if (CASES[i].joined_s < 0)
			t.row_at_ms = old.row_at_ms = T0;
		bool changed = track_commit_row(&t, &c, at_ms, &CASES[i].row);
		if (changed != CASES[i].changes || t.before_offset != CASES[i].before)
			fail_msg("%s: %d, %d", CASES[i].what, changed, (int)t.before_offset);
		if (!changed)
			assert_memory_equal(&t, &old, sizeof(t));
	}
}

static void owner_and_subscription_change_one_by_one(void **state)
{
	struct commit_track t = {0};

	(void)state;
	assert_false(track_owner(&t, TRACK_OWNER_UNKNOWN, TRACK_SUBSCRIPTION_UNKNOWN));
	assert_true(track_owner(&t, TRACK_OWNER_NONE, TRACK_SUBSCRIPTION_UNKNOWN));
	assert_true(track_owner(&t, TRACK_OWNER_NONE, TRACK_SUBSCRIPTION_NO));
	assert_int_equal(t.subscription, TRACK_SUBSCRIPTION_NO);
	assert_false(track_owner(&t, TRACK_OWNER_NONE, TRACK_SUBSCRIPTION_NO));
}

/* --- groups --- */

static bool group_row(struct group_track *g, int64_t at_ms, int32_t generation, uint32_t members)
{
	return track_group_row(g, at_ms,
			       &(struct track_group_row){TRACK_PROTOCOL_CLASSIC, TRACK_GROUP_STABLE,
							 generation, members});
}

static void a_group_remembers_its_members_and_generations(void **state)
{
	struct group_track g = {0};

	(void)state;
	assert_true(group_row(&g, T0, 1, 0));
	assert_int_equal(g.had_members, 0);
	assert_int_equal(g.created_ms, T0);
	assert_true(group_row(&g, T0 + 10 * S, 1, 2));
	assert_int_equal(g.had_members, 1);
	assert_int_equal(g.members_lost_ms, 0);
	assert_false(group_row(&g, T0 + 5 * S, 9, 0));
	assert_int_equal(g.member_count, 2);
	assert_true(group_row(&g, T0 + 10 * S, 1, 0)); /* the same pass, told again */
	assert_int_equal(g.members_lost_ms, T0 + 10 * S);
	for (int i = 1; i <= 10; i++)
		group_row(&g, T0 + 10 * S + i * S, 1 + i, 1);
	for (int i = 0; i < TRACK_REBALANCES; i++)
		assert_int_equal(g.rebalanced_ms[i], T0 + (20 - i) * S);
	assert_int_equal(track_rebalances(&g, T0), TRACK_REBALANCES);
	assert_int_equal(track_rebalances(&g, T0 + 20 * S), 1);
	assert_int_equal(track_rebalances(&g, T0 + 20 * S + 1), 0);
	g = (struct group_track){0};
	assert_int_equal(track_rebalances(&g, 0), 0);
}

/* --- for those who show --- */

static void the_edges_of_a_window_are_told(void **state)
{
	struct cluster_track c = cluster_at(T0);
	struct log_track l = {0};
	struct commit_track t = {0};
	struct track_edge first;
	struct track_edge last;

	(void)state;
	assert_false(track_edges(&t, &l, 0, &first, &last));
	track_log_row(&l, &c, T0 + 10 * S, &(struct track_log_row){0, 100, -1, -1});
	for (int64_t i = 0; i < 4; i++)
		window_add(&t.offsets, T0 + i * 30 * S, 90 + 5 * i, 0);
	assert_true(track_edges(&t, &l, T0 + 30 * S, &first, &last));
	assert_int_equal(first.at_ms, T0 + 30 * S);
	assert_int_equal(first.offset, 95);
	assert_int_equal(first.lag, 5);
	assert_int_equal(last.offset, 105);
	assert_int_equal(last.lag, 0);
	assert_true(track_edges(&t, &l, T0 + 30 * S - 1, &first, &last));
	assert_int_equal(first.lag, TRACK_UNKNOWN);
	assert_true(track_edges(&t, NULL, T0 + 30 * S, &first, &last));
	assert_int_equal(last.lag, TRACK_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_are_kept_a_24th_of_the_window_apart),
		cmocka_unit_test(more_than_two_intervals_are_a_gap),
		cmocka_unit_test(the_newest_sixteen_gaps_are_remembered),
		cmocka_unit_test(a_new_log_has_moved_nowhere),
		cmocka_unit_test(starts_move_when_they_rise),
		cmocka_unit_test(a_log_that_was_cut_keeps_its_past),
		cmocka_unit_test(what_could_not_be_asked_was_not_seen),
		cmocka_unit_test(a_commit_arrives_in_its_pass),
		cmocka_unit_test(only_a_new_commit_changes_anything),
		cmocka_unit_test(owner_and_subscription_change_one_by_one),
		cmocka_unit_test(a_group_remembers_its_members_and_generations),
		cmocka_unit_test(the_edges_of_a_window_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
