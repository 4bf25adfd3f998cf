/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/rulebook.h"
#include "aggregator/rules_file.h"
#include "common/date.h"
#include "common/err.h"
#include "temp.h"

#define MINUTE 60000
#define HOUR 3600000
#define DAY 86400000

static const struct rules_base BASE = {
	.values = {.window_ms = 10 * MINUTE, .raise_after = 2, .clear_after = 2}};

static struct rules_set *parse(const char *yaml, struct buf *errors)
{
	struct rules_set *s = NULL;
	int err = rules_file_parse("etc/f", yaml, strlen(yaml), &BASE, errors, &s);

	assert_int_equal(err, errors->size == 0 ? ERR_OK : ERR_CONFIG);
	assert_true((s == NULL) == (err != ERR_OK));
	return s;
}

static struct rules_set *parse_good(const char *yaml)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct rules_set *s = parse(yaml, &errors);

	if (s == NULL)
		fail_msg("%s", buf_str(&errors));
	return s;
}

/* --- what is right --- */

static void nothing_is_no_rules(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "rules:\n", "rules: []\n", "# a comment\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(rules_unref) struct rules_set *s = parse_good(texts[i]);
		size_t count = 1;

		rules_entries(s, &count);
		assert_int_equal(count, 0);
		assert_int_equal(rules_max_window_ms(s), 10 * MINUTE);
	}
}

static const char FULL[] = "rules:\n"
			   "  - environment: PROD\n"
			   "    cluster: 's*'\n"
			   "    group: \"batch-*\"\n"
			   "    topic: orders\n"
			   "    partition: 3\n"
			   "    allowed_lag: 9\n"
			   "    max_time_lag: 10m\n"
			   "    window: 1h\n"
			   "    stop_after_min: 300s\n"
			   "    stop_after_max: 2h\n"
			   "    warn_after: 0s\n"
			   "    raise_after: 3\n"
			   "    clear_after: 4\n"
			   "    ignore: true\n"
			   "    maintenance: {until: 2026-12-01T06:00:00Z, why: 'broker upgrade'}\n"
			   "    labels: {team: payments, \"a b\": \"\"}\n"
			   "  - expire_group: 1d\n";

static void a_full_rule_is_read(void **state)
{
	(void)state;
	CLEANUP(rules_unref) struct rules_set *s = parse_good(FULL);
	size_t count = 0;
	const struct rules_entry *e = rules_entries(s, &count);

	assert_int_equal(count, 2);
	assert_string_equal(rules_file(s), "f");
	assert_string_equal(e->patterns[RULES_ENVIRONMENT], "PROD");
	assert_string_equal(e->patterns[RULES_CLUSTER], "s*");
	assert_string_equal(e->patterns[RULES_GROUP], "batch-*");
	assert_string_equal(e->patterns[RULES_TOPIC], "orders");
	assert_string_equal(e->patterns[RULES_PARTITION], "3");
	assert_int_equal(e->values.allowed_lag, 9);
	assert_int_equal(e->values.max_time_lag_ms, 10 * MINUTE);
	assert_int_equal(e->values.window_ms, HOUR);
	assert_int_equal(e->values.stop_after_min_ms, 5 * MINUTE);
	assert_int_equal(e->values.stop_after_max_ms, 2 * HOUR);
	assert_int_equal(e->values.warn_after_ms, 0);
	assert_int_equal(e->values.raise_after, 3);
	assert_int_equal(e->values.clear_after, 4);
	assert_true(e->values.ignore);
	assert_true(e->values.maintenance_until_ms == 1796104800000);
	assert_string_equal(e->values.maintenance_why, "broker upgrade");
	assert_int_equal(e->given, (1u << RULES_KEYS) - 1 - (1u << RULES_EXPIRE_GROUP));
	assert_int_equal(e->line, 2);
	assert_int_equal(e->lines[RULES_ALLOWED_LAG], 7);
	assert_int_equal(e->lines[RULES_MAINTENANCE], 16);
	assert_int_equal(e->label_count, 2);
	assert_string_equal(e->labels[1].name, "a b");
	assert_int_equal(e->labels[1].line, 17);
	assert_string_equal(e[1].patterns[RULES_GROUP], "*");
	assert_int_equal(e[1].given, 1u << RULES_EXPIRE_GROUP);
	assert_int_equal(e[1].values.expire_group_ms, DAY);
	assert_int_equal(rules_max_window_ms(s), HOUR);
}

