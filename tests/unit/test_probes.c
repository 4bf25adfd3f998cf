/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/ingest/probes.h"
#include "aggregator/judge/status.h"

#define T0 INT64_C(1700000000000)
#define STEP 10000

static int64_t now_ms;

static int setup(void **state)
{
	now_ms = T0;
	*state = probes_new();
	return 0;
}

static int teardown(void **state)
{
	struct probes *p = *state;

	probes_free(&p);
	assert_null(p);
	return 0;
}

static void begin(struct probes *p, size_t limit)
{
	probes_begin(p, now_ms, STEP, limit);
}

/* Partition n of topic 1, committed at 90. */
static struct probes_wish wish(int32_t n, enum status status, int64_t waits_ms)
{
	return (struct probes_wish){{1, n, 90}, 7, status, waits_ms, 100};
}

static void want(struct probes *p, int32_t n, enum status status, int64_t waits_ms)
{
	struct probes_wish w = wish(n, status, waits_ms);

	probes_wish(p, &w);
}

static void answer(struct probes *p, int32_t n, enum wire_probe_answer what, int64_t end)
{
	probes_answer(p, &(struct probes_place){1, n, 90}, &(struct probes_answer){what, end, 5});
}

/* Pass after pass, wish for partition 0 with this log end: after how many ms is it asked? -1: not
 * within half an hour. */
static int64_t asked_after(struct probes *p, int64_t end)
{
	const struct probes_wish *list = NULL;
	int64_t from_ms = now_ms;

	while (now_ms < from_ms + 1800000) {
		struct probes_wish w = wish(0, STATUS_OK, 1000);

		now_ms += STEP;
		begin(p, 20);
		w.end = end;
		probes_wish(p, &w);
		if (probes_take(p, &list) == 1)
			return now_ms - from_ms;
	}
	return -1;
}

static void the_worst_comes_first_then_who_has_waited_longest(void **state)
{
	struct probes *p = *state;
	const struct probes_wish *list = NULL;
	static const int32_t order[] = {4, 2, 5, 3};

	begin(p, 4);
	want(p, 0, STATUS_OK, 5000);
	want(p, 1, STATUS_OK, 100);
	want(p, 2, STATUS_STOP, 3000);
	want(p, 3, STATUS_WARN, 9000);
	want(p, 4, STATUS_STOP, 7000);
	want(p, 5, STATUS_WARN, 9500);
	assert_int_equal(probes_take(p, &list), 4);
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(list[i].place.partition, order[i]);
	assert_int_equal(list[0].end, 100);
	assert_int_equal(probes_take(p, &list), 0);

	/* Those asked are out of the way of the others. */
	now_ms += STEP;
	begin(p, 4);
	for (int32_t i = 0; i < 6; i++)
		want(p, i, STATUS_OK, 1000 + i);
	assert_int_equal(probes_take(p, &list), 2);
	assert_int_equal(list[0].place.partition, 1);
}

static void any_order_gives_the_same_choice(void **state)
{
	struct probes *p = *state;
	const struct probes_wish *list = NULL;

	srand(11);
	for (int round = 0; round < 50; round++) {
		int64_t waits[64];
		size_t limit = (size_t)rand() % 20 + 1;

		now_ms += 3600000; /* what was asked before is forgotten */
		begin(p, limit);
		for (int32_t i = 0; i < 64; i++) {
			waits[i] = rand() % 30;
			want(p, i, STATUS_OK, waits[i]);
		}
		assert_int_equal(probes_take(p, &list), limit);
		for (size_t i = 0; i < limit; i++) {
			size_t longer = 0;
			for (int32_t k = 0; k < 64; k++)
				longer += waits[k] > list[i].waits_ms;
			assert_true(longer <= i);
			assert_int_equal(waits[list[i].place.partition], list[i].waits_ms);
		}
	}
}

static void groups_at_one_place_share_a_question(void **state)
{
	struct probes *p = *state;
	const struct probes_wish *list = NULL;

	begin(p, 20);
	want(p, 1, STATUS_OK, 500);
	want(p, 0, STATUS_OK, 100);
	want(p, 0, STATUS_STOP, 900);
	want(p, 0, STATUS_OK, 50);
	assert_int_equal(probes_take(p, &list), 2);
	assert_int_equal(list[0].place.partition, 0);
	assert_int_equal(list[0].badness, STATUS_STOP);
	assert_null(probes_find(p, &list[0].place, 7));
	answer(p, 0, WIRE_PROBE_RECORD, 100);
	const struct probes_answer *a = probes_find(p, &(struct probes_place){1, 0, 90}, 7);
	assert_non_null(a);
	assert_int_equal(a->answer, WIRE_PROBE_RECORD);
	assert_int_equal(a->time_ms, 5);
	assert_null(probes_find(p, &(struct probes_place){1, 0, 91}, 7));
	assert_null(probes_find(p, &(struct probes_place){1, 0, 90}, 8));
}

