/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "notify_fixture.h"

#define HEAD                                                                                       \
	"  receivers: [{name: a, type: none}, {name: b, type: none}, {name: c, type: none}]\n"     \
	"  route:\n"                                                                               \
	"    receiver: a\n"

struct bench {
	struct aggregator_config *config;
	struct route_set *routes;
};

static struct bench make(const char *alert)
{
	struct bench b = {.config = fixture_config(alert)};

	assert_int_equal(route_set_new(&b.config->alert, &b.routes), ERR_OK);
	return b;
}

static void bench_free(struct bench *b)
{
	route_set_free(&b->routes);
	aggregator_config_free(&b->config);
}

/* The names of the routes that take an incident, each with a blank. */
static const char *taken(const struct bench *b, const struct incident *i, const char *team)
{
	static char names[256];
	const struct route *routes[ROUTE_MATCHES_MAX];
	const struct rules_label label = {.name = "team", .value = team};
	size_t count = route_match(b->routes, i, &label, team == NULL ? 0 : 1, routes);

	names[0] = '\0';
	for (size_t k = 0; k < count; k++) {
		strcat(names, routes[k]->config->name);
		strcat(names, " ");
		assert_ptr_equal(route_find(b->routes, routes[k]->hash), routes[k]);
	}
	return names;
}

static void the_first_that_matches_has_it(void **state)
{
	struct bench b =
		make(HEAD "    routes:\n"
			  "      - {name: p, environment: [PROD], routes: [{name: pc, cluster: "
			  "[c*]}]}\n"
			  "      - {name: any, environment: ['*']}\n"
			  "      - {name: never}\n");
	struct incident i = incident_at("PROD", "c1", "g", T0);
	struct incident d = incident_at("DEV", "c1", "g", T0);
	struct incident x = incident_at("PROD", "x", "g", T0);

	(void)state;
	assert_string_equal(taken(&b, &i, NULL), "pc ");
	assert_string_equal(taken(&b, &x, NULL), "p ");
	assert_string_equal(taken(&b, &d, NULL), "any ");
	bench_free(&b);
}

static void with_continue_others_have_it_too(void **state)
{
	struct bench b = make(HEAD "    routes:\n"
				   "      - {name: x, continue: true, receiver: b}\n"
				   "      - {name: y, continue: true, cluster: [other]}\n"
				   "      - {name: z, routes: [{name: z1, continue: true}, {name: "
				   "z2}]}\n"
				   "      - {name: never}\n");
	struct incident i = incident_at("PROD", "c1", "g", T0);

	(void)state;
	assert_string_equal(taken(&b, &i, NULL), "x z1 z2 ");
	bench_free(&b);
}

static void labels_are_matched_by_pattern(void **state)
{
	struct bench b = make(HEAD "    routes:\n"
				   "      - {name: x, label: {team: 'pay*'}}\n"
				   "      - {name: none, label: {team: ''}}\n");
	struct incident i = incident_at("PROD", "c1", "g", T0);

	(void)state;
	assert_string_equal(taken(&b, &i, "payments"), "x ");
	assert_string_equal(taken(&b, &i, "orders"), "top ");
	assert_string_equal(taken(&b, &i, NULL), "none ");
	bench_free(&b);
}

static void groups_are_named_by_what_they_share(void **state)
{
	CLEANUP(buf_free) struct buf by = {0};
	struct bench b = make(HEAD "    group_by: [environment, topic, reason, team, owner]\n");
	const struct route *routes[ROUTE_MATCHES_MAX];
	const struct rules_label label = {.name = "team", .value = "pay"};
	struct incident i = incident_at("PROD", "c1", "g", T0);

	(void)state;
	snprintf(i.topic, sizeof(i.topic), "t");
	assert_int_equal(route_match(b.routes, &i, &label, 1, routes), 1);
	route_put_group(routes[0], &i, &label, 1, &by);
	assert_string_equal(buf_str(&by),
			    "environment=PROD topic=t reason=no_commits team=pay owner=");
	bench_free(&b);
}

static const struct route *only(const struct bench *b)
{
	const struct route *routes[ROUTE_MATCHES_MAX];
	struct incident i = incident_at("PROD", "c1", "g", T0);

	assert_int_equal(route_match(b->routes, &i, NULL, 0, routes), 1);
	return routes[0];
}

/* Also on the two days a year when the clocks are changed. */
static void hours_follow_the_clocks_of_their_zone(void **state)
{
	struct bench b = make(HEAD "    hours: {from: '08:00', to: '18:00', timezone: "
				   "Europe/Berlin}\n");
	const struct route *r = only(&b);
	const int64_t winter = INT64_C(1774656000000); /* 2026-03-28, a Saturday, 00:00 UTC */
	const int64_t summer = winter + 24 * HOUR;     /* the clocks go forward at 01:00 UTC */

	(void)state;
	assert_false(route_in_hours(r, winter + 7 * HOUR - 1));
	assert_true(route_in_hours(r, winter + 7 * HOUR));
	assert_true(route_in_hours(r, winter + 17 * HOUR - 1));
	assert_false(route_in_hours(r, winter + 17 * HOUR));
	assert_false(route_in_hours(r, summer + 6 * HOUR - 1));
	assert_true(route_in_hours(r, summer + 6 * HOUR));
	assert_int_equal(route_hours_begin(r, winter + 17 * HOUR), summer + 6 * HOUR);
	bench_free(&b);
}

static void hours_over_midnight_are_of_the_day_they_begin(void **state)
{
	struct bench b = make(HEAD "    hours: {days: [mon], from: '22:00', to: '06:00'}\n");
	const struct route *r = only(&b);

	(void)state;
	/* T0 is a Monday, 08:00. */
	assert_false(route_in_hours(r, T0 - 3 * HOUR));
	assert_false(route_in_hours(r, T0));
	assert_true(route_in_hours(r, T0 + 14 * HOUR));
	assert_true(route_in_hours(r, T0 + 22 * HOUR - 1));
	assert_false(route_in_hours(r, T0 + 22 * HOUR));
	assert_false(route_in_hours(r, T0 + 24 * HOUR + 14 * HOUR));
	assert_int_equal(route_hours_begin(r, T0 + 22 * HOUR), T0 + 7 * 24 * HOUR + 14 * HOUR);
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_matches_has_it),
		cmocka_unit_test(with_continue_others_have_it_too),
		cmocka_unit_test(labels_are_matched_by_pattern),
		cmocka_unit_test(groups_are_named_by_what_they_share),
		cmocka_unit_test(hours_follow_the_clocks_of_their_zone),
		cmocka_unit_test(hours_over_midnight_are_of_the_day_they_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
