/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/api_cluster.h"
#include "aggregator/serve/problem.h"
#include "common/clock.h"
#include "common/mem.h"

/*
 * An agent is put together from two sides: the views, which tell what it last reported of each
 * cluster, and outlive a restart; and what the link knows of it since the start of this program.
 * Who sees only some of its clusters is not told what it does for all of them together.
 */
struct agent {
	const char *name;
	const struct server_agent *link; /* NULL: it has not said hello */
	struct view *const *views;       /* its clusters that are seen, one after the other */
	size_t count;
	bool whole; /* all that it has is seen */
};

/* All that is put together, in memory of the kind that views have. */
struct agents {
	struct view *memory;
	struct list_views views; /* by agent's name */
	const struct server_agent *links;
	size_t link_count;
	struct server_agent *room;
	size_t cap;
	bool sees_all;
	int64_t now_ms;
};

static void free_agents(struct agents *a)
{
	list_views_free(&a->views);
	view_unref(&a->memory);
	free(a->room);
}

static void add_link(void *arg, const struct server_agent *link)
{
	struct agents *a = arg;

	a->room = mem_grow(a->room, a->link_count, &a->cap, sizeof(*a->room));
	struct server_agent *copy = &a->room[a->link_count++];
	*copy = *link;
	copy->name = view_strdup(a->memory, link->name);
	copy->software = view_strdup(a->memory, link->software);
	a->links = a->room;
}

static int by_agent(const void *a, const void *b)
{
	const struct view *const *x = a;
	const struct view *const *y = b;
	int order = strcmp((*x)->agent.name, (*y)->agent.name);

	if (order == 0)
		order = strcmp((*x)->environment, (*y)->environment);
	return order != 0 ? order : strcmp((*x)->cluster, (*y)->cluster);
}

static void gather(struct server *s, const struct request *rq, struct agents *a)
{
	const struct server_calls *calls = server_calls(s);

	a->memory = view_new();
	if (a->memory == NULL)
		abort();
	a->now_ms = clock_wall_ms();
	a->sees_all = rq->who->scope == 0;
	list_views(s, rq, NULL, NULL, &a->views);
	if (a->views.count > 1)
		qsort(a->views.list, a->views.count, sizeof(struct view *), by_agent); /* NOLINT */
	if (calls->agents != NULL)
		calls->agents(calls->arg, add_link, a);
}

/* --- a row --- */

/* The newest pass of its clusters, and the one whose report is the newest. */
static const struct view *newest(const struct agent *a, int64_t *ret_received_ms)
{
	const struct view *v = NULL;

	*ret_received_ms = 0;
	for (size_t i = 0; i < a->count; i++) {
		*ret_received_ms = MAX(*ret_received_ms, a->views[i]->received_ms);
		if (v == NULL || a->views[i]->agent.last_seen_ms > v->agent.last_seen_ms)
			v = a->views[i];
	}
	return v;
}

static int64_t age_of(const struct agents *all, int64_t at_ms)
{
	return at_ms == 0 ? VIEW_UNKNOWN : MAX(all->now_ms - at_ms, (int64_t)0);
}

/* Numbers of the whole agent: null for who does not see the whole of it. */
static void put_link(struct cells *c, const struct agents *all, const struct agent *a)
{
	static const struct server_agent none = {.spool_age_ms = VIEW_UNKNOWN};
	const struct server_agent *l = a->whole && a->link != NULL ? a->link : &none;
	bool known = l != &none;
	char hash[24];

	snprintf(hash, sizeof(hash), "%016" PRIx64, l->config_hash);
	cells_time(c, "connected_ms", l->connected_ms);
	cells_time(c, "seen_ms", l->seen_ms);
	cells_known(c, "seen_age_ms", age_of(all, l->seen_ms));
	if (l->skew_known)
		cells_int(c, "skew_ms", l->skew_ms);
	else
		cells_null(c, "skew_ms");
	cells_known(c, "spool_batches", known ? (int64_t)l->spool_batches : VIEW_UNKNOWN);
	cells_known(c, "spool_bytes", known ? (int64_t)l->spool_bytes : VIEW_UNKNOWN);
	cells_known(c, "spool_age_ms", l->spool_age_ms);
	cells_known(c, "connects", known ? (int64_t)l->hellos : VIEW_UNKNOWN);
	cells_known(c, "batches", known ? (int64_t)l->batches : VIEW_UNKNOWN);
	cells_known(c, "duplicates", known ? (int64_t)l->duplicates : VIEW_UNKNOWN);
	cells_known(c, "rejected", known ? (int64_t)l->rejected : VIEW_UNKNOWN);
	if (l->config_hash != 0)
		cells_str(c, "config_hash", hash);
	else
		cells_null(c, "config_hash");
}

static void put_cluster(struct json *j, const struct agents *all, const struct view *v)
{
	const struct view_agent *a = &v->agent;

	json_begin_object(j);
	api_head(j, v);
	api_time(j, "received_ms", v->received_ms);
	api_known(j, "age_ms", age_of(all, v->received_ms));
	api_int(j, "interval_ms", v->interval_ms);
	api_bool(j, "stale", v->stale);
	api_str(j, "state", api_agent_state(a->state));
	api_str(j, "source", a->source);
	api_str(j, "problem", a->problem);
	api_known(j, "reader_lag", a->reader_lag);
	api_int(j, "read", (int64_t)a->read);
	api_int(j, "to_read", (int64_t)a->to_read);
	api_int(j, "records", (int64_t)a->records);
	api_int(j, "unknown", (int64_t)a->unknown);
	api_int(j, "malformed", (int64_t)a->malformed);
	api_int(j, "log_failed", (int64_t)a->log_failed);
	json_end_object(j);
}

