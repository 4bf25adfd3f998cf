/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * server - what every handler is given: the board, the configuration, what it may ask of the rest
 * of the aggregator, and what was rendered before. All of it is set at start; any thread may use
 * it.
 */

#include "aggregator/judge/story.h"
#include "aggregator/judge/view.h"
#include "aggregator/rulebook.h"
#include "aggregator/serve/auth.h"
#include "aggregator/serve/request.h"
#include "aggregator/store/past.h"

/* How the store hands over the points of one partition, oldest first. */
typedef void server_emit(void *emit_arg, const struct view_partition *p,
			 const struct view_offset *points, size_t count);

struct server_store {
	uint64_t used, limit; /* bytes */
	bool degraded;        /* it takes no writes at present, or not all */
};

/* What has come from agents since the start, and what was not let in. */
struct server_ingest {
	uint64_t connections; /* now */
	uint64_t batches, rows, duplicates, rejected, lost;
	uint64_t busy; /* requests that were put off for want of room */
	uint64_t connections_refused, connections_idle, connections_silent;
	uint64_t hellos_refused, hellos_stale, batches_forged, batches_foreign, batches_delayed;
};

/* The only ways from here to the store. Called from any thread of the HTTP server. */
struct server_calls {
	void *arg;

	/* Have the writer forget a group, or one topic of it: queued, returns at once. ERR_LIMIT
	 * when too much is queued. */
	int (*delete_group)(void *arg, uint32_t cluster_id, uint32_t group_id);
	int (*delete_group_topic)(void *arg, uint32_t cluster_id, uint32_t group_id,
				  const char *topic);

	/* Read the newest points of each partition of g, in the order of g->partitions, and call
	 * emit once for each, also when there are none. Bounded in time. */
	int (*offsets)(void *arg, const struct view *v, const struct view_group *g,
		       uint32_t max_points, server_emit *emit, void *emit_arg);

	/* What is told of one group: see judge/story.h and ingest/recall.h. */
	int (*partitions)(void *arg, const struct story_group *g, const struct story_filter *f,
			  story_on_partition *emit, void *emit_arg);
	int (*members)(void *arg, const struct story_group *g, story_on_member *emit,
		       void *emit_arg);
	int (*events)(void *arg, const struct story_group *g, int64_t before_ms, size_t max,
		      past_on_event *emit, void *emit_arg);
	int (*lag)(void *arg, const struct story_group *g, const struct story_span *span,
		   story_on_lag *emit, void *emit_arg, int64_t *ret_step);

	/* How full the store is. May be NULL: it is not told. */
	void (*store)(void *arg, struct server_store *ret_s);

	/* How agents fare. May be NULL: it is not told. */
	void (*ingest)(void *arg, struct server_ingest *ret_i);

	/* The rules in force. Caller gives them back with rulebook_state_free(). */
	void (*rules)(void *arg, struct rulebook_state *ret_state);

	/* Have the rules file read again, as rulebook_reload() does. */
	int (*reload_rules)(void *arg, struct buf *errors, bool *ret_changed);
};

/* Strings, and auth, are borrowed and outlive the server. */
struct server_config {
	const char *listen;
	const char *allow_origin; /* "": no such header */
	struct auth *auth;        /* who may ask what */
	const char *host;         /* this machine's name, for "request" in answers; "": asked for */
	int64_t idle_timeout_ms;
	int64_t expire_group_ms;
	uint32_t intervals; /* points of a partition in a group's detail */
	int64_t window_ms;
	int64_t allowed_lag;
	int64_t max_time_lag_ms;
	int64_t stop_after_min_ms, stop_after_max_ms;
	int64_t warn_after_ms;
	int64_t raise_after, clear_after;
};

struct route;
struct server;

/* board is borrowed and outlives the server. Caller frees *ret_s with server_free(), after the
 * HTTP server has stopped. */
MUST_CHECK int server_new(const struct server_config *config, const struct server_calls *calls,
			  struct board *board, struct server **ret_s);
void server_free(struct server **s);

/* Whether the readiness requests are answered with yes; at first they are not. */
void server_set_ready(struct server *s, bool ready);

/* Answer rq; caller frees *rs with response_free(). */
void server_handle(struct server *s, struct request *rq, struct response *rs);

/* An error in the form of the v3 API; what rs held is gone. */
void server_refuse(const struct server *s, const struct request *rq, int status,
		   const char *message, struct response *rs);

/* All there is to ask for. */
const struct route *server_routes(size_t *ret_count);

/* --- for the router --- */

/* Whether who asks may. Sets rq->need and rq->who. If not, rs is the refusal. */
bool server_admit(struct server *s, enum access_need need, struct request *rq, struct response *rs);

/* --- for the handlers --- */

/* The latest view of a cluster, as board_get() finds it, among those that who asks sees;
 * referenced. NULL if there is none for him. There is no other way from a handler to the board. */
struct view *server_find_view(struct server *s, const struct request *rq, const char *cluster);

/* All that he sees, referenced, sorted by cluster name. Caller unrefs each and frees the array. */
size_t server_all_views(struct server *s, const struct request *rq, struct view ***ret_views);

/* Changes with every view. */
uint64_t server_board_serial(struct server *s);

/* See board_drop_group(). */
void server_drop_group(struct server *s, uint32_t cluster_id, uint32_t group_id, const char *topic);

const struct server_config *server_config(const struct server *s);
const struct server_calls *server_calls(const struct server *s);
struct cache *server_cache(struct server *s);
struct metrics *server_metrics(struct server *s);
bool server_ready(const struct server *s);
