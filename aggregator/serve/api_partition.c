/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_partition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"

/* --- partitions --- */

/* How fast the group reads: commits of the window, messages a second. Negative: not known. */
static float rate_of(const struct view_partition *p)
{
	int64_t ms = p->end.observed_ms - p->start.observed_ms;

	if (!p->has_offsets || ms <= 0 || p->end.offset < p->start.offset)
		return VIEW_UNKNOWN;
	return (float)((double)(p->end.offset - p->start.offset) * 1000 / (double)ms);
}

static void put_numbers(struct cells *c, const struct view_partition *p)
{
	cells_known(c, "committed", p->committed);
	cells_known(c, "log_start", p->log_start);
	cells_known(c, "log_end", p->log_end);
	cells_known(c, "lag", p->lag);
	cells_known_float(c, "rate", rate_of(p));
	cells_known(c, "time_lag_ms", p->time_lag_ms);
	cells_bool(c, "time_lag_at_least", p->time_lag_at_least);
	cells_known(c, "eta_ms", p->eta_ms);
	cells_int(c, "lost", p->lost);
	cells_time(c, "lost_at_ms", p->lost_at_ms);
	cells_known(c, "margin_ms", p->margin_ms);
	cells_bool(c, "margin_at_least", p->margin_at_least);
	cells_str(c, "owner", p->owner);
	cells_str(c, "client_id", p->client_id);
}

static void put_partition(struct cells *c, const struct view_partition *p, struct buf *text)
{
	buf_reset(text);
	view_explain(p, text);
	cells_str(c, "topic", p->topic);
	cells_int(c, "partition", p->partition);
	cells_str(c, "status", status_str(p->status));
	cells_str(c, "reason", reason_str(p->reason));
	cells_text(c, "sentence", text);
	cells_bool(c, "counted", p->counted);
	cells_time(c, "since_ms", p->since_ms);
	cells_float(c, "complete", p->complete);
	put_numbers(c, p);
}

void api_partition_put_all(struct json *j, const struct view_group *g, struct buf *text)
{
	struct cells c = {.j = *j};

	json_key(&c.j, "partitions");
	json_begin_array(&c.j);
	for (size_t i = 0; i < g->partition_count; i++) {
		cells_begin_row(&c);
		put_partition(&c, &g->partitions[i], text);
		cells_end_row(&c);
	}
	json_end_array(&c.j);
	*j = c.j;
}

static void put_row(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct view_partition none;

	put_partition(c, row != NULL ? row->item : &none, arg);
}

static int64_t value_of(const struct view_partition *p, enum query_sort sort)
{
	switch (sort) {
	case QUERY_BY_LAG:
		return p->lag;
	case QUERY_BY_TIME_LAG:
		return p->time_lag_ms;
	case QUERY_BY_STATUS:
		return p->status;
	case QUERY_BY_SINCE:
		return p->since_ms;
	default:
		return 0;
	}
}

static void add_partitions(struct list *l, const struct view_group *g)
{
	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];
		const char *const texts[] = {p->topic, p->owner, p->client_id, NULL};

		if (query_status(l->q, p->status) && query_reason(l->q, p->reason, false) &&
		    query_glob(l->q->topic, p->topic) && query_finds(l->q, texts))
			list_add(l, &(struct list_row){
					    .value = value_of(p, l->q->sort),
					    .names = {p->topic},
					    .number = p->partition,
					    .item = p,
				    });
	}
}

static void put_head(struct json *j, const void *arg)
{
	api_group_head(j, arg);
}

void api_partitions(struct server *s, const struct request *rq, struct response *rs)
{
	static const struct query_kind KIND = {
		"env status reason topic", 1u << QUERY_BY_NAME | 1u << QUERY_BY_LAG |
						   1u << QUERY_BY_TIME_LAG | 1u << QUERY_BY_STATUS |
						   1u << QUERY_BY_SINCE};
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	CLEANUP(buf_free) struct buf text = {0};
	struct query q;

	if (!query_read(rq, &KIND, &q, rs) || !api_find_group(s, rq, rs, &g) ||
	    deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, g.view->serial), q.csv, rs))
		return;
	l.q = &q;
	add_partitions(&l, g.group);
	list_answer(&l, rq,
		    &(struct list_shape){.member = "partitions",
					 .put = put_row,
					 .arg = &text,
					 .head = put_head,
					 .head_arg = &g},
		    rs);
}

/* --- members --- */

static bool same_topic(const struct story_member *m, size_t i, size_t k)
{
	return strcmp(m->assigned[i].topic, m->assigned[k].topic) == 0;
}

