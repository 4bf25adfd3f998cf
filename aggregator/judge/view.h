/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * view - what was judged of one cluster in one pass, immutable, and the board on which the latest
 * view of each cluster hangs.
 *
 * The writer builds a view and hangs it up; readers take a reference, read without locks, and
 * give it back. All memory of a view is its own; it goes with the last reference. Clusters differ
 * in number, and in name
 * or environment.
 */

#include <stdatomic.h>

#include "aggregator/judge/status.h"
#include "common/base.h"
#include "common/buf.h"

#define VIEW_UNKNOWN (-1)

/* One point of a partition's window, as Burrow shows it. */
struct view_offset {
	int64_t offset;
	int64_t time_ms;     /* the commit's own timestamp */
	int64_t observed_ms; /* when the agent saw it */
	int64_t lag;         /* at that time; VIEW_UNKNOWN: not known */
};

/* What the sentence of a partition's verdict says beside the partition's own numbers. Partitions
 * of which it is the same share one, and then only reason and
 * window_ms are its own. */
struct view_why {
	enum reason reason; /* as judged: ahead of the published one until that follows */
	bool ignored;
	int64_t window_ms;
	int64_t elapsed_ms, limit_ms, usual_ms, unseen_ms;
	int64_t rewind_from, rewind_to;
	int64_t maintenance_ms;
	const char *maintenance_why;
};

struct view_partition {
	const char *topic;
	uint32_t topic_id; /* the store's number of this topic */
	int32_t partition;
	enum status status;
	enum reason reason;
	bool counted;       /* false: ignored or abandoned, does not make the group bad */
	float complete;     /* 0..1: share of the window seen */
	int64_t committed;  /* VIEW_UNKNOWN: never committed */
	int64_t log_start;  /* VIEW_UNKNOWN */
	int64_t log_end;    /* VIEW_UNKNOWN */
	int64_t lag;        /* VIEW_UNKNOWN */
	int64_t lost;       /* messages deleted unread */
	int64_t lost_at_ms; /* when the last of them were seen to be gone; 0: never */
	int64_t margin_ms;  /* until waiting messages are deleted; VIEW_UNKNOWN */
	bool margin_at_least;
	int64_t time_lag_ms; /* VIEW_UNKNOWN */
	bool time_lag_at_least;
	int64_t eta_ms;   /* until caught up; VIEW_UNKNOWN: never, or not falling behind */
	int64_t since_ms; /* when this status was first published */
	bool has_offsets; /* start and end below are set */
	struct view_offset start, end;
	const char *owner;          /* host of the member that owns it, "" if none */
	const char *client_id;      /* "" if none */
	const struct view_why *why; /* NULL: nothing is to be said */
};

struct view_group {
	const char *name;
	uint32_t id; /* the store's number of this group */
	enum status status;
	enum reason reason; /* of the worst partition */
	bool stale;         /* as the view's */
	float complete;     /* share of partitions with a full window */
	uint64_t total_lag;
	int64_t lost;        /* sum of its partitions */
	int64_t margin_ms;   /* the least; VIEW_UNKNOWN */
	int64_t time_lag_ms; /* the greatest; VIEW_UNKNOWN */
	bool margin_at_least;
	bool time_lag_at_least;
	int64_t eta_ms; /* until all that wait are caught up; VIEW_UNKNOWN: not told of one of them
			 */
	int64_t since_ms;                        /* when this status was first published */
	uint32_t rebalances;                     /* generations begun in the window, 8 at most */
	const struct view_partition *partitions; /* by topic, partition */
	size_t partition_count;
	size_t max_lag; /* index of the first partition with the greatest lag, if any */
	size_t worst;   /* index of the first counted partition with the worst status, if any */
	size_t unknown_count;         /* partitions whose lag is not known, and not in total_lag */
	size_t bad_count;             /* counted partitions that are not OK */
	int64_t maintenance_until_ms; /* of the group as a whole; 0: none */
	const char *maintenance_by;   /* "": the rules file declares it; NULL: none */
	const char *maintenance_note; /* "": not said; NULL: none */
	const char *state;            /* "Stable", "Empty", ...; "" unknown */
	const char *protocol;         /* "classic", "consumer", ...; "" unknown */
	uint32_t member_count;
	int32_t generation;
};

