/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/collect/names.h"

#define KINDS 3000

static void random_names_are_found_under_their_numbers(void **state)
{
	struct names n = {0};
	static uint32_t ids[KINDS];
	unsigned int seed = 7;
	(void)state;

	memset(ids, 0xff, sizeof(ids));
	for (int step = 0; step < 30000; step++) {
		char name[32];
		int k = rand_r(&seed) % KINDS;
		int size = snprintf(name, sizeof(name), "group-%d", k);
		uint32_t id = names_find(&n, name, (size_t)size);
		assert_int_equal(id, ids[k]);
		if (id == NAMES_NONE) {
			ids[k] = names_add(&n, name, (size_t)size);
			assert_string_equal(names_text(&n, ids[k]), name);
		} else if (rand_r(&seed) % 2 == 0) {
			names_remove(&n, id);
			ids[k] = NAMES_NONE;
		}
	}
	names_free(&n);
}

static void a_number_is_used_again_the_lowest_first(void **state)
{
	struct names n = {0};
	(void)state;

	for (int i = 0; i < 10; i++) {
		char name[2] = {(char)('a' + i), '\0'};
		assert_int_equal(names_add(&n, name, 1), i);
	}
	names_remove(&n, 7);
	names_remove(&n, 3);
	assert_null(names_text(&n, 3));
	assert_int_equal(names_add(&n, "x", 1), 3);
	assert_int_equal(names_add(&n, "y", 1), 7);
	assert_int_equal(names_add(&n, "z", 1), 10);
	assert_int_equal(n.used, 11);
	names_free(&n);
}

static void a_prefix_is_another_name(void **state)
{
	struct names n = {0};
	(void)state;

	names_add(&n, "orders", 6);
	assert_int_equal(names_find(&n, "orders-eu", 6), 0);
	assert_int_equal(names_find(&n, "order", 5), NAMES_NONE);
	assert_int_equal(names_find(&n, "orders-eu", 9), NAMES_NONE);
	names_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_names_are_found_under_their_numbers),
		cmocka_unit_test(a_number_is_used_again_the_lowest_first),
		cmocka_unit_test(a_prefix_is_another_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
