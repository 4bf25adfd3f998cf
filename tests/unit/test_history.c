/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1700000000000)
#define S INT64_C(1000)
#define H (3600 * S)
#define D (24 * H)

static void all_levels_together_are_small(void **state)
{
	size_t size = 0;

	(void)state;
	for (unsigned i = 0; i < HISTORY_LEVELS; i++)
		size += history_size(i);
	assert_true(size < 1536);
}

static void an_empty_history_knows_nothing(void **state)
{
	struct history h = {0};
	int64_t at_ms = 1;

	(void)state;
	assert_false(history_passed(&h, 5, &at_ms));
	assert_int_equal(at_ms, 0);
}

/* A steady log of so many messages a pass, for 40 days. */
static void fill(struct history *h, int64_t step_ms, int64_t messages)
{
	for (int64_t t = 0; t <= 40 * D; t += step_ms)
		history_add(h, T0 + t, t / step_ms * messages);
}

static void ages_are_right_within_a_bin_over_30_days(void **state)
{
	static const struct {
		int64_t age_ms, off_ms;
	} CASES[] = {
		{60 * S, 20 * S},
		{14 * INT64_C(60) * S, 60 * S},
		{1 * H, 150 * S},
		{5 * H, 150 * S},
		{20 * H, 21 * INT64_C(60) * S},
		{2 * D, 21 * INT64_C(60) * S},
		{10 * D, 5 * H},
		{29 * D, 5 * H},
	};
	static const int64_t MESSAGES[] = {3, 250, 100000};

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(MESSAGES); m++) {
		struct history h = {0};

		fill(&h, 10 * S, MESSAGES[m]);
		for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
			int64_t passed_ms = T0 + 40 * D - CASES[i].age_ms;
			int64_t offset = (40 * D - CASES[i].age_ms) / (10 * S) * MESSAGES[m];
			int64_t at_ms = 0;

			assert_true(history_passed(&h, offset, &at_ms));
			assert_true(labs(at_ms - passed_ms) <= CASES[i].off_ms);
		}
	}
}

static void beyond_30_days_it_says_at_least(void **state)
{
	struct history h = {0};
	int64_t at_ms = 0;

	(void)state;
	fill(&h, 60 * S, 100);
	assert_false(history_passed(&h, 5, &at_ms));
	assert_true(at_ms <= T0 + 11 * D && at_ms >= T0 + 9 * D);
}

static void it_never_makes_an_offset_older_than_it_is(void **state)
{
	unsigned seed = 31337;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 20; round++) {
		struct history h = {0};
		int64_t at[2000];
		int64_t end[2000];
		int64_t t = T0;
		int64_t e = rand_r(&seed) % 100000;

		for (int i = 0; i < 2000; i++) {
			t += 10 * S * (1 + rand_r(&seed) % (rand_r(&seed) % 50 == 0 ? 500 : 2));
			e += 1 + rand_r(&seed) % (rand_r(&seed) % 20 == 0 ? 100000 : 50);
			at[i] = t;
			end[i] = e;
			history_add(&h, t, e);
		}
		for (int i = 1; i < 2000; i += 7) {
			int64_t at_ms = 0;

			if (history_passed(&h, end[i] - 1, &at_ms))
				assert_true(at_ms >= at[i - 1]);
		}
	}
}

static void the_first_sample_is_not_given_an_age_it_has_not(void **state)
{
	struct history h = {0};
	int64_t at_ms = 0;

	(void)state;
	history_add(&h, T0, 1000);
	history_add(&h, T0 + 60 * S, 1100);
	assert_false(history_passed(&h, 500, &at_ms));
	assert_true(at_ms >= T0);
}

static void only_the_levels_whose_bin_ended_change(void **state)
{
	struct history h = {0};

	(void)state;
	assert_int_equal(history_add(&h, T0, 1), 15);
	assert_int_equal(history_add(&h, T0 + 1, 2), 0);
	assert_int_equal(history_add(&h, T0 + 10 * S, 3), 1);
	assert_int_equal(history_add(&h, T0 + 60 * S, 4), 3);
	assert_int_equal(history_add(&h, T0, 5), 0);
}

