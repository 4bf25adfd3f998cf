/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_view - the samples that are made of a view: of groups, partitions, topics, and of the
 * cluster. One thread. */

#include "aggregator/judge/view.h"
#include "aggregator/serve/metrics_table.h"

/* A view, and what its samples have in common. */
struct metrics_view {
	const struct view *view; /* borrowed */
	struct buf labels;       /* of its groups, one after the other */
	size_t *ends;            /* of each in labels */
};

/* -ENOMEM, ERR_LIMIT. Caller frees with metrics_view_free(), in either case. */
MUST_CHECK int metrics_view_begin(const struct view *v, struct metrics_view *ret_m);
void metrics_view_free(struct metrics_view *m);

/* Append the samples of a family before METRICS_VIEW_END. */
void metrics_view_put(const struct metrics_view *m, enum metrics_family family, struct buf *out);
