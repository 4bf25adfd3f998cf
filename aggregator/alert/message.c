/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/message.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/err.h"

/*
 * Its bytes; numbers are big-endian:
 *
 *	'W' 'M' version kind | key 8 | thread 8 | at_ms 8 | total 4 | count 2
 *	route, receiver, group_by, url: each its length 2, and its bytes
 *	count times: length 2 of the incident's own bytes, those, number of labels 1,
 *		and each label's name and value as the texts above
 */
#define MESSAGE_VERSION 1
#define TEXT_MAX 0xffff

const char *message_kind_str(enum message_kind kind)
{
	static const char *const WORDS[] = {
		[MESSAGE_OPEN] = "open",       [MESSAGE_UPDATE] = "update",
		[MESSAGE_REPEAT] = "repeat",   [MESSAGE_ESCALATE] = "escalate",
		[MESSAGE_RESOLVE] = "resolve", [MESSAGE_SUMMARY] = "summary",
		[MESSAGE_TEST] = "test",
	};

	return kind >= MESSAGE_OPEN && kind <= MESSAGE_TEST ? WORDS[kind] : "";
}

bool message_is_acknowledgement(const struct message *m)
{
	size_t acknowledged = 0;

	if (m->kind != MESSAGE_UPDATE || m->total > m->count)
		return false;
	for (size_t i = 0; i < m->count; i++) {
		if (m->incidents[i].incident.state == INCIDENT_OPEN)
			return false;
		acknowledged += m->incidents[i].incident.state == INCIDENT_ACKNOWLEDGED;
	}
	return acknowledged > 0;
}

void message_free(struct message **m)
{
	struct message *it = *m;

	if (it == NULL)
		return;
	for (size_t i = 0; it->incidents != NULL && i < it->count; i++) {
		for (size_t k = 0; k < it->incidents[i].label_count; k++) {
			free(it->incidents[i].labels[k].name);
			free(it->incidents[i].labels[k].value);
		}
	}
	free(it->incidents);
	free(it->route);
	free(it->receiver);
	free(it->group_by);
	free(it->url);
	free(it);
	*m = NULL;
}

/* --- writing --- */

static void put_u16(struct buf *out, size_t v)
{
	uint8_t bytes[2];

	put_be16(bytes, (uint16_t)v);
	buf_put(out, bytes, sizeof(bytes));
}

static void put_u64(struct buf *out, uint64_t v)
{
	uint8_t bytes[8];

	put_be64(bytes, v);
	buf_put(out, bytes, sizeof(bytes));
}

static void put_text(struct buf *out, const char *text)
{
	size_t size = text == NULL ? 0 : strnlen(text, TEXT_MAX);

	put_u16(out, size);
	if (size != 0)
		buf_put(out, text, size);
}

static void put_incident(struct buf *out, const struct message_incident *i)
{
	uint8_t bytes[INCIDENT_BYTES_MAX];
	size_t size = incident_pack(&i->incident, bytes);

	put_u16(out, size);
	buf_put(out, bytes, size);
	buf_putc(out, (char)i->label_count);
	for (size_t k = 0; k < i->label_count; k++) {
		put_text(out, i->labels[k].name);
		put_text(out, i->labels[k].value);
	}
}

void message_encode(const struct message *m, struct buf *out)
{
	size_t count = MIN(m->count, (size_t)MESSAGE_INCIDENTS_MAX);
	uint8_t total[4];

	buf_put(out, (char[]){'W', 'M', MESSAGE_VERSION, (char)m->kind}, 4);
	put_u64(out, m->key);
	put_u64(out, m->thread);
	put_u64(out, (uint64_t)m->at_ms);
	put_be32(total, (uint32_t)MIN(m->total, (size_t)UINT32_MAX));
	buf_put(out, total, sizeof(total));
	put_u16(out, count);
	put_text(out, m->route);
	put_text(out, m->receiver);
	put_text(out, m->group_by);
	put_text(out, m->url);
	for (size_t i = 0; i < count; i++)
		put_incident(out, &m->incidents[i]);
}

/* --- reading: a cursor that stays bad once it was --- */

struct cursor {
	const uint8_t *at, *end;
	bool bad;
};

/* NULL when there are not so many bytes more. */
static const uint8_t *take(struct cursor *c, size_t size)
{
	const uint8_t *at = c->at;

	if (c->bad || (size_t)(c->end - c->at) < size) {
		c->bad = true;
		return NULL;
	}
	c->at += size;
	return at;
}

static size_t take_u8(struct cursor *c)
{
	const uint8_t *p = take(c, 1);

	return p == NULL ? 0 : *p;
}

static size_t take_u16(struct cursor *c)
{
	const uint8_t *p = take(c, 2);

	return p == NULL ? 0 : get_be16(p);
}

static uint64_t take_u64(struct cursor *c)
{
	const uint8_t *p = take(c, 8);

	return p == NULL ? 0 : get_be64(p);
}

/* Caller owns it; NULL when the cursor is bad, which it is too when memory is short. */
static char *take_text(struct cursor *c)
{
	size_t size = take_u16(c);
	const uint8_t *p = take(c, size);

	if (p == NULL || memchr(p, 0, size) != NULL) {
		c->bad = true;
		return NULL;
	}
	char *text = strndup((const char *)p, size);
	c->bad = text == NULL;
	return text;
}

static void take_incident(struct cursor *c, struct message_incident *i)
{
	size_t size = take_u16(c);
	const uint8_t *p = take(c, size);

	if (p == NULL || !incident_unpack(p, size, &i->incident)) {
		c->bad = true;
		return;
	}
	size_t labels = take_u8(c);
	if (labels > MESSAGE_LABELS_MAX)
		c->bad = true;
	for (size_t k = 0; k < labels && !c->bad; k++) {
		i->label_count = k + 1;
		i->labels[k].name = take_text(c);
		i->labels[k].value = take_text(c);
	}
}

static void take_incidents(struct cursor *c, struct message *m, size_t count)
{
	if (count > MESSAGE_INCIDENTS_MAX || count > m->total)
		c->bad = true;
	if (c->bad || count == 0)
		return;
	m->incidents = calloc(count, sizeof(*m->incidents));
	if (m->incidents == NULL) {
		c->bad = true;
		return;
	}
	m->count = count;
	for (size_t i = 0; i < count && !c->bad; i++)
		take_incident(c, &m->incidents[i]);
}

static void take_message(struct cursor *c, struct message *m)
{
	m->kind = (enum message_kind)take_u8(c);
	m->key = take_u64(c);
	m->thread = take_u64(c);
	m->at_ms = (int64_t)take_u64(c);
	const uint8_t *total = take(c, 4);
	m->total = total == NULL ? 0 : get_be32(total);
	size_t count = take_u16(c);
	m->route = take_text(c);
	m->receiver = take_text(c);
	m->group_by = take_text(c);
	m->url = take_text(c);
	take_incidents(c, m, count);
}

int message_decode(const void *data, size_t size, struct message **ret_m)
{
	CLEANUP(message_free) struct message *m = NULL;
	struct cursor c = {data, (const uint8_t *)data + size, false};
	const uint8_t *head = take(&c, 3);

	if (head == NULL || head[0] != 'W' || head[1] != 'M' || head[2] == 0)
		return ERR_MALFORMED;
	if (head[2] != MESSAGE_VERSION)
		return ERR_VERSION;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	take_message(&c, m);
	if (c.bad || c.at != c.end || message_kind_str(m->kind)[0] == '\0')
		return ERR_MALFORMED;
	*ret_m = m;
	m = NULL;
	return ERR_OK;
}
