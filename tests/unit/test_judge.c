/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/verdicts/play.h"

/* What is published at the end, and why. */
#define ASSERT_IS(p, want_status, want_reason)                                                     \
	do {                                                                                       \
		assert_string_equal(status_str((enum status)(p)->commit.status),                   \
				    status_str(want_status));                                      \
		assert_string_equal(reason_str((enum reason)(p)->commit.reason),                   \
				    reason_str(want_reason));                                      \
	} while (0)

static void begin(struct play *p)
{
	play_init(p, 10);
	play_members(p, 1, TRACK_OWNER_PRESENT);
}

/* A consumer that has worked well for so many passes. */
static void begin_healthy(struct play *p, int passes)
{
	begin(p);
	assert_int_equal(play_on(p, passes, 200, true, 4), STATUS_OK);
}

/* --- rule 1 --- */

static void blindness_raises_and_clears_nothing(void **state)
{
	struct play p;
	struct verdict v;

	(void)state;
	begin_healthy(&p, 30);
	struct judge_input in = play_input(&p);
	in.now_ms += 3600 * INT64_C(1000);
	judge(&in, &v);
	assert_true(v.hold);
	assert_int_equal(v.reason, REASON_NO_DATA);
	assert_int_equal(v.status, STATUS_OK);
	play_on(&p, 12, 200, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
	in.now_ms = p.now_ms + 3600 * INT64_C(1000);
	judge(&in, &v);
	assert_true(v.hold);
	assert_int_equal(v.status, STATUS_STOP);
}

static void a_partition_without_a_leader_keeps_its_verdict(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	p.log_fails = true;
	assert_int_equal(play_on(&p, 100, 0, false, 0), STATUS_OK);
	p.log_fails = false;
	assert_int_equal(play_on(&p, 4, 200, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 20, 200, true, 4), STATUS_OK);
}

static void time_that_was_not_seen_is_not_counted_as_silence(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_on(&p, 2, 200, false, 0);
	p.now_ms += 300 * INT64_C(1000); /* broker and agent are away */
	assert_int_equal(play_on(&p, 3, 200, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 20, 200, true, 4), STATUS_OK);
}

static void an_alarm_survives_a_long_blindness(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_on(&p, 12, 200, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
	p.now_ms += 3600 * INT64_C(1000);
	for (int i = 0; i < 10; i++) {
		play_on(&p, 1, 200, false, 0);
		assert_int_equal(p.commit.status, STATUS_STOP);
	}
}

static void an_unknown_topic_is_no_data(void **state)
{
	struct play p;
	struct verdict v;

	(void)state;
	begin_healthy(&p, 5);
	struct judge_input in = play_input(&p);
	in.log = NULL;
	judge(&in, &v);
	assert_int_equal(v.reason, REASON_NO_DATA);
	assert_int_equal(v.lag, TRACK_UNKNOWN);
}

/* --- rule 2 --- */

static void the_first_passes_are_ok_and_incomplete(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	p.end = 1000;
	p.committed = 10;
	p.arrival_ms = p.now_ms - 3600 * INT64_C(1000);
	for (int i = 0; i < 2; i++) {
		play_pass(&p);
		assert_int_equal(p.verdict.reason, REASON_WARMING_UP);
		assert_true(p.verdict.complete > 0 && p.verdict.complete < 0.1F);
	}
	assert_int_equal(p.commit.status, STATUS_OK);
}

/* --- rule 3 --- */

static void an_offset_beyond_the_end_is_a_rewind_as_long_as_it_lasts(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 10);
	play_commit(&p, 100000);
	play_pass(&p);
	assert_int_equal(p.verdict.status, STATUS_OK);
	play_on(&p, 2, 5, false, 0);
	ASSERT_IS(&p, STATUS_REWIND, REASON_OFFSET_BEYOND_END);
	assert_int_equal(p.verdict.lag, 0);
	play_on(&p, 300, 5, false, 0);
	ASSERT_IS(&p, STATUS_REWIND, REASON_OFFSET_BEYOND_END);
}

static void a_recreated_topic_that_is_followed_is_no_rewind(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	p.end = 50;
	play_commit(&p, 40);
	assert_int_equal(play_pass(&p), STATUS_OK);
	assert_int_equal(play_on(&p, 30, 200, true, 4), STATUS_OK);
	assert_int_equal(p.log.generation, 1);
	/* The commits may come some passes later. */
	p.end = 20;
	play_pass(&p);
	assert_int_equal(play_on(&p, 30, 200, true, 4), STATUS_OK);
}

static void lost_messages_of_a_dead_consumer_are_a_stop_at_once(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 10);
	play_on(&p, 3, 200, false, 0);
	p.start = p.end;
	play_on(&p, 4, 200, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_DATA_LOSS);
	assert_int_equal(p.verdict.lost, p.start - p.committed);
	assert_int_equal(p.verdict.lag, 800);
	play_on(&p, 3, 200, true, 4);
	ASSERT_IS(&p, STATUS_OK, REASON_KEEPING_UP);
	assert_int_equal(p.verdict.lost, 0);
}

