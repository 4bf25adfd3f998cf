/* SPDX-License-Identifier: Apache-2.0 */

/* Silences that the configuration has: the windows of a week. */

#include "aggregator/alert/silence_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/config.h"
#include "common/err.h"
#include "temp.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define MONDAY INT64_C(1772409600000) /* 2026-03-02, 00:00 UTC */

struct fixture {
	struct temp temp;
	struct aggregator_config *config;
	struct store *store;
	struct silences *silences;
	struct store_txn t;
};

static struct fixture fixture_new(const char *silences)
{
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	struct fixture f = {.temp = temp_make(), .silences = silences_new()};
	char why[512] = "";

	buf_printf(&text, "data_dir: /tmp/x\nalert:\n  silences:\n%s", silences);
	if (aggregator_config_parse("a.yaml", text.data, text.size, &f.config, &errors) != ERR_OK)
		fail_msg("%s", buf_str(&errors));
	assert_int_equal(silence_config_fix(&f.config->alert, f.silences), ERR_OK);
	assert_int_equal(store_open(f.temp.dir, (size_t)64 << 20, why, &f.store), ERR_OK);
	f.t = store_begin(f.store, true);
	silences_load(f.silences, &f.t);
	return f;
}

static void fixture_free(struct fixture *f)
{
	store_abort(&f->t);
	store_close(&f->store);
	silences_free(&f->silences);
	aggregator_config_free(&f->config);
	temp_remove(&f->temp);
}

/* Whether an incident of PROD/orders is silenced at a time. */
static bool silent(struct fixture *f, const char *group, enum status status, int64_t at_ms)
{
	struct incident i = {.kind = INCIDENT_GROUP,
			     .status = (uint8_t)status,
			     .worst = (uint8_t)status,
			     .reason = REASON_NO_COMMITS};

	strcpy(i.environment, "PROD");
	strcpy(i.cluster, "orders");
	strcpy(i.group, group);
	silences_tick(f->silences, &f->t, at_ms);
	assert_true(silences_next_ms(f->silences) > at_ms);
	return silences_match(f->silences, NULL, &i);
}

static void a_window_comes_again_each_week(void **state)
{
	struct fixture f = fixture_new("    - {days: [sat, sun], from: '22:00', to: '06:00'}\n");

	(void)state;
	for (int week = 0; week < 60; week++) {
		int64_t saturday = MONDAY + (7 * week + 5) * DAY;

		assert_false(silent(&f, "g", STATUS_ERR, saturday + 22 * HOUR - 1));
		assert_true(silent(&f, "g", STATUS_ERR, saturday + 22 * HOUR));
		assert_true(silent(&f, "g", STATUS_ERR, saturday + 30 * HOUR - 1));
		assert_false(silent(&f, "g", STATUS_ERR, saturday + 30 * HOUR));
		assert_true(silent(&f, "g", STATUS_ERR, saturday + 2 * DAY + 5 * HOUR));
		assert_false(silent(&f, "g", STATUS_ERR, saturday + 2 * DAY + 23 * HOUR));
	}
	fixture_free(&f);
}

/* Summer begins on 2026-03-29 in Berlin: ten o'clock is an hour earlier from then on. */
static void it_follows_the_clocks_of_its_zone(void **state)
{
	struct fixture f =
		fixture_new("    - {from: '10:00', to: '11:00', timezone: Europe/Berlin}\n");

	(void)state;
	for (int day = 0; day < 60; day++) {
		int64_t begin = MONDAY + day * DAY + (day < 27 ? 9 : 8) * HOUR;

		assert_false(silent(&f, "g", STATUS_ERR, begin - 1));
		assert_true(silent(&f, "g", STATUS_ERR, begin));
		assert_true(silent(&f, "g", STATUS_ERR, begin + HOUR - 1));
		assert_false(silent(&f, "g", STATUS_ERR, begin + HOUR));
	}
	fixture_free(&f);
}

