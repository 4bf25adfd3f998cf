/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/maintenance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "aggregator/judge/view.h"
#include "aggregator/rulebook.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define HOUR_MS 3600000

static const struct access ALL = {.name = "ops", .role = ACCESS_ADMIN};
static const struct rules_base BASE = {.values = {.window_ms = 600000}};

static struct temp temp;
static struct rulebook *book;
static struct rules_set *taken; /* what the writer was given last */
static char why[256];

static void open_book(void)
{
	CLEANUP(buf_free) struct buf errors = {0};

	assert_int_equal(rulebook_open("", &BASE, &errors, &book), ERR_OK);
	assert_int_equal(rulebook_keep(book, temp.dir, &errors), ERR_OK);
}

static int setup(void **state)
{
	(void)state;
	temp = temp_make();
	open_book();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rulebook_close(&book);
	rules_unref(&taken);
	temp_remove(&temp);
	return 0;
}

/* --- requests --- */

static int ask(const struct access *who, const char *body, struct rules_maintenance *ret_m)
{
	CLEANUP(buf_free) struct buf text = {0};
	int err = maintenance_in(who, body, strlen(body), &text, ret_m);

	snprintf(why, sizeof(why), "%s", buf_str(&text));
	assert_int_equal(err == ERR_OK, why[0] == '\0');
	return err;
}

static void a_request_says_what_and_until_when(void **state)
{
	struct rules_maintenance m;
	char body[128];
	int64_t now_ms = clock_wall_ms();

	(void)state;
	assert_int_equal(ask(&ALL,
			     "{\"cluster\":\"seoul\",\"group\":\"batch-*\",\"for_s\":7200,"
			     "\"note\":\"m\\u00fcde \\\"disks\\\"\"}",
			     &m),
			 ERR_OK);
	assert_string_equal(m.environment, "*");
	assert_string_equal(m.cluster, "seoul");
	assert_string_equal(m.group, "batch-*");
	assert_string_equal(m.topic, "*");
	assert_string_equal(m.note, "m\xc3\xbc"
				    "de \"disks\"");
	assert_string_equal(m.by, "ops");
	assert_true(m.created_ms >= now_ms);
	assert_int_equal(m.until_ms, m.created_ms + 7200000);

	snprintf(body, sizeof(body), "{\"until_ms\":%lld}", (long long)now_ms + HOUR_MS);
	assert_int_equal(ask(&(struct access){.name = ""}, body, &m), ERR_OK);
	assert_int_equal(m.until_ms, now_ms + HOUR_MS);
	assert_string_equal(m.by, "anonymous");
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *body, *why;
	} CASES[] = {
		{"", "until_ms or for_s must be given"},
		{"{}", "until_ms or for_s must be given"},
		{"[]", "the body must be"},
		{"{", "the body must be"},
		{"{\"for_s\":0}", "for_s must be seconds"},
		{"{\"for_s\":-1}", "for_s must be seconds"},
		{"{\"for_s\":1.5}", "for_s must be seconds"},
		{"{\"for_s\":\"1h\"}", "for_s must be seconds"},
		{"{\"for_s\":31622401}", "for_s must be seconds"},
		{"{\"until_ms\":1000}", "until_ms must be Unix time in ms, in the future"},
		{"{\"until_ms\":9223372036854775807}", "until_ms must be Unix time"},
		{"{\"for_s\":1,\"group\":\"\"}", "group must be a text"},
		{"{\"for_s\":1,\"group\":5}", "group must be a text"},
		{"{\"for_s\":1,\"partition\":\"0\"}", "partition must be left out"},
		{"{\"for_s\":1,\"note\":{\"group\":\"x\"}}", "note must be left out"},
		{"{\"for_s\":1,\"note\":\"a\\u0000b\"}", "the body must be"},
	};
	struct rules_maintenance m;
	char body[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		assert_int_equal(ask(&ALL, CASES[i].body, &m), ERR_MALFORMED);
		if (strstr(why, CASES[i].why) != why)
			fail_msg("%s: %s", CASES[i].body, why);
	}
	snprintf(body, sizeof(body), "{\"for_s\":1,\"cluster\":\"%0256d\"}", 0);
	assert_int_equal(ask(&ALL, body, &m), ERR_MALFORMED);
	snprintf(body, sizeof(body), "{\"for_s\":1,\"group\":\"%01024d\"}", 0);
	assert_int_equal(ask(&ALL, body, &m), ERR_OK);
}

