/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/judge.h"

#include <limits.h>

#include "aggregator/judge/pace.h"
#include "aggregator/judge/trend.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)

#define BLIND_INTERVALS 3
#define WARM_PASSES 3
#define BEYOND_PASSES 2
#define STILL_INTERVALS 2

/* Usual intervals without an event after which it counts as missing. */
#define STOP_INTERVALS 3
/* The same where the usual interval is not known yet. */
#define STOP_UNKNOWN_MS (2 * MINUTE_MS)
#define LEFT_MIN_MS MINUTE_MS
#define UNASSIGNED_MS (5 * MINUTE_MS)
#define LOSS_SHOWN_MS (30 * MINUTE_MS)

const struct rules RULES_DEFAULT = {
	.window_ms = 10 * MINUTE_MS,
	.stop_after_min_ms = MINUTE_MS,
	.stop_after_max_ms = 60 * MINUTE_MS,
	.warn_after_ms = MINUTE_MS,
	.expire_group_ms = 10080 * MINUTE_MS,
	.raise_after = 2,
	.clear_after = 2,
};

/* What the rules look at, taken from the tracks once. */
struct facts {
	const struct commit_track *t;
	const struct log_track *log;
	const struct group_track *group; /* NULL: no members ever */
	const struct cluster_track *cluster;
	const struct rules *rules;
	int64_t now_ms;
	bool waits; /* messages wait */
	bool has_members;
	int64_t silent_ms; /* no commit for; blind time not counted, here and below */
	int64_t waited_ms; /* the oldest unread message waits for */
	int64_t stop_after_ms;
};

static bool has_flag(const struct facts *f, unsigned flag)
{
	return (f->t->flags & flag) != 0;
}

static int64_t since(const struct facts *f, int64_t from_ms)
{
	return track_seen_ms(f->cluster, f->log, from_ms, f->now_ms);
}

/* Time is looked at once a pass, so the pass that is closest to the limit is the one that counts.
 */
static bool is_due(const struct facts *f, int64_t elapsed_ms, int64_t limit_ms)
{
	int64_t margin_ms = MIN((int64_t)f->cluster->interval_ms / 2, limit_ms / 12);

	return elapsed_ms + margin_ms >= limit_ms;
}

static bool decide(struct verdict *v, enum status status, enum reason reason)
{
	v->status = status;
	v->reason = reason;
	return true;
}

static bool decide_timed(struct verdict *v, enum status status, enum reason reason,
			 int64_t elapsed_ms, int64_t limit_ms)
{
	v->elapsed_ms = elapsed_ms;
	v->limit_ms = limit_ms;
	return decide(v, status, reason);
}

/* --- limits --- */

/* Three usual intervals, but not above the maximum unless one interval alone is: then that, and a
 * quarter of it for what no clockwork is free of. */
static int64_t times_usual_ms(const struct track_pace *p, const struct rules *r)
{
	int64_t usual_ms = pace_usual_ms(p);

	return MIN(usual_ms * STOP_INTERVALS, MAX(r->stop_after_max_ms, usual_ms + usual_ms / 4));
}

int64_t judge_stop_after_ms(const struct commit_track *t, const struct rules *r)
{
	int64_t least_ms = r->stop_after_min_ms;

	if (!pace_known(&t->commits))
		least_ms = MAX(least_ms, STOP_UNKNOWN_MS);
	return MAX(times_usual_ms(&t->commits, r), least_ms);
}

/* A consumer that works in long batches and commits all the time has a pace of its own. */
int64_t judge_stall_after_ms(const struct commit_track *t, const struct rules *r)
{
	int64_t least_ms = judge_stop_after_ms(t, r);

	if (!pace_known(&t->progress))
		least_ms = MAX(least_ms, STOP_UNKNOWN_MS);
	return MAX(times_usual_ms(&t->progress, r), least_ms);
}

/* --- the rules --- */

static bool hold(const struct facts *f, struct verdict *v, enum reason reason)
{
	v->hold = true;
	return decide(v, (enum status)f->t->status, reason);
}

static bool no_data(const struct facts *f, struct verdict *v)
{
	int64_t blind_ms = f->now_ms - f->cluster->last_ms;

	if (blind_ms > BLIND_INTERVALS * (int64_t)f->cluster->interval_ms)
		return hold(f, v, REASON_NO_DATA);
	if (f->log == NULL || f->log->end == TRACK_UNKNOWN || f->log->unknown_since_ms != 0)
		return hold(f, v, REASON_NO_DATA);
	return false;
}

