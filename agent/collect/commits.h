/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * commits - the last commit of every group and partition of one cluster, in about 46 bytes each.
 *
 * Entries lie in chunks, in no order, found by an open-addressing index of four bytes an entry.
 * Not thread safe. Pointers to entries are valid until the next commits_remove().
 */

#include "common/base.h"

#define COMMITS_MAX ((1u << 24) - 2) /* entries; the rest of an index word is a tag of the hash */

enum commit_flag {
	COMMIT_ALIVE = 1u << 0,   /* not tombstoned */
	COMMIT_UNSENT = 1u << 1,  /* a commit, or a tombstone, arrived since the last pass */
	COMMIT_UNSAVED = 1u << 2, /* differs from the state on disk */
	COMMIT_SEEN = 1u << 3,    /* named by the Admin API in this pass */
};

struct commit {
	uint32_t group;
	uint32_t topic;
	uint32_t partition : 20; /* WIRE_PARTITION_MAX fits */
	uint32_t flags : 12;     /* enum commit_flag */
	int32_t epoch;           /* leader epoch, -1 unknown */
	int64_t offset;
	int64_t time_ms;    /* as written in the commit; -1 unknown */
	int64_t arrival_ms; /* agent's wall clock */
};

static inline void commit_clear(struct commit *e, enum commit_flag flag)
{
	e->flags = e->flags & ~(uint32_t)flag & 0xfff;
}

struct commits {
	struct commit **chunks; /* owned, owned */
	uint32_t chunk_count;
	uint32_t count;
	uint32_t *index; /* owned */
	uint32_t index_size;
};

/* Accepts a zeroed struct. */
void commits_free(struct commits *c);

/* NULL if it is not there. */
struct commit *commits_find(const struct commits *c, uint32_t group, uint32_t topic,
			    uint32_t partition);

/* Find, or add with no flag set. NULL when COMMITS_MAX entries are there. Aborts if there is no
 * memory. */
struct commit *commits_add(struct commits *c, uint32_t group, uint32_t topic, uint32_t partition);

/* Remove the i-th; the last one takes its place. */
void commits_remove(struct commits *c, uint32_t i);

/* The i-th, i < c->count. */
struct commit *commits_at(const struct commits *c, uint32_t i);

/* The numbers of all entries that have any of these flags, sorted by group, topic and partition.
 * Caller frees. */
uint32_t *commits_sorted(const struct commits *c, uint32_t flags, uint32_t *ret_count);

/* Bytes of memory held. */
size_t commits_memory(const struct commits *c);
