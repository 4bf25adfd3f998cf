/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <jansson.h>
#include <stdio.h>

#include "aggregator/judge/judge.h"

/* Lists of /api/v1 over made-up clusters: paging, filters, forms, and who sees what. */

#define MANY 250

struct asked {
	struct fixture f;
	struct request rq; /* what headers the next request has */
	int status;
	char etag[32];
	bool gzipped;
	char link[512];
	char type[64];
	char *text; /* the body */
	json_t *json;
	bool no_link; /* the calls tell of no agents */
};

static void forget(struct asked *a)
{
	json_decref(a->json);
	free(a->text);
	a->json = NULL;
	a->text = NULL;
}

static void note_headers(struct asked *a, struct response *rs)
{
	a->status = rs->status;
	a->gzipped = false;
	snprintf(a->etag, sizeof(a->etag), "%s", rs->etag != NULL ? rs->etag : "");
	snprintf(a->type, sizeof(a->type), "%s", rs->type != NULL ? rs->type : "");
	snprintf(a->link, sizeof(a->link), "%s", buf_str(&rs->link));
	for (const struct response_header *h = rs->headers; h != NULL && h->name != NULL; h++)
		a->gzipped = a->gzipped || strcmp(h->value, "gzip") == 0;
}

static json_t *ask(struct asked *a, const char *target)
{
	struct request rq = a->rq;
	struct response rs;

	forget(a);
	rq.target = target;
	rq.body = "";
	server_handle(a->f.server, &rq, &rs);
	assert_int_equal(rs.body.err, ERR_OK);
	note_headers(a, &rs);
	if (rs.shared != NULL)
		buf_put(&rs.body, rs.shared->data, rs.shared->size);
	a->text = strdup(buf_str(&rs.body));
	if (!a->gzipped && strstr(a->type, "json") != NULL) {
		a->json = json_loads(a->text, 0, NULL);
		if (a->json == NULL)
			fail_msg("%s: %s", target, a->text);
	}
	response_free(&rs);
	return a->json;
}

static void refused(struct asked *a, const char *target, int status)
{
	ask(a, target);
	if (a->status != status)
		fail_msg("%s: %d", target, a->status);
	assert_string_equal(a->type, "application/problem+json");
	assert_int_equal(json_integer_value(json_object_get(a->json, "status")), status);
}

static int64_t number(const json_t *o, const char *key)
{
	if (!json_is_integer(json_object_get(o, key)))
		fail_msg("%s is no integer", key);
	return json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	if (!json_is_string(json_object_get(o, key)))
		fail_msg("%s is no string", key);
	return json_string_value(json_object_get(o, key));
}

/* The names of a list's rows, in their order, parted by blanks. */
static const char *names(struct asked *a, const char *target, const char *list, const char *key)
{
	static char all[8192];
	size_t used = 0;
	size_t i = 0;
	json_t *row = NULL;

	ask(a, target);
	if (a->status != 200)
		fail_msg("%s: %d %s", target, a->status, a->text);
	all[0] = '\0';
	json_array_foreach(json_object_get(a->json, list), i, row)
	{
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i > 0 ? " " : "",
					 text(row, key));
	}
	return all;
}

static const char *groups(struct asked *a, const char *target)
{
	return names(a, target, "groups", "group");
}

/* A cluster of many groups, of which the lags are mixed up. */
static void publish_many(struct asked *a, const char *cluster, uint32_t id, int count)
{
	struct view *v = fixture_view(cluster, id);
	struct view_group *g = view_alloc(v, (size_t)count * sizeof(*g));

	v->environment = "QA";
	for (int i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many-%03d", i);
		g[i] = (struct view_group){.name = view_strdup(v, name),
					   .id = (uint32_t)i + 1,
					   .status = STATUS_OK,
					   .total_lag = (uint64_t)(i * 37 % 11),
					   .time_lag_ms = VIEW_UNKNOWN,
					   .margin_ms = VIEW_UNKNOWN,
					   .state = "Stable",
					   .protocol = ""};
	}
	v->groups = g;
	v->group_count = (size_t)count;
	board_publish(a->f.board, v);
}

