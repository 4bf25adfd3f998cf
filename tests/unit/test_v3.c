/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <stdio.h>

#include "common/log.h"

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/unit/data"
#endif

static int start(void **state)
{
	static struct fixture f;

	fixture_start(&f);
	log_set_level(LOG_LEVEL_INFO);
	*state = &f;
	return 0;
}

static int stop(void **state)
{
	fixture_stop(*state);
	return 0;
}

/* --- the capture --- */

/* Where an answer is to differ from Burrow's: from in it becomes to; "" stands for the whole, and a
 * to of NULL for an exchange that is not compared. */
static const struct difference {
	const char *request;
	const char *from, *to;
	const char *why;
} DIFFERENCES[] = {
	{"GET /v3/kafka/LOCAL/topic", "",
	 "{\"error\":false,\"message\":\"topic list returned\",\"topics\":[\"t\",\"u\"],"
	 "\"request\":{\"url\":\"/v3/kafka/LOCAL/topic\",\"host\":\"vm\"}}",
	 "any letter case of a cluster is accepted everywhere"},
	{"GET /v3/kafka/local/topic/t", "[100,300]", "[100,0,300]",
	 "a partition without a leader keeps its place"},
	{"GET /v3/kafka/local/consumer",
	 "[\"g\",\"full\",\"stall\",\"warn\",\"rew\",\"memberonly\"]",
	 "[\"full\",\"g\",\"memberonly\",\"rew\",\"stall\",\"warn\"]", "lists are sorted"},
	{"GET /v3/kafka/local/consumer", "[\"rew\",\"g\",\"full\",\"stall\",\"warn\"]",
	 "[\"full\",\"g\",\"memberonly\",\"rew\",\"stall\",\"warn\"]",
	 "asking for a group does not remove it"},
	{"GET /v3/kafka/local/consumer", "[\"g\",\"full\",\"stall\"]",
	 "[\"full\",\"g\",\"memberonly\",\"stall\"]", "sorted, and the same group again"},
	{"GET /v3/kafka/local/consumer/memberonly/lag", "\"NOTFOUND\",\"complete\":1",
	 "\"OK\",\"complete\":0", "a group that is known by its members only is there"},
	{"GET /v3/config", "\"level\":\"\"", "\"level\":\"error\"", "effective values are shown"},
	{"GET /v3/config/notifier", "[\"nhttp\",\"nmail\",\"nslack\",\"nnull\",\"nbogus\"]", "[]",
	 "there are none"},
	{"GET /v3/config/storage/default", ":604800}", ":604800,\"group-denylist\":\"\"}",
	 "what Burrow leaves out"},
	{"GET /v3/config/evaluator/default", "\"expire-cache\":1}",
	 "\"expire-cache\":0,\"minimum-complete\":0,\"allowed-lag\":0,\"max-time-lag\":0,"
	 "\"window\":600,\"stop-after-min\":60,\"stop-after-max\":3600,\"warn-after\":60,"
	 "\"raise-after\":2,\"clear-after\":2}",
	 "what Burrow leaves out, and what it does not have"},
	{"GET /v3/config/consumer/local", "[\"k1:9092\"]", "[\"k1:9092\",\"k2:9092\"]",
	 "the agent has one configuration for both modules"},
	{"GET /v3/config/consumer/local", "\"offsets-topic\":\"\",\"start-latest\":false}",
	 "\"offsets-topic\":\"__consumer_offsets\",\"start-latest\":false,"
	 "\"backfill-earliest\":false,\"group-denylist\":\"\"}",
	 "effective values are shown, and what Burrow leaves out"},
	{"GET /v3/admin/loglevel", "\"panic\"", "\"info\"", "the level of the captured server"},
	{"GET /v3/admin/loglevel", "\"fatal\"", "\"error\"", "errors are never turned off"},
	{"GET /v3/kafka/local/consumer/a%2Fb/status", "", NULL, "a name may hold a slash"},
	{"GET /metrics", "", NULL, "compared in test_metrics.c"},
	{"GET /v3/config/notifier/nhttp", "", NULL, "there are no notifiers"},
	{"GET /v3/config/notifier/nmail", "", NULL, "there are no notifiers"},
	{"GET /v3/config/notifier/nslack", "", NULL, "there are no notifiers"},
	{"GET /v3/config/notifier/nnull", "", NULL, "there are no notifiers"},
	{"GET /v3/config/notifier/nbogus", "", NULL, "there are no notifiers"},
};

