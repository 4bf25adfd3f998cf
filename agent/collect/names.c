/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/names.h"

#include <assert.h>
#include <sys/random.h>

#include "agent/collect/hash.h"
#include "common/mem.h"

#define INDEX_MIN 64

void names_free(struct names *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		free(n->texts[i]);
	free(n->texts);
	free(n->hashes);
	free(n->index);
	*n = (struct names){0};
}

/* The place in the index where this name is, or where it would go. */
static uint32_t *place(const struct names *n, uint32_t hash, const char *s, size_t size)
{
	uint32_t mask = n->index_size - 1;

	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		uint32_t id = n->index[i];
		if (id == NAMES_NONE)
			return &n->index[i];
		if (n->hashes[id] == hash && strncmp(n->texts[id], s, size) == 0 &&
		    n->texts[id][size] == '\0')
			return &n->index[i];
	}
}

/* Where this number goes: names that are there are all different, so only the hash counts. */
static void put(struct names *n, uint32_t id)
{
	uint32_t mask = n->index_size - 1;
	uint32_t i = n->hashes[id] & mask;

	while (n->index[i] != NAMES_NONE)
		i = (i + 1) & mask;
	n->index[i] = id;
}

static void rebuild(struct names *n, uint32_t size)
{
	n->index = mem_resize(n->index, size, sizeof(*n->index));
	n->index_size = size;
	memset(n->index, 0xff, size * sizeof(*n->index));
	for (uint32_t id = 0; id < n->count; id++) {
		if (n->texts[id] != NULL)
			put(n, id);
	}
}

static uint32_t hash_of(const struct names *n, const char *s, size_t size)
{
	return (uint32_t)hash_bytes(n->seed, s, size);
}

uint32_t names_find(const struct names *n, const char *s, size_t size)
{
	if (n->index_size == 0)
		return NAMES_NONE;
	return *place(n, hash_of(n, s, size), s, size);
}

void names_add_at(struct names *n, uint32_t id, const char *s, size_t size)
{
	if (n->index_size == 0) {
		/* Names are chosen by others, who shall not be able to choose where they go. */
		if (getrandom(&n->seed, sizeof(n->seed), 0) != sizeof(n->seed))
			abort();
		rebuild(n, INDEX_MIN);
	}
	if ((n->used + 1) * 2 > n->index_size)
		rebuild(n, n->index_size * 2);

	uint32_t cap = n->cap;
	n->hashes = mem_reach(n->hashes, &cap, id, sizeof(*n->hashes));
	n->texts = mem_reach(n->texts, &n->cap, id, sizeof(*n->texts));
	n->count = MAX(n->count, id + 1);
	assert(n->texts[id] == NULL);

	n->texts[id] = mem_resize(NULL, size + 1, 1);
	memcpy(n->texts[id], s, size);
	n->texts[id][size] = '\0';
	n->hashes[id] = hash_of(n, s, size);
	n->used++;
	put(n, id);
}

uint32_t names_add(struct names *n, const char *s, size_t size)
{
	uint32_t id = n->free_from;

	while (id < n->count && n->texts[id] != NULL)
		id++;
	names_add_at(n, id, s, size);
	n->free_from = id + 1;
	return id;
}

void names_remove(struct names *n, uint32_t id)
{
	uint32_t mask = n->index_size - 1;
	uint32_t hole =
		(uint32_t)(place(n, n->hashes[id], n->texts[id], strlen(n->texts[id])) - n->index);

	/* Whoever follows in the same run moves up, so that no search ends at the hole. */
	for (uint32_t i = (hole + 1) & mask; n->index[i] != NAMES_NONE; i = (i + 1) & mask) {
		uint32_t home = n->hashes[n->index[i]] & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			n->index[hole] = n->index[i];
			hole = i;
		}
	}
	n->index[hole] = NAMES_NONE;
	free(n->texts[id]);
	n->texts[id] = NULL;
	n->used--;
	n->free_from = MIN(n->free_from, id);
}