static void on_agents(void *arg, server_on_agent *emit, void *emit_arg)
{
	(void)arg;
	emit(emit_arg, &(struct server_agent){.name = "a-silent", .software = "9"});
	emit(emit_arg, &(struct server_agent){.name = "dc1-a",
					      .software = "0.1.0",
					      .config_hash = 0xabc,
					      .connected_ms = T0,
					      .seen_ms = T0 + 5,
					      .hellos = 1,
					      .batches = 12,
					      .spool_batches = 3,
					      .spool_age_ms = VIEW_UNKNOWN,
					      .skew_known = true,
					      .skew_ms = -7});
}

static void begin(struct asked *a, const struct auth_options *who)
{
	*a = (struct asked){.rq = {.method = METHOD_GET}};
	a->f = (struct fixture){.board = board_new()};
	assert_int_equal(auth_new(who, &a->f.auth), ERR_OK);
	const struct server_config config = {
		.listen = "", .allow_origin = "", .auth = a->f.auth, .host = "vm"};
	struct server_calls calls = {.agents = on_agents};
	story_none(&calls);
	assert_int_equal(server_new(&config, &calls, a->f.board, &a->f.server), ERR_OK);
	board_publish(a->f.board, fixture_local());
}

static int start(void **state)
{
	struct asked *a = malloc(sizeof(*a));
	const struct auth_options open = {.anonymous = ACCESS_READ};

	assert_non_null(a);
	begin(a, &open);
	*state = a;
	return 0;
}

static int stop(void **state)
{
	struct asked *a = *state;

	forget(a);
	fixture_stop(&a->f);
	free(a);
	return 0;
}

/* --- lists --- */

static void groups_of_all_clusters_are_one_list(void **state)
{
	struct asked *a = *state;

	publish_many(a, "second", 2, 3);
	assert_string_equal(groups(a, "/api/v1/groups"),
			    "full g many-000 many-001 many-002 memberonly rew stall warn");
	assert_int_equal(number(a->json, "total"), 9);
	assert_true(json_is_null(json_object_get(a->json, "next")));
	assert_int_equal(number(a->json, "as_of_ms"), T0);
	json_t *g = json_array_get(json_object_get(a->json, "groups"), 1);
	assert_string_equal(text(g, "environment"), "PROD");
	assert_string_equal(text(g, "cluster"), "local");
	assert_int_equal(number(g, "lost"), 12);
	assert_int_equal(number(g, "margin_ms"), 90500);
	assert_int_equal(number(g, "as_of_ms"), T0);
	assert_int_equal(number(g, "agent_seen_ms"), T0);
	assert_non_null(strstr(text(g, "sentence"), "OK"));
	assert_string_equal(groups(a, "/api/v1/environments/QA/groups"),
			    "many-000 many-001 many-002");
	assert_string_equal(groups(a, "/api/v1/clusters/second/groups"),
			    "many-000 many-001 many-002");
	refused(a, "/api/v1/environments/DEV/groups", 404);
	refused(a, "/api/v1/clusters/third/groups", 404);
}

static void lists_are_filtered(void **state)
{
	struct asked *a = *state;

	publish_many(a, "second", 2, 3);
	assert_string_equal(groups(a, "/api/v1/groups?env=Q*&group=*-00[12]"), "many-001 many-002");
	assert_string_equal(groups(a, "/api/v1/groups?status=WARN"), "warn");
	assert_string_equal(groups(a, "/api/v1/groups?status=ERR,WARN&topic=u"),
			    "full rew stall warn");
	assert_string_equal(groups(a, "/api/v1/groups?state=Stable&cluster=local"), "memberonly");
	assert_string_equal(groups(a, "/api/v1/groups?q=SECO&limit=1"), "many-000");
	assert_int_equal(number(a->json, "total"), 3);
	assert_string_equal(groups(a, "/api/v1/groups?q=nothing"), "");
	assert_string_equal(groups(a, "/api/v1/groups?reason=no_data"), "");
	refused(a, "/api/v1/clusters/second/groups?cluster=x", 400);
	refused(a, "/api/v1/groups?colour=red", 400);
	refused(a, "/api/v1/clusters/second?limit=3", 400);
}

