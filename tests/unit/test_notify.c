/* SPDX-License-Identifier: Apache-2.0 */
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
	"    - {name: hook, type: webhook, url: 'http://h/'}\n"                                    \
	"    - {name: boss, type: webhook, url: 'http://b/'}\n"                                    \
	"    - {name: night, type: webhook, url: 'http://n/'}\n"                                   \
	"    - {name: quiet, type: webhook, url: 'http://q/', send_resolved: false}\n"             \
	"    - {name: am, type: alertmanager, urls: ['http://a:9093']}\n"

/* --- one incident --- */

static void an_incident_is_told_of_once_and_its_end_too(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 30s}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, 29 * SECOND);
	assert_int_equal(f.count, 0);
	fixture_pass(&f, 1 * SECOND);
	assert_int_equal(f.count, 1);
	assert_sent(&f, 0, MESSAGE_OPEN, "mail", 1);
	fixture_pass(&f, 3 * HOUR);
	fixture_resolve(&f, &i);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_RESOLVE, "mail", 1);
	assert_int_equal(f.sent[0].thread, f.sent[1].thread);
	assert_int_not_equal(f.sent[0].key, f.sent[1].key);
	assert_int_equal(notify_next_ms(f.notify), INT64_MAX);
	fixture_free(&f);
}

static void what_is_over_before_the_wait_is_told_to_nobody(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 30s}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, 20 * SECOND);
	fixture_resolve(&f, &i);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 0);
	fixture_free(&f);
}

static void without_a_receiver_nobody_is_told(void **state)
{
	struct fixture f = fixture_new(
		RECEIVERS "  route: {receiver: mail, wait: 0s, routes: [{environment: [DEV], "
			  "receiver: ''}]}\n");
	struct incident i = incident_at("DEV", "c", "g", f.now_ms);

	(void)state;
	fixture_change(&f, &i, INCIDENT_OPENED);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 0);
	fixture_free(&f);
}

static void what_gets_worse_is_told_again_what_gets_better_not(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s}\n");
	struct incident i = incident_at("PROD", "orders", "g", f.now_ms);

	(void)state;
	i.status = STATUS_WARN;
	fixture_change(&f, &i, INCIDENT_OPENED);
	fixture_pass(&f, MINUTE);
	i.status = STATUS_ERR;
	fixture_change(&f, &i, INCIDENT_WORSE);
	fixture_pass(&f, MINUTE);
	for (int k = 0; k < 10; k++) {
		i.status = k % 2 == 0 ? STATUS_WARN : STATUS_ERR;
		fixture_change(&f, &i, k % 2 == 0 ? INCIDENT_BETTER : INCIDENT_WORSE);
		fixture_pass(&f, MINUTE);
	}
	assert_int_equal(f.count, 2);
	assert_sent(&f, 0, MESSAGE_OPEN, "mail", 1);
	assert_sent(&f, 1, MESSAGE_UPDATE, "mail", 1);
	fixture_free(&f);
}

static void one_that_flaps_says_so_once(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, MINUTE);
	i.flapping = 1;
	fixture_change(&f, &i, INCIDENT_FLAPS);
	fixture_pass(&f, MINUTE);
	fixture_change(&f, &i, INCIDENT_OTHER_REASON);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_UPDATE, "mail", 1);
	fixture_free(&f);
}

/* --- repeats, acknowledging, escalation --- */

static void it_is_repeated_until_somebody_sees_to_it(void **state)
{
	struct fixture f =
		fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s, repeat_interval: 1h}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, 3 * HOUR + MINUTE);
	assert_int_equal(f.count, 4);
	for (size_t k = 1; k < 4; k++) {
		assert_sent(&f, k, MESSAGE_REPEAT, "mail", 1);
		assert_int_not_equal(f.sent[k].key, f.sent[k - 1].key);
	}
	i.state = INCIDENT_ACKNOWLEDGED;
	fixture_change(&f, &i, INCIDENT_WAS_ACKNOWLEDGED);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 4);
	fixture_resolve(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 5);
	assert_sent(&f, 4, MESSAGE_RESOLVE, "mail", 1);
	fixture_free(&f);
}