static bool warming_up(const struct facts *f, struct verdict *v)
{
	uint32_t since_pass = MAX(f->t->first_pass, f->cluster->fresh_pass);

	if (f->cluster->passes - since_pass + 1 >= WARM_PASSES)
		return false;
	return hold(f, v, REASON_WARMING_UP);
}

/* A part of rule 6 that comes first, because leaving a topic is no reason to alarm of any kind. */
static bool abandoned(const struct facts *f, struct verdict *v)
{
	if (!has_flag(f, TRACK_ABANDONED))
		return false;
	v->counted = false;
	return decide(v, STATUS_OK, REASON_ABANDONED);
}

static bool beyond_end(const struct facts *f, struct verdict *v)
{
	if (f->t->beyond_pass == 0 || f->cluster->passes - f->t->beyond_pass + 1 < BEYOND_PASSES)
		return false;
	return decide(v, STATUS_REWIND, REASON_OFFSET_BEYOND_END);
}

/* Nobody reads on from behind the log start: dead or stuck, and no need to wait longer. */
static bool lost_and_still(const struct facts *f, struct verdict *v)
{
	int64_t still_ms = STILL_INTERVALS * (int64_t)f->cluster->interval_ms;
	int64_t unmoved_ms = since(f, f->t->offsets.at_ms);

	if (!f->waits || f->log->end <= f->log->start || unmoved_ms < still_ms)
		return false;
	if (f->silent_ms >= still_ms)
		return decide_timed(v, STATUS_STOP, REASON_DATA_LOSS, f->silent_ms, still_ms);
	return decide_timed(v, STATUS_STALL, REASON_DATA_LOSS, unmoved_ms, still_ms);
}

static bool data_loss(const struct facts *f, struct verdict *v)
{
	/* Within its usual time between commits a consumer may have read what is gone. */
	if (f->t->lost_at_ms == 0 || has_flag(f, TRACK_LOSS_SEEN) ||
	    f->silent_ms <= pace_usual_ms(&f->t->commits))
		return false;
	if (lost_and_still(f, v))
		return true;
	if (f->log->end <= f->log->start && since(f, f->log->start_moved_ms) > LOSS_SHOWN_MS)
		return false;
	return decide(v, STATUS_WARN, REASON_DATA_LOSS);
}

/* Messages that wait, if they do at all: what was there before a partition was owned does not. */
static int64_t waiting(const struct facts *f)
{
	int64_t from = f->t->offset < 0 ? f->t->owned_end : f->t->offset;

	return f->log->end - MAX(from, f->log->start);
}

static bool nothing_waits(const struct facts *f, struct verdict *v)
{
	if (has_flag(f, TRACK_UNREADABLE))
		return decide_timed(v, STATUS_OK, REASON_OPEN_TRANSACTION,
				    since(f, f->t->oldest_ms), 0);
	if (!f->waits || waiting(f) <= f->rules->allowed_lag)
		return decide(v, STATUS_OK, REASON_CAUGHT_UP);
	return false;
}

static bool went_backwards(const struct facts *f, struct verdict *v)
{
	if (f->t->rewind_at_ms == 0)
		return false;
	return decide_timed(v, STATUS_REWIND, REASON_WENT_BACKWARDS, since(f, f->t->rewind_at_ms),
			    f->rules->window_ms / 2);
}

static int64_t stop_elapsed_ms(const struct facts *f)
{
	return MIN(f->silent_ms, f->waited_ms);
}

/* The group had members and lost them all. */
static bool members_lost(const struct facts *f, struct verdict *v)
{
	int64_t limit_ms = MAX(f->stop_after_ms / 2, LEFT_MIN_MS);

	if (f->group == NULL || f->group->had_members == 0 || f->has_members)
		return false;
	int64_t elapsed_ms = MIN(stop_elapsed_ms(f), since(f, f->group->members_lost_ms));
	if (!is_due(f, elapsed_ms, limit_ms))
		return false;
	return decide_timed(v, STATUS_STOP, REASON_NO_MEMBERS, elapsed_ms, limit_ms);
}

