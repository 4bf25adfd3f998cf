/* SPDX-License-Identifier: Apache-2.0 */

/* The options of Burrow's notifiers: each means what Burrow's documentation says of it, and where
 * Burrow does otherwise, that is told beside. */

#include "aggregator/alert/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "notify_fixture.h"

#define BURROW(options)                                                                            \
	"  receivers:\n"                                                                           \
	"    - name: b\n"                                                                          \
	"      type: burrow_http\n"                                                                \
	"      url: http://h/\n"                                                                   \
	"      burrow: {" options "}\n"                                                            \
	"  route: {receiver: b}\n"

static void set_status(struct fixture *f, struct incident *i, enum status status)
{
	bool worse = (unsigned)status > i->status;

	i->status = (uint8_t)status;
	fixture_change(f, i, worse ? INCIDENT_WORSE : INCIDENT_BETTER);
}

static struct incident open_as(struct fixture *f, const char *group, enum status status)
{
	struct incident i = incident_at("PROD", "c", group, f->now_ms);

	i.status = i.worst = (uint8_t)status;
	fixture_change(f, &i, INCIDENT_OPENED);
	return i;
}

/* How many messages there were since the last time. */
static size_t news(struct fixture *f, int64_t ms)
{
	size_t before = f->count;

	fixture_pass(f, ms);
	return f->count - before;
}

/* threshold: the least status that is told of. Burrow tells with 1 of each group that is well too,
 * again and again; that a group is well is no incident here. */
static void threshold(void **state)
{
	static const char *const WARN_TOO[] = {
		BURROW("threshold: 1, send_once: true"),
		BURROW("threshold: 2, send_once: true"),
		BURROW("send_once: true"),
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(WARN_TOO); k++) {
		struct fixture f = fixture_new(WARN_TOO[k]);

		open_as(&f, "warn", STATUS_WARN);
		open_as(&f, "err", STATUS_ERR);
		assert_int_equal(news(&f, MINUTE), 2);
		fixture_free(&f);
	}
	struct fixture f = fixture_new(BURROW("threshold: 3, interval: 60s"));
	struct incident i = open_as(&f, "g", STATUS_WARN);

	assert_int_equal(news(&f, HOUR), 0);
	set_status(&f, &i, STATUS_ERR);
	assert_int_equal(news(&f, SECOND), 1);
	/* Below it nothing is said, until it is reached again. */
	set_status(&f, &i, STATUS_WARN);
	assert_int_equal(news(&f, HOUR), 0);
	set_status(&f, &i, STATUS_ERR);
	assert_int_equal(news(&f, SECOND), 1);
	fixture_free(&f);
}

/* interval: how often it is looked at, and so told of; 60 s if not given. */
static void interval(void **state)
{
	struct fixture f = fixture_new(BURROW("interval: 5m"));

	(void)state;
	open_as(&f, "g", STATUS_ERR);
	assert_int_equal(news(&f, SECOND), 1);
	assert_int_equal(news(&f, HOUR), 12);
	fixture_free(&f);
	f = fixture_new(BURROW(""));
	open_as(&f, "g", STATUS_ERR);
	assert_int_equal(news(&f, HOUR), 61);
	fixture_free(&f);
}

/* send-interval: at least so long between two messages of a group, and never less than interval. */
static void send_interval(void **state)
{
	struct fixture f = fixture_new(BURROW("interval: 60s, send_interval: 10m"));

	(void)state;
	open_as(&f, "g", STATUS_ERR);
	assert_int_equal(news(&f, SECOND), 1);
	assert_int_equal(news(&f, HOUR), 6);
	fixture_free(&f);
	f = fixture_new(BURROW("interval: 5m, send_interval: 10s"));
	open_as(&f, "g", STATUS_ERR);
	assert_int_equal(news(&f, HOUR), 13);
	fixture_free(&f);
}

/* send-once: one message of an incident, whatever becomes of it. Burrow without send-close never
 * tells of that group again; here the next incident is another. */
static void send_once(void **state)
{
	struct fixture f = fixture_new(BURROW("send_once: true"));

	(void)state;
	for (size_t k = 1; k <= 3; k++) {
		struct incident i = open_as(&f, "g", STATUS_WARN);

		assert_int_equal(news(&f, 3 * HOUR), 1);
		set_status(&f, &i, STATUS_ERR);
		i.flapping = 1;
		fixture_change(&f, &i, INCIDENT_FLAPS);
		assert_int_equal(news(&f, 3 * HOUR), 0);
		fixture_resolve(&f, &i);
		assert_int_equal(news(&f, 3 * HOUR), 0);
	}
	fixture_free(&f);
}

