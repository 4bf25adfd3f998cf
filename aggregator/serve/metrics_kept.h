/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_kept - the sheets of the clusters, kept until others take their place. Under the caller's
 * lock. */

#include "aggregator/serve/metrics_sheet.h"

struct metrics_kept {
	struct metrics_kept_cluster *clusters; /* owned */
	size_t count, cap;
	size_t bytes; /* what all sheets hold */
};

/* What is kept of one cluster in one form. */
struct metrics_kept_state {
	bool fresh;     /* it is of exactly this view */
	uint64_t edits; /* changes whenever anything of the cluster does */
};

void metrics_kept_free(struct metrics_kept *k);

/* The sheet of this view, or one of an earlier pass, whose place is about to be taken; NULL: there
 * is none. Borrowed until it is given up. */
const struct metrics_sheet *metrics_kept_get(const struct metrics_kept *k, const struct view *v,
					     enum metrics_form form);

struct metrics_kept_state metrics_kept_state(struct metrics_kept *k, const struct view *v,
					     enum metrics_form form);

/* Keep a sheet in place of the one that is there, or none (NULL); takes it over. */
void metrics_kept_put(struct metrics_kept *k, uint32_t cluster_id, enum metrics_form form,
		      struct metrics_sheet *sheet);

/* Give up the sheets of a cluster that say what must not be said any more. */
void metrics_kept_forget(struct metrics_kept *k, uint32_t cluster_id);

/* Give up sheets of a form that nobody asks for any more. */
void metrics_kept_drop(struct metrics_kept *k, enum metrics_form form);

/* Give up the sheets of clusters of which there is no view any more. */
void metrics_kept_prune(struct metrics_kept *k, struct view *const *views, size_t count);
