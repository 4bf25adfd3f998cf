/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include "aggregator/serve/route.h"

/* Writes what it was called with: the path and its names. */
static void echo(struct server *s, const struct request *rq, struct response *rs)
{
	(void)s;
	buf_printf(&rs->body, "%s|%s", rq->url, rq->query);
	for (size_t i = 0; i < REQUEST_ARGS_MAX && rq->args[i] != NULL; i++)
		buf_printf(&rs->body, "|%s", rq->args[i]);
}

static const struct route TABLE[] = {
	{METHOD_GET, "/v3/kafka", echo, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/v3/kafka/:cluster", echo, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group", echo, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/lag", echo, ACCESS_NEEDS_NOTHING},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group", echo, ACCESS_NEEDS_NOTHING},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group/topic/:topic", echo,
	 ACCESS_NEEDS_NOTHING},
	{METHOD_POST, "/v3/admin/loglevel", echo, ACCESS_NEEDS_NOTHING},
};

#define CATCH_ALL "{\"error\":true,\"message\":\"invalid request type\",\"result\":{}}\n"

static const struct {
	enum method method;
	const char *target;
	int status;
	const char *body, *location, *allow;
} CASES[] = {
	/* found */
	{METHOD_GET, "/v3/kafka", 200, "/v3/kafka|", "", ""},
	{METHOD_GET, "/v3/kafka?a=%20&b", 200, "/v3/kafka|a=%20&b", "", ""},
	{METHOD_GET, "/v3/kafka/c", 200, "/v3/kafka/c||c", "", ""},
	{METHOD_GET, "/v3/%6Bafka/c", 200, "/v3/kafka/c||c", "", ""},
	{METHOD_GET, "/v3/kafka/a%20b", 200, "/v3/kafka/a b||a b", "", ""},
	{METHOD_GET, "/v3/kafka/a+b", 200, "/v3/kafka/a+b||a+b", "", ""},
	{METHOD_GET, "/v3/kafka/a%2Fb", 200, "/v3/kafka/a/b||a/b", "", ""},
	{METHOD_GET, "/v3/kafka/a%252Fb", 200, "/v3/kafka/a%2Fb||a%2Fb", "", ""},
	{METHOD_GET, "/v3/kafka//consumer/g", 200, "/v3/kafka//consumer/g|||g", "", ""},
	{METHOD_GET, "/v3/kafka/c/consumer/../lag", 200, "/v3/kafka/c/consumer/../lag||c|..", "",
	 ""},
	{METHOD_GET, "http://host:1/v3/kafka", 200, "/v3/kafka|", "", ""},
	{METHOD_DELETE, "/v3/kafka/c/consumer/g/topic/t", 200,
	 "/v3/kafka/c/consumer/g/topic/t||c|g|t", "", ""},

	/* nearly */
	{METHOD_GET, "/v3/kafka/", 301, "<a href=\"/v3/kafka\">Moved Permanently</a>.\n\n",
	 "/v3/kafka", ""},
	{METHOD_GET, "/V3/KAFKA/Local/Consumer/G/LAG/?x=1&y='", 301,
	 "<a href=\"/v3/kafka/Local/consumer/G/lag?x=1&amp;y=&#39;\">Moved Permanently</a>.\n\n",
	 "/v3/kafka/Local/consumer/G/lag?x=1&y='", ""},
	{METHOD_GET, "//v3/./kafka", 301, "<a href=\"/v3/kafka\">Moved Permanently</a>.\n\n",
	 "/v3/kafka", ""},
	{METHOD_GET, "/x/../v3/kafka", 301, "<a href=\"/v3/kafka\">Moved Permanently</a>.\n\n",
	 "/v3/kafka", ""},
	{METHOD_GET, "/V3/kafka/%22%3Ca%2F", 301,
	 "<a href=\"/v3/kafka/%22%3Ca%2F\">Moved Permanently</a>.\n\n", "/v3/kafka/%22%3Ca%2F", ""},
	{METHOD_GET, "/V3/kafka?\"<\xff", 301,
	 "<a href=\"/v3/kafka?%22%3C%FF\">Moved Permanently</a>.\n\n", "/v3/kafka?%22%3C%FF", ""},
	{METHOD_DELETE, "/v3/kafka/c/consumer/g/", 307, "", "/v3/kafka/c/consumer/g", ""},

	/* another method */
	{METHOD_HEAD, "/v3/kafka", 405, "Method Not Allowed\n", "", "GET, OPTIONS"},
	{METHOD_OTHER, "/v3/kafka", 405, "Method Not Allowed\n", "", "GET, OPTIONS"},
	{METHOD_PUT, "/v3/kafka/c/consumer/g", 405, "Method Not Allowed\n", "",
	 "DELETE, GET, OPTIONS"},
	{METHOD_GET, "/v3/kafka/c/consumer/g/topic/t", 405, "Method Not Allowed\n", "",
	 "DELETE, OPTIONS"},
	{METHOD_GET, "/v3/admin/loglevel", 405, "Method Not Allowed\n", "", "OPTIONS, POST"},
	{METHOD_OPTIONS, "/v3/kafka/c/consumer/g", 200, "", "", "DELETE, GET, OPTIONS"},
	{METHOD_OPTIONS, "/v3/kafka/", 404, CATCH_ALL, "", ""},

	/* not at all */
	{METHOD_GET, "/", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "/nope", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "/v3/kafkaa", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "/v3/kafk", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "/v3%2Fkafka", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "/v3/kafka/c/consumer/a/b/lag", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", 404, CATCH_ALL, "", ""},
	{METHOD_GET, "////////////////////////", 404, CATCH_ALL, "", ""},
};

static void every_path_is_answered_as_go_would(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct request rq = {
			.method = CASES[i].method, .target = CASES[i].target, .body = ""};
		struct response rs;

		response_init(&rs);
		route_dispatch(TABLE, ARRAY_LEN(TABLE), *state, &rq, &rs);
		if (rs.status != CASES[i].status)
			fail_msg("%s: %d", CASES[i].target, rs.status);
		assert_string_equal(buf_str(&rs.body), CASES[i].body);
		assert_string_equal(rs.location.size > 0 ? buf_str(&rs.location) : "",
				    CASES[i].location);
		assert_string_equal(rs.allow, CASES[i].allow);
		response_free(&rs);
	}
}