static void lost_messages_with_nothing_left_are_shown_for_half_an_hour(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 10);
	play_on(&p, 3, 200, false, 0);
	p.start = p.end;
	play_on(&p, 20, 0, false, 0);
	ASSERT_IS(&p, STATUS_WARN, REASON_DATA_LOSS);
	play_on(&p, 140, 0, false, 0);
	ASSERT_IS(&p, STATUS_WARN, REASON_DATA_LOSS);
	play_on(&p, 30, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP);
}

static void an_acknowledged_loss_is_shown_no_more(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 10);
	play_on(&p, 3, 200, false, 0);
	p.start = p.end;
	play_on(&p, 4, 0, false, 0);
	ASSERT_IS(&p, STATUS_WARN, REASON_DATA_LOSS);
	assert_true(track_acknowledge_loss(&p.commit));
	assert_false(track_acknowledge_loss(&p.commit));
	play_on(&p, 2, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP);
}

static void retention_that_takes_what_was_read_loses_nothing(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 30, 200, true, 0);
	p.start = p.end; /* all */
	assert_int_equal(play_on(&p, 10, 0, false, 0), STATUS_OK);
	/* All but a marker was read, then the marker goes, too. */
	begin(&p);
	play_on(&p, 30, 200, true, 1);
	p.start = p.end;
	assert_int_equal(play_on(&p, 10, 0, false, 0), STATUS_OK);
	assert_int_equal(p.verdict.lost, 0);
}

static void a_rare_committer_has_read_what_retention_takes(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	for (int i = 0; i < 20; i++) {
		play_on(&p, 4, 100, false, 0);
		play_on(&p, 1, 100, true, 0);
		p.start = p.end - (i % 2 == 0 ? 0 : 50);
	}
	play_on(&p, 2, 100, false, 0);
	p.start = p.end - 20;
	assert_int_equal(play_on(&p, 2, 100, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 1, 100, true, 0), STATUS_OK);
}

/* --- rule 4 --- */

static void when_nothing_waits_silence_is_fine(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 30, 200, true, 0);
	play_members(&p, 0, TRACK_OWNER_NONE);
	assert_int_equal(play_on(&p, 1000, 0, false, 0), STATUS_OK);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP);
	assert_int_equal(p.verdict.time_lag_ms, 0);
}

static void an_allowed_lag_counts_as_none(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	p.rules.allowed_lag = 1000;
	assert_int_equal(play_on(&p, 100, 1, false, 0), STATUS_OK);
	p.end += 2000;
	assert_int_equal(play_on(&p, 10, 1, false, 0), STATUS_STOP);
}

static void the_probe_finds_that_nothing_waits(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 30, 200, true, 50);
	play_on(&p, 10, 0, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
	struct judge_input in = play_input(&p);
	assert_true(judge_wants_probe(&in, &p.verdict));
	assert_false(track_probe_answer(&p.commit, &p.log, 7, p.end, TRACK_PROBE_NOTHING, 0));
	assert_true(
		track_probe_answer(&p.commit, &p.log, p.committed, p.end, TRACK_PROBE_NOTHING, 0));
	assert_false(judge_wants_probe(&in, &p.verdict));
	play_on(&p, 2, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP);
	/* What comes later waits from when it came. */
	assert_int_equal(play_on(&p, 5, 10, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 5, 10, false, 0), STATUS_STOP);
}

/* What the aggregator does with an answer that came with a pass. */
static bool answer(struct play *p, int64_t end, enum track_probe what, int64_t record_ms)
{
	struct judge_input in = play_input(p);

	if (!track_probe_answer(&p->commit, &p->log, p->committed, end, what, record_ms))
		return false;
	(void)track_pass(&p->commit, &p->log, in.group, &p->cluster, p->now_ms);
	judge(&in, &p->verdict);
	return true;
}

static bool wants_probe(const struct play *p)
{
	struct judge_input in = play_input(p);

	return judge_wants_probe(&in, &p->verdict);
}

