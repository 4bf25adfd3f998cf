/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_group.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/api_partition.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"

/* More generations than this in a window are a storm of rebalances. */
#define STORM 5

/* NULL, or an empty one: null. */
static void put_text(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	if (text == NULL || *text == '\0')
		json_null(j);
	else
		json_str(j, text);
}

void api_group_put_status(struct json *j, const struct view_group *g)
{
	api_str(j, "status", status_str(g->status));
	api_str(j, "reason", reason_str(g->reason));
	json_key(j, "reasons");
	json_begin_array(j);
	if (g->reason != REASON_NONE)
		json_str(j, reason_str(g->reason));
	if (g->rebalances > STORM)
		json_str(j, "rebalance_storm");
	json_end_array(j);
	api_time(j, "since_ms", g->since_ms);
	api_time(j, "maintenance_until_ms", g->maintenance_until_ms);
	put_text(j, "maintenance_by", g->maintenance_by);
	put_text(j, "maintenance_note", g->maintenance_note);
}

/* --- a row --- */

static void put_cell(struct cells *c, const char *key, const char *text)
{
	if (text == NULL || *text == '\0')
		cells_null(c, key);
	else
		cells_str(c, key, text);
}

static void put_reasons(struct cells *c, const struct view_group *g)
{
	cells_begin_words(c, "reasons");
	if (g->reason != REASON_NONE)
		cells_word(c, reason_str(g->reason));
	if (g->rebalances > STORM)
		cells_word(c, "rebalance_storm");
	cells_end_words(c);
}

static void put_numbers(struct cells *c, const struct view_group *g)
{
	cells_int(c, "lag", (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX));
	cells_int(c, "lag_unknown_count", (int64_t)g->unknown_count);
	cells_known(c, "max_lag", g->partition_count == 0 ? 0 : g->partitions[g->max_lag].lag);
	cells_known(c, "time_lag_ms", g->time_lag_ms);
	cells_bool(c, "time_lag_at_least", g->time_lag_at_least);
	cells_known(c, "eta_ms", g->eta_ms);
	cells_int(c, "lost", g->lost);
	cells_known(c, "margin_ms", g->margin_ms);
	cells_bool(c, "margin_at_least", g->margin_at_least);
	cells_str(c, "state", g->state);
	cells_str(c, "protocol", g->protocol);
	cells_known(c, "generation", g->generation);
	cells_int(c, "rebalances", g->rebalances);
	cells_int(c, "member_count", g->member_count);
	cells_int(c, "partition_count", (int64_t)g->partition_count);
	cells_int(c, "bad_count", (int64_t)g->bad_count);
}

/* text: where the sentences of many rows are made, one after the other. */
static void put_group(struct cells *c, const struct view *v, const struct view_group *g,
		      struct buf *text)
{
	buf_reset(text);
	view_explain_group(g, text);
	cells_str(c, "environment", v->environment);
	cells_str(c, "cluster", v->cluster);
	cells_str(c, "group", g->name);
	cells_time(c, "as_of_ms", v->as_of_ms);
	cells_time(c, "agent_seen_ms", v->agent.last_seen_ms);
	cells_str(c, "status", status_str(g->status));
	cells_str(c, "reason", reason_str(g->reason));
	put_reasons(c, g);
	cells_text(c, "sentence", text);
	cells_time(c, "since_ms", g->since_ms);
	cells_time(c, "maintenance_until_ms", g->maintenance_until_ms);
	put_cell(c, "maintenance_by", g->maintenance_by);
	put_cell(c, "maintenance_note", g->maintenance_note);
	cells_bool(c, "stale", g->stale);
	cells_float(c, "complete", g->complete);
	put_numbers(c, g);
}

static void put_row(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct view no_view;
	static const struct view_group no_group;

	put_group(c, row != NULL ? row->view : &no_view, row != NULL ? row->item : &no_group, arg);
}

/* --- the list --- */

