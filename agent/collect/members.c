/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/members.h"

#include "common/bytes.h"
#include "common/err.h"
#include "common/mem.h"
#include "proto/wire.h"

/* More would not fit a batch by far. */
#define MEMBER_BYTES_MAX (4u << 20)

void members_free(struct members *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		free(m->items[i]);
	free(m->items);
	*m = (struct members){0};
}

/* A client chooses these: a NUL becomes a question mark, and what is too long is cut. */
static void put_text(struct buf *b, struct record_str s)
{
	size_t size = MIN(s.size, (uint32_t)WIRE_NAME_MAX);

	for (size_t i = 0; i < size; i++)
		buf_putc(b, (char)(s.data[i] == '\0' ? '?' : s.data[i]));
	buf_putc(b, '\0');
}

static bool topic_ok(struct record_str s)
{
	return s.size > 0 && s.size <= WIRE_TOPIC_MAX && memchr(s.data, '\0', s.size) == NULL;
}

static void put_about(struct buf *b, const struct record_member *one)
{
	put_text(b, one->id);
	put_text(b, one->client_id);
	put_text(b, one->host);
	for (size_t i = 0; i < one->subscribed_count; i++) {
		if (topic_ok(one->subscribed[i]))
			put_text(b, one->subscribed[i]);
	}
	buf_putc(b, '\0');
}

static void put_be(struct buf *b, uint32_t v)
{
	uint8_t raw[4];
	put_be32(raw, v);
	buf_put(b, raw, sizeof(raw));
}

static void put_assigned(struct buf *b, const struct record_member *one)
{
	for (size_t i = 0; i < one->assigned_count; i++) {
		const struct record_assigned *a = &one->assigned[i];
		if (a->topic.size > 0 && !topic_ok(a->topic))
			continue;
		put_text(b, a->topic);
		if (a->topic.size == 0)
			buf_put(b, a->topic_id, sizeof(a->topic_id));
		put_be(b, (uint32_t)a->count);
		for (size_t p = 0; p < a->count; p++)
			put_be(b, (uint32_t)a->partitions[p]);
	}
}

/* A new block of these two halves. */
static struct member *make(const void *about, size_t about_size, const void *assigned,
			   size_t assigned_size)
{
	struct member *m = mem_resize(NULL, 1, sizeof(*m) + about_size + assigned_size);

	m->about_size = (uint32_t)about_size;
	m->assigned_size = (uint32_t)assigned_size;
	memcpy(m->bytes, about, about_size);
	if (assigned_size > 0)
		memcpy(m->bytes + about_size, assigned, assigned_size);
	return m;
}

static bool has_id(const struct member *m, const struct buf *about)
{
	return strcmp((const char *)m->bytes, about->data) == 0;
}

/* The place of the member whose "about" starts with the same id; m->count if there is none. */
static uint32_t find(const struct members *m, const struct buf *about)
{
	uint32_t i = 0;

	while (i < m->count && !has_id(m->items[i], about))
		i++;
	return i;
}

static void set(struct members *m, uint32_t i, struct member *one)
{
	if (i == m->count) {
		m->items = mem_resize(m->items, m->count + 1, sizeof(struct member *));
		m->items[m->count++] = one;
		return;
	}
	free(m->items[i]);
	m->items[i] = one;
}

void members_replace(struct members *m, const struct record_member *all, size_t count)
{
	CLEANUP(buf_free) struct buf about = {0};
	CLEANUP(buf_free) struct buf assigned = {0};

	members_free(m);
	if (count == 0)
		return;
	m->items = mem_zeroed(count, sizeof(struct member *));
	for (size_t i = 0; i < count; i++) {
		buf_reset(&about);
		buf_reset(&assigned);
		put_about(&about, &all[i]);
		put_assigned(&assigned, &all[i]);
		if (about.err != ERR_OK || assigned.err != ERR_OK)
			abort();
		m->items[m->count++] = make(about.data, about.size, assigned.data, assigned.size);
	}
}

void members_set_about(struct members *m, const struct record_member *one)
{
	CLEANUP(buf_free) struct buf about = {0};

	put_about(&about, one);
	if (about.err != ERR_OK)
		abort();
	uint32_t i = find(m, &about);
	const struct member *old = i < m->count ? m->items[i] : NULL;
	set(m, i,
	    make(about.data, about.size, old == NULL ? NULL : old->bytes + old->about_size,
		 old == NULL ? 0 : old->assigned_size));
}

