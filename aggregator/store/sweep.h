/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sweep - a walk over all that belongs to clusters, in steps of bounded length, each in a
 * transaction of its caller's: to find what is of no more use, and to remove it. What is added
 * behind the walk while it is under way is not seen.
 */

#include "aggregator/store/store.h"

enum sweep_kind {
	SWEEP_COMMIT,
	SWEEP_LOG,
	SWEEP_GROUP,
	SWEEP_MEMBERS,
	SWEEP_STANDING,
	SWEEP_BURIED,
	SWEEP_OTHER, /* of the cluster, and not told apart */
};

struct sweep_entry {
	enum sweep_kind kind;
	uint32_t cluster, group, topic; /* 0 where the kind has none */
	const uint8_t *data;            /* borrowed until the visit ends */
	size_t size;
};

enum sweep_answer {
	SWEEP_KEEP,
	SWEEP_REMOVE,
	SWEEP_PASS, /* keep it and all the cluster has of this kind */
};

/* Where a walk is; zeroed at its beginning. */
struct sweep {
	unsigned table;
	size_t key_size; /* of the entry to go on with; 0: the first of the table */
	uint8_t key[24];
};

/* Visit up to max entries. False, and *s is zeroed, at the end of the walk. Failures are in
 * t->err. */
bool sweep_step(struct store_txn *t, struct sweep *s, size_t max,
		enum sweep_answer (*visit)(void *arg, const struct sweep_entry *e), void *arg);

/* Remove the sessions of agents last seen before a time. Returns how many. */
size_t sweep_sessions(struct store_txn *t, int64_t before_ms);