#define SORTS                                                                                      \
	(1u << QUERY_BY_NAME | 1u << QUERY_BY_LAG | 1u << QUERY_BY_TIME_LAG |                      \
	 1u << QUERY_BY_STATUS | 1u << QUERY_BY_SINCE)

static const struct query_kind KINDS[] = {
	[API_FLEET] = {"env cluster group status reason topic state", SORTS},
	[API_ENVIRONMENT] = {"cluster group status reason topic state", SORTS},
	[API_CLUSTER] = {"env group status reason topic state", SORTS},
};

static bool reads_topic(const struct view_group *g, const char *glob)
{
	const char *before = NULL;

	for (size_t i = 0; i < g->partition_count; i++) {
		const char *topic = g->partitions[i].topic;

		if (topic != before && query_glob(glob, topic))
			return true;
		before = topic;
	}
	return false;
}

static bool wanted(const struct query *q, const struct view *v, const struct view_group *g)
{
	const char *const texts[] = {g->name, v->cluster, v->environment, NULL};

	return query_status(q, g->status) && query_reason(q, g->reason, g->rebalances > STORM) &&
	       query_state(q, g->state) && query_glob(q->group, g->name) && query_finds(q, texts) &&
	       (q->topic == NULL || reads_topic(g, q->topic));
}

static int64_t value_of(const struct view_group *g, enum query_sort sort)
{
	switch (sort) {
	case QUERY_BY_LAG:
		return (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX);
	case QUERY_BY_TIME_LAG:
		return g->time_lag_ms;
	case QUERY_BY_STATUS:
		return g->status;
	case QUERY_BY_SINCE:
		return g->since_ms;
	default:
		return 0;
	}
}

static void add_groups(struct list *l, const struct view *v)
{
	for (size_t i = 0; i < v->group_count; i++) {
		const struct view_group *g = &v->groups[i];

		if (wanted(l->q, v, g))
			list_add(l, &(struct list_row){
					    .value = value_of(g, l->q->sort),
					    .names = {g->name, v->environment, v->cluster},
					    .view = v,
					    .item = g,
				    });
	}
}

static void groups(struct server *s, const struct request *rq, enum api_place place,
		   struct response *rs)
{
	CLEANUP(api_scope_free) struct api_scope scope = {.place = place};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	CLEANUP(buf_free) struct buf text = {0};
	struct query q;

	if (!query_read(rq, &KINDS[place], &q, rs) ||
	    !api_find_scope(s, rq, &q, place, &scope, rs) ||
	    deliver_known(s, rq, list_tag(&scope.views), q.csv, rs))
		return;
	l.q = &q;
	for (size_t i = 0; i < scope.views.count; i++)
		add_groups(&l, scope.views.list[i]);
	list_answer(&l, rq,
		    &(struct list_shape){.member = "groups",
					 .put = put_row,
					 .arg = &text,
					 .head = api_list_head,
					 .head_arg = &scope},
		    rs);
}

void api_groups(struct server *s, const struct request *rq, struct response *rs)
{
	groups(s, rq, API_FLEET, rs);
}

void api_environment_groups(struct server *s, const struct request *rq, struct response *rs)
{
	groups(s, rq, API_ENVIRONMENT, rs);
}

void api_cluster_groups(struct server *s, const struct request *rq, struct response *rs)
{
	groups(s, rq, API_CLUSTER, rs);
}

/* --- one --- */

void api_group(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	CLEANUP(buf_free) struct buf text = {0};

	if (!query_check(rq, "env pretty", rs) || !api_find_group(s, rq, rs, &g) ||
	    deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, g.view->serial), false, rs))
		return;
	struct cells c = cells_on(&rs->body, CELLS_JSON);
	rs->type = "application/json";
	cells_begin_row(&c);
	put_group(&c, g.view, g.group, &text);
	api_partition_put_all(&c.j, g.group, &text);
	int err = api_partition_put_members(s, &c.j, &g);
	cells_end_row(&c);
	if (err != ERR_OK)
		problem_answer(rs, 503, "the store cannot be read now, try again");
}