static void keys_without_a_value_are_not_given(void **state)
{
	(void)state;
	CLEANUP(rules_unref)
	struct rules_set *s = parse_good("rules:\n- allowed_lag:\n  window: ~\n  maintenance:\n  "
					 "labels: {}\n  ignore: false\n");
	size_t count = 0;

	assert_int_equal(rules_entries(s, &count)->given, 1u << RULES_IGNORE);
}

static const struct {
	const char *text;
	int64_t ms;
} TIMES[] = {
	{"1970-01-01T00:00:01Z", 1000},
	{"2026-12-01T06:00:00Z", 1796104800000},
	{"2026-12-01T15:00:00+09:00", 1796104800000},
	{"2026-12-01T01:30:00-04:30", 1796104800000},
	{"2028-02-29T23:59:59Z", 1835481599000},
};

static void times_are_read_and_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
		CLEANUP(buf_free) struct buf yaml = {0};
		CLEANUP(buf_free) struct buf shown = {0};
		size_t count = 0;

		buf_printf(&yaml, "rules: [{maintenance: {until: '%s'}}]", TIMES[i].text);
		CLEANUP(rules_unref) struct rules_set *s = parse_good(buf_str(&yaml));
		const struct rules *r = &rules_entries(s, &count)->values;
		assert_true(r->maintenance_until_ms == TIMES[i].ms);
		date_put(&shown, TIMES[i].ms);
		if (strchr(TIMES[i].text, 'Z') != NULL)
			assert_string_equal(buf_str(&shown), TIMES[i].text);
	}
}

static void the_example_is_right_and_has_every_key(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(rules_unref) struct rules_set *s = NULL;
	size_t count = 0;

	if (rules_file_load(SOURCE_DIR "/deploy/rules.example.yaml", &BASE, &errors, &s) != ERR_OK)
		fail_msg("%s", buf_str(&errors));
	const struct rules_entry *e = rules_entries(s, &count);
	assert_int_equal(e->given, (1u << RULES_KEYS) - 1);
	assert_int_equal(e->label_count, 2);
	assert_string_equal(rules_file(s), "rules.example.yaml");
}

/* --- what is wrong --- */

#define UNTIL " is no time; expects one such as 2026-12-01T06:00:00Z\n"
#define DURATION "expects a duration such as 30s (units ms, s, m, h, d)\n"