static void a_recreated_topic_resets_it(void **state)
{
	struct history h = {0};
	int64_t at_ms = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		history_add(&h, T0 + i * INT64_C(10) * S, 1000 + i);
	assert_int_equal(history_add(&h, T0 + 10000 * S, 20), 15);
	history_add(&h, T0 + 10010 * S, 40);
	history_add(&h, T0 + 10020 * S, 60);
	assert_true(history_passed(&h, 30, &at_ms));
	assert_in_range(at_ms, T0 + 10000 * S, T0 + 10020 * S);
}

static void the_ends_are_told_bin_by_bin(void **state)
{
	(void)state;
	const int64_t width_ms = 60000;
	struct history h = {0};
	struct history_walk w;
	int64_t end = -1;

	history_walk_begin(&w, &h.levels[1], 1);
	assert_false(history_walk_to(&w, 1000 * width_ms, &end));
	for (int m = 100; m < 130; m += m == 110 ? 5 : 1) /* four minutes were not seen */
		(void)history_add(&h, m * width_ms + 7, 1000 + 2 * m);
	history_walk_begin(&w, &h.levels[1], 1);
	assert_false(history_walk_to(&w, 100 * width_ms - 1, &end));
	for (int m = 100; m < 130; m++) {
		int seen = m > 110 && m < 115 ? 110 : m;

		assert_true(history_walk_to(&w, m * width_ms + 30000, &end));
		assert_int_equal(end, 1000 + 2 * seen);
	}
	assert_true(history_walk_to(&w, 999 * width_ms, &end));
	assert_int_equal(end, 1000 + 2 * 129);
}

static void the_time_an_offset_came_is_between_two_looks(void **state)
{
	(void)state;
	struct history h = {0};
	int64_t at_ms = 0;

	assert_false(history_came(&h, 600, &at_ms));
	assert_int_equal(at_ms, 0);
	for (int s = 0; s <= 7200; s += 10)
		(void)history_add(&h, 36000000 + s * 1000, 5000 + s);
	for (int s = 0; s < 7200; s += 7) {
		assert_true(history_came(&h, 5000 + s, &at_ms));
		/* Growth is kept to an eighth; where it is kept by the minute that is eight
		 * seconds. */
		assert_true(llabs(at_ms - 36000000 - s * 1000) <= 10000);
	}
	assert_false(history_came(&h, 4000, &at_ms));
	assert_int_equal(at_ms, 36000000);
}

static void any_bytes_are_read_without_harm(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct history h;
		unsigned char *p = (unsigned char *)&h;
		int64_t at_ms = 0;

		for (size_t i = 0; i < sizeof(h); i++)
			p[i] = (unsigned char)rand_r(&seed);
		for (unsigned i = 0; i < HISTORY_LEVELS; i++) {
			h.levels[i].bin = rand_r(&seed);
			h.levels[i].value = rand_r(&seed);
			h.levels[i].version = 1;
			h.levels[i].count %= 500;
			h.levels[i].head %= 500;
		}
		history_passed(&h, rand_r(&seed), &at_ms);
		for (unsigned i = 0; i < HISTORY_LEVELS; i++) {
			struct history_walk w;

			history_walk_begin(&w, &h.levels[i], i);
			(void)history_walk_to(&w, rand_r(&seed) * INT64_C(1000), &at_ms);
			(void)history_walk_to(&w, INT64_MAX, &at_ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_levels_together_are_small),
		cmocka_unit_test(an_empty_history_knows_nothing),
		cmocka_unit_test(ages_are_right_within_a_bin_over_30_days),
		cmocka_unit_test(beyond_30_days_it_says_at_least),
		cmocka_unit_test(it_never_makes_an_offset_older_than_it_is),
		cmocka_unit_test(the_first_sample_is_not_given_an_age_it_has_not),
		cmocka_unit_test(only_the_levels_whose_bin_ended_change),
		cmocka_unit_test(a_recreated_topic_resets_it),
		cmocka_unit_test(the_ends_are_told_bin_by_bin),
		cmocka_unit_test(the_time_an_offset_came_is_between_two_looks),
		cmocka_unit_test(any_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
