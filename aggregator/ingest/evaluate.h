/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * evaluate - a cluster's tracks -> verdicts -> a view to hang up.
 *
 * Called by the writer thread inside a write transaction, once for every complete pass:
 * joins what the pass brought, judges every partition of every group, publishes what has lasted
 * long enough, and builds the picture that REST, metrics and alarms read.
 */

#include "aggregator/ingest/cluster.h"
#include "aggregator/judge/rules_memo.h"
#include "aggregator/judge/view.h"

/* Where partitions are judged, many at a time; kept from one judging to the next. */
struct evaluate_room;

/* crew: a second thread judges too. Caller owns *ret_r. */
MUST_CHECK int evaluate_room_new(bool crew, struct evaluate_room **ret_r);
void evaluate_room_free(struct evaluate_room **r);

struct evaluate {
	struct evaluate_room *room;
	struct store_txn *txn;
	struct names *names;
	struct rules_memo *rules;
	struct cluster *cluster;

	/* How long the agent has been silent since its last pass. Within the time of a few passes
	 * this changes nothing; beyond it the last verdicts stand, marked stale; nothing is
	 * written, the transaction may be one that reads. 0 for a new pass. */
	int64_t silent_ms;
};

/* Judge the cluster and build its view. Failures of the store are in e->txn->err; the view is then
 * not to be used. Caller owns the result. */
struct view *evaluate_cluster(struct evaluate *e);

/* True: so long without a pass that the agent counts as blind. */
bool evaluate_blind(const struct cluster *c, int64_t silent_ms);
