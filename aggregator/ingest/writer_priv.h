/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* writer_priv - what the files of the writer share; all of it is the writer thread's. */

#include <pthread.h>

#include "aggregator/ingest/burials.h"
#include "aggregator/ingest/cluster.h"
#include "aggregator/ingest/evaluate.h"
#include "aggregator/ingest/reaper.h"
#include "aggregator/ingest/reply.h"
#include "aggregator/ingest/roster.h"
#include "aggregator/ingest/session.h"
#include "aggregator/ingest/writer.h"
#include "aggregator/judge/rules_memo.h"
#include "proto/frame.h"

#define WRITER_BATCHES 128 /* in a transaction */
#define WRITER_VIEWS 64
#define WRITER_BUSY_MS 200     /* when an agent may try again what there is no room for, */
#define WRITER_TROUBLE_MS 5000 /* and what the store does not take */

/* An answer that waits for the commit. */
struct answer {
	struct ingest_message *message;
	enum frame_type type;
	uint32_t cluster; /* that the batch was applied to; 0: none */
	struct wire_ack ack;
	struct wire_welcome welcome;
};

struct writer {
	struct writer_options options;
	pthread_t thread;

	/* shared, under lock */
	pthread_mutex_t lock;
	struct rules_set *rules; /* to be taken; NULL: no new ones */
	struct writer_stats stats;
	bool stopping;

	struct burials *burials; /* thread safe */

	/* owned by the writer thread */
	struct rules_memo *memo; /* of the rules judged by */
	struct evaluate_room *room;
	struct names *names;
	struct clusters *clusters;
	struct sessions *sessions;
	struct roster *roster; /* thread safe */
	struct arena arena;
	struct store_txn txn;
	bool in_txn;
	struct answer answers[WRITER_BATCHES];
	size_t answer_count;
	struct view *views[WRITER_VIEWS]; /* judged in this transaction, to be hung up after it */
	size_t view_count;
	struct ingest_message *later; /* ahead of their turn */
	struct writer_stats counts;   /* copied to stats now and then */
	struct writer_stats before;   /* counts, when the transaction began */
	struct reply reply;
	struct reaper *reaper;
	int64_t started_mono, reaped_mono, usage_mono;
	uint32_t expired; /* a cluster that is no more once the transaction is committed; 0: none */

	/* when the store does not take what it is given */
	int64_t failed_mono;  /* last time; 0: never */
	int64_t closed_until; /* monotonic: nothing is tried before */
	bool alone;  /* it is full: a transaction for each message, so that what fits goes in */
	bool unread; /* memory is not what the store holds, and cannot be read again */
};

/* --- answers --- */

/* --- writer_store.c: transactions, and what happens when they fail --- */

/* The transaction under way, or a new one. */
struct store_txn *writer_begin(struct writer *w);

/* End it, answer those who wait for it, hang up what was judged. Not while a message is being
 * handled: others may be, again. */
void writer_finish(struct writer *w);

/* An answer to be given when the transaction is committed. Otherwise the message is handled once
 * more, or put off. */
struct answer *writer_promise(struct writer *w, struct ingest_message *m, enum frame_type type);

/* Whether the store is not to be tried now. */
bool writer_closed(struct writer *w);

/* Answer that it is not. */
void writer_put_off(struct writer *w, struct ingest_message *m, bool hello);

/* Read what the store knows. */
MUST_CHECK int writer_load(struct writer *w);

/* --- writer_message.c --- */

void writer_message(struct writer *w, struct ingest_message *m);

/* Those that came ahead of their turn, once more: as often as one of them found its turn. A batch
 * whose predecessor does not come is answered in the end, or the agent's requests would all hang.
 */
void writer_message_later(struct writer *w);

/* --- writer.c --- */

/* Judge in the transaction that brought the pass: its pages are written once. There is room for its
 * view. */
void writer_judge(struct writer *w, struct cluster *c);
