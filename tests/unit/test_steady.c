/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/steady.h"

#define WALL INT64_C(1700000000000)
#define HOUR INT64_C(3600000)

static void it_is_the_wall_clock_when_nobody_sets_it(void **state)
{
	struct steady s = {0};

	(void)state;
	for (int64_t t = 1000; t < 100000; t += 7)
		assert_int_equal(steady_next(&s, WALL + t, t), WALL + t);
}

/* Every 10 s for so long after the wall clock was set by this much: no interval may look more than
 * a tenth longer or shorter than it was. */
static int64_t run(int64_t set_ms, int64_t for_ms)
{
	struct steady s = {0};
	int64_t before = steady_next(&s, WALL, 5);

	for (int64_t t = 10000; t <= for_ms; t += 10000) {
		int64_t now = steady_next(&s, WALL + set_ms + t, 5 + t);

		assert_in_range(now - before, 9000, 11000);
		before = now;
	}
	return before - (WALL + set_ms + for_ms / 10000 * 10000);
}

static void a_clock_that_is_set_is_followed_slowly(void **state)
{
	(void)state;
	assert_int_equal(run(HOUR, 10 * HOUR), 0);
	assert_int_equal(run(-HOUR, 10 * HOUR), 0);
	assert_in_range(-run(HOUR, HOUR), HOUR * 9 / 10, HOUR * 9 / 10 + 10000);
	assert_in_range(run(-HOUR, HOUR), HOUR * 9 / 10, HOUR * 9 / 10 + 10000);
}

static void it_never_goes_back(void **state)
{
	struct steady s = {0};
	int64_t before = 0;
	int64_t wall = WALL;

	(void)state;
	srand(7);
	for (int64_t t = 1; t < 2000000; t += rand() % 20) {
		if (rand() % 1000 == 0)
			wall += (rand() % 3 - 1) * (int64_t)(rand() % 1000000);
		int64_t now = steady_next(&s, wall + t, t);
		assert_true(now >= before);
		before = now;
	}
}

static void a_clock_that_was_wrong_by_days_is_followed_at_once(void **state)
{
	struct steady s = {0};

	(void)state;
	assert_int_equal(steady_next(&s, 86400000, 1), 86400000);
	assert_int_equal(steady_next(&s, WALL, 2), WALL);
	assert_true(steady_next(&s, WALL - 100 * 24 * HOUR, 3) >= WALL);
}

static void it_tells_the_time(void **state)
{
	int64_t first = steady_ms();

	(void)state;
	assert_true(first > WALL);
	assert_true(steady_ms() >= first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_wall_clock_when_nobody_sets_it),
		cmocka_unit_test(a_clock_that_is_set_is_followed_slowly),
		cmocka_unit_test(it_never_goes_back),
		cmocka_unit_test(a_clock_that_was_wrong_by_days_is_followed_at_once),
		cmocka_unit_test(it_tells_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
