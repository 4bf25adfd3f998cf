/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cluster - what the writer thread keeps in memory of each cluster between batches.
 *
 * A copy of what the store holds, and what lives for one pass only. Whoever changes one sets its
 * touched; after an aborted transaction those are read again.
 */

#include "aggregator/ingest/census.h"
#include "aggregator/ingest/origin.h"
#include "aggregator/ingest/probes.h"
#include "aggregator/store/names.h"

struct cluster {
	uint32_t id;
	const char *name; /* borrowed from the name of the store, after the environment */
	struct cluster_track track;
	struct origin origin;
	struct census census;
	struct probes *probes; /* owned */
	uint32_t probe_limit;  /* that the agent takes a pass; 0: it does not probe */
	uint64_t pass;         /* the agent's number of the pass being applied, or last applied */
	bool due;              /* that pass is complete and not judged yet */
	bool judged;           /* in the transaction under way */
	bool stale;            /* the view hung up says that the agent is blind */
	bool untold;           /* the writer's hook does not know that it is stale */
	bool news;             /* the agent has reported since */
	bool touched;          /* the transaction under way has changed it */
	bool due_stored;       /* what due was when the last transaction ended */
	int64_t passed_mono;   /* when the last pass was judged, monotonic */
	int64_t late_ms;       /* how old the last pass was when it was sent, or we began */
};

struct clusters;

/* All clusters of the store. */
MUST_CHECK int clusters_load(struct store_txn *t, const struct names *n, struct clusters **ret_c);
void clusters_free(struct clusters **c);

/* The transaction under way was committed; or it was not, and names were read again. */
void clusters_committed(struct clusters *c);
void clusters_reload(struct clusters *c, struct store_txn *t, const struct names *n);

/* Forget a cluster that is no more. */
void clusters_remove(struct clusters *c, uint32_t id);

/* The cluster of this environment and name; NULL if it is not known. Borrowed until
 * clusters_free(). */
struct cluster *clusters_find(const struct clusters *c, const struct names *n,
			      const char *environment, const char *name);

/* How many were last reported by this agent. */
size_t clusters_of_agent(const struct clusters *c, const char *agent);

/* The cluster of this environment and name, added to store and names if it is new; NULL on
 * failure, see t->err. Borrowed until clusters_free(). */
struct cluster *clusters_take(struct clusters *c, struct store_txn *t, struct names *n,
			      const char *environment, const char *name);

/* The i-th of clusters_count(); in order of their coming. */
size_t clusters_count(const struct clusters *c);
struct cluster *clusters_at(struct clusters *c, size_t i);

struct cluster *clusters_by_id(const struct clusters *c, uint32_t id);

/* Write the cluster's track and origin. */
void clusters_store(struct cluster *c, struct store_txn *t);
