/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * names - the numbers of clusters, groups and topics, and back; a copy in memory of the store's
 * table of names.
 *
 * Owned by the writer thread alone. After a transaction that gave or removed names was aborted the
 * copy no longer agrees with the store: load it again.
 */

#include "aggregator/store/store.h"

struct names;

/* Read all names. Caller owns *ret_n. */
MUST_CHECK int names_load(struct store_txn *t, struct names **ret_n);
void names_free(struct names **n);

/* 0 if the name has no number. cluster is 0 for clusters. */
uint32_t names_find(const struct names *n, enum store_kind kind, uint32_t cluster,
		    const char *name);

/* The number of a name, given now if there is none. 0 only on failure: see t->err. */
uint32_t names_intern(struct names *n, struct store_txn *t, enum store_kind kind, uint32_t cluster,
		      const char *name);

/* Forget a number for ever; a later name of the same text gets another. */
void names_drop(struct names *n, struct store_txn *t, uint32_t id);

bool names_has(const struct names *n, enum store_kind kind, uint32_t id);

/* --- names that nothing refers to any more --- */

/* A new round begins. What is interned in it, or marked, is of use. */
void names_begin_round(struct names *n);
void names_mark(struct names *n, uint32_t id);

/* Look at up to max names that are older than the round, and drop those that are of no use;
 * clusters are not dropped. False: all have been looked at. */
bool names_drop_unused(struct names *n, struct store_txn *t, size_t max, size_t *ret_dropped);

/* The text of a number that is in use; "" for any other. Borrowed until it is dropped. */
const char *names_text(const struct names *n, uint32_t id);

/* How many there are. */
size_t names_count(const struct names *n);

/* The numbers of all clusters, rising. Caller frees the array. */
size_t names_clusters(const struct names *n, uint32_t **ret_ids);