static void who_sees_some_clusters_names_one_of_them(void **state)
{
	char pattern[] = "PROD/s*";
	char *const patterns[] = {pattern};
	const struct access some = {.name = "some",
				    .role = ACCESS_ADMIN,
				    .clusters = patterns,
				    .cluster_count = 1,
				    .scope = 1};
	struct rules_maintenance m;

	(void)state;
	assert_int_equal(ask(&some, "{\"for_s\":9}", &m), ERR_MALFORMED);
	assert_int_equal(ask(&some, "{\"for_s\":9,\"cluster\":\"seoul\"}", &m), ERR_MALFORMED);
	assert_int_equal(
		ask(&some, "{\"for_s\":9,\"environment\":\"PROD\",\"cluster\":\"s*\"}", &m),
		ERR_MALFORMED);
	assert_int_equal(
		ask(&some, "{\"for_s\":9,\"environment\":\"PROD\",\"cluster\":\"berlin\"}", &m),
		ERR_MALFORMED);
	assert_int_equal(
		ask(&some, "{\"for_s\":9,\"environment\":\"PROD\",\"cluster\":\"seoul\"}", &m),
		ERR_OK);
}

/* --- in force --- */

static void take(void *arg, struct rules_set *s)
{
	(void)arg;
	rules_unref(&taken);
	taken = rules_ref(s);
}

static uint64_t declare(const char *group, const char *topic, int64_t for_ms)
{
	struct rules_maintenance m = {.environment = "*",
				      .cluster = "seoul",
				      .by = "ops",
				      .note = "\"disks\"\n\x7f",
				      .until_ms = clock_wall_ms() + for_ms};

	snprintf(m.group, sizeof(m.group), "%s", group);
	snprintf(m.topic, sizeof(m.topic), "%s", topic);
	assert_int_equal(rulebook_maintain(book, &m, take, NULL), ERR_OK);
	assert_int_not_equal(m.id, 0);
	return m.id;
}

/* Until when a place is in maintenance. */
static int64_t until(const char *cluster, const char *group, const char *topic)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	const struct rules_place p = {"PROD", cluster, group, topic, topic == NULL ? -1 : 0};
	struct rules_found f;

	rulebook_state(book, &state);
	rules_resolve(state.rules, &p, &f);
	return f.rules.maintenance_until_ms;
}

static size_t count(void)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	size_t n = 0;

	rulebook_state(book, &state);
	rules_maintenance(state.rules, &n);
	return n;
}

static void it_holds_where_it_matches(void **state)
{
	(void)state;
	declare("batch-*", "*", HOUR_MS);
	declare("web", "orders", HOUR_MS);
	assert_true(until("seoul", "batch-1", NULL) > 0);
	assert_true(until("seoul", "batch-1", "orders") > 0);
	assert_int_equal(until("berlin", "batch-1", NULL), 0);
	assert_int_equal(until("seoul", "web", NULL), 0); /* of one topic, not of the group */
	assert_true(until("seoul", "web", "orders") > 0);
	assert_int_equal(until("seoul", "web", "events"), 0);
	size_t n = 0;
	rules_maintenance(taken, &n);
	assert_int_equal(n, 2);
}

