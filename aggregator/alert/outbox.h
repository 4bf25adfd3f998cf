/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * outbox - messages decided and not yet delivered, in the store: a row is written in the
 * transaction that changed its incident, and marked in a later one when a receiver has confirmed
 * it, so that each is delivered at least once, and none that was confirmed before a crash is sent
 * again after.
 *
 * The writer thread alone writes rows. The delivering thread gets them by outbox_take(), after
 * their commit, and tells what became of them by outbox_done(); the writer puts that down in its
 * next transaction.
 */

#include "aggregator/alert/message.h"
#include "aggregator/store/store.h"

enum outbox_state {
	OUTBOX_WAITING = 1,
	OUTBOX_SENT = 2,
	OUTBOX_DEAD = 3,
	OUTBOX_ELSEWHERE = 4, /* another replica has sent it, or was there to */
};

/* "waiting", "sent", "dead", "elsewhere". Static. */
const char *outbox_state_str(enum outbox_state s);

/* Head of a row in the store; the encoded message follows while it waits or when it is dead. */
struct outbox_row {
	uint64_t id; /* rising: the order in which they were decided */
	uint64_t key;
	uint64_t thread;
	uint8_t state;
	uint8_t kind;
	uint8_t everywhere; /* 1: every replica sends it, the receiver knows it by its key */
	uint8_t spare;
	uint32_t attempts; /* that were made */
	int64_t created_ms, next_ms, ended_ms;
	char receiver[64];
	char error[160]; /* the last; "" none */
};

struct outbox;

/* What ended is kept for so long, to be looked up. */
struct outbox_keep {
	int64_t sent_ms, dead_ms;
};

MUST_CHECK int outbox_new(const struct outbox_keep *keep, struct outbox **ret_o);
void outbox_free(struct outbox **o);

/* --- writer thread, inside its transaction --- */

/* Read the rows that wait, at start and after a transaction failed. */
void outbox_load(struct outbox *o, struct store_txn *t);

/* A repeat takes the place of one of the same thread and receiver that still waits. Where too much
 * waits already the row is dead at once. */
void outbox_add(struct outbox *o, struct store_txn *t, const struct message *m, bool everywhere);

/* Write what outbox_done() told since; remove what ended long ago. */
void outbox_settle(struct outbox *o, struct store_txn *t, int64_t now_ms);

/* Put a message that is dead back, as a new row that is tried as one decided now. ERR_NOT_FOUND:
 * there is none, or it is not dead; ERR_LIMIT: too much waits already. */
MUST_CHECK int outbox_retry(struct outbox *o, struct store_txn *t, uint64_t id, int64_t now_ms);

/* The transaction has ended: what it added may be taken, or is forgotten. */
void outbox_end(struct outbox *o, bool committed);

/* Whether outbox_settle() has something to write. Any thread. */
bool outbox_pending(struct outbox *o);

/* --- delivering thread --- */

#define OUTBOX_OUT_MAX 16 /* of one receiver that are taken at a time */

struct outbox_item {
	struct outbox_row row;
	struct buf message; /* encoded */
};

/* Have wake(arg) called, on any thread and with nothing locked, when there may be something to
 * take. Before the threads start. */
void outbox_wake_by(struct outbox *o, void (*wake)(void *arg), void *arg);

/* Take what is due, at most max; what is taken is the caller's until outbox_done(). Of one thread
 * and receiver the next is given only after the one before has ended. */
size_t outbox_take(struct outbox *o, int64_t now_ms, struct outbox_item *ret_items, size_t max);

/* When outbox_take() has something next; INT64_MAX: nothing. */
int64_t outbox_next_ms(struct outbox *o);

/* sent, or to be tried again at next_ms, or dead. error: the last, "" none. Frees the item. */
void outbox_done(struct outbox *o, struct outbox_item *item, enum outbox_state state,
		 int64_t next_ms, const char *error);

/* --- replicas: any thread --- */

/* Hold back all that is not for everywhere: another replica sends. Off at first. */
void outbox_hold(struct outbox *o, bool hold);

/* What was decided up to then and is held back has been sent by another replica. */
void outbox_leave(struct outbox *o, int64_t until_ms);

/* --- reading: any thread --- */

struct outbox_counts {
	uint64_t waiting, held;       /* now */
	uint64_t sent, dead, retries; /* since the start */
	int64_t oldest_ms;            /* of those that wait; 0: none */
};

void outbox_counts(struct outbox *o, struct outbox_counts *ret_c);

/* The first row whose id is at_least or greater; false: there is none. The transaction may be one
 * for reading. */
bool outbox_read(struct store_txn *t, uint64_t at_least, struct outbox_row *ret_row);