static void put_clusters(struct cells *c, const struct agents *all, const struct agent *a)
{
	if (c->form != CELLS_JSON) {
		cells_int(c, "clusters", (int64_t)a->count);
		return;
	}
	json_key(&c->j, "clusters");
	json_begin_array(&c->j);
	for (size_t i = 0; i < a->count; i++)
		put_cluster(&c->j, all, a->views[i]);
	json_end_array(&c->j);
}

static void put_agent(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct agent none;
	const struct agents *all = arg;
	const struct agent *a = row != NULL ? row->item : &none;
	int64_t received_ms = 0;
	const struct view *v = newest(a, &received_ms);
	const char *version = v != NULL ? v->agent.software : "";
	size_t stale = 0;

	if (v == NULL && a->link != NULL)
		version = a->link->software;

	for (size_t i = 0; i < a->count; i++)
		stale += a->views[i]->stale;
	cells_str(c, "agent", a->name);
	cells_str(c, "version", version);
	cells_str(c, "environment", v != NULL ? v->environment : "");
	cells_str(c, "problem", v != NULL ? v->agent.problem : "");
	cells_int(c, "stale", (int64_t)stale);
	cells_time(c, "last_pass_ms", received_ms);
	cells_known(c, "last_pass_age_ms", age_of(all, received_ms));
	cells_known(c, "dropped", v != NULL && a->whole ? (int64_t)v->agent.dropped : VIEW_UNKNOWN);
	put_link(c, all, a);
	put_clusters(c, all, a);
}

/* --- the list --- */

static bool wanted(const struct query *q, const struct agent *a)
{
	const char *const texts[] = {a->name, NULL};
	bool found = query_finds(q, texts);
	bool there = q->env == NULL && q->cluster == NULL;

	for (size_t i = 0; i < a->count; i++) {
		const struct view *v = a->views[i];
		const char *const more[] = {v->environment, v->cluster, v->agent.problem, NULL};

		found = found || query_finds(q, more);
		there = there ||
			(query_glob(q->env, v->environment) && query_glob(q->cluster, v->cluster));
	}
	return found && there;
}

static void add_agent(struct list *l, struct agents *all, const struct agent *a)
{
	struct agent *copy = view_alloc(all->memory, sizeof(*copy));

	*copy = *a;
	copy->whole = all->sees_all;
	if (l->q == NULL || wanted(l->q, copy))
		list_add(l, &(struct list_row){.names = {copy->name}, .item = copy});
}

/* Walk both sides, which are in order of names. An agent none of whose clusters is seen is not
 * there for who sees some only. */
static void add_agents(struct list *l, struct agents *all)
{
	size_t at = 0;
	size_t link = 0;

	while (at < all->views.count || link < all->link_count) {
		struct agent a = {.views = all->views.list + at};
		int order = 0; /* negative: the next is in the views only; positive: not there */

		if (at == all->views.count)
			order = 1;
		else if (link == all->link_count)
			order = -1;
		else
			order = strcmp(all->views.list[at]->agent.name, all->links[link].name);

		a.name = order <= 0 ? all->views.list[at]->agent.name : all->links[link].name;
		while (at < all->views.count &&
		       strcmp(all->views.list[at]->agent.name, a.name) == 0) {
			at++;
			a.count++;
		}
		if (order >= 0)
			a.link = &all->links[link++];
		if (a.count > 0 || all->sees_all)
			add_agent(l, all, &a);
	}
}

static void put_head(struct json *j, const void *arg)
{
	const struct agents *all = arg;

	api_time(j, "as_of_ms", list_as_of(&all->views));
	api_time(j, "now_ms", all->now_ms);
}

void api_agents(struct server *s, const struct request *rq, struct response *rs)
{
	static const struct query_kind KIND = {"env cluster", 1u << QUERY_BY_NAME};
	CLEANUP(free_agents) struct agents all = {.memory = NULL};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	struct query q;

	if (!query_read(rq, &KIND, &q, rs))
		return;
	l.q = &q;
	gather(s, rq, &all);
	add_agents(&l, &all);
	list_answer(&l, rq,
		    &(struct list_shape){.member = "agents",
					 .put = put_agent,
					 .arg = &all,
					 .head = put_head,
					 .head_arg = &all},
		    rs);
}

void api_agent(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(free_agents) struct agents all = {.memory = NULL};
	CLEANUP(list_free) struct list l = {.rows = NULL};

	if (!query_check(rq, "pretty", rs))
		return;
	gather(s, rq, &all);
	add_agents(&l, &all);
	for (size_t i = 0; i < l.count; i++) {
		struct cells c = cells_on(&rs->body, CELLS_JSON);

		if (strcmp(l.rows[i].names[0], rq->args[0]) != 0)
			continue;
		rs->type = "application/json";
		cells_begin_row(&c);
		put_head(&c.j, &all);
		put_agent(&c, &l.rows[i], &all);
		cells_end_row(&c);
		return;
	}
	problem_answer(rs, 404, "no such agent");
}