static void what_ends_last_holds(void **state)
{
	const int64_t now_ms = clock_wall_ms();
	const struct rules_entry entry = {
		.patterns = {"batch-1", "*", "*", "*", "*"},
		.values = {.maintenance_until_ms = now_ms + 2 * HOUR_MS, .maintenance_why = "file"},
		.given = 1u << RULES_MAINTENANCE,
		.lines[RULES_MAINTENANCE] = 3,
	};
	const struct rules_maintenance list[] = {
		{.id = 1,
		 .until_ms = now_ms + HOUR_MS,
		 .environment = "*",
		 .cluster = "*",
		 .group = "*",
		 .topic = "*",
		 .by = "early"},
		{.id = 2,
		 .until_ms = now_ms + 3 * HOUR_MS,
		 .environment = "*",
		 .cluster = "*",
		 .group = "b*",
		 .topic = "*",
		 .by = "late"},
	};
	const struct rules_place place = {"PROD", "seoul", "batch-1", NULL, -1};
	CLEANUP(rules_unref) struct rules_set *file = rules_new("r.yaml", 7, &BASE, &entry, 1);

	(void)state;
	for (size_t n = 0; n <= 2; n++) {
		CLEANUP(rules_unref) struct rules_set *s = rules_maintain(file, list, n);
		CLEANUP(buf_free) struct buf origin = {0};
		struct rules_found f;

		rules_resolve(s, &place, &f);
		rules_put_origin(s, &f, RULES_MAINTENANCE, &origin);
		assert_string_equal(buf_str(&origin), n < 2 ? "r.yaml line 3" : "late over HTTP");
		assert_int_equal(f.rules.maintenance_until_ms, now_ms + (n < 2 ? 2 : 3) * HOUR_MS);
		assert_int_equal(rules_hash(s), 7);
	}
}

static void it_outlives_the_program(void **state)
{
	struct stat st;
	char path[300];

	(void)state;
	uint64_t id = declare("batch-*", "*", HOUR_MS);
	declare("\xd0\xb6*", "or\"ders", HOUR_MS);
	int64_t before = until("seoul", "batch-1", NULL);
	rulebook_close(&book);
	open_book();
	assert_int_equal(count(), 2);
	assert_int_equal(until("seoul", "batch-1", NULL), before);
	assert_true(until("seoul", "\xd0\xb6", "or\"ders") > 0);
	assert_int_equal(rulebook_end_maintenance(book, id, take, NULL), ERR_OK);
	assert_int_equal(rulebook_end_maintenance(book, id, take, NULL), ERR_NOT_FOUND);
	assert_int_equal(until("seoul", "batch-1", NULL), 0);
	rulebook_close(&book);
	open_book();
	assert_int_equal(count(), 1);
	snprintf(path, sizeof(path), "%s/" MAINTENANCE_FILE, temp.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_is_over_is_forgotten_with_the_next(void **state)
{
	(void)state;
	declare("a", "*", 1);
	uint64_t before = declare("b", "*", HOUR_MS);
	usleep(5000);
	assert_true(declare("c", "*", HOUR_MS) > before);
	assert_int_equal(count(), 2);
}

static void a_reload_leaves_it_in_force(void **state)
{
	CLEANUP(buf_free) struct buf errors = {0};
	char path[300];
	bool changed = true;

	(void)state;
	rulebook_close(&book);
	snprintf(path, sizeof(path), "%s/rules.yaml", temp.dir);
	for (int round = 0; round < 2; round++) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fprintf(f, "rules: [{allowed_lag: %d}]\n", round);
		fclose(f);
		if (round > 0)
			break;
		assert_int_equal(rulebook_open(path, &BASE, &errors, &book), ERR_OK);
		assert_int_equal(rulebook_keep(book, temp.dir, &errors), ERR_OK);
		declare("batch-*", "*", HOUR_MS);
		assert_int_equal(rulebook_reload(book, take, NULL, &errors, &changed), ERR_OK);
		assert_false(changed); /* the file is as it was */
	}
	assert_int_equal(rulebook_reload(book, take, NULL, &errors, &changed), ERR_OK);
	assert_true(changed);
	assert_true(until("seoul", "batch-1", NULL) > 0);
	size_t n = 0;
	rules_maintenance(taken, &n);
	assert_int_equal(n, 1);
}

static void there_is_room_for_so_much(void **state)
{
	struct rules_maintenance *list = calloc(MAINTENANCE_MAX, sizeof(*list));
	struct rules_maintenance more = {.until_ms = INT64_MAX};

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < MAINTENANCE_MAX; i++)
		list[i] = (struct rules_maintenance){.id = i + 1,
						     .until_ms = INT64_MAX,
						     .environment = "*",
						     .cluster = "*",
						     .group = "g",
						     .topic = "*"};
	assert_int_equal(maintenance_store(temp.dir, list, MAINTENANCE_MAX), ERR_OK);
	free(list);
	rulebook_close(&book);
	open_book();
	assert_int_equal(count(), MAINTENANCE_MAX);
	assert_int_equal(rulebook_maintain(book, &more, take, NULL), ERR_LIMIT);
	assert_null(taken);
	assert_int_equal(rulebook_end_maintenance(book, 1, take, NULL), ERR_OK);
	assert_int_equal(count(), MAINTENANCE_MAX - 1);
}

