/* SPDX-License-Identifier: Apache-2.0 */
/* Input: two bytes, then key and value. The first bit says tombstone, the others where the
 * value begins. Whatever a record leads to is read, so that a sanitizer sees a bad pointer. */
#include "agent/collect/record.h"

#include "common/bytes.h"
#include "common/err.h"

#define TOMBSTONE 0x8000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void read_string(struct record_str s)
{
	for (uint32_t i = 0; i < s.size; i++)
		sink += (unsigned char)s.data[i];
}

static void read_assigned(const struct record_assigned *topics, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		read_string(topics[i].topic);
		for (size_t k = 0; k < topics[i].count; k++)
			sink += (unsigned)topics[i].partitions[k];
	}
}

static void read_record(const struct record *r)
{
	read_string(r->group);
	read_string(r->topic);
	read_string(r->protocol_type);
	read_assigned(r->topics, r->topic_count);
	for (size_t i = 0; i < r->member_count; i++) {
		const struct record_member *m = &r->members[i];
		read_string(m->id);
		read_string(m->client_id);
		read_string(m->host);
		for (size_t k = 0; k < m->subscribed_count; k++)
			read_string(m->subscribed[k]);
		read_assigned(m->assigned, m->assigned_count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	struct record r;

	if (size < 2)
		return 0;
	if (a.base == NULL)
		arena_init(&a, 16384);
	arena_reset(&a);
	unsigned head = get_be16(data);
	size_t key_size = MIN(head & ~TOMBSTONE, size - 2);
	const uint8_t *value = head & TOMBSTONE ? NULL : data + 2 + key_size;
	if (record_decode(data + 2, key_size, value, size - 2 - key_size, &a, &r) == ERR_OK)
		read_record(&r);
	return 0;
}
