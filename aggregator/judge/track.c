/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/track.h"

#include <string.h>

#include "aggregator/judge/judge.h"

/* A pass that comes more than this many intervals after the one before has a gap before it. */
#define GAP_INTERVALS 2

int64_t track_gap_ms(const struct cluster_track *c)
{
	return c->window_ms / 24;
}

/* --- clusters --- */

static void push_gap(struct cluster_track *c, int64_t from_ms, int64_t to_ms)
{
	size_t i = 0;

	while (i < TRACK_GAPS && c->gaps[i].to_ms != 0)
		i++;
	if (i == TRACK_GAPS) {
		i--;
		memmove(&c->gaps[0], &c->gaps[1], i * sizeof(c->gaps[0]));
	}
	c->gaps[i] = (struct track_gap){from_ms, to_ms};
}

bool track_cluster_pass(struct cluster_track *c, int64_t at_ms, uint32_t interval_ms,
			int64_t window_ms)
{
	if (c->version != 0 && at_ms <= c->last_ms)
		return false;
	c->interval_ms = interval_ms;
	c->window_ms = window_ms;
	c->passes++;
	if (c->version == 0) {
		c->version = TRACK_VERSION;
		c->first_ms = at_ms;
		c->fresh_pass = 1;
	} else {
		int64_t gap_ms = at_ms - c->last_ms;

		if (gap_ms > GAP_INTERVALS * (int64_t)interval_ms)
			push_gap(c, c->last_ms, at_ms);
		if (gap_ms >= window_ms)
			c->fresh_pass = c->passes;
	}
	c->before_ms = c->last_ms;
	c->last_ms = at_ms;
	return true;
}

static int64_t overlap_ms(int64_t from_ms, int64_t to_ms, int64_t gap_from_ms, int64_t gap_to_ms)
{
	return MAX(MIN(to_ms, gap_to_ms) - MAX(from_ms, gap_from_ms), (int64_t)0);
}

int64_t track_blind_ms(const struct cluster_track *c, int64_t from_ms, int64_t to_ms)
{
	int64_t blind_ms = 0;

	/* One interval after a pass is what everybody has to wait for the next. */
	for (size_t i = 0; i < TRACK_GAPS && c->gaps[i].to_ms != 0; i++)
		blind_ms += overlap_ms(from_ms, to_ms, c->gaps[i].from_ms + c->interval_ms,
				       c->gaps[i].to_ms);
	return blind_ms;
}

int64_t track_seen_ms(const struct cluster_track *c, const struct log_track *log, int64_t from_ms,
		      int64_t to_ms)
{
	int64_t seen_ms = to_ms - from_ms;

	if (c->gaps[0].to_ms != 0)
		seen_ms -= track_blind_ms(c, from_ms, to_ms);
	if (log != NULL && log->unknown.to_ms != 0)
		seen_ms -= overlap_ms(from_ms, to_ms, log->unknown.from_ms, log->unknown.to_ms);
	return MAX(seen_ms, (int64_t)0);
}

/* --- logs --- */

static bool mark_unknown(struct log_track *l, int64_t at_ms)
{
	if (l->unknown_since_ms != 0)
		return false;
	l->unknown_since_ms = at_ms;
	l->row_at_ms = at_ms;
	return true;
}

static bool is_other_log(const struct log_track *l, const struct track_log_row *row)
{
	return l->end != TRACK_UNKNOWN &&
	       (row->end < l->end || (row->start != TRACK_UNKNOWN && row->start < l->start) ||
		(row->leader_epoch != TRACK_UNKNOWN && row->leader_epoch < l->leader_epoch));
}

/* The log is not the one it was: recreated, or cut at its end by an unclean election. */
static void begin_generation(struct log_track *l, const struct track_log_row *row, int64_t at_ms)
{
	bool cut = row->end < l->end && row->end >= l->end / 2 && row->start >= l->start;

	l->generation++;
	l->recreated_ms = at_ms;
	if (!cut)
		window_clear(&l->ends);
}

static bool is_same_row(const struct log_track *l, const struct track_log_row *row)
{
	return l->unknown_since_ms == 0 && l->start == row->start && l->end == row->end &&
	       l->stable == row->stable && l->leader_epoch == row->leader_epoch;
}

