/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_group.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"
#include "proto/wire.h"

/* More generations than this in a window are a storm of rebalances. */
#define STORM 5

/* --- clusters --- */

static void put_agent(struct json *j, const struct view_agent *a)
{
	static const char *const STATES[] = {
		[WIRE_AGENT_STARTING] = "starting",
		[WIRE_AGENT_CATCHING_UP] = "catching_up",
		[WIRE_AGENT_RUNNING] = "running",
		[WIRE_AGENT_BLIND] = "blind",
	};
	bool known = a->state >= 0 && a->state < (int)ARRAY_LEN(STATES);

	json_key(j, "agent");
	json_begin_object(j);
	api_str(j, "name", a->name);
	api_str(j, "version", a->software);
	api_str(j, "state", known ? STATES[a->state] : "");
	api_str(j, "source", a->source);
	api_str(j, "problem", a->problem);
	api_time(j, "last_seen_ms", a->last_seen_ms);
	json_end_object(j);
}

/* What the groups of a cluster are, taken together. */
struct sums {
	int64_t groups, ok, warn, err, lag, lost, time_lag_ms;
	bool stale;
};

static struct sums sum_up(const struct view *v)
{
	struct sums s = {.groups = (int64_t)v->group_count, .time_lag_ms = VIEW_UNKNOWN};

	for (size_t i = 0; i < v->group_count; i++) {
		const struct view_group *g = &v->groups[i];

		s.ok += g->status == STATUS_OK;
		s.warn += g->status == STATUS_WARN;
		s.err += g->status == STATUS_ERR;
		s.lag += (int64_t)g->total_lag;
		s.lost += g->lost;
		s.time_lag_ms = MAX(s.time_lag_ms, g->time_lag_ms);
		s.stale |= g->stale;
	}
	return s;
}

static void put_cluster(struct json *j, const struct view *v)
{
	struct sums s = sum_up(v);

	json_begin_object(j);
	api_head(j, v);
	api_time(j, "received_ms", v->received_ms);
	api_int(j, "interval_ms", v->interval_ms);
	api_bool(j, "stale", s.stale);
	put_agent(j, &v->agent);
	json_key(j, "groups");
	json_begin_object(j);
	api_int(j, "total", s.groups);
	api_int(j, "ok", s.ok);
	api_int(j, "warn", s.warn);
	api_int(j, "err", s.err);
	json_end_object(j);
	api_int(j, "topics", (int64_t)v->topic_count);
	api_int(j, "lag", s.lag);
	api_known(j, "time_lag_ms", s.time_lag_ms);
	api_int(j, "lost", s.lost);
	json_end_object(j);
}

void api_clusters(struct server *s, const struct request *rq, struct response *rs)
{
	struct view **views = NULL;
	size_t count = server_all_views(s, rq, &views);
	struct json j = {.out = &rs->body};

	rs->type = "application/json";
	json_begin_object(&j);
	json_key(&j, "clusters");
	json_begin_array(&j);
	for (size_t i = 0; i < count; i++) {
		put_cluster(&j, views[i]);
		view_unref(&views[i]);
	}
	free(views);
	json_end_array(&j);
	json_end_object(&j);
}

void api_cluster(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = api_find_view(s, rq, rs);
	struct json j = {.out = &rs->body};

	if (v == NULL)
		return;
	rs->type = "application/json";
	put_cluster(&j, v);
}

/* --- groups --- */

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
}

/* The members of a group's object, without what is in it. */
static void put_group(struct json *j, const struct view_group *g)
{
	int64_t max_lag = g->partition_count == 0 ? 0 : g->partitions[g->max_lag].lag;

	api_group_put_status(j, g);
	api_bool(j, "stale", g->stale);
	json_key(j, "complete");
	json_float32(j, g->complete);
	api_int(j, "lag", (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX));
	api_known(j, "max_lag", max_lag);
	api_known(j, "time_lag_ms", g->time_lag_ms);
	api_bool(j, "time_lag_at_least", g->time_lag_at_least);
	api_int(j, "lost", g->lost);
	api_known(j, "margin_ms", g->margin_ms);
	api_bool(j, "margin_at_least", g->margin_at_least);
	api_str(j, "state", g->state);
	api_str(j, "protocol", g->protocol);
	api_known(j, "generation", g->generation);
	api_int(j, "rebalances", g->rebalances);
	api_int(j, "member_count", g->member_count);
	api_int(j, "partition_count", (int64_t)g->partition_count);
}

