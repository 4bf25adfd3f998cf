/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * recall - reads from the store what is told of one group: see judge/story.h. Each call is one
 * short read transaction; any thread, and any process that has the store open.
 */

#include "aggregator/judge/story.h"
#include "aggregator/store/past.h"

/* Judge the group's partitions on what is stored; call emit for each that is wanted, those that are
 * not OK first. */
MUST_CHECK int recall_partitions(struct store *st, const struct story_group *g,
				 const struct rules_set *rules, const struct story_filter *f,
				 story_on_partition *emit, void *arg);

MUST_CHECK int recall_members(struct store *st, const struct story_group *g, story_on_member *emit,
			      void *arg);

/* The group's events before a time, the newest first, max at most. */
MUST_CHECK int recall_events(struct store *st, const struct story_group *g, int64_t before_ms,
			     size_t max, past_on_event *emit, void *arg);

/* How the group or partition was behind from from_ms to to_ms, oldest first, in steps of *ret_step:
 * the wanted one, or longer where nothing as fine is kept. Nothing from before it was known. */
MUST_CHECK int recall_lag(struct store *st, const struct story_group *g,
			  const struct story_span *span, story_on_lag *emit, void *arg,
			  int64_t *ret_step);