static const struct {
	const char *yaml;
	const char *errors;
} BAD[] = {
	{"rule: []", "etc/f:1: rule: unknown; did you mean rules?\n"},
	{"rules: {a: b}", "etc/f:1: rules: is a map; expects a list of maps\n"},
	{"- a", "etc/f:1: expects a map of options at the top\n"},
	{"rules:\n- PROD", "etc/f:2: rules: item is no map; expects a map\n"},
	{"rules:\n- {}", "etc/f:2: rules: this one says nothing; expects a key such as "
			 "allowed_lag, or labels\n"},
	{"rules:\n- group: a\n", "etc/f:2: rules: this one says nothing; expects a key such as "
				 "allowed_lag, or labels\n"},
	{"rules:\n- ignore: true\n  grop: a\n", "etc/f:3: grop: unknown; did you mean group?\n"},
	{"rules:\n- ignore: true\n  group: ''\n",
	 "etc/f:3: group: has 0 bytes; allowed are 1 to 1024\n"},
	{"rules:\n- ignore: true\n  group: [a]\n", "etc/f:3: group: is a list; expects a string\n"},
	{"rules:\n- ignore: yes\n", "etc/f:2: ignore: yes is wrong; expects true or false\n"},
	{"rules:\n- ignore: true\n  partition: three\n",
	 "etc/f:3: partition: three matches no number; expects one, or a pattern\n"},
	{"rules:\n- window: 1m\n", "etc/f:2: window: 1m is out of range; allowed are 2m to 1h\n"},
	{"rules:\n- window: 2h\n", "etc/f:2: window: 2h is out of range; allowed are 2m to 1h\n"},
	{"rules:\n- warn_after: 60\n", "etc/f:2: warn_after: 60 is wrong; " DURATION},
	{"rules:\n- allowed_lag: -1\n",
	 "etc/f:2: allowed_lag: -1 is out of range; allowed are 0 to 9223372036854775807\n"},
	{"rules:\n- raise_after: 0\n  clear_after: 101\n",
	 "etc/f:2: raise_after: 0 is out of range; allowed are 1 to 100\n"
	 "etc/f:3: clear_after: 101 is out of range; allowed are 1 to 100\n"},
	{"rules:\n- stop_after_min: 2h\n  stop_after_max: 1h\n",
	 "etc/f:3: stop_after_max: is less than stop_after_min\n"},
	{"rules:\n- topic: a\n  expire_group: 1d\n",
	 "etc/f:3: expire_group: is for whole groups; topic and partition must be \"*\"\n"},
	{"rules:\n- maintenance: tomorrow\n",
	 "etc/f:2: maintenance: is a single value; expects a map of options\n"},
	{"rules:\n- maintenance: {why: a}\n",
	 "etc/f:2: maintenance: until is missing; it is required\n"},
	{"rules:\n- maintenance:\n    untl: b\n    until: a\n",
	 "etc/f:3: untl: unknown; did you mean until?\n"
	 "etc/f:4: until: a" UNTIL},
	{"rules:\n- maintenance: {until: 2026-12-01}\n", "etc/f:2: until: 2026-12-01" UNTIL},
	{"rules:\n- maintenance: {until: 2026-02-29T00:00:00Z}\n",
	 "etc/f:2: until: 2026-02-29T00:00:00Z" UNTIL},
	{"rules:\n- maintenance: {until: '2026-12-01T06:00:00'}\n",
	 "etc/f:2: until: 2026-12-01T06:00:00" UNTIL},
	{"rules:\n- maintenance: {until: '2026-12-01T06:00:00+9:00'}\n",
	 "etc/f:2: until: 2026-12-01T06:00:00+9:00" UNTIL},
	{"rules:\n- maintenance: {until: ''}\n", "etc/f:2: until: \"\"" UNTIL},
	{"rules:\n- labels: [a]\n", "etc/f:2: labels: is a list; expects a map of strings\n"},
	{"rules:\n- labels: {a: [b]}\n",
	 "etc/f:2: labels: value of a is no string; expects a string\n"},
	{"rules:\n- labels: {'': b}\n", "etc/f:2: labels: a name is empty\n"},
	{"rules:\n- ignore: true\n- ignore: 1\n  a: b\n- window: x\n",
	 "etc/f:4: a: unknown; allowed are environment, cluster, group, topic, partition, "
	 "allowed_lag, max_time_lag, window, stop_after_min, stop_after_max, warn_after, "
	 "raise_after, clear_after, expire_group, ignore, maintenance, labels\n"
	 "etc/f:3: ignore: 1 is wrong; expects true or false\n"
	 "etc/f:5: window: x is wrong; " DURATION},
	{"rules:\n- ignore: true\n  ignore: false\n",
	 "etc/f:3: ignore: given twice, first in line 2\n"},
};

static void all_mistakes_are_told_with_their_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		CLEANUP(buf_free) struct buf errors = {0};

		assert_null(parse(BAD[i].yaml, &errors));
		assert_string_equal(buf_str(&errors), BAD[i].errors);
	}
}

static void labels_have_limits(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf many = {0};
	CLEANUP(buf_free) struct buf longer = {0};
	CLEANUP(buf_free) struct buf errors = {0};

	buf_puts(&many, "rules:\n- labels: {");
	for (int i = 0; i < 33; i++)
		buf_printf(&many, "a%d: b, ", i);
	buf_puts(&many, "}\n");
	assert_null(parse(buf_str(&many), &errors));
	assert_string_equal(buf_str(&errors),
			    "etc/f:2: labels: has 33 items; allowed are 0 to 32\n");

	buf_puts(&longer, "rules:\n- labels: {a: ");
	for (int i = 0; i < 1025; i++)
		buf_putc(&longer, 'x');
	buf_puts(&longer, "}\n");
	buf_reset(&errors);
	assert_null(parse(buf_str(&longer), &errors));
	assert_string_equal(buf_str(&errors),
			    "etc/f:2: labels: value of a has 1025 bytes; allowed are 0 to 1024\n");
}

