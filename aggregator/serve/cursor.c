/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/cursor.h"

#include <string.h>

#include "common/err.h"

/*
 *	byte 0		version, 1
 *	byte 1		enum query_sort, plus 128 if falling
 *	byte 2..9	value
 *	byte 10..13	number
 *	then		the names, each with its NUL
 *	last 4 bytes	check of all before
 */
#define VERSION 1
#define FALLING 128
#define NAMES_AT 14
#define CHECK 4

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Against mistakes, not against malice: a cursor is a key to compare with and no more. */
static uint32_t check(const char *data, size_t size)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (uint8_t)data[i]) * 16777619u;
	return sum;
}

static void put_letters(struct buf *out, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t have = MIN(size - i, (size_t)3);
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < have ? (uint8_t)data[i + k] : 0u);
		for (size_t k = 0; k <= have; k++)
			buf_putc(out, LETTERS[bits >> (18 - 6 * k) & 63]);
	}
}

static void put_number(struct buf *out, uint64_t v, size_t bytes)
{
	while (bytes-- > 0)
		buf_putc(out, (char)(v >> (8 * bytes)));
}

void cursor_put(struct buf *out, const struct cursor *c)
{
	CLEANUP(buf_free) struct buf b = {0};

	buf_putc(&b, VERSION);
	buf_putc(&b, (char)((unsigned)c->sort | (c->falling ? FALLING : 0u)));
	put_number(&b, (uint64_t)c->value, 8);
	put_number(&b, (uint32_t)c->number, 4);
	for (size_t i = 0; i < CURSOR_NAMES; i++) {
		buf_puts(&b, c->names[i]);
		buf_putc(&b, '\0');
	}
	put_number(&b, check(b.data, b.size), CHECK);
	put_letters(out, b.data, b.size);
}

/* Returns the bytes; 0: these are no letters of ours, or too many. */
static size_t get_letters(const char *text, char *room, size_t room_size)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t size = 0;

	for (; *text != '\0'; text++) {
		const char *letter = strchr(LETTERS, *text);

		if (letter == NULL)
			return 0;
		bits = (bits & 0xffffff) << 6 | (uint32_t)(letter - LETTERS);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (size == room_size)
			return 0;
		room[size++] = (char)(bits >> have);
	}
	return size;
}

static uint64_t get_number(const char *data, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | (uint8_t)data[i];
	return v;
}

int cursor_get(const char *text, char room[static CURSOR_BYTES_MAX], struct cursor *ret_c)
{
	size_t size = get_letters(text, room, CURSOR_BYTES_MAX);
	struct cursor c = {.sort = QUERY_BY_NAME};

	if (size < NAMES_AT + CURSOR_NAMES + CHECK || room[0] != VERSION)
		return ERR_MALFORMED;
	const char *end = room + size - CHECK;
	uint8_t sort = (uint8_t)room[1];
	if (get_number(end, CHECK) != check(room, size - CHECK) || (sort & 127) >= QUERY_SORTS ||
	    end[-1] != '\0')
		return ERR_MALFORMED;
	c.sort = (enum query_sort)(sort & 127);
	c.falling = (sort & FALLING) != 0;
	c.value = (int64_t)get_number(room + 2, 8);
	c.number = (int32_t)get_number(room + 10, 4);
	const char *at = room + NAMES_AT;
	for (size_t i = 0; i < CURSOR_NAMES; i++) {
		if (at >= end)
			return ERR_MALFORMED;
		c.names[i] = at;
		at += strlen(at) + 1;
	}
	if (at != end)
		return ERR_MALFORMED;
	*ret_c = c;
	return ERR_OK;
}
