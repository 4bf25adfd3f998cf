/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ring *ring;

static int setup(void **state)
{
	(void)state;
	ring = ring_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ring_free(&ring);
	assert_null(ring);
	ring_free(&ring);
	return 0;
}

static struct ring_event event(const char *text, int64_t at_ms)
{
	return (struct ring_event){"PROD", "one", "g", text, strlen(text), at_ms};
}

static uint64_t add(const char *text, int64_t at_ms)
{
	const struct ring_event e = event(text, at_ms);

	return ring_add(ring, &e);
}

static uint64_t replace(uint32_t cluster_id, const char *text, int64_t at_ms)
{
	const struct ring_event e = event(text, at_ms);

	return ring_replace(ring, cluster_id, &e);
}

static void assert_text(uint64_t number, const char *text)
{
	const struct ring_event *e = ring_at(ring, number);

	assert_non_null(e->text);
	assert_int_equal(e->size, strlen(text));
	assert_memory_equal(e->text, text, e->size);
}

static void events_are_kept_under_their_numbers(void **state)
{
	char text[] = "first";

	(void)state;
	assert_int_equal(ring_first(ring), 1);
	assert_int_equal(ring_end(ring), 1);
	assert_int_equal(add(text, 10), 1);
	memset(text, 'x', sizeof(text) - 1); /* a copy was taken */
	assert_int_equal(add("second", 20), 2);
	assert_int_equal(ring_end(ring), 3);
	assert_text(1, "first");
	assert_text(2, "second");
	assert_string_equal(ring_at(ring, 1)->environment, "PROD");
	assert_string_equal(ring_at(ring, 1)->cluster, "one");
	assert_string_equal(ring_at(ring, 1)->group, "g");
	assert_int_equal(ring_at(ring, 2)->at_ms, 20);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
	char text[16];

	(void)state;
	for (int i = 1; i <= RING_EVENTS + 5; i++) {
		snprintf(text, sizeof(text), "%d", i);
		add(text, i);
	}
	assert_int_equal(ring_first(ring), 6);
	assert_int_equal(ring_end(ring), RING_EVENTS + 6);
	assert_text(6, "6");
	snprintf(text, sizeof(text), "%d", RING_EVENTS + 5);
	assert_text(RING_EVENTS + 5, text);
}

static void the_oldest_go_when_they_are_too_large(void **state)
{
	size_t size = RING_BYTES / 4;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	for (int i = 1; i <= 5; i++)
		add(text, i);
	assert_int_equal(ring_first(ring), 3); /* three fit, with their names */
	text[0] = '\0';
	add(text, 6);
	assert_int_equal(ring_first(ring), 3);
	free(text);

	/* One that is larger than all of it has it for itself. */
	text = malloc(2 * RING_BYTES);
	assert_non_null(text);
	memset(text, 'x', 2 * RING_BYTES - 1);
	text[2 * RING_BYTES - 1] = '\0';
	uint64_t number = add(text, 7);
	assert_int_equal(ring_first(ring), number);
	free(text);
	add("small", 8);
	assert_int_equal(ring_first(ring), number + 1);
}

static void only_the_latest_of_what_is_replaced_is_kept(void **state)
{
	(void)state;
	assert_int_equal(replace(1, "a", 10), 1);
	assert_int_equal(replace(2, "b", 11), 2);
	assert_int_equal(add("between", 12), 3);
	assert_int_equal(replace(1, "c", 20), 4);
	assert_null(ring_at(ring, 1)->text);
	assert_text(2, "b");
	assert_text(3, "between");
	assert_text(4, "c");
	assert_int_equal(replace(1, "d", 30), 5);
	assert_null(ring_at(ring, 4)->text);
	assert_text(5, "d");
}

/* Also when it has gone before the next comes; and many clusters do with little room. */
static void what_is_replaced_may_be_gone(void **state)
{
	(void)state;
	replace(1, "old", 1);
	for (int i = 0; i < RING_EVENTS; i++)
		add("x", 2);
	assert_int_equal(ring_first(ring), 2);
	replace(1, "new", 3);
	replace(2, "other", 3);
	assert_text(ring_end(ring) - 2, "new");
	assert_text(ring_end(ring) - 1, "other");
	assert_text(ring_first(ring), "x");
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t cluster = 1; cluster <= 300; cluster++)
			replace(cluster, "pass", 4 + round);
	assert_null(ring_at(ring, ring_end(ring) - 301)->text);
	for (uint64_t i = 1; i <= 300; i++)
		assert_text(ring_end(ring) - i, "pass");
}

static void a_place_is_found_by_time(void **state)
{
	uint64_t number = 0;

	(void)state;
	ring_begin_at(ring, 100);
	add("a", 100);
	add("b", 110);
	add("late", 105); /* of another cluster */
	add("c", 120);
	assert_false(ring_find(ring, 98, &number));
	assert_true(ring_find(ring, 99, &number));
	assert_int_equal(number, 1);
	assert_true(ring_find(ring, 100, &number));
	assert_int_equal(number, 2);
	assert_true(ring_find(ring, 104, &number));
	assert_int_equal(number, 2);
	assert_true(ring_find(ring, 110, &number));
	assert_int_equal(number, 4);
	assert_true(ring_find(ring, 1000, &number));
	assert_int_equal(number, 5);
}

static void what_was_overtaken_is_not_found(void **state)
{
	uint64_t number = 0;

	(void)state;
	ring_begin_at(ring, 1);
	for (int i = 1; i <= RING_EVENTS + 10; i++)
		add("x", i);
	assert_false(ring_find(ring, 9, &number));
	assert_true(ring_find(ring, 10, &number)); /* the first that is there is of 11 */
	assert_int_equal(number, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_are_kept_under_their_numbers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_oldest_go_when_there_are_too_many, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_oldest_go_when_they_are_too_large, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_the_latest_of_what_is_replaced_is_kept, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_replaced_may_be_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_place_is_found_by_time, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_overtaken_is_not_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
