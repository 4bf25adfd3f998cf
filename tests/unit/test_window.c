/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1700000000000)
#define GAP_MS 25000

static size_t count(const struct window *w)
{
	struct window_cursor c = window_newest(w);
	size_t n = c.valid;

	while (window_older(&c))
		n++;
	return n;
}

static void an_empty_window_has_no_points(void **state)
{
	struct window w = {0};
	int64_t v = 0;

	(void)state;
	assert_false(window_newest(&w).valid);
	assert_int_equal(count(&w), 0);
	assert_false(window_value_at(&w, T0, &v));
}

static void points_come_back_newest_first(void **state)
{
	struct window w = {0};
	static const int64_t VALUES[] = {5, 1000, 900, INT64_MAX, 0, 123456789};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(VALUES); i++)
		window_add(&w, T0 + (int64_t)i * 30000, VALUES[i], GAP_MS);
	struct window_cursor c = window_newest(&w);
	for (size_t i = ARRAY_LEN(VALUES); i-- > 0; window_older(&c)) {
		assert_true(c.valid);
		assert_int_equal(c.point.value, VALUES[i]);
		assert_int_equal(c.point.at_ms, T0 + (int64_t)i * 30000);
	}
	assert_false(c.valid);
}

static void what_did_not_change_is_no_point(void **state)
{
	struct window w = {0};

	(void)state;
	window_add(&w, T0, 7, GAP_MS);
	struct window old = w;
	window_add(&w, T0 + 60000, 7, GAP_MS);
	window_add(&w, T0, 9, GAP_MS);
	window_add(&w, T0 - 1, 9, GAP_MS);
	assert_memory_equal(&old, &w, sizeof(w));
}

static void crowded_points_are_merged_and_the_newest_is_exact(void **state)
{
	struct window w = {0};

	(void)state;
	for (int i = 0; i <= 100; i++)
		window_add(&w, T0 + i * INT64_C(1000), i, GAP_MS);
	assert_in_range(count(&w), 4, 6);
	assert_int_equal(w.value, 100);
	assert_int_equal(w.at_ms, T0 + 100000);
}

static void a_long_pause_is_never_merged_away(void **state)
{
	struct window w = {0};
	int64_t v = 0;

	(void)state;
	window_add(&w, T0, 1, GAP_MS);
	window_add(&w, T0 + 10000, 2, GAP_MS);
	window_add(&w, T0 + 600000, 3, GAP_MS);
	assert_true(window_value_at(&w, T0 + 599999, &v));
	assert_int_equal(v, 2);
}

static void going_back_ends_at_the_point_that_was_in_force(void **state)
{
	struct window w = {0};

	(void)state;
	for (int i = 1; i <= 3; i++)
		window_add(&w, T0 + i * 30000, i, GAP_MS);
	assert_int_equal(window_back(&w, T0 + 999999).value, 3);
	assert_int_equal(window_back(&w, T0 + 60000).value, 2);
	assert_int_equal(window_back(&w, T0 + 59990).value, 1);
	assert_int_equal(window_back(&w, T0 + 59990).at_ms, T0 + 30000);
	assert_int_equal(window_back(&w, T0).value, 1);
}

static void ten_minutes_of_a_busy_log_fit(void **state)
{
	struct window w = {0};

	(void)state;
	for (int i = 0; i < 600; i++)
		window_add(&w, T0 + i * INT64_C(10000), (int64_t)i * 50000, GAP_MS);
	struct window_cursor c = window_newest(&w);
	while (w.at_ms - c.point.at_ms < 540000 && window_older(&c))
		;
	assert_true(c.valid);
	assert_true(w.used <= WINDOW_BYTES);
}

static void the_time_of_passing_is_interpolated_but_not_into_a_pause(void **state)
{
	struct window w = {0};
	int64_t at_ms = 0;

	(void)state;
	window_add(&w, T0, 100, GAP_MS);
	window_add(&w, T0 + 20000, 300, GAP_MS);
	assert_true(window_passed(&w, 199, GAP_MS, 10000, &at_ms));
	assert_int_equal(at_ms, T0 + 10000);
	window_add(&w, T0 + 3620000, 400, GAP_MS);
	assert_true(window_passed(&w, 300, GAP_MS, 10000, &at_ms));
	assert_in_range(at_ms, T0 + 3610000, T0 + 3620000);
	assert_false(window_passed(&w, 50, GAP_MS, 10000, &at_ms));
	assert_int_equal(at_ms, T0);
}

