/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* points - the latest commits of a group's partitions, read from the store for whoever shows them.
 */

#include "aggregator/judge/view.h"
#include "aggregator/store/store.h"

#define POINTS_MAX 60

/* Read up to max_points (POINTS_MAX at most) of each partition of g, the oldest first, in one
 * read transaction; call emit once for each partition, in their order. Any thread. */
MUST_CHECK int points_read(struct store *st, const struct view *v, const struct view_group *g,
			   uint32_t max_points,
			   void (*emit)(void *arg, const struct view_partition *p,
					const struct view_offset *points, size_t count),
			   void *arg);
