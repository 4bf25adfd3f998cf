/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <stdio.h>

#include "tests/unit/temp.h"

#define TOKEN "Bearer s3cret"

static struct fixture fixture;
static struct temp temp;
static char path[128];
static struct buf text;

/* Anybody may read; who has the token may change things. */
static void start_with_token(void)
{
	struct auth_entry admin = {.access = {.name = "ops", .role = ACCESS_ADMIN},
				   .kind = AUTH_TOKEN};
	const struct auth_options options = {
		.entries = &admin, .count = 1, .anonymous = ACCESS_READ};

	mac_digest("s3cret", 6, admin.digest);
	fixture_start_with(&fixture, &options);
}

static void write_file(const char *yaml)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
}

static const char RULES[] = "rules:\n"
			    "- group: g\n"
			    "  stop_after_min: 300s\n"
			    "  labels: {team: payments}\n"
			    "- topic: t\n"
			    "  partition: '[0-1]'\n"
			    "  allowed_lag: 9\n"
			    "- group: 'a/*'\n"
			    "  environment: PROD\n"
			    "  maintenance: {until: 2026-12-01T06:00:00Z, why: \"a <b>\"}\n";

static int start(void **state)
{
	(void)state;
	temp = temp_make();
	snprintf(path, sizeof(path), "%s/rules.yaml", temp.dir);
	write_file(RULES);
	start_with_token();
	fixture_open_rules(&fixture, path);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	temp_remove(&temp);
	buf_free(&text);
	return 0;
}

/* The status; the body is in text. */
static int ask(enum method method, const char *target, const char *authorization)
{
	struct request rq = {
		.method = method, .target = target, .body = "", .authorization = authorization};
	struct response rs;

	server_handle(fixture.server, &rq, &rs);
	assert_int_equal(rs.body.err, ERR_OK);
	assert_string_equal(rs.type,
			    rs.status == 200 ? "application/json" : "application/problem+json");
	buf_reset(&text);
	buf_put(&text, rs.body.data, rs.body.size);
	int status = rs.status;
	response_free(&rs);
	return status;
}

static void expect(const char *part)
{
	if (strstr(buf_str(&text), part) == NULL)
		fail_msg("no %s in %s", part, buf_str(&text));
}

static void each_value_is_shown_with_its_origin(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local/groups/g/rules", NULL), 200);
	expect("{\"environment\":\"PROD\",\"cluster\":\"local\",\"group\":\"g\",\"topic\":null,"
	       "\"partition\":null,\"known\":true,\"file\":\"rules.yaml\",\"hash\":\"");
	expect(",\"version\":1,\"since\":\"2");
	expect("\"values\":{\"allowed_lag\":{\"value\":0,\"origin\":\"default\"},"
	       "\"max_time_lag\":{\"value\":\"0s\",\"ms\":0,\"origin\":\"default\"},"
	       "\"window\":{\"value\":\"10m\",\"ms\":600000,\"origin\":\"default\"},"
	       "\"stop_after_min\":{\"value\":\"5m\",\"ms\":300000,"
	       "\"origin\":\"rules.yaml line 3\"},"
	       "\"stop_after_max\":{\"value\":\"1h\",\"ms\":3600000,\"origin\":\"default\"},"
	       "\"warn_after\":{\"value\":\"1m\",\"ms\":60000,\"origin\":\"default\"},"
	       "\"raise_after\":{\"value\":2,\"origin\":\"default\"},"
	       "\"clear_after\":{\"value\":2,\"origin\":\"default\"},"
	       "\"expire_group\":{\"value\":\"7d\",\"ms\":604800000,\"origin\":\"default\"},"
	       "\"ignore\":{\"value\":false,\"origin\":\"default\"},"
	       "\"maintenance\":{\"value\":null,\"origin\":\"default\"}},"
	       "\"labels\":{\"team\":{\"value\":\"payments\",\"origin\":\"rules.yaml line 4\"}}}");
}

static void a_partition_has_rules_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_GET,
			     "/api/v1/clusters/local/groups/g/rules?topic=t&partition=1&env=PROD",
			     NULL),
			 200);
	expect("\"topic\":\"t\",\"partition\":1,");
	expect("\"allowed_lag\":{\"value\":9,\"origin\":\"rules.yaml line 7\"}");
	assert_int_equal(
		ask(METHOD_GET, "/api/v1/clusters/local/groups/g/rules?topic=t&partition=2", NULL),
		200);
	expect("\"allowed_lag\":{\"value\":0,\"origin\":\"default\"}");
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local/groups/g/rules?topic=t", NULL),
			 200);
	expect("\"allowed_lag\":{\"value\":0,\"origin\":\"default\"}");
}

static void names_may_hold_anything(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_GET,
			     "/api/v1/clusters/local/groups/a%2F%3f%25%20b/rules?topic=%26+x",
			     NULL),
			 200);
	expect("\"group\":\"a/?% b\",\"topic\":\"\\u0026 x\"");
	expect("\"known\":false");
	expect("\"maintenance\":{\"value\":{\"until\":\"2026-12-01T06:00:00Z\","
	       "\"why\":\"a \\u003cb\\u003e\"},\"origin\":\"rules.yaml line 10\"}");
}

