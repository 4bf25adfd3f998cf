/* SPDX-License-Identifier: Apache-2.0 */

/* Every request of the server with every kind of credential, about clusters seen and not seen. */

#include "tests/unit/serve_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "aggregator/serve/route.h"
#include "common/log.h"

static struct fixture fixture;
static struct server *server;
static struct buf text;
static unsigned deletions;

/* --- a server --- */

static int on_delete(void *arg, uint32_t cluster_id, uint32_t group_id)
{
	(void)arg;
	(void)cluster_id;
	(void)group_id;
	deletions++;
	return ERR_OK;
}

static int on_delete_topic(void *arg, uint32_t cluster_id, uint32_t group_id, const char *topic)
{
	(void)topic;
	return on_delete(arg, cluster_id, group_id);
}

static int on_partitions(void *arg, const struct story_group *g, const struct story_filter *f,
			 story_on_partition *emit, void *emit_arg)
{
	(void)arg;
	(void)g;
	(void)f;
	(void)emit;
	(void)emit_arg;
	return ERR_OK;
}

static int on_members(void *arg, const struct story_group *g, story_on_member *emit, void *emit_arg)
{
	(void)arg;
	(void)g;
	(void)emit;
	(void)emit_arg;
	return ERR_OK;
}

static int on_events(void *arg, const struct story_group *g, int64_t before_ms, size_t max,
		     past_on_event *emit, void *emit_arg)
{
	(void)arg;
	(void)g;
	(void)before_ms;
	(void)max;
	(void)emit;
	(void)emit_arg;
	return ERR_OK;
}

static int on_lag(void *arg, const struct story_group *g, const struct story_span *span,
		  story_on_lag *emit, void *emit_arg, int64_t *ret_step)
{
	(void)arg;
	(void)g;
	(void)span;
	(void)emit;
	(void)emit_arg;
	*ret_step = 1000;
	return ERR_OK;
}

static char *qa[] = {(char[]){"QA/*"}};
static char *prod[] = {(char[]){"PROD/*"}, (char[]){"STG/local"}};

/* The first letter of each name is its token; those of capital letters see PROD alone, or QA. */
static const struct auth_entry ENTRIES[] = {
	{.access = {.name = "metrics", .role = ACCESS_METRICS}},
	{.access = {.name = "read", .role = ACCESS_READ}},
	{.access = {.name = "admin", .role = ACCESS_ADMIN}},
	{.access =
		 {.name = "Metrics", .role = ACCESS_METRICS, .clusters = prod, .cluster_count = 2}},
	{.access = {.name = "Read", .role = ACCESS_READ, .clusters = prod, .cluster_count = 2}},
	{.access = {.name = "Admin", .role = ACCESS_ADMIN, .clusters = prod, .cluster_count = 2}},
	{.access = {.name = "Qa", .role = ACCESS_ADMIN, .clusters = qa, .cluster_count = 1}},
};

static int start(void **state)
{
	struct auth_entry entries[ARRAY_LEN(ENTRIES)];
	const struct auth_options o = {.entries = entries, .count = ARRAY_LEN(ENTRIES)};
	const struct server_calls calls = {.arg = &fixture,
					   .delete_group = on_delete,
					   .delete_group_topic = on_delete_topic,
					   .offsets = fixture_offsets,
					   .partitions = on_partitions,
					   .members = on_members,
					   .events = on_events,
					   .lag = on_lag,
					   .rules = fixture_rules,
					   .reload_rules = fixture_reload,
					   .maintain = fixture_maintain,
					   .end_maintenance = fixture_end_maintenance};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ENTRIES); i++) {
		entries[i] = ENTRIES[i];
		mac_digest(ENTRIES[i].access.name, 1, entries[i].digest);
	}
	fixture_start_with(&fixture, &o);
	const struct server_config config = {.listen = "",
					     .allow_origin = "",
					     .auth = fixture.auth,
					     .host = "h",
					     .intervals = 3};
	assert_int_equal(server_new(&config, &calls, fixture.board, &server), ERR_OK);
	struct view *v = fixture_view("quality", 2);
	struct view_group *g = view_alloc(v, sizeof(*g));
	struct view_topic *t = view_alloc(v, sizeof(*t));
	*g = (struct view_group){.name = "g", .id = 9, .state = "", .protocol = ""};
	fixture_group_g(v, g);
	*t = (struct view_topic){.name = "secret-topic"};
	v->environment = "QA";
	v->groups = g;
	v->group_count = 1;
	v->topics = t;
	v->topic_count = 1;
	board_publish(fixture.board, v);
	deletions = 0;
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_free(&server);
	fixture_stop(&fixture);
	buf_free(&text);
	return 0;
}

