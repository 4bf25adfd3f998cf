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
#include "common/histogram.h"

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
	uint64_t transactions; /* committed */
	struct histogram_counts judging; /* passes, and how long each took */
	uint64_t busy;         /* requests that were put off for want of room */
	uint64_t connections_refused, connections_idle, connections_silent;
	uint64_t hellos_refused, hellos_stale, batches_forged, batches_foreign, batches_delayed;
};

/* --- incidents and silences, see api_incidents.c; texts come rendered --- */

enum { SERVER_OPEN = 1, SERVER_ACKNOWLEDGED = 2, SERVER_RESOLVED = 4 };

/* Where a list of incidents goes on; id 0: at its begin, or nowhere. */
struct server_place {
	int64_t opened_ms;
	uint64_t id;
};

struct server_incidents_ask {
	const struct access *who;
	unsigned states;                           /* bits SERVER_* */
	const char *environment, *cluster, *group; /* globs; NULL: any */
	int status;                                /* enum status; 0: any */
	int64_t since_ms;
	struct server_place before;
	size_t max;
};

/* Who changes something, and what he says. */
struct server_deed {
	const struct access *who;
	uint64_t id;
	const char *note;
};

/* Whether a cluster of these patterns is one that who asks sees. */
typedef bool server_concerns(void *arg, const char *environment, const char *cluster);

/* Bits of what a message is. */
#define SERVER_WAITING 1u
#define SERVER_SENT 2u
#define SERVER_DEAD 4u
#define SERVER_ELSEWHERE 8u
#define SERVER_OUTBOX_ALL 15u

struct server_outbox_ask {
	unsigned states;
	size_t max;
	uint64_t next; /* where to go on; set to where the next goes on, 0: there is no more */
};

/* Messages now, and since the start. */
struct server_delivery {
	bool sends; /* this replica does */
	uint64_t waiting, held, sent, dead, retries;
	int64_t oldest_ms; /* 0: none waits */
};

struct server_alarms {
	void *arg;

	/* Append the objects of an array, the newest first. */
	int (*incidents)(void *arg, const struct server_incidents_ask *ask, struct buf *out,
			 size_t *ret_total, struct server_place *ret_next);

	/* Append the object of one, with its timeline. ERR_NOT_FOUND: he sees none of this id. */
	int (*incident)(void *arg, const struct access *who, uint64_t id, struct buf *out);

	/* As well; and done when they return. ERR_TIMEOUT: the store takes nothing. */
	int (*acknowledge)(void *arg, const struct server_deed *d);
	int (*resolve)(void *arg, const struct server_deed *d);

	/* Append the objects of those that concern him. */
	int (*silences)(void *arg, server_concerns *concerns, void *concerns_arg, struct buf *out);

	/* Add the one that the body describes, and append it. ERR_MALFORMED, and why; ERR_LIMIT. */
	int (*silence)(void *arg, const struct access *who, const char *body, size_t size,
		       struct buf *why, struct buf *out);
	int (*unsilence)(void *arg, const struct access *who, uint64_t id);

	/* Incidents that are not over, by environment, acknowledged or not, and ERR or WARN. */
	void (*counts)(void *arg,
		       void (*emit)(void *emit_arg, const char *environment, bool acknowledged,
				    bool err, uint64_t count),
		       void *emit_arg);

	/* Append the objects of messages, the oldest first. Both NULL: there are none. */
	int (*outbox)(void *arg, struct server_outbox_ask *ask, struct buf *out);
	void (*delivery)(void *arg, struct server_delivery *ret_d);

	/* Put a message that is dead back. ERR_NOT_FOUND: there is none; ERR_LIMIT, ERR_TIMEOUT. */
	int (*retry)(void *arg, uint64_t id);
};

/* An agent that has said hello since the start. */
struct server_agent {
	const char *name, *software;
	uint64_t config_hash;          /* 0: not told */
	int64_t connected_ms, seen_ms; /* last hello, last message; this machine's wall clock */
	uint64_t hellos, batches, duplicates, rejected;
	uint64_t spool_batches, spool_bytes; /* that wait at the agent */
	int64_t spool_age_ms;                /* of the pass sent last; VIEW_UNKNOWN */
	bool skew_known;
	int64_t skew_ms; /* its clock is ahead by so much */
};

typedef void server_on_agent(void *arg, const struct server_agent *a);

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

	/* Each agent that has said hello, in order of names. May be NULL: it is not told. */
	void (*agents)(void *arg, server_on_agent *emit, void *emit_arg);

	/* How agents fare. May be NULL: it is not told. */
	void (*ingest)(void *arg, struct server_ingest *ret_i);

	/* The rules in force. Caller gives them back with rulebook_state_free(). */
	void (*rules)(void *arg, struct rulebook_state *ret_state);

	/* Have the rules file read again, as rulebook_reload() does. */
	int (*reload_rules)(void *arg, struct buf *errors, bool *ret_changed);

	/* Maintenance by hand, which is among the rules: see rulebook_maintain(). */
	int (*maintain)(void *arg, struct rules_maintenance *m);
	int (*end_maintenance)(void *arg, uint64_t id);

	/* Incidents. arg NULL: there are none. */
	struct server_alarms alarms;
};

/* Strings, and auth, are borrowed and outlive the server. */
struct server_config {
	const char *listen;
	const char *allow_origin; /* "": no such header */
	struct auth *auth;        /* who may ask what */
	struct stream *stream;    /* NULL: nobody can follow what happens */
	struct {
		bool partitions, topics, groups;
	} no_metrics_of;  /* left out of /metrics */
	const char *host; /* this machine's name, for "request" in answers; "": asked for */
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
struct traffic;

/* board is borrowed and outlives the server. Caller frees *ret_s with server_free(), after the
 * HTTP server has stopped. */
MUST_CHECK int server_new(const struct server_config *config, const struct server_calls *calls,
			  struct board *board, struct server **ret_s);
void server_free(struct server **s);

/* Whether the readiness requests are answered with yes; at first they are not. */
void server_set_ready(struct server *s, bool ready);

/* Answer rq; caller frees *rs with response_free(). */
void server_handle(struct server *s, struct request *rq, struct response *rs);

/* An error in the form of the API that is asked, v3 for all else; what rs held is gone. */
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

/* See board_drop_group(). */
void server_drop_group(struct server *s, uint32_t cluster_id, uint32_t group_id, const char *topic);

const struct server_config *server_config(const struct server *s);
const struct server_calls *server_calls(const struct server *s);
struct cache *server_cache(struct server *s);
struct metrics *server_metrics(struct server *s);
const struct traffic *server_traffic(const struct server *s); /* since the start */
struct stream *server_stream(struct server *s); /* NULL: none */
bool server_ready(const struct server *s);