static void end_unknown(struct log_track *l, int64_t at_ms)
{
	if (l->unknown_since_ms != 0)
		l->unknown = (struct track_gap){l->unknown_since_ms, at_ms};
	l->unknown_since_ms = 0;
}

bool track_log_row(struct log_track *l, const struct cluster_track *c, int64_t at_ms,
		   const struct track_log_row *row)
{
	if (l->version == 0)
		*l = (struct log_track){.version = TRACK_VERSION,
					.leader_epoch = TRACK_UNKNOWN,
					.start = TRACK_UNKNOWN,
					.end = TRACK_UNKNOWN,
					.stable = TRACK_UNKNOWN};
	if (at_ms <= l->row_at_ms)
		return false;
	if (row->end < 0)
		return mark_unknown(l, at_ms);
	if (is_same_row(l, row))
		return false;
	if (is_other_log(l, row))
		begin_generation(l, row, at_ms);
	end_unknown(l, at_ms);
	if (row->start > l->start && l->start != TRACK_UNKNOWN)
		l->start_moved_ms = at_ms;
	if (row->end != l->end)
		l->end_moved_ms = at_ms;
	l->start = row->start >= 0 ? row->start : MAX(l->start, (int64_t)0);
	l->end = row->end;
	l->stable = row->stable;
	l->leader_epoch = row->leader_epoch;
	l->row_at_ms = at_ms;
	window_add(&l->ends, at_ms, row->end, track_gap_ms(c));
	return true;
}

/* --- commits --- */

static void init_commit(struct commit_track *t, const struct cluster_track *c, int64_t at_ms)
{
	*t = (struct commit_track){
		.version = TRACK_VERSION,
		.status = STATUS_OK,
		.reason = REASON_WARMING_UP,
		.first_pass = c->passes,
		.offset = TRACK_UNKNOWN,
		.time_ms = TRACK_UNKNOWN,
		.before_offset = TRACK_UNKNOWN,
		.highest = TRACK_UNKNOWN,
		.owned_end = TRACK_UNKNOWN,
		.clear_end = TRACK_UNKNOWN,
		.probe_end = TRACK_UNKNOWN,
		.first_seen_ms = at_ms,
		.since_ms = at_ms,
	};
}

bool track_commit_row(struct commit_track *t, const struct cluster_track *c, int64_t at_ms,
		      const struct track_commit_row *row)
{
	bool is_new = t->version == 0;
	int64_t arrival_ms = row->arrival_ms > 0 ? MIN(row->arrival_ms, at_ms) : at_ms;

	if (is_new)
		init_commit(t, c, at_ms);
	if (row->offset < 0)
		return is_new;
	bool is_late = at_ms < t->row_at_ms || (at_ms == t->row_at_ms && t->joined_at_ms == at_ms);
	bool is_same = t->offset == row->offset && t->time_ms == row->time_ms &&
		       t->arrival_ms == arrival_ms;
	if (is_late || is_same)
		return is_new;

	/* What is not joined yet belongs to a pass that was never completed. */
	if (t->joined_at_ms == t->row_at_ms) {
		t->before_offset = t->offset;
		t->before_arrival_ms = t->arrival_ms;
	}
	t->offset = row->offset;
	t->time_ms = row->time_ms;
	t->arrival_ms = MAX(arrival_ms, t->arrival_ms);
	t->row_at_ms = at_ms;
	t->flags = (uint8_t)(row->time_ms == TRACK_UNKNOWN ? t->flags | TRACK_MOVES_ONLY
							   : t->flags & ~TRACK_MOVES_ONLY);
	return true;
}

bool track_owner(struct commit_track *t, enum track_owner owner,
		 enum track_subscription subscription)
{
	if (t->owner == owner && t->subscription == subscription)
		return false;
	t->owner = (uint8_t)owner;
	t->subscription = (uint8_t)subscription;
	return true;
}

bool track_acknowledge_loss(struct commit_track *t)
{
	if (t->lost_at_ms == 0 || (t->flags & TRACK_LOSS_SEEN) != 0)
		return false;
	t->flags |= TRACK_LOSS_SEEN;
	return true;
}