static void lag_is_nothing_when_nothing_was_found(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	assert_int_equal(p.verdict.lag, 4);
	assert_false(wants_probe(&p)); /* it moves */
	play_on(&p, 2, 0, false, 0);
	assert_true(wants_probe(&p));
	assert_true(answer(&p, p.end, TRACK_PROBE_NOTHING, 0));
	assert_int_equal(p.verdict.lag, 0);
	assert_int_equal(p.verdict.time_lag_ms, 0);
	assert_false(wants_probe(&p));
	play_on(&p, 2, 0, false, 0);
	assert_int_equal(p.verdict.lag, 0);
	/* A commit further on, where nothing is either. */
	play_commit(&p, p.committed + 2);
	play_pass(&p);
	assert_int_equal(p.verdict.lag, 0);
	/* The same offset is committed again. */
	play_commit(&p, p.committed);
	play_pass(&p);
	assert_int_equal(p.verdict.lag, 0);
	/* Back, where something may be. */
	play_commit(&p, p.committed - 4);
	play_pass(&p);
	assert_int_equal(p.verdict.lag, 6);
	assert_true(answer(&p, p.end, TRACK_PROBE_NOTHING, 0));
	assert_int_equal(p.verdict.lag, 0);
	/* Another log. */
	p.end = 10;
	play_on(&p, 2, 5, false, 0);
	assert_int_not_equal(p.verdict.reason, REASON_CAUGHT_UP);
}

static void what_comes_behind_nothing_waits_from_when_it_came(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_on(&p, 5, 0, false, 0);
	int64_t end = p.end;
	play_on(&p, 2, 10, false, 0);
	int64_t before_ms = p.verdict.time_lag_ms;
	/* The answer is about the log as it was asked. */
	assert_true(answer(&p, end, TRACK_PROBE_NOTHING, 0));
	assert_int_equal(p.verdict.lag, 24);
	assert_true(p.verdict.time_lag_ms > 0 && p.verdict.time_lag_ms <= 20000);
	assert_true(p.verdict.time_lag_ms < before_ms);
	/* Beyond what is known of the log nothing is believed. */
	assert_false(answer(&p, p.end + 1, TRACK_PROBE_NOTHING, 0));
}

static void a_record_is_no_marker(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 30, 200, true, 1);
	play_on(&p, 20, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP); /* one message: taken for a marker */
	assert_int_equal(p.verdict.lag, 1);
	assert_true(wants_probe(&p));
	assert_true(answer(&p, p.end, TRACK_PROBE_RECORD, p.now_ms - 200000));
	assert_true(p.verdict.time_lag_ms >= 190000);
	play_on(&p, 2, 0, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
	/* Compaction removes it after all. */
	assert_true(wants_probe(&p));
	assert_true(answer(&p, p.end, TRACK_PROBE_NOTHING, 0));
	play_on(&p, 2, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP);
	assert_int_equal(p.verdict.lag, 0);
}

static void a_record_tells_since_when_what_nobody_saw_waits(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	p.end = 1000;
	play_commit(&p, 900);
	play_on(&p, 5, 0, false, 0);
	assert_true(p.verdict.time_lag_at_least);
	assert_true(wants_probe(&p));
	assert_true(answer(&p, p.end, TRACK_PROBE_RECORD, p.now_ms - 7654321));
	assert_false(p.verdict.time_lag_at_least);
	assert_int_equal(p.verdict.time_lag_ms, 7654321);
}

static void without_an_answer_the_rules_go_on(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_on(&p, 3, 0, false, 0);
	assert_true(answer(&p, p.end, TRACK_PROBE_UNKNOWN, 0));
	assert_int_equal(p.verdict.lag, 4);
	assert_int_equal(play_on(&p, 10, 0, false, 0), STATUS_STOP);
}

static void nobody_asks_where_it_does_not_matter(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 2, 0, true, 0);
	assert_false(wants_probe(&p)); /* warming up */
	begin(&p);
	play_on(&p, 30, 200, true, 0);
	play_on(&p, 5, 0, false, 0);
	assert_false(wants_probe(&p)); /* no lag */
	begin_healthy(&p, 30);
	p.rules.ignore = true;
	play_on(&p, 5, 0, false, 0);
	assert_false(wants_probe(&p));
	p.rules.ignore = false;
	p.start = p.end;
	play_on(&p, 2, 0, false, 0);
	assert_false(wants_probe(&p)); /* all of it is deleted */
	begin_healthy(&p, 30);
	p.stable = p.committed;
	play_on(&p, 5, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_OPEN_TRANSACTION);
	assert_false(wants_probe(&p));
}

static void markers_before_an_open_transaction_change_nothing(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	p.stable = p.end;
	play_on(&p, 3, 20, false, 0);
	assert_int_not_equal(p.verdict.reason, REASON_OPEN_TRANSACTION);
	assert_true(answer(&p, p.stable, TRACK_PROBE_NOTHING, 0));
	assert_int_equal(p.verdict.reason, REASON_OPEN_TRANSACTION);
	assert_int_equal(play_on(&p, 100, 20, false, 0), STATUS_OK);
	ASSERT_IS(&p, STATUS_OK, REASON_OPEN_TRANSACTION);
}

