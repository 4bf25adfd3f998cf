/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/replay.h"

#include <stdlib.h>

#include "common/err.h"

#define ROW_STEP_MS 1000 /* of a case that has one row alone */

/* One group-partition while it is replayed. */
struct part {
	const struct case_series *series;
	struct log_track log;
	struct commit_track commit;
	struct history history;
	size_t next_row;
	size_t next_commit;
	bool present;
};

struct replay {
	struct replay_options options;
	struct part parts[REPLAY_PARTS_MAX];
	size_t part_count;
	struct cluster_track cluster;
	struct group_track group;
	struct replay_shown *shown; /* by pass */
	size_t shown_count;
	const struct case_series *longest;
};

int replay_new(const struct case_series *series, size_t count, const struct replay_options *o,
	       struct replay **ret_r)
{
	if (count == 0 || count > REPLAY_PARTS_MAX)
		return ERR_LIMIT;
	struct replay *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->options = *o;
	r->part_count = count;
	r->longest = &series[0];
	for (size_t i = 0; i < count; i++) {
		r->parts[i].series = &series[i];
		if (series[i].row_count > r->longest->row_count)
			r->longest = &series[i];
	}
	r->shown = calloc(r->longest->row_count + 1, sizeof(*r->shown));
	if (r->shown == NULL) {
		replay_free(&r);
		return -ENOMEM;
	}
	*ret_r = r;
	return ERR_OK;
}

void replay_free(struct replay **r)
{
	if (*r != NULL)
		free((*r)->shown);
	free(*r);
	*r = NULL;
}

/* --- rows --- */

static void apply_group(struct replay *r, const struct case_row *row, int64_t at_ms)
{
	struct track_group_row g = {
		.protocol = TRACK_PROTOCOL_UNKNOWN,
		.state = (enum track_group_state)row->state,
		.generation = TRACK_UNKNOWN,
		.member_count = row->members > 0 ? (uint32_t)row->members : 0,
	};

	if (row->state != TRACK_GROUP_UNKNOWN)
		track_group_row(&r->group, at_ms, &g);
}

static void apply_log(struct replay *r, struct part *p, const struct case_row *row, int64_t at_ms)
{
	struct track_log_row l = {row->start, row->end, TRACK_UNKNOWN, TRACK_UNKNOWN};

	track_log_row(&p->log, &r->cluster, at_ms, &l);
	if (row->end >= 0)
		history_add(&p->history, at_ms, row->end);
}

/* The last commit that had arrived; false: none, or deleted. */
static bool last_commit(struct part *p, int64_t now_ms, struct track_commit_row *ret_row)
{
	const struct case_series *s = p->series;

	while (p->next_commit < s->commit_count && s->commits[p->next_commit].at_ms <= now_ms)
		p->next_commit++;
	if (p->next_commit == 0 || s->commits[p->next_commit - 1].offset < 0)
		return false;
	ret_row->offset = s->commits[p->next_commit - 1].offset;
	ret_row->arrival_ms = REPLAY_BASE_MS + s->commits[p->next_commit - 1].at_ms;
	ret_row->time_ms = ret_row->arrival_ms;
	return true;
}

static bool admin_commit(const struct part *p, const struct case_row *row, int64_t at_ms,
			 struct track_commit_row *ret_row)
{
	bool moved = p->commit.version == 0 || p->commit.offset != row->committed;

	ret_row->offset = row->committed;
	ret_row->time_ms = TRACK_UNKNOWN;
	ret_row->arrival_ms = moved ? at_ms : p->commit.arrival_ms;
	return row->committed >= 0;
}

static void apply_commit(struct replay *r, struct part *p, const struct case_row *row,
			 int64_t at_ms)
{
	struct track_commit_row c = {TRACK_UNKNOWN, TRACK_UNKNOWN, 0};
	bool has = r->options.admin ? admin_commit(p, row, at_ms, &c)
				    : last_commit(p, row->committed_at_ms, &c);
	bool was_committed = p->commit.version != 0 && p->commit.offset >= 0;

	if (!has && (was_committed || !row->assigned)) {
		if (was_committed)
			p->commit = (struct commit_track){0};
		p->present = p->commit.version != 0;
		return;
	}
	p->present = true;
	track_commit_row(&p->commit, &r->cluster, at_ms, &c);
	if (row->assigned)
		track_owner(&p->commit, TRACK_OWNER_PRESENT, TRACK_SUBSCRIPTION_UNKNOWN);
	else if (row->state == TRACK_GROUP_STABLE)
		track_owner(&p->commit, TRACK_OWNER_NONE, TRACK_SUBSCRIPTION_UNKNOWN);
}

