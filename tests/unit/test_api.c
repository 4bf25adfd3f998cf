/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "aggregator/ingest/recall.h"
#include "aggregator/serve/auth.h"
#include "aggregator/serve/server.h"
#include "tests/unit/pass_feed.h"

/* Requests under /api/v1 about one group whose past is in a real store. */

struct asked {
	struct feed *feed;
	struct board *board;
	struct auth *auth;
	struct server *server;
	int err; /* what the calls return instead of reading, if it is an error */
	int status;
	const char *type;
	json_t *body;
	char text[256];
};

static int on_partitions(void *arg, const struct story_group *g, const struct story_filter *f,
			 story_on_partition *emit, void *emit_arg)
{
	struct asked *a = arg;

	return a->err != ERR_OK
		       ? a->err
		       : recall_partitions(a->feed->store, g, a->feed->set, f, emit, emit_arg);
}

static int on_members(void *arg, const struct story_group *g, story_on_member *emit, void *emit_arg)
{
	struct asked *a = arg;

	return a->err != ERR_OK ? a->err : recall_members(a->feed->store, g, emit, emit_arg);
}

static int on_events(void *arg, const struct story_group *g, int64_t before_ms, size_t max,
		     past_on_event *emit, void *emit_arg)
{
	struct asked *a = arg;

	return a->err != ERR_OK ? a->err
				: recall_events(a->feed->store, g, before_ms, max, emit, emit_arg);
}

static int on_lag(void *arg, const struct story_group *g, const struct story_span *span,
		  story_on_lag *emit, void *emit_arg, int64_t *ret_step)
{
	struct asked *a = arg;

	return a->err != ERR_OK ? a->err
				: recall_lag(a->feed->store, g, span, emit, emit_arg, ret_step);
}

static int start(void **state)
{
	struct asked *a = calloc(1, sizeof(*a));
	const struct auth_options who = {.anonymous = ACCESS_READ};
	void *feed = NULL;

	assert_non_null(a);
	feed_setup(&feed);
	a->feed = feed;
	a->board = board_new();
	assert_int_equal(auth_new(&who, &a->auth), ERR_OK);
	const struct server_config config = {.allow_origin = "", .auth = a->auth, .host = "vm"};
	const struct server_calls calls = {.arg = a,
					   .partitions = on_partitions,
					   .members = on_members,
					   .events = on_events,
					   .lag = on_lag};
	assert_int_equal(server_new(&config, &calls, a->board, &a->server), ERR_OK);
	*state = a;
	return 0;
}

static int stop(void **state)
{
	struct asked *a = *state;
	void *feed = a->feed;

	json_decref(a->body);
	server_free(&a->server);
	board_free(&a->board);
	auth_free(&a->auth);
	feed_teardown(&feed);
	free(a);
	return 0;
}

/* Passes as feed_on() has them; what they were judged is then on the board. */
static void on(struct asked *a, int passes, int64_t grows, bool reads, int64_t behind)
{
	feed_on(a->feed, passes, grows, reads, behind);
	board_publish(a->board, view_ref(a->feed->view));
}

/* The same with the same view under another environment. */
static void publish_twin(struct asked *a)
{
	struct view *v = view_new();

	v->cluster = "seoul";
	v->environment = "QA";
	v->cluster_id = 99;
	v->servers = "";
	v->agent = (struct view_agent){
		.name = "", .software = "", .problem = "", .source = "", .state = -1};
	board_publish(a->board, v);
}

static json_t *ask_by(struct asked *a, enum method method, const char *target)
{
	struct request rq = {.method = method, .target = target, .body = ""};
	struct response rs;
	json_error_t err;

	server_handle(a->server, &rq, &rs);
	assert_int_equal(rs.body.err, ERR_OK);
	json_decref(a->body);
	if (rs.shared != NULL)
		buf_put(&rs.body, rs.shared->data, rs.shared->size);
	a->body = json_loadb(rs.body.data, rs.body.size, 0, &err);
	if (a->body == NULL)
		fail_msg("%s: %s in %.*s", target, err.text, (int)rs.body.size, rs.body.data);
	a->status = rs.status;
	a->type = rs.type;
	response_free(&rs);
	return a->body;
}

