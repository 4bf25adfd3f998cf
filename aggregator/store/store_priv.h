/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* store_priv - what the files of the store share. */

#include <lmdb.h>
#include <pthread.h>

#include "aggregator/store/store.h"
#include "common/bytes.h"
#include "common/lmdb_val.h"

/*
 * The databases and their keys, all numbers big-endian:
 *
 *	commit    cluster group topic partition            struct commit_track
 *	log       cluster topic partition                  struct log_track
 *	history   cluster topic partition level            struct history_level, cut to its size
 *	group     cluster group                            struct group_track
 *	members   cluster group                            bytes of ingest
 *	cluster   cluster                                  struct cluster_track
 *	origin    cluster                                  bytes of ingest
 *	buried    cluster group topic                      struct store_burial
 *	standing  cluster group                            struct past_standing
 *	oldest    cluster topic partition                  struct past_oldest
 *	lag       cluster level bin group topic partition  bytes of judge's lag_history
 *	event     cluster group time (2) number            see past.c
 *	incident  opened (2) id (2)                        bytes of alert, as all down to notify
 *	opened    id (2)                                   when it was opened (8 bytes)
 *	trouble   cluster group                            id of an incident (8 bytes)
 *	timeline  id (2) version                           bytes
 *	silence   id (2)                                   bytes
 *	outbox    id (2)                                   bytes
 *	notify    key (2)                                  bytes
 *	name      id                                       kind (1 byte), cluster (4), name
 *	session   agent's name                             struct store_session
 *	meta      "layout", "next_id", "probe"             u32
 */
enum table {
	COMMIT, /* these have cursors */
	LOG,
	GROUP,
	STANDING,
	OLDEST,
	LAG,
	HISTORY,
	MEMBERS,
	CLUSTER,
	ORIGIN,
	BURIED,
	EVENT,
	INCIDENT,
	OPENED,
	TROUBLE,
	TIMELINE,
	SILENCE,
	OUTBOX,
	NOTIFY,
	NAME,
	SESSION,
	META,
	TABLE_COUNT,
};

struct store {
	char *dir;    /* owned */
	MDB_env *env; /* NULL: it had to be closed and does not open again yet */
	MDB_dbi tables[TABLE_COUNT];
	int lock; /* file descriptor of the lock against a second process; -1 for a reader */
	bool write;
	size_t limit; /* what the map may grow to */

	/* LMDB moves the map under the feet of its readers when it grows: every transaction holds
	 * this shared, whoever changes the map holds it alone. */
	pthread_rwlock_t gate;
};

#define STORE_KEY_MAX 24

struct store_key {
	uint8_t bytes[STORE_KEY_MAX];
	size_t size;
};

/* A key of up to six numbers. Inline: one is made for every record that is read or written. */
static inline struct store_key store_make_key(const uint32_t *parts, size_t count)
{
	struct store_key k = {.size = count * sizeof(*parts)};

	for (size_t i = 0; i < count; i++)
		put_be32(k.bytes + i * sizeof(*parts), parts[i]);
	return k;
}

#define KEY(...)                                                                                   \
	store_make_key((const uint32_t[]){__VA_ARGS__},                                            \
		       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Set t->err from LMDB; true when that is none. Callers have looked at t->err before. */
bool store_check(struct store_txn *t, int rc);

/* Copy out a record. One of another size is damage, not absence. */
bool store_get_record(struct store_txn *t, enum table table, struct store_key k, void *ret_v,
		      size_t size);
bool store_get_bytes(struct store_txn *t, enum table table, struct store_key k,
		     const uint8_t **ret_data, size_t *ret_size);
void store_put_record(struct store_txn *t, enum table table, struct store_key k, const void *v,
		      size_t size);
void store_del_record(struct store_txn *t, enum table table, struct store_key k);

/* The same for tables that have a cursor: quick when keys follow each other. */
MDB_cursor *store_cursor(struct store_txn *t, enum table table);
bool store_cursor_get(struct store_txn *t, enum table table, struct store_key k, void *ret_v,
		      size_t size);
void store_cursor_put(struct store_txn *t, enum table table, struct store_key k, const void *v,
		      size_t size);

/* Step to the first key that begins with prefix, or to the next; copy key and value out. */
bool store_walk(struct store_txn *t, enum table table, bool first, const struct store_key *prefix,
		struct store_key *ret_k, void *ret_v, size_t size);

/* The same with a cursor of the caller's; NULL: nothing. */
bool store_walk_cursor(struct store_txn *t, MDB_cursor *c, bool first,
		       const struct store_key *prefix, struct store_key *ret_k, void *ret_v,
		       size_t size);

/* Take the lock that a running aggregator holds, in a directory that is made if it is not there.
 * -EBUSY: it is held. The caller closes *ret_fd. */
MUST_CHECK int store_lock(const char *dir, int *ret_fd, char why[static 512]);

extern const char *const STORE_TABLES[TABLE_COUNT];

/* Make the map fit again after mdb_txn_begin() has failed: the file has grown by another process'
 * hand (MDB_MAP_RESIZED), or LMDB refuses everything after a write of its own head has failed
 * (MDB_PANIC). The caller does not hold the gate. */
void store_renew(struct store *st, int rc);

/* --- past.c --- */

/* Whether it is the bytes of an event. */
bool past_is_event(const MDB_val *v);

/* --- migrate.c --- */

/* A change of any record's layout is a new number, and an entry in the table of migrate.c. */
#define STORE_LAYOUT 3

/* Make the records of an earlier layout into those of STORE_LAYOUT. */
void migrate(struct store_txn *t, uint32_t layout);

/* A number kept under a name; 0 if there is none. */
uint32_t store_get_meta(struct store_txn *t, const char *name);
void store_put_meta(struct store_txn *t, const char *name, uint32_t v);