static const char PROFILE[] =
	"{\"name\":\"test\",\"client-id\":\"\",\"kafka-version\":\"2.8.0\",\"tls\":{\"name\":"
	"\"tl\","
	"\"noverify\":false,\"certfile\":\"\",\"keyfile\":\"\",\"cafile\":\"/ca.pem\"},"
	"\"sasl\":{\"name\":\"sa\",\"handshake-first\":false,\"username\":\"u\"}},"
	"\"topic-refresh\":120,\"offset-refresh\":30}";
static const char NO_PROFILE[] =
	"{\"name\":\"\",\"client-id\":\"\",\"kafka-version\":\"\",\"tls\":null,\"sasl\":null},"
	"\"topic-refresh\":10,\"offset-refresh\":10,\"groups-reaper-refresh\":0,"
	"\"environment\":\"PROD\"}";

/* One exchange of the capture. */
struct exchange {
	char request[256]; /* method and target */
	int status;
	char type[64], allow[64], location[64], nosniff[16];
	char body[8192];
};

/* Undo the quoting of one line. */
static void unquote(const char *line, char *out)
{
	assert_int_equal(*line, '"');
	for (line++; *line != '"' || line[1] != '\n'; line++) {
		if (*line == '\\') {
			line++;
			*out++ = *line;
			if (*line == 'n')
				out[-1] = '\n';
		} else {
			*out++ = *line;
		}
	}
	*out = '\0';
}

/* The value of one of the names in a line of headers. */
static void header(const char *line, const char *name, char *out)
{
	const char *at = strstr(line, name);

	assert_non_null(at);
	at += strlen(name);
	size_t size = strcspn(at, "\"");
	memcpy(out, at, size);
	out[size] = '\0';
}

static bool next_exchange(FILE *file, struct exchange *ret_x)
{
	static char line[32768];

	if (fgets(line, sizeof(line), file) == NULL)
		return false;
	assert_int_equal(sscanf(line, "### %255[^\n]", ret_x->request), 1);
	assert_non_null(fgets(line, sizeof(line), file));
	ret_x->status = atoi(line);
	header(line, " ct=\"", ret_x->type);
	header(line, " allow=\"", ret_x->allow);
	header(line, " loc=\"", ret_x->location);
	header(line, " nosniff=\"", ret_x->nosniff);
	assert_non_null(fgets(line, sizeof(line), file));
	ret_x->body[0] = '\0';
	if (strlen(line) < sizeof(ret_x->body))
		unquote(line, ret_x->body);
	return true;
}

static void replace(char *text, const char *from, const char *to)
{
	char rest[8192];
	char *at = strstr(text, from);

	if (*from == '\0') {
		strcpy(text, to);
	} else if (at != NULL) {
		strcpy(rest, at + strlen(from));
		strcpy(at, to);
		strcat(text, rest);
	}
}

/* Make the capture what it is to be here. False: not to be compared. */
static bool differ(struct exchange *x)
{
	bool compared = true;

	replace(x->body, PROFILE, NO_PROFILE);
	for (size_t i = 0; i < ARRAY_LEN(DIFFERENCES); i++) {
		if (strcmp(DIFFERENCES[i].request, x->request) != 0)
			continue;
		if (DIFFERENCES[i].to == NULL)
			compared = false;
		else
			replace(x->body, DIFFERENCES[i].from, DIFFERENCES[i].to);
	}
	/* These are there, where Burrow has no such thing. */
	if (strstr(x->request, "LOCAL/topic") != NULL || strstr(x->request, "memberonly") != NULL)
		x->status = 200;
	return compared;
}

static enum method method_of(const char *request)
{
	static const char *const NAMES[] = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"};

	for (enum method m = 0; m < ARRAY_LEN(NAMES); m++) {
		if (strncmp(request, NAMES[m], strlen(NAMES[m])) == 0)
			return m;
	}
	return METHOD_OTHER;
}

static void replay(struct fixture *f, const struct exchange *x, const char *body)
{
	CLEANUP(buf_free) struct buf text = {.limit = 0};
	enum method method = method_of(x->request);
	struct response rs = fixture_ask(f, method, strchr(x->request, ' ') + 1, body, &text);

	if (rs.status != x->status)
		fail_msg("%s: %d, not %d: %s", x->request, rs.status, x->status, text.data);
	assert_string_equal(rs.type != NULL ? rs.type : "", x->type);
	assert_string_equal(rs.allow, x->allow);
	assert_string_equal(rs.location.size > 0 ? buf_str(&rs.location) : "", x->location);
	assert_string_equal(rs.nosniff ? "nosniff" : "", x->nosniff);
	if (method != METHOD_HEAD) /* http.c sends none */
		assert_string_equal(text.data, x->body);
	response_free(&rs);
}

