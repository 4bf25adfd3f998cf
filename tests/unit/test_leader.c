/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/leader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0 INT64_C(1767600000000)
#define AFTER 30000

static void the_first_sends_at_once(void **state)
{
	const struct leader_sight s = {.peers = 2, .self = 0, .start_ms = T0};

	(void)state;
	assert_true(leader_decide(&s, AFTER, true, T0));
	assert_int_equal(leader_sent_until(&s, AFTER), INT64_MIN);
}

static void the_second_waits_for_the_silence_of_the_first(void **state)
{
	struct leader_sight s = {.peers = 2, .self = 1, .start_ms = T0};

	(void)state;
	/* It cannot know at first. */
	assert_false(leader_decide(&s, AFTER, true, T0));
	assert_false(leader_decide(&s, AFTER, true, T0 + AFTER - 1));
	assert_true(leader_decide(&s, AFTER, true, T0 + AFTER));
	s.seen_ms[0] = T0 + 100000;
	assert_false(leader_decide(&s, AFTER, true, T0 + 100001));
	assert_false(leader_decide(&s, AFTER, true, T0 + 100000 + AFTER - 1));
	assert_true(leader_decide(&s, AFTER, true, T0 + 100000 + AFTER));
	/* What was decided shortly before the last answer may not have been sent. */
	assert_int_equal(leader_sent_until(&s, AFTER), T0 + 100000 - AFTER);
}

static void the_third_waits_for_both(void **state)
{
	struct leader_sight s = {.peers = 3, .self = 2, .start_ms = T0};
	int64_t now_ms = T0 + 10 * AFTER;

	(void)state;
	s.seen_ms[1] = now_ms - 1;
	assert_false(leader_decide(&s, AFTER, true, now_ms));
	s.seen_ms[1] = 0;
	assert_true(leader_decide(&s, AFTER, true, now_ms));
}

static void closed_only_with_most_of_the_peers(void **state)
{
	struct leader_sight s = {.peers = 3, .self = 1, .start_ms = T0};
	int64_t now_ms = T0 + 10 * AFTER;

	(void)state;
	assert_false(leader_decide(&s, AFTER, false, now_ms));
	s.seen_ms[2] = now_ms - 1;
	assert_true(leader_decide(&s, AFTER, false, now_ms));
	/* The first of them as well: it may be the one that is cut off. */
	s = (struct leader_sight){.peers = 2, .self = 0, .start_ms = T0};
	assert_false(leader_decide(&s, AFTER, false, now_ms));
	assert_true(leader_decide(&s, AFTER, true, now_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_sends_at_once),
		cmocka_unit_test(the_second_waits_for_the_silence_of_the_first),
		cmocka_unit_test(the_third_waits_for_both),
		cmocka_unit_test(closed_only_with_most_of_the_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
