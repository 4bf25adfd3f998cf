/* SPDX-License-Identifier: Apache-2.0 */

/* A cluster whose agent tells what it has kept: nobody is told of what was, but of what is left. */

#include "aggregator/alert/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "notify_fixture.h"

#define CLUSTER 1 /* of the fixture's incidents */
#define OTHER_CLUSTER 9

/* A pager at once, and who is called when nobody takes it. */
static const char PAGER[] =
	"  receivers:\n"
	"    - {name: pager, type: webhook, url: 'http://p/'}\n"
	"    - {name: boss, type: webhook, url: 'http://b/'}\n"
	"  route: {receiver: pager, wait: 0s, repeat_interval: 1h, storm_limit: 0,\n"
	"          escalate_after: 30m, escalate_to: boss}\n";

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	*f = fixture_new(PAGER);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	free(*state);
	return 0;
}

/* A pass is judged: an old one, or one of the present. */
static void see_pass(struct fixture *f, bool old)
{
	notify_hold(f->notify, &f->t, CLUSTER, old, f->now_ms);
}

static void what_came_and_went_meanwhile_nobody_hears_of(void **state)
{
	struct fixture *f = *state;

	see_pass(f, true);
	struct incident i = fixture_incident(f, "payments");
	fixture_pass(f, MINUTE);
	fixture_resolve(f, &i);
	see_pass(f, false);
	fixture_pass(f, 2 * HOUR);
	assert_int_equal(f->count, 0);
}

static void what_lasts_is_told_at_the_present(void **state)
{
	struct fixture *f = *state;

	see_pass(f, true);
	fixture_incident(f, "payments");
	fixture_pass(f, MINUTE);
	assert_int_equal(f->count, 0);
	see_pass(f, false);
	fixture_tick(f);
	assert_int_equal(f->count, 1);
	assert_sent(f, 0, MESSAGE_OPEN, "pager", 1);
}

static void nobody_is_reminded_of_what_may_be_over(void **state)
{
	struct fixture *f = *state;
	struct incident i = fixture_incident(f, "payments");

	fixture_tick(f);
	assert_int_equal(f->count, 1);
	see_pass(f, true);
	f->now_ms += 2 * HOUR; /* the aggregator was away: repeats and the boss are due */
	fixture_tick(f);
	assert_int_equal(f->count, 1);
	fixture_resolve(f, &i);
	fixture_tick(f);
	assert_int_equal(f->count, 1);
	see_pass(f, false);
	fixture_tick(f);
	assert_int_equal(f->count, 2);
	assert_sent(f, 1, MESSAGE_RESOLVE, "pager", 1);
}

static void an_end_is_not_told_of_what_has_come_back(void **state)
{
	struct fixture *f = *state;
	struct incident i = fixture_incident(f, "payments");

	fixture_tick(f);
	see_pass(f, true);
	fixture_resolve(f, &i);
	fixture_pass(f, MINUTE);
	i.state = INCIDENT_OPEN;
	fixture_change(f, &i, INCIDENT_FLAPS);
	see_pass(f, false);
	fixture_pass(f, MINUTE);
	assert_int_equal(f->count, 1);
}

static void other_clusters_are_told_of_as_ever(void **state)
{
	struct fixture *f = *state;

	see_pass(f, true);
	fixture_incident(f, "payments");
	struct incident other = incident_at("PROD", "seoul", "orders", f->now_ms);
	other.cluster_id = OTHER_CLUSTER;
	fixture_change(f, &other, INCIDENT_OPENED);
	fixture_tick(f);
	assert_int_equal(f->count, 1);
	assert_sent(f, 0, MESSAGE_OPEN, "pager", 1);
	assert_int_equal(f->sent[0].ids[0], other.id);
}

static void one_that_does_not_get_there_is_told_of_in_the_end(void **state)
{
	struct fixture *f = *state;

	see_pass(f, true);
	fixture_incident(f, "payments");
	fixture_pass(f, 14 * MINUTE);
	see_pass(f, true);
	fixture_tick(f);
	assert_int_equal(f->count, 0);
	fixture_pass(f, MINUTE);
	see_pass(f, true);
	fixture_tick(f);
	assert_int_equal(f->count, 1);
	fixture_incident(f, "orders"); /* and it goes on so */
	see_pass(f, true);
	fixture_tick(f);
	assert_int_equal(f->count, 2);
}

/* After a transaction failed all is read again. */
static void reading_it_again_changes_nothing(void **state)
{
	struct fixture *f = *state;

	see_pass(f, true);
	struct incident i = fixture_incident(f, "payments");
	notify_load(f->notify, &f->t);
	fixture_tick(f);
	assert_int_equal(f->count, 0);
	fixture_resolve(f, &i);
	see_pass(f, false);
	fixture_tick(f);
	assert_int_equal(f->count, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_came_and_went_meanwhile_nobody_hears_of),
		TEST(what_lasts_is_told_at_the_present),
		TEST(nobody_is_reminded_of_what_may_be_over),
		TEST(an_end_is_not_told_of_what_has_come_back),
		TEST(other_clusters_are_told_of_as_ever),
		TEST(one_that_does_not_get_there_is_told_of_in_the_end),
		TEST(reading_it_again_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