static void only_the_last_rise_counts(void **state)
{
	struct window w = {0};
	int64_t at_ms = 0;

	(void)state;
	window_add(&w, T0, 500, GAP_MS);
	window_add(&w, T0 + 30000, 100, GAP_MS);
	window_add(&w, T0 + 60000, 600, GAP_MS);
	assert_true(window_passed(&w, 400, GAP_MS, 10000, &at_ms));
	assert_true(at_ms > T0 + 30000);
}

/* Beside a plain list: every point that is left is one that was given, and none is out of order. */
static void random_points_are_kept_exactly(void **state)
{
	unsigned seed = 4711;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 200; round++) {
		struct window w = {0};
		int64_t at[300] = {0};
		int64_t value[300] = {0};
		int64_t t = T0;

		for (int i = 0; i < 300; i++) {
			t += 1 + rand_r(&seed) % 40000;
			at[i] = t;
			value[i] = ((int64_t)rand_r(&seed) << (rand_r(&seed) % 33)) - 1000;
			window_add(&w, t, value[i], GAP_MS);
		}
		int i = 299;
		for (struct window_cursor c = window_newest(&w); c.valid; window_older(&c)) {
			while (i >= 0 && value[i] != c.point.value)
				i--;
			assert_true(i >= 0);
			assert_in_range(at[i] - c.point.at_ms, 0, 10);
		}
	}
}

static size_t varint_size(uint64_t v)
{
	size_t n = 1;

	for (; v > 127; v >>= 7)
		n++;
	return n;
}

/* Bytes that the older of two points takes. */
static size_t point_size(struct window_point older, struct window_point newer)
{
	int64_t rise = newer.value - older.value;

	return varint_size((uint64_t)(newer.at_ms / 10 - older.at_ms / 10)) +
	       varint_size(rise < 0 ? 2 * (uint64_t)-rise - 1 : 2 * (uint64_t)rise);
}

static void a_full_window_loses_its_oldest_points_whole(void **state)
{
	static const int64_t RISES[] = {1, 63, 64, -64, -65, 8191, 8192, INT64_C(1) << 40, 5};
	unsigned seed = 4712;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct window w = {0};
		struct window_point all[200];
		struct window_point kept[WINDOW_POINTS_MAX];
		int64_t value = INT64_C(1) << 50;
		int64_t at_ms = T0;

		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			int64_t rise = RISES[(size_t)rand_r(&seed) % ARRAY_LEN(RISES)];

			all[i] = (struct window_point){at_ms += 10 + 10 * (rand_r(&seed) % 200),
						       value += round == 0 ? 1 : rise};
			window_add(&w, all[i].at_ms, all[i].value, 0);
			size_t n = window_points(&w, 0, kept);
			assert_int_equal(n, w.count);
			for (size_t k = 0; k < n; k++) {
				assert_int_equal(kept[k].at_ms, all[i - k].at_ms);
				assert_int_equal(kept[k].value, all[i - k].value);
			}
			if (n <= i) /* the next would not have fitted */
				assert_true(w.used + point_size(all[i - n], all[i - n + 1]) >
					    WINDOW_BYTES);
		}
	}
}

