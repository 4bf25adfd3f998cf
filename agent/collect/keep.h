/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * keep - a table on its way to the state, and back: how each record looks there.
 *
 * The only file that knows both. Called by the collector that owns the table.
 */

#include "agent/collect/table.h"
#include "agent/state/state.h"

struct keep {
	uint32_t cluster;   /* state_cluster() */
	uint64_t pass;      /* number of the last pass */
	uint64_t rules;     /* keep_rules() of the rules that made the table */
	int64_t *positions; /* next offset to read of each partition of __consumer_offsets, -1
			     * unknown; owned */
	int32_t position_count;
	int32_t saved_positions; /* how many the state has */
};

void keep_free(struct keep *k);

/* A number that differs where the rules do. */
uint64_t keep_rules(const struct agent_filter *groups, const struct agent_filter *topics);

/* Load into an empty table; k->cluster and k->rules are set. When the rules were others then there
 * are no positions: what they hid must be read. ERR_MALFORMED: damaged; what says where. */
MUST_CHECK int keep_load(struct keep *k, struct state *st, struct table *t, const char **ret_what);

/* Write what is unsaved. Whether it lasts is state_commit()'s to say. */
void keep_save(struct keep *k, struct state_txn *txn, struct table *t);
