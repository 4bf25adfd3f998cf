/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/recall.h"
#include "aggregator/ingest/recall_sums.h"
#include "common/err.h"

/* --- the statuses of a partition, from the events of its group --- */

struct turn {
	int64_t at_ms;
	enum status from, to;
};

struct turns {
	char topic[STORE_NAME_MAX];
	int32_t partition;
	enum status now;
	int64_t since_ms;              /* older events have been forgotten; 0: none has */
	size_t told;                   /* events of the group */
	struct turn list[PAST_EVENTS]; /* the newest first */
	size_t count;
};

static void take_event(void *arg, const struct past_event *e)
{
	struct turns *t = arg;

	if (++t->told == PAST_EVENTS)
		t->since_ms = e->at_ms;
	if (e->kind == PAST_STATUS && !e->of_group && e->partition == t->partition &&
	    strcmp(e->topic, t->topic) == 0)
		t->list[t->count++] =
			(struct turn){e->at_ms, (enum status)e->from, (enum status)e->to};
}

static void read_turns(struct store_txn *txn, const struct story_group *g,
		       const struct story_span *span, const struct commit_track *commit,
		       struct turns *t)
{
	t->partition = span->partition;
	t->now = (enum status)commit->status;
	t->since_ms = 0;
	t->told = t->count = 0;
	store_get_name(txn, span->topic_id, t->topic);
	past_each_event(txn, g->cluster_id, g->group_id, INT64_MAX, PAST_EVENTS, take_event, t);
}

/* The worst from a time on until before another; STATUS_NOTFOUND where it is not known: of a pass
 * with many changes not all are written down, and of events only the newest are kept. */
static enum status worst_between(const struct turns *t, int64_t from_ms, int64_t to_ms)
{
	enum status worst = STATUS_NOTFOUND;
	enum status later = t->now; /* what it was when the stretch at hand ended */
	int64_t end_ms = INT64_MAX;

	for (size_t i = 0; i < t->count && end_ms > from_ms; i++) {
		const struct turn *turn = &t->list[i];

		if (turn->at_ms < to_ms && turn->to == later)
			worst = MAX(worst, later);
		later = turn->from;
		end_ms = turn->at_ms;
	}
	if (end_ms > from_ms && to_ms > t->since_ms)
		worst = MAX(worst, later);
	return worst;
}

/* --- bins --- */

struct bins {
	struct store_txn *txn;
	struct past_bin at; /* of the level that is read */
	struct lag_id id;
	int64_t width_ms;
	int64_t oldest_ms;      /* the first bin in which there may be something */
	int64_t hold_ms;        /* a bin without a pass is like the one before for so long */
	int64_t seen_ms;        /* the last bin with a pass */
	struct lag_sample last; /* of it */

	struct recall_bins summed;
	struct recall_sum *sums; /* NULL: they are not wanted */

	/* of partitions only: */
	struct turns *turns;
	struct history history; /* of the log */
};

static bool of_group(const struct bins *b)
{
	return b->turns == NULL;
}

/* The level of groups that is as wide. */
static unsigned group_level(unsigned level)
{
	return level < LAG_GROUP_LEVELS ? level : level - LAG_GROUP_LEVELS + 1;
}

/* The finest level that reaches back to from_ms, or a coarser one that is as fine as the step. */
static unsigned choose_level(bool groups, int64_t now_ms, int64_t from_ms, int64_t step_ms)
{
	unsigned level = groups ? 0 : LAG_GROUP_LEVELS;
	unsigned last = groups ? LAG_GROUP_LEVELS - 1 : LAG_LEVELS - 1;

	while (level < last) {
		struct lag_level l = lag_level(level);
		bool reaches = from_ms >= now_ms - l.width_ms * (int64_t)l.bins;

		if (reaches && lag_level(level + 1).width_ms > step_ms)
			break;
		level++;
	}
	return level;
}

/* What is known of a bin; false: there was no pass in it. */
static bool read_bin(struct bins *b, int64_t at_ms, struct lag_sample *ret_s)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	b->at.bin = lag_bin(b->at.level, at_ms);
	if (past_find_lag(b->txn, b->at, &b->id, &data, &size)) {
		b->last = lag_find(b->at.level, data, size, &b->id);
		b->seen_ms = at_ms;
	} else if (b->seen_ms == 0 || at_ms - b->seen_ms > b->hold_ms) {
		return false;
	}
	*ret_s = b->last;
	return true;
}

static struct recall_sum sum_of(const struct bins *b, int64_t at_ms)
{
	if (b->sums == NULL)
		return (struct recall_sum){TRACK_UNKNOWN, TRACK_UNKNOWN};
	return b->sums[(at_ms - b->summed.from_ms) / b->width_ms];
}

static void add_sum(const struct bins *b, int64_t at_ms, struct story_lag *l)
{
	struct recall_sum sum = sum_of(b, at_ms);

	if (sum.end >= 0 && (l->end < 0 || sum.end - sum.committed >= l->end - l->committed)) {
		l->end = sum.end;
		l->committed = sum.committed;
	}
}

/* How old the message at the committed offset was, as the history of the log end tells. */
static int64_t time_lag_of(const struct bins *b, int64_t at_ms, int64_t lag, bool *ret_at_least)
{
	struct recall_sum sum = sum_of(b, at_ms);
	int64_t came_ms = 0;

	*ret_at_least = false;
	if (lag <= 0 || sum.end < 0)
		return lag == 0 ? 0 : TRACK_UNKNOWN;
	*ret_at_least = !history_came(&b->history, sum.committed, &came_ms);
	return came_ms == 0 ? TRACK_UNKNOWN : MAX(at_ms - came_ms, (int64_t)0);
}