static void a_rise_between_two_points_is_placed(void **state)
{
	static const struct {
		const char *what;
		int64_t width_ms, before, after, base, want_ago_ms; /* before the later point */
	} CASES[] = {
		{"half way", 20000, 100, 300, 199, 10000},
		{"the first message", 20000, 100, 300, 100, 19900},
		{"the last message", 20000, 100, 300, 299, 0},
		{"as close as points are", 25000, 0, 100, 49, 12500},
		{"a pause: in the last step", 25001, 0, 100, 49, 5000},
		{"beyond the later one", 20000, 100, 300, 300, 0},
		{"before the earlier one", 20000, 100, 300, 98, 0},
		{"just before it", 20000, 100, 300, 99, 20000},
		{"at one time", 0, 100, 300, 199, 0},
		{"in the wrong order", -20000, 100, 300, 199, 0},
		{"a fall", 20000, 300, 100, 350, 0},
		{"neither", 20000, 100, 100, 100, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct window_point before = {T0 - CASES[i].width_ms, CASES[i].before};
		struct window_point after = {T0, CASES[i].after};
		int64_t at_ms = window_between(before, after, CASES[i].base, GAP_MS, 10000);

		if (T0 - at_ms != CASES[i].want_ago_ms)
			fail_msg("%s: %d", CASES[i].what, (int)(T0 - at_ms));
	}
}

static void equal_windows_are_equal_bytes(void **state)
{
	struct window a = {0};
	struct window b;
	static const struct window EMPTY;

	(void)state;
	memset(&b, 0xa5, sizeof(b));
	window_clear(&b);
	assert_memory_equal(&b, &EMPTY, sizeof(b));
	memset(b.bytes, 0xa5, sizeof(b.bytes));
	for (int i = 0; i < 3; i++) {
		window_add(&a, T0 + i * INT64_C(1000), i, 0);
		window_add(&b, T0 + i * INT64_C(1000), i, 0);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	for (size_t i = a.used; i < WINDOW_BYTES; i++)
		assert_int_equal(a.bytes[i], 0);
}

static void points_are_given_up_to_a_time(void **state)
{
	struct window_point points[WINDOW_POINTS_MAX];
	struct window w = {0};

	(void)state;
	assert_int_equal(window_points(&w, 0, points), 0);
	for (int i = 0; i < 4; i++)
		window_add(&w, T0 + i * INT64_C(30000), i, GAP_MS);
	assert_int_equal(window_points(&w, 0, points), 4);
	assert_int_equal(window_points(&w, T0 + 30000, points), 3);
	assert_int_equal(window_points(&w, T0 + 30001, points), 2);
	assert_int_equal(points[1].value, 2);
	assert_int_equal(window_points(&w, T0 + 90001, points), 0);
}

static void three_points_within_the_gap_become_two(void **state)
{
	struct window w = {0};

	(void)state;
	window_add(&w, T0, 1, GAP_MS);
	window_add(&w, T0 + 10000, 2, GAP_MS);
	window_add(&w, T0 + GAP_MS + 10, 3, GAP_MS);
	assert_int_equal(w.count, 3);
	window_clear(&w);
	window_add(&w, T0, 1, GAP_MS);
	window_add(&w, T0 + 10000, 2, GAP_MS);
	window_add(&w, T0 + GAP_MS, 3, GAP_MS);
	assert_int_equal(w.count, 2);
	assert_int_equal(w.value, 3);
}

static void any_bytes_are_read_without_harm(void **state)
{
	unsigned seed = 99;
	int64_t at_ms = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct window w;
		unsigned char *p = (unsigned char *)&w;

		for (size_t i = 0; i < sizeof(w); i++)
			p[i] = (unsigned char)rand_r(&seed);
		assert_in_range(count(&w), 0, WINDOW_BYTES);
		window_passed(&w, 5, GAP_MS, 10000, &at_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_window_has_no_points),
		cmocka_unit_test(points_come_back_newest_first),
		cmocka_unit_test(what_did_not_change_is_no_point),
		cmocka_unit_test(crowded_points_are_merged_and_the_newest_is_exact),
		cmocka_unit_test(a_long_pause_is_never_merged_away),
		cmocka_unit_test(going_back_ends_at_the_point_that_was_in_force),
		cmocka_unit_test(ten_minutes_of_a_busy_log_fit),
		cmocka_unit_test(the_time_of_passing_is_interpolated_but_not_into_a_pause),
		cmocka_unit_test(only_the_last_rise_counts),
		cmocka_unit_test(random_points_are_kept_exactly),
		cmocka_unit_test(a_full_window_loses_its_oldest_points_whole),
		cmocka_unit_test(a_rise_between_two_points_is_placed),
		cmocka_unit_test(equal_windows_are_equal_bytes),
		cmocka_unit_test(points_are_given_up_to_a_time),
		cmocka_unit_test(three_points_within_the_gap_become_two),
		cmocka_unit_test(any_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