static void every_captured_answer_is_given_again(void **state)
{
	static const char *const LEVELS[] = {"{\"level\":\"loud\"}", "{", "{\"level\":\"fatal\"}"};
	struct fixture *f = *state;
	FILE *file = fopen(TEST_DATA_DIR "/burrow-v3.txt", "r");
	struct exchange x;
	size_t posts = 0;
	unsigned compared = 0;
	bool removed = false;

	assert_non_null(file);
	while (next_exchange(file, &x)) {
		if (strcmp(x.body, "READY") == 0)
			server_set_ready(f->server, true);
		/* The captured server lost its groups' topic just before this. */
		if (strcmp(x.request, "GET /metrics") == 0)
			board_publish(f->board, fixture_local_later());
		/* Burrow goes on answering from its cache after a removal. */
		removed = removed || strcmp(x.request, "DELETE /v3/kafka/local/consumer/warn") == 0;
		bool stale = removed && strstr(x.request, "GET /v3/kafka/local/consumer/warn");
		if (stale || !differ(&x))
			continue;
		bool loglevel = strcmp(x.request, "POST /v3/admin/loglevel") == 0;
		replay(f, &x, loglevel ? LEVELS[posts++] : NULL);
		compared++;
	}
	fclose(file);
	assert_int_equal(posts, 3);
	assert_int_equal(compared, 69);
}

/* --- one by one --- */

static struct buf text;

static int get(struct fixture *f, const char *target)
{
	struct response rs = fixture_ask(f, METHOD_GET, target, NULL, &text);
	int status = rs.status;

	response_free(&rs);
	return status;
}

static int delete (struct fixture *f, const char *target)
{
	struct response rs = fixture_ask(f, METHOD_DELETE, target, NULL, &text);
	int status = rs.status;

	response_free(&rs);
	return status;
}

static bool says(const char *part)
{
	return strstr(buf_str(&text), part) != NULL;
}

static void a_deleted_group_is_gone_at_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/v3/kafka/local/consumer/warn/lag"), 200);
	assert_int_equal(delete (f, "/v3/kafka/local/consumer/warn"), 200);
	assert_int_equal(f->deleted_cluster, 1);
	assert_int_equal(f->deleted_group, 6);
	assert_int_equal(get(f, "/v3/kafka/local/consumer/warn/lag"), 404);
	assert_true(says("\"NOTFOUND\""));
	assert_int_equal(get(f, "/v3/kafka/local/consumer/warn"), 404);
	assert_int_equal(get(f, "/v3/kafka/local/topic/u/consumers"), 200);
	assert_true(says("[\"full\",\"rew\",\"stall\"]"));
	get(f, "/metrics");
	assert_false(says("\"warn\""));
}

static void a_deleted_topic_of_a_group_is_gone_at_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(delete (f, "/v3/kafka/LOCAL/consumer/rew/topic/u"), 200);
	assert_int_equal(f->deleted_group, 4);
	assert_string_equal(f->deleted_topic, "u");
	assert_int_equal(get(f, "/v3/kafka/local/consumer/rew/status"), 404);
	f->deleted_group = 0;
	assert_int_equal(delete (f, "/v3/kafka/local/consumer/g/topic/nope"), 200);
	assert_int_equal(f->deleted_group, 0);
}

static void a_removal_that_cannot_be_queued_is_refused_and_nothing_is_hidden(void **state)
{
	struct fixture *f = *state;

	f->delete_err = ERR_LIMIT;
	assert_int_equal(delete (f, "/v3/kafka/local/consumer/warn"), 503);
	assert_true(says("\"error\":true"));
	assert_int_equal(get(f, "/v3/kafka/local/consumer/warn/lag"), 200);
}

static void a_store_that_cannot_be_read_is_503(void **state)
{
	struct fixture *f = *state;

	f->offsets_err = ERR_TIMEOUT;
	assert_int_equal(get(f, "/v3/kafka/local/consumer/g"), 503);
	assert_true(says("{\"error\":true,\"message\":\"the store cannot be read now, try again\","
			 "\"request\":{\"url\":\"/v3/kafka/local/consumer/g\",\"host\":\"vm\"}}"));
}

