/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/picture.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/bytes.h"
#include "common/err.h"

enum { PAPER, GRID, AREA, LINE, COLOURS };

static const uint8_t PALETTE[COLOURS * 3] = {
	0xff, 0xff, 0xff, /* PAPER */
	0xe2, 0xe6, 0xea, /* GRID */
	0xf6, 0xc9, 0xc4, /* AREA */
	0xc0, 0x39, 0x2b, /* LINE */
};

#define ROW (1 + PICTURE_WIDTH) /* a filter's number, and the pixels */
#define TOP 4                   /* free above the highest */

struct canvas {
	uint8_t rows[PICTURE_HEIGHT][ROW];
	int before; /* height of the column to the left; -1: none */
};

/* --- PNG --- */

static void put_chunk(struct buf *out, const char *type, const void *data, size_t size)
{
	uint8_t number[4];
	uLong crc = crc32(0, (const Bytef *)type, 4);

	put_be32(number, (uint32_t)size);
	buf_put(out, number, 4);
	buf_put(out, type, 4);
	if (size != 0) {
		buf_put(out, data, size);
		crc = crc32(crc, data, (uInt)size);
	}
	put_be32(number, (uint32_t)crc);
	buf_put(out, number, 4);
}

static void put_png(struct buf *out, const struct canvas *c)
{
	uint8_t head[13] = {[8] = 8 /* bits */, [9] = 3 /* palette */};
	uLongf size = compressBound(sizeof(c->rows));
	uint8_t *packed = malloc(size);

	if (packed == NULL || compress2(packed, &size, c->rows[0], sizeof(c->rows), 9) != Z_OK) {
		free(packed);
		out->err = -ENOMEM;
		return;
	}
	put_be32(head, PICTURE_WIDTH);
	put_be32(head + 4, PICTURE_HEIGHT);
	buf_put(out, "\x89PNG\r\n\x1a\n", 8);
	put_chunk(out, "IHDR", head, sizeof(head));
	put_chunk(out, "PLTE", PALETTE, sizeof(PALETTE));
	put_chunk(out, "IDAT", packed, size);
	put_chunk(out, "IEND", NULL, 0);
	free(packed);
}

/* --- drawing --- */

static void set(struct canvas *c, int x, int y, uint8_t colour)
{
	c->rows[PICTURE_HEIGHT - 1 - y][1 + x] = colour;
}

static void draw_grid(struct canvas *c)
{
	for (int q = 1; q < 4; q++) {
		for (int x = 0; x < PICTURE_WIDTH; x++)
			set(c, x, q * (PICTURE_HEIGHT - TOP) / 4, GRID);
	}
	for (int q = 1; q < 6; q++) {
		for (int y = 0; y < PICTURE_HEIGHT; y++)
			set(c, q * PICTURE_WIDTH / 6, y, GRID);
	}
}

/* A column of that height, joined to the one to its left. */
static void draw_column(struct canvas *c, int x, int height)
{
	int low = c->before < 0 ? height : MIN(height, c->before);
	int high = c->before < 0 ? height : MAX(height, c->before);

	for (int y = 0; y < height; y++)
		set(c, x, y, AREA);
	for (int y = low; y <= high; y++)
		set(c, x, y, LINE);
	c->before = height;
}

/* The lag at that time, by the last point before it that is not older than a sixth of the picture;
 * -1: not known. *at is where to look from. */
static int64_t lag_at(const struct picture_point *points, size_t count, int64_t at_ms,
		      int64_t oldest_ms, size_t *at)
{
	while (*at + 1 < count && points[*at + 1].at_ms <= at_ms)
		(*at)++;
	if (points[*at].at_ms > at_ms || points[*at].at_ms < oldest_ms)
		return -1;
	return points[*at].lag;
}

void picture_put(struct buf *out, const struct picture_point *points, size_t count, int64_t from_ms,
		 int64_t to_ms)
{
	struct canvas *c = calloc(1, sizeof(*c));
	const int64_t span_ms = to_ms - from_ms;
	int64_t most = -1;
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		most = MAX(most, points[i].lag);
	if (c == NULL || most < 0 || span_ms <= 0) {
		free(c);
		return;
	}
	c->before = -1;
	draw_grid(c);
	for (int x = 0; x < PICTURE_WIDTH; x++) {
		int64_t at_ms = from_ms + span_ms * (x + 1) / PICTURE_WIDTH;
		int64_t lag = lag_at(points, count, at_ms, at_ms - span_ms / 6, &at);
		double part = most == 0 ? 0 : (double)lag / (double)most;

		if (lag < 0)
			c->before = -1;
		else
			draw_column(c, x, (int)(part * (PICTURE_HEIGHT - 1 - TOP)));
	}
	put_png(out, c);
	free(c);
}
