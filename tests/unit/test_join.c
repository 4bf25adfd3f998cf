/* SPDX-License-Identifier: Apache-2.0 */

/* The source itself, so that its parts can be tested one by one. */
#include "aggregator/judge/track_pass.c"

#include "aggregator/judge/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1700000000000)
#define S INT64_C(1000)

/* A pass that joins one partition. */
struct scene {
	struct cluster_track cluster;
	struct log_track log;
	struct group_track group;
	struct commit_track t;
	struct pass p;
};

static void begin(struct scene *s)
{
	*s = (struct scene){
		.cluster = {.version = TRACK_VERSION,
			    .interval_ms = 10000,
			    .passes = 200,
			    .fresh_pass = 1,
			    .window_ms = 600 * S,
			    .last_ms = NOW_MS,
			    .before_ms = NOW_MS - 10 * S},
		.log = {.version = TRACK_VERSION,
			.start = 0,
			.end = 1000,
			.stable = TRACK_UNKNOWN,
			.row_at_ms = NOW_MS,
			.end_moved_ms = NOW_MS},
		.group = {.version = TRACK_VERSION,
			  .state = TRACK_GROUP_STABLE,
			  .had_members = 1,
			  .member_count = 1},
	};
	struct track_commit_row row = {TRACK_UNKNOWN, TRACK_UNKNOWN, 0};
	s->cluster.passes = 1;
	track_commit_row(&s->t, &s->cluster, NOW_MS - 1000 * S, &row);
	s->t.owner = TRACK_OWNER_PRESENT;
	s->t.subscription = TRACK_SUBSCRIPTION_YES;
	s->cluster.passes = 200;
	s->p = (struct pass){&s->t, &s->log, &s->group, &s->cluster, NOW_MS};
	window_add(&s->log.ends, NOW_MS - 100 * S, 500, 25000);
	window_add(&s->log.ends, NOW_MS, 1000, 25000);
}

/* Committed up to this offset until the pass before, and read on since. */
static void commits(struct scene *s, int64_t before, int64_t offset)
{
	s->t.before_offset = before;
	s->t.before_arrival_ms = NOW_MS - 15 * S;
	s->t.highest = before;
	s->t.offset = offset;
	s->t.arrival_ms = NOW_MS - 5 * S;
	s->t.row_at_ms = NOW_MS;
	s->t.joined_at_ms = NOW_MS - 10 * S;
	s->t.progress_ms = NOW_MS - 15 * S;
	s->t.progress_at_ms = NOW_MS - 10 * S;
	s->t.owned_since_ms = NOW_MS - 1000 * S;
	s->t.owned_end = 0;
}

/* --- owners --- */

static void owning_begins_at_the_end_of_the_log(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.t.unowned_since_ms = 5;
	s.p.log = NULL;
	join_owner(&s.p);
	assert_int_equal(s.t.owned_since_ms, NOW_MS);
	assert_int_equal(s.t.unowned_since_ms, 0);
	assert_int_equal(s.t.owned_end, TRACK_UNKNOWN);
	s.p.log = &s.log;
	s.p.at_ms += 10 * S;
	join_owner(&s.p);
	assert_int_equal(s.t.owned_since_ms, NOW_MS);
	assert_int_equal(s.t.owned_end, 1000);
	s.log.end = 1100;
	join_owner(&s.p);
	assert_int_equal(s.t.owned_end, 1000);
}

static void what_came_while_a_group_without_a_commit_was_away_does_not_count(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	join_owner(&s.p);
	s.log.end = 1030;
	s.t.owner = TRACK_OWNER_NONE;
	s.group.member_count = 0;
	s.group.state = TRACK_GROUP_EMPTY;
	s.t.unowned_since_ms = 5;
	s.p.log = NULL;
	join_owner(&s.p);
	assert_int_equal(s.t.unowned_since_ms, 0);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
	s.p.log = &s.log;
	join_owner(&s.p);
	assert_int_equal(s.t.clear_end, 1030);
	s.log.end = 1500;
	join_owner(&s.p);
	assert_int_equal(s.t.clear_end, 1030);
	assert_false(nothing_waits(&s.p)); /* the 30 that came before */
	s.t.owner = TRACK_OWNER_PRESENT;
	join_owner(&s.p);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
	assert_int_equal(s.t.owned_end, 1470);
	assert_false(nothing_waits(&s.p));
	/* Without any it waits for nothing, whatever comes while it is away. */
	s.t.owned_end = 1500;
	s.t.owner = TRACK_OWNER_NONE;
	join_owner(&s.p);
	s.log.end = 2000;
	assert_true(nothing_waits(&s.p));
	join_waiting(&s.p);
	assert_int_equal(s.t.clear_end, 1500);
	/* Nor is it remembered of one that has committed. */
	commits(&s, 0, 0);
	s.t.clear_end = TRACK_UNKNOWN;
	join_owner(&s.p);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
	s.t.clear_end = 7;
	s.t.owner = TRACK_OWNER_PRESENT;
	join_owner(&s.p);
	assert_int_equal(s.t.clear_end, 7);
	assert_int_equal(s.t.owned_end, 0);
}

