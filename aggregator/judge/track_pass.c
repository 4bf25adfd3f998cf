/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/track.h"

#include <string.h>

#include "aggregator/judge/pace.h"

/* After so long without an owner a topic counts as left, where subscriptions are not known. */
#define ABANDON_MS INT64_C(300000)

/* Rises after a reset from which on it may be taken for accepted. */
#define STEADY_RISES 3

/* Commit intervals whose reading is normally done again after a rebalance. */
#define REDONE_INTERVALS 2
#define REDONE_MIN_MS INT64_C(10000)

/* A lag of so many messages that stands where reading ended is taken for a transaction's marker. */
#define MARKER_LAG 1

struct pass {
	struct commit_track *t;
	const struct log_track *log;     /* NULL: not known, or cannot be asked now */
	const struct group_track *group; /* NULL: no members ever */
	const struct cluster_track *cluster;
	int64_t at_ms;
};

static bool has_flag(const struct commit_track *t, unsigned flag)
{
	return (t->flags & flag) != 0;
}

static void set_flag(struct commit_track *t, unsigned flag, bool on)
{
	t->flags = (uint8_t)(on ? t->flags | flag : t->flags & ~flag);
}

/* --- who owns it --- */

static bool is_stable(const struct group_track *g)
{
	return g != NULL && g->state == TRACK_GROUP_STABLE && g->member_count > 0;
}

static void join_present(const struct pass *p)
{
	struct commit_track *t = p->t;

	t->unowned_since_ms = 0;
	if (t->owned_since_ms == 0)
		t->owned_since_ms = p->at_ms;
	if (p->log == NULL)
		return;
	if (t->owned_end == TRACK_UNKNOWN)
		t->owned_end = p->log->end;
	if (t->offset >= 0 || t->clear_end == TRACK_UNKNOWN)
		return;
	/* A group that comes back without a commit may begin at the end, so what came while it was
	 * away does not count. */
	t->owned_end += p->log->end - t->clear_end;
	t->clear_end = TRACK_UNKNOWN;
}

/* All members are gone. Without a commit it is only what came until now that waits for one. */
static void join_away(const struct pass *p)
{
	struct commit_track *t = p->t;

	t->unowned_since_ms = 0;
	if (t->offset < 0 && t->clear_end == TRACK_UNKNOWN && p->log != NULL)
		t->clear_end = p->log->end;
}

static void join_unowned(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (t->unowned_since_ms == 0)
		t->unowned_since_ms = p->at_ms;
	t->owned_since_ms = 0;
	t->owned_end = TRACK_UNKNOWN;
}

/* While a group rebalances nothing is known of its owners; when it is empty nobody can be one. */
static void join_owner(const struct pass *p)
{
	if (p->t->owner == TRACK_OWNER_PRESENT)
		join_present(p);
	else if (p->t->owner == TRACK_OWNER_NONE && is_stable(p->group))
		join_unowned(p);
	else if (p->group == NULL || p->group->member_count == 0 ||
		 p->t->owner == TRACK_OWNER_UNKNOWN)
		join_away(p);
}

bool track_is_over(const struct commit_track *t, const struct group_track *group)
{
	return t->offset < 0 && t->owner != TRACK_OWNER_PRESENT &&
	       (group == NULL || is_stable(group));
}

/* A topic that was left and is taken up again: its messages wait from now on. */
static void take_up(const struct pass *p)
{
	if (has_flag(p->t, TRACK_ABANDONED) && p->t->oldest_ms != 0)
		p->t->oldest_ms = p->at_ms;
	set_flag(p->t, TRACK_ABANDONED, false);
}

static void join_abandoned(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (t->owner == TRACK_OWNER_PRESENT || t->subscription == TRACK_SUBSCRIPTION_YES)
		take_up(p);
	else if (t->unowned_since_ms != 0 &&
		 (t->subscription == TRACK_SUBSCRIPTION_NO ||
		  track_seen_ms(p->cluster, p->log, t->unowned_since_ms, p->at_ms) >= ABANDON_MS))
		set_flag(t, TRACK_ABANDONED, true);
}

/* --- a commit has come --- */

