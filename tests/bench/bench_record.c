/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes a mix of records as a busy cluster writes them: of a hundred, 96 are commits (half of
 * value version 3, half of 4 with the topic's id), 3 tombstones and one a group of ten members
 * with ten partitions each. Prints records a second and time a record, of the mix and of commits
 * alone. */
#include "agent/collect/record.h"

#include "common/buf.h"
#include "common/bytes.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS 100000
#define ROUNDS 50
#define GROUPS 1000
#define MEMBERS 10
#define PARTITIONS 10

struct input {
	size_t key; /* where it begins in the bytes */
	size_t key_size;
	size_t value;
	size_t value_size; /* 0: tombstone */
};

static void put16(struct buf *b, int v)
{
	uint8_t be[2];
	put_be16(be, (uint16_t)v);
	buf_put(b, be, sizeof(be));
}

static void put32(struct buf *b, int v)
{
	uint8_t be[4];
	put_be32(be, (uint32_t)v);
	buf_put(b, be, sizeof(be));
}

static void put64(struct buf *b, int64_t v)
{
	uint8_t be[8];
	put_be64(be, (uint64_t)v);
	buf_put(b, be, sizeof(be));
}

static void put_string(struct buf *b, const char *s)
{
	put16(b, (int)strlen(s));
	buf_puts(b, s);
}

static const char *name(const char *prefix, int i)
{
	static char text[64];
	snprintf(text, sizeof(text), "%s-%05d", prefix, i);
	return text;
}

static void put_commit_key(struct buf *b, int i)
{
	put16(b, 1);
	put_string(b, name("application-group", i % GROUPS));
	put_string(b, name("team.events.topic", i / 7 % 100));
	put32(b, i % 100);
}

static void put_commit_value(struct buf *b, int i)
{
	bool flexible = i % 2 == 0;

	put16(b, flexible ? 4 : 3);
	put64(b, 1000000 + i);
	put32(b, 5);
	buf_put(b, "\x01", flexible ? 1 : 0);
	if (!flexible)
		put16(b, 0);
	put64(b, 1795573102784 + i);
	if (flexible)
		buf_put(b,
			"\x01\x00\x10"
			"0123456789abcdef",
			19);
}

static void put_assignment(struct buf *b)
{
	put32(b, 2 + 4 + 2 + 23 + 4 + 4 * PARTITIONS + 4);
	put16(b, 1);
	put32(b, 1);
	put_string(b, name("team.events.topic", 1));
	put32(b, PARTITIONS);
	for (int i = 0; i < PARTITIONS; i++)
		put32(b, i);
	put32(b, -1);
}

static void put_group_value(struct buf *b)
{
	put16(b, 3);
	put_string(b, "consumer");
	put32(b, 17);
	put_string(b, "range");
	put16(b, -1);
	put64(b, 1795573102784);
	put32(b, MEMBERS);
	for (int i = 0; i < MEMBERS; i++) {
		put_string(b, name("application-client-0f3c1c1e-27ab-4a4c-9a44", i));
		put16(b, -1);
		put_string(b, name("application-client", i));
		put_string(b, "/10.20.30.40");
		put32(b, 300000);
		put32(b, 45000);
		put32(b, 2 + 4 + 2 + 23 + 4);
		put16(b, 1);
		put32(b, 1);
		put_string(b, name("team.events.topic", 1));
		put32(b, -1);
		put_assignment(b);
	}
}

static void make(struct buf *b, struct input *in, int i, bool commits_only)
{
	int kind = commits_only ? 0 : i % 100;

	in->key = b->size;
	if (kind == 99) {
		put16(b, 2);
		put_string(b, name("application-group", i % GROUPS));
	} else {
		put_commit_key(b, i);
	}
	in->key_size = b->size - in->key;
	in->value = b->size;
	if (kind == 99)
		put_group_value(b);
	else if (kind < 96)
		put_commit_value(b, i);
	in->value_size = b->size - in->value;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const char *what, bool commits_only)
{
	static struct input inputs[RECORDS];
	CLEANUP(buf_free) struct buf b = {0};
	CLEANUP(arena_free) struct arena a = {0};
	struct record r;
	uint64_t check = 0;

	arena_init(&a, 1 << 16);
	for (int i = 0; i < RECORDS; i++)
		make(&b, &inputs[i], i, commits_only);
	const uint8_t *bytes = (const uint8_t *)b.data;
	double start = now();
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < RECORDS; i++) {
			const struct input *in = &inputs[i];
			const uint8_t *value = in->value_size == 0 ? NULL : bytes + in->value;
			arena_reset(&a);
			if (record_decode(bytes + in->key, in->key_size, value, in->value_size, &a,
					  &r) < 0)
				abort();
			check += (uint64_t)r.offset + r.group.size + r.member_count;
		}
	}
	double seconds = now() - start;
	double records = (double)RECORDS * ROUNDS;
	printf("%-8s %6.2f M records/s %6.1f ns/record %6.1f bytes/record (check %llu)\n", what,
	       records / seconds / 1e6, seconds / records * 1e9, (double)b.size / RECORDS,
	       (unsigned long long)check);
}

int main(void)
{
	run("mix", false);
	run("commits", true);
	return 0;
}
