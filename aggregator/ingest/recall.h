/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * recall - reads from the store what is told of one group: see judge/story.h. Each call is one
 * short read transaction; any thread, and any process that has the store open.
 */

#include "aggregator/judge/story.h"
#include "aggregator/store/past.h"

struct recall_group {
	const char *environment, *cluster, *name;
	uint32_t cluster_id, group_id;
};

struct recall_filter {
	const char *topic; /* NULL: all */
	int32_t partition; /* negative: all; only with a topic */
	bool all;          /* false: only what is not OK */
	int64_t silent_ms; /* for how long the agent has been blind; 0: it is not */
};

/* Judge the group's partitions on what is stored; call emit for each that is wanted, those that are
 * not OK first. */
MUST_CHECK int recall_partitions(struct store *st, const struct recall_group *g,
				 const struct rules_set *rules, const struct recall_filter *f,
				 void (*emit)(void *arg, const struct story_partition *p),
				 void *arg);

MUST_CHECK int recall_members(struct store *st, const struct recall_group *g,
			      void (*emit)(void *arg, const struct story_member *m), void *arg);

/* The group's events before a time, the newest first, max at most. */
MUST_CHECK int recall_events(struct store *st, const struct recall_group *g, int64_t before_ms,
			     size_t max, void (*emit)(void *arg, const struct past_event *e),
			     void *arg);

struct recall_span {
	uint32_t topic_id; /* 0: the group as a whole */
	int32_t partition;
	int64_t from_ms, to_ms;
	int64_t step_ms; /* 0: as fine as is kept */
};

/* How the group or partition was behind from from_ms to to_ms, oldest first, in steps of *ret_step:
 * the wanted one, or longer where nothing as fine is kept. Nothing from before it was known. */
MUST_CHECK int recall_lag(struct store *st, const struct recall_group *g,
			  const struct recall_span *span,
			  void (*emit)(void *arg, const struct story_lag *l), void *arg,
			  int64_t *ret_step);
