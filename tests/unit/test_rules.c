/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/judge/rules_memo.h"
#include "common/clock.h"
#include "common/glob.h"

#define COUNT_MAX 16

/* A rule that gives allowed_lag; its line is its number from 1 on. */
struct one {
	const char *environment, *cluster, *group, *topic, *partition; /* NULL: "*" */
	int64_t allowed_lag;
};

static const char *or_any(const char *pattern)
{
	return pattern != NULL ? pattern : "*";
}

static struct rules_entry entry_of(const struct one *o, int line)
{
	struct rules_entry e = {
		.patterns = {[RULES_GROUP] = or_any(o->group),
			     [RULES_TOPIC] = or_any(o->topic),
			     [RULES_PARTITION] = or_any(o->partition),
			     [RULES_CLUSTER] = or_any(o->cluster),
			     [RULES_ENVIRONMENT] = or_any(o->environment)},
		.values = {.allowed_lag = o->allowed_lag},
		.given = 1u << RULES_ALLOWED_LAG,
		.line = line,
	};

	e.lines[RULES_ALLOWED_LAG] = line;
	return e;
}

static struct rules_set *set_of(const struct one *list, size_t count)
{
	struct rules_entry entries[COUNT_MAX];
	const struct rules_base base = {.values = RULES_DEFAULT};

	for (size_t i = 0; i < count; i++)
		entries[i] = entry_of(&list[i], (int)i + 1);
	return rules_new("rules.yaml", 1, &base, entries, count);
}

static const struct rules_place HERE = {"PROD", "seoul", "batch-1", "orders", 3};

/* --- which rule wins --- */

static const struct {
	const char *why;
	struct one rules[4];
	int64_t wins;
} PRECEDENCE[] = {
	{"no rule matches: the base", {{.group = "batch-2", .allowed_lag = 1}}, 0},
	{"a rule for all", {{.allowed_lag = 1}}, 1},
	{"the later of two alike",
	 {{.group = "batch-*", .allowed_lag = 1}, {.group = "batch-*", .allowed_lag = 2}},
	 2},
	{"a name before a pattern, whatever the order",
	 {{.group = "batch-1", .allowed_lag = 1}, {.group = "batch-*", .allowed_lag = 2}},
	 1},
	{"a pattern before any",
	 {{.group = "*1", .allowed_lag = 1}, {.group = "*", .allowed_lag = 2}},
	 1},
	{"more fixed characters before fewer",
	 {{.group = "batch-*", .allowed_lag = 1}, {.group = "b*", .allowed_lag = 2}},
	 1},
	{"a class is no fixed character",
	 {{.group = "batch-?", .allowed_lag = 1}, {.group = "batc[h][-]?", .allowed_lag = 2}},
	 1},
	{"** is a pattern",
	 {{.group = "**", .allowed_lag = 1}, {.topic = "orders", .allowed_lag = 2}},
	 1},
	{"group before topic",
	 {{.group = "b*", .allowed_lag = 1}, {.topic = "orders", .allowed_lag = 2}},
	 1},
	{"topic before partition",
	 {{.topic = "o*", .allowed_lag = 1}, {.partition = "3", .allowed_lag = 2}},
	 1},
	{"partition before cluster",
	 {{.partition = "?", .allowed_lag = 1}, {.cluster = "seoul", .allowed_lag = 2}},
	 1},
	{"cluster before environment",
	 {{.cluster = "s*", .allowed_lag = 1}, {.environment = "PROD", .allowed_lag = 2}},
	 1},
	{"environment before nothing",
	 {{.environment = "PROD", .allowed_lag = 1}, {.allowed_lag = 2}},
	 1},
	{"equal in the group, so the topic decides",
	 {{.group = "batch-1", .topic = "orders", .allowed_lag = 1},
	  {.group = "batch-1", .topic = "o*", .allowed_lag = 2},
	  {.group = "batch-1", .environment = "PROD", .cluster = "seoul", .allowed_lag = 3}},
	 1},
	{"of patterns with as many fixed characters the later",
	 {{.group = "batch*", .allowed_lag = 1}, {.group = "*tch-1", .allowed_lag = 2}},
	 2},
	{"letter case differs", {{.environment = "prod", .allowed_lag = 1}}, 0},
	{"a partition is matched as a number",
	 {{.partition = "[2-4]", .allowed_lag = 1}, {.partition = "33", .allowed_lag = 2}},
	 1},
	{"an escaped character is no wildcard",
	 {{.group = "batch-\\1", .allowed_lag = 1}, {.group = "batch-*", .allowed_lag = 2}},
	 1},
};