static void lists_are_sorted(void **state)
{
	struct asked *a = *state;

	assert_string_equal(groups(a, "/api/v1/groups?sort=-lag&limit=3"), "rew full stall");
	assert_string_equal(groups(a, "/api/v1/groups?sort=status"),
			    "memberonly warn full g rew stall");
	assert_string_equal(groups(a, "/api/v1/groups?sort=-name&limit=2"), "warn stall");
	assert_string_equal(groups(a, "/api/v1/groups?sort=-time_lag&limit=1"), "g");
}

/* Every page, one after the other; returns how many rows there were, the last page's in a->json. */
static size_t all_pages(struct asked *a, const char *order, void (*between)(struct asked *a))
{
	char target[1024];
	char cursor[512] = "";
	char seen[MANY] = "";
	size_t rows = 0;

	do {
		size_t i = 0;
		json_t *row = NULL;

		snprintf(target, sizeof(target), "/api/v1/groups?group=many*&limit=40%s%s%s", order,
			 cursor[0] != '\0' ? "&cursor=" : "", cursor);
		ask(a, target);
		assert_int_equal(a->status, 200);
		json_array_foreach(json_object_get(a->json, "groups"), i, row)
		{
			int n = atoi(text(row, "group") + 5);

			if (seen[n] != 0)
				fail_msg("%d comes twice", n);
			seen[n] = 1;
			rows++;
		}
		json_t *next = json_object_get(a->json, "next");
		snprintf(cursor, sizeof(cursor), "%s",
			 json_is_null(next) ? "" : json_string_value(next));
		if (between != NULL)
			between(a);
	} while (cursor[0] != '\0');
	return rows;
}

static void fewer(struct asked *a)
{
	publish_many(a, "second", 2, MANY - 10);
}

static void pages_hold_every_row_once(void **state)
{
	struct asked *a = *state;

	publish_many(a, "second", 2, MANY);
	assert_int_equal(all_pages(a, "", NULL), MANY);
	assert_int_equal(all_pages(a, "&sort=lag", NULL), MANY);
	assert_int_equal(all_pages(a, "&sort=-lag", NULL), MANY);
	assert_int_equal(all_pages(a, "&sort=-name", NULL), MANY);
	/* Rows that go meanwhile take no other with them. */
	assert_int_equal(all_pages(a, "", fewer), MANY - 10);
}

static void a_cursor_belongs_to_its_order(void **state)
{
	struct asked *a = *state;
	char target[1024];

	ask(a, "/api/v1/groups?limit=2&sort=lag");
	const char *next = text(a->json, "next");
	snprintf(target, sizeof(target), "/api/v1/groups?limit=2&sort=-lag&cursor=%s", next);
	refused(a, target, 400);
	refused(a, "/api/v1/groups?cursor=AAAA", 400);
}

static void csv_is_a_list_too(void **state)
{
	struct asked *a = *state;

	ask(a, "/api/v1/groups?format=csv&limit=2");
	assert_int_equal(a->status, 200);
	assert_non_null(strstr(a->type, "text/csv"));
	assert_int_equal(strncmp(a->text, "environment,cluster,group,", 26), 0);
	assert_non_null(strstr(a->text, "\r\nPROD,local,full,"));
	assert_non_null(strstr(a->link, "</api/v1/groups?format=csv&limit=2&cursor="));
	char target[600];
	snprintf(target, sizeof(target), "%.*s", (int)(strchr(a->link, '>') - a->link - 1),
		 a->link + 1);
	ask(a, target);
	assert_non_null(strstr(a->text, "\r\nPROD,local,memberonly,"));
	a->rq.accept = "text/csv";
	ask(a, "/api/v1/clusters");
	assert_non_null(strstr(a->text, "groups.total,groups.ok"));
	ask(a, "/api/v1/clusters/local/topics");
	assert_non_null(strstr(a->text, "\r\nPROD,local,u,"));
	ask(a, "/api/v1/agents");
	assert_non_null(strstr(a->text, "\r\ndc1-a,"));
	ask(a, "/api/v1/environments");
	assert_non_null(strstr(a->text, "\r\nPROD,"));
	ask(a, "/api/v1/clusters/local/groups/g/partitions");
	assert_non_null(strstr(a->text, "\r\nt,2,STOP,"));
	ask(a, "/api/v1/clusters/local/groups/g/members");
	assert_string_equal(a->text, "id,client_id,host,assigned_count,assigned\r\n");
}

