/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/offsets.h"

#include <string.h>

#include "common/bytes.h"

#define REBALANCE_TIMEOUT_MS 300000
#define SESSION_TIMEOUT_MS 45000

static void put_i16(struct buf *b, int16_t v)
{
	uint8_t p[2];
	put_be16(p, (uint16_t)v);
	buf_put(b, p, sizeof(p));
}

static void put_i32(struct buf *b, int32_t v)
{
	uint8_t p[4];
	put_be32(p, (uint32_t)v);
	buf_put(b, p, sizeof(p));
}

static void put_i64(struct buf *b, int64_t v)
{
	uint8_t p[8];
	put_be64(p, (uint64_t)v);
	buf_put(b, p, sizeof(p));
}

/* NULL is written as Kafka's null string. */
static void put_string(struct buf *b, const char *s)
{
	if (s == NULL) {
		put_i16(b, -1);
		return;
	}
	put_i16(b, (int16_t)strlen(s));
	buf_puts(b, s);
}

/* Bytes inside bytes: the size goes in front when the content is known. */
static size_t begin_bytes(struct buf *b)
{
	put_i32(b, 0);
	return b->size;
}

static void end_bytes(struct buf *b, size_t start)
{
	if (b->err == 0)
		put_be32((uint8_t *)b->data + start - 4, (uint32_t)(b->size - start));
}

/* The absolute value of Java's String.hashCode(), which every coordinator takes to place a group.
 * Names of the demo are ASCII. */
int32_t offsets_partition(const char *group)
{
	uint32_t hash = 0;
	for (const char *c = group; *c != '\0'; c++)
		hash = hash * 31 + (uint8_t)*c;
	uint32_t magnitude = hash > INT32_MAX ? 0 - hash : hash;
	return (int32_t)(magnitude % OFFSETS_PARTITIONS);
}

void offsets_put_commit_key(struct buf *b, const char *group, const char *topic, int32_t partition)
{
	put_i16(b, 1);
	put_string(b, group);
	put_string(b, topic);
	put_i32(b, partition);
}

void offsets_put_commit(struct buf *b, int64_t offset, int64_t now_ms)
{
	put_i16(b, 3);
	put_i64(b, offset);
	put_i32(b, -1); /* leader epoch: not known */
	put_string(b, "");
	put_i64(b, now_ms);
}

void offsets_put_group_key(struct buf *b, const char *group)
{
	put_i16(b, 2);
	put_string(b, group);
}

/* The consumer protocol's Subscription, version 0. */
static void put_subscription(struct buf *b, const char *topic)
{
	size_t start = begin_bytes(b);
	put_i16(b, 0);
	put_i32(b, 1);
	put_string(b, topic);
	put_i32(b, -1); /* user data: null */
	end_bytes(b, start);
}

/* The consumer protocol's Assignment, version 0. */
static void put_assignment(struct buf *b, const char *topic, const struct offsets_member *m)
{
	size_t start = begin_bytes(b);
	put_i16(b, 0);
	put_i32(b, 1);
	put_string(b, topic);
	put_i32(b, (int32_t)m->partition_count);
	for (uint32_t i = 0; i < m->partition_count; i++)
		put_i32(b, m->partitions[i]);
	put_i32(b, -1); /* user data: null */
	end_bytes(b, start);
}

static void put_member(struct buf *b, const char *topic, const struct offsets_member *m)
{
	put_string(b, m->id);
	put_string(b, NULL); /* group.instance.id */
	put_string(b, m->client_id);
	put_string(b, m->host);
	put_i32(b, REBALANCE_TIMEOUT_MS);
	put_i32(b, SESSION_TIMEOUT_MS);
	put_subscription(b, topic);
	put_assignment(b, topic, m);
}

void offsets_put_group(struct buf *b, const struct offsets_group *g)
{
	bool stable = g->member_count > 0;
	put_i16(b, 3);
	put_string(b, "consumer");
	put_i32(b, g->generation);
	put_string(b, stable ? "range" : NULL);
	put_string(b, stable ? g->members[0].id : NULL);
	put_i64(b, g->changed_at_ms);
	put_i32(b, (int32_t)g->member_count);
	for (uint32_t i = 0; i < g->member_count; i++)
		put_member(b, g->topic, &g->members[i]);
}
