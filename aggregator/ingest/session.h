/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * session - how far each agent's stream has been applied, and whose turn it is.
 *
 * A batch is named for ever by (agent, epoch, seq) and applied once, in the order of seq. The
 * numbers are stored in the transaction that applies the batch; this table is their copy in
 * memory. Owned by the writer thread.
 */

#include "aggregator/store/store.h"
#include "proto/wire.h"

struct sessions;

struct sessions *sessions_new(void);
void sessions_free(struct sessions **s);

/* Take what the store says, after an aborted transaction. An agent that is not in it, or cannot be
 * read, is asked to say hello again. */
void sessions_reload(struct sessions *s, struct store_txn *t);

/* Answer a hello; now_ms is the monotonic clock. Strings of *ret_w are static. The session is
 * written to the store when it changes. */
void sessions_hello(struct sessions *s, struct store_txn *t, const struct wire_hello *h,
		    int64_t now_ms, struct wire_welcome *ret_w);

enum session_turn {
	SESSION_NOW,       /* apply it, then session_applied() */
	SESSION_DUPLICATE, /* applied before */
	SESSION_LATER,     /* it is ahead of its turn: keep it and ask again */
	SESSION_HELLO,     /* this session is not known */
	SESSION_FENCED,    /* another instance has taken over */
};

/* Whether the batch may be applied now. Batches that the agent no longer has (below its floor_seq)
 * are counted as lost in *ret_lost and skipped. */
enum session_turn session_turn(struct sessions *s, const struct wire_batch *b, int64_t now_ms,
			       uint64_t *ret_lost);

/* Note, in the same transaction, that the batch has been applied, or will never be (rejected). */
void session_applied(struct sessions *s, struct store_txn *t, const struct wire_batch *b);

/* The number of the agent's session, which its batches are bound to; 0 if it is not known. */
uint64_t session_number(const struct sessions *s, const char *agent);

/* The highest seq applied of this agent; 0 if it is not known. */
uint64_t session_applied_seq(const struct sessions *s, const char *agent);

/* Features that the agent has and we know, bits WIRE_FEATURE_*; 0 if it is not known. */
uint64_t session_features(const struct sessions *s, const char *agent);

/* What the agent calls its software; "" if unknown. Borrowed until its next hello. */
const char *session_software(const struct sessions *s, const char *agent);