static void nobody_owns_it_when_a_stable_group_says_so(void **state)
{
	static const struct {
		const char *what;
		enum track_owner owner;
		enum track_group_state state;
		uint32_t members;
		bool has_group;
		int64_t want; /* unowned_since_ms, which was 5 */
	} CASES[] = {
		{"stable", TRACK_OWNER_NONE, TRACK_GROUP_STABLE, 1, true, 5},
		{"rebalancing", TRACK_OWNER_NONE, TRACK_GROUP_REBALANCING, 1, true, 5},
		{"empty", TRACK_OWNER_NONE, TRACK_GROUP_EMPTY, 0, true, 0},
		{"stable without members", TRACK_OWNER_NONE, TRACK_GROUP_STABLE, 0, true, 0},
		{"no members ever", TRACK_OWNER_NONE, TRACK_GROUP_STABLE, 1, false, 0},
		{"not known", TRACK_OWNER_UNKNOWN, TRACK_GROUP_STABLE, 1, true, 0},
		{"owned", TRACK_OWNER_PRESENT, TRACK_GROUP_STABLE, 1, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct scene s;

		begin(&s);
		s.t.owner = (uint8_t)CASES[i].owner;
		s.t.unowned_since_ms = 5;
		s.group.state = (uint8_t)CASES[i].state;
		s.group.member_count = CASES[i].members;
		s.p.group = CASES[i].has_group ? &s.group : NULL;
		join_owner(&s.p);
		if (s.t.unowned_since_ms != CASES[i].want)
			fail_msg("%s", CASES[i].what);
	}
	struct scene s;
	begin(&s);
	s.t.owner = TRACK_OWNER_NONE;
	s.t.owned_since_ms = 7;
	s.t.owned_end = 7;
	join_owner(&s.p);
	assert_int_equal(s.t.unowned_since_ms, NOW_MS);
	assert_int_equal(s.t.owned_since_ms, 0);
	assert_int_equal(s.t.owned_end, TRACK_UNKNOWN);
}

static void what_was_never_committed_is_over_without_an_owner(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	assert_false(track_is_over(&s.t, &s.group));
	s.t.owner = TRACK_OWNER_NONE;
	assert_true(track_is_over(&s.t, &s.group));
	assert_true(track_is_over(&s.t, NULL));
	s.group.member_count = 0; /* it may come back */
	assert_false(track_is_over(&s.t, &s.group));
	s.group.member_count = 1;
	s.group.state = TRACK_GROUP_REBALANCING;
	assert_false(track_is_over(&s.t, &s.group));
	s.group.state = TRACK_GROUP_STABLE;
	s.t.offset = 0;
	assert_false(track_is_over(&s.t, &s.group));
}

static void a_topic_is_left_at_once_or_after_five_minutes(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.t.owner = TRACK_OWNER_NONE;
	s.t.subscription = TRACK_SUBSCRIPTION_UNKNOWN;
	s.t.unowned_since_ms = NOW_MS - 299999;
	join_abandoned(&s.p);
	assert_int_equal(s.t.flags, 0);
	s.t.unowned_since_ms--;
	join_abandoned(&s.p);
	assert_int_equal(s.t.flags, TRACK_ABANDONED);
	s.t.unowned_since_ms = 0;
	s.t.flags = 0;
	join_abandoned(&s.p);
	assert_int_equal(s.t.flags, 0);
	s.t.subscription = TRACK_SUBSCRIPTION_NO;
	join_abandoned(&s.p);
	assert_int_equal(s.t.flags, 0); /* the group is away */
	s.t.unowned_since_ms = NOW_MS;
	join_abandoned(&s.p);
	assert_int_equal(s.t.flags, TRACK_ABANDONED);
	/* Taken up again: what waits does from now on. */
	s.t.oldest_ms = NOW_MS - 500 * S;
	s.t.subscription = TRACK_SUBSCRIPTION_YES;
	join_abandoned(&s.p);
	assert_int_equal(s.t.flags, 0);
	assert_int_equal(s.t.oldest_ms, NOW_MS);
	s.t.oldest_ms = NOW_MS - 500 * S;
	join_abandoned(&s.p);
	assert_int_equal(s.t.oldest_ms, NOW_MS - 500 * S);
	s.t.flags = TRACK_ABANDONED;
	s.t.oldest_ms = 0;
	s.t.owner = TRACK_OWNER_PRESENT;
	join_abandoned(&s.p);
	assert_int_equal(s.t.oldest_ms, 0);
}

/* --- back --- */

static void a_window_rises_at_a_rate(void **state)
{
	struct window w = {0};

	(void)state;
	assert_true(rise_rate(&w) == 0);
	window_add(&w, NOW_MS, 100, 0);
	assert_true(rise_rate(&w) == 0);
	window_add(&w, NOW_MS + 10 * S, 200, 0);
	assert_true(rise_rate(&w) == 10);
	window_add(&w, NOW_MS + 20 * S, 50, 0); /* a fall is none */
	assert_true(rise_rate(&w) == 5);
	window_add(&w, NOW_MS + 40 * S, 350, 0);
	assert_true(rise_rate(&w) == 10);
}

static void what_is_redone_is_two_intervals_of_reading(void **state)
{
	struct scene s;

	(void)state;
	begin(&s); /* the log grows by 5 a second, the interval is 10 s */
	assert_int_equal(redone(&s.p), 100);
	s.p.log = NULL;
	assert_int_equal(redone(&s.p), 1);
	window_add(&s.t.offsets, NOW_MS - 100 * S, 0, 25000);
	window_add(&s.t.offsets, NOW_MS, 1000, 25000);
	assert_int_equal(redone(&s.p), 200);
	s.p.log = &s.log;
	assert_int_equal(redone(&s.p), 200);
	s.cluster.interval_ms = 1000;
	assert_int_equal(redone(&s.p), 200); /* ten seconds at least */
	s.cluster.interval_ms = 20000;
	assert_int_equal(redone(&s.p), 400);
	pace_add(&s.t.commits, 30000, NOW_MS, false);
	assert_int_equal(redone(&s.p), 600);
}

static void what_is_redone_does_not_wait_and_more_is_a_rewind(void **state)
{
	static const struct {
		int64_t before, offset, clear_end, want_clear, want_rewind;
	} CASES[] = {
		{900, 800, 900, 900, 0}, /* exactly what is redone */
		{900, 799, 900, -1, 900},
		{900, 799, 899, 899, 900},
		{850, 800, 901, -1, 0}, /* little by little */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct scene s;

		begin(&s);
		commits(&s, CASES[i].before, CASES[i].offset);
		s.t.clear_end = CASES[i].clear_end;
		s.t.rewind_rises = 9;
		join_fall(&s.p);
		assert_int_equal(s.t.clear_end, CASES[i].want_clear);
		assert_int_equal(s.t.rewind_from, CASES[i].want_rewind);
		if (CASES[i].want_rewind == 0) {
			assert_int_equal(s.t.rewind_at_ms, 0);
			continue;
		}
		assert_int_equal(s.t.rewind_at_ms, NOW_MS);
		assert_int_equal(s.t.rewind_to, CASES[i].offset);
		assert_int_equal(s.t.rewind_rises, 0);
		s.t.highest = 50; /* a second one keeps where the first came from */
		s.t.offset = 300;
		join_fall(&s.p);
		assert_int_equal(s.t.rewind_from, CASES[i].want_rewind);
		assert_int_equal(s.t.rewind_to, 300);
	}
}

static void a_reset_is_accepted_with_the_third_rise_after_half_a_window(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 400);
	s.t.highest = 900;
	s.t.rewind_at_ms = NOW_MS - 300 * S;
	accept_reset(&s.p);
	accept_reset(&s.p);
	assert_int_equal(s.t.rewind_rises, 2);
	assert_int_not_equal(s.t.rewind_at_ms, 0);
	s.t.rewind_at_ms++;
	accept_reset(&s.p);
	assert_int_not_equal(s.t.rewind_at_ms, 0);
	s.t.rewind_at_ms--;
	s.t.rewind_rises = 2;
	accept_reset(&s.p);
	assert_int_equal(s.t.rewind_at_ms, 0);
	assert_int_equal(s.t.highest, 399);
	assert_int_equal(s.t.progress_ms, 0);
	s.t.rewind_rises = 255;
	accept_reset(&s.p);
	assert_int_equal(s.t.rewind_rises, 255);
}