/* --- reading it again --- */

struct book {
	struct temp temp;
	char path[128];
	struct rulebook *b;
	struct rules_set *taken; /* by the last reload */
};

static void write_file(const struct book *k, const char *text)
{
	FILE *f = fopen(k->path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int open_book(void **state)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct book *k = calloc(1, sizeof(*k));

	k->temp = temp_make();
	snprintf(k->path, sizeof(k->path), "%s/rules.yaml", k->temp.dir);
	write_file(k, "rules: [{allowed_lag: 1}]");
	assert_int_equal(rulebook_open(k->path, &BASE, &errors, &k->b), ERR_OK);
	*state = k;
	return 0;
}

static int close_book(void **state)
{
	struct book *k = *state;

	rulebook_close(&k->b);
	rules_unref(&k->taken);
	temp_remove(&k->temp);
	free(k);
	return 0;
}

static void take(void *arg, struct rules_set *s)
{
	struct book *k = arg;

	rules_unref(&k->taken);
	k->taken = rules_ref(s);
}

static int64_t allowed_lag(const struct rules_set *s)
{
	struct rules_found f;

	rules_resolve(s, &(struct rules_place){"E", "c", "g", "t", 0}, &f);
	return f.rules.allowed_lag;
}

static void expect_state(struct book *k, uint32_t version, int64_t lag, const char *refused)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state;

	rulebook_state(k->b, &state);
	assert_int_equal(state.version, version);
	assert_int_equal(allowed_lag(state.rules), lag);
	assert_string_equal(buf_str(&state.refused), refused);
	assert_int_equal(state.refused_at_ms != 0, *refused != '\0');
	assert_true(state.since_ms > 0);
}

static void a_good_file_replaces_the_rules(void **state)
{
	struct book *k = *state;
	CLEANUP(buf_free) struct buf errors = {0};
	bool changed = false;

	expect_state(k, 1, 1, "");
	write_file(k, "rules: [{allowed_lag: 2}]");
	assert_int_equal(rulebook_reload(k->b, take, k, &errors, &changed), ERR_OK);
	assert_true(changed);
	assert_int_equal(allowed_lag(k->taken), 2);
	expect_state(k, 2, 2, "");

	rules_unref(&k->taken);
	assert_int_equal(rulebook_reload(k->b, take, k, &errors, &changed), ERR_OK);
	assert_false(changed);
	assert_null(k->taken);
	expect_state(k, 2, 2, "");
}

static void a_bad_file_leaves_the_rules_and_says_so(void **state)
{
	struct book *k = *state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf expected = {0};
	bool changed = false;

	write_file(k, "rules:\n- {allowed_lag: 2}\n- {allowed_lag: x}\n- {widow: 10m}\n");
	buf_printf(&expected,
		   "%s:3: allowed_lag: x is wrong; expects a whole number\n"
		   "%s:4: widow: unknown; did you mean window?\n",
		   k->path, k->path);
	assert_int_equal(rulebook_reload(k->b, take, k, &errors, &changed), ERR_CONFIG);
	assert_null(k->taken);
	assert_string_equal(buf_str(&errors), buf_str(&expected));
	expect_state(k, 1, 1, buf_str(&expected));

	write_file(k, "rules: [{allowed_lag: 1}]");
	buf_reset(&errors);
	assert_int_equal(rulebook_reload(k->b, take, k, &errors, &changed), ERR_OK);
	assert_false(changed);
	expect_state(k, 1, 1, "");
}

static void a_file_that_is_gone_leaves_the_rules(void **state)
{
	struct book *k = *state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf expected = {0};
	bool changed = false;

	remove(k->path);
	buf_printf(&expected, "%s: cannot be read: No such file or directory\n", k->path);
	assert_int_equal(rulebook_reload(k->b, take, k, &errors, &changed), ERR_CONFIG);
	assert_string_equal(buf_str(&errors), buf_str(&expected));
	expect_state(k, 1, 1, buf_str(&expected));
}