/* A view with one group of any name, in a cluster of any name. */
static struct view *view_of(const char *cluster, const char *group)
{
	struct view *v = fixture_view(cluster, 7);
	struct view_group *g = view_alloc(v, sizeof(*g));

	fixture_group_u(v, g, view_strdup(v, group), STATUS_OK, fixture_point(1, 0, 0),
			fixture_point(1800, 0, 0));
	g->id = 99;
	v->groups = g;
	v->group_count = 1;
	return v;
}

static void names_are_found_escaped_once_and_twice(void **state)
{
	static const struct {
		const char *group, *once, *twice;
	} NAMES[] = {
		{"g 2/x%y", "g%202%2Fx%25y", "g%25202%252Fx%2525y"},
		{"a/b", "a%2Fb", "a%252Fb"},
		{"50%", "50%25", "50%2525"},
		{"%41", "%2541", "%252541"},
		{"caf\xc3\xa9", "caf%C3%A9", "caf%25C3%25A9"},
		{"\xed\x95\x9c", "\xed\x95\x9c", "%25ED%2595%259C"},
		{"a+b", "a+b", "a%252Bb"},
		{"..", "..", "%252E%252E"},
	};
	struct fixture *f = *state;
	char target[256];

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		board_publish(f->board, view_of("c 1", NAMES[i].group));
		snprintf(target, sizeof(target), "/v3/kafka/c%%201/consumer/%s/lag", NAMES[i].once);
		assert_int_equal(get(f, target), 200);
		snprintf(target, sizeof(target), "/v3/kafka/c%%25201/consumer/%s/lag",
			 NAMES[i].twice);
		assert_int_equal(get(f, target), 200);
		assert_true(says("\"cluster\":\"c 1\""));
		snprintf(target, sizeof(target), "/v3/kafka/c%%25201/consumer/%s", NAMES[i].twice);
		assert_int_equal(delete (f, target), 200);
		assert_int_equal(f->deleted_group, 99);
		f->deleted_group = 0;
	}
}

static void a_name_that_is_found_as_asked_is_not_unescaped_again(void **state)
{
	struct fixture *f = *state;
	struct view *v = fixture_view("c", 7);
	struct view_group *g = view_alloc(v, 2 * sizeof(*g));

	g[0] = (struct view_group){.name = "%41", .id = 1, .status = STATUS_OK};
	g[1] = (struct view_group){.name = "A", .id = 2, .status = STATUS_OK};
	v->groups = g;
	v->group_count = 2;
	board_publish(f->board, v);
	assert_int_equal(get(f, "/v3/kafka/c/consumer/%2541/status"), 200);
	assert_true(says("\"group\":\"%41\""));
	assert_int_equal(get(f, "/v3/kafka/c/consumer/%41/status"), 200);
	assert_true(says("\"group\":\"A\""));
}

static void a_cluster_is_found_in_any_letter_case_unless_two_are_alike(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/v3/kafka/LoCaL/consumer/g/lag"), 200);
	assert_true(says("\"cluster\":\"local\""));
	assert_int_equal(get(f, "/v3/config/consumer/LOCAL"), 200);
	board_publish(f->board, view_of("LOCAL", "x"));
	assert_int_equal(get(f, "/v3/kafka/LOCAL/consumer/x/lag"), 200);
	assert_int_equal(get(f, "/v3/kafka/local/consumer/g/lag"), 200);
	assert_int_equal(get(f, "/v3/kafka/Local/consumer/g/lag"), 404);
}

static void a_verdict_is_rendered_anew_for_a_new_view(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/v3/kafka/local/consumer/full/lag"), 200);
	assert_true(says("\"totallag\":1700"));
	assert_int_equal(get(f, "/v3/kafka/local/consumer/full/lag"), 200);
	assert_true(says("\"totallag\":1700"));
	board_publish(f->board, fixture_local_later());
	assert_int_equal(get(f, "/v3/kafka/local/consumer/full/lag"), 200);
	assert_true(says("\"totallag\":0"));
}

