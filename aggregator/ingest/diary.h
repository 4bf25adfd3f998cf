/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * diary - writes down what an evaluation found, in its transaction: lag over time, changes of
 * status, since when a group is what it is. Told of by evaluate, group by group, in the order in
 * which commits are walked; groups without commits may come in any order.
 */

#include "aggregator/judge/judge.h"
#include "aggregator/judge/view.h"
#include "aggregator/store/past.h"

/* Events of single partitions in one pass of one group; the group's own event counts the rest. */
#define DIARY_EVENTS 16

struct diary;

/* at_ms is the pass. write false: the agent is blind, nothing is written. */
struct diary *diary_begin(struct store_txn *t, uint32_t cluster, int64_t at_ms, bool write);

void diary_begin_group(struct diary *d, uint32_t group);

struct diary_partition {
	uint32_t topic_id;
	const char *topic;
	int32_t partition;
	const struct judge_input *in; /* with what is published now */
	const struct verdict *verdict;
	enum status before; /* published before; STATUS_NOTFOUND: the partition is new */
	bool lost;          /* messages have been lost since the pass before */
};

void diary_partition(struct diary *d, const struct diary_partition *p);

/* Sets g->since_ms. */
void diary_end_group(struct diary *d, struct view_group *g);

/* Forget the groups that have not been told of, write what is left, free *d. */
void diary_end(struct diary **d);