void members_set_assigned(struct members *m, const struct record_member *one)
{
	CLEANUP(buf_free) struct buf about = {0};
	CLEANUP(buf_free) struct buf assigned = {0};

	put_about(&about, one);
	put_assigned(&assigned, one);
	if (about.err != ERR_OK || assigned.err != ERR_OK)
		abort();
	uint32_t i = find(m, &about);
	if (i == m->count && one->assigned_count == 0)
		return;
	const struct member *old = i < m->count ? m->items[i] : NULL;
	set(m, i,
	    make(old == NULL ? (const void *)about.data : old->bytes,
		 old == NULL ? about.size : old->about_size, assigned.data, assigned.size));
}

void members_remove(struct members *m, struct record_str id)
{
	CLEANUP(buf_free) struct buf about = {0};

	put_text(&about, id);
	if (about.err != ERR_OK)
		abort();
	uint32_t i = find(m, &about);
	if (i == m->count)
		return;
	free(m->items[i]);
	m->items[i] = m->items[--m->count];
}

void members_pack(const struct members *m, struct buf *out)
{
	put_be(out, m->count);
	for (uint32_t i = 0; i < m->count; i++) {
		const struct member *one = m->items[i];
		put_be(out, one->about_size);
		put_be(out, one->assigned_size);
		buf_put(out, one->bytes, one->about_size + one->assigned_size);
	}
}

/* Whether "about" is three strings and a list of strings, and nothing else. */
static bool about_ok(const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;

	for (unsigned n = 0; p < end; n++) {
		const uint8_t *nul = memchr(p, '\0', (size_t)(end - p));
		if (nul == NULL)
			return false;
		if (nul == p && n >= 3)
			return nul + 1 == end;
		p = nul + 1;
	}
	return false;
}

static bool assigned_ok(const struct member *m)
{
	struct members_assigned a;
	size_t at = 0;

	while (members_next_assigned(m, &at, &a))
		;
	return at == m->assigned_size;
}

/* One member of the bytes at *at, which moves on; NULL if they are damaged. */
static struct member *unpack_one(const uint8_t *data, size_t size, size_t *at)
{
	if (size - *at < 8)
		return NULL;
	uint32_t about = get_be32(data + *at);
	uint32_t assigned = get_be32(data + *at + 4);
	*at += 8;
	if (about > MEMBER_BYTES_MAX || assigned > MEMBER_BYTES_MAX ||
	    size - *at < (size_t)about + assigned || !about_ok(data + *at, about))
		return NULL;

	struct member *m = make(data + *at, about, data + *at + about, assigned);
	*at += (size_t)about + assigned;
	if (assigned_ok(m))
		return m;
	free(m);
	return NULL;
}

int members_unpack(struct members *m, const uint8_t *data, size_t size)
{
	members_free(m);
	if (size < 4 || get_be32(data) > size / 8)
		return ERR_MALFORMED;

	uint32_t count = get_be32(data);
	size_t at = 4;
	if (count == 0)
		return ERR_OK;
	m->items = mem_zeroed(count, sizeof(struct member *));
	while (m->count < count) {
		struct member *one = unpack_one(data, size, &at);
		if (one == NULL) {
			members_free(m);
			return ERR_MALFORMED;
		}
		m->items[m->count++] = one;
	}
	return ERR_OK;
}

struct members_about members_about(const struct member *m)
{
	struct members_about a = {.id = (const char *)m->bytes};

	a.client_id = a.id + strlen(a.id) + 1;
	a.host = a.client_id + strlen(a.client_id) + 1;
	a.subscribed = members_next_topic(a.host);
	return a;
}

const char *members_next_topic(const char *topic)
{
	const char *next = topic + strlen(topic) + 1;
	return *next == '\0' ? NULL : next;
}

bool members_next_assigned(const struct member *m, size_t *at, struct members_assigned *ret_a)
{
	const uint8_t *p = m->bytes + m->about_size + *at;
	size_t left = m->assigned_size - *at;
	struct members_assigned a = {.topic = (const char *)p};

	const uint8_t *nul = left == 0 ? NULL : memchr(p, '\0', left);
	if (nul == NULL)
		return false;
	size_t used = (size_t)(nul - p) + 1;
	if (used == 1) {
		a.topic_id = p + used;
		used += 16;
	}
	if (left < used + 4)
		return false;
	a.count = get_be32(p + used);
	used += 4;
	if ((left - used) / 4 < a.count)
		return false;
	a.partitions = p + used;
	*at += used + (size_t)a.count * 4;
	*ret_a = a;
	return true;
}