static void a_rewind_ends_where_it_began(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 899);
	s.t.highest = 900;
	s.t.rewind_at_ms = NOW_MS - 30 * S;
	join_move(&s.p);
	assert_int_not_equal(s.t.rewind_at_ms, 0);
	assert_int_equal(s.t.progress_at_ms, NOW_MS - 10 * S); /* no progress yet */
	s.t.offset = 900;
	join_move(&s.p);
	assert_int_equal(s.t.rewind_at_ms, 0);
	assert_int_equal(s.t.highest, 900);
	assert_int_equal(s.t.progress_at_ms, NOW_MS);
	assert_int_equal(s.t.oldest_ms, 0);
}

static void the_first_commit_knows_of_nothing_that_was_clear(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, TRACK_UNKNOWN, 0);
	s.t.clear_end = 1000;
	join_move(&s.p);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
	assert_int_equal(s.t.highest, 0);
	commits(&s, 0, 5);
	s.t.clear_end = 1000;
	join_move(&s.p);
	assert_int_equal(s.t.clear_end, 1000);
}

/* --- the pace --- */

static void intervals_are_learned_while_messages_wait(void **state)
{
	static const struct {
		const char *what;
		bool waited, has_log;
		int64_t oldest_ago_s, before, end, since_ago_ms, seen_ago_s;
		int64_t lost_ago_ms; /* 0: never lost its members */
		int64_t want_ms;     /* -1: nothing is learned */
	} CASES[] = {
		{"of two passes", true, true, 60, 0, 1000, 40000, 20, 0, 35000},
		{"of neighbouring passes", true, true, 60, 0, 1000, 15000, 10, 0, 5000},
		{"within one", true, true, 60, 0, 1000, 8000, 10, 0, 0},
		{"of a younger message", true, true, 25, 0, 1000, 40000, 20, 0, 20000},
		{"what came was read at once", false, true, 0, 0, 1000, 40000, 20, 0, 0},
		{"nothing came", false, true, 0, 1000, 1000, 40000, 20, 0, -1},
		{"one message came", false, true, 0, 999, 1000, 40000, 20, 0, 0},
		{"no commit before", false, true, 0, -1, 1000, 40000, 20, 0, -1},
		{"a log not known", false, false, 0, 0, 1000, 40000, 20, 0, -1},
		{"members were lost since", true, true, 60, 0, 1000, 40000, 20, 39999, -1},
		{"members were lost before", true, true, 60, 0, 1000, 40000, 20, 40000, 35000},
		{"nothing before", true, true, 60, 0, 1000, NOW_MS, 20, 0, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct scene s;
		struct track_pace pace = {0};

		begin(&s);
		commits(&s, CASES[i].before, 900);
		s.t.flags = CASES[i].waited ? TRACK_WAITED : 0;
		s.t.oldest_ms = NOW_MS - CASES[i].oldest_ago_s * S;
		s.log.end = CASES[i].end;
		s.p.log = CASES[i].has_log ? &s.log : NULL;
		if (CASES[i].lost_ago_ms != 0)
			s.group.members_lost_ms = NOW_MS - CASES[i].lost_ago_ms;
		learn(&s.p, &pace, NOW_MS - CASES[i].since_ago_ms,
		      NOW_MS - CASES[i].seen_ago_s * S);
		int64_t got_ms = pace_count(&pace) == 0 ? -1 : pace_usual_ms(&pace);
		if (got_ms != CASES[i].want_ms)
			fail_msg("%s: %d", CASES[i].what, (int)got_ms);
	}
}

static void an_interval_of_an_alarm_is_marked(void **state)
{
	static const struct {
		enum status status;
		bool want;
	} CASES[] = {{STATUS_OK, false}, {STATUS_WARN, false}, {STATUS_STOP, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct scene s;
		struct track_pace pace = {0};

		begin(&s);
		commits(&s, 0, 900);
		s.t.flags = TRACK_WAITED;
		s.t.status = (uint8_t)CASES[i].status;
		s.t.oldest_ms = NOW_MS - 60 * S;
		learn(&s.p, &pace, NOW_MS - 40 * S, NOW_MS - 20 * S);
		assert_int_equal((pace.longest_ms[0] >> 31) != 0, CASES[i].want);
	}
}

static void the_first_interval_begins_when_it_was_owned(void **state)
{
	struct scene s;

	(void)state;
	for (int64_t before = -1; before < 1; before++) {
		begin(&s);
		commits(&s, before, 900);
		s.t.flags = TRACK_WAITED;
		join_commit(&s.p);
		assert_int_equal(s.t.commits.longest_ms[0], before < 0 ? 990000 : 5000);
	}
}

static void without_a_log_only_commits_are_joined(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 500, 600);
	assert_true(track_pass(&s.t, NULL, &s.group, &s.cluster, NOW_MS));
	assert_int_equal(s.t.joined_at_ms, NOW_MS);
	assert_int_equal(s.t.flags, 0);
	s.log.end = TRACK_UNKNOWN;
	assert_false(track_pass(&s.t, &s.log, &s.group, &s.cluster, NOW_MS));
	s.log.end = 1000;
	s.log.unknown_since_ms = NOW_MS;
	assert_false(track_pass(&s.t, &s.log, &s.group, &s.cluster, NOW_MS));
	s.log.unknown_since_ms = 0;
	assert_true(track_pass(&s.t, &s.log, &s.group, &s.cluster, NOW_MS));
	assert_int_equal(s.t.flags, TRACK_WAITED);
}

static void messages_wait_from_offset_zero_on(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 0, 0);
	s.t.owned_end = 500;
	assert_int_equal(waits_from(&s.t), 0);
	s.t.clear_end = 7;
	assert_int_equal(waits_from(&s.t), 7);
	s.t.offset = TRACK_UNKNOWN;
	assert_int_equal(waits_from(&s.t), 500);
	s.t.offset = 0;
	s.t.flags = TRACK_WAITED;
	s.log.start = 1;
	s.log.start_moved_ms = NOW_MS;
	join_log(&s.p);
	assert_int_equal(s.t.lost, 1);
}