static json_t *ask(struct asked *a, const char *target)
{
	json_t *body = ask_by(a, METHOD_GET, target);

	if (a->status == 200)
		assert_string_equal(a->type, "application/json");
	return body;
}

/* The request is refused with this status and a detail that says so. */
static void refused(struct asked *a, const char *target, int status, const char *detail)
{
	json_t *body = ask(a, target);

	assert_int_equal(a->status, status);
	assert_string_equal(a->type, "application/problem+json");
	assert_int_equal(json_integer_value(json_object_get(body, "status")), status);
	assert_non_null(json_string_value(json_object_get(body, "title")));
	const char *said = json_string_value(json_object_get(body, "detail"));
	if (said == NULL || strstr(said, detail) == NULL)
		fail_msg("%s: %s", target, said);
}

static int64_t number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("%s is no integer", key);
	return json_integer_value(v);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (s == NULL)
		fail_msg("%s is no string", key);
	return s;
}

#define G "/api/v1/clusters/seoul/groups/readers"

static void clusters_are_listed_with_their_sums(void **state)
{
	struct asked *a = *state;

	on(a, 30, 100, true, 3);
	on(a, 30, 100, false, 0);
	publish_twin(a);
	json_t *list = json_object_get(ask(a, "/api/v1/clusters"), "clusters");
	assert_int_equal(json_array_size(list), 2);
	json_t *one = ask(a, "/api/v1/clusters/seoul?env=PROD");
	assert_string_equal(text(one, "environment"), "PROD");
	assert_int_equal(number(json_object_get(one, "groups"), "err"), 1);
	assert_int_equal(number(json_object_get(one, "groups"), "total"), 1);
	assert_int_equal(number(one, "lag"), 6006);
	assert_string_equal(text(json_object_get(one, "agent"), "state"), "running");
	refused(a, "/api/v1/clusters/seoul", 409, "?env=");
	refused(a, "/api/v1/clusters/seoul?env=DEV", 404, "no such cluster");
	refused(a, "/api/v1/clusters/paris/groups", 404, "no such cluster");
}

static void a_group_is_shown_with_partitions_and_members(void **state)
{
	struct asked *a = *state;

	a->feed->has_members = true;
	for (int i = 0; i < 7; i++) {
		a->feed->generation++;
		on(a, 4, 100, true, 3);
	}
	json_t *list = json_object_get(ask(a, "/api/v1/clusters/seoul/groups"), "groups");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text(json_array_get(list, 0), "group"), "readers");
	json_t *g = ask(a, G);
	assert_string_equal(text(g, "status"), "OK");
	assert_string_equal(text(g, "state"), "Stable");
	assert_int_equal(number(g, "lag"), 6);
	assert_int_equal(number(g, "max_lag"), 3);
	assert_true(json_is_null(json_object_get(g, "margin_ms")));
	json_t *reasons = json_object_get(g, "reasons");
	assert_string_equal(json_string_value(json_array_get(reasons, 1)), "rebalance_storm");
	json_t *p = json_array_get(json_object_get(g, "partitions"), 1);
	assert_int_equal(number(p, "log_end"), 2800);
	assert_int_equal(number(p, "committed"), 2797);
	assert_string_equal(text(p, "owner"), "/10.0.0.7");
	json_t *m = json_array_get(json_object_get(g, "members"), 0);
	assert_string_equal(text(m, "id"), "m-1");
	json_t *assigned = json_array_get(json_object_get(m, "assigned"), 0);
	assert_string_equal(text(assigned, "topic"), "orders");
	assert_int_equal(json_array_size(json_object_get(assigned, "partitions")), 2);
	refused(a, "/api/v1/clusters/seoul/groups/nobody", 404, "no such consumer group");
}