void api_groups(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = api_find_view(s, rq, rs);
	struct json j = {.out = &rs->body};

	if (v == NULL)
		return;
	rs->type = "application/json";
	json_begin_object(&j);
	api_head(&j, v);
	json_key(&j, "groups");
	json_begin_array(&j);
	for (size_t i = 0; i < v->group_count; i++) {
		json_begin_object(&j);
		api_str(&j, "group", v->groups[i].name);
		put_group(&j, &v->groups[i]);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
}

static void put_partition(struct json *j, const struct view_partition *p)
{
	json_begin_object(j);
	api_str(j, "topic", p->topic);
	api_int(j, "partition", p->partition);
	api_str(j, "status", status_str(p->status));
	api_str(j, "reason", reason_str(p->reason));
	api_bool(j, "counted", p->counted);
	api_time(j, "since_ms", p->since_ms);
	json_key(j, "complete");
	json_float32(j, p->complete);
	api_known(j, "committed", p->committed);
	api_known(j, "log_start", p->log_start);
	api_known(j, "log_end", p->log_end);
	api_known(j, "lag", p->lag);
	api_known(j, "time_lag_ms", p->time_lag_ms);
	api_bool(j, "time_lag_at_least", p->time_lag_at_least);
	api_known(j, "eta_ms", p->eta_ms);
	api_int(j, "lost", p->lost);
	api_time(j, "lost_at_ms", p->lost_at_ms);
	api_known(j, "margin_ms", p->margin_ms);
	api_bool(j, "margin_at_least", p->margin_at_least);
	api_str(j, "owner", p->owner);
	api_str(j, "client_id", p->client_id);
	json_end_object(j);
}

static void put_assigned(struct json *j, const struct story_member *m)
{
	json_key(j, "assigned");
	json_begin_array(j);
	for (size_t i = 0; i < m->assigned_count; i++) {
		if (i == 0 || strcmp(m->assigned[i].topic, m->assigned[i - 1].topic) != 0) {
			json_begin_object(j);
			api_str(j, "topic", m->assigned[i].topic);
			json_key(j, "partitions");
			json_begin_array(j);
		}
		json_int(j, m->assigned[i].partition);
		if (i + 1 == m->assigned_count ||
		    strcmp(m->assigned[i].topic, m->assigned[i + 1].topic) != 0) {
			json_end_array(j);
			json_end_object(j);
		}
	}
	json_end_array(j);
}

static void put_member(void *arg, const struct story_member *m)
{
	struct json *j = arg;

	json_begin_object(j);
	api_str(j, "id", m->id);
	api_str(j, "client_id", m->client);
	api_str(j, "host", m->host);
	put_assigned(j, m);
	json_end_object(j);
}

void api_group(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	const struct server_calls *calls = server_calls(s);
	struct json j = {.out = &rs->body};

	if (!api_find_group(s, rq, rs, &g))
		return;
	rs->type = "application/json";
	json_begin_object(&j);
	api_group_head(&j, &g);
	put_group(&j, g.group);
	json_key(&j, "partitions");
	json_begin_array(&j);
	for (size_t i = 0; i < g.group->partition_count; i++)
		put_partition(&j, &g.group->partitions[i]);
	json_end_array(&j);
	json_key(&j, "members");
	json_begin_array(&j);
	int err = calls->members(calls->arg, &g.ask, put_member, &j);
	json_end_array(&j);
	json_end_object(&j);
	if (err != ERR_OK)
		problem_answer(rs, 503, "the store cannot be read now, try again");
}