static void the_boss_is_told_when_nobody_acknowledges(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s, "
						 "repeat_interval: 0s, escalate_after: 30m, "
						 "escalate_to: boss}\n");
	struct incident one = fixture_incident(&f, "one");
	struct incident two = fixture_incident(&f, "two");

	(void)state;
	fixture_pass(&f, 10 * MINUTE);
	assert_sent(&f, 0, MESSAGE_OPEN, "mail", 2);
	two.state = INCIDENT_ACKNOWLEDGED;
	fixture_change(&f, &two, INCIDENT_WAS_ACKNOWLEDGED);
	fixture_pass(&f, 19 * MINUTE);
	assert_int_equal(f.count, 1);
	fixture_pass(&f, 24 * HOUR);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_ESCALATE, "boss", 1);
	assert_int_equal(f.sent[1].ids[0], one.id);
	fixture_resolve(&f, &two);
	fixture_resolve(&f, &one);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 4);
	for (size_t k = 2; k < 4; k++) {
		bool boss = strcmp(f.sent[k].receiver, "boss") == 0;

		assert_int_equal(f.sent[k].kind, MESSAGE_RESOLVE);
		assert_int_equal(f.sent[k].total, boss ? 1 : 2);
		assert_int_equal(f.sent[k].thread, f.sent[boss ? 1 : 0].thread);
	}
	fixture_free(&f);
}

static void who_was_not_told_is_not_told_of_the_end(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s, "
						 "escalate_after: 30m, escalate_to: boss}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, 10 * MINUTE);
	fixture_resolve(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_RESOLVE, "mail", 1);
	fixture_free(&f);
}

static void a_receiver_may_want_no_ends(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: quiet, wait: 0s}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, MINUTE);
	fixture_resolve(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 1);
	assert_int_equal(notify_next_ms(f.notify), INT64_MAX);
	fixture_free(&f);
}

/* --- silences --- */

static void what_is_silenced_keeps_still_and_speaks_after(void **state)
{
	struct fixture f =
		fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s, repeat_interval: 1h}\n");
	struct incident i = incident_at("PROD", "orders", "g", f.now_ms);

	(void)state;
	i.silenced = 1;
	fixture_change(&f, &i, INCIDENT_OPENED);
	fixture_pass(&f, 5 * HOUR);
	assert_int_equal(f.count, 0);
	i.silenced = 0;
	fixture_change(&f, &i, INCIDENT_SILENCE_ENDED);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 1);
	assert_sent(&f, 0, MESSAGE_OPEN, "mail", 1);
	i.silenced = 1;
	fixture_change(&f, &i, INCIDENT_WAS_SILENCED);
	fixture_pass(&f, 5 * HOUR);
	assert_int_equal(f.count, 1);
	fixture_resolve(&f, &i);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_RESOLVE, "mail", 1);
	fixture_free(&f);
}

/* --- groups --- */

static void incidents_of_a_cluster_are_told_of_together(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 30s}\n");
	struct incident i[100];
	struct incident other = incident_at("PROD", "payments", "g", f.now_ms);

	(void)state;
	for (int k = 0; k < 100; k++) {
		char group[16];

		snprintf(group, sizeof(group), "g%d", k);
		i[k] = fixture_incident(&f, group);
	}
	fixture_change(&f, &other, INCIDENT_OPENED);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 2);
	assert_int_not_equal(f.sent[0].thread, f.sent[1].thread);
	assert_int_equal(f.sent[0].total + f.sent[1].total, 101);
	assert_int_equal(f.sent[0].count + f.sent[1].count, 51);

	/* Some are over: with the next message, or after a while. The last: the end. */
	for (int k = 0; k < 99; k++)
		fixture_resolve(&f, &i[k]);
	fixture_pass(&f, 4 * MINUTE);
	assert_int_equal(f.count, 2);
	fixture_pass(&f, 2 * MINUTE);
	assert_int_equal(f.count, 3);
	assert_sent(&f, 2, MESSAGE_UPDATE, "mail", 100);
	assert_int_equal(f.sent[2].states[0], INCIDENT_OPEN);
	assert_int_equal(f.sent[2].states[1], INCIDENT_RESOLVED);
	fixture_resolve(&f, &i[99]);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 4);
	assert_sent(&f, 3, MESSAGE_RESOLVE, "mail", 1);
	fixture_free(&f);
}