static void an_open_transaction_is_nobodys_fault(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 30, 200, true, 0);
	p.stable = p.end;
	assert_int_equal(play_on(&p, 100, 20, false, 0), STATUS_OK);
	ASSERT_IS(&p, STATUS_OK, REASON_OPEN_TRANSACTION);
	assert_true(p.verdict.elapsed_ms > 900 * INT64_C(1000));
}

/* --- rule 5 --- */

static void a_step_back_beyond_what_is_redone_is_a_rewind(void **state)
{
	static const struct {
		const char *what;
		int64_t back;
		enum status want;
	} CASES[] = {
		{"one message", 1, STATUS_OK},
		{"what is read in a second", 20, STATUS_OK},
		{"what is read in ten seconds", 200, STATUS_OK},
		{"what is read in a minute", 1200, STATUS_REWIND},
		{"all", 6000, STATUS_REWIND},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct play p;

		begin_healthy(&p, 30);
		int64_t from = p.committed;
		play_commit(&p, MAX(p.committed - CASES[i].back, (int64_t)0));
		play_pass(&p);
		play_pass(&p);
		if (p.commit.status != CASES[i].want)
			fail_msg("%s: %s", CASES[i].what, status_str(p.commit.status));
		/* Passing the old highest ends it. */
		play_commit(&p, from + 1);
		play_pass(&p);
		play_pass(&p);
		assert_int_equal(p.commit.status, STATUS_OK);
	}
}

static void a_reset_is_accepted_after_steady_reading(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 200, 2000, true, 4);
	int64_t c = 0;
	play_commit(&p, c);
	play_pass(&p);
	for (int i = 0; i < 28; i++) {
		p.end += 10;
		play_commit(&p, c += 100);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_REWIND, REASON_WENT_BACKWARDS);
	for (int i = 0; i < 6; i++) {
		p.end += 10;
		play_commit(&p, c += 100);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_OK, REASON_CATCHING_UP);
	assert_true(p.verdict.eta_ms > 0);
	play_on(&p, 10, 10, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
}

/* --- rule 6 --- */

static void a_dead_consumer_is_found_in_time(void **state)
{
	static const struct {
		const char *what;
		int interval_s, commit_passes;
		int64_t within_s;
	} CASES[] = {
		{"quick, 10 s", 10, 1, 60},   {"quick, 1 s", 1, 1, 60},
		{"quick, 60 s", 60, 1, 180},  {"every 50 s", 10, 5, 150},
		{"every 5 min", 10, 30, 900}, {"every 50 min", 60, 50, 3600},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct play p;
		int passes = 0;

		play_init(&p, CASES[i].interval_s);
		play_members(&p, 1, TRACK_OWNER_PRESENT);
		for (int k = 0; k < 100; k++) {
			play_on(&p, CASES[i].commit_passes - 1, 100, false, 0);
			play_on(&p, 1, 100, true, 0);
		}
		while (play_on(&p, 1, 100, false, 0) == STATUS_OK && passes < 10000)
			passes++;
		if ((passes + 1) * CASES[i].interval_s >
		    CASES[i].within_s + 3 * CASES[i].interval_s)
			fail_msg("%s: %d passes", CASES[i].what, passes);
		ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
		if (CASES[i].commit_passes > 1)
			assert_true(passes > CASES[i].commit_passes);
	}
}

static void the_clock_starts_with_the_oldest_unread_message(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_on(&p, 30, 200, true, 0);
	play_on(&p, 360, 0, false, 0);
	assert_int_equal(play_on(&p, 6, 1, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 3, 1, false, 0), STATUS_STOP);
}

static void a_redeploy_of_40_s_alarms_nobody(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	for (int i = 0; i < 10; i++) {
		play_members(&p, 0, TRACK_OWNER_NONE);
		assert_int_equal(play_on(&p, 4, 200, false, 0), STATUS_OK);
		play_members(&p, 1, TRACK_OWNER_PRESENT);
		assert_int_equal(play_on(&p, 1, 200, false, 0), STATUS_OK);
		assert_int_equal(play_on(&p, 10, 200, true, 4), STATUS_OK);
	}
}

static void a_redeploy_late_between_rare_commits_alarms_nobody(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	for (int k = 0; k < 12; k++) {
		play_on(&p, 19, 100, false, 0);
		play_on(&p, 1, 100, true, 0);
	}
	play_on(&p, 19, 100, false, 0);
	play_members(&p, 0, TRACK_OWNER_NONE);
	assert_int_equal(play_on(&p, 15, 100, false, 0), STATUS_OK);
}

static void a_clockwork_of_hours_may_be_a_little_late(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 60);
	for (int i = 0; i < 10; i++) {
		play_on(&p, 119, 10, false, 0);
		play_on(&p, 1, 10, true, 0);
	}
	assert_int_equal(play_on(&p, 128, 10, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 40, 10, false, 0), STATUS_STOP);
}

