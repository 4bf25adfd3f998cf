/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store - everything the aggregator remembers, in LMDB. The only user of LMDB here.
 *
 * Values are the plain structs of the judge and of this header, copied in and out; keys are
 * numbers, big-endian, so that a cluster, a group and a topic are each one range. One thread
 * writes; any number read, each transaction short (a second at most: LMDB cannot reuse pages
 * that a reader may still see). Errors are sticky: after the first failure every call on the
 * transaction is a no-op, and store_commit() returns the reason.
 */

#include "aggregator/judge/history.h"
#include "aggregator/judge/track.h"
#include "common/base.h"

struct store;

/* Open, or create, the store in a directory of its own; one of an older layout is brought up to
 * date. map_bytes is the most it may grow to. A second process is refused (-EBUSY), as is a store
 * of a newer layout (ERR_VERSION), and one that is damaged (ERR_MALFORMED). why says what is wrong
 * and what to do. Caller owns *ret_st. */
MUST_CHECK int store_open(const char *dir, size_t map_bytes, char why[static 512],
			  struct store **ret_st);

/* Open for reading what an aggregator, which may be running, has written to dir. */
MUST_CHECK int store_open_readonly(const char *dir, char why[static 512], struct store **ret_st);
void store_close(struct store **st);

struct store_txn {
	struct store *store;
	void *txn;        /* MDB_txn; NULL after commit or abort */
	void *cursors[7]; /* MDB_cursor, opened when first used, of the first tables */
	void *walker;     /* MDB_cursor of store_next_commit() */
	bool write;
	int err; /* the first failure, or ERR_OK */
};

/* One transaction a thread at a time: another would wait for ever for a store_grow() that waits
 * for the first. */
struct store_txn store_begin(struct store *st, bool write);

/* Commit, or abort if t->err is set. Durable when it returns ERR_OK. */
MUST_CHECK int store_commit(struct store_txn *t);
void store_abort(struct store_txn *t);

/* After ERR_FULL: have the map grow, to twice its size. Waits until no transaction is open, of any
 * thread, and holds up new ones. ERR_FULL: it is as large as it may be. */
MUST_CHECK int store_grow(struct store *st);

/* Write something of no meaning, so that the commit tells whether anything can be written. */
void store_touch(struct store_txn *t);

/* Bytes in use, those of free pages not counted, and bytes that the store may grow to. */
void store_usage(struct store *st, uint64_t *ret_used, uint64_t *ret_limit);

/* --- partitions --- */

struct store_commit_key {
	uint32_t cluster, group, topic;
	int32_t partition;
};

struct store_log_key {
	uint32_t cluster, topic;
	int32_t partition;
};

/* False when there is none, or on failure; then *ret_v is untouched. */
bool store_get_commit(struct store_txn *t, struct store_commit_key k, struct commit_track *ret_v);
bool store_get_log(struct store_txn *t, struct store_log_key k, struct log_track *ret_v);

void store_put_commit(struct store_txn *t, struct store_commit_key k, const struct commit_track *v);
void store_put_log(struct store_txn *t, struct store_log_key k, const struct log_track *v);

/* Removing what is not there is no failure. */
void store_del_commit(struct store_txn *t, struct store_commit_key k);
void store_del_log(struct store_txn *t, struct store_log_key k); /* with its histories */

struct store_range {
	uint32_t cluster;
	uint32_t group; /* 0: all of the cluster */
};

/* Walk a range, or a cluster's logs, in key order: first true for the first entry, then false for
 * each next. False at the end. The entry returned may be overwritten or removed before the next
 * step; none may be added during a walk. One walk of each kind at a time. Other commits may be
 * read and overwritten meanwhile. */
bool store_next_commit(struct store_txn *t, bool first, struct store_range range,
		       struct store_commit_key *ret_k, struct commit_track *ret_v);
bool store_next_log(struct store_txn *t, bool first, uint32_t cluster, struct store_log_key *ret_k,
		    struct log_track *ret_v);

/* Coarse history of a log end, one record a level. Levels that are not there are zeroed. */
void store_get_history(struct store_txn *t, struct store_log_key k, struct history *ret_v);