/* --- sentences --- */

static void a_quiet_group_is_told_in_a_sentence(void **state)
{
	static const struct {
		size_t partitions, unknown;
		uint64_t lag;
		const char *sentence;
	} CASES[] = {
		{0, 0, 0, "nothing is committed yet, so there is nothing to judge"},
		{1, 0, 0, "its one partition is OK, no messages wait"},
		{3, 0, 1, "all partitions (3) are OK, 1 message waits"},
		{3, 1, 7, "all partitions (3) are OK, 7 messages wait, the lag of 1 is not known"},
		{3, 3, 0, "all partitions (3) are OK, the lag of 3 is not known"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		CLEANUP(buf_free) struct buf out = {0};

		explain_quiet_group(CASES[i].partitions, CASES[i].unknown, CASES[i].lag, &out);
		assert_string_equal(buf_str(&out), CASES[i].sentence);
	}
}

/* A partition that was never committed to has no lag, but may wait for long. */
static void a_lag_that_is_not_known_is_not_none(void **state)
{
	struct asked *a = *state;
	struct view *v = fixture_view("young", 9);
	struct view_partition *p = view_alloc(v, 2 * sizeof(*p));
	struct view_group *g = view_alloc(v, sizeof(*g));

	fixture_partition(&p[0], "t", 0, STATUS_OK, VIEW_UNKNOWN);
	fixture_partition(&p[1], "t", 1, STATUS_STOP, 5);
	p[0].time_lag_ms = 9000;
	p[1].eta_ms = 700;
	*g = (struct view_group){
		.name = "y", .state = "", .protocol = "", .partitions = p, .partition_count = 2};
	view_sum_group(g);
	v->groups = g;
	v->group_count = 1;
	board_publish(a->f.board, v);
	json_t *row = ask(a, "/api/v1/clusters/young/groups/y");
	assert_int_equal(number(row, "lag"), 5);
	assert_int_equal(number(row, "lag_unknown_count"), 1);
	assert_int_equal(number(row, "time_lag_ms"), 9000);
	assert_int_equal(number(row, "eta_ms"), 700);
	assert_int_equal(number(row, "bad_count"), 1);
	assert_non_null(
		strstr(text(row, "sentence"), "1 of 2 partitions in trouble, the worst t/1"));
}

/* --- one of a kind --- */

static void environments_and_clusters_have_sums(void **state)
{
	struct asked *a = *state;

	publish_many(a, "second", 2, 3);
	assert_string_equal(names(a, "/api/v1/environments", "environments", "environment"),
			    "PROD QA");
	ask(a, "/api/v1/environments/PROD");
	assert_int_equal(number(a->json, "clusters"), 1);
	assert_int_equal(number(json_object_get(a->json, "groups"), "err"), 4);
	assert_string_equal(names(a, "/api/v1/clusters?sort=-lag", "clusters", "cluster"),
			    "local second");
	assert_string_equal(names(a, "/api/v1/environments/QA/clusters", "clusters", "cluster"),
			    "second");
	refused(a, "/api/v1/environments/NONE", 404);
	assert_string_equal(names(a, "/api/v1/clusters?q=econ", "clusters", "cluster"), "second");
}

static void topics_have_partitions_and_consumers(void **state)
{
	struct asked *a = *state;

	assert_string_equal(names(a, "/api/v1/clusters/local/topics", "topics", "topic"), "t u");
	ask(a, "/api/v1/clusters/local/topics/u");
	assert_int_equal(number(a->json, "consumer_count"), 4);
	assert_int_equal(json_array_size(json_object_get(a->json, "consumers")), 4);
	json_t *p = json_array_get(json_object_get(a->json, "partitions"), 0);
	assert_int_equal(number(p, "log_end"), 1800);
	assert_true(json_is_null(json_object_get(p, "rate")));
	refused(a, "/api/v1/clusters/local/topics/none", 404);
}

static void partitions_are_listed(void **state)
{
	struct asked *a = *state;

	ask(a, "/api/v1/clusters/local/groups/g/partitions?sort=-lag&limit=1");
	json_t *p = json_array_get(json_object_get(a->json, "partitions"), 0);
	assert_int_equal(number(p, "partition"), 2);
	assert_string_equal(text(a->json, "group"), "g");
	assert_int_equal(number(a->json, "total"), 3);
	ask(a, "/api/v1/clusters/local/groups/g/partitions?status=OK&q=10.0.0.1");
	assert_int_equal(number(a->json, "total"), 1);
	refused(a, "/api/v1/clusters/local/groups/none/partitions", 404);
	refused(a, "/api/v1/clusters/local/groups/none/members", 404);
}

static void agents_are_put_together_from_both_sides(void **state)
{
	struct asked *a = *state;

	assert_string_equal(names(a, "/api/v1/agents", "agents", "agent"), "a-silent dc1-a");
	assert_string_equal(a->etag, "");
	ask(a, "/api/v1/agents/dc1-a");
	assert_string_equal(text(a->json, "config_hash"), "0000000000000abc");
	assert_int_equal(number(a->json, "skew_ms"), -7);
	assert_int_equal(number(a->json, "batches"), 12);
	assert_int_equal(number(a->json, "spool_batches"), 3);
	assert_int_equal(number(a->json, "last_pass_ms"), T0);
	json_t *c = json_array_get(json_object_get(a->json, "clusters"), 0);
	assert_string_equal(text(c, "cluster"), "local");
	assert_string_equal(text(c, "state"), "running");
	assert_true(number(c, "age_ms") >= 0);
	refused(a, "/api/v1/agents/nobody", 404);
}

/* --- names --- */

/* Whichever of them had the last pass. */
static void of_two_of_a_name_burrows_paths_show_the_first(void **state)
{
	struct asked *a = *state;

	publish_many(a, "local", 2, 3);
	for (int i = 0; i < 2; i++) {
		board_publish(a->f.board, fixture_local());
		ask(a, "/v3/kafka");
		assert_int_equal(json_array_size(json_object_get(a->json, "clusters")), 1);
		ask(a, "/v3/kafka/local/consumer");
		assert_int_equal(json_array_size(json_object_get(a->json, "consumers")), 6);
		publish_many(a, "local", 2, 3);
		ask(a, "/v3/kafka/local/consumer");
		assert_int_equal(json_array_size(json_object_get(a->json, "consumers")), 6);
	}
	refused(a, "/api/v1/clusters/local", 409);
	ask(a, "/api/v1/clusters/local/groups?env=QA");
	assert_int_equal(number(a->json, "total"), 3);
}

static void names_of_all_kinds_can_be_asked_for(void **state)
{
	struct asked *a = *state;
	static const char *const NAMES[][2] = {
		{"a/b", "a%2Fb"}, {"100%", "100%25"},
		{"%41", "%2541"}, {"two words", "two%20words"},
		{"+", "+"},       {"\xe4\xb8\xad", "%E4%B8%AD"},
		{"\xff", "%FF"},  {"Capital", "Capital"},
		{"..", "%2E%2E"},
	};
	struct view *v = fixture_view("A/b c", 7);
	struct view_group *g = view_alloc(v, sizeof(*g));

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		char target[200];

		struct view *one = fixture_view("A/b c", 7);
		g = view_alloc(one, sizeof(*g));
		*g = (struct view_group){.name = NAMES[i][0], .time_lag_ms = -1, .state = ""};
		one->groups = g;
		one->group_count = 1;
		board_publish(a->f.board, one);
		snprintf(target, sizeof(target), "/api/v1/clusters/A%%2Fb%%20c/groups/%s",
			 NAMES[i][1]);
		ask(a, target);
		if (a->status != 200)
			fail_msg("%s: %d", target, a->status);
		snprintf(target, sizeof(target), "/api/v1/groups?group=%s", NAMES[i][1]);
		if (strchr(NAMES[i][0], '+') == NULL)
			assert_int_equal(number(ask(a, target), "total"), 1);
	}
	view_unref(&v);
}

