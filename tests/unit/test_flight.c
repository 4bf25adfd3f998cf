/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/ship/flight.h"

static void numbers_go_out_in_order_and_not_twice(void **state)
{
	struct flight f;

	(void)state;
	flight_start(&f, 10);
	for (uint64_t seq = 11; seq < 11 + FLIGHT_SIZE; seq++) {
		assert_int_equal(flight_next(&f), seq);
		flight_send(&f, seq);
	}
	assert_int_equal(flight_next(&f), 0);
}

static void done_moves_when_nothing_is_missing(void **state)
{
	struct flight f;

	(void)state;
	flight_start(&f, 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		flight_send(&f, seq);
	flight_finish(&f, 3);
	flight_finish(&f, 2);
	assert_int_equal(f.done, 0);
	flight_finish(&f, 1);
	assert_int_equal(f.done, 3);
	assert_int_equal(flight_next(&f), 5);
}

static void what_comes_back_goes_out_again(void **state)
{
	struct flight f;

	(void)state;
	flight_start(&f, 0);
	flight_send(&f, 1);
	flight_send(&f, 2);
	flight_again(&f, 1);
	assert_int_equal(flight_next(&f), 1);
	flight_again(&f, 99999); /* not ours */
	assert_int_equal(flight_next(&f), 1);
}

static void a_raised_floor_counts_as_done(void **state)
{
	struct flight f;

	(void)state;
	flight_start(&f, 0);
	flight_send(&f, 1);
	flight_finish(&f, 6);
	flight_raise(&f, 6);
	assert_int_equal(f.done, 6);
	flight_raise(&f, 3);
	assert_int_equal(f.done, 6);
	flight_raise(&f, 1000000);
	assert_int_equal(f.done, 999999);
	assert_int_equal(flight_next(&f), 1000000);
}

/* Against the plain model: a set of numbers. */
static void it_agrees_with_a_set(void **state)
{
	enum { MOST = 200 };
	unsigned seed = 20261125;
	struct flight f;
	bool done[MOST + 1] = {false};
	bool flying[MOST + 1] = {false};

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	flight_start(&f, 0);
	for (int i = 0; i < 5000 && f.done < MOST - FLIGHT_SIZE; i++) {
		uint64_t seq = f.done + 1 + (uint64_t)rand() % 20;

		if (rand() % 2 == 0) {
			seq = flight_next(&f);
			if (seq == 0)
				continue; /* all that is kept is taken */
			assert_false(done[seq] || flying[seq]);
			flight_send(&f, seq);
			flying[seq] = true;
		} else if (flying[seq] && rand() % 3 == 0) {
			flight_again(&f, seq);
			flying[seq] = false;
		} else if (flying[seq]) {
			flight_finish(&f, seq);
			flying[seq] = false;
			done[seq] = true;
		}
		for (uint64_t n = 1; n <= f.done; n++)
			assert_true(done[n]);
		assert_false(done[f.done + 1]);
	}
	assert_true(f.done > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_go_out_in_order_and_not_twice),
		cmocka_unit_test(done_moves_when_nothing_is_missing),
		cmocka_unit_test(what_comes_back_goes_out_again),
		cmocka_unit_test(a_raised_floor_counts_as_done),
		cmocka_unit_test(it_agrees_with_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