/* --- another log --- */

static void in_another_log_all_begins_anew(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 900, 40);
	s.t.rewind_at_ms = 3;
	s.t.lost = 3;
	s.t.lost_at_ms = 3;
	s.t.clear_end = 900;
	s.t.flags = TRACK_WAITED | TRACK_UNREADABLE | TRACK_ABANDONED;
	s.log.generation = 1;
	s.log.end = 39;
	join_commit(&s.p); /* a commit of the old one */
	assert_int_equal(s.t.generation, 0);
	commits(&s, 900, 40);
	s.t.clear_end = 900;
	s.log.end = 40;
	join_commit(&s.p);
	assert_int_equal(s.t.generation, 1);
	assert_int_equal(s.t.highest, 40);
	assert_int_equal(s.t.rewind_at_ms, 0);
	assert_int_equal(s.t.lost, 0);
	assert_int_equal(s.t.lost_at_ms, 0);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
	assert_int_equal(s.t.flags, 0);
	assert_int_equal(s.t.offsets.count, 1);
	assert_int_equal(s.t.joined_at_ms, NOW_MS);
}

/* --- what waits --- */

static void messages_are_lost_if_they_waited(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 300);
	s.t.flags = TRACK_WAITED | TRACK_LOSS_SEEN;
	s.log.start = 301;
	s.log.start_moved_ms = NOW_MS - 10 * S;
	join_lost(&s.p);
	assert_int_equal(s.t.lost, 0);
	s.log.start_moved_ms = NOW_MS;
	s.t.flags = TRACK_LOSS_SEEN;
	join_lost(&s.p);
	assert_int_equal(s.t.lost, 0);
	s.t.flags = TRACK_WAITED | TRACK_LOSS_SEEN;
	join_lost(&s.p);
	assert_int_equal(s.t.lost, 1);
	assert_int_equal(s.t.lost_at_ms, NOW_MS);
	assert_int_equal(s.t.flags, TRACK_WAITED);
	s.t.flags = TRACK_WAITED | TRACK_LOSS_SEEN;
	s.t.offset = 301;
	join_lost(&s.p);
	assert_int_equal(s.t.lost, 0);
	assert_int_equal(s.t.lost_at_ms, 0);
	assert_int_equal(s.t.flags, TRACK_WAITED);
}