/* Messages a second by which a window rose, as long as it did. */
static double rise_rate(const struct window *w)
{
	struct window_cursor c = window_newest(w);
	int64_t newer = c.point.value;
	double rises = 0;

	while (window_older(&c)) {
		rises += newer > c.point.value ? (double)newer - (double)c.point.value : 0;
		newer = c.point.value;
	}
	return rises * 1000 / (double)MAX(w->at_ms - c.point.at_ms, (int64_t)1);
}

/* Messages that the group reads in the time it may have to do again. Where little has been seen of
 * its reading, what comes in tells as much. */
static int64_t redone(const struct pass *p)
{
	double rate = rise_rate(&p->t->offsets);
	int64_t interval_ms = MAX(pace_usual_ms(&p->t->commits), (int64_t)p->cluster->interval_ms);

	if (p->log != NULL)
		rate = MAX(rate, rise_rate(&p->log->ends));
	interval_ms = MAX(interval_ms, REDONE_MIN_MS);
	double again = rate * REDONE_INTERVALS * (double)interval_ms / 1000;
	return MAX((int64_t)MIN(again, 1e15), (int64_t)MARKER_LAG);
}

/* since_ms is the event before, seen_at_ms the pass that saw it. */
static void learn(const struct pass *p, struct track_pace *pace, int64_t since_ms,
		  int64_t seen_at_ms)
{
	const struct commit_track *t = p->t;
	const struct cluster_track *c = p->cluster;

	if (since_ms == 0 || (p->group != NULL && p->group->members_lost_ms > since_ms))
		return;
	bool came = p->log != NULL && t->before_offset >= 0 && p->log->end > t->before_offset;
	if (!has_flag(t, TRACK_WAITED) && !came)
		return;
	/* Nothing waited at the pass before: whatever came since was read within one interval. */
	int64_t from_ms = has_flag(t, TRACK_WAITED) ? MAX(since_ms, t->oldest_ms) : t->arrival_ms;
	int64_t to_ms = t->arrival_ms;

	/* With a commit in every pass only the last of each is seen. What can be told of the pace
	 * is for how long a pass has seen none, and that is what a pause is compared with. */
	if (seen_at_ms == c->before_ms)
		to_ms = MIN(to_ms, c->before_ms);
	pace_add(pace, track_seen_ms(c, p->log, from_ms, MAX(to_ms, from_ms)), p->at_ms,
		 t->status > STATUS_ERR);
}

/* The log is another one: what is remembered of the old does not count in it. */
static void begin_anew(const struct pass *p)
{
	struct commit_track *t = p->t;

	window_clear(&t->offsets);
	t->highest = TRACK_UNKNOWN;
	t->before_offset = TRACK_UNKNOWN;
	t->rewind_at_ms = 0;
	t->lost_at_ms = 0;
	t->lost = 0;
	t->clear_end = TRACK_UNKNOWN;
	set_flag(t, TRACK_WAITED | TRACK_UNREADABLE, false);
}

static void join_fall(const struct pass *p)
{
	struct commit_track *t = p->t;
	int64_t again = redone(p);

	/* What is only done again has been read: it does not wait. */
	if (t->clear_end - t->offset > again)
		t->clear_end = TRACK_UNKNOWN;
	if (t->before_offset - t->offset <= again)
		return;
	if (t->rewind_at_ms == 0)
		t->rewind_from = t->highest;
	t->rewind_to = t->offset;
	t->rewind_at_ms = p->at_ms;
	t->rewind_rises = 0;
}

/* From here on every rise is progress again, and the time of the rewind no habit. */
static void end_rewind(struct commit_track *t)
{
	t->rewind_at_ms = 0;
	t->highest = t->offset - 1;
	t->progress_ms = 0;
}

/* A reset after which the group has read on for half a window was meant. */
static void accept_reset(const struct pass *p)
{
	struct commit_track *t = p->t;

	t->rewind_rises = (uint8_t)MIN(t->rewind_rises + 1, UINT8_MAX);
	if (t->rewind_rises >= STEADY_RISES && track_seen_ms(p->cluster, p->log, t->rewind_at_ms,
							     p->at_ms) >= p->cluster->window_ms / 2)
		end_rewind(t);
}

static void join_progress(const struct pass *p)
{
	struct commit_track *t = p->t;

	learn(p, &t->progress, t->progress_ms, t->progress_at_ms);
	t->highest = t->offset;
	t->progress_ms = t->arrival_ms;
	t->progress_at_ms = p->at_ms;
}

