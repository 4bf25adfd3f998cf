/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/err.h"
#include "proto/frame.h"

#define BODY_MAX 100000

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 2 * BODY_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static int get(const struct buf *b, size_t limit, struct frame *ret_f)
{
	arena_reset(&arena);
	return frame_get((const uint8_t *)b->data, b->size, limit, &arena, ret_f);
}

static void fill(uint8_t *body, size_t size, bool random)
{
	for (size_t i = 0; i < size; i++)
		body[i] = (uint8_t)(random ? rand() : (int)(i / 100));
}

static void a_body_comes_back_whatever_its_size(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 2, 15, 16, 100, 4096, BODY_MAX};
	CLEANUP(buf_free) struct buf b = {0};
	uint8_t *body = malloc(BODY_MAX);

	for (size_t i = 0; i < ARRAY_LEN(sizes) * 4; i++) {
		size_t size = sizes[i / 4];
		struct frame f;

		fill(body, size, i & 1);
		buf_reset(&b);
		frame_put(&b, FRAME_BATCH, body, size, i & 2);
		assert_int_equal(b.err, ERR_OK);
		assert_true(b.size <= FRAME_HEADER + size);
		assert_int_equal(get(&b, size, &f), ERR_OK);
		assert_int_equal(f.type, FRAME_BATCH);
		assert_int_equal(f.size, size);
		assert_memory_equal(f.body, body, size);
	}
	free(body);
}

static void compression_is_used_where_it_helps(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	uint8_t body[4096];

	fill(body, sizeof(body), false);
	frame_put(&b, FRAME_ACK, body, sizeof(body), true);
	assert_true(b.size < 1000);
	assert_int_equal(b.data[5], 1);
	buf_reset(&b);
	fill(body, sizeof(body), true);
	frame_put(&b, FRAME_ACK, body, sizeof(body), true);
	assert_int_equal(b.size, FRAME_HEADER + sizeof(body));
	assert_int_equal(b.data[5], 0);
}

static void frames_append(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};

	buf_puts(&b, "before");
	frame_put(&b, FRAME_HELLO, "x", 1, true);
	assert_int_equal(b.size, 6 + FRAME_HEADER + 1);
	assert_memory_equal(b.data, "beforeWRN\1\1\0\0\0\0\0\0\1", 18);
}

static void the_size_in_the_header_is_bounded(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	uint8_t body[5000] = {0};
	struct frame f = {.size = 77};

	frame_put(&b, FRAME_BATCH, body, sizeof(body), true);
	assert_int_equal(get(&b, sizeof(body) - 1, &f), ERR_LIMIT);
	/* A lie about the size, either way, is found without more room being given. */
	put_be32((uint8_t *)b.data + 8, sizeof(body) - 1);
	assert_int_equal(get(&b, sizeof(body), &f), ERR_MALFORMED);
	put_be32((uint8_t *)b.data + 8, sizeof(body) + 1);
	assert_int_equal(get(&b, sizeof(body) + 1, &f), ERR_MALFORMED);
	put_be32((uint8_t *)b.data + 8, UINT32_MAX);
	assert_int_equal(get(&b, UINT32_MAX, &f), ERR_LIMIT);
	assert_int_equal(f.size, 77);
}

static void every_damaged_byte_is_noticed(void **state)
{
	(void)state;
	uint8_t body[300];

	fill(body, sizeof(body), false);
	for (int compress = 0; compress <= 1; compress++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct frame f;

		frame_put(&b, FRAME_BATCH, body, sizeof(body), compress);
		for (size_t i = 0; i < b.size; i++) {
			if (i == 4)
				continue; /* the type is the caller's to look at */
			b.data[i] ^= 0x10;
			assert_int_not_equal(get(&b, BODY_MAX, &f), ERR_OK);
			b.data[i] ^= 0x10;
		}
		for (size_t cut = 1; cut <= b.size; cut++) {
			b.size -= cut;
			assert_int_equal(get(&b, BODY_MAX, &f), ERR_MALFORMED);
			b.size += cut;
		}
		buf_putc(&b, 0);
		assert_int_equal(get(&b, BODY_MAX, &f), ERR_MALFORMED);
	}
}