static void add_time_lag(struct story_lag *l, int64_t time_lag_ms, bool at_least)
{
	if (time_lag_ms >= l->time_lag_ms)
		l->at_least = at_least;
	l->time_lag_ms = MAX(l->time_lag_ms, time_lag_ms);
}

static void add_bin(const struct bins *b, int64_t at_ms, const struct lag_sample *s,
		    struct story_lag *l)
{
	int64_t lag = lag_decode(s->lag);
	int64_t time_lag_ms = lag_decode(s->time);
	enum status status = (enum status)s->status;
	bool at_least = s->at_least;

	if (!of_group(b)) { /* its bins have neither */
		time_lag_ms = time_lag_of(b, at_ms, lag, &at_least);
		status = worst_between(b->turns, at_ms, at_ms + b->width_ms);
	}
	l->seen = true;
	l->lag = MAX(l->lag, lag);
	l->max = MAX(l->max, lag_decode(s->max));
	l->status = MAX(l->status, status);
	add_time_lag(l, time_lag_ms, at_least);
	add_sum(b, at_ms, l);
}

static void emit_steps(struct bins *b, const struct story_span *span, int64_t step_ms,
		       story_on_lag *emit, void *arg)
{
	for (int64_t at_ms = span->from_ms / step_ms * step_ms; at_ms <= span->to_ms;
	     at_ms += step_ms) {
		struct story_lag l = {.at_ms = at_ms,
				      .lag = TRACK_UNKNOWN,
				      .max = TRACK_UNKNOWN,
				      .time_lag_ms = TRACK_UNKNOWN,
				      .status = STATUS_NOTFOUND,
				      .end = TRACK_UNKNOWN,
				      .committed = TRACK_UNKNOWN};
		struct lag_sample s;

		for (int64_t bin_ms = MAX(at_ms, b->oldest_ms);
		     bin_ms < at_ms + step_ms && bin_ms <= span->to_ms; bin_ms += b->width_ms)
			if (read_bin(b, bin_ms, &s))
				add_bin(b, bin_ms, &s, &l);
		emit(arg, &l);
	}
}

/* --- what is asked --- */

/* When the group was first seen; 0: it is not known. */
static int64_t group_first_ms(struct store_txn *t, const struct story_group *g)
{
	struct past_standing standing;

	return past_get_standing(t, g->cluster_id, g->group_id, &standing) ? standing.first_ms : 0;
}

/* The same of a partition; and read what is told of partitions alone. */
static int64_t partition_first_ms(struct bins *b, const struct story_group *g,
				  const struct story_span *span)
{
	const struct store_commit_key k = {g->cluster_id, g->group_id, span->topic_id,
					   span->partition};
	struct commit_track commit;

	if (!store_get_commit(b->txn, k, &commit))
		return 0;
	read_turns(b->txn, g, span, &commit, b->turns);
	store_get_history(b->txn,
			  (struct store_log_key){g->cluster_id, span->topic_id, span->partition},
			  &b->history);
	return commit.first_seen_ms;
}

/* The bins of all steps; a step begins at a multiple of its length. */
static void read_sums(struct bins *b, const struct story_group *g, const struct story_span *seen,
		      int64_t step_ms)
{
	int64_t from_ms = MAX(seen->from_ms / step_ms * step_ms, b->oldest_ms);

	b->summed = (struct recall_bins){.level = group_level(b->at.level), .from_ms = from_ms};
	if (seen->to_ms >= from_ms)
		b->summed.count = (size_t)((seen->to_ms - from_ms) / b->width_ms) + 1;
	b->sums = recall_sums(b->txn, g, seen, &b->summed);
}

static int end(struct store_txn *t)
{
	int err = t->err;

	store_abort(t);
	return err;
}

int recall_lag(struct store *st, const struct story_group *g, const struct story_span *span,
	       story_on_lag *emit, void *arg, int64_t *ret_step)
{
	struct store_txn t = store_begin(st, false);
	struct cluster_track cluster = {0};
	bool groups = span->topic_id == 0;
	struct turns turns;

	(void)store_get_cluster(&t, g->cluster_id, &cluster);
	unsigned level = choose_level(groups, cluster.last_ms, span->from_ms, span->step_ms);
	struct bins b = {
		.txn = &t,
		.at = {g->cluster_id, level, 0},
		.id = {g->group_id, span->topic_id, groups ? 0 : span->partition},
		.width_ms = lag_level(level).width_ms,
		.turns = groups ? NULL : &turns,
	};
	int64_t steps = (span->step_ms + b.width_ms - 1) / b.width_ms;
	int64_t first_ms = groups ? group_first_ms(&t, g) : partition_first_ms(&b, g, span);
	int64_t kept_ms = b.width_ms * (int64_t)lag_level(level).bins;
	struct story_span seen = *span;

	b.oldest_ms = MAX(first_ms, cluster.last_ms - kept_ms) / b.width_ms * b.width_ms;
	seen.from_ms = MAX(span->from_ms, b.oldest_ms);
	seen.to_ms = MIN(span->to_ms, cluster.last_ms);
	b.hold_ms = 2 * (int64_t)cluster.interval_ms + b.width_ms;
	*ret_step = MAX(steps, (int64_t)1) * b.width_ms;
	if (first_ms != 0 && span->offsets)
		read_sums(&b, g, &seen, *ret_step);
	if (first_ms != 0)
		emit_steps(&b, &seen, *ret_step, emit, arg);
	free(b.sums);
	return end(&t);
}
