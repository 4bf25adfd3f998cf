/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cluster - what the writer thread keeps in memory of each cluster between batches.
 *
 * A copy of what the store holds, and what lives for one pass only. After an aborted transaction
 * the copies are read again: clusters_load().
 */

#include "aggregator/ingest/census.h"
#include "aggregator/ingest/origin.h"
#include "aggregator/store/names.h"

struct cluster {
	uint32_t id;
	const char *name; /* borrowed from the name of the store, after the environment */
	struct cluster_track track;
	struct origin origin;
	struct census census;
	uint64_t pass;       /* the agent's number of the pass being applied, or last applied */
	bool due;            /* that pass is complete and not judged yet */
	bool stale;          /* the view hung up says that the agent is blind */
	bool news;           /* the agent has reported since */
	int64_t passed_mono; /* when the last pass was complete, monotonic */
};

struct clusters;

/* All clusters of the store. */
MUST_CHECK int clusters_load(struct store_txn *t, const struct names *n, struct clusters **ret_c);
void clusters_free(struct clusters **c);

/* The cluster of this environment and name, added to store and names if it is new; NULL on
 * failure, see t->err. Borrowed until clusters_free(). */
struct cluster *clusters_take(struct clusters *c, struct store_txn *t, struct names *n,
			      const char *environment, const char *name);

/* The i-th of clusters_count(); in order of their coming. */
size_t clusters_count(const struct clusters *c);
struct cluster *clusters_at(struct clusters *c, size_t i);

struct cluster *clusters_by_id(struct clusters *c, uint32_t id);

/* Write the cluster's track and origin. */
void clusters_store(struct cluster *c, struct store_txn *t);