static void a_hole_in_the_partitions_keeps_its_place(void **state)
{
	struct fixture *f = *state;
	struct view *v = view_of("c", "h");
	struct view_partition *p = view_alloc(v, sizeof(*p));

	*p = v->groups[0].partitions[0];
	p->partition = 2;
	struct view_group *g = view_alloc(v, sizeof(*g));
	*g = v->groups[0];
	g->partitions = p;
	v->groups = g;
	board_publish(f->board, v);
	assert_int_equal(get(f, "/v3/kafka/c/consumer/h"), 200);
	assert_true(says("{\"u\":["
			 "{\"offsets\":[],\"owner\":\"\",\"client_id\":\"\",\"current-lag\":0},"
			 "{\"offsets\":[],\"owner\":\"\",\"client_id\":\"\",\"current-lag\":0},"
			 "{\"offsets\":[],\"owner\":\"\",\"client_id\":\"\",\"current-lag\":0}]}"));
}

static void an_answer_that_would_be_too_large_is_refused(void **state)
{
	struct fixture *f = *state;
	struct view *v = view_of("c", "h");
	struct view_partition *p = view_alloc(v, sizeof(*p));

	*p = v->groups[0].partitions[0];
	p->partition = WIRE_PARTITION_MAX;
	struct view_group *g = view_alloc(v, sizeof(*g));
	*g = v->groups[0];
	g->partitions = p;
	v->groups = g;
	board_publish(f->board, v);

	struct request rq = {.method = METHOD_GET, .target = "/v3/kafka/c/consumer/h", .body = ""};
	struct response rs;
	server_handle(f->server, &rq, &rs);
	assert_int_equal(rs.status, 503);
	response_free(&rs);
}

static void a_log_level_is_set_as_go_would_read_it(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *level;
	} CASES[] = {
		{"{\"level\":\"debug\"}", 200, "debug"},
		{"{\"LEVEL\":\"WARN\"} and more", 200, "warn"},
		{"{\"level\":\"warning\"}", 200, "warn"},
		{"{\"level\":\"trace\",\"other\":[1,2]}", 200, "debug"},
		{"{\"level\":\"error\"}", 200, "error"},
		{"{\"level\":\"info\"}", 200, "info"},
		{"{\"level\":\"inf\"}", 404, "info"},
		{"{\"level\":\"informationinformation\"}", 404, "info"},
		{"{\"level\":null}", 404, "info"},
		{"{}", 404, "info"},
		{"null", 404, "info"},
		{"{\"level\":3}", 400, "info"},
		{"[\"info\"]", 400, "info"},
		{"", 400, "info"},
		{"{\"level\":\"in", 400, "info"},
	};
	struct fixture *f = *state;
	char want[64];

	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct response rs =
			fixture_ask(f, METHOD_POST, "/v3/admin/loglevel", CASES[i].body, &text);
		assert_int_equal(rs.status, CASES[i].status);
		response_free(&rs);
		get(f, "/v3/admin/loglevel");
		snprintf(want, sizeof(want), "\"level\":\"%s\"", CASES[i].level);
		assert_true(says(want));
	}
	log_set_level(LOG_LEVEL_INFO);
}

static void readiness_is_what_it_was_set_to(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/healthz"), 200);
	assert_int_equal(get(f, "/readyz"), 503);
	assert_int_equal(get(f, "/burrow/admin/ready"), 503);
	server_set_ready(f->server, true);
	assert_int_equal(get(f, "/readyz"), 200);
	assert_int_equal(get(f, "/burrow/admin/ready"), 200);
	assert_true(says("READY"));
}

static int free_text(void **state)
{
	(void)state;
	buf_free(&text);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_captured_answer_is_given_again),
		TEST(a_deleted_group_is_gone_at_once),
		TEST(a_deleted_topic_of_a_group_is_gone_at_once),
		TEST(a_removal_that_cannot_be_queued_is_refused_and_nothing_is_hidden),
		TEST(a_store_that_cannot_be_read_is_503),
		TEST(names_are_found_escaped_once_and_twice),
		TEST(a_name_that_is_found_as_asked_is_not_unescaped_again),
		TEST(a_cluster_is_found_in_any_letter_case_unless_two_are_alike),
		TEST(a_verdict_is_rendered_anew_for_a_new_view),
		TEST(a_hole_in_the_partitions_keeps_its_place),
		TEST(an_answer_that_would_be_too_large_is_refused),
		TEST(a_log_level_is_set_as_go_would_read_it),
		TEST(readiness_is_what_it_was_set_to),
	};

	return cmocka_run_group_tests(tests, NULL, free_text);
}