static void a_path_that_cannot_be_read_is_refused(void **state)
{
	static const char *const TARGETS[] = {
		"/v3/kafka/%",
		"/v3/kafka/%4",
		"/v3/kafka/%zz",
		"/v3/%4g/x",
		"/v3/kafka/a%00",
		"/%00/v3/kafka/",
		"v3/kafka",
		"",
		"*",
		"http://host",
		"ftp://x/y",
	};

	for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++) {
		struct request rq = {.method = METHOD_GET, .target = TARGETS[i], .body = ""};
		struct response rs;

		response_init(&rs);
		route_dispatch(TABLE, ARRAY_LEN(TABLE), *state, &rq, &rs);
		assert_int_equal(rs.status, 400);
		assert_non_null(
			strstr(buf_str(&rs.body), "{\"error\":true,\"message\":\"the path "));
		response_free(&rs);
	}
}

static void a_path_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
	char target[REQUEST_TARGET_MAX + 2];
	struct fixture f;

	(void)state;
	fixture_start(&f);
	memset(target, 'x', sizeof(target));
	memcpy(target, "/v3/kafka/", 10);
	for (int longer = 1; longer >= 0; longer--) {
		target[REQUEST_TARGET_MAX + longer] = '\0';
		struct request rq = {.method = METHOD_GET, .target = target, .body = ""};
		struct response rs;
		server_handle(f.server, &rq, &rs);
		assert_int_equal(rs.status, longer ? 414 : 404);
		response_free(&rs);
	}
	fixture_stop(&f);
}

static void unescaping_is_strict(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} TEXTS[] = {
		{"", ""},        {"a", "a"},    {"%41%2f%2F", "A//"}, {"%2541", "%41"},
		{"%ff", "\xff"}, {"a%", NULL},  {"%4", NULL},         {"%g0", NULL},
		{"%0g", NULL},   {"%00", NULL}, {"%%41", NULL},       {"%-1", NULL},
		{"% 1", NULL},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		strcpy(text, TEXTS[i].in);
		int err = route_unescape(text);
		assert_int_equal(err, TEXTS[i].out != NULL ? ERR_OK : ERR_MALFORMED);
		if (TEXTS[i].out != NULL)
			assert_string_equal(text, TEXTS[i].out);
	}
}

static struct fixture fixture;

static int start(void **state)
{
	fixture_start(&fixture);
	*state = fixture.server;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_is_answered_as_go_would),
		cmocka_unit_test(a_path_that_cannot_be_read_is_refused),
		cmocka_unit_test(a_path_may_be_as_long_as_the_limit_and_no_longer),
		cmocka_unit_test(unescaping_is_strict),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