static bool unowned(const struct facts *f, struct verdict *v)
{
	int64_t elapsed_ms = since(f, f->t->unowned_since_ms);

	if (f->t->unowned_since_ms == 0)
		return false;
	if (f->t->subscription != TRACK_SUBSCRIPTION_YES)
		return decide_timed(v, STATUS_WARN, REASON_UNOWNED, stop_elapsed_ms(f),
				    f->stop_after_ms);
	if (elapsed_ms < UNASSIGNED_MS)
		return false;
	return decide_timed(v, STATUS_STOP, REASON_UNASSIGNED, elapsed_ms, UNASSIGNED_MS);
}

static bool stopped(const struct facts *f, struct verdict *v)
{
	int64_t elapsed_ms = stop_elapsed_ms(f);

	if (members_lost(f, v))
		return true;
	if (!is_due(f, elapsed_ms, f->stop_after_ms))
		return false;
	if (unowned(f, v))
		return true;
	/* Where repeated commits cannot be seen, members that live tell stuck from dead. */
	if (has_flag(f, TRACK_MOVES_ONLY) && f->has_members)
		return false;
	enum reason reason = f->t->offset < 0 ? REASON_NEVER_COMMITTED : REASON_NO_COMMITS;
	return decide_timed(v, STATUS_STOP, reason, elapsed_ms, f->stop_after_ms);
}

static bool stalled(const struct facts *f, struct verdict *v)
{
	int64_t limit_ms = judge_stall_after_ms(f->t, f->rules);
	int64_t elapsed_ms = MIN(since(f, f->t->progress_ms), f->waited_ms);
	bool moves = f->t->offsets.at_ms > f->t->progress_at_ms &&
		     since(f, f->t->offsets.at_ms) < limit_ms;

	if (f->t->offset < 0 || !is_due(f, elapsed_ms, limit_ms))
		return false;
	return decide_timed(v, STATUS_STALL, moves ? REASON_REWIND_LOOP : REASON_NO_PROGRESS,
			    elapsed_ms, limit_ms);
}

/* Would the oldest unread message be young enough in one window from now, at this speed? */
static bool is_back_within_bound(const struct facts *f, const struct trend *tr)
{
	double ahead = tr->reads * (double)f->rules->window_ms / (double)SECOND_MS;
	int64_t passed_ms = 0;

	if (tr->reads <= tr->grows)
		return false;
	if ((double)f->t->offset + ahead >= (double)f->log->end)
		return true;
	bool found = window_passed(&f->log->ends, f->t->offset + (int64_t)ahead,
				   track_gap_ms(f->cluster), f->cluster->interval_ms, &passed_ms);
	return found && f->now_ms + f->rules->window_ms - passed_ms <= f->rules->max_time_lag_ms;
}

static bool falling_behind(const struct facts *f, struct verdict *v, const struct trend *tr)
{
	int64_t behind_ms = MIN(tr->behind_ms, f->waited_ms);
	int64_t max_ms = f->rules->max_time_lag_ms;

	if (tr->worse && is_due(f, behind_ms, f->rules->warn_after_ms))
		return decide_timed(v, STATUS_WARN, REASON_FALLING_BEHIND, behind_ms,
				    f->rules->warn_after_ms);
	if (max_ms > 0 && f->waited_ms > max_ms && !is_back_within_bound(f, tr))
		return decide_timed(v, STATUS_WARN, REASON_TIME_LAG, f->waited_ms, max_ms);
	return false;
}

/* Lag that has not grown old needs no look at the window, and that is nearly all of it. */
static bool is_young(const struct facts *f)
{
	return f->waited_ms < f->rules->warn_after_ms / 2 &&
	       (f->rules->max_time_lag_ms == 0 || f->waited_ms <= f->rules->max_time_lag_ms);
}

/* Rules 8 and 9 look at the same trend. */
static bool by_trend(const struct facts *f, struct verdict *v)
{
	struct trend tr = {0};

	if (!is_young(f))
		trend_of(f->t, f->log, f->cluster, f->now_ms - f->rules->window_ms,
			 f->rules->warn_after_ms, &tr);
	if (f->t->offset >= 0 && falling_behind(f, v, &tr))
		return true;
	v->rule = 9;
	if (tr.reads <= tr.grows || is_young(f))
		return decide(v, STATUS_OK, REASON_KEEPING_UP);
	double eta_ms = (double)v->lag / (tr.reads - tr.grows) * (double)SECOND_MS;
	v->eta_ms = (int64_t)MIN(eta_ms, 1e15);
	return decide(v, STATUS_OK, REASON_CATCHING_UP);
}