struct view_topic {
	const char *name;
	const int64_t *ends; /* log end by partition, last known; 0 where never known */
	const int64_t *starts;
	const int64_t *stables; /* last stable offset; VIEW_UNKNOWN: not asked */
	const float *rates;     /* messages a second over the window; negative: not known */
	int32_t partition_count;
};

struct view_agent {
	const char *name;
	const char *software;
	int64_t last_seen_ms; /* aggregator's clock */
	int state;            /* enum wire_agent_state's values */
	uint64_t read, to_read;
	uint64_t records, unknown, malformed, log_failed, spool_batches, dropped;
	int64_t reader_lag;
	const char *problem; /* "" none */
	const char *source;
};

struct view {
	const char *cluster;
	const char *environment;
	uint32_t cluster_id;
	const char *servers; /* as the agent configured them, comma-separated */
	int64_t as_of_ms;    /* time of the pass judged, agent's clock; 0: none yet */
	uint64_t pass;
	uint32_t interval_ms;
	int64_t received_ms; /* when that pass was complete here, aggregator's clock */
	bool stale;          /* the agent is blind, or tells what it kept: as_of_ms is long past */
	struct view_agent agent;
	const struct view_group *groups; /* by name */
	size_t group_count;
	const struct view_topic *topics; /* by name */
	size_t topic_count;
	uint64_t serial; /* differs from that of every other view: for ETags and caches */

	/* owned by view.c */
	struct view_memory *memory;
	atomic_int refs;
};

/* --- for the builder --- */

/* A new empty view with one reference, the caller's. NULL: no memory. */
struct view *view_new(void);

/* Zeroed memory that lives as long as the view; aborts when there is none (bounded by the store).
 */
void *view_alloc(struct view *v, size_t size);

/* A copy that lives as long. */
void *view_copy(struct view *v, const void *data, size_t size);
const char *view_strdup(struct view *v, const char *s);

/* Set all that a group has from its partitions: status, reason, sums and extremes. */
void view_sum_group(struct view_group *g);

/* --- references --- */

struct view *view_ref(struct view *v);
void view_unref(struct view **v);

/* --- the board --- */

struct board; /* thread safe */

struct board *board_new(void);
void board_free(struct board **b);

/* Hang up v in place of the cluster's earlier view; takes over the caller's reference. */
void board_publish(struct board *b, struct view *v);

/* Take a cluster's view down, for a cluster that is no more. */
void board_remove(struct board *b, uint32_t cluster_id);

/* Hang up, in place of the cluster's view, one without a group, or without one topic of it (topic
 * not NULL; the last topic takes the group with it). So that what was deleted is gone at once; the
 * next board_publish() replaces it, and must have the deletion applied. Nothing if there is no such
 * cluster, group or topic. */
void board_drop_group(struct board *b, uint32_t cluster_id, uint32_t group_id, const char *topic);

/* The cluster's latest view, referenced; NULL if there is none. Of environments that share a name
 * the first in their order. Names compare exactly; if exact
 * fails and there is one alone that differs in case only, that one (Burrow lower-cased names). */
struct view *board_get(struct board *b, const char *cluster);

/* All views, referenced, sorted by cluster name, then environment. Caller unrefs each and frees the
 * array. */
size_t board_all(struct board *b, struct view ***ret_views);

/* Changes with every publish or removal. */
uint64_t board_serial(struct board *b);

/* --- finding --- */

const struct view_group *view_find_group(const struct view *v, const char *name);
const struct view_topic *view_find_topic(const struct view *v, const char *name);

/* One sentence on a partition's verdict, as explain() has it; and on a group's, which is that of
 * its worst partition. */
void view_explain(const struct view_partition *p, struct buf *out);
void view_explain_group(const struct view_group *g, struct buf *out);

/* How many of the group's partitions are of this topic; *ret_first is the index of the first. */
size_t view_group_topic(const struct view_group *g, const char *topic, size_t *ret_first);
