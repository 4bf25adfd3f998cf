/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* gzip - makes bytes fewer, as RFC 1952 has it. The only user of zlib. */

#include "common/base.h"
#include "common/buf.h"

/* Append size bytes at data, packed, to out. ERR_LIMIT, -ENOMEM, and out is then spoilt. */
MUST_CHECK int gzip(const char *data, size_t size, struct buf *out);

/*
 * The same out of parts, which may have been packed long before and may be used again:
 * gzip_begin(), the bytes of each part in turn, each told with gzip_join(), gzip_end().
 */

/* What a part says once it is unpacked. */
struct gzip_sum {
	uint32_t crc;
	uint32_t size; /* bytes; of the whole modulo 2^32, as the format has it */
};

/* Append size bytes at data as one part. Errors as gzip(). */
MUST_CHECK int gzip_part(const char *data, size_t size, struct buf *out, struct gzip_sum *ret_sum);

void gzip_begin(struct buf *out);

/* whole begins as zeroes. */
void gzip_join(struct gzip_sum *whole, const struct gzip_sum *part);
void gzip_end(struct buf *out, const struct gzip_sum *whole);