/* --- forms --- */

static void what_has_not_changed_is_not_sent(void **state)
{
	struct asked *a = *state;
	static const char *const TARGETS[] = {"/api/v1/groups",
					      "/api/v1/clusters/local/groups/g",
					      "/api/v1/clusters/local",
					      "/api/v1/environments",
					      "/api/v1/environments/PROD",
					      "/api/v1/clusters/local/topics/t",
					      "/api/v1/clusters",
					      "/api/v1/clusters/local/groups/g/partitions"};

	for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++) {
		char etag[40];

		a->rq.if_none_match = NULL;
		ask(a, TARGETS[i]);
		assert_int_equal(a->status, 200);
		assert_int_equal(strncmp(a->etag, "W/\"", 3), 0);
		snprintf(etag, sizeof(etag), "\"x\", %s", a->etag);
		a->rq.if_none_match = etag;
		ask(a, TARGETS[i]);
		assert_int_equal(a->status, 304);
		assert_string_equal(a->text, "");
		board_publish(a->f.board, fixture_local());
		ask(a, TARGETS[i]);
		assert_int_equal(a->status, 200);
		assert_null(strstr(etag, a->etag));
	}
	a->rq.if_none_match = "*";
	ask(a, "/api/v1/groups");
	assert_int_equal(a->status, 304);
	/* What is not there has no tag. */
	refused(a, "/api/v1/clusters/local/groups/none", 404);
	assert_string_equal(a->etag, "");
}