/* send-close: the end is told. Burrow tells it whether or not the opening was. */
static void send_close(void **state)
{
	struct fixture f = fixture_new(BURROW("send_close: true, send_once: true, threshold: 3"));
	struct incident i = open_as(&f, "g", STATUS_ERR);
	struct incident other = open_as(&f, "h", STATUS_WARN);

	(void)state;
	assert_int_equal(news(&f, HOUR), 1);
	fixture_resolve(&f, &other);
	assert_int_equal(news(&f, HOUR), 0);
	set_status(&f, &i, STATUS_WARN);
	fixture_resolve(&f, &i);
	assert_int_equal(news(&f, SECOND), 1);
	assert_sent(&f, 1, MESSAGE_RESOLVE, "b", 1);
	assert_int_equal(f.sent[1].thread, f.sent[0].thread);
	assert_int_equal(news(&f, HOUR), 0);
	fixture_free(&f);
	f = fixture_new(BURROW("send_once: true"));
	i = open_as(&f, "g", STATUS_ERR);
	assert_int_equal(news(&f, HOUR), 1);
	fixture_resolve(&f, &i);
	assert_int_equal(news(&f, HOUR), 0);
	fixture_free(&f);
}

/* Burrow forgets a group that is deleted, and with it that it has to tell of the end. */
static void the_end_is_told_of_groups_that_are_gone_too(void **state)
{
	static const enum incident_end ENDS[] = {INCIDENT_DELETED, INCIDENT_EXPIRED,
						 INCIDENT_MAINTENANCE};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(ENDS); k++) {
		struct fixture f = fixture_new(BURROW("send_close: true, send_once: true"));
		struct incident i = open_as(&f, "g", STATUS_ERR);

		assert_int_equal(news(&f, MINUTE), 1);
		i.state = INCIDENT_RESOLVED;
		i.end = (uint8_t)ENDS[k];
		i.resolved_ms = f.now_ms;
		fixture_change(&f, &i, INCIDENT_WAS_RESOLVED);
		assert_int_equal(news(&f, MINUTE), 1);
		assert_sent(&f, 1, MESSAGE_RESOLVE, "b", 1);
		fixture_free(&f);
	}
}

/* group-allowlist, group-denylist: found anywhere in the name; without a list all pass. */
static void lists(void **state)
{
	static const struct {
		const char *config;
		size_t told;
	} CASES[] = {
		{BURROW("send_once: true"), 4},
		{BURROW("group_allowlist: 'a', send_once: true"), 4},
		{BURROW("group_allowlist: '^(a|b).*', send_once: true"), 2},
		{BURROW("group_denylist: '-test$', send_once: true"), 3},
		{BURROW("group_allowlist: '^(a|b).*', group_denylist: 'test', send_once: true"), 1},
		{BURROW("group_allowlist: '^al', group_denylist: '^al', send_once: true"), 0},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		struct fixture f = fixture_new(CASES[k].config);

		open_as(&f, "alpha", STATUS_ERR);
		open_as(&f, "beta-test", STATUS_ERR);
		open_as(&f, "gamma", STATUS_ERR);
		open_as(&f, "delta", STATUS_ERR);
		assert_int_equal(news(&f, HOUR), CASES[k].told);
		fixture_free(&f);
	}
}

/* A call for each group, and of groups alone; but not to who has acknowledged it. */
static void each_group_alone(void **state)
{
	struct fixture f = fixture_new(BURROW("interval: 10m"));
	struct incident blind = incident_at("PROD", "c", "", f.now_ms);
	struct incident one = open_as(&f, "one", STATUS_ERR);
	struct incident two = open_as(&f, "two", STATUS_ERR);

	(void)state;
	fixture_change(&f, &blind, INCIDENT_OPENED);
	assert_int_equal(news(&f, SECOND), 2);
	assert_sent(&f, 0, MESSAGE_OPEN, "b", 1);
	assert_sent(&f, 1, MESSAGE_OPEN, "b", 1);
	assert_int_not_equal(f.sent[0].thread, f.sent[1].thread);
	one.state = INCIDENT_ACKNOWLEDGED;
	fixture_change(&f, &one, INCIDENT_WAS_ACKNOWLEDGED);
	assert_int_equal(news(&f, 10 * MINUTE), 1);
	assert_int_equal(f.sent[2].ids[0], two.id);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threshold),
		cmocka_unit_test(interval),
		cmocka_unit_test(send_interval),
		cmocka_unit_test(send_once),
		cmocka_unit_test(send_close),
		cmocka_unit_test(the_end_is_told_of_groups_that_are_gone_too),
		cmocka_unit_test(lists),
		cmocka_unit_test(each_group_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
