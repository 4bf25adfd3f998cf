/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/histogram.h"

static void a_time_is_counted_in_the_first_bucket_that_has_room(void **state)
{
	static const int64_t TIMES_US[] = {-1, 0, 250, 251, 10000000, 10000001};
	struct histogram h = {0};
	struct histogram_counts both[2] = {{{0}, 0}, {{0}, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(TIMES_US); i++) {
		histogram_add(&h, TIMES_US[i]);
		histogram_count(&both[0], TIMES_US[i]);
	}
	histogram_read(&h, &both[1]);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		assert_int_equal(both[i].below[0], 3);
		assert_int_equal(both[i].below[1], 4);
		assert_int_equal(both[i].below[HISTOGRAM_BUCKETS - 2], 5);
		assert_int_equal(both[i].below[HISTOGRAM_BUCKETS - 1], 6);
		assert_int_equal(both[i].sum_us, 20000502);
	}
}

static void bounds_rise(void **state)
{
	(void)state;
	for (size_t i = 1; i + 1 < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bound_us(i - 1) < histogram_bound_us(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_counted_in_the_first_bucket_that_has_room),
		cmocka_unit_test(bounds_rise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