static void the_explanation_says_why_with_all_numbers(void **state)
{
	struct asked *a = *state;

	a->feed->has_members = true;
	on(a, 30, 100, true, 3);
	json_t *g = ask(a, G "/explain");
	assert_int_equal(json_array_size(json_object_get(g, "partitions")), 0);
	assert_int_equal(json_array_size(json_object_get(ask(a, G "/explain?all"), "partitions")),
			 2);
	on(a, 30, 100, false, 0);
	g = ask(a, G "/explain");
	assert_string_equal(text(g, "status"), "ERR");
	assert_int_equal(json_array_size(json_object_get(g, "partitions")), 2);
	assert_int_equal(number(g, "left_out"), 0);
	json_t *p = json_array_get(json_object_get(g, "partitions"), 0);
	assert_string_equal(text(p, "status"), "STOP");
	assert_string_equal(text(p, "reason"), "no_commits");
	assert_non_null(strstr(text(p, "sentence"), "3,003 messages wait"));
	assert_non_null(strstr(text(p, "sentence"), "clears when commits arrive again"));
	assert_true(json_is_null(json_object_get(p, "pending")));
	json_t *judged = json_object_get(p, "judged");
	assert_int_equal(number(judged, "rule"), 6);
	json_t *numbers = json_object_get(p, "numbers");
	assert_int_equal(number(numbers, "lag"), 3003);
	assert_int_equal(number(numbers, "committed"), 2997);
	assert_int_equal(number(numbers, "limit_ms"), 60000);
	assert_true(number(numbers, "elapsed_ms") > 60000);
	json_t *pace = json_object_get(json_object_get(p, "pace"), "commits");
	assert_true(json_is_true(json_object_get(pace, "known")));
	assert_true(number(pace, "intervals") >= 5);
	assert_int_equal(number(pace, "limit_ms"), 60000);
	assert_string_equal(text(json_object_get(p, "owner"), "member"), "m-1");
	json_t *window = json_object_get(p, "window");
	json_t *points = json_object_get(window, "points");
	assert_true(json_array_size(points) > 10);
	json_t *last = json_array_get(points, json_array_size(points) - 1);
	assert_int_equal(number(last, "lag"), 3003);
	assert_int_equal(number(window, "to_ms") - number(window, "from_ms"), 600000);
	json_t *rule = json_object_get(json_object_get(p, "rules"), "stop_after_min");
	assert_int_equal(number(rule, "ms"), 60000);
	assert_string_equal(text(rule, "origin"), "default");
}

static void one_partition_may_be_asked_for(void **state)
{
	struct asked *a = *state;

	on(a, 30, 100, true, 3);
	json_t *g = ask(a, G "/explain?topic=orders&partition=1");
	assert_int_equal(json_array_size(json_object_get(g, "partitions")), 1);
	json_t *p = json_array_get(json_object_get(g, "partitions"), 0);
	assert_int_equal(number(p, "partition"), 1);
	assert_true(json_is_null(json_object_get(p, "owner")));
	refused(a, G "/explain?topic=orders&partition=2", 404, "no such partition");
	refused(a, G "/explain?topic=orders&partition=-1", 400, "partition must be");
	refused(a, G "/explain?partition=1", 400, "needs a topic");
	refused(a, G "/explain?topic=%zz", 400, "percent");
}

static void a_pending_change_is_shown(void **state)
{
	struct asked *a = *state;
	bool shown = false;

	on(a, 30, 100, true, 3);
	for (int i = 0; i < 12 && !shown; i++) {
		on(a, 1, 100, false, 0);
		json_t *g = ask(a, G "/explain?topic=orders&partition=0");
		json_t *p = json_array_get(json_object_get(g, "partitions"), 0);
		json_t *pending = json_object_get(p, "pending");

		if (json_is_null(pending))
			continue;
		shown = true;
		assert_string_equal(text(p, "status"), "OK");
		assert_string_equal(text(pending, "status"), "STOP");
		assert_int_equal(number(pending, "passes"), 1);
		assert_int_equal(number(pending, "passes_needed"), 2);
	}
	assert_true(shown);
}

