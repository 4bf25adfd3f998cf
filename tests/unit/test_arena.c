/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdalign.h>

#include "common/arena.h"

static void what_it_gives_is_aligned_and_apart(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, 256);
	char *first = arena_alloc(&a, 1);
	char *second = arena_alloc(&a, 17);
	char *third = arena_alloc(&a, 1);
	assert_non_null(third);
	assert_int_equal((uintptr_t)first % alignof(max_align_t), 0);
	assert_int_equal((uintptr_t)second % alignof(max_align_t), 0);
	assert_int_equal((uintptr_t)third % alignof(max_align_t), 0);
	assert_true(second >= first + 1 && third >= second + 17);
	arena_free(&a);
}

static void the_block_is_the_limit(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, 100);
	assert_null(arena_alloc(&a, 101));
	assert_null(arena_alloc(&a, SIZE_MAX));
	char *all = arena_alloc(&a, 100);
	assert_non_null(all);
	memset(all, 1, 100);
	assert_null(arena_alloc(&a, 1));
	arena_free(&a);
}

static void the_last_piece_need_not_fill_its_step(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, 20);
	assert_non_null(arena_alloc(&a, 16));
	assert_non_null(arena_alloc(&a, 4));
	assert_null(arena_alloc(&a, 1));
	arena_free(&a);
}

static void reset_gives_the_whole_block_again(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a, 64);
	void *first = arena_alloc(&a, 64);
	arena_reset(&a);
	assert_ptr_equal(arena_alloc(&a, 64), first);
	arena_free(&a);
	assert_null(a.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_gives_is_aligned_and_apart),
		cmocka_unit_test(the_block_is_the_limit),
		cmocka_unit_test(the_last_piece_need_not_fill_its_step),
		cmocka_unit_test(reset_gives_the_whole_block_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