static void a_group_that_lost_its_members_is_called_sooner(void **state)
{
	struct play p;
	int passes = 0;

	(void)state;
	begin(&p);
	for (int k = 0; k < 30; k++) {
		play_on(&p, 4, 100, false, 0);
		play_on(&p, 1, 100, true, 0);
	}
	play_members(&p, 0, TRACK_OWNER_NONE);
	while (play_on(&p, 1, 100, false, 0) == STATUS_OK)
		passes++;
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_MEMBERS);
	assert_in_range(passes, 6, 10);
}

static void a_simple_consumer_is_judged_by_its_commits(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 10);
	assert_int_equal(play_on(&p, 100, 200, true, 4), STATUS_OK);
	play_on(&p, 8, 200, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
}

static void only_what_came_since_it_is_owned_waits_for_a_first_commit(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	p.end = 100000;
	assert_int_equal(play_on(&p, 100, 0, false, 0), STATUS_OK);
	assert_int_equal(p.verdict.lag, TRACK_UNKNOWN);
	assert_int_equal(play_on(&p, 11, 1, false, 0), STATUS_OK);
	play_on(&p, 4, 1, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NEVER_COMMITTED);
	play_on(&p, 3, 1, true, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_CAUGHT_UP);
}

static void a_topic_that_the_group_left_never_alarms(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_members(&p, 1, TRACK_OWNER_NONE);
	p.subscription = TRACK_SUBSCRIPTION_NO;
	assert_int_equal(play_on(&p, 100, 200, false, 0), STATUS_OK);
	ASSERT_IS(&p, STATUS_OK, REASON_ABANDONED);
	assert_false(p.verdict.counted);
	/* Neither when retention passes it, nor when the group goes. */
	p.start = p.end - 50;
	assert_int_equal(play_on(&p, 20, 200, false, 0), STATUS_OK);
	play_members(&p, 0, TRACK_OWNER_NONE);
	assert_int_equal(play_on(&p, 100, 200, false, 0), STATUS_OK);
	/* Back again, and dead. */
	play_members(&p, 1, TRACK_OWNER_PRESENT);
	p.subscription = TRACK_SUBSCRIPTION_YES;
	play_on(&p, 30, 200, true, 4);
	play_on(&p, 10, 200, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
}

static void without_subscriptions_an_unowned_partition_warns_for_5_minutes(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_members(&p, 1, TRACK_OWNER_NONE);
	assert_int_equal(play_on(&p, 28, 200, false, 0), STATUS_WARN);
	ASSERT_IS(&p, STATUS_WARN, REASON_UNOWNED);
	play_on(&p, 6, 200, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_ABANDONED);
}

static void subscribed_but_given_to_nobody_is_a_stop(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_members(&p, 1, TRACK_OWNER_NONE);
	p.subscription = TRACK_SUBSCRIPTION_YES;
	play_on(&p, 40, 200, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_UNASSIGNED);
}

/* --- rule 7 --- */

static void a_stuck_consumer_is_a_stall(void **state)
{
	struct play p;
	int passes = 0;

	(void)state;
	begin_healthy(&p, 30);
	for (; p.commit.status == STATUS_OK && passes < 100; passes++) {
		p.end += 200;
		play_commit(&p, p.committed);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_STALL, REASON_NO_PROGRESS);
	assert_in_range(passes, 6, 9);
	play_on(&p, 3, 200, true, 4);
	ASSERT_IS(&p, STATUS_OK, REASON_KEEPING_UP);
}

static void a_crash_loop_of_small_rewinds_is_a_stall(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	int64_t top = p.committed;
	for (int i = 0; i < 20; i++) {
		p.end += 200;
		play_commit(&p, top - (i % 3) * INT64_C(20));
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_STALL, REASON_REWIND_LOOP);
}

static void where_repeated_commits_cannot_be_seen_members_decide(void **state)
{
	struct play p;

	(void)state;
	for (uint32_t members = 0; members < 2; members++) {
		begin(&p);
		for (int i = 0; i < 30; i++) {
			p.end += 200;
			play_commit(&p, p.end - 4);
			p.commit_time_ms = TRACK_UNKNOWN;
			play_pass(&p);
		}
		play_members(&p, members, members > 0 ? TRACK_OWNER_PRESENT : TRACK_OWNER_NONE);
		play_on(&p, 10, 200, false, 0);
		assert_int_equal(p.commit.status, members > 0 ? STATUS_STALL : STATUS_STOP);
	}
}

static void a_batch_consumer_has_a_pace_of_its_own(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	for (int i = 0; i < 200; i++) {
		p.end += 100;
		play_commit(&p, i % 9 == 8 ? p.end : MAX(p.committed, (int64_t)0));
		assert_int_equal(play_pass(&p), STATUS_OK);
	}
}

/* --- rule 8 and 9 --- */

static void too_slow_is_a_warning(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 60);
	int64_t c = p.committed;
	for (int i = 0; i < 20; i++) {
		p.end += 300;
		play_commit(&p, c += 150);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_WARN, REASON_FALLING_BEHIND);
	/* One dip does not clear it. */
	play_commit(&p, c += 400);
	play_pass(&p);
	p.end += 300;
	play_commit(&p, c += 150);
	play_pass(&p);
	ASSERT_IS(&p, STATUS_WARN, REASON_FALLING_BEHIND);
}