static void one_message_where_reading_ended_is_a_marker(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 999);
	s.log.end_moved_ms = s.t.progress_at_ms;
	assert_true(nothing_waits(&s.p));
	s.t.offset = 998;
	assert_false(nothing_waits(&s.p));
	s.t.offset = 999;
	s.log.end_moved_ms++;
	assert_false(nothing_waits(&s.p));
	s.log.end_moved_ms--;
	s.t.probe = TRACK_PROBE_RECORD;
	assert_false(nothing_waits(&s.p));
	s.t.probe = TRACK_PROBE_NONE;
	s.t.offset = 0;
	s.log.end = 1;
	assert_true(nothing_waits(&s.p));
}

static void nothing_waits_at_the_end_or_where_it_is_clear(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 1000);
	assert_true(nothing_waits(&s.p));
	s.t.offset = 300;
	assert_false(nothing_waits(&s.p));
	s.t.clear_end = 1000;
	assert_true(nothing_waits(&s.p));
	s.t.clear_end = 999;
	assert_false(nothing_waits(&s.p));
	s.log.start = 1000;
	assert_true(nothing_waits(&s.p));
	/* Without a commit: what came since it is owned. */
	begin(&s);
	assert_true(nothing_waits(&s.p));
	s.t.owned_since_ms = NOW_MS;
	assert_true(nothing_waits(&s.p));
	s.t.owned_end = 1000;
	assert_true(nothing_waits(&s.p));
	s.t.owned_end = 999;
	assert_false(nothing_waits(&s.p));
	s.t.clear_end = 0;
	assert_true(nothing_waits(&s.p));
}

