/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"
#include "common/mem.h"
#include "proto/wire.h"

const char *api_agent_state(int state)
{
	static const char *const STATES[] = {
		[WIRE_AGENT_STARTING] = "starting",
		[WIRE_AGENT_CATCHING_UP] = "catching_up",
		[WIRE_AGENT_RUNNING] = "running",
		[WIRE_AGENT_BLIND] = "blind",
	};

	return state >= 0 && state < (int)ARRAY_LEN(STATES) ? STATES[state] : "";
}

/* --- sums --- */

/* What the groups of a cluster, or of an environment, are, taken together. */
struct sums {
	int64_t clusters, stale; /* stale: clusters whose verdicts are old ones */
	int64_t groups, ok, warn, err;
	int64_t topics, lag, lost, time_lag_ms;
	int64_t as_of_ms; /* of the oldest pass; 0: none */
};

static void add_group(struct sums *s, const struct view_group *g)
{
	s->groups++;
	s->ok += g->status == STATUS_OK;
	s->warn += g->status == STATUS_WARN;
	s->err += g->status == STATUS_ERR;
	s->lag += (int64_t)MIN(g->total_lag, (uint64_t)(INT64_MAX - s->lag));
	s->lost += g->lost;
	s->time_lag_ms = MAX(s->time_lag_ms, g->time_lag_ms);
}

static void add_view(struct sums *s, const struct view *v)
{
	for (size_t i = 0; i < v->group_count; i++)
		add_group(s, &v->groups[i]);
	s->clusters++;
	s->stale += v->stale;
	s->topics += (int64_t)v->topic_count;
	if (v->as_of_ms != 0 && (s->as_of_ms == 0 || v->as_of_ms < s->as_of_ms))
		s->as_of_ms = v->as_of_ms;
}

static enum status worst(const struct sums *s)
{
	if (s->err > 0)
		return STATUS_ERR;
	return s->warn > 0 ? STATUS_WARN : STATUS_OK;
}

static int64_t value_of(const struct sums *s, enum query_sort sort)
{
	switch (sort) {
	case QUERY_BY_LAG:
		return s->lag;
	case QUERY_BY_TIME_LAG:
		return s->time_lag_ms;
	case QUERY_BY_STATUS:
		return worst(s);
	default:
		return 0;
	}
}

static void put_sums(struct cells *c, const struct sums *s)
{
	cells_begin_object(c, "groups");
	cells_int(c, "total", s->groups);
	cells_int(c, "ok", s->ok);
	cells_int(c, "warn", s->warn);
	cells_int(c, "err", s->err);
	cells_end_object(c);
	cells_int(c, "topics", s->topics);
	cells_int(c, "lag", s->lag);
	cells_known(c, "time_lag_ms", s->time_lag_ms);
	cells_int(c, "lost", s->lost);
}

/* --- clusters --- */

static void put_agent(struct cells *c, const struct view_agent *a)
{
	cells_begin_object(c, "agent");
	cells_str(c, "name", a->name);
	cells_str(c, "version", a->software);
	cells_str(c, "state", api_agent_state(a->state));
	cells_str(c, "source", a->source);
	cells_str(c, "problem", a->problem);
	cells_time(c, "last_seen_ms", a->last_seen_ms);
	cells_end_object(c);
}

static void put_cluster(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct view none;
	const struct view *v = row != NULL ? row->view : &none;
	struct sums s = {.time_lag_ms = VIEW_UNKNOWN};

	(void)arg;
	add_view(&s, v);
	cells_str(c, "environment", v->environment);
	cells_str(c, "cluster", v->cluster);
	cells_time(c, "as_of_ms", v->as_of_ms);
	cells_time(c, "received_ms", v->received_ms);
	cells_int(c, "interval_ms", v->interval_ms);
	cells_bool(c, "stale", v->stale);
	put_agent(c, &v->agent);
	put_sums(c, &s);
}

static const struct query_kind CLUSTERS = {"env cluster", 1u << QUERY_BY_NAME | 1u << QUERY_BY_LAG |
								  1u << QUERY_BY_TIME_LAG |
								  1u << QUERY_BY_STATUS};
static const struct query_kind CLUSTERS_OF_ENVIRONMENT = {
	"cluster",
	1u << QUERY_BY_NAME | 1u << QUERY_BY_LAG | 1u << QUERY_BY_TIME_LAG | 1u << QUERY_BY_STATUS};

static void add_cluster(struct list *l, const struct view *v)
{
	const char *const texts[] = {v->environment, v->cluster, NULL};
	struct sums s = {.time_lag_ms = VIEW_UNKNOWN};

	if (!query_finds(l->q, texts))
		return;
	if (l->q->sort != QUERY_BY_NAME)
		add_view(&s, v);
	list_add(l, &(struct list_row){
			    .value = value_of(&s, l->q->sort),
			    .names = {v->cluster, v->environment},
			    .view = v,
		    });
}