/* --- routes --- */

/* The rules file says who owns a group: its incidents come in one message, of whatever cluster. */
static void incidents_of_an_owner_are_told_of_together(void **state)
{
	static const struct rules_label OWNERS[] = {{"owner", "ann", 1}, {"owner", "bob", 2}};
	struct rules_entry entries[] = {
		{.patterns = {"a-*", "*", "*", "*", "*"}, .labels = &OWNERS[0], .label_count = 1},
		{.patterns = {"b-*", "*", "*", "*", "*"}, .labels = &OWNERS[1], .label_count = 1},
	};
	static const struct {
		const char *cluster, *group;
	} GROUPS[] = {{"c1", "a-1"}, {"c2", "a-2"}, {"c1", "b-1"}, {"c1", "nobody's"}};
	const struct rules_base base = {.given = 0};
	struct rules_set *rules = rules_new("rules.yaml", 1, &base, entries, ARRAY_LEN(entries));
	struct fixture f =
		fixture_new(RECEIVERS "  route: {receiver: mail, wait: 30s, group_by: [owner]}\n");

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(GROUPS); k++) {
		struct incident i =
			incident_at("PROD", GROUPS[k].cluster, GROUPS[k].group, f.now_ms);

		notify_change(f.notify, &f.t, rules, &i, INCIDENT_OPENED, f.now_ms);
	}
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 3);
	size_t together = 0;
	for (size_t k = 0; k < f.count; k++) {
		assert_int_equal(f.sent[k].kind, MESSAGE_OPEN);
		together += f.sent[k].count == 2;
	}
	assert_int_equal(together, 1);
	rules_unref(&rules);
	fixture_free(&f);
}

static void routes_follow_place_status_and_reason(void **state)
{
	struct fixture f = fixture_new(
		RECEIVERS
		"  route:\n"
		"    receiver: mail\n"
		"    wait: 0s\n"
		"    routes:\n"
		"      - {environment: [PROD], continue: true, receiver: hook, status: [ERR]}\n"
		"      - {environment: [PROD], receiver: boss, reason: [no_members]}\n"
		"      - {kind: [blind], receiver: night}\n");
	struct incident a = incident_at("PROD", "c", "a", f.now_ms);
	struct incident b = incident_at("DEV", "c", "", f.now_ms);
	struct incident c = incident_at("PROD", "c", "c", f.now_ms);

	(void)state;
	a.reason = REASON_NO_MEMBERS;
	fixture_change(&f, &a, INCIDENT_OPENED);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 2);
	assert_string_equal(f.sent[0].receiver, "hook");
	assert_string_equal(f.sent[1].receiver, "boss");
	fixture_change(&f, &b, INCIDENT_OPENED);
	fixture_pass(&f, SECOND);
	assert_sent(&f, 2, MESSAGE_OPEN, "night", 1);
	c.status = STATUS_WARN;
	fixture_change(&f, &c, INCIDENT_OPENED);
	fixture_pass(&f, SECOND);
	assert_sent(&f, 3, MESSAGE_OPEN, "mail", 1);

	/* It gets worse: the route for ERR takes it, and the first one hears of its end. */
	c.status = STATUS_ERR;
	fixture_change(&f, &c, INCIDENT_WORSE);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 6);
	fixture_resolve(&f, &c);
	fixture_pass(&f, 10 * MINUTE);
	assert_int_equal(f.count, 8);
	fixture_free(&f);
}

static void less_than_the_least_status_only_shows(void **state)
{
	struct fixture f =
		fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s, min_status: ERR}\n");
	struct incident i = incident_at("PROD", "c", "g", f.now_ms);

	(void)state;
	i.status = STATUS_WARN;
	fixture_change(&f, &i, INCIDENT_OPENED);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 0);
	i.status = STATUS_ERR;
	fixture_change(&f, &i, INCIDENT_WORSE);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 1);
	assert_sent(&f, 0, MESSAGE_OPEN, "mail", 1);
	fixture_free(&f);
}