static void an_agent_that_takes_none_is_asked_none(void **state)
{
	struct probes *p = *state;
	const struct probes_wish *list = NULL;

	begin(p, 0);
	want(p, 0, STATUS_STOP, 100);
	assert_int_equal(probes_take(p, &list), 0);
	begin(p, SIZE_MAX);
	for (int32_t i = 0; i < WIRE_PROBES_MAX + 10; i++)
		want(p, i, STATUS_OK, i);
	assert_int_equal(probes_take(p, &list), WIRE_PROBES_MAX);
}

static void what_was_not_sent_is_chosen_anew(void **state)
{
	struct probes *p = *state;
	const struct probes_wish *list = NULL;

	begin(p, 20);
	want(p, 0, STATUS_OK, 100);
	now_ms += STEP;
	begin(p, 20);
	want(p, 0, STATUS_OK, 200);
	assert_int_equal(probes_take(p, &list), 1);
	assert_int_equal(list[0].waits_ms, 200);
}

static void a_record_once_found_is_not_looked_for_again_soon(void **state)
{
	struct probes *p = *state;

	assert_int_equal(asked_after(p, 100), STEP);
	answer(p, 0, WIRE_PROBE_RECORD, 100);
	int64_t from_ms = now_ms;
	int64_t after_ms = asked_after(p, 200);
	/* By then it may have been compacted away. */
	assert_true(after_ms == 1800000 && now_ms - from_ms == after_ms);
}

static void another_log_is_another_place(void **state)
{
	struct probes *p = *state;
	const struct probes_wish *list = NULL;
	struct probes_wish w = wish(0, STATUS_OK, 1000);

	assert_int_equal(asked_after(p, 100), STEP);
	answer(p, 0, WIRE_PROBE_NOTHING, 100);
	now_ms += STEP;
	begin(p, 20);
	w.generation++;
	probes_wish(p, &w);
	assert_int_equal(probes_take(p, &list), 1);
}

static void nothing_holds_until_the_log_has_grown(void **state)
{
	struct probes *p = *state;

	assert_int_equal(asked_after(p, 100), STEP);
	answer(p, 0, WIRE_PROBE_NOTHING, 100);
	now_ms += 10 * STEP;
	begin(p, 20);
	want(p, 0, STATUS_OK, 100);
	const struct probes_wish *list = NULL;
	assert_int_equal(probes_take(p, &list), 0);
	assert_int_equal(asked_after(p, 101), STEP);
	answer(p, 0, WIRE_PROBE_NOTHING, 101);
	assert_int_equal(asked_after(p, 102), 2 * STEP);
}

static void an_answer_that_does_not_come_is_asked_for_less_and_less(void **state)
{
	struct probes *p = *state;

	assert_int_equal(asked_after(p, 100), STEP);
	assert_int_equal(asked_after(p, 100), 3 * STEP);
	assert_int_equal(asked_after(p, 100), 6 * STEP);
	assert_int_equal(asked_after(p, 100), 12 * STEP);
	for (int i = 0; i < 5; i++)
		(void)asked_after(p, 100);
	assert_int_equal(asked_after(p, 100), 600000);
	answer(p, 0, WIRE_PROBE_NOTHING, 100);
	assert_int_equal(asked_after(p, 101), 2 * STEP);
	assert_int_equal(asked_after(p, 101), 3 * STEP);
}

static void after_unknown_there_is_a_pause(void **state)
{
	struct probes *p = *state;
	static const int64_t pauses[] = {60000, 120000, 240000, 480000, 600000, 600000};

	assert_int_equal(asked_after(p, 100), STEP);
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		answer(p, 0, WIRE_PROBE_UNKNOWN, 100);
		assert_int_equal(asked_after(p, 100), pauses[i]);
	}
}

static void an_answer_nobody_asked_for_is_not_kept(void **state)
{
	struct probes *p = *state;

	begin(p, 20);
	answer(p, 0, WIRE_PROBE_NOTHING, 100);
	assert_null(probes_find(p, &(struct probes_place){1, 0, 90}, 7));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_worst_comes_first_then_who_has_waited_longest),
		TEST(any_order_gives_the_same_choice),
		TEST(groups_at_one_place_share_a_question),
		TEST(an_agent_that_takes_none_is_asked_none),
		TEST(what_was_not_sent_is_chosen_anew),
		TEST(a_record_once_found_is_not_looked_for_again_soon),
		TEST(another_log_is_another_place),
		TEST(nothing_holds_until_the_log_has_grown),
		TEST(an_answer_that_does_not_come_is_asked_for_less_and_less),
		TEST(after_unknown_there_is_a_pause),
		TEST(an_answer_nobody_asked_for_is_not_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