/* Ask with the token of one letter, or with none. The answer is in text. */
static int ask(enum method method, const char *target, char token)
{
	char header[] = "Bearer ?";
	struct request rq = {.method = method,
			     .target = target,
			     .body = method == METHOD_POST ? "{\"level\":\"error\"}" : "",
			     .body_size = method == METHOD_POST ? 17 : 0,
			     .authorization = token != '\0' ? header : NULL};
	struct response rs;

	header[7] = token;
	server_handle(server, &rq, &rs);
	assert_int_equal(rs.body.err, ERR_OK);
	if (rs.status == 401)
		assert_non_null(rs.challenges[0]);
	buf_reset(&text);
	buf_put(&text, rs.body.data, rs.body.size);
	if (rs.shared != NULL)
		buf_put(&text, rs.shared->data, rs.shared->size);
	buf_str(&text);
	int status = rs.status;
	response_free(&rs);
	return status;
}

/* --- the table --- */

/* What a request asks for: the least role, and whether of one cluster, or of all. */
struct want {
	enum method method;
	const char *path;
	enum access_role role;
	enum { OF_NONE, OF_CLUSTER, OF_ALL } of;
	const char *example; /* in cluster %s; answered with 200 to who may */
	int unknown;         /* the status for a cluster that is not there */
};