static void a_pass_of_another_cluster_changes_no_tag(void **state)
{
	struct asked *a = *state;
	char etag[40];

	ask(a, "/api/v1/clusters/local/groups/g");
	snprintf(etag, sizeof(etag), "%s", a->etag);
	publish_many(a, "second", 2, 3);
	ask(a, "/api/v1/clusters/local/groups/g");
	assert_string_equal(a->etag, etag);
}

static void answers_are_packed_for_who_takes_it(void **state)
{
	struct asked *a = *state;
	char plain[40];

	publish_many(a, "second", 2, MANY);
	ask(a, "/api/v1/groups");
	assert_false(a->gzipped);
	snprintf(plain, sizeof(plain), "%s", a->etag);
	for (int i = 0; i < 2; i++) { /* rendered, and kept */
		a->rq.accept_encoding = "deflate, gzip;q=0.5";
		ask(a, "/api/v1/groups");
		assert_true(a->gzipped);
		assert_int_equal((uint8_t)a->text[0], 0x1f);
		assert_string_not_equal(a->etag, plain);
		a->rq.accept_encoding = "gzip;q=0";
		ask(a, "/api/v1/groups");
		assert_false(a->gzipped);
	}
	a->rq.accept_encoding = "gzip";
	ask(a, "/api/v1/clusters/second");
	assert_false(a->gzipped); /* it is small */
}

static void answers_are_pretty_for_people(void **state)
{
	struct asked *a = *state;

	ask(a, "/api/v1/clusters/local?pretty");
	assert_non_null(strstr(a->text, "{\n  \"environment\": \"PROD\",\n"));
	ask(a, "/api/v1/clusters/local?pretty=false");
	assert_null(strchr(a->text, '\n'));
	ask(a, "/api/v1/groups?pretty&limit=1");
	assert_non_null(strstr(a->text, "\n  \"groups\": [\n    {\n"));
	/* A refusal too. */
	ask(a, "/api/v1/groups?pretty&limit=x");
	assert_int_equal(a->status, 400);
	assert_non_null(strstr(a->text, "\n  \"status\": 400,\n"));
}

static void head_is_get(void **state)
{
	struct asked *a = *state;
	char etag[40];

	ask(a, "/api/v1/groups");
	snprintf(etag, sizeof(etag), "%s", a->etag);
	a->rq.method = METHOD_HEAD;
	ask(a, "/api/v1/groups");
	assert_int_equal(a->status, 200);
	assert_string_equal(a->etag, etag);
	ask(a, "/api/v1/clusters/none");
	assert_int_equal(a->status, 404);
	a->rq.method = METHOD_PUT;
	refused(a, "/api/v1/groups", 405);
}

