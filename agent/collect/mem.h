/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * mem - memory that must be there, and hashing, for the collector's tables.
 *
 * What the tables hold is bounded by the cluster and by limits checked before; when even that
 * cannot be had the agent ends, is started again, and goes on from its state.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* count * size bytes, or the end. */
static inline void *mem_resize(void *p, size_t count, size_t size)
{
	void *q = reallocarray(p, count == 0 ? 1 : count, size);
	if (q == NULL)
		abort();
	return q;
}

/* The same, new and zeroed. */
static inline void *mem_zeroed(size_t count, size_t size)
{
	void *q = calloc(count == 0 ? 1 : count, size);
	if (q == NULL)
		abort();
	return q;
}

/* For CLEANUP() of a pointer to anything. */
static inline void mem_free(void *p)
{
	void *q = NULL;
	memcpy(&q, p, sizeof(q));
	free(q);
}

/* Grow an array of *cap items so that the i-th exists; new items are zeroed. */
static inline void *mem_reach(void *p, uint32_t *cap, uint32_t i, size_t size)
{
	if (i < *cap)
		return p;
	uint32_t grown = *cap + *cap / 2 < i + 1 ? i + 16 : *cap + *cap / 2;
	p = mem_resize(p, grown, size);
	memset((char *)p + *cap * size, 0, (grown - *cap) * size);
	*cap = grown;
	return p;
}

/* Spread the bits of a word over all of it. */
static inline uint64_t mem_mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return h ^ (h >> 32);
}

static inline uint64_t mem_hash(uint64_t seed, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ size;

	for (; size >= 8; p += 8, size -= 8) {
		uint64_t w = 0;
		memcpy(&w, p, 8);
		h = mem_mix(h ^ w);
	}
	uint64_t rest = 0;
	memcpy(&rest, p, size);
	return mem_mix(h ^ rest);
}
