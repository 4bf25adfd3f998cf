/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/bytes.h"

#define HOUR_MS INT64_C(3600000)
#define ROW ((size_t)1 + PICTURE_WIDTH)
#define LINE 3

struct pixels {
	uint8_t rows[PICTURE_HEIGHT][ROW];
};

/* The chunk at *at, its checksum right; goes on to the next. */
static const uint8_t *chunk(const struct buf *png, size_t *at, const char *type, size_t *ret_size)
{
	const uint8_t *p = (const uint8_t *)png->data + *at;
	size_t size = get_be32(p);

	assert_in_range(*at + 12 + size, 0, png->size);
	assert_memory_equal(p + 4, type, 4);
	assert_int_equal(get_be32(p + 8 + size), crc32(0, p + 4, (uInt)size + 4));
	*at += 12 + size;
	*ret_size = size;
	return p + 8;
}

/* Read as any program would that knows PNG. */
static void read_png(const struct buf *png, struct pixels *ret_p)
{
	static const uint8_t HEAD[] = {
		0, 0, PICTURE_WIDTH >> 8, PICTURE_WIDTH & 255, 0, 0, 0, PICTURE_HEIGHT, 8, 3, 0,
		0, 0};
	size_t at = 8, size = 0;
	uLongf length = sizeof(ret_p->rows);

	assert_memory_equal(png->data, "\x89PNG\r\n\x1a\n", 8);
	assert_memory_equal(chunk(png, &at, "IHDR", &size), HEAD, sizeof(HEAD));
	assert_int_equal(size, sizeof(HEAD));
	(void)chunk(png, &at, "PLTE", &size);
	assert_int_equal(size, 12);
	const uint8_t *packed = chunk(png, &at, "IDAT", &size);
	assert_int_equal(uncompress(ret_p->rows[0], &length, packed, size), Z_OK);
	assert_int_equal(length, sizeof(ret_p->rows));
	(void)chunk(png, &at, "IEND", &size);
	assert_int_equal(size, 0);
	assert_int_equal(at, png->size);
	for (size_t y = 0; y < PICTURE_HEIGHT; y++) {
		assert_int_equal(ret_p->rows[y][0], 0); /* no filter */
		for (size_t x = 1; x < ROW; x++)
			assert_in_range(ret_p->rows[y][x], 0, 3);
	}
}

/* The highest pixel of the line in a column, counted from below; -1: there is none. */
static int height(const struct pixels *p, size_t x)
{
	for (size_t y = 0; y < PICTURE_HEIGHT; y++) {
		if (p->rows[y][1 + x] == LINE)
			return (int)(PICTURE_HEIGHT - 1 - y);
	}
	return -1;
}

static void draw(const struct picture_point *points, size_t count, struct pixels *ret_p)
{
	CLEANUP(buf_free) struct buf png = {0};

	picture_put(&png, points, count, 0, HOUR_MS);
	assert_int_equal(png.err, 0);
	read_png(&png, ret_p);
}

static void the_line_follows_the_lag(void **state)
{
	struct picture_point points[61];
	struct pixels p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		points[i] = (struct picture_point){(int64_t)i * 60000, (int64_t)i * 10};
	draw(points, ARRAY_LEN(points), &p);
	assert_in_range(height(&p, 0), 0, 4);
	assert_in_range(height(&p, PICTURE_WIDTH / 2), 55, 61);
	assert_in_range(height(&p, PICTURE_WIDTH - 1), 113, 116);
	for (size_t x = 1; x < PICTURE_WIDTH; x++)
		assert_true(height(&p, x) >= height(&p, x - 1));
}

/* Where nothing was heard for ten minutes there is no line. */
static void what_is_not_known_is_left_out(void **state)
{
	static const struct picture_point POINTS[] = {
		{0, 100}, {HOUR_MS / 2, 100}, {HOUR_MS * 3 / 4, -1}};
	struct pixels p;

	(void)state;
	draw(POINTS, ARRAY_LEN(POINTS), &p);
	assert_true(height(&p, 60) > 100);
	assert_int_equal(height(&p, 120), -1);
	assert_true(height(&p, 250) > 100);
	assert_int_equal(height(&p, 470), -1);
}

static void without_a_lag_there_is_no_picture(void **state)
{
	static const struct picture_point UNKNOWN[] = {{0, -1}, {HOUR_MS / 2, -1}};
	static const struct picture_point ZERO[] = {{HOUR_MS - 60000, 0}};
	CLEANUP(buf_free) struct buf png = {0};
	struct pixels p;

	(void)state;
	picture_put(&png, NULL, 0, 0, HOUR_MS);
	picture_put(&png, UNKNOWN, ARRAY_LEN(UNKNOWN), 0, HOUR_MS);
	picture_put(&png, ZERO, 1, HOUR_MS, HOUR_MS);
	assert_int_equal(png.size, 0);
	draw(ZERO, 1, &p);
	assert_int_equal(height(&p, PICTURE_WIDTH - 1), 0);
}

/* Points before the time that is shown, at its very ends, and more than there are columns. */
static void any_points_are_drawn_within_the_frame(void **state)
{
	struct picture_point points[2000];
	struct pixels p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		points[i] = (struct picture_point){(int64_t)i * 4000 - HOUR_MS,
						   i % 2 == 0 ? INT64_MAX : 0};
	draw(points, ARRAY_LEN(points), &p);
	assert_true(height(&p, PICTURE_WIDTH / 2) > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_follows_the_lag),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(without_a_lag_there_is_no_picture),
		cmocka_unit_test(any_points_are_drawn_within_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
