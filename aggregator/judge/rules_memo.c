/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/rules_memo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024
#define SLOTS_MAX ((size_t)1 << 22) /* places are forgotten when half of it is taken */
#define BUCKETS 256

struct key {
	uint32_t cluster, group, topic;
	uint32_t partition; /* plus 1; 0: the topic as a whole */
};

struct slot {
	struct key key;
	const struct rules_found *found; /* NULL: free */
};

/* One answer, shared by all places that have the same. */
struct answer {
	struct answer *next;
	struct rules_found found;
};

struct rules_memo {
	struct rules_set *set;
	struct slot *slots; /* open addressing, a power of two */
	size_t slot_count, used;
	struct answer *answers[BUCKETS];
	struct slot last; /* the walk over a store asks for partition after partition of a topic */
};

static struct slot *new_slots(size_t count)
{
	struct slot *slots = calloc(count, sizeof(*slots));

	if (slots == NULL)
		abort();
	return slots;
}

struct rules_memo *rules_memo_new(struct rules_set *s)
{
	struct rules_memo *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->set = rules_ref(s);
	m->slot_count = SLOTS_FIRST;
	m->slots = new_slots(m->slot_count);
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
	free(gone->slots);
	rules_unref(&gone->set);
	free(gone);
}

const struct rules_set *rules_memo_set(const struct rules_memo *m)
{
	return m->set;
}

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

/* The slot that has the key, or the free one where it belongs: there always is one. */
static struct slot *find(const struct slot *slots, size_t count, const struct key *k)
{
	uint64_t h =
		mix((uint64_t)k->cluster << 32 | k->group, (uint64_t)k->topic << 32 | k->partition);
	size_t i = h & (count - 1);

	while (slots[i].found != NULL && !same(&slots[i].key, k))
		i = (i + 1) & (count - 1);
	return (struct slot *)(uintptr_t)&slots[i];
}

/* Room for one more; at the most there may be, by forgetting all. */
static void make_room(struct rules_memo *m)
{
	if (m->used < m->slot_count / 2)
		return;
	bool full = m->slot_count == SLOTS_MAX;
	size_t count = full ? SLOTS_FIRST : m->slot_count * 2;
	struct slot *slots = new_slots(count);

	m->used = full ? 0 : m->used;
	for (size_t i = 0; i < m->slot_count && !full; i++)
		if (m->slots[i].found != NULL)
			*find(slots, count, &m->slots[i].key) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->slot_count = count;
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
	struct slot *slot = find(m->slots, m->slot_count, k);

	if (slot->found != NULL)
		return slot->found;
	struct rules_found f;
	rules_resolve(m->set, names, &f);
	make_room(m);
	slot = find(m->slots, m->slot_count, k);
	*slot = (struct slot){*k, intern(m, &f)};
	m->used++;
	return slot->found;
}

const struct rules *rules_memo_get(struct rules_memo *m, const struct rules_memo_place *p)
{
	struct key k = {p->cluster, p->group, p->topic, 0};

	assert((p->topic == 0) == (p->names.topic == NULL));
	if (m->last.found == NULL || !same(&m->last.key, &k)) {
		struct rules_place topic = p->names;

		topic.partition = -1;
		m->last = (struct slot){k, look_up(m, &k, &topic)};
	}
	if (!m->last.found->by_partition || p->names.partition < 0)
		return &m->last.found->rules;
	k.partition = (uint32_t)p->names.partition + 1;
	return &look_up(m, &k, &p->names)->rules;
}
