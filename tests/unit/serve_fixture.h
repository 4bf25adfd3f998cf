/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * serve_fixture - a server over a board that holds what Burrow held when its answers in
 * data/burrow-v3.txt were captured.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/judge/view.h"
#include "aggregator/serve/server.h"
#include "common/err.h"
#include "proto/wire.h"
#include "tests/unit/story_none.h"

#define T0 1795372995000 /* when all of it was observed */

struct fixture {
	struct board *board;
	struct server *server;
	uint32_t deleted_cluster, deleted_group; /* of the last removal asked for */
	char deleted_topic[64];
	int delete_err, offsets_err; /* what the calls return */
	unsigned offsets_calls;
	struct rulebook *rulebook;
	struct auth *auth;
};

static inline struct view_offset fixture_point(int64_t offset, int64_t ago_ms, int64_t lag)
{
	return (struct view_offset){offset, T0 - ago_ms, T0, lag};
}

/* Fill in what partitions have in common. */
static inline void fixture_partition(struct view_partition *p, const char *topic, int32_t partition,
				     enum status status, int64_t lag)
{
	*p = (struct view_partition){.topic = topic,
				     .partition = partition,
				     .status = status,
				     .counted = true,
				     .complete = 1,
				     .committed = VIEW_UNKNOWN,
				     .log_start = VIEW_UNKNOWN,
				     .log_end = VIEW_UNKNOWN,
				     .lag = lag,
				     .time_lag_ms = VIEW_UNKNOWN,
				     .eta_ms = VIEW_UNKNOWN,
				     .owner = "",
				     .client_id = ""};
}

static inline void fixture_window(struct view_partition *p, struct view_offset start,
				  struct view_offset end)
{
	p->has_offsets = true;
	p->start = start;
	p->end = end;
	p->committed = end.offset;
}

/* The group that has one of everything. */
static inline void fixture_group_g(struct view *v, struct view_group *g)
{
	struct view_partition *p = view_alloc(v, 3 * sizeof(*p));

	fixture_partition(&p[0], "t", 0, STATUS_OK, 7);
	fixture_window(&p[0], fixture_point(91, 12000, 9), fixture_point(93, 4000, 7));
	p[0].owner = "/10.0.0.1";
	p[0].client_id = "cli<1>&";
	fixture_partition(&p[1], "t", 1, STATUS_OK, VIEW_UNKNOWN);
	p[1].complete = 0;
	fixture_partition(&p[2], "t", 2, STATUS_STOP, 50);
	fixture_window(&p[2], fixture_point(250, 1000, 50), fixture_point(250, 1000, 50));
	p[2].complete = 1.0F / 3.0F;
	*g = (struct view_group){.name = "g",
				 .id = 1,
				 .status = STATUS_ERR,
				 .complete = 1.0F / 3.0F,
				 .total_lag = 57,
				 .lost = 12,
				 .margin_ms = 90500,
				 .time_lag_ms = 61500,
				 .partitions = p,
				 .partition_count = 3,
				 .max_lag = 2,
				 .state = "",
				 .protocol = ""};
}

/* A group that reads partition 0 of u. */
static inline void fixture_group_u(struct view *v, struct view_group *g, const char *name,
				   enum status status, struct view_offset start,
				   struct view_offset end)
{
	struct view_partition *p = view_alloc(v, sizeof(*p));

	fixture_partition(p, "u", 0, status, 1800 - end.offset);
	fixture_window(p, start, end);
	*g = (struct view_group){.name = name,
				 .status = status_of_group(status),
				 .complete = 1,
				 .total_lag = (uint64_t)p->lag,
				 .margin_ms = VIEW_UNKNOWN,
				 .time_lag_ms = VIEW_UNKNOWN,
				 .partitions = p,
				 .partition_count = 1,
				 .state = "",
				 .protocol = ""};
}

static inline void fixture_topics(struct view *v, size_t count)
{
	struct view_topic *topics = view_alloc(v, count * sizeof(*topics));
	int64_t *ends = view_alloc(v, 4 * sizeof(*ends));

	memcpy(ends, (int64_t[]){100, 0, 300, 1800}, 4 * sizeof(*ends));
	topics[0] = (struct view_topic){
		.name = "t", .ends = ends, .starts = ends, .partition_count = 3};
	if (count == 2)
		topics[1] = (struct view_topic){
			.name = "u", .ends = ends + 3, .starts = ends + 3, .partition_count = 1};
	v->topics = topics;
	v->topic_count = count;
}

