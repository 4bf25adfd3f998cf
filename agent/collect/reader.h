/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * reader - a bounds-checked cursor over bytes in Kafka's encoding.
 *
 * The first read past the end, or of a length that cannot be, sets bad; from then on every
 * read yields zeros and takes nothing, so that the caller looks once, at the end. Nothing is
 * copied or allocated. Inline because a commit is read in some ten calls.
 */

#include "agent/collect/record.h"
#include "common/bytes.h"

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline struct reader reader_of(const uint8_t *data, size_t size)
{
	return (struct reader){.at = data, .end = data == NULL ? NULL : data + size};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next size bytes, or NULL and r->bad. */
static inline const uint8_t *reader_take(struct reader *r, size_t size)
{
	if (r->bad || size > reader_left(r)) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->at;
	r->at += size;
	return p;
}

static inline int8_t reader_i8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);
	return (int8_t)(p == NULL ? 0 : *p);
}

static inline int16_t reader_i16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);
	return (int16_t)(p == NULL ? 0 : get_be16(p));
}

static inline int32_t reader_i32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);
	return p == NULL ? 0 : (int32_t)get_be32(p);
}

static inline int64_t reader_i64(struct reader *r)
{
	const uint8_t *p = reader_take(r, 8);
	return p == NULL ? 0 : (int64_t)get_be64(p);
}

/* Seven bits a byte, lowest first; at most 32 bits. */
static inline uint32_t reader_varint(struct reader *r)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		const uint8_t *p = reader_take(r, 1);
		if (p == NULL)
			return 0;
		if (shift == 28 && *p > 0x0f)
			break;
		value |= (uint32_t)(*p & 0x7f) << shift;
		if (*p < 0x80)
			return value;
	}
	r->bad = true;
	return 0;
}

/* size bytes as they are; -1 is Kafka's null, which reads as empty where null_ok. */
static inline struct record_str reader_sized(struct reader *r, int64_t size, bool null_ok)
{
	if (size == -1 && null_ok)
		return (struct record_str){0};
	const uint8_t *p = size < 0 ? NULL : reader_take(r, (size_t)size);
	if (p == NULL) {
		r->bad = true;
		return (struct record_str){0};
	}
	return (struct record_str){.data = (const char *)p, .size = (uint32_t)size};
}

/* A string whose length goes before it: two bytes, or in the flexible encoding a varint of the
 * length plus one. */
static inline struct record_str reader_string(struct reader *r, bool flexible, bool null_ok)
{
	int64_t size = flexible ? (int64_t)reader_varint(r) - 1 : reader_i16(r);
	return reader_sized(r, size, null_ok);
}

/* Bytes: as a string, but of four bytes of length where not flexible. */
static inline struct record_str reader_bytes(struct reader *r, bool flexible)
{
	int64_t size = flexible ? (int64_t)reader_varint(r) - 1 : reader_i32(r);
	return reader_sized(r, size, true);
}

/* The element count of an array whose elements take item_size bytes at the least. A count that
 * the bytes left cannot hold is bad, so the count is a fit bound for an allocation. */
static inline size_t reader_count(struct reader *r, bool flexible, size_t item_size)
{
	int64_t count = flexible ? (int64_t)reader_varint(r) - 1 : reader_i32(r);

	if (r->bad || count < 0 || (size_t)count > reader_left(r) / item_size) {
		r->bad = true;
		return 0;
	}
	return (size_t)count;
}

/* Pass over the tagged fields that end every structure of the flexible encoding. */
static inline void reader_skip_tags(struct reader *r)
{
	for (uint32_t left = reader_varint(r); left > 0 && !r->bad; left--) {
		reader_varint(r);
		reader_take(r, reader_varint(r));
	}
}