/* --- groups --- */

static void push_rebalance(struct group_track *g, int64_t at_ms)
{
	memmove(&g->rebalanced_ms[1], &g->rebalanced_ms[0],
		sizeof(g->rebalanced_ms) - sizeof(g->rebalanced_ms[0]));
	g->rebalanced_ms[0] = at_ms;
}

bool track_group_row(struct group_track *g, int64_t at_ms, const struct track_group_row *row)
{
	struct group_track old = *g;

	if (at_ms < g->row_at_ms)
		return false;
	if (g->version == 0)
		*g = (struct group_track){
			.version = TRACK_VERSION, .generation = TRACK_UNKNOWN, .created_ms = at_ms};
	if (g->generation != TRACK_UNKNOWN && row->generation != TRACK_UNKNOWN &&
	    row->generation != g->generation)
		push_rebalance(g, at_ms);
	if (g->member_count > 0 && row->member_count == 0)
		g->members_lost_ms = at_ms;
	if (row->member_count > 0)
		g->had_members = 1;
	g->protocol = (uint8_t)row->protocol;
	g->state = (uint8_t)row->state;
	g->generation = row->generation;
	g->member_count = row->member_count;
	if (memcmp(&old, g, sizeof(old)) == 0)
		return false;
	g->row_at_ms = at_ms;
	return true;
}

unsigned track_rebalances(const struct group_track *g, int64_t from_ms)
{
	unsigned n = 0;

	while (n < TRACK_REBALANCES && g->rebalanced_ms[n] != 0 && g->rebalanced_ms[n] >= from_ms)
		n++;
	return n;
}

/* --- publishing --- */

static int severity(unsigned status)
{
	return status <= STATUS_OK ? 0 : status == STATUS_WARN ? 1 : 2;
}

static int direction(const struct commit_track *t, unsigned status)
{
	int d = severity(status) - severity(t->status);

	return (d > 0) - (d < 0);
}

/* True: the track changed. */
static bool settle(struct commit_track *t, const struct verdict *v)
{
	bool changed = t->reason != v->reason || t->pending_count != 0;

	t->reason = (uint8_t)v->reason;
	t->pending = STATUS_NOTFOUND;
	t->pending_count = 0;
	t->pending_at_ms = 0;
	return changed;
}

bool track_publish(struct commit_track *t, const struct verdict *v, const struct rules *rules,
		   int64_t at_ms)
{
	unsigned status = v->status;

	if (v->hold || (t->pending_count > 0 && at_ms <= t->pending_at_ms))
		return false;
	if (status == t->status)
		return settle(t, v);
	int way = direction(t, status);
	bool goes_on = t->pending_count > 0 && direction(t, t->pending) == way;
	uint32_t need = way < 0 ? rules->clear_after : rules->raise_after;

	t->pending_count = (uint8_t)(goes_on ? MIN(t->pending_count + 1, UINT8_MAX) : 1);
	t->pending = (uint8_t)status;
	t->pending_at_ms = at_ms;
	if (t->pending_count >= need) {
		t->after_err = t->status > STATUS_ERR;
		t->status = (uint8_t)status;
		t->since_ms = at_ms;
		(void)settle(t, v);
	}
	return true;
}

/* --- for those who show --- */

static struct track_edge edge(const struct log_track *log, struct window_point p)
{
	struct track_edge e = {.offset = p.value, .at_ms = p.at_ms, .lag = TRACK_UNKNOWN};
	int64_t end = 0;

	if (log != NULL && window_value_at(&log->ends, p.at_ms, &end))
		e.lag = MAX(end - p.value, (int64_t)0);
	return e;
}

bool track_edges(const struct commit_track *t, const struct log_track *log, int64_t from_ms,
		 struct track_edge *ret_first, struct track_edge *ret_last)
{
	struct window_cursor c = window_newest(&t->offsets);

	if (!c.valid)
		return false;
	*ret_last = edge(log, c.point);
	*ret_first = edge(log, window_back(&t->offsets, from_ms));
	return true;
}