static void clusters(struct server *s, const struct request *rq, enum api_place place,
		     struct response *rs)
{
	CLEANUP(api_scope_free) struct api_scope scope = {.place = place};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	struct query q;

	if (!query_read(rq, place == API_FLEET ? &CLUSTERS : &CLUSTERS_OF_ENVIRONMENT, &q, rs) ||
	    !api_find_scope(s, rq, &q, place, &scope, rs) ||
	    deliver_known(s, rq, list_tag(&scope.views), q.csv, rs))
		return;
	l.q = &q;
	for (size_t i = 0; i < scope.views.count; i++)
		add_cluster(&l, scope.views.list[i]);
	list_answer(&l, rq,
		    &(struct list_shape){.member = "clusters",
					 .put = put_cluster,
					 .head = api_list_head,
					 .head_arg = &scope},
		    rs);
}

void api_clusters(struct server *s, const struct request *rq, struct response *rs)
{
	clusters(s, rq, API_FLEET, rs);
}

void api_environment_clusters(struct server *s, const struct request *rq, struct response *rs)
{
	clusters(s, rq, API_ENVIRONMENT, rs);
}

void api_cluster(struct server *s, const struct request *rq, struct response *rs)
{
	if (!query_check(rq, "env pretty", rs))
		return;
	CLEANUP(view_unref) struct view *v = api_find_view(s, rq, rs);
	if (v == NULL || deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, v->serial), false, rs))
		return;
	struct cells c = cells_on(&rs->body, CELLS_JSON);
	rs->type = "application/json";
	cells_begin_row(&c);
	put_cluster(&c, &(struct list_row){.view = v}, NULL);
	cells_end_row(&c);
}

/* --- environments --- */

static void put_environment(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct sums none;
	const struct sums *s = row != NULL ? row->item : &none;

	(void)arg;
	cells_str(c, "environment", row != NULL ? row->names[0] : "");
	cells_time(c, "as_of_ms", s->as_of_ms);
	cells_int(c, "clusters", s->clusters);
	cells_int(c, "stale", s->stale);
	put_sums(c, s);
}

/* The sums of the environment that the i-th view is the first of; false: it is not the first. */
static bool sum_environment(const struct list_views *views, size_t i, struct sums *ret_s)
{
	const char *name = views->list[i]->environment;
	struct sums s = {.time_lag_ms = VIEW_UNKNOWN};

	for (size_t k = 0; k < i; k++)
		if (strcmp(views->list[k]->environment, name) == 0)
			return false;
	for (size_t k = i; k < views->count; k++)
		if (strcmp(views->list[k]->environment, name) == 0)
			add_view(&s, views->list[k]);
	*ret_s = s;
	return true;
}

static void add_environments(struct list *l, const struct list_views *views, struct sums *sums)
{
	for (size_t i = 0; i < views->count; i++) {
		const char *const texts[] = {views->list[i]->environment, NULL};

		if (query_finds(l->q, texts) && sum_environment(views, i, &sums[i]))
			list_add(l, &(struct list_row){
					    .value = value_of(&sums[i], l->q->sort),
					    .names = {texts[0]},
					    .item = &sums[i],
				    });
	}
}

static void free_sums(struct sums **sums)
{
	free(*sums);
}

void api_environments(struct server *s, const struct request *rq, struct response *rs)
{
	static const struct query_kind KIND = {"env", 1u << QUERY_BY_NAME | 1u << QUERY_BY_LAG |
							      1u << QUERY_BY_TIME_LAG |
							      1u << QUERY_BY_STATUS};
	CLEANUP(api_scope_free) struct api_scope scope = {.place = API_FLEET};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	CLEANUP(free_sums) struct sums *sums = NULL;
	struct query q;

	if (!query_read(rq, &KIND, &q, rs) || !api_find_scope(s, rq, &q, API_FLEET, &scope, rs) ||
	    deliver_known(s, rq, list_tag(&scope.views), q.csv, rs))
		return;
	l.q = &q;
	sums = mem_zeroed(scope.views.count + 1, sizeof(*sums));
	add_environments(&l, &scope.views, sums);
	list_answer(&l, rq,
		    &(struct list_shape){.member = "environments",
					 .put = put_environment,
					 .head = api_list_head,
					 .head_arg = &scope},
		    rs);
}

void api_environment(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_scope_free) struct api_scope scope = {.place = API_ENVIRONMENT};
	static const struct query all;
	struct sums sums;

	if (!query_check(rq, "pretty", rs) ||
	    !api_find_scope(s, rq, &all, API_ENVIRONMENT, &scope, rs) ||
	    deliver_known(s, rq, list_tag(&scope.views), false, rs))
		return;
	(void)sum_environment(&scope.views, 0, &sums);
	struct cells c = cells_on(&rs->body, CELLS_JSON);
	rs->type = "application/json";
	cells_begin_row(&c);
	put_environment(&c, &(struct list_row){.names = {rq->args[0]}, .item = &sums}, NULL);
	cells_end_row(&c);
}