static const struct want WANTS[] = {
	{METHOD_GET, "/v3/kafka", ACCESS_READ, OF_NONE, "/v3/kafka", 0},
	{METHOD_GET, "/v3/kafka/:cluster", ACCESS_READ, OF_CLUSTER, "/v3/kafka/%s", 404},
	{METHOD_GET, "/v3/kafka/:cluster/consumer", ACCESS_READ, OF_CLUSTER,
	 "/v3/kafka/%s/consumer", 404},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group", ACCESS_READ, OF_CLUSTER,
	 "/v3/kafka/%s/consumer/g", 404},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/lag", ACCESS_READ, OF_CLUSTER,
	 "/v3/kafka/%s/consumer/g/lag", 404},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/status", ACCESS_READ, OF_CLUSTER,
	 "/v3/kafka/%s/consumer/g/status", 404},
	{METHOD_GET, "/v3/kafka/:cluster/topic", ACCESS_READ, OF_CLUSTER, "/v3/kafka/%s/topic",
	 404},
	{METHOD_GET, "/v3/kafka/:cluster/topic/:topic", ACCESS_READ, OF_CLUSTER, NULL, 404},
	{METHOD_GET, "/v3/kafka/:cluster/topic/:topic/consumers", ACCESS_READ, OF_CLUSTER,
	 "/v3/kafka/%s/topic/t/consumers", 404},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group", ACCESS_ADMIN, OF_CLUSTER,
	 "/v3/kafka/%s/consumer/g", 200},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group/topic/:topic", ACCESS_ADMIN, OF_CLUSTER,
	 "/v3/kafka/%s/consumer/g/topic/t", 200},
	{METHOD_GET, "/v3/config", ACCESS_READ, OF_NONE, "/v3/config", 0},
	{METHOD_GET, "/v3/config/storage", ACCESS_READ, OF_NONE, "/v3/config/storage", 0},
	{METHOD_GET, "/v3/config/storage/:name", ACCESS_READ, OF_NONE, "/v3/config/storage/default",
	 0},
	{METHOD_GET, "/v3/config/evaluator", ACCESS_READ, OF_NONE, "/v3/config/evaluator", 0},
	{METHOD_GET, "/v3/config/evaluator/:name", ACCESS_READ, OF_NONE,
	 "/v3/config/evaluator/default", 0},
	{METHOD_GET, "/v3/config/cluster", ACCESS_READ, OF_NONE, "/v3/config/cluster", 0},
	{METHOD_GET, "/v3/config/cluster/:cluster", ACCESS_READ, OF_CLUSTER,
	 "/v3/config/cluster/%s", 404},
	{METHOD_GET, "/v3/config/consumer", ACCESS_READ, OF_NONE, "/v3/config/consumer", 0},
	{METHOD_GET, "/v3/config/consumer/:name", ACCESS_READ, OF_CLUSTER, "/v3/config/consumer/%s",
	 404},
	{METHOD_GET, "/v3/config/notifier", ACCESS_READ, OF_NONE, "/v3/config/notifier", 0},
	{METHOD_GET, "/v3/config/notifier/:name", ACCESS_READ, OF_NONE, NULL, 0},
	{METHOD_GET, "/v3/admin/loglevel", ACCESS_READ, OF_NONE, "/v3/admin/loglevel", 0},
	{METHOD_POST, "/v3/admin/loglevel", ACCESS_ADMIN, OF_ALL, "/v3/admin/loglevel", 0},
	{METHOD_GET, "/api/v1/sparklines", ACCESS_READ, OF_NONE, "/api/v1/sparklines?group=/x/g",
	 0},
	{METHOD_GET, "/api/v1/clusters", ACCESS_READ, OF_NONE, "/api/v1/clusters", 0},
	{METHOD_GET, "/api/v1/clusters/:cluster", ACCESS_READ, OF_CLUSTER, "/api/v1/clusters/%s",
	 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/explain", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g/explain", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/events", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g/events", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/history", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g/history", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/partitions/:topic/:partition/history",
	 ACCESS_READ, OF_CLUSTER, "/api/v1/clusters/%s/groups/g/partitions/t/0/history", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/rules", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g/rules", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/partitions", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g/partitions", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/members", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/groups/g/members", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/topics", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/topics", 404},
	{METHOD_GET, "/api/v1/clusters/:cluster/topics/:topic", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/clusters/%s/topics/t", 404},
	{METHOD_GET, "/api/v1/environments", ACCESS_READ, OF_NONE, "/api/v1/environments", 0},
	{METHOD_GET, "/api/v1/environments/:environment", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/environments/PROD", 404},
	{METHOD_GET, "/api/v1/environments/:environment/clusters", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/environments/PROD/clusters", 404},
	{METHOD_GET, "/api/v1/environments/:environment/groups", ACCESS_READ, OF_CLUSTER,
	 "/api/v1/environments/PROD/groups", 404},
	{METHOD_GET, "/api/v1/groups", ACCESS_READ, OF_NONE, "/api/v1/groups", 0},
	{METHOD_DELETE, "/api/v1/clusters/:cluster/groups/:group", ACCESS_ADMIN, OF_CLUSTER, NULL,
	 0},
	{METHOD_DELETE, "/api/v1/clusters/:cluster/groups/:group/topics/:topic", ACCESS_ADMIN,
	 OF_CLUSTER, NULL, 0},
	{METHOD_GET, "/api/v1/loglevel", ACCESS_READ, OF_NONE, "/api/v1/loglevel", 0},
	{METHOD_PUT, "/api/v1/loglevel", ACCESS_ADMIN, OF_ALL, NULL, 0},
	{METHOD_GET, "/api/v1/agents", ACCESS_READ, OF_NONE, "/api/v1/agents", 0},
	{METHOD_GET, "/api/v1/agents/:agent", ACCESS_READ, OF_NONE, NULL, 0},
	{METHOD_GET, "/api/v1/stream", ACCESS_READ, OF_NONE, NULL, 0},
	{METHOD_GET, "/api/v1/openapi.json", ACCESS_NONE, OF_NONE, "/api/v1/openapi.json", 0},
	{METHOD_GET, "/api/v1/incidents", ACCESS_READ, OF_NONE, NULL, 0},
	{METHOD_GET, "/api/v1/incidents/:id", ACCESS_READ, OF_NONE, NULL, 0},
	{METHOD_POST, "/api/v1/incidents/:id/acknowledge", ACCESS_ADMIN, OF_NONE, NULL, 0},
	{METHOD_POST, "/api/v1/incidents/:id/resolve", ACCESS_ADMIN, OF_NONE, NULL, 0},
	{METHOD_GET, "/api/v1/silences", ACCESS_READ, OF_NONE, NULL, 0},
	{METHOD_POST, "/api/v1/silences", ACCESS_ADMIN, OF_NONE, NULL, 0},
	{METHOD_DELETE, "/api/v1/silences/:id", ACCESS_ADMIN, OF_NONE, NULL, 0},
	{METHOD_GET, "/api/v1/maintenance", ACCESS_READ, OF_NONE, "/api/v1/maintenance", 0},
	{METHOD_POST, "/api/v1/maintenance", ACCESS_ADMIN, OF_NONE, NULL, 0},
	{METHOD_DELETE, "/api/v1/maintenance/:id", ACCESS_ADMIN, OF_NONE, NULL, 0},
	{METHOD_GET, "/api/v1/outbox", ACCESS_READ, OF_ALL, NULL, 0},
	{METHOD_POST, "/api/v1/outbox/:id/retry", ACCESS_ADMIN, OF_ALL, NULL, 0},
	{METHOD_GET, "/api/v1/rules", ACCESS_READ, OF_NONE, "/api/v1/rules", 0},
	{METHOD_POST, "/api/v1/rules/reload", ACCESS_ADMIN, OF_ALL, NULL, 0},
	{METHOD_GET, "/burrow/admin", ACCESS_NONE, OF_NONE, "/burrow/admin", 0},
	{METHOD_GET, "/burrow/admin/ready", ACCESS_NONE, OF_NONE, NULL, 0},
	{METHOD_GET, "/healthz", ACCESS_NONE, OF_NONE, "/healthz", 0},
	{METHOD_GET, "/readyz", ACCESS_NONE, OF_NONE, NULL, 0},
	{METHOD_GET, "/metrics", ACCESS_METRICS, OF_NONE, "/metrics", 0},
};

static const struct want *find_want(const struct route *r)
{
	for (size_t i = 0; i < ARRAY_LEN(WANTS); i++) {
		if (WANTS[i].method == r->method && strcmp(WANTS[i].path, r->path) == 0)
			return &WANTS[i];
	}
	fail_msg("%s is not in this test's table", r->path);
	return NULL;
}

/* The example with the name of a cluster where it has a %s. */
static void fill_in(const char *example, const char *cluster, char target[static 256])
{
	size_t size = strcspn(example, "%");
	bool has = example[size] == '%';

	snprintf(target, 256, "%.*s%s%s", (int)size, example, has ? cluster : "",
		 has ? example + size + 2 : "");
}

/* Whoever adds a request says here who may make it. */
static void every_route_is_in_the_table(void **state)
{
	size_t count = 0;
	const struct route *routes = server_routes(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct want *w = find_want(&routes[i]);

		if (access_role_for(routes[i].need) != w->role)
			fail_msg("%s needs %s", w->path,
				 access_role_str(access_role_for(routes[i].need)));
		assert_int_equal(access_changes(routes[i].need), routes[i].method != METHOD_GET);
	}
	assert_int_equal(count, ARRAY_LEN(WANTS));
}

/* The status that who has this token gets for what concerns PROD/local. */
static int expected(const struct want *w, char token)
{
	enum access_role role = ACCESS_NONE;

	for (size_t i = 0; i < ARRAY_LEN(ENTRIES); i++) {
		if (ENTRIES[i].access.name[0] == token)
			role = ENTRIES[i].access.role;
	}
	if (w->role == ACCESS_NONE)
		return 200;
	if (role == ACCESS_NONE)
		return 401;
	if (role < w->role || (w->of == OF_ALL && token < 'a'))
		return 403;
	return w->of == OF_CLUSTER && token == 'Q' ? w->unknown : 200;
}

static void every_role_gets_what_it_may(void **state)
{
	static const char TOKENS[] = {'\0', 'x', 'm', 'r', 'a', 'M', 'R', 'A', 'Q'};
	char target[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(WANTS); i++) {
		for (size_t k = 0; k < ARRAY_LEN(TOKENS) && WANTS[i].example != NULL; k++) {
			/* Ten wrong tokens block an address: of this test each has its own. */
			stop(NULL);
			start(NULL);
			fill_in(WANTS[i].example, "local", target);
			int status = ask(WANTS[i].method, target, TOKENS[k]);
			if (status != expected(&WANTS[i], TOKENS[k]))
				fail_msg("%s as %c: %d %s", target, TOKENS[k], status,
					 buf_str(&text));
			bool may = status == 200 && TOKENS[k] != 'Q';
			assert_int_equal(deletions, WANTS[i].method == METHOD_DELETE && may);
		}
	}
}

static void a_group_is_forgotten_for_its_admins_alone(void **state)
{
	static const struct {
		const char *target;
		char token;
		int status;
		bool deleted;
	} ASKS[] = {
		{"/api/v1/clusters/local/groups/g", 'r', 403, false},
		{"/api/v1/clusters/local/groups/g", 'Q', 404, false},
		{"/api/v1/clusters/local/groups/none", 'a', 404, false},
		{"/api/v1/clusters/local/groups/g?colour=red", 'a', 400, false},
		{"/api/v1/clusters/local/groups/g/topics/none", 'a', 404, false},
		{"/api/v1/clusters/local/groups/g/topics/t", 'a', 204, true},
		{"/api/v1/clusters/local/groups/g", 'a', 204, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ASKS); i++) {
		stop(NULL);
		start(NULL);
		assert_int_equal(ask(METHOD_DELETE, ASKS[i].target, ASKS[i].token), ASKS[i].status);
		assert_int_equal(deletions, ASKS[i].deleted);
	}
}

/* Both answers with the name of the cluster replaced, byte for byte. */
static void what_is_not_seen_is_as_if_it_were_not_there(void **state)
{
	CLEANUP(buf_free) struct buf hidden = {0};
	char target[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(WANTS); i++) {
		if (WANTS[i].of != OF_CLUSTER || WANTS[i].example == NULL)
			continue;
		fill_in(WANTS[i].example, "quality", target);
		int status = ask(WANTS[i].method, target, 'A');
		buf_reset(&hidden);
		buf_puts(&hidden, buf_str(&text));
		fill_in(WANTS[i].example, "quantum", target);
		assert_int_equal(ask(WANTS[i].method, target, 'A'), status);
		buf_str(&hidden);
		for (char *at = hidden.data; (at = strstr(at, "quality")) != NULL;)
			memcpy(at, "quantum", 7);
		assert_string_equal(buf_str(&hidden), buf_str(&text));
		assert_int_equal(deletions, 0);
	}
	assert_int_equal(ask(METHOD_GET, "/v3/kafka/QUALITY", 'A'), 404);
	assert_int_equal(ask(METHOD_GET, "/v3/kafka/QUALITY", 'a'), 200);
}

static void lists_hold_what_is_seen(void **state)
{
	static const char *const LISTS[] = {
		"/v3/kafka",        "/v3/config/cluster", "/v3/config/consumer",
		"/api/v1/clusters", "/metrics",           "/api/v1/rules"};

	(void)state;
	for (int round = 0; round < 2; round++) { /* the second comes out of caches */
		for (size_t i = 0; i < ARRAY_LEN(LISTS); i++) {
			bool clusters = strcmp(LISTS[i], "/api/v1/rules") != 0;

			assert_int_equal(ask(METHOD_GET, LISTS[i], 'a'), 200);
			assert_int_equal(strstr(buf_str(&text), "quality") != NULL, clusters);
			assert_int_equal(strstr(buf_str(&text), "\"local\"") != NULL, clusters);
			assert_int_equal(ask(METHOD_GET, LISTS[i], 'A'), 200);
			assert_null(strstr(buf_str(&text), "quality"));
			assert_null(strstr(buf_str(&text), "secret-topic"));
			assert_int_equal(strstr(buf_str(&text), "\"local\"") != NULL, clusters);
			assert_int_equal(ask(METHOD_GET, LISTS[i], 'Q'), 200);
			assert_null(strstr(buf_str(&text), "\"local\""));
			assert_int_equal(strstr(buf_str(&text), "quality") != NULL, clusters);
		}
	}
}

static void rules_that_concern_what_is_seen_are_shown(void **state)
{
	static const char YAML[] = "rules:\n"
				   "- {environment: QA, group: of-qa, allowed_lag: 1}\n"
				   "- {cluster: qual*, group: of-quality, allowed_lag: 1}\n"
				   "- {cluster: lo*, group: of-local, allowed_lag: 1}\n"
				   "- {group: of-all, allowed_lag: 1}\n";
	char path[] = "/tmp/warren-access-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, YAML, strlen(YAML)), strlen(YAML));
	close(fd);
	fixture_open_rules(&fixture, path);
	unlink(path);
	assert_int_equal(ask(METHOD_GET, "/api/v1/rules", 'R'), 200);
	assert_null(strstr(buf_str(&text), "of-q"));
	assert_non_null(strstr(buf_str(&text), "of-local"));
	assert_non_null(strstr(buf_str(&text), "of-all"));
	assert_int_equal(ask(METHOD_GET, "/api/v1/rules", 'Q'), 200);
	assert_non_null(strstr(buf_str(&text), "of-quality"));
	assert_null(strstr(buf_str(&text), "of-local"));
	assert_int_equal(ask(METHOD_GET, "/api/v1/rules", 'r'), 200);
	assert_non_null(strstr(buf_str(&text), "of-qa"));
	assert_non_null(strstr(buf_str(&text), "of-local"));
}

/* Two clusters of one name: who sees one of them gets that, and no conflict. */
static void a_name_is_looked_up_among_what_is_seen(void **state)
{
	struct view *v = fixture_view("local", 3);

	(void)state;
	v->environment = "QA";
	board_publish(fixture.board, v);
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local", 'r'), 409);
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local", 'R'), 200);
	assert_non_null(strstr(buf_str(&text), "PROD"));
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/local?env=QA", 'R'), 404);
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters/LOCAL", 'Q'), 404);
	assert_int_equal(ask(METHOD_GET, "/v3/kafka/LOCAL", 'Q'), 200);
	assert_non_null(strstr(buf_str(&text), "QA"));
}

/* Declare maintenance of one cluster. */
static int declare(const char *environment, const char *cluster, char token)
{
	char header[] = "Bearer ?";
	char body[128];
	struct request rq = {.method = METHOD_POST,
			     .target = "/api/v1/maintenance",
			     .body = body,
			     .authorization = header};
	struct response rs;

	header[7] = token;
	snprintf(body, sizeof(body), "{\"environment\":\"%s\",\"cluster\":\"%s\",\"for_s\":60}",
		 environment, cluster);
	rq.body_size = strlen(body);
	server_handle(server, &rq, &rs);
	int status = rs.status;
	response_free(&rs);
	return status;
}

/* Of all clusters, or of what he does not see, he may not declare it, does not see it, and cannot
 * end it. */
static void maintenance_of_others_is_hidden(void **state)
{
	char path[] = "/api/v1/maintenance/0123456789abcdef";

	(void)state;
	assert_int_equal(declare("QA", "quality", 'A'), 400);
	assert_int_equal(declare("*", "*", 'A'), 400);
	assert_int_equal(declare("PROD", "local", 'R'), 403);
	assert_int_equal(declare("QA", "quality", 'a'), 201);
	assert_int_equal(ask(METHOD_GET, "/api/v1/maintenance", 'A'), 200);
	assert_string_equal(buf_str(&text), "{\"maintenance\":[]}");
	assert_int_equal(ask(METHOD_GET, "/api/v1/maintenance", 'Q'), 200);
	const char *id = strstr(buf_str(&text), "\"id\":\"");
	assert_non_null(id);
	memcpy(strrchr(path, '/') + 1, id + 6, 16);
	assert_int_equal(ask(METHOD_DELETE, path, 'A'), 404);
	assert_int_equal(ask(METHOD_DELETE, "/api/v1/maintenance/1", 'a'), 404);
	assert_int_equal(ask(METHOD_DELETE, path, 'Q'), 204);
	assert_int_equal(ask(METHOD_DELETE, path, 'Q'), 404);
	assert_int_equal(declare("PROD", "local", 'A'), 201);
	assert_int_equal(declare("*", "*", 'a'), 201); /* it concerns him as well */
	assert_int_equal(ask(METHOD_GET, "/api/v1/maintenance", 'A'), 200);
	assert_non_null(strstr(buf_str(&text), "\"cluster\":\"local\""));
	assert_non_null(strstr(buf_str(&text), "\"cluster\":\"*\""));
}

static void refusals_have_the_form_of_their_api(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_GET, "/v3/kafka", '\0'), 401);
	assert_int_equal(strncmp(buf_str(&text), "{\"error\":true,\"message\":\"this needs", 34),
			 0);
	assert_int_equal(ask(METHOD_GET, "/api/v1/clusters", '\0'), 401);
	assert_int_equal(strncmp(buf_str(&text), "{\"title\":\"Unauthorized\",\"status\":401", 35),
			 0);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(every_route_is_in_the_table),
		WITH_SERVER(every_role_gets_what_it_may),
		WITH_SERVER(a_group_is_forgotten_for_its_admins_alone),
		WITH_SERVER(what_is_not_seen_is_as_if_it_were_not_there),
		WITH_SERVER(lists_hold_what_is_seen),
		WITH_SERVER(rules_that_concern_what_is_seen_are_shown),
		WITH_SERVER(a_name_is_looked_up_among_what_is_seen),
		WITH_SERVER(maintenance_of_others_is_hidden),
		WITH_SERVER(refusals_have_the_form_of_their_api),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