static void it_is_for_what_it_names(void **state)
{
	struct fixture f = fixture_new("    - {environment: PROD, group: 'batch-*', status: WARN}\n"
				       "    - {cluster: other}\n"
				       "    - {group: nightly, reason: no_commits, days: [tue]}\n");

	(void)state;
	assert_true(silent(&f, "batch-1", STATUS_WARN, MONDAY));
	assert_false(silent(&f, "batch-1", STATUS_ERR, MONDAY));
	assert_false(silent(&f, "web", STATUS_WARN, MONDAY));
	assert_false(silent(&f, "nightly", STATUS_ERR, MONDAY));
	assert_true(silent(&f, "nightly", STATUS_ERR, MONDAY + DAY));
	fixture_free(&f);
}

/* They are no part of the store: a transaction that failed does not touch them, nobody takes them
 * out, and they do not count among those that people make. */
static void they_stay_and_others_come_and_go(void **state)
{
	struct fixture f = fixture_new("    - {group: g, note: mine}\n");
	struct silence first, again, other = {.until_ms = MONDAY + DAY};

	(void)state;
	silence_config_get(&f.config->alert, 0, &first);
	silence_config_get(&f.config->alert, 0, &again);
	assert_memory_equal(&first, &again, sizeof(first));
	assert_true(first.id != 0);
	assert_string_equal(first.note, "mine");
	assert_string_equal(first.by, "configuration");
	strcpy(other.group, "h");
	strcpy(other.environment, "*");
	strcpy(other.cluster, "*");
	strcpy(other.topic, "*");
	for (size_t k = 0; k < SILENCES_MAX; k++)
		assert_int_equal(silences_add(f.silences, &f.t, &other), ERR_OK);
	assert_int_equal(silences_add(f.silences, &f.t, &other), ERR_LIMIT);
	assert_int_equal(silences_del(f.silences, &f.t, first.id), ERR_NOT_FOUND);
	assert_true(silent(&f, "g", STATUS_ERR, MONDAY));
	assert_true(silent(&f, "h", STATUS_ERR, MONDAY));
	store_abort(&f.t);
	f.t = store_begin(f.store, true);
	silences_load(f.silences, &f.t);
	assert_true(silent(&f, "g", STATUS_ERR, MONDAY));
	assert_false(silent(&f, "h", STATUS_ERR, MONDAY));
	assert_true(silent(&f, "g", STATUS_ERR, MONDAY + 3650 * DAY));
	fixture_free(&f);
}

static void mistakes_say_what_and_where(void **state)
{
	static const struct {
		const char *silence, *said;
	} CASES[] = {
		{"{days: [someday]}", "days"},
		{"{from: '25:00'}", "from"},
		{"{timezone: Mars/Olympus}", "timezone"},
		{"{status: BAD}", "status"},
		{"{reason: dunno}", "reason"},
		{"{group: ''}", "group"},
		{"{groups: x}", "groups"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		CLEANUP(buf_free) struct buf text = {0};
		CLEANUP(buf_free) struct buf errors = {0};
		CLEANUP(buf_free) struct buf start = {0};
		struct aggregator_config *cfg = NULL;

		buf_printf(&text, "data_dir: /tmp/x\nalert:\n  silences:\n    - %s\n",
			   CASES[k].silence);
		assert_int_equal(
			aggregator_config_parse("a.yaml", text.data, text.size, &cfg, &errors),
			ERR_CONFIG);
		buf_printf(&start, "a.yaml:4: %s: ", CASES[k].said);
		if (strncmp(buf_str(&errors), buf_str(&start), start.size) != 0)
			fail_msg("%s", buf_str(&errors));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_comes_again_each_week),
		cmocka_unit_test(it_follows_the_clocks_of_its_zone),
		cmocka_unit_test(it_is_for_what_it_names),
		cmocka_unit_test(they_stay_and_others_come_and_go),
		cmocka_unit_test(mistakes_say_what_and_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
