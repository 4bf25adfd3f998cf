/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * picture - builds the view of one cluster, in the order in which the store is walked: first all
 * logs, then group after group with its partitions. Sorts by name at the end.
 */

#include "aggregator/ingest/cluster.h"
#include "aggregator/ingest/margin.h"
#include "aggregator/ingest/members.h"
#include "aggregator/judge/judge.h"
#include "aggregator/judge/view.h"

struct picture;

/* Begin. silent_ms: how long the agent has been silent; 0 with a new pass. stale: what is shown is
 * not the present. */
struct picture *picture_new(const struct cluster *c, int64_t silent_ms, bool stale);

/* One topic partition; topics in any order, the partitions of a topic rising and together. */
void picture_add_log(struct picture *p, uint32_t topic, const char *name, int32_t partition,
		     const struct log_track *log);
void picture_end_logs(struct picture *p);

/* One group; group is NULL if it is known by its commits only. */
void picture_begin_group(struct picture *p, uint32_t id, const char *name,
			 const struct group_track *group);

struct picture_partition {
	uint32_t topic;
	const char *name;
	int32_t partition;
	const struct commit_track *track;
	const struct log_track *log; /* NULL: not known */
	const struct verdict *verdict;
	const struct rules *rules;       /* by which it was judged */
	const struct members_one *owner; /* NULL: none */
	struct margin margin;
};

void picture_add_partition(struct picture *p, const struct picture_partition *one);

/* keep false: the group is not to be shown. Its view, borrowed and not complete in since_ms, until
 * the next group begins; NULL if it is not kept. */
struct view_group *picture_end_group(struct picture *p, bool keep);

/* Show the maintenance of a group, if these are its rules and it lasts. */
void picture_maintain(struct picture *p, struct view_group *g, const struct rules *rules);

/* End: the view is the caller's, *p is gone. */
struct view *picture_finish(struct picture **p);

/* What the view shows of one commit seen at a pass: its own timestamp is known of the newest only,
 * for older ones the agent's time is corrected by the same difference of clocks. */
struct view_offset picture_offset(const struct commit_track *t, const struct track_edge *e);
