/* SPDX-License-Identifier: Apache-2.0 */

/* The body of POST /api/v2/alerts, as Alertmanager's openapi.yaml has it. */

#include "aggregator/alert/alertmanager.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/example.h"

#define AT_MS INT64_C(1700000000000) /* 2023-11-14T22:13:20Z */

static struct incident trouble(void)
{
	struct incident i = {
		.id = 0x5eed,
		.kind = INCIDENT_GROUP,
		.state = INCIDENT_OPEN,
		.change = INCIDENT_OPENED,
		.status = STATUS_WARN,
		.worst = STATUS_WARN,
		.reason = REASON_NO_PROGRESS,
		.opened_ms = AT_MS - 240000,
		.changed_ms = AT_MS - 60000,
		.partition = 3,
		.lag = 4711,
		.time_lag_ms = 240000,
	};

	strcpy(i.environment, "PROD");
	strcpy(i.cluster, "seoul");
	strcpy(i.topic, "orders");
	strcpy(i.group, "a\"b");
	strcpy(i.sentence, "no progress for 4 min");
	return i;
}

/* What is posted of one incident, with a label of this name. */
static struct buf post(const struct incident *i, const char *page, const char *label)
{
	CLEANUP(message_free) struct message *m = example_of(i, "am", page, AT_MS);
	struct buf out = {0};

	assert_non_null(m);
	assert_true(example_label(m, 0, label, "shop"));
	alertmanager_put(&out, m, AT_MS);
	assert_int_equal(out.err, 0);
	return out;
}

static void expect(const struct incident *i, const char *expected)
{
	CLEANUP(buf_free) struct buf got = post(i, "https://w", "team");

	assert_string_equal(buf_str(&got), expected);
}

#define LABELS(severity_)                                                                          \
	"{\"labels\":{\"alertname\":\"WarrenConsumerGroup\",\"environment\":\"PROD\","             \
	"\"cluster\":\"seoul\",\"group\":\"a\\\"b\",\"severity\":\"" severity_                     \
	"\",\"team\":\"shop\"},"
#define ANNOTATIONS(word_, status_)                                                                \
	"\"annotations\":{\"summary\":\"[" word_ "] PROD/seoul: a\\\"b\","                         \
	"\"description\":\"no progress for 4 min\",\"status\":\"" status_ "\","                    \
	"\"reason\":\"no_progress\",\"topic\":\"orders\",\"partition\":\"3\",\"lag\":\"4711\","    \
	"\"time_lag\":\"4m 0s\",\"id\":\"0000000000005eed\"},"
#define TIMES(end_)                                                                                \
	"\"startsAt\":\"2023-11-14T22:09:20Z\",\"endsAt\":\"" end_ "\","                           \
	"\"generatorURL\":\"https://w/#/incidents/0000000000005eed\"}"

/* It ends by itself five minutes after it was told of last. */
static void what_lasts_ends_in_a_while(void **state)
{
	const struct incident i = trouble();

	(void)state;
	expect(&i,
	       "[" LABELS("warning") ANNOTATIONS("WARN", "WARN") TIMES("2023-11-14T22:18:20Z") "]");
}

static void what_is_over_has_ended(void **state)
{
	struct incident i = trouble();

	(void)state;
	i.state = INCIDENT_RESOLVED;
	i.change = INCIDENT_WAS_RESOLVED;
	i.status = STATUS_OK;
	i.worst = STATUS_ERR;
	i.resolved_ms = AT_MS - 20000;
	expect(&i, "[" LABELS("critical") ANNOTATIONS("resolved", "OK")
			   TIMES("2023-11-14T22:13:00Z") "]");
	/* It never ends before it began, or in the future: both are refused. */
	i.resolved_ms = i.opened_ms - 1000;
	expect(&i, "[" LABELS("critical") ANNOTATIONS("resolved", "OK")
			   TIMES("2023-11-14T22:09:20Z") "]");
	i.resolved_ms = AT_MS + 60000;
	expect(&i, "[" LABELS("critical") ANNOTATIONS("resolved", "OK")
			   TIMES("2023-11-14T22:13:20Z") "]");
}

static void a_cluster_that_is_blind_has_its_own_name(void **state)
{
	struct incident i = trouble();

	(void)state;
	i.kind = INCIDENT_BLIND;
	i.group[0] = i.topic[0] = '\0';
	i.lag = i.time_lag_ms = -1;
	CLEANUP(buf_free) struct buf got = post(&i, "", "team");
	assert_string_equal(
		buf_str(&got),
		"[{\"labels\":{\"alertname\":\"WarrenClusterBlind\",\"environment\":\"PROD\","
		"\"cluster\":\"seoul\",\"group\":\"\",\"severity\":\"warning\",\"team\":\"shop\"},"
		"\"annotations\":{\"summary\":\"[blind] PROD/seoul\","
		"\"description\":\"no progress for 4 min\",\"status\":\"WARN\","
		"\"reason\":\"no_progress\",\"id\":\"0000000000005eed\"},"
		"\"startsAt\":\"2023-11-14T22:09:20Z\",\"endsAt\":\"2023-11-14T22:18:20Z\"}]");
}

/* Names of labels are [a-zA-Z_][a-zA-Z0-9_]*, and none takes the place of ours. */
static void labels_get_names_that_are_taken(void **state)
{
	static const struct {
		const char *given, *name;
	} CASES[] = {
		{"run-book.url", "run_book_url"}, {"1st", "_1st"}, {"\xc3\xa4", "__"},
		{"severity", "severity_"},        {"a\"b", "a_b"},
	};
	const struct incident i = trouble();

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
		CLEANUP(buf_free) struct buf got = post(&i, "", CASES[k].given);
		CLEANUP(buf_free) struct buf expected = {0};

		buf_printf(&expected, "\"severity\":\"warning\",\"%s\":\"shop\"}", CASES[k].name);
		if (strstr(buf_str(&got), buf_str(&expected)) == NULL)
			fail_msg("%s: %s", CASES[k].given, buf_str(&got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lasts_ends_in_a_while),
		cmocka_unit_test(what_is_over_has_ended),
		cmocka_unit_test(a_cluster_that_is_blind_has_its_own_name),
		cmocka_unit_test(labels_get_names_that_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
