/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* record_bytes - what the tests of records share: Kafka's encoding, written, and a decoder call
 * that lets a sanitizer see every read beyond its input. */

#include "agent/collect/record.h"
#include "common/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static inline bool is(struct record_str s, const char *text)
{
	return s.size == strlen(text) && (s.size == 0 || memcmp(s.data, text, s.size) == 0);
}

struct bytes {
	uint8_t data[1024];
	size_t size;
};

static inline void put(struct bytes *b, const void *data, size_t size)
{
	assert_true(size <= sizeof(b->data) - b->size);
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	b->size += size;
}

static inline void put8(struct bytes *b, unsigned v)
{
	put(b, &(uint8_t){(uint8_t)v}, 1);
}

static inline void put16(struct bytes *b, int v)
{
	uint8_t be[2];
	put_be16(be, (uint16_t)v);
	put(b, be, sizeof(be));
}

static inline void put32(struct bytes *b, int32_t v)
{
	uint8_t be[4];
	put_be32(be, (uint32_t)v);
	put(b, be, sizeof(be));
}

static inline void put64(struct bytes *b, int64_t v)
{
	uint8_t be[8];
	put_be64(be, (uint64_t)v);
	put(b, be, sizeof(be));
}

static inline void put_string(struct bytes *b, bool flexible, const char *s)
{
	if (flexible)
		put8(b, (unsigned)strlen(s) + 1);
	else
		put16(b, (int)strlen(s));
	put(b, s, strlen(s));
}

static inline void put_null(struct bytes *b, bool flexible)
{
	if (flexible)
		put8(b, 0);
	else
		put16(b, -1);
}

static inline void put_bytes(struct bytes *b, bool flexible, const struct bytes *inner)
{
	if (flexible)
		put8(b, (unsigned)inner->size + 1);
	else
		put32(b, (int32_t)inner->size);
	put(b, inner->data, inner->size);
}

/* Decode with copies of exactly the bytes given, so that a sanitizer sees a read beyond them. */
static inline int decode_exact(const uint8_t *key, size_t key_size, const uint8_t *value,
			       size_t value_size, struct arena *a)
{
	uint8_t *k = malloc(key_size + (key_size == 0));
	uint8_t *v = value == NULL ? NULL : malloc(value_size + (value_size == 0));
	struct record r;

	assert_non_null(k);
	memcpy(k, key, key_size);
	if (v != NULL)
		memcpy(v, value, value_size);
	arena_reset(a);
	int err = record_decode(k, key_size, v, value_size, a, &r);
	free(k);
	free(v);
	return err;
}
