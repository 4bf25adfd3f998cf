/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * reaper - removes what nothing refers to any more, in steps of bounded work, so that the store
 * stays as large as what is watched: names of groups and topics that are gone, groups removed long
 * ago, agents and clusters that have not been heard of for long. Owned by the writer thread.
 */

#include "aggregator/ingest/cluster.h"

/* How long the program must have run before a silence by the wall clock is believed: a clock that
 * is wrong after a start must not cost the store. */
#define REAPER_PATIENCE_MS 3600000

struct reaper;

/* A cluster is forgotten when no agent has reported it for expire_cluster_ms. Never NULL. */
struct reaper *reaper_new(int64_t expire_cluster_ms);
void reaper_free(struct reaper **r);

struct reaper_step {
	struct store_txn *txn;
	struct names *names;
	struct clusters *clusters;
	int64_t now_ms; /* wall clock */
	int64_t up_ms;  /* how long the program has run */
};

/* Do a little. Returns the number of a cluster that is now no more, or 0: its view is to be taken
 * down once the transaction is committed. Failures are in s->txn->err. */
uint32_t reaper_step(struct reaper *r, const struct reaper_step *s);

/* Begin from the start: the transaction was aborted, names were read again. */
void reaper_restart(struct reaper *r);

/* Rounds that are complete. */
uint64_t reaper_rounds(const struct reaper *r);
