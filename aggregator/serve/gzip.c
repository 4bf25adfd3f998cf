/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/gzip.h"

#include <endian.h>
#include <zlib.h>

#include "common/err.h"

#define WINDOW 15
#define GZIP_WINDOW (WINDOW + 16) /* zlib's way to be told that the header is that of gzip */
#define BARE_WINDOW (-WINDOW)     /* and that there is none */
#define MEMORY_LEVEL 8
#define FLUSH_BYTES 16 /* what Z_SYNC_FLUSH adds at most, which deflateBound() does not count */

/* The fastest level: names and keys repeat so much that others gain little. */
static int pack(struct buf *out, const char *data, size_t size, int window, int flush)
{
	z_stream z = {0};

	if (size > UINT32_MAX)
		return ERR_LIMIT;
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, window, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -ENOMEM;
	uLong room = deflateBound(&z, size) + FLUSH_BYTES;
	char *at = buf_reserve(out, room);
	if (at != NULL) {
		z.next_in = (Bytef *)(uintptr_t)data;
		z.avail_in = (uInt)size;
		z.next_out = (Bytef *)at;
		z.avail_out = (uInt)room;
		/* There is room for all: one call takes it, and leaves some. */
		int done = deflate(&z, flush);
		if (z.avail_in == 0 && z.avail_out > 0 && done >= Z_OK)
			out->size += z.total_out;
		else
			out->err = -ENOMEM;
	}
	deflateEnd(&z);
	return out->err;
}

int gzip(const char *data, size_t size, struct buf *out)
{
	return pack(out, data, size, GZIP_WINDOW, Z_FINISH);
}

/* Deflate data of its own that ends with a whole byte and is not marked as the last: it may stand
 * anywhere in a stream, for it refers to nothing before it. */
int gzip_part(const char *data, size_t size, struct buf *out, struct gzip_sum *ret_sum)
{
	int err = pack(out, data, size, BARE_WINDOW, Z_SYNC_FLUSH);

	if (err == ERR_OK)
		*ret_sum = (struct gzip_sum){
			.crc = (uint32_t)crc32_z(0, (const Bytef *)data, size),
			.size = (uint32_t)size,
		};
	return err;
}

void gzip_begin(struct buf *out)
{
	/* magic, deflate, no flags, no time, no hint, no system */
	static const uint8_t HEADER[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

	buf_put(out, HEADER, sizeof(HEADER));
}

void gzip_join(struct gzip_sum *whole, const struct gzip_sum *part)
{
	whole->crc = (uint32_t)crc32_combine(whole->crc, part->crc, part->size);
	whole->size += part->size;
}

void gzip_end(struct buf *out, const struct gzip_sum *whole)
{
	static const uint8_t LAST[] = {3, 0}; /* an empty block that is the last */
	const uint32_t sums[] = {htole32(whole->crc), htole32(whole->size)};

	buf_put(out, LAST, sizeof(LAST));
	buf_put(out, sums, sizeof(sums));
}