static void join_move(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (t->before_offset < 0)
		t->clear_end = TRACK_UNKNOWN;
	if (t->offset < t->before_offset)
		join_fall(p);
	else if (t->rewind_at_ms != 0)
		accept_reset(p);
	if (t->rewind_at_ms != 0 && t->offset >= t->highest)
		end_rewind(t);
	if (t->offset > t->highest)
		join_progress(p);
	window_add(&t->offsets, p->at_ms, t->offset, track_gap_ms(p->cluster));
	t->oldest_ms = 0;
	/* Where nothing was found, nothing is further on. */
	if (t->probe != TRACK_PROBE_NOTHING || t->offset < t->before_offset ||
	    t->offset > t->probe_end)
		t->probe = TRACK_PROBE_NONE;
}

static bool is_in_new_log(const struct pass *p)
{
	return p->log != NULL && p->t->generation != p->log->generation &&
	       p->t->offset <= p->log->end;
}

static void join_commit(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (t->row_at_ms <= t->joined_at_ms)
		return;
	if (is_in_new_log(p)) {
		begin_anew(p);
		t->generation = p->log->generation;
	}
	int64_t since_ms = t->before_offset < 0 ? t->owned_since_ms : t->before_arrival_ms;
	learn(p, &t->commits, since_ms, t->joined_at_ms);
	if (t->offset != t->before_offset)
		join_move(p);
	set_flag(t, TRACK_ABANDONED, false);
	t->joined_at_ms = t->row_at_ms;
}

/* --- committed offset and log, side by side --- */

static void join_lost(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (t->offset >= p->log->start) {
		t->lost = 0;
		t->lost_at_ms = 0;
		set_flag(t, TRACK_LOSS_SEEN, false);
		return;
	}
	/* Only what waited when it was last looked at can be lost. */
	if (!has_flag(t, TRACK_WAITED) || p->log->start_moved_ms != p->at_ms)
		return;
	t->lost = p->log->start - t->offset;
	t->lost_at_ms = p->at_ms;
	set_flag(t, TRACK_LOSS_SEEN, false);
}

static bool is_marker(const struct pass *p, int64_t lag)
{
	return lag <= MARKER_LAG && p->t->offset >= 0 && p->t->probe != TRACK_PROBE_RECORD &&
	       p->log->end_moved_ms <= p->t->progress_at_ms;
}

static bool nothing_waits(const struct pass *p)
{
	const struct commit_track *t = p->t;
	int64_t end = p->log->end;

	if (t->offset < 0)
		return t->owned_since_ms == 0 || t->owned_end == TRACK_UNKNOWN ||
		       (t->clear_end >= 0 ? t->clear_end : end) <= t->owned_end;
	if (end <= MAX(t->offset, p->log->start) || end <= t->clear_end)
		return true;
	return is_marker(p, end - t->offset);
}

/* Messages from this offset on wait: the committed one, or the log end at the moment of which it is
 * known that nothing waited. */
static int64_t waits_from(const struct commit_track *t)
{
	return t->offset < 0 ? t->owned_end : MAX(t->offset, t->clear_end);
}

static void find_oldest(const struct pass *p)
{
	struct commit_track *t = p->t;
	const struct cluster_track *c = p->cluster;
	bool found = window_passed(&p->log->ends, waits_from(t), track_gap_ms(c), c->interval_ms,
				   &t->oldest_ms);

	set_flag(t, TRACK_AT_LEAST, !found);
	set_flag(t, TRACK_WANTS_HISTORY, !found);
	set_flag(t, TRACK_EXACT, false);
}

static void join_clear(struct commit_track *t, int64_t clear_end)
{
	t->clear_end = clear_end;
	t->oldest_ms = 0;
	set_flag(t,
		 TRACK_WAITED | TRACK_UNREADABLE | TRACK_AT_LEAST | TRACK_WANTS_HISTORY |
			 TRACK_EXACT,
		 false);
}

/* Nobody reads what belongs to a transaction that is still open, so it does not wait for the group:
 * it begins to when the transaction ends, which was after the pass before. */
