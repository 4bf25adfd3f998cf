/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0 INT64_C(1700000000000)
#define S INT64_C(1000)
#define HOUR_MS (3600 * S)

/* So many intervals of a length, ten seconds apart; returns the time of the last. */
static int64_t learn(struct track_pace *p, int64_t at_ms, int times, int64_t ms)
{
	for (int i = 0; i < times; i++)
		pace_add(p, ms, at_ms += 10 * S, false);
	return at_ms;
}

static void the_fifth_interval_makes_it_known(void **state)
{
	struct track_pace p = {0};

	(void)state;
	assert_int_equal(pace_usual_ms(&p), 0);
	int64_t at_ms = learn(&p, T0, 4, 3000);
	assert_false(pace_known(&p));
	assert_int_equal(pace_usual_ms(&p), 3000);
	pace_add(&p, 2000, at_ms + 10 * S, false);
	assert_true(pace_known(&p));
	assert_int_equal(pace_count(&p), 5);
	assert_int_equal(pace_usual_ms(&p), 3000);
}

static void quick_ones_in_a_row_are_one(void **state)
{
	struct track_pace p = {0};

	(void)state;
	for (int i = 0; i < 8; i++)
		pace_add(&p, 100 + i, T0 + i * S, false);
	assert_int_equal(pace_count(&p), 1);
	assert_int_equal(pace_usual_ms(&p), 107); /* but a long one among them is seen */
	pace_add(&p, 100, T0 + 8 * S, false);
	assert_int_equal(pace_count(&p), 2);
	pace_add(&p, 100, T0 + 15 * S, false);
	assert_int_equal(pace_count(&p), 2);
	/* Once it is known every one counts. */
	int64_t at_ms = learn(&p, T0 + 8 * S, 3, 100);
	pace_add(&p, 100, at_ms + S, false);
	assert_int_equal(pace_count(&p), 6);
}

static void one_in_twenty_may_be_longer(void **state)
{
	static const struct {
		int count;
		int64_t usual_ms;
	} CASES[] = {{20, 90000}, {21, 80000}, {40, 80000}, {41, 70000}, {100, 70000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct track_pace p = {0};
		int64_t at_ms = learn(&p, T0, CASES[i].count - 4, 3000);

		pace_add(&p, 80000, at_ms += 10 * S, false);
		pace_add(&p, 90000, at_ms += 10 * S, false);
		pace_add(&p, 60000, at_ms += 10 * S, false);
		pace_add(&p, 70000, at_ms += 10 * S, false);
		assert_int_equal(pace_usual_ms(&p), CASES[i].usual_ms);
	}
}

static void what_made_an_alarm_is_a_mishap_once(void **state)
{
	struct track_pace p = {0};
	int64_t at_ms = learn(&p, T0, 3, 3000);

	(void)state;
	pace_add(&p, 200000, at_ms += 10 * S, true);
	assert_int_equal(pace_usual_ms(&p), 200000); /* as long as nothing better is known */
	at_ms = learn(&p, at_ms, 2, 4000);
	assert_int_equal(pace_usual_ms(&p), 4000);
	pace_add(&p, 190000, at_ms += 10 * S, true);
	assert_int_equal(pace_usual_ms(&p), 190000);
	/* Among many it is one of the twentieth anyhow. */
	p = (struct track_pace){0};
	at_ms = learn(&p, T0, 19, 3000);
	pace_add(&p, 100000, at_ms += 10 * S, false);
	pace_add(&p, 200000, at_ms += 10 * S, true);
	assert_int_equal(pace_count(&p), 21);
	assert_int_equal(pace_usual_ms(&p), 100000);
	/* One that made none counts at once. */
	p = (struct track_pace){0};
	at_ms = learn(&p, T0, 5, 3000);
	pace_add(&p, 50000, at_ms + 10 * S, false);
	assert_int_equal(pace_usual_ms(&p), 50000);
}

static void it_is_forgotten_after_one_to_two_hours(void **state)
{
	struct track_pace p = {0};

	(void)state;
	int64_t at_ms = learn(&p, T0, 6, 50000);
	int64_t begin_ms = T0 + 50 * S; /* the fifth made it known */
	at_ms = begin_ms + HOUR_MS;
	pace_add(&p, 1000, at_ms, false);
	assert_int_equal(p.earlier_count, 0);
	pace_add(&p, 1000, at_ms += S, false);
	assert_int_equal(p.earlier_count, 7);
	assert_int_equal(p.count, 1);
	assert_int_equal(pace_count(&p), 8);
	assert_int_equal(pace_usual_ms(&p), 50000);
	pace_add(&p, 1000, at_ms += HOUR_MS, false);
	assert_int_equal(pace_usual_ms(&p), 50000);
	for (int i = 0; i < 5; i++)
		pace_add(&p, 1000, at_ms += S, false);
	assert_int_equal(pace_usual_ms(&p), 1000);
}

static void long_ones_are_remembered_for_longer(void **state)
{
	struct track_pace p = {0};
	int64_t at_ms = T0;

	(void)state;
	for (int i = 0; i < 5; i++)
		pace_add(&p, i == 2 ? 1200 * S : 900 * S, at_ms += 1200 * S, false);
	pace_add(&p, S, at_ms + 12000 * S, false);
	assert_int_equal(p.earlier_count, 0);
	pace_add(&p, S, at_ms + 12001 * S, false);
	assert_int_equal(p.earlier_count, 6);
}

static void lengths_are_kept_in_bounds(void **state)
{
	struct track_pace p = {0};

	(void)state;
	pace_add(&p, -5, T0, false);
	assert_int_equal(pace_usual_ms(&p), 0);
	pace_add(&p, INT64_C(1) << 40, T0 + 10 * S, false);
	assert_int_equal(pace_usual_ms(&p), INT32_MAX);
	assert_int_equal(p.longest_ms[0], INT32_MAX);
	p = (struct track_pace){0};
	int64_t at_ms = learn(&p, T0, 5, 10);
	for (int i = 0; i < 1100; i++)
		pace_add(&p, 10, at_ms + i, false);
	assert_int_equal(p.count, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fifth_interval_makes_it_known),
		cmocka_unit_test(quick_ones_in_a_row_are_one),
		cmocka_unit_test(one_in_twenty_may_be_longer),
		cmocka_unit_test(what_made_an_alarm_is_a_mishap_once),
		cmocka_unit_test(it_is_forgotten_after_one_to_two_hours),
		cmocka_unit_test(long_ones_are_remembered_for_longer),
		cmocka_unit_test(lengths_are_kept_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
