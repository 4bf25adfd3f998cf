/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/example.h"
#include "common/err.h"

#define AT_MS INT64_C(1700000000000)

/* --- README.md has the table --- */

/* Go to the row after the head of the table of fields. */
static FILE *open_table(void)
{
	FILE *f = fopen(SOURCE_DIR "/README.md", "re");
	char line[4096];

	assert_non_null(f);
	do
		assert_non_null(fgets(line, sizeof(line), f));
	while (strcmp(line, "| field | what it is |\n") != 0);
	assert_non_null(fgets(line, sizeof(line), f));
	return f;
}

static void the_readme_has_every_field_and_no_other(void **state)
{
	size_t count = 0;
	const struct field *fields = fields_all(&count);
	FILE *f = open_table();
	char line[4096];
	char expected[4096];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		snprintf(expected, sizeof(expected), "| `%s` | %s |\n", fields[i].name,
			 fields[i].help);
		assert_non_null(fgets(line, sizeof(line), f));
		assert_string_equal(line, expected);
	}
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "\n");
	assert_int_equal(fclose(f), 0);
}

static void names_are_there_once_and_are_found(void **state)
{
	size_t count = 0;
	const struct field *fields = fields_all(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(fields_find(fields[i].name, strlen(fields[i].name)), &fields[i]);
		assert_true((fields[i].type == FIELD_LIST) == (fields[i].put == NULL));
		assert_true((fields[i].type == FIELD_LIST) == (fields[i].list != FIELD_NO_LIST));
	}
	assert_null(fields_find("nothing", 7));
	assert_null(fields_find("kindred", 7));
}

/* --- what they say --- */

static void expect(const struct message *m, const char *name, const char *value)
{
	CLEANUP(buf_free) struct buf out = {0};
	const struct fields_at at = {.message = m, .to = "t", .from = "f", .sms = "s"};

	fields_find(name, strlen(name))->put(&at, &out);
	if (strcmp(buf_str(&out), value) != 0)
		fail_msg("%s: %s, not %s", name, buf_str(&out), value);
}

static void of_an_incident_that_lasts(void **state)
{
	struct message *m = example_message("r", "1", "https://w/", MESSAGE_OPEN, AT_MS);
	struct incident *i = &m->incidents[0].incident;

	(void)state;
	expect(m, "kind", "open");
	expect(m, "open", "true");
	expect(m, "resolve", "false");
	expect(m, "at", "2023-11-14T22:13:20Z");
	expect(m, "at_ms", "1700000000000");
	expect(m, "link", "https://w/#/incidents/5eed000000000004");
	expect(m, "opened", "2023-11-14T22:09:20Z");
	expect(m, "resolved", "");
	expect(m, "severity", "critical");
	i->lag = i->time_lag_ms = -1;
	expect(m, "lag", "");
	expect(m, "time_lag", "");
	i->time_lag_ms = 59999;
	expect(m, "time_lag", "59s");
	i->time_lag_ms = 3599999;
	expect(m, "time_lag", "59m 59s");
	i->time_lag_ms = 86399999;
	expect(m, "time_lag", "23h 59m");
	i->time_lag_ms = INT64_C(90000000);
	expect(m, "time_lag", "1d 1h");
	i->topic[0] = '\0';
	expect(m, "partition", "");
	message_free(&m);
}

static void of_one_that_is_over_and_of_none(void **state)
{
	struct message *m = example_message("r", "1", "", MESSAGE_RESOLVE, AT_MS + 60000);

	(void)state;
	m->incidents[0].incident.resolved_ms = AT_MS;
	expect(m, "status", "OK");
	expect(m, "worst", "ERR");
	expect(m, "over", "true");
	expect(m, "duration", "3m 0s");
	expect(m, "end", "recovered");
	expect(m, "link", "");
	expect(m, "title",
	       "[resolved] 2 incidents, environment=EXAMPLE; worst: [resolved] EXAMPLE/orders: "
	       "payments");
	m->total = 1;
	expect(m, "title", "[resolved] EXAMPLE/orders: payments");
	size_t count = m->count;
	m->count = 0;
	m->total = 7;
	expect(m, "more", "7");
	expect(m, "lag", "");
	expect(m, "duration", "");
	m->count = count;
	message_free(&m);
}

static void a_name_makes_no_lines_of_its_own(void **state)
{
	struct message *m = example_message("r", "1", "", MESSAGE_OPEN, AT_MS);
	CLEANUP(buf_free) struct buf out = {0};
	const struct fields_at at = {.message = m, .to = "", .from = "", .sms = ""};

	(void)state;
	m->count = m->total = 1;
	strcpy(m->incidents[0].incident.group, "g\n  lag: 0\r\nx");
	fields_find("text", 4)->put(&at, &out);
	assert_non_null(strstr(buf_str(&out), "EXAMPLE/orders: g   lag: 0  x\n"));
	m->count = 2;
	message_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_readme_has_every_field_and_no_other),
		cmocka_unit_test(names_are_there_once_and_are_found),
		cmocka_unit_test(of_an_incident_that_lasts),
		cmocka_unit_test(of_one_that_is_over_and_of_none),
		cmocka_unit_test(a_name_makes_no_lines_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