/* The part's row of this time; NULL: it has none. Times rise. */
static const struct case_row *row_at(struct part *p, int64_t at_ms)
{
	const struct case_series *s = p->series;

	while (p->next_row < s->row_count && s->rows[p->next_row].committed_at_ms < at_ms)
		p->next_row++;
	if (p->next_row < s->row_count && s->rows[p->next_row].committed_at_ms == at_ms)
		return &s->rows[p->next_row];
	return NULL;
}

/* Whether the group is known after it. */
static bool apply_rows(struct replay *r, int64_t row_ms)
{
	int64_t at_ms = REPLAY_BASE_MS + row_ms;
	bool dead = false;

	for (size_t i = 0; i < r->part_count; i++) {
		struct part *p = &r->parts[i];
		const struct case_row *row = row_at(p, row_ms);

		if (row == NULL)
			continue;
		apply_group(r, row, at_ms);
		dead = row->state == TRACK_GROUP_DEAD;
		if (row->end < 0 && row->committed < 0) {
			p->present = false; /* the topic is gone */
			p->commit = (struct commit_track){0};
			continue;
		}
		apply_log(r, p, row, at_ms);
		apply_commit(r, p, row, at_ms);
	}
	return !dead && r->group.version != 0;
}

/* --- passes --- */

static void judge_part(struct part *p, const struct judge_input *in, struct verdict *ret_v)
{
	track_pass(&p->commit, in->log, in->group, in->cluster, in->now_ms);
	if (track_wants_history(&p->commit))
		track_history(&p->commit, &p->history);
	judge(in, ret_v);
	track_publish(&p->commit, ret_v, in->rules, in->now_ms);
}

static void run_pass(struct replay *r, const struct case_row *row,
		     void (*on_part)(void *arg, size_t part, const struct judge_input *in,
				     const struct verdict *v),
		     void *arg)
{
	struct replay_shown *s = &r->shown[r->shown_count++];
	enum status worst = STATUS_OK;
	bool known = apply_rows(r, row->committed_at_ms);

	s->at_ms = row->end_at_ms;
	for (size_t i = 0; i < r->part_count; i++) {
		struct part *p = &r->parts[i];
		const struct judge_input in = {
			&p->commit,  &p->log,        &r->group,
			&r->cluster, &RULES_DEFAULT, REPLAY_BASE_MS + row->committed_at_ms};
		struct verdict v;

		s->parts[i] = STATUS_OK;
		if (!p->present)
			continue;
		judge_part(p, &in, &v);
		if (on_part != NULL)
			on_part(arg, i, &in, &v);
		if (v.counted)
			s->parts[i] = (enum status)p->commit.status;
		worst = MAX(worst, s->parts[i]);
		known = true;
	}
	s->group = known ? status_of_group(worst) : STATUS_NOTFOUND;
}

void replay_run(struct replay *r,
		void (*on_part)(void *arg, size_t part, const struct judge_input *in,
				const struct verdict *v),
		void *arg)
{
	const struct case_series *s = r->longest;
	int64_t step_ms = s->row_count < 2
				  ? ROW_STEP_MS
				  : s->rows[1].committed_at_ms - s->rows[0].committed_at_ms;
	uint32_t interval_ms =
		(uint32_t)MIN(step_ms * (int64_t)r->options.every, (int64_t)INT32_MAX);

	for (size_t i = r->options.from; i < s->row_count; i += r->options.every) {
		track_cluster_pass(&r->cluster, REPLAY_BASE_MS + s->rows[i].committed_at_ms,
				   interval_ms, RULES_DEFAULT.window_ms);
		run_pass(r, &s->rows[i], on_part, arg);
	}
}

const struct replay_shown *replay_at(const struct replay *r, int64_t at_ms)
{
	static const struct replay_shown NOTHING = {.group = STATUS_NOTFOUND};
	size_t low = 0;
	size_t high = r->shown_count;

	/* How many passes were over by then. */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (r->shown[middle].at_ms <= at_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? &NOTHING : &r->shown[low - 1];
}