static const struct {
	uint8_t number;
	bool (*holds)(const struct facts *f, struct verdict *v);
} RULES[] = {
	{1, no_data},       {2, warming_up},     {6, abandoned}, {3, beyond_end}, {3, data_loss},
	{4, nothing_waits}, {5, went_backwards}, {6, stopped},   {7, stalled},    {8, by_trend},
};

/* --- the numbers --- */

static float complete(const struct facts *f)
{
	const struct cluster_track *c = f->cluster;
	int64_t window_ms = MAX(MIN(f->rules->window_ms, c->window_ms), (int64_t)1);
	int64_t from_ms = f->now_ms - window_ms;
	int64_t first_ms = MAX(f->t->first_seen_ms, c->first_ms) - c->interval_ms;

	int64_t seen_ms = track_seen_ms(c, NULL, MAX(from_ms, first_ms), f->now_ms);
	return (float)MIN(seen_ms, window_ms) / (float)window_ms;
}

static int64_t lag_of(const struct facts *f)
{
	const struct log_track *l = f->log;

	if (l == NULL || l->end == TRACK_UNKNOWN)
		return TRACK_UNKNOWN;
	if (track_read_empty(f->t, l))
		return 0;
	if (f->t->offset >= 0)
		return MAX(l->end - MAX(f->t->offset, l->start), (int64_t)0);
	return TRACK_UNKNOWN;
}

static struct facts gather(const struct judge_input *in)
{
	const struct commit_track *t = in->commit;
	const struct group_track *g = in->group;
	struct facts f = {
		.t = t,
		.log = in->log,
		.group = g,
		.cluster = in->cluster,
		.rules = in->rules,
		.now_ms = in->now_ms,
		.waits = (t->flags & TRACK_WAITED) != 0,
		.has_members = g != NULL && g->member_count > 0,
	};

	if (!f.waits && t->lost_at_ms == 0)
		return f;
	f.silent_ms = since(&f, MAX(t->arrival_ms, t->offset < 0 ? t->owned_since_ms : (int64_t)0));
	f.waited_ms = f.waits ? since(&f, t->oldest_ms) : 0;
	f.stop_after_ms = judge_stop_after_ms(t, in->rules);
	return f;
}

static bool is_ignored(const struct judge_input *in)
{
	return in->rules->ignore || in->now_ms < in->rules->maintenance_until_ms;
}

void judge(const struct judge_input *in, struct verdict *ret_v)
{
	struct facts f = gather(in);
	struct verdict v = {.counted = true, .eta_ms = TRACK_UNKNOWN, .complete = complete(&f)};

	v.lag = lag_of(&f);
	v.lost = f.t->lost_at_ms != 0 ? f.t->lost : 0;
	if (has_flag(&f, TRACK_WAITED | TRACK_UNREADABLE))
		v.time_lag_ms = MAX(f.now_ms - f.t->oldest_ms, (int64_t)0);
	else if (v.lag == TRACK_UNKNOWN)
		v.time_lag_ms = TRACK_UNKNOWN;
	v.time_lag_at_least = has_flag(&f, TRACK_AT_LEAST);
	if (is_ignored(in)) {
		v.counted = false;
		decide(&v, STATUS_OK, REASON_IGNORED);
		*ret_v = v;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(RULES); i++) {
		v.rule = RULES[i].number;
		if (RULES[i].holds(&f, &v))
			break;
	}
	*ret_v = v;
}

/* --- the probe --- */

/* Lag that stands still where nothing comes any more, or a partition about to be called. */
bool judge_wants_probe(const struct judge_input *in, const struct verdict *v)
{
	const struct commit_track *t = in->commit;
	const struct log_track *l = in->log;

	if (v->hold || !v->counted || v->reason == REASON_OPEN_TRANSACTION || l == NULL)
		return false;
	if (t->offset < 0 || l->end <= MAX(t->offset, l->start) || track_read_empty(t, l))
		return false;
	int64_t still_ms = STILL_INTERVALS * (int64_t)in->cluster->interval_ms;
	bool stands = in->now_ms - MAX(l->end_moved_ms, t->offsets.at_ms) >= still_ms;
	bool called = v->reason == REASON_NO_COMMITS || v->reason == REASON_NO_MEMBERS ||
		      v->reason == REASON_NO_PROGRESS;
	return stands || called;
}