static void a_commit_that_leaves_nothing_is_as_good_as_progress(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 1000, 1000);
	join_waiting(&s.p);
	assert_int_equal(s.t.progress_ms, NOW_MS - 5 * S);
	assert_int_equal(s.t.clear_end, 1000);
	s.t.progress_ms = 3;
	s.t.row_at_ms = NOW_MS - 10 * S;
	join_waiting(&s.p);
	assert_int_equal(s.t.progress_ms, 3);
	begin(&s);
	commits(&s, 0, 0);
	s.log.end = 0;
	join_waiting(&s.p);
	assert_int_equal(s.t.progress_ms, NOW_MS - 5 * S);
	assert_int_equal(s.t.clear_end, 0);
	begin(&s);
	s.t.row_at_ms = NOW_MS;
	s.t.arrival_ms = NOW_MS;
	join_waiting(&s.p);
	assert_int_equal(s.t.progress_ms, 0);
}

static void what_nobody_can_read_begins_to_wait_when_the_transaction_ends(void **state)
{
	static const struct {
		int64_t offset, stable, clear_end;
		bool want;
	} CASES[] = {
		{900, 900, -1, true},   {901, 900, -1, true}, {899, 900, -1, false},
		{899, 900, 900, true},  {900, -1, -1, false}, {0, 0, -1, true},
		{900, 1000, -1, false}, {999, 999, -1, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct scene s;

		begin(&s);
		commits(&s, 300, CASES[i].offset);
		s.log.stable = CASES[i].stable;
		s.t.clear_end = CASES[i].clear_end;
		s.t.oldest_ms = NOW_MS - 300 * S;
		join_waiting(&s.p);
		assert_int_equal(s.t.flags, CASES[i].want ? TRACK_UNREADABLE : TRACK_WAITED);
		assert_int_equal(s.t.oldest_ms, NOW_MS - 300 * S);
		if (!CASES[i].want)
			continue;
		s.log.stable = s.log.end = 1001;
		join_waiting(&s.p);
		assert_int_equal(s.t.flags, TRACK_WAITED);
		assert_int_equal(s.t.oldest_ms, NOW_MS - 10 * S);
	}
	struct scene s;
	begin(&s);
	s.t.owned_since_ms = NOW_MS;
	s.t.owned_end = 900;
	s.log.stable = 0;
	join_waiting(&s.p);
	assert_int_equal(s.t.flags & TRACK_UNREADABLE, 0);
}

static void beyond_the_end_nothing_waits(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 1001);
	s.t.flags = TRACK_WAITED;
	join_log(&s.p);
	assert_int_equal(s.t.beyond_pass, 200);
	assert_int_equal(s.t.flags, 0);
	s.cluster.passes++;
	join_log(&s.p);
	assert_int_equal(s.t.beyond_pass, 200);
	s.t.offset = 1000;
	join_log(&s.p);
	assert_int_equal(s.t.beyond_pass, 0);
	s.t.offset = 0;
	s.t.clear_end = 900;
	s.t.generation = 3;
	join_log(&s.p);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
}

/* --- further away --- */

