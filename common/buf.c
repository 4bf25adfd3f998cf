/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.limit = b->limit};
}

void buf_reset(struct buf *b)
{
	b->size = 0;
	b->err = ERR_OK;
}

char *buf_reserve(struct buf *b, size_t size)
{
	if (b->err != ERR_OK)
		return NULL;
	if (size > SIZE_MAX / 4 || (b->limit != 0 && size > b->limit - MIN(b->size, b->limit))) {
		b->err = ERR_LIMIT;
		return NULL;
	}
	if (b->data == NULL || b->cap - b->size < size) {
		size_t cap = MAX(b->cap * 2, b->size + size);
		char *data = realloc(b->data, MAX(cap, (size_t)64));
		if (data == NULL) {
			b->err = -ENOMEM;
			return NULL;
		}
		b->data = data;
		b->cap = MAX(cap, (size_t)64);
	}
	return b->data + b->size;
}

void buf_put(struct buf *b, const void *data, size_t size)
{
	char *at = buf_reserve(b, size);

	if (at == NULL || size == 0)
		return;
	memcpy(at, data, size);
	b->size += size;
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *at = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
	if (at == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(at, (size_t)n + 1, fmt, args);
	va_end(args);
	b->size += (size_t)n;
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_put(b, digits + at, sizeof(digits) - at);
}

void buf_put_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_putc(b, '-');
	buf_put_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

const char *buf_str(struct buf *b)
{
	char *at = buf_reserve(b, 1);

	if (at == NULL)
		return "";
	*at = '\0';
	return b->data;
}
