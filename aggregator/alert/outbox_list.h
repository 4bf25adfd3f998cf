/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * outbox_list - the rows that wait, in memory: by id, and of each thread and receiver one behind
 * the other. No lock; outbox has one.
 */

#include <uthash.h>

#include "aggregator/alert/outbox.h"

enum outbox_where {
	OUTBOX_STAGED, /* added in the transaction under way */
	OUTBOX_READY,  /* may be taken */
	OUTBOX_TAKEN,
};

/* Those of one thread and receiver, by id: the first alone may be taken. */
struct outbox_queue {
	UT_hash_handle hh;
	uint64_t id;
	struct outbox_entry *first, *last;
};

/* How much of a receiver's is taken. */
struct outbox_share {
	UT_hash_handle hh;
	uint64_t id;
	size_t entries, taken;
};

/* A row that waits. */
struct outbox_entry {
	struct outbox_entry *prev, *next;           /* by id */
	struct outbox_entry *prev_same, *next_same; /* of the queue */
	struct outbox_queue *queue;
	struct outbox_share *share;
	struct outbox_row row;
	struct buf message; /* encoded; empty while taken */
	enum outbox_where where;
	bool gone; /* a repeat took its place in the transaction under way */
};

struct outbox_list {
	struct outbox_entry *first, *last;
	struct outbox_queue *queues;
	struct outbox_share *shares;
	size_t bytes; /* of messages */
};

/* Its id is greater than those of its queue. Takes the message. */
void outbox_list_add(struct outbox_list *l, const struct outbox_row *row, struct buf *message,
		     enum outbox_where where);
void outbox_list_drop(struct outbox_list *l, struct outbox_entry *e);

/* NULL: there is none. */
struct outbox_entry *outbox_list_find(const struct outbox_list *l, uint64_t id);

/* The first of a thread and receiver, the others follow by next_same; NULL: there is none. */
struct outbox_entry *outbox_list_same(const struct outbox_list *l, const char *receiver,
				      uint64_t thread);

/* Whether it is its turn, whatever its time. */
bool outbox_list_turn(const struct outbox_entry *e);

/* Hand the message out, and take it back. */
void outbox_list_take(struct outbox_list *l, struct outbox_entry *e, struct buf *ret_message);
void outbox_list_back(struct outbox_list *l, struct outbox_entry *e, struct buf *message);
