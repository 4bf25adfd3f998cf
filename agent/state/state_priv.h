/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* state_priv - what the files of state share. */

#include <lmdb.h>
#include <pthread.h>

#include "agent/state/state.h"
#include "common/lmdb_val.h"

#define STATE_LAYOUT 1
#define STATE_MAGIC 0x5741524e41474e54u /* "WARNAGNT" */
#define STATE_MAP_EXTRA (1u << 30)      /* for all that is not spool */
#define STATE_KEY_SIZE 16

/*
 * Databases, integers big-endian:
 *	meta      "head" -> magic, layout, epoch, base, next, dropped: 8 bytes each
 *	          "cluster/" and name -> number: 4 bytes
 *	          "target/" and address -> key of the last batch it has: 8 bytes
 *	one for each kind: cluster, a, b, c: 4 bytes each -> the caller's bytes
 *	spool     key: 8 bytes -> when, ms: 8 bytes; body
 *
 * A batch's number is its key minus base, so that a new epoch, whose numbers start at 1 again,
 * moves no batch.
 */
#define STATE_HEAD_SIZE 48

/* A batch in memory. */
struct state_kept {
	struct state_kept *next;
	uint64_t key;
	size_t size;
	int64_t at_ms;
	uint8_t body[];
};

struct state_target {
	char *address; /* owned */
	uint64_t has;  /* key of the last batch it has, 0 none */
	void (*wake)(void *arg);
	void *arg;
};

struct state {
	char *dir; /* owned */
	MDB_env *env;
	MDB_dbi meta, spool;
	MDB_dbi kinds[STATE_KINDS];
	int lock_fd;
	int64_t spool_limit, spool_age_ms;

	pthread_mutex_t writer; /* held from state_begin() to state_commit() */
	pthread_mutex_t lock;   /* of everything below */
	struct state_target targets[STATE_TARGETS_MAX];
	size_t target_count;
	uint64_t epoch;
	uint64_t base;
	uint64_t next;  /* key of the next batch */
	uint64_t floor; /* batches of lower keys are done with, or given up */
	uint64_t dropped;
	uint64_t breaks;
	uint64_t disk_bytes, disk_batches;

	/* Batches that the disk did not take, all of higher keys than those that it did. */
	struct state_kept *first, *last;
	uint64_t memory_bytes, memory_batches;
};

/* Note a failure in t->err; false if there is one, now or before. */
bool state_check(struct state_txn *t, int rc);

void state_put_raw(struct state_txn *t, MDB_dbi dbi, MDB_val k, MDB_val v);

/* --- state_spool.c; the lock is held --- */

/* What a transaction does to the spool, taken over when it is durable. */
struct state_spooled {
	uint64_t bytes, batches; /* on disk after it */
	uint64_t floor;
	uint64_t dropped; /* given up, over the limits */
};

/* Write the batches, those in memory first, delete what is done with, and save the counters. */
void state_spool_write(struct state_txn *t, struct state_spooled *ret_s);

/* After the transaction was, or was not, made durable. Takes the batches of t over. */
void state_spool_taken(struct state_txn *t, const struct state_spooled *s);
void state_spool_kept(struct state_txn *t);

uint64_t state_random(void);

/* --- state_open.c --- */

/* Close LMDB and open it again: it refuses everything after a write of its own head has failed.
 * The lock is held, no transaction is open. */
MUST_CHECK int state_reopen(struct state *st);
