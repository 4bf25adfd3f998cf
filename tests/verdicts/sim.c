/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/verdicts/sim.h"

#include <math.h>
#include <string.h>

#define STEP_MS 100
#define STEP_S 0.1

uint64_t sim_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

double sim_seconds(const struct sim *s)
{
	return (double)s->now_ms / 1000;
}

static bool within(double now, double from, double to)
{
	return from > 0 && now >= from && (to == 0 || now < to);
}

static bool in_cycle(double now, double every, double length)
{
	return every > 0 && fmod(now, every) < length;
}

static bool is_paused(const struct sim *s)
{
	const struct sim_plan *p = s->plan;
	double now = sim_seconds(s);

	if (p->pause_every > 0)
		return now > p->pause_at &&
		       in_cycle(now - p->pause_at, p->pause_every, p->pause_for);
	return p->pause_for > 0 && within(now, p->pause_at, p->pause_at + p->pause_for);
}

static bool is_dead(const struct sim *s)
{
	return within(sim_seconds(s), s->plan->dead_from, s->plan->dead_to);
}

bool sim_is_away(const struct sim *s)
{
	return is_dead(s) || within(sim_seconds(s), s->plan->stuck_from, s->plan->stuck_to);
}

static uint32_t members(const struct sim *s)
{
	if (s->plan->no_members || (is_dead(s) && !s->plan->dead_hangs))
		return 0;
	return is_paused(s) && s->plan->pause_leaves ? 0 : 1;
}

static bool comes_now(const struct sim *s, double every)
{
	return every > 0 && fmod(sim_seconds(s) + STEP_S / 2, every) < STEP_S;
}

static void produce(struct sim *s)
{
	const struct sim_plan *p = s->plan;
	double rate = p->produce;

	if (p->produce_until > 0 && sim_seconds(s) >= p->produce_until)
		return;
	if (in_cycle(sim_seconds(s), p->burst_every, p->burst_for))
		rate += p->burst;
	s->produced += rate * STEP_S + (comes_now(s, p->one_every) ? 1 : 0);
	if (comes_now(s, p->marker_every)) {
		s->produced = floor(s->produced) + 11;
		s->markers_end = (int64_t)s->produced;
	}
	s->end = (int64_t)s->produced;
}

/* A marker at the very end of the log is never passed. */
static double readable(const struct sim *s)
{
	return (double)(s->end == s->markers_end && s->end > 0 ? s->end - 1 : s->end);
}

static void read_on(struct sim *s)
{
	const struct sim_plan *p = s->plan;
	double now = sim_seconds(s);
	double rate = within(now, p->read_from_s, 0) ? p->read_then : p->read;

	if (is_paused(s) || sim_is_away(s))
		return;
	if (p->work_every > 0 && !in_cycle(now, p->work_every, p->work_for))
		return;
	double to = readable(s);
	if (rate > 0)
		to = fmin(to, s->position + rate * STEP_S);
	s->position = fmax(s->position, to);
}

static void commit(struct sim *s, int64_t offset)
{
	if (offset == s->committed && !s->plan->commit_same)
		return;
	s->committed = offset;
	s->committed_ms = s->now_ms;
}

static void commit_on(struct sim *s)
{
	const struct sim_plan *p = s->plan;
	int64_t offset = (int64_t)fmax(floor(s->position) - p->hold, 0);

	if (comes_now(s, p->rewind_at) && sim_seconds(s) < p->rewind_at + 1) {
		s->position *= p->rewind_to;
		commit(s, (int64_t)s->position);
		return;
	}
	if (is_paused(s) || is_dead(s))
		return;
	if (comes_now(s, p->jitter_every))
		commit(s, MAX(offset - (int64_t)p->jitter, (int64_t)0));
	if (s->now_ms < s->next_commit_ms)
		return;
	s->next_commit_ms = s->now_ms + (int64_t)(p->commit_every * 1000);
	if (offset > 0 || p->commit_same)
		commit(s, offset);
}

/* --- a pass --- */

static int64_t wall(const struct sim *s, int64_t ms)
{
	return SIM_START_MS + s->shift_ms + ms;
}

static void apply_log(struct sim *s, int64_t at_ms)
{
	struct track_log_row l = {0, s->end, TRACK_UNKNOWN, TRACK_UNKNOWN};

	track_log_row(&s->log, &s->cluster, at_ms, &l);
	history_add(&s->history, at_ms, s->end);
}

