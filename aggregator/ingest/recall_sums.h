/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * recall_sums - the log end and the committed offset of a group's partitions over time, summed.
 * Part of recall_lag.c.
 *
 * The store keeps neither sum, but the history of each log end, and the lag in the bins of
 * lag_history.h: the committed offset is the one less the other, exact to an eighth of what came in
 * a bin. The finest bins have the lag of groups only; the others that of partitions.
 *
 * A partition counts from the bin in which it was seen first. While it cannot be seen it counts
 * with what was known last, so that no leader that is away makes the sums fall.
 */

#include "aggregator/judge/story.h"
#include "aggregator/store/past.h"

#define RECALL_SUMS_PARTITIONS 20000 /* of groups with more nothing is summed */

struct recall_sum {
	int64_t end, committed; /* TRACK_UNKNOWN */
};

/* Bins of one width, one after the other. */
struct recall_bins {
	unsigned level; /* of lag_history.h, of groups */
	int64_t from_ms;
	size_t count;
};

/* The sums of the partition of topic_id, or of all of the group if that is 0, one for each bin;
 * the caller frees them. */
struct recall_sum *recall_sums(struct store_txn *t, const struct story_group *g,
			       const struct story_span *span, const struct recall_bins *bins);
