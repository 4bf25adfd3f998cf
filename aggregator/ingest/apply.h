/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * apply - the rows of one batch -> tracks in the store.
 *
 * Called by the writer thread inside its write transaction, once for every batch, in the order of
 * the agent's stream. Judges nothing.
 */

#include "aggregator/ingest/cluster.h"
#include "aggregator/judge/judge.h"
#include "proto/wire.h"

struct apply {
	struct store_txn *txn;
	struct names *names;
	struct clusters *clusters;
	int64_t window_ms; /* the greatest of any rule */
};

/* Apply a decoded batch. *ret_cluster is the cluster it speaks of; its due flag says that a pass
 * is now complete. ERR_CONFIG, and a static sentence in *ret_why, when another agent reports this
 * cluster: the batch must be rejected. Failures of the store are in a->txn->err. */
MUST_CHECK int apply_batch(struct apply *a, const struct wire_batch *b, const char *software,
			   int64_t now_ms, struct cluster **ret_cluster, const char **ret_why);

/* How many of the batch's names are not known in its cluster yet. */
size_t apply_new_names(const struct apply *a, const struct wire_batch *b);

/* Remove a group, or what it has committed for one topic (0: all), and keep it away until it
 * commits again. */
void apply_bury(struct apply *a, struct cluster *c, uint32_t group, uint32_t topic);