/* --- hours --- */

static void outside_of_its_hours_a_route_waits_for_them(void **state)
{
	struct fixture f = fixture_new(
		RECEIVERS "  route: {receiver: mail, wait: 0s, hours: {days: [mon, tue, wed, thu, "
			  "fri], from: '09:00', to: '17:00', timezone: Europe/Berlin}}\n");

	(void)state;
	/* Monday, 09:00 in Berlin. */
	fixture_incident(&f, "a");
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 1);
	f.now_ms = T0 + 4 * 24 * HOUR + 9 * HOUR; /* Friday evening */
	struct incident over = fixture_incident(&f, "over");

	fixture_incident(&f, "b");
	fixture_pass(&f, HOUR);
	fixture_resolve(&f, &over);
	size_t before = f.count;

	fixture_pass(&f, 62 * HOUR - SECOND);
	assert_int_equal(f.count, before);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, before + 1);
	assert_int_equal(f.now_ms, T0 + 7 * 24 * HOUR);
	assert_sent(&f, before, MESSAGE_UPDATE, "mail", 2);
	fixture_free(&f);
}

static void outside_of_its_hours_another_is_told(void **state)
{
	struct fixture f = fixture_new(
		RECEIVERS "  route: {receiver: mail, wait: 0s, repeat_interval: 0s, hours: {from: "
			  "'08:00', to: '18:00', otherwise: night}}\n");

	(void)state;
	f.now_ms = T0 + 12 * HOUR;
	struct incident i = fixture_incident(&f, "a");

	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 1);
	assert_sent(&f, 0, MESSAGE_OPEN, "night", 1);
	fixture_pass(&f, 20 * HOUR); /* the next day, in its hours */
	fixture_resolve(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_RESOLVE, "night", 1);
	assert_int_equal(notify_next_ms(f.notify), INT64_MAX);

	/* Told by day, over by night: its end is told by day. */
	f.now_ms = T0 + 48 * HOUR;
	i = fixture_incident(&f, "b");
	fixture_pass(&f, SECOND);
	f.now_ms = T0 + 48 * HOUR + 12 * HOUR;
	fixture_resolve(&f, &i);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 3);
	fixture_pass(&f, 11 * HOUR);
	assert_int_equal(f.count, 4);
	assert_sent(&f, 3, MESSAGE_RESOLVE, "mail", 1);
	fixture_free(&f);
}

/* --- Alertmanager --- */

static void alertmanager_hears_of_all_again_and_again(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: am}\n");
	struct incident i[120];

	(void)state;
	for (int k = 0; k < 120; k++) {
		char group[16];

		snprintf(group, sizeof(group), "g%d", k);
		i[k] = fixture_incident(&f, group);
	}
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 3);
	assert_int_equal(f.sent[0].count + f.sent[1].count + f.sent[2].count, 120);
	i[0].state = INCIDENT_ACKNOWLEDGED;
	fixture_change(&f, &i[0], INCIDENT_WAS_ACKNOWLEDGED);
	fixture_pass(&f, 2 * MINUTE);
	assert_int_equal(f.count, 6);
	fixture_resolve(&f, &i[0]);
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 7);
	assert_sent(&f, 6, MESSAGE_UPDATE, "am", 1);
	assert_int_equal(f.sent[6].states[0], INCIDENT_RESOLVED);
	fixture_pass(&f, 2 * MINUTE);
	assert_int_equal(f.count, 10);
	for (int k = 1; k < 120; k++)
		fixture_resolve(&f, &i[k]);
	fixture_pass(&f, HOUR);
	assert_int_equal(f.count, 13);
	assert_int_equal(notify_next_ms(f.notify), INT64_MAX);
	fixture_free(&f);
}