static void wrong_paths_get_problems(void **state)
{
	struct asked *a = *state;

	refused(a, "/api/v1/clusters/%zz", 400);
	refused(a, "/api/v1/clusters/%00", 400);
	refused(a, "/api/v1/nothing", 404);
	refused(a, "/api/v1/clusters//groups", 404);
}

/* --- who sees what --- */

static void the_others_are_not_there(void **state)
{
	struct asked *a = *state;
	char *const patterns[] = {(char[]){"QA/*"}};
	struct auth_entry entry = {
		.access = {.name = "qa",
			   .role = ACCESS_READ,
			   .clusters = patterns,
			   .cluster_count = 1},
		.kind = AUTH_TOKEN,
	};
	mac_digest("secret", 6, entry.digest);
	const struct auth_options who = {.entries = &entry, .count = 1, .anonymous = ACCESS_READ};

	fixture_stop(&a->f);
	begin(a, &who);
	publish_many(a, "second", 2, 3);
	ask(a, "/api/v1/groups");
	assert_int_equal(number(a->json, "total"), 9);
	char etag[40];
	snprintf(etag, sizeof(etag), "%s", a->etag);
	a->rq.authorization = "Bearer secret";
	a->rq.if_none_match = etag;
	assert_string_equal(groups(a, "/api/v1/groups"), "many-000 many-001 many-002");
	assert_int_equal(number(a->json, "total"), 3);
	assert_string_not_equal(a->etag, etag);
	assert_string_equal(names(a, "/api/v1/environments", "environments", "environment"), "QA");
	assert_string_equal(names(a, "/api/v1/clusters", "clusters", "cluster"), "second");
	assert_string_equal(groups(a, "/api/v1/groups?env=PROD"), "");
	/* The agent that has both is shown with the one, and without numbers of both. */
	assert_string_equal(names(a, "/api/v1/agents", "agents", "agent"), "dc1-a");
	ask(a, "/api/v1/agents/dc1-a");
	assert_int_equal(json_array_size(json_object_get(a->json, "clusters")), 1);
	assert_true(json_is_null(json_object_get(a->json, "batches")));
	assert_null(strstr(a->text, "local"));
	refused(a, "/api/v1/agents/a-silent", 404);
	static const char *const GONE[] = {"/api/v1/environments/PROD",
					   "/api/v1/environments/PROD/groups",
					   "/api/v1/environments/PROD/clusters",
					   "/api/v1/clusters/local",
					   "/api/v1/clusters/local/groups",
					   "/api/v1/clusters/local/groups/g",
					   "/api/v1/clusters/local/groups/g/partitions",
					   "/api/v1/clusters/local/groups/g/members",
					   "/api/v1/clusters/local/topics",
					   "/api/v1/clusters/local/topics/t"};
	for (size_t i = 0; i < ARRAY_LEN(GONE); i++)
		refused(a, GONE[i], 404);
	/* What another has asked for is not found in the cache. */
	a->rq.authorization = NULL;
	a->rq.if_none_match = NULL;
	ask(a, "/api/v1/clusters/local/groups/g");
	a->rq.authorization = "Bearer secret";
	refused(a, "/api/v1/clusters/local/groups/g", 404);
}

#define ASKED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASKED(groups_of_all_clusters_are_one_list),
		ASKED(lists_are_filtered),
		ASKED(lists_are_sorted),
		ASKED(pages_hold_every_row_once),
		ASKED(a_cursor_belongs_to_its_order),
		ASKED(csv_is_a_list_too),
		ASKED(a_quiet_group_is_told_in_a_sentence),
		ASKED(a_lag_that_is_not_known_is_not_none),
		ASKED(environments_and_clusters_have_sums),
		ASKED(topics_have_partitions_and_consumers),
		ASKED(partitions_are_listed),
		ASKED(agents_are_put_together_from_both_sides),
		ASKED(of_two_of_a_name_burrows_paths_show_the_first),
		ASKED(names_of_all_kinds_can_be_asked_for),
		ASKED(what_has_not_changed_is_not_sent),
		ASKED(a_pass_of_another_cluster_changes_no_tag),
		ASKED(answers_are_packed_for_who_takes_it),
		ASKED(answers_are_pretty_for_people),
		ASKED(head_is_get),
		ASKED(wrong_paths_get_problems),
		ASKED(the_others_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