static void the_most_specific_rule_wins(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(PRECEDENCE); i++) {
		size_t count = 0;
		struct rules_found f;

		while (count < ARRAY_LEN(PRECEDENCE[i].rules) &&
		       PRECEDENCE[i].rules[count].allowed_lag != 0)
			count++;
		CLEANUP(rules_unref) struct rules_set *s = set_of(PRECEDENCE[i].rules, count);
		rules_resolve(s, &HERE, &f);
		if (f.rules.allowed_lag != PRECEDENCE[i].wins)
			fail_msg("%s: rule %d wins", PRECEDENCE[i].why, (int)f.rules.allowed_lag);
	}
}

static void whole_groups_and_topics_have_no_rules_of_their_parts(void **state)
{
	(void)state;
	const struct one list[] = {{.topic = "**", .allowed_lag = 1},
				   {.partition = "?", .allowed_lag = 2}};
	CLEANUP(rules_unref) struct rules_set *s = set_of(list, 2);
	struct rules_place group = HERE;
	struct rules_place topic = HERE;
	struct rules_found f;

	group.topic = NULL;
	group.partition = topic.partition = -1;
	rules_resolve(s, &group, &f);
	assert_int_equal(f.rules.allowed_lag, 0);
	rules_resolve(s, &topic, &f);
	assert_int_equal(f.rules.allowed_lag, 1);
	assert_true(f.by_partition);
}

/* --- keys and origins --- */

/* A rule that gives one key. */
static struct rules_entry giving(const char *group, enum rules_key k, int line, struct rules values)
{
	const struct one place = {.group = group};
	struct rules_entry e = entry_of(&place, line);

	e.values = values;
	e.given = 1u << k;
	e.lines[k] = line;
	return e;
}

static void expect_origin(const struct rules_set *s, const struct rules_found *f, enum rules_key k,
			  const char *origin)
{
	CLEANUP(buf_free) struct buf text = {0};

	rules_put_origin(s, f, k, &text);
	assert_string_equal(buf_str(&text), origin);
}

static void each_key_comes_from_where_it_is_given(void **state)
{
	(void)state;
	const struct rules_base base = {.values = RULES_DEFAULT, .given = 1u << RULES_WARN_AFTER};
	const struct rules_entry entries[] = {
		giving("*", RULES_ALLOWED_LAG, 1, (struct rules){.allowed_lag = 11}),
		giving("*", RULES_MAX_TIME_LAG, 2, (struct rules){.max_time_lag_ms = 12}),
		giving("*", RULES_WINDOW, 3, (struct rules){.window_ms = 3000000}),
		giving("*", RULES_STOP_AFTER_MIN, 4, (struct rules){.stop_after_min_ms = 14}),
		giving("*", RULES_STOP_AFTER_MAX, 5, (struct rules){.stop_after_max_ms = 15}),
		giving("*", RULES_RAISE_AFTER, 7, (struct rules){.raise_after = 17}),
		giving("*", RULES_CLEAR_AFTER, 8, (struct rules){.clear_after = 18}),
		giving("*", RULES_EXPIRE_GROUP, 9, (struct rules){.expire_group_ms = 19}),
		giving("*", RULES_IGNORE, 10, (struct rules){.ignore = true}),
		giving("b*", RULES_MAINTENANCE, 12,
		       (struct rules){.maintenance_until_ms = 21, .maintenance_why = "upgrade"}),
		giving("batch-1", RULES_IGNORE, 14, (struct rules){.ignore = false}),
	};
	CLEANUP(rules_unref)
	struct rules_set *s = rules_new("rules.yaml", 1, &base, entries, ARRAY_LEN(entries));
	struct rules_found f;

	rules_resolve(s, &HERE, &f);
	assert_int_equal(f.rules.allowed_lag, 11);
	assert_int_equal(f.rules.max_time_lag_ms, 12);
	assert_int_equal(f.rules.window_ms, 3000000);
	assert_int_equal(f.rules.stop_after_min_ms, 14);
	assert_int_equal(f.rules.stop_after_max_ms, 15);
	assert_int_equal(f.rules.warn_after_ms, RULES_DEFAULT.warn_after_ms);
	assert_int_equal(f.rules.raise_after, 17);
	assert_int_equal(f.rules.clear_after, 18);
	assert_int_equal(f.rules.expire_group_ms, 19);
	assert_false(f.rules.ignore);
	assert_int_equal(f.rules.maintenance_until_ms, 21);
	assert_string_equal(f.rules.maintenance_why, "upgrade");
	assert_int_equal(rules_max_window_ms(s), 3000000);

	expect_origin(s, &f, RULES_ALLOWED_LAG, "rules.yaml line 1");
	expect_origin(s, &f, RULES_WARN_AFTER, "aggregator.yaml");
	expect_origin(s, &f, RULES_IGNORE, "rules.yaml line 14");
	expect_origin(s, &f, RULES_MAINTENANCE, "rules.yaml line 12");
	rules_resolve(s, &(struct rules_place){"", "", "other", "t", 0}, &f);
	expect_origin(s, &f, RULES_MAINTENANCE, "default");
	assert_null(f.rules.maintenance_why);
}

