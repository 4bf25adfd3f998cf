/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * story - what is told of one group to whoever wants to understand it: plain structs between those
 * who read them from the store and those who show them. Everything they point to is borrowed for
 * the time of the call that hands them over.
 */

#include "aggregator/judge/judge.h"
#include "aggregator/judge/rules.h"

/* --- what is asked --- */

struct story_group {
	const char *environment, *cluster, *name;
	uint32_t cluster_id, group_id; /* the store's numbers */
	int64_t silent_ms;             /* for how long the agent has been blind; 0: it is not */
};

struct story_filter {
	const char *topic; /* NULL: all */
	int32_t partition; /* negative: all; only with a topic */
	bool all;          /* false: only what is not OK */
};

struct story_span {
	uint32_t topic_id; /* 0: the group as a whole, whatever the partition */
	int32_t partition;
	int64_t from_ms, to_ms;
	int64_t step_ms; /* 0: as fine as is kept */
	bool offsets;    /* also the log end and the committed offset */
};

/* --- what is told --- */

struct story_partition {
	const char *topic;
	int32_t partition;
	const struct judge_input *in;
	const struct verdict *verdict; /* as judged on what is stored; published is in in->commit */
	const struct rules_set *set;
	const struct rules_found *rules;    /* where in->rules come from */
	const char *member, *client, *host; /* of the owner; "" if there is none */
};

struct story_place {
	const char *topic;
	int32_t partition;
};

struct story_member {
	const char *id, *client, *host;
	const struct story_place *assigned; /* by the store's number of the topic, and partition */
	size_t assigned_count;
};

typedef void story_on_partition(void *arg, const struct story_partition *p);
typedef void story_on_member(void *arg, const struct story_member *m);

/* How far a group or a partition was behind in a stretch of time. Numbers that are not known are
 * TRACK_UNKNOWN. */
struct story_lag {
	int64_t at_ms;       /* where the stretch begins */
	bool seen;           /* false: no pass; nothing below is set */
	int64_t lag;         /* of a group the sum; the greatest of the stretch */
	int64_t max;         /* of groups: lag of the partition that was the furthest behind */
	int64_t time_lag_ms; /* the greatest of the stretch */
	bool at_least;
	enum status status; /* the worst of the stretch; STATUS_NOTFOUND: it is not known */
	/* If asked for, both as one look in the stretch told them, the one with the greatest lag;
	 * of a group the sums over its partitions. */
	int64_t end, committed;
};

typedef void story_on_lag(void *arg, const struct story_lag *l);

/* --- the window --- */

#define STORY_POINTS_MAX 160

struct story_point {
	int64_t at_ms;
	int64_t committed, end, lag; /* TRACK_UNKNOWN */
};

/* Every point of the window on which a verdict was made, the oldest first. Returns how many. */
size_t story_points(const struct judge_input *in, struct story_point out[STORY_POINTS_MAX]);

/* The gaps of the agent's sight inside the window, oldest first. Returns how many, TRACK_GAPS at
 * most. */
size_t story_gaps(const struct judge_input *in, struct track_gap out[TRACK_GAPS]);