static const struct {
	const char *target;
	int status;
	const char *detail;
} WRONG[] = {
	{"/api/v1/clusters/nowhere/groups/g/rules", 404, "no such cluster"},
	{"/api/v1/clusters/local/groups/g/rules?env=QA", 404, "no such cluster"},
	{"/api/v1/clusters/local/groups/g/rules?partition=1", 400,
	 "partition needs a topic beside it"},
	{"/api/v1/clusters/local/groups/g/rules?topic=t&partition=-1", 400,
	 "partition must be a whole number from 0 to 2147483647"},
	{"/api/v1/clusters/local/groups/g/rules?topic=t&partition=", 400,
	 "partition must be a whole number from 0 to 2147483647"},
	{"/api/v1/clusters/local/groups/g/rules?topic=t&partition=2147483648", 400,
	 "partition must be a whole number from 0 to 2147483647"},
	{"/api/v1/clusters/local/groups/g/rules?topic=%zz", 400,
	 "topic must be text whose percent escapes are whole"},
};

static void what_cannot_be_answered_is_a_problem(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
		assert_int_equal(ask(METHOD_GET, WRONG[i].target, NULL), WRONG[i].status);
		expect(WRONG[i].detail);
	}
	assert_int_equal(ask(METHOD_GET, WRONG[0].target, NULL), 404);
	assert_string_equal(buf_str(&text), "{\"title\":\"Not Found\",\"status\":404,"
					    "\"detail\":\"no such cluster\"}");
}

static void clusters_of_one_name_are_told_apart(void **state)
{
	(void)state;
	struct view *other = fixture_view("local", 2);

	other->environment = "QA";
	board_publish(fixture.board, other);
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local/groups/a%2Fb/rules", NULL), 409);
	expect("say which with ?env=");
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local/groups/a%2Fb/rules?env=QA", NULL),
			 200);
	expect("\"environment\":\"QA\"");
	expect("\"maintenance\":{\"value\":null");
	assert_int_equal(
		ask(METHOD_GET, "/api/v1/clusters/local/groups/a%2Fb/rules?env=PROD", NULL), 200);
	expect("\"why\":");
}

static void the_whole_set_is_shown(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_GET, "/api/v1/rules", NULL), 200);
	expect("{\"file\":\"rules.yaml\",\"hash\":\"");
	expect(",\"refused\":null,\"defaults\":{\"allowed_lag\":{\"value\":0,"
	       "\"origin\":\"default\"},");
	expect("\"rules\":[{\"line\":2,\"environment\":\"*\",\"cluster\":\"*\",\"group\":\"g\","
	       "\"topic\":\"*\",\"partition\":\"*\",\"values\":{\"stop_after_min\":{"
	       "\"value\":\"5m\",\"ms\":300000,\"line\":3}},\"labels\":{\"team\":{"
	       "\"value\":\"payments\",\"line\":4}}},{\"line\":5,");
	expect("\"maintenance\":{\"value\":{\"until\":\"2026-12-01T06:00:00Z\","
	       "\"why\":\"a \\u003cb\\u003e\"},\"line\":10}},\"labels\":{}}]}");
}

static void a_reload_needs_the_right(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", NULL), 401);
	expect("Authorization: Bearer TOKEN");
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", "Basic s3cret"), 401);
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", "Bearer s3cre"), 401);
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", "Bearer s3cretx"), 401);
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", "Bearer "), 401);
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", TOKEN), 200);
	expect("\"rules\":3,\"changed\":false}");
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", "bearer  s3cret"), 200);
}

static void without_credentials_nobody_has_the_right(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	fixture_start(&fixture);
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", "Bearer "), 403);
	expect("under http.auth in aggregator.yaml give credentials the role admin");
}

static void a_reload_tells_what_came_of_it(void **state)
{
	(void)state;
	write_file("rules: [{allowed_lag: 5}]");
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", TOKEN), 200);
	expect("\"version\":2,");
	expect("\"rules\":1,\"changed\":true}");
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local/groups/g/rules", NULL), 200);
	expect("\"allowed_lag\":{\"value\":5,\"origin\":\"rules.yaml line 1\"}");

	write_file("rules:\n- allowed_lag: x\n- window: 1s\n");
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", TOKEN), 422);
	expect("the rules from before stay in force\",\"errors\":[\"");
	expect("rules.yaml:2: allowed_lag: x is wrong; expects a whole number\",\"");
	expect("rules.yaml:3: window: 1s is out of range; allowed are 2m to 1h\"]}");
	assert_int_equal(ask(METHOD_GET, "/api/v1/rules", NULL), 200);
	expect("\"version\":2,");
	expect("\"refused\":{\"at\":\"2");
	expect("rules.yaml:2: allowed_lag");
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local/groups/g/rules", NULL), 200);
	expect("\"allowed_lag\":{\"value\":5,\"origin\":\"rules.yaml line 1\"}");

	fixture_open_rules(&fixture, "");
	assert_int_equal(ask(METHOD_POST, "/api/v1/rules/reload", TOKEN), 409);
	expect("set rules_file in aggregator.yaml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_value_is_shown_with_its_origin, start, stop),
		cmocka_unit_test_setup_teardown(a_partition_has_rules_of_its_own, start, stop),
		cmocka_unit_test_setup_teardown(names_may_hold_anything, start, stop),
		cmocka_unit_test_setup_teardown(what_cannot_be_answered_is_a_problem, start, stop),
		cmocka_unit_test_setup_teardown(clusters_of_one_name_are_told_apart, start, stop),
		cmocka_unit_test_setup_teardown(the_whole_set_is_shown, start, stop),
		cmocka_unit_test_setup_teardown(a_reload_needs_the_right, start, stop),
		cmocka_unit_test_setup_teardown(without_credentials_nobody_has_the_right, start,
						stop),
		cmocka_unit_test_setup_teardown(a_reload_tells_what_came_of_it, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