static void without_a_file_there_is_nothing_to_reload(void **state)
{
	(void)state;
	CLEANUP(rulebook_close) struct rulebook *b = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	bool changed = false;

	assert_int_equal(rulebook_open("", &BASE, &errors, &b), ERR_OK);
	assert_int_equal(rulebook_reload(b, take, NULL, &errors, &changed), ERR_NOT_FOUND);
	assert_int_equal(rulebook_open("/nowhere/r", &BASE, &errors, &b), ERR_CONFIG);
}

/* --- what aggregator.yaml says --- */

static void the_configuration_is_the_base(void **state)
{
	(void)state;
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	static const char yaml[] = "data_dir: /d\njudge: {allowed_lag: 3, stop_after_min: 5m, "
				   "warn_after: ~, clear_after: 7}\nexpire_group: 2d\n";

	assert_int_equal(aggregator_config_parse("a", yaml, strlen(yaml), &cfg, &errors), ERR_OK);
	struct rules_base base = rules_file_base(cfg);
	assert_int_equal(base.given, 1u << RULES_ALLOWED_LAG | 1u << RULES_STOP_AFTER_MIN |
					     1u << RULES_CLEAR_AFTER | 1u << RULES_EXPIRE_GROUP);
	assert_int_equal(base.values.allowed_lag, 3);
	assert_int_equal(base.values.stop_after_min_ms, 5 * MINUTE);
	assert_int_equal(base.values.clear_after, 7);
	assert_int_equal(base.values.expire_group_ms, 2 * DAY);
	/* And the defaults of the configuration are those of the judge. */
	base.values.allowed_lag = RULES_DEFAULT.allowed_lag;
	base.values.stop_after_min_ms = RULES_DEFAULT.stop_after_min_ms;
	base.values.clear_after = RULES_DEFAULT.clear_after;
	base.values.expire_group_ms = RULES_DEFAULT.expire_group_ms;
	assert_memory_equal(&base.values, &RULES_DEFAULT, sizeof(base.values));
}

static void names_of_files_are_beside_the_configuration(void **state)
{
	(void)state;
	struct temp temp = temp_make();
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	char path[128];
	char rules[128];

	snprintf(path, sizeof(path), "%s/a.yaml", temp.dir);
	snprintf(rules, sizeof(rules), "%s/r/rules.yaml", temp.dir);
	FILE *f = fopen(path, "w");
	fputs("data_dir: /d\nrules_file: r/rules.yaml\nhttp:\n  tls: {cert_file: /c, key_file: k}\n"
	      "  auth: [{name: n, roles: [read], token_file: t}]\n",
	      f);
	fclose(f);
	assert_int_equal(aggregator_config_load(path, &cfg, &errors), ERR_OK);
	assert_string_equal(cfg->rules_file, rules);
	assert_string_equal(cfg->http.tls.cert_file, "/c");
	snprintf(rules, sizeof(rules), "%s/k", temp.dir);
	assert_string_equal(cfg->http.tls.key_file, rules);
	const struct aggregator_credential *who = cfg->http.auth.items;
	snprintf(rules, sizeof(rules), "%s/t", temp.dir);
	assert_string_equal(who->token_file, rules);
	temp_remove(&temp);
}

#define WITH_BOOK(test) cmocka_unit_test_setup_teardown(test, open_book, close_book)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_no_rules),
		cmocka_unit_test(a_full_rule_is_read),
		cmocka_unit_test(keys_without_a_value_are_not_given),
		cmocka_unit_test(times_are_read_and_shown),
		cmocka_unit_test(the_example_is_right_and_has_every_key),
		cmocka_unit_test(all_mistakes_are_told_with_their_lines),
		cmocka_unit_test(labels_have_limits),
		WITH_BOOK(a_good_file_replaces_the_rules),
		WITH_BOOK(a_bad_file_leaves_the_rules_and_says_so),
		WITH_BOOK(a_file_that_is_gone_leaves_the_rules),
		cmocka_unit_test(without_a_file_there_is_nothing_to_reload),
		cmocka_unit_test(the_configuration_is_the_base),
		cmocka_unit_test(names_of_files_are_beside_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