static inline struct view *fixture_view(const char *cluster, uint32_t id)
{
	struct view *v = view_new();

	assert_non_null(v);
	v->cluster = view_strdup(v, cluster);
	v->cluster_id = id;
	v->environment = "PROD";
	v->servers = "k1:9092,k2:9092";
	v->interval_ms = 10000;
	v->as_of_ms = v->received_ms = T0;
	v->agent.name = "dc1-a";
	v->agent.last_seen_ms = T0;
	v->agent.state = WIRE_AGENT_RUNNING;
	return v;
}

/* The cluster "local" as it was at first. */
static inline struct view *fixture_local(void)
{
	struct view *v = fixture_view("local", 1);
	struct view_group *g = view_alloc(v, 6 * sizeof(*g));

	fixture_group_u(v, &g[0], "full", STATUS_STALL, fixture_point(100, 30000, 900),
			fixture_point(100, 10000, 1300));
	fixture_group_g(v, &g[1]);
	g[2] = (struct view_group){.name = "memberonly",
				   .status = STATUS_OK,
				   .time_lag_ms = VIEW_UNKNOWN,
				   .state = "Stable",
				   .protocol = "classic",
				   .member_count = 1};
	fixture_group_u(v, &g[3], "rew", STATUS_REWIND, fixture_point(100, 6000, 1700),
			fixture_point(80, 0, 1720));
	fixture_group_u(v, &g[4], "stall", STATUS_STOP, fixture_point(100, 6000, 900),
			fixture_point(100, 4000, 1300));
	fixture_group_u(v, &g[5], "warn", STATUS_WARN, fixture_point(100, 6000, 1300),
			fixture_point(102, 0, 1698));
	for (uint32_t i = 0; i < 6; i++)
		g[i].id = i + 1;
	v->groups = g;
	v->group_count = 6;
	fixture_topics(v, 2);
	return v;
}

/* The same after topic u is gone and a group with a blank in its name has come. */
static inline struct view *fixture_local_later(void)
{
	struct view *v = fixture_view("local", 1);
	struct view_group *g = view_alloc(v, 3 * sizeof(*g));
	struct view_offset point = {5, T0, T0 + 2000, 5};

	fixture_group_u(v, &g[0], "a b", STATUS_STOP, point, point);
	struct view_partition *p = view_alloc(v, sizeof(*p));
	*p = g[0].partitions[0];
	p->topic = "u2";
	p->complete = 1.0F / 3.0F;
	p->lag = 5;
	g[0].partitions = p;
	g[0].complete = 0;
	g[0].total_lag = 5;
	g[1] = (struct view_group){.name = "full",
				   .status = STATUS_OK,
				   .time_lag_ms = VIEW_UNKNOWN,
				   .state = "",
				   .protocol = ""};
	fixture_group_g(v, &g[2]);
	for (uint32_t i = 0; i < 3; i++)
		g[i].id = i + 11;
	v->groups = g;
	v->group_count = 3;
	fixture_topics(v, 1);
	return v;
}

static inline int fixture_delete_topic(void *arg, uint32_t cluster_id, uint32_t group_id,
				       const char *topic)
{
	struct fixture *f = arg;

	f->deleted_cluster = cluster_id;
	f->deleted_group = group_id;
	strncpy(f->deleted_topic, topic, sizeof(f->deleted_topic) - 1);
	return f->delete_err;
}

static inline int fixture_delete(void *arg, uint32_t cluster_id, uint32_t group_id)
{
	return fixture_delete_topic(arg, cluster_id, group_id, "");
}

/* The points of the group g; none for all others. */
static inline int fixture_offsets(void *arg, const struct view *v, const struct view_group *g,
				  uint32_t max_points, server_emit *emit, void *emit_arg)
{
	struct fixture *f = arg;
	const struct view_offset points[] = {fixture_point(91, 12000, 9),
					     fixture_point(92, 8000, 8),
					     fixture_point(93, 4000, 7)};
	const struct view_offset last = fixture_point(250, 1000, 50);

	(void)v;
	assert_int_equal(max_points, 3);
	f->offsets_calls++;
	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];

		if (strcmp(g->name, "g") == 0 && p->partition == 0)
			emit(emit_arg, p, points, 3);
		else if (strcmp(g->name, "g") == 0 && p->partition == 2)
			emit(emit_arg, p, &last, 1);
		else
			emit(emit_arg, p, NULL, 0);
	}
	return f->offsets_err;
}

