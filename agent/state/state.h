/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * state - what an agent must not forget, in LMDB: positions, last commits, names, groups, and the
 * spool of batches that some aggregator has yet to acknowledge. The only user of LMDB here.
 *
 * A collector writes a pass in one transaction: what it read, how far, and the batches that tell
 * of it. So a crash neither loses a commit nor repeats one. When the disk takes nothing more the
 * batches live in memory, bounded, until it does again. Batches have one sequence of numbers for
 * all clusters; (agent, epoch, number) names one batch for ever. Any thread may call.
 */

#include "common/base.h"

#define STATE_TARGETS_MAX 8
#define STATE_MEMORY_MAX (64u << 20) /* bytes of batches kept while the disk fails */

struct state;

struct state_options {
	int64_t spool_bytes;        /* oldest batches are dropped beyond this */
	int64_t spool_age_ms;       /* and beyond this age */
	const char *const *targets; /* addresses of the aggregators, at most STATE_TARGETS_MAX */
	size_t target_count;
};

/* Open, or create, the state in a directory of its own; creates the directory. -EBUSY: another
 * agent uses it. ERR_VERSION: of a newer layout. ERR_MALFORMED: damaged, or not ours. why says
 * which file and what to do. Caller owns *ret_st. */
MUST_CHECK int state_open(const char *dir, const struct state_options *options,
			  char why[static 512], struct state **ret_st);

/* Save what is pending and close. Only when no other thread uses it any more. */
void state_close(struct state **st);

/* The lasting number of the cluster of this name. */
MUST_CHECK int state_cluster(struct state *st, const char *name, uint32_t *ret_id);

/* --- records: the caller's own bytes under (cluster, a, b, c), sorted in that order --- */

enum state_kind {
	STATE_PASS,       /* the number of the last pass */
	STATE_POSITION,   /* a: partition of __consumer_offsets */
	STATE_GROUP_NAME, /* a: id */
	STATE_TOPIC_NAME, /* a: id */
	STATE_GROUP,      /* a: id of the group */
	STATE_COMMIT,     /* a: group, b: topic, c: partition */
	STATE_KINDS,
};

struct state_key {
	uint32_t cluster, a, b, c;
};

struct state_kept;

/* A write transaction. Errors are sticky: after the first every call is a no-op. */
struct state_txn {
	struct state *state;
	void *txn; /* MDB_txn; NULL when there is none */
	int err;   /* the first failure, or ERR_OK */
	uint64_t next;
	struct state_kept *first, *last; /* batches appended */
};

/* Waits for other writers. Always ended by state_commit(). */
struct state_txn state_begin(struct state *st);

void state_put(struct state_txn *t, enum state_kind kind, struct state_key k, const void *data,
	       size_t size);
/* Removing what is not there is no failure. */
void state_del(struct state_txn *t, enum state_kind kind, struct state_key k);

/* Give a batch the next number and put it in the spool. The body is copied. It lacks what only
 * the sender knows: agent, epoch, seq, instance, floor_seq. Also works when t->err is set. */
void state_append(struct state_txn *t, const void *body, size_t size);

/* End the transaction: durable when it returns ERR_OK. Otherwise no record was written, but the
 * batches are kept in memory and will be sent, and written when the disk takes them again; the
 * caller writes its records again with its next transaction. Wakes the shippers. */
MUST_CHECK int state_commit(struct state_txn *t);

/* Call fn for every record of a kind and cluster, in order of key, until it returns an error,
 * which is returned. data is borrowed for the call. */
MUST_CHECK int
state_walk(struct state *st, enum state_kind kind, uint32_t cluster,
	   int (*fn)(void *arg, struct state_key k, const uint8_t *data, size_t size), void *arg);

/* --- the spool --- */

struct state_spool {
	uint64_t epoch;
	uint64_t next_seq;  /* number of the next batch */
	uint64_t floor_seq; /* smallest number that may still be sent; next_seq if there is none */
	uint64_t bytes, batches;
	uint64_t dropped; /* since the epoch began */

	/* Counts what broke the stream: a batch dropped, a new epoch, state_break(). The pass
	 * after a break must be a full one. */
	uint64_t breaks;
};

void state_spool(struct state *st, struct state_spool *ret_s);

/* Make the next pass of every cluster a full one. */
void state_break(struct state *st);

/* Copy out the first batch whose number is seq or above. ERR_NOT_FOUND: none so far.
 * ERR_VERSION: the epoch is no longer this one. Caller frees *ret_body. */
MUST_CHECK int state_fetch(struct state *st, uint64_t epoch, uint64_t seq, uint64_t *ret_seq,
			   uint8_t **ret_body, size_t *ret_size);

/* This target has all batches up to seq. Saved with the next transaction. */
void state_acked(struct state *st, size_t target, uint64_t epoch, uint64_t seq);

/* What state_acked() was last told, from before a restart too; 0: nothing in this epoch. */
uint64_t state_cursor(struct state *st, size_t target);

/* Leave an epoch that somebody else has used as well: the batches kept get new numbers, from 1
 * on. No-op when epoch is not the present one. */
void state_new_epoch(struct state *st, uint64_t epoch);

/* Have wake(arg) called, from any thread, whenever there is something new to send. */
void state_on_append(struct state *st, size_t target, void (*wake)(void *arg), void *arg);
