/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/ingest/roster.h"

static struct roster *roster;
static struct roster_agent seen; /* the one of this name, as last told */
static const char *wanted;
static size_t count;
static char last[WIRE_LABEL_MAX + 1];

static void on_agent(void *arg, const struct roster_agent *a)
{
	(void)arg;
	assert_true(strcmp(last, a->name) < 0); /* in order of names */
	strcpy(last, a->name);                  /* NOLINT */
	count++;
	if (strcmp(a->name, wanted) == 0)
		seen = *a;
}

static const struct roster_agent *look(const char *name)
{
	seen = (struct roster_agent){.name = ""};
	last[0] = '\0';
	count = 0;
	wanted = name;
	roster_each(roster, on_agent, NULL);
	return &seen;
}

static void hello(const char *name, int64_t now_ms)
{
	const struct wire_hello h = {.agent = name, .software = "1.2", .config_hash = 5};

	roster_hello(roster, &h, 9, now_ms);
}

static void batch(const char *name, int64_t sent_ms, int64_t received_ms, enum roster_batch what)
{
	const struct wire_batch b = {.agent = name,
				     .pass = 1,
				     .pass_at_ms = 900,
				     .sent_ms = sent_ms,
				     .sent_steady_ms = sent_ms,
				     .spool_batches = 3,
				     .spool_bytes = 300};

	roster_batch(roster, &b, received_ms, what);
}

static int setup(void **state)
{
	(void)state;
	roster = roster_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	roster_free(&roster);
	return 0;
}

static void agents_are_told_in_order_of_names(void **state)
{
	(void)state;
	hello("b", 1000);
	hello("c", 1000);
	hello("a", 1000);
	hello("b", 2000);
	assert_string_equal(look("b")->software, "1.2");
	assert_int_equal(count, 3);
	assert_int_equal(seen.hellos, 2);
	assert_int_equal(seen.connected_ms, 2000);
	assert_int_equal(seen.config_hash, 5);
	assert_int_equal(seen.spool_age_ms, -1);
}

static void batches_are_counted(void **state)
{
	int64_t skew_ms = 0;

	(void)state;
	hello("a", 1000);
	assert_false(roster_skew(look("a"), &skew_ms));
	batch("a", 1000, 1100, ROSTER_APPLIED);
	batch("a", 1200, 1250, ROSTER_APPLIED);
	batch("a", 1200, 5250, ROSTER_DUPLICATE);
	batch("a", 0, 5300, ROSTER_REJECTED);
	look("a");
	assert_int_equal(seen.batches, 2);
	assert_int_equal(seen.duplicates, 1);
	assert_int_equal(seen.rejected, 1);
	assert_int_equal(seen.seen_ms, 5300);
	assert_int_equal(seen.spool_batches, 3);
	assert_int_equal(seen.spool_age_ms, 300);
	/* The batch that was the fastest tells most of the clock. */
	assert_true(roster_skew(&seen, &skew_ms));
	assert_int_equal(skew_ms, -50);
	/* A clock that was set is seen once the old batches are no longer among the last. */
	for (int i = 0; i < ROSTER_SKEWS; i++)
		batch("a", 100, 7000, ROSTER_APPLIED);
	assert_true(roster_skew(look("a"), &skew_ms));
	assert_int_equal(skew_ms, -6900);
}

static void who_was_quiet_for_longest_makes_room(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 4097; i++) {
		snprintf(name, sizeof(name), "agent-%05d", i);
		hello(name, 1000 + (i == 77 ? 0 : i + 1));
	}
	look("agent-00077");
	assert_int_equal(count, 4096);
	assert_string_equal(seen.name, "");
	assert_string_equal(look("agent-04096")->name, "agent-04096");
}

#define ROSTER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROSTER(agents_are_told_in_order_of_names),
		ROSTER(batches_are_counted),
		ROSTER(who_was_quiet_for_longest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
