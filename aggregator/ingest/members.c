/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/members.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/err.h"
#include "common/mem.h"

static int by_place(const void *a, const void *b)
{
	const struct members_owned *x = a;
	const struct members_owned *y = b;

	if (x->topic != y->topic)
		return x->topic < y->topic ? -1 : 1;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* --- writing --- */

static void pack_u32(struct buf *out, uint32_t v)
{
	uint8_t bytes[4];

	put_be32(bytes, v);
	buf_put(out, bytes, sizeof(bytes));
}

static void pack_name(struct buf *out, const char *s)
{
	uint8_t bytes[2];
	size_t size = MIN(strlen(s), (size_t)UINT16_MAX);

	put_be16(bytes, (uint16_t)size);
	buf_put(out, bytes, sizeof(bytes));
	buf_put(out, s, size);
}

static void pack_owned(struct buf *out, const struct wire_group *g, const uint32_t *topics)
{
	size_t count = 0;
	size_t most = 1;

	for (size_t i = 0; i < g->member_count; i++)
		most += g->members[i].assigned_count;
	struct members_owned *owned = mem_zeroed(most, sizeof(*owned));
	for (size_t i = 0; i < g->member_count; i++) {
		const struct wire_member *m = &g->members[i];

		for (size_t j = 0; j < m->assigned_count; j++)
			if (topics[m->assigned[j].topic] != 0)
				owned[count++] = (struct members_owned){
					topics[m->assigned[j].topic], m->assigned[j].partition,
					(uint32_t)i};
	}
	qsort(owned, count, sizeof(*owned), by_place);
	pack_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_u32(out, owned[i].topic);
		pack_u32(out, (uint32_t)owned[i].partition);
		pack_u32(out, owned[i].member);
	}
	free(owned);
}

/* A member that subscribes by pattern names no topics: then what the group subscribes to is not
 * known, and none is written. */
static bool subscriptions_known(const struct wire_group *g)
{
	for (size_t i = 0; i < g->member_count; i++)
		if (g->members[i].subscribed_count == 0)
			return false;
	return true;
}

static void pack_topics(struct buf *out, const struct wire_group *g, const uint32_t *topics)
{
	size_t count = 0;
	size_t unique = 0;
	size_t members = subscriptions_known(g) ? g->member_count : 0;
	size_t most = 1;

	for (size_t i = 0; i < members; i++)
		most += g->members[i].subscribed_count;
	uint32_t *ids = mem_zeroed(most, sizeof(*ids));
	for (size_t i = 0; i < members; i++)
		for (size_t j = 0; j < g->members[i].subscribed_count; j++)
			if (topics[g->members[i].subscribed[j]] != 0)
				ids[count++] = topics[g->members[i].subscribed[j]];
	qsort(ids, count, sizeof(*ids), by_number);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || ids[i] != ids[i - 1])
			ids[unique++] = ids[i];
	pack_u32(out, (uint32_t)unique);
	for (size_t i = 0; i < unique; i++)
		pack_u32(out, ids[i]);
	free(ids);
}

void members_pack(struct buf *out, const struct wire_group *g, const uint32_t *topics)
{
	pack_u32(out, (uint32_t)g->member_count);
	for (size_t i = 0; i < g->member_count; i++) {
		pack_name(out, g->members[i].id);
		pack_name(out, g->members[i].client_id);
		pack_name(out, g->members[i].host);
	}
	pack_owned(out, g, topics);
	pack_topics(out, g, topics);
}

/* --- reading --- */

struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct reader *r, size_t size)
{
	if (r->bad || r->left < size) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *at = r->at;
	r->at += size;
	r->left -= size;
	return at;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	return p == NULL ? 0 : get_be32(p);
}

static struct members_name take_name(struct reader *r)
{
	const uint8_t *size = take(r, 2);
	const uint8_t *data = size == NULL ? NULL : take(r, get_be16(size));

	if (data == NULL)
		return (struct members_name){"", 0};
	return (struct members_name){(const char *)data, get_be16(size)};
}

/* Room for count entries that take at least least bytes each in the record. */
static void *room(struct reader *r, size_t count, size_t least, size_t size)
{
	if (r->bad || count > r->left / least) {
		r->bad = true;
		return NULL;
	}
	void *p = mem_zeroed(MAX(count, (size_t)1), size);
	return p;
}

static void read_all(struct reader *r, struct members *m)
{
	m->count = take_u32(r);
	m->list = room(r, m->count, 6, sizeof(*m->list));
	for (size_t i = 0; i < m->count && !r->bad; i++) {
		m->list[i].id = take_name(r);
		m->list[i].client_id = take_name(r);
		m->list[i].host = take_name(r);
	}
	m->owned_count = take_u32(r);
	m->owned = room(r, m->owned_count, 12, sizeof(*m->owned));
	for (size_t i = 0; i < m->owned_count && !r->bad; i++) {
		m->owned[i].topic = take_u32(r);
		m->owned[i].partition = (int32_t)take_u32(r);
		m->owned[i].member = take_u32(r);
		r->bad |= m->owned[i].member >= m->count;
	}
	m->topic_count = take_u32(r);
	m->topics = room(r, m->topic_count, 4, sizeof(*m->topics));
	for (size_t i = 0; i < m->topic_count && !r->bad; i++)
		m->topics[i] = take_u32(r);
}

int members_unpack(const uint8_t *data, size_t size, struct members *ret_m)
{
	struct reader r = {.at = data, .left = size};
	struct members m = {0};

	read_all(&r, &m);
	if (r.bad || r.left != 0) {
		members_free(&m);
		return ERR_MALFORMED;
	}
	*ret_m = m;
	return ERR_OK;
}

void members_free(struct members *m)
{
	free(m->list);
	free(m->owned);
	free(m->topics);
	*m = (struct members){0};
}

const struct members_owned *members_find(const struct members *m, const struct members_owned *place)
{
	return m->owned_count == 0
		       ? NULL
		       : bsearch(place, m->owned, m->owned_count, sizeof(*m->owned), by_place);
}

bool members_subscribed(const struct members *m, uint32_t topic)
{
	return m->topic_count != 0 &&
	       bsearch(&topic, m->topics, m->topic_count, sizeof(*m->topics), by_number) != NULL;
}
