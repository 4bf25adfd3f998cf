/* SPDX-License-Identifier: Apache-2.0 */

/* What somebody takes here is taken at PagerDuty and Opsgenie too, and what he closes is closed. */

#include "aggregator/alert/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "notify_fixture.h"

#define RECEIVERS                                                                                  \
	"  receivers:\n"                                                                           \
	"    - {name: mail, type: mail, server: 'smtp://h:25', from: a@b, to: [c@d]}\n"            \
	"    - {name: pager, type: pagerduty, api_key_file: /k}\n"                                 \
	"    - {name: genie, type: opsgenie, api_key_file: /k}\n"

static void acknowledge(struct fixture *f, struct incident *i)
{
	i->state = INCIDENT_ACKNOWLEDGED;
	i->acknowledged_ms = f->now_ms;
	fixture_change(f, i, INCIDENT_WAS_ACKNOWLEDGED);
}

static void end_by_hand(struct fixture *f, struct incident *i)
{
	i->state = INCIDENT_RESOLVED;
	i->end = INCIDENT_BY_HAND;
	i->resolved_ms = f->now_ms;
	fixture_change(f, i, INCIDENT_WAS_RESOLVED);
}

/* Whether the message at an index tells an acknowledgement of so many. */
static void assert_taken(const struct fixture *f, size_t index, const char *receiver, size_t count)
{
	assert_sent(f, index, MESSAGE_UPDATE, receiver, count);
	for (size_t k = 0; k < count; k++)
		assert_int_equal(f->sent[index].states[k], INCIDENT_ACKNOWLEDGED);
}

static void who_keeps_alerts_hears_at_once_and_once(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: pager, wait: 5m}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 1);
	acknowledge(&f, &i);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 2);
	assert_taken(&f, 1, "pager", 1);
	assert_int_equal(f.sent[1].thread, f.sent[0].thread);
	fixture_restart(&f);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 2);
	end_by_hand(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 3);
	assert_sent(&f, 2, MESSAGE_RESOLVE, "pager", 1);
	assert_int_equal(f.sent[2].thread, f.sent[0].thread);
	fixture_free(&f);
}

/* An alert of theirs is a thread here: it is not taken before all that lasts of it is. */
static void an_alert_is_taken_when_all_of_it_is(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: genie, wait: 0s}\n");
	struct incident one = fixture_incident(&f, "one");
	struct incident two = fixture_incident(&f, "two");
	struct incident three = fixture_incident(&f, "three");

	(void)state;
	fixture_pass(&f, MINUTE);
	acknowledge(&f, &one);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 1);
	acknowledge(&f, &two);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 1);
	fixture_resolve(&f, &three);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 2);
	assert_taken(&f, 1, "genie", 2);
	/* The end of the third comes along later, and leaves it taken. */
	fixture_pass(&f, 10 * MINUTE);
	assert_int_equal(f.count, 3);
	assert_int_equal(f.sent[2].kind, MESSAGE_UPDATE);
	/* One that comes later has to be taken again. */
	struct incident four = fixture_incident(&f, "four");
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 4);
	acknowledge(&f, &four);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 5);
	assert_taken(&f, 4, "genie", 3);
	fixture_free(&f);
}

static void people_are_not_bothered_with_it(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, MINUTE);
	acknowledge(&f, &i);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 1);
	fixture_free(&f);
}

static void what_was_escalated_is_taken_there(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s, "
						 "repeat_interval: 0s, escalate_after: 30m, "
						 "escalate_to: pager}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_ESCALATE, "pager", 1);
	acknowledge(&f, &i);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 3);
	assert_taken(&f, 2, "pager", 1);
	assert_int_equal(f.sent[2].thread, f.sent[1].thread);
	end_by_hand(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 5);
	for (size_t k = 3; k < 5; k++)
		assert_int_equal(f.sent[k].kind, MESSAGE_RESOLVE);
	fixture_free(&f);
}

/* Outside of the hours too: it was told of within them. */
static void it_waits_for_no_hours(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: pager, wait: 0s, "
						 "hours: {from: '08:00', to: '10:00'}}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, 4 * HOUR);
	assert_int_equal(f.count, 1);
	acknowledge(&f, &i);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 2);
	assert_taken(&f, 1, "pager", 1);
	fixture_free(&f);
}

/* More than one message lists: one of them says it, not one for each incident. */
static void many_are_taken_in_one_message(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: pager, wait: 0s, "
						 "repeat_interval: 0s}\n");
	struct incident is[2 * MESSAGE_INCIDENTS_MAX];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(is); k++) {
		char group[16];

		snprintf(group, sizeof(group), "g%zu", k);
		is[k] = fixture_incident(&f, group);
	}
	fixture_pass(&f, MINUTE);
	size_t before = f.count;
	for (size_t k = 0; k < ARRAY_LEN(is); k++)
		acknowledge(&f, &is[k]);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, before + 1);
	assert_taken(&f, before, "pager", MESSAGE_INCIDENTS_MAX);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_keeps_alerts_hears_at_once_and_once),
		cmocka_unit_test(an_alert_is_taken_when_all_of_it_is),
		cmocka_unit_test(people_are_not_bothered_with_it),
		cmocka_unit_test(what_was_escalated_is_taken_there),
		cmocka_unit_test(it_waits_for_no_hours),
		cmocka_unit_test(many_are_taken_in_one_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
