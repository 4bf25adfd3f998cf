/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/commits.h"

#include <assert.h>

#include "agent/collect/hash.h"
#include "common/mem.h"

#define CHUNK 2048u
#define INDEX_MIN 64u
#define EMPTY UINT32_MAX

/* An index word: 8 bits of the hash, which spare most looks at entries, and 24 bits of number. */
#define WORD_ID(w) ((w)&0xffffffu)
#define WORD_TAG(w) ((w) >> 24)

_Static_assert(sizeof(struct commit) == 40, "commits grew");

static uint64_t hash_key(uint32_t group, uint32_t topic, uint32_t partition)
{
	/* Groups and topics are small numbers of our own, so no seed is needed. */
	return hash_mix(((uint64_t)group << 32 | topic) ^ hash_mix(partition));
}

static uint64_t hash_commit(const struct commit *e)
{
	return hash_key(e->group, e->topic, e->partition);
}

struct commit *commits_at(const struct commits *c, uint32_t i)
{
	return &c->chunks[i / CHUNK][i % CHUNK];
}

void commits_free(struct commits *c)
{
	for (uint32_t i = 0; i < c->chunk_count; i++)
		free(c->chunks[i]);
	free(c->chunks);
	free(c->index);
	*c = (struct commits){0};
}

static bool is(const struct commit *e, uint32_t group, uint32_t topic, uint32_t partition)
{
	return e->group == group && e->topic == topic && e->partition == partition;
}

struct commit *commits_find(const struct commits *c, uint32_t group, uint32_t topic,
			    uint32_t partition)
{
	if (c->index_size == 0)
		return NULL;

	uint64_t hash = hash_key(group, topic, partition);
	uint32_t mask = c->index_size - 1;
	for (uint32_t i = (uint32_t)hash & mask; c->index[i] != EMPTY; i = (i + 1) & mask) {
		if (WORD_TAG(c->index[i]) != hash >> 56)
			continue;
		struct commit *e = commits_at(c, WORD_ID(c->index[i]));
		if (is(e, group, topic, partition))
			return e;
	}
	return NULL;
}

static void put(struct commits *c, uint32_t id, uint64_t hash)
{
	uint32_t mask = c->index_size - 1;
	uint32_t i = (uint32_t)hash & mask;

	while (c->index[i] != EMPTY)
		i = (i + 1) & mask;
	c->index[i] = (uint32_t)(hash >> 56) << 24 | id;
}

static void rebuild(struct commits *c, uint32_t size)
{
	c->index = mem_resize(c->index, size, sizeof(*c->index));
	c->index_size = size;
	memset(c->index, 0xff, size * sizeof(*c->index));
	for (uint32_t id = 0; id < c->count; id++)
		put(c, id, hash_commit(commits_at(c, id)));
}

struct commit *commits_add(struct commits *c, uint32_t group, uint32_t topic, uint32_t partition)
{
	struct commit *e = commits_find(c, group, topic, partition);
	if (e != NULL)
		return e;
	if (c->count == COMMITS_MAX)
		return NULL;

	/* Full to four fifths at most: tags make even long runs cheap. */
	if ((uint64_t)(c->count + 1) * 5 > (uint64_t)c->index_size * 4)
		rebuild(c, c->index_size == 0 ? INDEX_MIN : c->index_size * 2);
	if (c->count == c->chunk_count * CHUNK) {
		c->chunks = mem_resize(c->chunks, c->chunk_count + 1, sizeof(struct commit *));
		c->chunks[c->chunk_count++] = mem_resize(NULL, CHUNK, sizeof(*e));
	}
	e = commits_at(c, c->count);
	*e = (struct commit){.group = group,
			     .topic = topic,
			     .partition = partition & 0xfffff,
			     .epoch = -1,
			     .offset = -1,
			     .time_ms = -1,
			     .arrival_ms = -1};
	put(c, c->count++, hash_commit(e));
	return e;
}

/* The place in the index that holds this number. */
static uint32_t place(const struct commits *c, uint32_t id)
{
	uint32_t mask = c->index_size - 1;
	uint32_t i = (uint32_t)hash_commit(commits_at(c, id)) & mask;

	while (WORD_ID(c->index[i]) != id || c->index[i] == EMPTY)
		i = (i + 1) & mask;
	return i;
}

static void close_hole(struct commits *c, uint32_t hole)
{
	uint32_t mask = c->index_size - 1;

	for (uint32_t i = (hole + 1) & mask; c->index[i] != EMPTY; i = (i + 1) & mask) {
		uint32_t id = WORD_ID(c->index[i]);
		uint32_t home = (uint32_t)hash_commit(commits_at(c, id)) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			c->index[hole] = c->index[i];
			hole = i;
		}
	}
	c->index[hole] = EMPTY;
}

void commits_remove(struct commits *c, uint32_t i)
{
	assert(i < c->count);
	close_hole(c, place(c, i));

	uint32_t last = c->count - 1;
	if (i != last) {
		uint32_t at = place(c, last);
		c->index[at] = (c->index[at] & 0xff000000u) | i;
		*commits_at(c, i) = *commits_at(c, last);
	}
	c->count = last;

	/* One chunk is kept in reserve, against taking and giving back all the time. */
	if (c->chunk_count >= 2 && c->count <= (c->chunk_count - 2) * CHUNK)
		free(c->chunks[--c->chunk_count]);
}

static int by_key(const void *a, const void *b, void *arg)
{
	const struct commits *c = arg;
	const uint32_t *i = a;
	const uint32_t *j = b;
	const struct commit *x = commits_at(c, *i);
	const struct commit *y = commits_at(c, *j);

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->topic != y->topic)
		return x->topic < y->topic ? -1 : 1;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

uint32_t *commits_sorted(const struct commits *c, uint32_t flags, uint32_t *ret_count)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < c->count; i++)
		count += (commits_at(c, i)->flags & flags) != 0;
	uint32_t *order = mem_resize(NULL, count, sizeof(*order));
	uint32_t at = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		if (commits_at(c, i)->flags & flags)
			order[at++] = i;
	}
	/* The comparison only reads; qsort_r()'s type cannot say so. */
	struct commits view = *c;
	qsort_r(order, count, sizeof(*order), by_key, &view);
	*ret_count = count;
	return order;
}

size_t commits_memory(const struct commits *c)
{
	return c->chunk_count * (CHUNK * sizeof(struct commit) + sizeof(struct commit *)) +
	       c->index_size * sizeof(*c->index);
}