static void apply_group(struct sim *s, int64_t at_ms)
{
	uint32_t n = members(s);
	struct track_group_row g = {TRACK_PROTOCOL_CLASSIC,
				    n > 0 ? TRACK_GROUP_STABLE : TRACK_GROUP_EMPTY, TRACK_UNKNOWN,
				    n};

	if (!s->plan->no_members)
		track_group_row(&s->group, at_ms, &g);
}

static void apply_commit(struct sim *s, int64_t at_ms)
{
	int64_t arrival_ms = wall(s, s->committed_ms);
	struct track_commit_row c = {s->committed, arrival_ms + s->skew_ms, arrival_ms};

	if (s->plan->admin && s->committed >= 0) {
		c.time_ms = TRACK_UNKNOWN;
		c.arrival_ms = s->commit.version != 0 && s->commit.offset == s->committed
				       ? s->commit.arrival_ms
				       : at_ms;
	}
	if (s->committed < 0 && members(s) == 0)
		return;
	track_commit_row(&s->commit, &s->cluster, at_ms, &c);
	track_owner(&s->commit, members(s) > 0 ? TRACK_OWNER_PRESENT : TRACK_OWNER_NONE,
		    TRACK_SUBSCRIPTION_YES);
}

static void finish_pass(struct sim *s, int64_t at_ms)
{
	const struct group_track *g = s->plan->no_members ? NULL : &s->group;
	struct judge_input in = {&s->commit, &s->log, g, &s->cluster, &s->rules, at_ms};

	if (s->commit.version == 0)
		return;
	track_pass(&s->commit, &s->log, g, &s->cluster, at_ms);
	if (track_wants_history(&s->commit))
		track_history(&s->commit, &s->history);
	judge(&in, &s->verdict);
	track_publish(&s->commit, &s->verdict, &s->rules, at_ms);
}

static void apply_pass(struct sim *s)
{
	int64_t at_ms = wall(s, s->now_ms);

	track_cluster_pass(&s->cluster, at_ms, (uint32_t)s->interval_ms, s->rules.window_ms);
	if (s->reverse) {
		apply_commit(s, at_ms);
		apply_group(s, at_ms);
		apply_log(s, at_ms);
	} else {
		apply_log(s, at_ms);
		apply_group(s, at_ms);
		apply_commit(s, at_ms);
	}
	finish_pass(s, at_ms);
}

/* As after a restart: nothing survives but the bytes. */
static void reload(struct sim *s)
{
	unsigned char bytes[sizeof(struct commit_track) + sizeof(struct log_track)];

	memcpy(bytes, &s->commit, sizeof(s->commit));
	memcpy(bytes + sizeof(s->commit), &s->log, sizeof(s->log));
	memset(&s->commit, 0xa5, sizeof(s->commit));
	memset(&s->log, 0xa5, sizeof(s->log));
	memcpy(&s->commit, bytes, sizeof(s->commit));
	memcpy(&s->log, bytes + sizeof(s->commit), sizeof(s->log));
}

void sim_init(struct sim *s, const struct sim_plan *plan, int64_t interval_ms, uint64_t seed)
{
	*s = (struct sim){
		.plan = plan,
		.seed = seed * 2654435761u + 88172645463325252u,
		.committed = TRACK_UNKNOWN,
		.produced = plan->backlog,
		.end = (int64_t)plan->backlog,
		.interval_ms = interval_ms,
		.rules = RULES_DEFAULT,
	};
	s->next_pass_ms = (int64_t)(sim_random(&s->seed) % (uint64_t)interval_ms);
	s->next_commit_ms =
		(int64_t)(sim_random(&s->seed) % (uint64_t)(plan->commit_every * 1000 + 1));
}

void sim_pass(struct sim *s)
{
	const struct sim_plan *p = s->plan;

	while (s->now_ms < s->next_pass_ms) {
		s->now_ms += STEP_MS;
		produce(s);
		read_on(s);
		commit_on(s);
	}
	int64_t late_ms = (int64_t)(sim_random(&s->seed) % (uint64_t)(s->interval_ms / 20 + 1));
	s->next_pass_ms += s->interval_ms;
	if (p->blind_for > 0 && within(sim_seconds(s), p->blind_from, p->blind_from + p->blind_for))
		return;
	s->next_pass_ms += late_ms - s->interval_ms / 40;
	apply_pass(s);
	if (s->twice)
		apply_pass(s);
	if (s->reload)
		reload(s);
}

enum status sim_status(const struct sim *s)
{
	return s->commit.version == 0 ? STATUS_NOTFOUND : (enum status)s->commit.status;
}

enum reason sim_reason(const struct sim *s)
{
	return (enum reason)s->commit.reason;
}