static inline void fixture_rules(void *arg, struct rulebook_state *ret_state)
{
	struct fixture *f = arg;

	rulebook_state(f->rulebook, ret_state);
}

static inline void fixture_take_rules(void *arg, struct rules_set *s)
{
	(void)arg;
	(void)s;
}

static inline int fixture_reload(void *arg, struct buf *errors, bool *ret_changed)
{
	struct fixture *f = arg;

	return rulebook_reload(f->rulebook, fixture_take_rules, NULL, errors, ret_changed);
}

static inline int fixture_maintain(void *arg, struct rules_maintenance *m)
{
	struct fixture *f = arg;

	return rulebook_maintain(f->rulebook, m, fixture_take_rules, NULL);
}

static inline int fixture_end_maintenance(void *arg, uint64_t id)
{
	struct fixture *f = arg;

	return rulebook_end_maintenance(f->rulebook, id, fixture_take_rules, NULL);
}

/* Answer with the rules of the file at path. */
static inline void fixture_open_rules(struct fixture *f, const char *path)
{
	CLEANUP(buf_free) struct buf errors = {0};
	const struct rules_base base = {.values = RULES_DEFAULT};

	rulebook_close(&f->rulebook);
	if (rulebook_open(path, &base, &errors, &f->rulebook) != ERR_OK)
		fail_msg("%s", buf_str(&errors));
}

/* Serve with these credentials. */
static inline void fixture_start_with(struct fixture *f, const struct auth_options *options)
{
	*f = (struct fixture){.board = board_new()};
	assert_int_equal(auth_new(options, &f->auth), ERR_OK);
	assert_non_null(f->board);
	fixture_open_rules(f, "");
	board_publish(f->board, fixture_local());

	const struct server_config config = {.listen = "127.0.0.1:18999",
					     .allow_origin = "mysite.example.com",
					     .auth = f->auth,
					     .host = "vm",
					     .idle_timeout_ms = 300000,
					     .expire_group_ms = 604800000,
					     .intervals = 3,
					     .window_ms = 600000,
					     .stop_after_min_ms = 60000,
					     .stop_after_max_ms = 3600000,
					     .warn_after_ms = 60000,
					     .raise_after = 2,
					     .clear_after = 2};
	struct server_calls calls = {.arg = f,
				     .delete_group = fixture_delete,
				     .delete_group_topic = fixture_delete_topic,
				     .offsets = fixture_offsets,
				     .rules = fixture_rules,
				     .reload_rules = fixture_reload,
				     .maintain = fixture_maintain,
				     .end_maintenance = fixture_end_maintenance};
	story_none(&calls);
	assert_int_equal(server_new(&config, &calls, f->board, &f->server), ERR_OK);
}

/* Without credentials, and as open as Burrow. */
static inline void fixture_start(struct fixture *f)
{
	const struct auth_options open = {.anonymous = ACCESS_READ, .burrow_open = true};

	fixture_start_with(f, &open);
}

static inline void fixture_stop(struct fixture *f)
{
	server_free(&f->server);
	auth_free(&f->auth);
	board_free(&f->board);
	rulebook_close(&f->rulebook);
}

/* Ask, with a body or NULL. Caller frees with response_free(); the body is also made one string,
 * in a buffer of the caller's. */
static inline struct response fixture_ask(struct fixture *f, enum method method, const char *target,
					  const char *body, struct buf *ret_text)
{
	struct request rq = {.method = method,
			     .target = target,
			     .body = body != NULL ? body : "",
			     .body_size = body != NULL ? strlen(body) : 0};
	struct response rs;

	server_handle(f->server, &rq, &rs);
	assert_int_equal(rs.body.err, ERR_OK);
	buf_reset(ret_text);
	buf_put(ret_text, rs.body.data, rs.body.size);
	if (rs.shared != NULL)
		buf_put(ret_text, rs.shared->data, rs.shared->size);
	buf_str(ret_text);
	return rs;
}