static void labels_add_up_and_the_most_specific_wins(void **state)
{
	(void)state;
	const struct rules_base base = {.values = RULES_DEFAULT};
	const struct rules_label mine[] = {{"team", "payments", 7}};
	const struct rules_label all[] = {{"team", "platform", 2}, {"runbook", "https://x", 3}};
	const struct one places[] = {{.group = "batch-1"}, {.group = "b*"}};
	struct rules_entry entries[] = {entry_of(&places[0], 5), entry_of(&places[1], 1)};
	struct rules_label *labels = NULL;

	entries[0].labels = mine;
	entries[0].label_count = 1;
	entries[1].labels = all;
	entries[1].label_count = 2;
	CLEANUP(rules_unref) struct rules_set *s = rules_new("rules.yaml", 1, &base, entries, 2);
	assert_int_equal(rules_labels(s, &HERE, &labels), 2);
	assert_string_equal(labels[0].name, "runbook");
	assert_int_equal(labels[0].line, 3);
	assert_string_equal(labels[1].value, "payments");
	assert_int_equal(labels[1].line, 7);
	free(labels);
	assert_int_equal(rules_labels(s, &(struct rules_place){"", "", "x", "t", 0}, &labels), 0);
	free(labels);
}

/* --- what is not counted --- */

#define NOW 1700000000000

static const struct {
	struct rules rules;
	bool counted;
	const char *says; /* how the sentence begins */
} IGNORED[] = {
	{{.ignore = true}, false, "not counted: a rule says ignore ("},
	{{.maintenance_until_ms = NOW + 7200000, .maintenance_why = "new \"disks\""},
	 false,
	 "not counted: in maintenance for another 2 h, because \"new \"disks\"\" ("},
	{{.maintenance_until_ms = NOW + 1, .maintenance_why = ""},
	 false,
	 "not counted: in maintenance for another less than 1 s ("},
	{{.maintenance_until_ms = NOW, .maintenance_why = "over"}, true, ""},
};

static void what_is_ignored_is_not_counted_and_says_why(void **state)
{
	(void)state;
	const struct commit_track t = {.offset = TRACK_UNKNOWN};
	const struct cluster_track cluster = {
		.interval_ms = 10000, .passes = 9, .last_ms = NOW, .before_ms = NOW - 10000};

	for (size_t i = 0; i < ARRAY_LEN(IGNORED); i++) {
		CLEANUP(buf_free) struct buf text = {0};
		const struct judge_input in = {.commit = &t,
					       .cluster = &cluster,
					       .rules = &IGNORED[i].rules,
					       .now_ms = NOW};
		struct verdict v;

		judge(&in, &v);
		assert_int_equal(v.counted, IGNORED[i].counted);
		assert_int_equal(v.reason == REASON_IGNORED, !IGNORED[i].counted);
		explain(&in, &v, &text);
		if (strncmp(buf_str(&text), IGNORED[i].says, strlen(IGNORED[i].says)) != 0)
			fail_msg("it says: %s", buf_str(&text));
	}
}

/* --- the memo --- */

static unsigned seed;

static unsigned pick(unsigned below)
{
	return (unsigned)rand_r(&seed) % below;
}

static const char *any_of(const char *const *list, unsigned count)
{
	return list[pick(count)];
}

