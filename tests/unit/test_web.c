/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include "aggregator/serve/web.h"

#define CATCH_ALL "{\"error\":true,\"message\":\"invalid request type\",\"result\":{}}\n"

static struct response ask(struct fixture *f, enum method method, const char *target,
			   const char *accept, const char *if_none_match)
{
	struct request rq = {.method = method,
			     .target = target,
			     .body = "",
			     .accept = accept,
			     .if_none_match = if_none_match};
	struct response rs;

	server_handle(f->server, &rq, &rs);
	return rs;
}

static const char *header(const struct response *rs, const char *name)
{
	for (const struct response_header *h = rs->headers; h != NULL && h->name != NULL; h++) {
		if (strcmp(h->name, name) == 0)
			return h->value;
	}
	return "";
}

static void a_browser_gets_the_page(void **state)
{
	struct response rs = ask(*state, METHOD_GET, "/?x=1", "text/html,*/*;q=0.8", NULL);

	assert_int_equal(rs.status, 200);
	assert_string_equal(rs.type, "text/html; charset=utf-8");
	assert_true(rs.nosniff);
	assert_non_null(strstr(buf_str(&rs.body), "<title>Warren</title>"));
	assert_non_null(strstr(header(&rs, "Content-Security-Policy"), "default-src 'none'"));
	response_free(&rs);
}

static void to_everybody_else_the_root_stays_unknown(void **state)
{
	static const struct {
		enum method method;
		const char *accept;
	} CASES[] = {
		{METHOD_GET, NULL},
		{METHOD_GET, "*/*"},
		{METHOD_GET, "application/json"},
		{METHOD_POST, "text/html"},
		{METHOD_OPTIONS, "text/html"},
	};

	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct response rs = ask(*state, CASES[i].method, "/", CASES[i].accept, NULL);

		assert_int_equal(rs.status, 404);
		assert_string_equal(buf_str(&rs.body), CATCH_ALL);
		assert_null(rs.headers);
		response_free(&rs);
	}
}

static void a_file_that_the_browser_has_is_not_sent_again(void **state)
{
	struct response rs = ask(*state, METHOD_GET, "/web/app.js", "*/*", NULL);
	const char *etag = rs.etag;

	assert_int_equal(rs.status, 200);
	assert_string_equal(rs.type, "text/javascript; charset=utf-8");
	response_free(&rs);
	rs = ask(*state, METHOD_GET, "/web/app.js", "*/*", etag);
	assert_int_equal(rs.status, 304);
	assert_int_equal(rs.body.size, 0);
	assert_string_equal(rs.etag, etag);
	response_free(&rs);
	rs = ask(*state, METHOD_GET, "/web/app.js", "*/*", "\"another\"");
	assert_int_equal(rs.status, 200);
	response_free(&rs);
}

static void only_the_files_of_the_page_are_served(void **state)
{
	static const char *const TARGETS[] = {
		"/web/", "/web/nope.js", "/web/../web/app.js", "/web/app.js/", "/index.html",
	};

	for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++) {
		struct response rs = ask(*state, METHOD_GET, TARGETS[i], "text/html", NULL);

		if (rs.status != 404)
			fail_msg("%s: %d", TARGETS[i], rs.status);
		response_free(&rs);
	}
}

/* What the page refers to is there, and all of it comes from this server. */
static void every_file_has_a_type_and_none_refers_elsewhere(void **state)
{
	(void)state;
	assert_true(WEB_FILE_COUNT > 10);
	for (size_t i = 0; i < WEB_FILE_COUNT; i++) {
		const struct web_file *f = &WEB_FILES[i];

		assert_true(f->size > 0 && *f->type != '\0');
		if (strstr(f->path, "/uplot/") == NULL)
			assert_null(memmem(f->data, f->size, "https://", 8));
	}
}

static int start(void **state)
{
	static struct fixture f;

	fixture_start(&f);
	*state = &f;
	return 0;
}

static int stop(void **state)
{
	fixture_stop(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_browser_gets_the_page),
		cmocka_unit_test(to_everybody_else_the_root_stays_unknown),
		cmocka_unit_test(a_file_that_the_browser_has_is_not_sent_again),
		cmocka_unit_test(only_the_files_of_the_page_are_served),
		cmocka_unit_test(every_file_has_a_type_and_none_refers_elsewhere),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
