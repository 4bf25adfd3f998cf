/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * mem - memory that must be there.
 *
 * For what is bounded by limits that were checked before: when even that cannot be had the process
 * ends, is started again, and goes on from what it has stored. What the network asks for is not
 * taken with these.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* count * size bytes, or the end; as realloc(). */
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

/* A copy of a text; the caller frees it. */
static inline char *mem_copy(const char *s)
{
	char *q = strdup(s);
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

/* Room in an array of *cap items for one more than the count it has. */
static inline void *mem_grow(void *p, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return p;
	*cap = *cap == 0 ? 16 : *cap * 2;
	return mem_resize(p, *cap, size);
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