static const char *const GROUPS[] = {"*", "batch-*", "batch-1", "b*", "*-1", "pay", "[a-p]*"};
static const char *const TOPICS[] = {"*", "orders", "o*", "t", "?"};
static const char *const PARTITIONS[] = {"*", "*", "*", "0", "[1-2]", "?"};
static const char *const CLUSTERS[] = {"*", "seoul", "s*"};
static const char *const ENVIRONMENTS[] = {"*", "PROD", "D*"};

#define ANY_OF(list) any_of((list), (unsigned)ARRAY_LEN(list))

static struct rules_set *random_set(void)
{
	const struct rules_base base = {.values = RULES_DEFAULT};
	struct rules_entry entries[COUNT_MAX];
	size_t count = pick(COUNT_MAX);

	for (size_t i = 0; i < count; i++) {
		const struct one o = {ANY_OF(ENVIRONMENTS), ANY_OF(CLUSTERS),   ANY_OF(GROUPS),
				      ANY_OF(TOPICS),       ANY_OF(PARTITIONS), 0};
		entries[i] = entry_of(&o, (int)i + 1);
		entries[i].given = pick(1u << RULES_KEYS);
		for (size_t k = 0; k < RULES_KEYS; k++)
			entries[i].lines[k] = (int)i + 1;
		entries[i].values = (struct rules){.allowed_lag = (int)i + 1,
						   .max_time_lag_ms = (int)i + 1,
						   .window_ms = (int)i + 1,
						   .warn_after_ms = (int)i + 1,
						   .raise_after = (uint32_t)i + 1,
						   .ignore = i % 2 == 0,
						   .maintenance_until_ms = (int)i + 1};
	}
	return rules_new("r", 1, &base, entries, count);
}

/* What rules.h says of how specific a pattern is, for those above. */
static int weight(const char *pattern)
{
	int fixed = 1;
	bool wild = false;

	if (strcmp(pattern, "*") == 0)
		return 0;
	for (; *pattern != '\0'; pattern++) {
		if (strchr("*?[", *pattern) == NULL) {
			fixed++;
			continue;
		}
		wild = true;
		if (*pattern == '[')
			pattern = strchr(pattern, ']');
	}
	return wild ? fixed : 1000;
}

static bool beats(const struct rules_entry *a, const struct rules_entry *b)
{
	for (size_t i = 0; i < RULES_FIELDS; i++) {
		int more = weight(a->patterns[i]) - weight(b->patterns[i]);

		if (more != 0)
			return more > 0;
	}
	return a > b;
}

/* The line of the rule that gives the key, found without any order; 0: none. */
static int line_of(const struct rules_set *s, const struct rules_place *p, enum rules_key k)
{
	const struct rules_entry *best = NULL;
	char partition[16];
	size_t count = 0;
	const struct rules_entry *list = rules_entries(s, &count);

	snprintf(partition, sizeof(partition), "%d", p->partition);
	for (const struct rules_entry *e = list; e < list + count; e++) {
		if ((e->given & 1u << k) != 0 &&
		    glob_match(e->patterns[RULES_ENVIRONMENT], p->environment) &&
		    glob_match(e->patterns[RULES_CLUSTER], p->cluster) &&
		    glob_match(e->patterns[RULES_GROUP], p->group) &&
		    glob_match(e->patterns[RULES_TOPIC], p->topic) &&
		    glob_match(e->patterns[RULES_PARTITION], partition) &&
		    (best == NULL || beats(e, best)))
			best = e;
	}
	return best == NULL ? 0 : best->line;
}

static void expect_same(const struct rules_set *s, struct rules_memo *memo,
			const struct rules_memo_place *p, unsigned at)
{
	const struct rules *r = rules_memo_get(memo, p);
	int line = line_of(s, &p->names, RULES_MAX_TIME_LAG);
	struct rules_found f;

	rules_resolve(s, &p->names, &f);
	if (memcmp(&f.rules, r, sizeof(*r)) != 0)
		fail_msg("memo differs, seed %u", at);
	for (unsigned k = 0; k < RULES_KEYS; k++) {
		int from = line_of(s, &p->names, (enum rules_key)k);

		if ((f.from[k] == NULL ? 0 : f.from[k]->line) != from)
			fail_msg("key %u comes from another rule, seed %u", k, at);
	}
	if (r->max_time_lag_ms != line)
		fail_msg("a wrong value, seed %u", at);
}