static void far_behind_but_stable_is_ok_without_a_bound(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	p.end = 500000;
	int64_t c = 0;
	for (int i = 0; i < 200; i++) {
		p.end += 300 + i % 3;
		play_commit(&p, c += 300 + (i + 1) % 3);
		assert_int_equal(play_pass(&p), STATUS_OK);
	}
	p.rules.max_time_lag_ms = 600 * INT64_C(1000);
	for (int i = 0; i < 3; i++) {
		p.end += 300;
		play_commit(&p, c += 300);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_WARN, REASON_TIME_LAG);
	/* Fast enough to be back within the bound in one window: no warning. */
	for (int i = 0; i < 12; i++) {
		p.end += 300;
		play_commit(&p, c += 20000);
		play_pass(&p);
	}
	assert_int_equal(p.commit.status, STATUS_OK);
}

static void a_backlog_that_is_eaten_is_catching_up(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	p.end = 36000;
	int64_t c = 0;
	for (int i = 0; i < 20; i++) {
		p.end += 200;
		play_commit(&p, c += 1300);
		assert_int_equal(play_pass(&p), STATUS_OK);
	}
	ASSERT_IS(&p, STATUS_OK, REASON_CATCHING_UP);
	assert_in_range(p.verdict.eta_ms, 100000, 160000);
	assert_true(p.verdict.time_lag_at_least);
}

static void ignored_partitions_are_shown_and_not_counted(void **state)
{
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	p.rules.ignore = true;
	assert_int_equal(play_on(&p, 50, 200, false, 0), STATUS_OK);
	assert_false(p.verdict.counted);
	p.rules.ignore = false;
	p.rules.maintenance_until_ms = p.now_ms + 300 * INT64_C(1000);
	assert_int_equal(play_on(&p, 29, 200, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 3, 200, false, 0), STATUS_STOP);
}

/* --- verdicts that others get wrong --- */

static void case_a_a_new_consumer_with_one_commit(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	p.end = 105;
	play_commit(&p, 100);
	assert_int_equal(play_pass(&p), STATUS_OK);
	assert_int_equal(play_on(&p, 3, 0, false, 0), STATUS_OK);
}

static void case_a0_a_restart_that_replays_one_commit(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 5);
	p.end = 103;
	play_commit(&p, 100);
	assert_int_equal(play_pass(&p), STATUS_OK);
	assert_int_equal(play_on(&p, 100, 3, true, 3), STATUS_OK);
}

static void case_b_the_second_rewind(void **state)
{
	static const int64_t OFFSETS[] = {100, 90, 110, 50, 60};
	struct play p;

	(void)state;
	play_init(&p, 5);
	p.end = 200;
	for (size_t i = 0; i < ARRAY_LEN(OFFSETS); i++) {
		play_commit(&p, OFFSETS[i]);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_REWIND, REASON_WENT_BACKWARDS);
	assert_int_equal(p.commit.rewind_from, 110);
	assert_int_equal(p.commit.rewind_to, 50);
}

static void case_c_a_topic_recreated_under_a_commit(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 5);
	p.end = 510;
	for (int i = 0; i < 5; i++) {
		play_commit(&p, 490 + 2 * i);
		play_pass(&p);
	}
	for (int i = 0; i < 5; i++) {
		p.end = 20 + i;
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_REWIND, REASON_OFFSET_BEYOND_END);
}

static void case_d_little_is_known_and_nothing_grows(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 5);
	p.end = 1000;
	for (int i = 0; i < 5; i++) {
		play_commit(&p, 460 + 10 * i);
		assert_int_equal(play_pass(&p), STATUS_OK);
	}
	assert_true(p.verdict.complete < 0.1F);
}

static void case_e_low_traffic(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(play_on(&p, 1, 1, true, 0), STATUS_OK);
		assert_int_equal(play_on(&p, 359, 0, false, 0), STATUS_OK);
	}
	p.end++;
	assert_int_equal(play_on(&p, 4, 0, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 20, 0, false, 0), STATUS_STOP);
}