static void the_history_and_the_probe_make_it_older_only(void **state)
{
	struct scene s;
	struct history h = {0};

	(void)state;
	begin(&s);
	commits(&s, 300, 600);
	s.t.oldest_ms = NOW_MS - 50 * S;
	assert_false(track_history(&s.t, &h));
	s.t.flags = TRACK_WANTS_HISTORY | TRACK_AT_LEAST;
	assert_true(track_history(&s.t, &h)); /* it knows nothing */
	assert_int_equal(s.t.oldest_ms, NOW_MS - 50 * S);
	assert_int_equal(s.t.flags, TRACK_AT_LEAST);
	for (int64_t i = 0; i <= 10; i++)
		history_add(&h, NOW_MS - (200 - 10 * i) * S, 100 * i);
	s.t.flags = TRACK_WANTS_HISTORY | TRACK_AT_LEAST;
	assert_true(track_history(&s.t, &h));
	assert_true(s.t.oldest_ms < NOW_MS - 100 * S);
	assert_int_equal(s.t.flags, 0);
	/* A probe. */
	s.t.oldest_ms = NOW_MS - 50 * S;
	assert_true(track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_RECORD, 5));
	assert_int_equal(s.t.oldest_ms, NOW_MS - 50 * S);
	s.t.flags = TRACK_AT_LEAST;
	assert_false(track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_RECORD, 0));
	assert_true(track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_RECORD, 1));
	assert_int_equal(s.t.oldest_ms, 1);
	assert_int_equal(s.t.flags, TRACK_EXACT);
	s.t.flags = TRACK_AT_LEAST;
	s.t.oldest_ms = NOW_MS - 50 * S;
	track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_RECORD, NOW_MS);
	assert_int_equal(s.t.oldest_ms, NOW_MS - 50 * S);
}

static void a_probe_tells_up_to_where_nothing_is(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	commits(&s, 300, 600);
	s.t.oldest_ms = 9;
	s.t.clear_end = 950;
	assert_false(track_probe_answer(&s.t, &s.log, 601, 900, TRACK_PROBE_NOTHING, 0));
	assert_false(track_probe_answer(&s.t, &s.log, 600, 1001, TRACK_PROBE_NOTHING, 0));
	assert_true(track_probe_answer(&s.t, &s.log, 600, 950, TRACK_PROBE_NOTHING, 0));
	assert_int_equal(s.t.clear_end, 950);
	assert_int_equal(s.t.oldest_ms, 9);
	assert_false(track_read_empty(&s.t, &s.log));
	assert_true(track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_NOTHING, 0));
	assert_int_equal(s.t.clear_end, 1000);
	assert_int_equal(s.t.oldest_ms, 0);
	assert_true(track_read_empty(&s.t, &s.log));
	s.t.generation = 1;
	assert_false(track_read_empty(&s.t, &s.log));
	s.t.generation = 0;
	s.t.offset = 1000;
	assert_true(track_read_empty(&s.t, &s.log));
	s.t.offset = 1001;
	assert_false(track_read_empty(&s.t, &s.log));
	/* There is a record after all. */
	s.t.offset = 600;
	s.t.oldest_ms = 9;
	track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_RECORD, 0);
	assert_int_equal(s.t.clear_end, TRACK_UNKNOWN);
	assert_int_equal(s.t.oldest_ms, 0);
	s.t.clear_end = 600;
	s.t.oldest_ms = 9;
	track_probe_answer(&s.t, &s.log, 600, 1000, TRACK_PROBE_RECORD, 0);
	assert_int_equal(s.t.clear_end, 600);
	assert_int_equal(s.t.oldest_ms, 9);
}