/* Write the levels whose bit (1 << level) is set. */
void store_put_history(struct store_txn *t, struct store_log_key k, const struct history *v,
		       unsigned levels);

/* --- groups and clusters --- */

bool store_get_group(struct store_txn *t, uint32_t cluster, uint32_t group,
		     struct group_track *ret_v);
void store_put_group(struct store_txn *t, uint32_t cluster, uint32_t group,
		     const struct group_track *v);

/* Walk a cluster's groups in the order of their numbers; as store_next_commit(). */
bool store_next_group(struct store_txn *t, bool first, uint32_t cluster, uint32_t *ret_group,
		      struct group_track *ret_v);

/* The members of a group as bytes of ingest's own making. *ret_data is borrowed until the next
 * write or the end of the transaction. */
bool store_get_members(struct store_txn *t, uint32_t cluster, uint32_t group,
		       const uint8_t **ret_data, size_t *ret_size);
void store_put_members(struct store_txn *t, uint32_t cluster, uint32_t group, const void *data,
		       size_t size);

/* The group's track, members and commits. */
void store_del_group(struct store_txn *t, uint32_t cluster, uint32_t group);

bool store_get_cluster(struct store_txn *t, uint32_t cluster, struct cluster_track *ret_v);
void store_put_cluster(struct store_txn *t, uint32_t cluster, const struct cluster_track *v);

/* What is known of a cluster's agent, bytes of ingest's own making; as store_get_members(). */
bool store_get_origin(struct store_txn *t, uint32_t cluster, const uint8_t **ret_data,
		      size_t *ret_size);
void store_put_origin(struct store_txn *t, uint32_t cluster, const void *data, size_t size);

/* A group, or a group's topic (topic 0: the whole group), that was removed by hand or expired:
 * commits that arrived no later stay away when they are sent again. */
struct store_burial {
	int64_t at_ms;
	int64_t kept_ms; /* when it was last of use, to a day; at_ms at first */
};

bool store_get_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic,
		      struct store_burial *ret_b);
void store_put_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic,
		      const struct store_burial *b);
void store_del_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic);

/* --- names: see names.h for the table in memory --- */

enum store_kind { STORE_CLUSTER = 'c', STORE_GROUP = 'g', STORE_TOPIC = 't' };

#define STORE_NAME_MAX 1025 /* with its NUL */

struct store_name {
	uint32_t id; /* never 0, never used twice */
	enum store_kind kind;
	uint32_t cluster; /* 0 for a cluster */
	const char *name; /* borrowed like other values */
};

/* Give a new id to a name; 0 on failure. The caller has made sure that there is none yet. */
uint32_t store_add_name(struct store_txn *t, enum store_kind kind, uint32_t cluster,
			const char *name);
void store_del_name(struct store_txn *t, uint32_t id);

/* The text of a name that has an id; "" if there is none. */
void store_get_name(struct store_txn *t, uint32_t id, char ret_name[static STORE_NAME_MAX]);

/* Call on_name for each name there is, in the order of their numbers. Returns t->err. */
int store_each_name(struct store_txn *t, void (*on_name)(void *arg, const struct store_name *n),
		    void *arg);

/* --- sessions: how far the stream of an agent has been applied --- */

#define STORE_EPOCHS 4

struct store_session {
	uint64_t epoch;
	uint64_t applied_seq; /* always batches + lost */
	uint64_t instance;
	uint64_t session;
	uint64_t lost;    /* batches of this epoch that never came */
	uint64_t batches; /* of this epoch that came, each counted as it was applied or rejected */
	int64_t seen_ms;  /* last hello or batch, aggregator's wall clock */

	/* Epochs before this one, the last first: an agent may come back with an old state. */
	struct store_epoch {
		uint64_t epoch; /* 0: none */
		uint64_t applied_seq;
	} earlier[STORE_EPOCHS];
};

bool store_get_session(struct store_txn *t, const char *agent, struct store_session *ret_s);
void store_put_session(struct store_txn *t, const char *agent, const struct store_session *s);