static void case_f_silent_for_longer_than_ever(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, 60);
	p.end = 100;
	for (int i = 0; i < 5; i++) {
		play_commit(&p, 90 + i);
		play_pass(&p);
		play_on(&p, 119, 0, false, 0);
	}
	/* By now two hours are its habit. */
	play_commit(&p, 95);
	play_on(&p, 3, 0, false, 0);
	ASSERT_IS(&p, STATUS_OK, REASON_KEEPING_UP);
	p.end = 900000;
	assert_int_equal(play_on(&p, 117, 0, false, 0), STATUS_OK);
	play_on(&p, 60, 0, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
}

static void case_g_lag_grows_with_one_dip(void **state)
{
	static const int64_t ENDS[] = {1000, 1000, 5000, 9000, 90000};
	static const int64_t OFFSETS[] = {900, 950, 960, 970, 980};
	struct play p;
	enum status worst = STATUS_OK;

	(void)state;
	play_init(&p, 30);
	for (int i = 0; i < 40; i++) {
		p.end = i < 5 ? ENDS[i] : p.end + 5000;
		play_commit(&p, i < 5 ? OFFSETS[i] : p.committed + 10);
		worst = MAX(worst, play_pass(&p));
	}
	assert_int_equal(worst, STATUS_WARN);
	ASSERT_IS(&p, STATUS_WARN, REASON_FALLING_BEHIND);
}

static void case_h_zero_lag_once_then_stuck(void **state)
{
	static const int64_t ENDS[] = {100, 5000, 9000, 20000, 90000};
	struct play p;

	(void)state;
	play_init(&p, 30);
	for (int i = 0; i < 10; i++) {
		p.end = ENDS[MIN(i, 4)];
		play_commit(&p, 100);
		play_pass(&p);
	}
	ASSERT_IS(&p, STATUS_STALL, REASON_NO_PROGRESS);
}

static void cases_i_and_j_clocks_that_differ(void **state)
{
	static const int64_t SKEWS_MS[] = {-60000, 60000, -86400000, 86400000};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(SKEWS_MS); k++) {
		struct play p;

		play_init(&p, 5);
		for (int i = 0; i < 60; i++) {
			p.end += 25;
			play_commit(&p, p.end - 5);
			p.commit_time_ms += SKEWS_MS[k];
			assert_int_equal(play_pass(&p), STATUS_OK);
		}
		play_on(&p, 16, 2000, false, 0);
		ASSERT_IS(&p, STATUS_STOP, REASON_NO_COMMITS);
	}
}

static void case_k_owned_and_never_committed(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_pass(&p);
	p.end = 100000;
	play_on(&p, 16, 0, false, 0);
	ASSERT_IS(&p, STATUS_STOP, REASON_NEVER_COMMITTED);
}

static void case_l_the_marker_of_a_transaction(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	for (int i = 0; i < 10; i++) {
		/* Ten messages and a marker, then nothing for an hour. */
		p.end += 11;
		assert_int_equal(play_on(&p, 1, 0, false, 0), STATUS_OK);
		play_commit(&p, p.end - 1);
		assert_int_equal(play_on(&p, 360, 0, false, 0), STATUS_OK);
	}
	p.end += 11;
	assert_int_equal(play_on(&p, 5, 0, false, 0), STATUS_OK);
	assert_int_equal(play_on(&p, 10, 0, false, 0), STATUS_STOP);
}

/* --- the words --- */

static const char *explained(const struct play *p, struct buf *b)
{
	struct judge_input in = play_input(p);

	buf_reset(b);
	explain(&in, &p->verdict, b);
	return buf_str(b);
}

static void a_verdict_is_explained_with_its_numbers(void **state)
{
	CLEANUP(buf_free) struct buf b = {0};
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	play_on(&p, 20, 2000, false, 0);
	const char *s = explained(&p, &b);
	assert_non_null(strstr(s, "no commit has arrived for 3 min 20 s"));
	assert_non_null(strstr(s, "40,004 messages wait"));
	assert_non_null(strstr(s, "clears when commits arrive again"));
	assert_non_null(strstr(s, "(window 10 min, 8"));
}

static void every_reason_has_a_sentence(void **state)
{
	CLEANUP(buf_free) struct buf b = {0};
	struct play p;

	(void)state;
	begin_healthy(&p, 30);
	for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
		p.verdict.reason = (enum reason)r;
		assert_true(strlen(explained(&p, &b)) > 30);
		assert_string_not_equal(reason_str((enum reason)r), "none");
	}
}

