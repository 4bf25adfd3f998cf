/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * buf - a growable byte buffer with a sticky error.
 *
 * After the first failed allocation, or a growth past limit, every call is a no-op
 * and buf.err holds the reason; the caller looks once, at the end.
 */

#include "common/base.h"

struct buf {
	char *data; /* owned; not NUL-terminated unless buf_str() was called */
	size_t size;
	size_t cap;
	size_t limit; /* bytes it may grow to; 0: no limit */
	int err;      /* ERR_OK, -ENOMEM or ERR_LIMIT: the first failure */
};

/* Give the memory back; *b is empty and usable after. Accepts a zeroed buf. */
void buf_free(struct buf *b);

/* Forget the content and the error, keep the memory. */
void buf_reset(struct buf *b);

void buf_put(struct buf *b, const void *data, size_t size);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Decimal digits, without printf's cost. */
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);

/* Room for size more bytes at the end, to be written by the caller, who then adds to
 * b->size what was used. NULL after a failure. */
char *buf_reserve(struct buf *b, size_t size);

/* The content as a NUL-terminated string, borrowed until the next call. "" after a failure. */
const char *buf_str(struct buf *b);