static void what_is_newer_is_told_from_what_is_broken(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		char value;
		int want;
	} cases[] = {
		{0, 'X', ERR_MALFORMED}, {3, 2, ERR_VERSION},   {3, 0, ERR_VERSION},
		{4, 0, ERR_VERSION},     {4, 5, ERR_VERSION},   {5, 4, ERR_VERSION},
		{6, 1, ERR_MALFORMED},   {7, 1, ERR_MALFORMED}, {15, 1, ERR_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct frame f;

		frame_put(&b, FRAME_ACK, "hello", 5, false);
		b.data[cases[i].at] = cases[i].value;
		assert_int_equal(get(&b, BODY_MAX, &f), cases[i].want);
	}
}

static const struct frame_context CONTEXT = {1, 2, 3, 4};

static void a_code_proves_who_made_the_frame_and_for_what(void **state)
{
	(void)state;
	uint8_t body[300];
	struct mac_key key, other;

	mac_random(&key);
	mac_random(&other);
	fill(body, sizeof(body), false);
	for (int compress = 0; compress <= 1; compress++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct frame f;

		frame_put(&b, FRAME_BATCH, body, sizeof(body), compress);
		assert_int_equal(get(&b, BODY_MAX, &f), ERR_OK);
		assert_false(frame_proves(&f, &key, &CONTEXT)); /* it has none */
		frame_seal(&b, &key, &CONTEXT);
		assert_int_equal(get(&b, BODY_MAX, &f), ERR_OK);
		assert_memory_equal(f.body, body, sizeof(body));
		assert_true(frame_proves(&f, &key, &CONTEXT));
		assert_false(frame_proves(&f, &other, &CONTEXT));
		for (int i = 0; i < 4; i++) {
			struct frame_context c = CONTEXT;

			((uint64_t *)&c)[i]++;
			assert_false(frame_proves(&f, &key, &c));
		}
		f.type = FRAME_HELLO;
		assert_false(frame_proves(&f, &key, &CONTEXT));
	}
}

static void no_byte_under_a_code_can_be_changed(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	uint8_t body[40];
	struct mac_key key;
	struct frame f;

	mac_random(&key);
	fill(body, sizeof(body), true);
	frame_put(&b, FRAME_BATCH, body, sizeof(body), false);
	frame_seal(&b, &key, &CONTEXT);
	for (size_t i = 0; i < b.size; i++) {
		b.data[i] ^= 1;
		assert_true(get(&b, BODY_MAX, &f) != ERR_OK || !frame_proves(&f, &key, &CONTEXT));
		b.data[i] ^= 1;
	}
	for (; b.size > 0; b.size--)
		assert_true(get(&b, BODY_MAX, &f) ==
			    (b.size == FRAME_HEADER + 40 + FRAME_CODE ? ERR_OK : ERR_MALFORMED));
}

static void a_body_that_does_not_fit_the_arena_is_over_the_limit(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	uint8_t *body = calloc(1, 3 * BODY_MAX);
	struct frame f;

	frame_put(&b, FRAME_BATCH, body, 3 * BODY_MAX, true);
	assert_int_equal(get(&b, 3 * BODY_MAX, &f), ERR_LIMIT);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_comes_back_whatever_its_size),
		cmocka_unit_test(compression_is_used_where_it_helps),
		cmocka_unit_test(frames_append),
		cmocka_unit_test(the_size_in_the_header_is_bounded),
		cmocka_unit_test(every_damaged_byte_is_noticed),
		cmocka_unit_test(what_is_newer_is_told_from_what_is_broken),
		cmocka_unit_test(a_code_proves_who_made_the_frame_and_for_what),
		cmocka_unit_test(no_byte_under_a_code_can_be_changed),
		cmocka_unit_test(a_body_that_does_not_fit_the_arena_is_over_the_limit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
