/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * writer - the one thread that changes the store: it takes what agents send, applies many batches
 * in one transaction, acknowledges them when that is on disk, and judges each complete pass.
 */

#include "aggregator/ingest/guard.h"
#include "aggregator/ingest/link.h"
#include "aggregator/judge/rules.h"
#include "aggregator/judge/view.h"
#include "aggregator/store/store.h"
#include "common/histogram.h"

struct writer;

/* Who is told of what is judged, and may write of his own to the transaction at hand: alarms. All
 * on the writer's thread, but for load and rules, which are called before it runs as well. */
struct writer_hook {
	void *arg;

	/* Read what the store holds: at start, and after a transaction was aborted. */
	void (*load)(void *arg, struct store_txn *t);
	void (*rules)(void *arg, struct rules_set *rules);

	/* v will be published when the transaction is committed. */
	void (*judged)(void *arg, struct store_txn *t, const struct view *v, int64_t now_ms);

	/* Nothing is heard of the cluster; outside of a transaction. */
	void (*blind)(void *arg, struct view *v);
	void (*gone)(void *arg, struct store_txn *t, uint32_t cluster_id, int64_t now_ms);

	/* Whether a transaction is wanted for work. */
	bool (*pending)(void *arg, int64_t now_ms);
	void (*work)(void *arg, struct store_txn *t, int64_t now_ms);
	void (*end)(void *arg, bool committed);
};

struct writer_options {
	struct store *store;
	struct board *board;
	struct ingest_link *link;
	struct guard *guard;
	struct rules_set *rules;        /* to begin with; the writer takes a reference of its own */
	const struct writer_hook *hook; /* NULL: none */
	int64_t expire_cluster_ms; /* a cluster that nobody has reported for so long is forgotten */
};

/* Load what the store knows, hang up a view of each cluster, and start the thread. Everything in
 * the options is borrowed until writer_stop(). Caller owns *ret_w. */
MUST_CHECK int writer_start(const struct writer_options *o, struct writer **ret_w);

/* Apply and acknowledge what has been taken, then stop the thread. */
void writer_stop(struct writer **w);

/* Have a group, or what it has committed for one topic (NULL: all), removed soon. Any thread. */
void writer_bury(struct writer *w, uint32_t cluster, uint32_t group, const char *topic);

/* Have it judge by other rules from the next pass on; takes a reference of its own. Any thread. */
void writer_set_rules(struct writer *w, struct rules_set *rules);

struct writer_stats {
	uint64_t batches, duplicates, rejected, lost; /* since start */
	uint64_t rows;
	uint64_t transactions;
	struct histogram_counts judging; /* views made, and how long each took */
	bool degraded;         /* the store takes no writes at present, or not all */
	struct guard_stats guard;
	uint64_t store_used, store_limit; /* bytes, see store_usage() */
};

/* Any thread. */
void writer_stats(struct writer *w, struct writer_stats *ret_stats);

/* The agents; borrowed until writer_stop(). */
struct roster;
struct roster *writer_roster(struct writer *w);

/* What WIRE_RETRY frame the link sends by itself when it is over its limits; to be given to
 * ingest_link_open(). */
void writer_busy_reply(struct buf *out);