static void a_memo_says_what_the_slow_way_says(void **state)
{
	(void)state;
	static const char *const group_names[] = {"batch-1", "batch-2", "pay", "zoo"};
	static const char *const topic_names[] = {"orders", "t", "o", "other"};
	static const char *const places[][2] = {{"PROD", "seoul"}, {"DEV", "seoul"}, {"QA", "b"}};
	const unsigned first = (unsigned)clock_wall_ms();

	print_message("seed %u\n", first);
	for (unsigned i = 0; i < 300; i++) {
		seed = first + i;
		CLEANUP(rules_unref) struct rules_set *s = random_set();
		CLEANUP(rules_memo_free) struct rules_memo *memo = rules_memo_new(s);

		for (unsigned n = 0; n < 300; n++) {
			unsigned c = pick(3);
			unsigned g = pick(4);
			unsigned t = pick(4);
			const struct rules_memo_place p = {c + 1,
							   4 * c + g + 10,
							   4 * c + t + 30,
							   {places[c][0], places[c][1],
							    group_names[g], topic_names[t],
							    (int32_t)pick(4)}};
			expect_same(s, memo, &p, first + i);
		}
	}
}

static void a_memo_holds_more_places_than_it_began_with(void **state)
{
	(void)state;
	const struct one list[] = {{.group = "*7", .allowed_lag = 7},
				   {.partition = "1", .allowed_lag = 1}};
	CLEANUP(rules_unref) struct rules_set *s = set_of(list, 2);
	CLEANUP(rules_memo_free) struct rules_memo *memo = rules_memo_new(s);

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i <= 20000; i++) {
			char group[16];
			struct rules_memo_place p = {1, i, 1, {"E", "c", group, "t", 1}};

			snprintf(group, sizeof(group), "g%u", i);
			assert_int_equal(rules_memo_get(memo, &p)->allowed_lag,
					 i % 10 == 7 ? 7 : 1);
			p.names.partition = 2;
			assert_int_equal(rules_memo_get(memo, &p)->allowed_lag,
					 i % 10 == 7 ? 7 : 0);
		}
	}
}

static void places_that_are_alike_share_an_answer(void **state)
{
	(void)state;
	const struct one list[] = {{.group = "batch-*", .allowed_lag = 7}};
	CLEANUP(rules_unref) struct rules_set *s = set_of(list, 1);
	CLEANUP(rules_memo_free) struct rules_memo *memo = rules_memo_new(s);
	const struct rules_memo_place one = {1, 1, 1, {"E", "c", "batch-1", "t", 1}};
	const struct rules_memo_place two = {1, 2, 5, {"E", "c", "batch-2", "u", 4}};
	const struct rules_memo_place other = {1, 3, 1, {"E", "c", "pay", "t", 1}};

	assert_ptr_equal(rules_memo_get(memo, &one), rules_memo_get(memo, &two));
	assert_ptr_not_equal(rules_memo_get(memo, &one), rules_memo_get(memo, &other));
}

static void a_set_lives_as_long_as_its_last_reference(void **state)
{
	(void)state;
	const struct one list[] = {{.group = "batch-*", .allowed_lag = 7}};
	struct rules_set *s = set_of(list, 1);
	CLEANUP(rules_memo_free) struct rules_memo *memo = rules_memo_new(s);
	const struct rules_memo_place p = {1, 1, 0, {"E", "c", "batch-1", NULL, -1}};

	rules_unref(&s);
	assert_null(s);
	assert_int_equal(rules_memo_get(memo, &p)->allowed_lag, 7);
	rules_unref(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_rule_wins),
		cmocka_unit_test(whole_groups_and_topics_have_no_rules_of_their_parts),
		cmocka_unit_test(each_key_comes_from_where_it_is_given),
		cmocka_unit_test(labels_add_up_and_the_most_specific_wins),
		cmocka_unit_test(what_is_ignored_is_not_counted_and_says_why),
		cmocka_unit_test(a_memo_says_what_the_slow_way_says),
		cmocka_unit_test(a_memo_holds_more_places_than_it_began_with),
		cmocka_unit_test(places_that_are_alike_share_an_answer),
		cmocka_unit_test(a_set_lives_as_long_as_its_last_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