static void events_are_told_newest_first(void **state)
{
	struct asked *a = *state;

	on(a, 30, 100, true, 3);
	on(a, 30, 100, false, 0);
	on(a, 5, 100, true, 3);
	json_t *list = json_object_get(ask(a, G "/events"), "events");
	assert_int_equal(json_array_size(list), 7);
	json_t *e = json_array_get(list, 0);
	assert_string_equal(text(e, "kind"), "status");
	assert_string_equal(text(e, "from"), "ERR");
	assert_string_equal(text(e, "to"), "OK");
	assert_true(json_is_null(json_object_get(e, "topic")));
	assert_int_equal(number(e, "partitions_changed"), 2);
	e = json_array_get(list, 1);
	assert_string_equal(text(e, "topic"), "orders");
	assert_string_equal(text(e, "from"), "STOP");
	char target[200];
	snprintf(target, sizeof(target), G "/events?before=%lld&limit=2",
		 (long long)number(e, "at_ms"));
	list = json_object_get(ask(a, target), "events");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text(json_array_get(list, 0), "to"), "ERR");
	refused(a, G "/events?limit=1000", 400, "limit must be a whole number from 0 to 200");
	refused(a, G "/events?before=soon", 400, "before must be a time: 2026-");
}

static int64_t at(const json_t *h, const char *column, size_t i)
{
	return json_integer_value(json_array_get(json_object_get(h, column), i));
}

static void history_comes_in_columns(void **state)
{
	struct asked *a = *state;
	static const char *const COLUMNS[] = {"at_ms",   "log_end",     "committed", "lag",
					      "max_lag", "time_lag_ms", "status"};

	on(a, 60, 100, true, 3);
	json_t *h = ask(a, G "/history?from=-5m");
	assert_int_equal(number(h, "step_ms"), 10000);
	size_t count = json_array_size(json_object_get(h, "at_ms"));
	assert_int_equal(count, 31);
	for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++)
		assert_int_equal(json_array_size(json_object_get(h, COLUMNS[i])), count);
	assert_int_equal(at(h, "lag", 7), 6);
	assert_int_equal(at(h, "log_end", 7) - at(h, "committed", 7), 6);
	h = ask(a, G "/history?from=-5m&step=2m");
	assert_int_equal(number(h, "step_ms"), 120000);
	h = ask(a, G "/partitions/orders/1/history?from=-5m&to=-1m");
	assert_int_equal(number(h, "step_ms"), 60000);
	assert_int_equal(at(h, "lag", 1), 3);
	assert_int_equal(at(h, "log_end", 1) - at(h, "committed", 1), 3);
	assert_in_range(at(h, "time_lag_ms", 1), 0, 60000);
	assert_string_equal(json_string_value(json_array_get(json_object_get(h, "status"), 1)),
			    "OK");
	refused(a, G "/history?from=-1m&to=-5m", 400, "from must not be later");
	refused(a, G "/history?step=fast", 400, "step must be a duration");
	refused(a, G "/partitions/orders/7/history", 404, "no such partition");
	refused(a, G "/partitions/payments/0/history", 404, "no such partition");
	refused(a, G "/partitions/orders/x/history", 404, "no such partition");
}

static void times_are_written_in_several_ways(void **state)
{
	struct asked *a = *state;
	static const char *const SAME[] = {
		"-5m",
		"-300s",
		"2023-11-14T22:18:20Z",
		"2023-11-15T07:18:20%2B09:00",
		"2023-11-15T07:18:20+09:00", /* not escaped: a blank */
		"2023-11-14T22:18:20.000Z",
		"1700000300000",
	};
	static const char *const WRONG[] = {"1700000300", "1700000300.5", "999999999999", "-",
					    "2023-11-14", "yesterday",    "Now"};
	char target[200];

	on(a, 60, 100, true, 3); /* until 2023-11-14T22:23:20Z */
	for (size_t i = 0; i < ARRAY_LEN(SAME); i++) {
		snprintf(target, sizeof(target), G "/history?from=%s&to=now", SAME[i]);
		json_t *h = ask(a, target);
		assert_int_equal(number(h, "from_ms"), FEED_START_MS + 300000);
		assert_int_equal(number(h, "to_ms"), FEED_START_MS + 600000);
	}
	assert_int_equal(number(ask(a, G "/history?from=0"), "from_ms"), 0);
	for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
		snprintf(target, sizeof(target), G "/history?to=%s", WRONG[i]);
		refused(a, target, 400, "milliseconds (not seconds)");
	}
}

