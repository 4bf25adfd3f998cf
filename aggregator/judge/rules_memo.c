/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/rules_memo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_FIRST ((size_t)1024)
#define ENTRIES_MAX ((size_t)1 << 21) /* then all is forgotten and begins anew */
#define BUCKETS 256

struct key {
	uint32_t cluster, group, topic;
	uint32_t partition; /* plus 1; 0: the topic as a whole */
};

struct entry {
	struct key key;
	const struct rules_found *found;
};

/* One answer, shared by all places that have the same. */
struct answer {
	struct answer *next;
	struct rules_found found;
};

struct rules_memo {
	struct rules_set *set;
	struct answer *answers[BUCKETS];

	/* The store is walked in the same order in every pass, so what is asked next is nearly
	 * always the entry after the one asked before; the slots find all others. */
	struct entry *entries; /* in the order of their coming */
	size_t count, cap;
	size_t next;     /* index of the entry expected */
	uint32_t *slots; /* open addressing, twice cap; an entry's index plus 1; 0: free */

	struct entry last; /* of a topic as a whole */
};

/* --- places --- */

static bool same(const struct key *a, const struct key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
	return h ^ h >> 32;
}

/* The slot of the key, or the free one where it belongs: there always is one. */
static uint32_t *find_slot(const struct rules_memo *m, const struct key *k)
{
	size_t mask = 2 * m->cap - 1;
	uint64_t h = mix(mix(0, (uint64_t)k->cluster << 32 | k->group),
			 (uint64_t)k->topic << 32 | k->partition);
	size_t i = h & mask;

	while (m->slots[i] != 0 && !same(&m->entries[m->slots[i] - 1].key, k))
		i = (i + 1) & mask;
	return &m->slots[i];
}

/* Have room for cap entries, a power of two. */
static void make_room(struct rules_memo *m, size_t cap)
{
	m->entries = realloc(m->entries, cap * sizeof(*m->entries));
	free(m->slots);
	m->slots = calloc(2 * cap, sizeof(*m->slots));
	if (m->entries == NULL || m->slots == NULL)
		abort();
	m->cap = cap;
	for (size_t i = 0; i < m->count; i++)
		*find_slot(m, &m->entries[i].key) = (uint32_t)i + 1;
}

/* The entry of a key that has none yet. */
static const struct entry *add(struct rules_memo *m, const struct key *k,
			       const struct rules_found *found)
{
	if (m->count == ENTRIES_MAX) {
		m->count = 0;
		make_room(m, ENTRIES_FIRST);
	} else if (m->count == m->cap) {
		make_room(m, 2 * m->cap);
	}
	*find_slot(m, k) = (uint32_t)m->count + 1;
	m->entries[m->count] = (struct entry){*k, found};
	return &m->entries[m->count++];
}

/* --- a memo --- */

struct rules_memo *rules_memo_new(struct rules_set *s)
{
	struct rules_memo *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->set = rules_ref(s);
	make_room(m, ENTRIES_FIRST);
	return m;
}

void rules_memo_free(struct rules_memo **m)
{
	struct rules_memo *gone = *m;

	*m = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (gone->answers[i] != NULL) {
			struct answer *a = gone->answers[i];

			gone->answers[i] = a->next;
			free(a);
		}
	}
	free(gone->entries);
	free(gone->slots);
	rules_unref(&gone->set);
	free(gone);
}

const struct rules_set *rules_memo_set(const struct rules_memo *m)
{
	return m->set;
}

/* --- answers --- */

/* The rules that gave the values tell answers apart, so the values need no look. */
static const struct rules_found *intern(struct rules_memo *m, const struct rules_found *f)
{
	uint64_t h = f->by_partition;

	for (size_t i = 0; i < RULES_KEYS; i++)
		h = mix(h, (uintptr_t)f->from[i]);
	struct answer **bucket = &m->answers[h % BUCKETS];
	for (const struct answer *a = *bucket; a != NULL; a = a->next)
		if (a->found.by_partition == f->by_partition &&
		    memcmp(a->found.from, f->from, sizeof(f->from)) == 0)
			return &a->found;
	struct answer *a = malloc(sizeof(*a));
	if (a == NULL)
		abort();
	*a = (struct answer){*bucket, *f};
	*bucket = a;
	return &a->found;
}

static const struct rules_found *look_up(struct rules_memo *m, const struct key *k,
					 const struct rules_place *names)
{
	const struct entry *e = &m->entries[m->next];

	if (m->next >= m->count || !same(&e->key, k)) {
		uint32_t at = *find_slot(m, k);
		struct rules_found f;

		if (at == 0)
			rules_resolve(m->set, names, &f);
		e = at != 0 ? &m->entries[at - 1] : add(m, k, intern(m, &f));
	}
	m->next = (size_t)(e - m->entries) + 1;
	return e->found;
}

const struct rules *rules_memo_get(struct rules_memo *m, const struct rules_memo_place *p)
{
	struct key k = {p->cluster, p->group, p->topic, 0};

	assert((p->topic == 0) == (p->names.topic == NULL));
	if (m->last.found == NULL || !same(&m->last.key, &k)) {
		struct rules_place topic = p->names;

		topic.partition = -1;
		m->last = (struct entry){k, look_up(m, &k, &topic)};
	}
	if (!m->last.found->by_partition || p->names.partition < 0)
		return &m->last.found->rules;
	k.partition = (uint32_t)p->names.partition + 1;
	return &look_up(m, &k, &p->names)->rules;
}