static void what_cannot_be_kept_is_not_in_force(void **state)
{
	struct rules_maintenance m = {.until_ms = INT64_MAX,
				      .environment = "*",
				      .cluster = "*",
				      .group = "*",
				      .topic = "*"};
	CLEANUP(buf_free) struct buf errors = {0};

	(void)state;
	uint64_t id = declare("a", "*", HOUR_MS);
	rulebook_close(&book);
	assert_int_equal(rulebook_open("", &BASE, &errors, &book), ERR_OK);
	assert_int_equal(rulebook_keep(book, "/nowhere/at/all", &errors), ERR_OK);
	rules_unref(&taken);
	assert_int_equal(rulebook_maintain(book, &m, take, NULL), -ENOENT);
	assert_int_equal(count(), 0);
	assert_null(taken);
	assert_int_equal(rulebook_end_maintenance(book, id, take, NULL), ERR_NOT_FOUND);
}

/* --- the file --- */

static void a_file_that_is_damaged_is_refused(void **state)
{
	static const char *const DAMAGED[] = {
		"x\n",
		"\n",
		"{}\n",
		"{\"id\":\"1\",\"until_ms\":5}", /* cut */
		"{\"id\":\"1\",\"until_ms\":5}\n{\"id\":\"2\"}\n",
		"{\"id\":\"x\",\"until_ms\":5}\n",
		"{\"id\":\"1\",\"until_ms\":5,\"colour\":\"red\"}\n",
		"{\"id\":\"1\",\"until_ms\":5,\"group\":\"\"}\n",
	};
	char path[300];

	(void)state;
	snprintf(path, sizeof(path), "%s/" MAINTENANCE_FILE, temp.dir);
	for (size_t i = 0; i < ARRAY_LEN(DAMAGED); i++) {
		CLEANUP(buf_free) struct buf errors = {0};
		struct rules_maintenance *list = NULL;
		size_t n = 0;
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(DAMAGED[i], f);
		fclose(f);
		if (maintenance_load(temp.dir, &errors, &list, &n) != ERR_CONFIG)
			fail_msg("%s", DAMAGED[i]);
		assert_non_null(strstr(buf_str(&errors), MAINTENANCE_FILE));
		assert_null(list);
	}
}

/* --- what people read --- */

static void a_group_says_that_it_is_in_maintenance(void **state)
{
	CLEANUP(buf_free) struct buf text = {0};
	struct view_group g = {.partition_count = 1,
			       .maintenance_until_ms = 1764572400000,
			       .maintenance_by = "ops",
			       .maintenance_note = "new disks"};

	(void)state;
	view_explain_group(&g, &text);
	assert_non_null(strstr(buf_str(&text),
			       "; in maintenance until 2025-12-01T07:00:00Z by ops: new disks"));
	buf_reset(&text);
	g.maintenance_by = g.maintenance_note = "";
	view_explain_group(&g, &text);
	assert_non_null(strstr(buf_str(&text), "; in maintenance until 2025-12-01T07:00:00Z"));
	assert_null(strstr(buf_str(&text), " by "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_says_what_and_until_when),
		TEST(what_is_wrong_is_told),
		TEST(who_sees_some_clusters_names_one_of_them),
		TEST(it_holds_where_it_matches),
		TEST(what_ends_last_holds),
		TEST(it_outlives_the_program),
		TEST(what_is_over_is_forgotten_with_the_next),
		TEST(a_reload_leaves_it_in_force),
		TEST(there_is_room_for_so_much),
		TEST(what_cannot_be_kept_is_not_in_force),
		TEST(a_file_that_is_damaged_is_refused),
		TEST(a_group_says_that_it_is_in_maintenance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