#define SPARKS "/api/v1/sparklines?"
#define ONE "group=PROD/seoul/readers"

static void many_groups_are_asked_for_at_once(void **state)
{
	struct asked *a = *state;
	CLEANUP(buf_free) struct buf target = {0};

	on(a, 90, 100, true, 3);
	json_t *list = json_object_get(
		ask(a, SPARKS "group=PROD/seoul/writers&" ONE "&group=QA/seoul/readers&" ONE
			      "&group=PROD/seoul&group=&group=PROD%2Fseoul%2Freaders"),
		"groups");
	assert_int_equal(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *g = json_array_get(list, i);

		assert_string_equal(text(g, "environment"), "PROD");
		assert_string_equal(text(g, "cluster"), "seoul");
		assert_string_equal(text(g, "group"), "readers");
		assert_int_equal(number(g, "as_of_ms"), FEED_START_MS + 900000);
		assert_int_equal(number(g, "step_ms"), 60000);
		assert_in_range(json_array_size(json_object_get(g, "lag")), 15, 16);
		assert_int_equal(at(g, "lag", 3), 6);
	}
	list = json_object_get(ask(a, SPARKS ONE "&range=10m&points=10"), "groups");
	assert_in_range(json_array_size(json_object_get(json_array_get(list, 0), "lag")), 10, 11);

	refused(a, SPARKS "range=1h", 400, "group must be given");
	refused(a, SPARKS ONE "&points=1", 400, "points must be from 2 to 400");
	refused(a, SPARKS ONE "&points=401", 400, "points must be a whole number from 0 to 400");
	refused(a, SPARKS ONE "&range=1y", 400, "range must be a duration");
	refused(a, SPARKS ONE "&range=31d", 400, "a duration up to 30d");
	refused(a, SPARKS ONE "&range=1h&range=2h", 400, "range is given twice");
	refused(a, SPARKS "group=%", 400, "percent escapes");
	buf_puts(&target, SPARKS ONE);
	for (int i = 1; i < 100; i++)
		buf_puts(&target, "&" ONE);
	list = json_object_get(ask(a, buf_str(&target)), "groups");
	assert_int_equal(json_array_size(list), 100);
	buf_puts(&target, "&group=more");
	refused(a, buf_str(&target), 400, "100 times at most");
}

static void a_store_that_cannot_be_read_is_said(void **state)
{
	struct asked *a = *state;
	static const char *const TARGETS[] = {G,
					      G "/explain",
					      G "/events",
					      G "/history",
					      G "/partitions/orders/0/history",
					      SPARKS ONE};

	on(a, 10, 100, true, 3);
	a->err = -EIO;
	for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++)
		refused(a, TARGETS[i], 503, "try again");
}

static void other_paths_and_methods_get_problem_details(void **state)
{
	struct asked *a = *state;

	refused(a, "/api/v1/nothing", 404, "nothing of this path");
	ask_by(a, METHOD_PUT, "/api/v1/clusters");
	assert_int_equal(a->status, 405);
	assert_string_equal(a->type, "application/problem+json");
}

#define ASKED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASKED(clusters_are_listed_with_their_sums),
		ASKED(a_group_is_shown_with_partitions_and_members),
		ASKED(the_explanation_says_why_with_all_numbers),
		ASKED(one_partition_may_be_asked_for),
		ASKED(a_pending_change_is_shown),
		ASKED(events_are_told_newest_first),
		ASKED(history_comes_in_columns),
		ASKED(times_are_written_in_several_ways),
		ASKED(many_groups_are_asked_for_at_once),
		ASKED(a_store_that_cannot_be_read_is_said),
		ASKED(other_paths_and_methods_get_problem_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