static void a_group_is_as_bad_as_its_worst_partition(void **state)
{
	(void)state;
	assert_int_equal(status_of_group(STATUS_OK), STATUS_OK);
	assert_int_equal(status_of_group(STATUS_WARN), STATUS_WARN);
	assert_int_equal(status_of_group(STATUS_STOP), STATUS_ERR);
	assert_int_equal(status_of_group(STATUS_STALL), STATUS_ERR);
	assert_int_equal(status_of_group(STATUS_REWIND), STATUS_ERR);
	assert_string_equal(status_str(STATUS_NOTFOUND), "NOTFOUND");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blindness_raises_and_clears_nothing),
		cmocka_unit_test(a_partition_without_a_leader_keeps_its_verdict),
		cmocka_unit_test(time_that_was_not_seen_is_not_counted_as_silence),
		cmocka_unit_test(an_alarm_survives_a_long_blindness),
		cmocka_unit_test(an_unknown_topic_is_no_data),
		cmocka_unit_test(the_first_passes_are_ok_and_incomplete),
		cmocka_unit_test(an_offset_beyond_the_end_is_a_rewind_as_long_as_it_lasts),
		cmocka_unit_test(a_recreated_topic_that_is_followed_is_no_rewind),
		cmocka_unit_test(lost_messages_of_a_dead_consumer_are_a_stop_at_once),
		cmocka_unit_test(lost_messages_with_nothing_left_are_shown_for_half_an_hour),
		cmocka_unit_test(an_acknowledged_loss_is_shown_no_more),
		cmocka_unit_test(retention_that_takes_what_was_read_loses_nothing),
		cmocka_unit_test(a_rare_committer_has_read_what_retention_takes),
		cmocka_unit_test(when_nothing_waits_silence_is_fine),
		cmocka_unit_test(an_allowed_lag_counts_as_none),
		cmocka_unit_test(the_probe_finds_that_nothing_waits),
		cmocka_unit_test(lag_is_nothing_when_nothing_was_found),
		cmocka_unit_test(what_comes_behind_nothing_waits_from_when_it_came),
		cmocka_unit_test(a_record_is_no_marker),
		cmocka_unit_test(a_record_tells_since_when_what_nobody_saw_waits),
		cmocka_unit_test(without_an_answer_the_rules_go_on),
		cmocka_unit_test(nobody_asks_where_it_does_not_matter),
		cmocka_unit_test(markers_before_an_open_transaction_change_nothing),
		cmocka_unit_test(an_open_transaction_is_nobodys_fault),
		cmocka_unit_test(a_step_back_beyond_what_is_redone_is_a_rewind),
		cmocka_unit_test(a_reset_is_accepted_after_steady_reading),
		cmocka_unit_test(a_dead_consumer_is_found_in_time),
		cmocka_unit_test(the_clock_starts_with_the_oldest_unread_message),
		cmocka_unit_test(a_redeploy_of_40_s_alarms_nobody),
		cmocka_unit_test(a_redeploy_late_between_rare_commits_alarms_nobody),
		cmocka_unit_test(a_clockwork_of_hours_may_be_a_little_late),
		cmocka_unit_test(a_group_that_lost_its_members_is_called_sooner),
		cmocka_unit_test(a_simple_consumer_is_judged_by_its_commits),
		cmocka_unit_test(only_what_came_since_it_is_owned_waits_for_a_first_commit),
		cmocka_unit_test(a_topic_that_the_group_left_never_alarms),
		cmocka_unit_test(without_subscriptions_an_unowned_partition_warns_for_5_minutes),
		cmocka_unit_test(subscribed_but_given_to_nobody_is_a_stop),
		cmocka_unit_test(a_stuck_consumer_is_a_stall),
		cmocka_unit_test(a_crash_loop_of_small_rewinds_is_a_stall),
		cmocka_unit_test(where_repeated_commits_cannot_be_seen_members_decide),
		cmocka_unit_test(a_batch_consumer_has_a_pace_of_its_own),
		cmocka_unit_test(too_slow_is_a_warning),
		cmocka_unit_test(far_behind_but_stable_is_ok_without_a_bound),
		cmocka_unit_test(a_backlog_that_is_eaten_is_catching_up),
		cmocka_unit_test(ignored_partitions_are_shown_and_not_counted),
		cmocka_unit_test(case_a_a_new_consumer_with_one_commit),
		cmocka_unit_test(case_a0_a_restart_that_replays_one_commit),
		cmocka_unit_test(case_b_the_second_rewind),
		cmocka_unit_test(case_c_a_topic_recreated_under_a_commit),
		cmocka_unit_test(case_d_little_is_known_and_nothing_grows),
		cmocka_unit_test(case_e_low_traffic),
		cmocka_unit_test(case_f_silent_for_longer_than_ever),
		cmocka_unit_test(case_g_lag_grows_with_one_dip),
		cmocka_unit_test(case_h_zero_lag_once_then_stuck),
		cmocka_unit_test(cases_i_and_j_clocks_that_differ),
		cmocka_unit_test(case_k_owned_and_never_committed),
		cmocka_unit_test(case_l_the_marker_of_a_transaction),
		cmocka_unit_test(a_verdict_is_explained_with_its_numbers),
		cmocka_unit_test(every_reason_has_a_sentence),
		cmocka_unit_test(a_group_is_as_bad_as_its_worst_partition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