static bool join_unreadable(const struct pass *p)
{
	struct commit_track *t = p->t;
	const struct log_track *l = p->log;
	bool unreadable = t->offset >= 0 && l->stable >= 0 && l->stable < l->end &&
			  MAX(t->offset, t->clear_end) >= l->stable;

	if (!unreadable && has_flag(t, TRACK_UNREADABLE) && t->oldest_ms != 0)
		t->oldest_ms = p->cluster->before_ms;
	set_flag(t, TRACK_UNREADABLE, unreadable);
	return unreadable;
}

static void join_waiting(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (nothing_waits(p)) {
		join_clear(t, t->offset < 0 ? t->clear_end : p->log->end);
		/* A commit that leaves nothing is as good as progress. */
		if (t->offset >= 0 && t->row_at_ms == p->at_ms)
			t->progress_ms = t->arrival_ms;
		return;
	}
	bool unreadable = join_unreadable(p);
	if (t->oldest_ms == 0)
		find_oldest(p);
	set_flag(t, TRACK_WAITED, !unreadable);
}

static void join_beyond(const struct pass *p)
{
	if (p->t->beyond_pass == 0)
		p->t->beyond_pass = p->cluster->passes;
	join_clear(p->t, TRACK_UNKNOWN);
}

static void join_log(const struct pass *p)
{
	struct commit_track *t = p->t;

	if (t->generation != p->log->generation)
		t->clear_end = TRACK_UNKNOWN;
	if (t->offset >= 0)
		join_lost(p);
	if (t->offset > p->log->end) {
		join_beyond(p);
		return;
	}
	t->beyond_pass = 0;
	join_waiting(p);
}

bool track_pass(struct commit_track *t, const struct log_track *log,
		const struct group_track *group, const struct cluster_track *cluster, int64_t at_ms)
{
	struct commit_track old = *t;
	bool log_known = log != NULL && log->end != TRACK_UNKNOWN && log->unknown_since_ms == 0;
	struct pass p = {t, log_known ? log : NULL, group, cluster, at_ms};

	join_owner(&p);
	join_abandoned(&p);
	join_commit(&p);
	if (log_known)
		join_log(&p);
	return memcmp(&old, t, sizeof(old)) != 0;
}

/* --- the age of the oldest unread message, from further away --- */

bool track_wants_history(const struct commit_track *t)
{
	return has_flag(t, TRACK_WANTS_HISTORY);
}

bool track_history(struct commit_track *t, const struct history *h)
{
	int64_t at_ms = 0;

	if (!has_flag(t, TRACK_WANTS_HISTORY))
		return false;
	bool found = history_passed(h, waits_from(t), &at_ms);
	set_flag(t, TRACK_WANTS_HISTORY, false);
	set_flag(t, TRACK_AT_LEAST, !found);
	if (at_ms > 0)
		t->oldest_ms = MIN(t->oldest_ms, at_ms);
	return true;
}

bool track_read_empty(const struct commit_track *t, const struct log_track *l)
{
	return t->probe == TRACK_PROBE_NOTHING && t->probe_end >= l->end && t->offset <= l->end &&
	       t->generation == l->generation;
}

/* There is a record after all: what was taken for clear is not. */
static void found_record(struct commit_track *t, int64_t record_ms)
{
	if (t->clear_end > t->offset) {
		t->clear_end = TRACK_UNKNOWN;
		t->oldest_ms = 0;
	}
	/* A record's timestamp comes from another clock: it may only make older what is known to
	 * be older. */
	if (has_flag(t, TRACK_AT_LEAST) && record_ms > 0) {
		t->oldest_ms = MIN(t->oldest_ms, record_ms);
		set_flag(t, TRACK_AT_LEAST, false);
		set_flag(t, TRACK_EXACT, true);
	}
}

bool track_probe_answer(struct commit_track *t, const struct log_track *l, int64_t offset,
			int64_t end, enum track_probe answer, int64_t record_ms)
{
	struct commit_track old = *t;

	if (offset != t->offset || end > l->end)
		return false;
	t->probe = (uint8_t)answer;
	t->probe_end = end;
	if (answer == TRACK_PROBE_NOTHING && end > t->clear_end) {
		t->clear_end = end;
		t->oldest_ms = 0;
	}
	if (answer == TRACK_PROBE_RECORD)
		found_record(t, record_ms);
	return memcmp(&old, t, sizeof(old)) != 0;
}