static void put_assigned(struct json *j, const struct story_member *m)
{
	json_key(j, "assigned");
	json_begin_array(j);
	for (size_t i = 0; i < m->assigned_count; i++) {
		if (i == 0 || !same_topic(m, i, i - 1)) {
			json_begin_object(j);
			api_str(j, "topic", m->assigned[i].topic);
			json_key(j, "partitions");
			json_begin_array(j);
		}
		json_int(j, m->assigned[i].partition);
		if (i + 1 == m->assigned_count || !same_topic(m, i, i + 1)) {
			json_end_array(j);
			json_end_object(j);
		}
	}
	json_end_array(j);
}

/* The same as one cell: "orders:0,1 payments:2". */
static void put_assigned_text(struct cells *c, const struct story_member *m)
{
	CLEANUP(buf_free) struct buf text = {0};

	for (size_t i = 0; i < m->assigned_count; i++) {
		bool begins = i == 0 || !same_topic(m, i, i - 1);

		if (begins)
			buf_printf(&text, "%s%s:", i > 0 ? " " : "", m->assigned[i].topic);
		buf_printf(&text, "%s%" PRId32, begins ? "" : ",", m->assigned[i].partition);
	}
	cells_text(c, "assigned", &text);
}

static void put_member(struct cells *c, const struct story_member *m)
{
	cells_str(c, "id", m->id);
	cells_str(c, "client_id", m->client);
	cells_str(c, "host", m->host);
	cells_int(c, "assigned_count", (int64_t)m->assigned_count);
	if (c->form == CELLS_JSON)
		put_assigned(&c->j, m);
	else
		put_assigned_text(c, m);
}

static void on_member(void *arg, const struct story_member *m)
{
	struct cells *c = arg;

	cells_begin_row(c);
	put_member(c, m);
	cells_end_row(c);
}

int api_partition_put_members(struct server *s, struct json *j, const struct api_group *g)
{
	const struct server_calls *calls = server_calls(s);
	struct cells c = {.j = *j};

	json_key(&c.j, "members");
	json_begin_array(&c.j);
	int err = calls->members(calls->arg, &g->ask, on_member, &c);
	json_end_array(&c.j);
	*j = c.j;
	return err;
}

/* Members are lent for the time of a call only: they are copied, into memory of the kind that
 * views have. */
struct copies {
	struct view *memory;
	struct list *list;
};

static void keep_member(void *arg, const struct story_member *m)
{
	struct copies *copies = arg;
	struct view *memory = copies->memory;
	struct story_member *copy = view_alloc(memory, sizeof(*copy));
	struct story_place *places = view_alloc(memory, m->assigned_count * sizeof(*places));

	*copy = (struct story_member){view_strdup(memory, m->id), view_strdup(memory, m->client),
				      view_strdup(memory, m->host), places, m->assigned_count};
	for (size_t i = 0; i < m->assigned_count; i++) {
		places[i].partition = m->assigned[i].partition;
		places[i].topic = i > 0 && same_topic(m, i, i - 1)
					  ? places[i - 1].topic
					  : view_strdup(memory, m->assigned[i].topic);
	}
	list_add(copies->list, &(struct list_row){.names = {copy->id}, .item = copy});
}

static bool has_topic(const struct story_member *m, const char *glob)
{
	for (size_t i = 0; i < m->assigned_count; i++)
		if ((i == 0 || !same_topic(m, i, i - 1)) && query_glob(glob, m->assigned[i].topic))
			return true;
	return glob == NULL;
}

/* Leave those that are wanted. */
static void choose_members(struct list *l)
{
	size_t wanted = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct story_member *m = l->rows[i].item;
		const char *const texts[] = {m->id, m->client, m->host, NULL};

		if (has_topic(m, l->q->topic) && query_finds(l->q, texts))
			l->rows[wanted++] = l->rows[i];
	}
	l->count = wanted;
}

static void put_member_row(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct story_member none;

	(void)arg;
	put_member(c, row != NULL ? row->item : &none);
}

void api_members(struct server *s, const struct request *rq, struct response *rs)
{
	static const struct query_kind KIND = {"env topic", 1u << QUERY_BY_NAME};
	const struct server_calls *calls = server_calls(s);
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	CLEANUP(view_unref) struct view *memory = NULL;
	struct query q;

	if (!query_read(rq, &KIND, &q, rs) || !api_find_group(s, rq, rs, &g) ||
	    deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, g.view->serial), q.csv, rs))
		return;
	l.q = &q;
	memory = view_new();
	if (memory == NULL || calls->members(calls->arg, &g.ask, keep_member,
					     &(struct copies){memory, &l}) != ERR_OK) {
		problem_answer(rs, 503, "the store cannot be read now, try again");
		return;
	}
	choose_members(&l);
	list_answer(&l, rq,
		    &(struct list_shape){.member = "members",
					 .put = put_member_row,
					 .head = put_head,
					 .head_arg = &g},
		    rs);
}
