/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/gzip.h"

#include <zlib.h>

#include "common/err.h"

#define GZIP_WINDOW (15 + 16) /* zlib's way to be told that the header is that of gzip */
#define MEMORY_LEVEL 8

int gzip(const char *data, size_t size, struct buf *out)
{
	z_stream z = {0};

	if (size > UINT32_MAX)
		return ERR_LIMIT;
	/* The fastest level: names and keys repeat so much that others gain little. */
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	uLong room = deflateBound(&z, size);
	char *at = buf_reserve(out, room);
	if (at != NULL) {
		z.next_in = (Bytef *)(uintptr_t)data;
		z.avail_in = (uInt)size;
		z.next_out = (Bytef *)at;
		z.avail_out = (uInt)room;
		/* There is room for all: one call ends it. */
		if (deflate(&z, Z_FINISH) == Z_STREAM_END)
			out->size += z.total_out;
		else
			out->err = -ENOMEM;
	}
	deflateEnd(&z);
	return out->err;
}