static void a_probe_holds_further_on_but_not_back(void **state)
{
	static const struct {
		int64_t before, offset;
		enum track_probe want;
	} CASES[] = {
		{600, 700, TRACK_PROBE_NOTHING},
		{600, 900, TRACK_PROBE_NOTHING},
		{600, 901, TRACK_PROBE_NONE},
		{600, 599, TRACK_PROBE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct scene s;

		begin(&s);
		commits(&s, CASES[i].before, CASES[i].offset);
		s.t.probe = TRACK_PROBE_NOTHING;
		s.t.probe_end = 900;
		join_move(&s.p);
		assert_int_equal(s.t.probe, CASES[i].want);
		commits(&s, 600, 700);
		s.t.probe = TRACK_PROBE_RECORD;
		join_move(&s.p);
		assert_int_equal(s.t.probe, TRACK_PROBE_NONE);
	}
}

/* --- publishing --- */

static enum status publish(struct commit_track *t, enum status status, int64_t at_s)
{
	const struct verdict v = {.status = status, .reason = REASON_NO_COMMITS};
	const struct rules rules = {.raise_after = 3, .clear_after = 2};

	(void)track_publish(t, &v, &rules, at_s * S);
	return (enum status)t->status;
}

static void worse_and_better_are_published_after_so_many_passes(void **state)
{
	struct commit_track t = {.status = STATUS_OK};

	(void)state;
	assert_int_equal(publish(&t, STATUS_WARN, 1), STATUS_OK);
	assert_int_equal(publish(&t, STATUS_STOP, 2), STATUS_OK); /* worse still is on the way */
	assert_int_equal(publish(&t, STATUS_STOP, 2), STATUS_OK); /* the same pass again */
	assert_int_equal(publish(&t, STATUS_OK, 3), STATUS_OK);
	assert_int_equal(t.pending_count, 0);
	for (int64_t i = 4; i < 6; i++)
		assert_int_equal(publish(&t, STATUS_WARN, i), STATUS_OK);
	assert_int_equal(publish(&t, STATUS_WARN, 6), STATUS_WARN);
	assert_int_equal(t.since_ms, 6 * S);
	assert_int_equal(t.after_err, 0);
	assert_int_equal(t.reason, REASON_NO_COMMITS);
	for (int64_t i = 7; i < 9; i++)
		assert_int_equal(publish(&t, STATUS_STALL, i), STATUS_WARN);
	assert_int_equal(publish(&t, STATUS_STALL, 9), STATUS_STALL);
	/* Of the same severity. */
	for (int64_t i = 10; i < 12; i++)
		assert_int_equal(publish(&t, STATUS_REWIND, i), STATUS_STALL);
	assert_int_equal(publish(&t, STATUS_REWIND, 12), STATUS_REWIND);
	assert_int_equal(publish(&t, STATUS_WARN, 13), STATUS_REWIND);
	assert_int_equal(publish(&t, STATUS_OK, 14), STATUS_OK);
	assert_int_equal(t.after_err, 1);
	/* Another way counts anew. */
	assert_int_equal(publish(&t, STATUS_WARN, 15), STATUS_OK);
	assert_int_equal(publish(&t, STATUS_WARN, 16), STATUS_OK);
	assert_int_equal(publish(&t, STATUS_OK, 17), STATUS_OK);
	t.status = STATUS_STOP;
	assert_int_equal(publish(&t, STATUS_WARN, 18), STATUS_STOP);
	t.pending_count = 255;
	t.pending = STATUS_OK;
	t.pending_at_ms = 19 * S;
	assert_int_equal(publish(&t, STATUS_OK, 20), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owning_begins_at_the_end_of_the_log),
		cmocka_unit_test(what_came_while_a_group_without_a_commit_was_away_does_not_count),
		cmocka_unit_test(nobody_owns_it_when_a_stable_group_says_so),
		cmocka_unit_test(what_was_never_committed_is_over_without_an_owner),
		cmocka_unit_test(a_topic_is_left_at_once_or_after_five_minutes),
		cmocka_unit_test(a_window_rises_at_a_rate),
		cmocka_unit_test(what_is_redone_is_two_intervals_of_reading),
		cmocka_unit_test(what_is_redone_does_not_wait_and_more_is_a_rewind),
		cmocka_unit_test(a_reset_is_accepted_with_the_third_rise_after_half_a_window),
		cmocka_unit_test(a_rewind_ends_where_it_began),
		cmocka_unit_test(the_first_commit_knows_of_nothing_that_was_clear),
		cmocka_unit_test(intervals_are_learned_while_messages_wait),
		cmocka_unit_test(an_interval_of_an_alarm_is_marked),
		cmocka_unit_test(the_first_interval_begins_when_it_was_owned),
		cmocka_unit_test(without_a_log_only_commits_are_joined),
		cmocka_unit_test(messages_wait_from_offset_zero_on),
		cmocka_unit_test(in_another_log_all_begins_anew),
		cmocka_unit_test(messages_are_lost_if_they_waited),
		cmocka_unit_test(one_message_where_reading_ended_is_a_marker),
		cmocka_unit_test(nothing_waits_at_the_end_or_where_it_is_clear),
		cmocka_unit_test(a_commit_that_leaves_nothing_is_as_good_as_progress),
		cmocka_unit_test(what_nobody_can_read_begins_to_wait_when_the_transaction_ends),
		cmocka_unit_test(beyond_the_end_nothing_waits),
		cmocka_unit_test(the_history_and_the_probe_make_it_older_only),
		cmocka_unit_test(a_probe_tells_up_to_where_nothing_is),
		cmocka_unit_test(a_probe_holds_further_on_but_not_back),
		cmocka_unit_test(worse_and_better_are_published_after_so_many_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