static void alertmanager_goes_on_hearing_of_what_was_told_before_it_was_silenced(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: am}\n");
	struct incident told = fixture_incident(&f, "told");

	(void)state;
	fixture_pass(&f, SECOND);
	assert_int_equal(f.count, 1);
	told.silenced = 1;
	fixture_change(&f, &told, INCIDENT_WAS_SILENCED);
	told.status = STATUS_ERR;
	fixture_change(&f, &told, INCIDENT_WORSE);
	fixture_pass(&f, 2 * MINUTE);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_REPEAT, "am", 1);
	notify_hold(f.notify, &f.t, told.cluster_id, true, f.now_ms);
	fixture_pass(&f, 2 * MINUTE);
	assert_int_equal(f.count, 3);
	fixture_resolve(&f, &told);
	fixture_pass(&f, 10 * MINUTE);
	assert_int_equal(f.count, 3);
	fixture_free(&f);
}

/* --- storms --- */

static size_t count_to(const struct fixture *f, const char *receiver)
{
	size_t count = 0;

	for (size_t i = 0; i < f->count; i++)
		count += strcmp(f->sent[i].receiver, receiver) == 0;
	return count;
}

/* 1,000 groups of 40 clusters go up and down every few minutes for an hour, with nothing before
 * notify that damps it; then all is well. */
static void a_storm_of_a_thousand_groups_is_few_messages(void **state)
{
	static struct incident is[1000];
	struct fixture f =
		fixture_new(RECEIVERS "  route: {receiver: mail, wait: 30s, escalate_after: 30m, "
				      "escalate_to: boss, storm_limit: 10, storm_span: 30m}\n");
	unsigned seed = 1;

	(void)state;
	for (int s = 0; s < 240; s++) {
		for (int k = 0; k < 1000; k++) {
			char group[16], cluster[16];

			seed = seed * 1103515245 + 12345;
			if ((seed >> 16) % 10 != 0)
				continue;
			if (is[k].state == INCIDENT_OPEN) {
				fixture_resolve(&f, &is[k]);
				continue;
			}
			snprintf(group, sizeof(group), "g%d", k);
			snprintf(cluster, sizeof(cluster), "c%d", k % 40);
			is[k] = incident_at("PROD", cluster, group, f.now_ms);
			fixture_change(&f, &is[k], INCIDENT_OPENED);
		}
		fixture_pass(&f, 15 * SECOND);
	}
	for (int k = 0; k < 1000; k++) {
		if (is[k].state == INCIDENT_OPEN)
			fixture_resolve(&f, &is[k]);
	}
	fixture_pass(&f, 2 * HOUR);
	print_message("storm: %zu messages, %zu mail, %zu boss\n", f.count, count_to(&f, "mail"),
		      count_to(&f, "boss"));
	assert_true(f.count < 30);
	assert_true(count_to(&f, "mail") >= 10);
	assert_int_equal(notify_next_ms(f.notify), INT64_MAX);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_incident_is_told_of_once_and_its_end_too),
		cmocka_unit_test(what_is_over_before_the_wait_is_told_to_nobody),
		cmocka_unit_test(without_a_receiver_nobody_is_told),
		cmocka_unit_test(what_gets_worse_is_told_again_what_gets_better_not),
		cmocka_unit_test(one_that_flaps_says_so_once),
		cmocka_unit_test(it_is_repeated_until_somebody_sees_to_it),
		cmocka_unit_test(the_boss_is_told_when_nobody_acknowledges),
		cmocka_unit_test(who_was_not_told_is_not_told_of_the_end),
		cmocka_unit_test(a_receiver_may_want_no_ends),
		cmocka_unit_test(what_is_silenced_keeps_still_and_speaks_after),
		cmocka_unit_test(incidents_of_a_cluster_are_told_of_together),
		cmocka_unit_test(incidents_of_an_owner_are_told_of_together),
		cmocka_unit_test(routes_follow_place_status_and_reason),
		cmocka_unit_test(less_than_the_least_status_only_shows),
		cmocka_unit_test(outside_of_its_hours_a_route_waits_for_them),
		cmocka_unit_test(outside_of_its_hours_another_is_told),
		cmocka_unit_test(alertmanager_hears_of_all_again_and_again),
		cmocka_unit_test(
			alertmanager_goes_on_hearing_of_what_was_told_before_it_was_silenced),
		cmocka_unit_test(a_storm_of_a_thousand_groups_is_few_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
