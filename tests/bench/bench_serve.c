/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_serve - serves two made-up clusters, of 1000 groups of 100 partitions and of 10,000 groups
 * of 10, to be measured with wrk, and says how long it takes to render the metrics and the lists of
 * the second. Usage: bench_serve [seconds [port]]
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "aggregator/serve/http.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/story_none.h"

#define PASSES 5

static int forget(void *arg, uint32_t cluster_id, uint32_t group_id)
{
	(void)arg;
	(void)cluster_id;
	(void)group_id;
	return ERR_OK;
}

static int forget_topic(void *arg, uint32_t cluster_id, uint32_t group_id, const char *topic)
{
	(void)topic;
	return forget(arg, cluster_id, group_id);
}

static int offsets(void *arg, const struct view *v, const struct view_group *g, uint32_t max_points,
		   server_emit *emit, void *emit_arg)
{
	(void)arg;
	(void)v;
	(void)max_points;
	for (size_t i = 0; i < g->partition_count; i++)
		emit(emit_arg, &g->partitions[i], &g->partitions[i].end, 1);
	return ERR_OK;
}

static const char *group_name(struct view *v, int number)
{
	char name[64];

	snprintf(name, sizeof(name), "billing-service-%05d", number);
	return view_strdup(v, name);
}

static struct view_partition partition(const char *topic, int32_t number, int64_t now_ms)
{
	const struct view_offset end = {1000000 + number, now_ms - 2000, now_ms, 10 + number};

	return (struct view_partition){.topic = topic,
				       .partition = number,
				       .status = number % 50 == 7 ? STATUS_STOP : STATUS_OK,
				       .counted = true,
				       .complete = 1,
				       .committed = end.offset,
				       .log_end = end.offset + end.lag,
				       .lag = end.lag,
				       .has_offsets = true,
				       .start = {end.offset - 5000, now_ms - 60000, now_ms, 12},
				       .end = end,
				       .owner = "/10.20.30.40",
				       .client_id = "consumer-orders-1"};
}

static struct view *made_up(const char *cluster, uint32_t id, int groups, int partitions)
{
	int64_t now_ms = clock_wall_ms();
	struct view_why *why = NULL;
	struct view *v = view_new();
	struct view_group *g = view_alloc(v, (size_t)groups * sizeof(*g));
	struct view_topic *t = view_alloc(v, sizeof(*t));
	int64_t *ends = view_alloc(v, (size_t)partitions * sizeof(*ends));

	why = view_alloc(v, sizeof(*why));
	*why = (struct view_why){.reason = REASON_KEEPING_UP, .window_ms = 600000};

	for (int i = 0; i < groups; i++) {
		struct view_partition *p = view_alloc(v, (size_t)partitions * sizeof(*p));

		for (int k = 0; k < partitions; k++) {
			p[k] = partition("orders-events", k, now_ms);
			p[k].why = why;
		}
		g[i] = (struct view_group){.name = group_name(v, i),
					   .id = (uint32_t)i + 1,
					   .partitions = p,
					   .partition_count = (size_t)partitions,
					   .state = "Stable",
					   .protocol = "classic",
					   .member_count = 3};
		view_sum_group(&g[i]);
	}
	*t = (struct view_topic){.name = "orders-events",
				 .ends = ends,
				 .starts = ends,
				 .partition_count = partitions};
	v->cluster = cluster;
	v->environment = "PROD";
	v->cluster_id = id;
	v->as_of_ms = v->received_ms = now_ms;
	v->servers = "k1:9092,k2:9092";
	v->interval_ms = 10000;
	v->groups = g;
	v->group_count = (size_t)groups;
	v->topics = t;
	v->topic_count = 1;
	return v;
}

/* Of this thread: other work on the machine does not count. */
static int64_t cpu_us(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void time_answer(struct server *s, const char *target, const char *encoding)
{
	struct request rq = {
		.method = METHOD_GET, .target = target, .body = "", .accept_encoding = encoding};
	struct response rs;
	int64_t since = clock_mono_us();
	int64_t cpu = cpu_us();

	server_handle(s, &rq, &rs);
	printf("%s%s: %d, %.2f ms (CPU %.2f), %.1f MiB\n", target, encoding != NULL ? " gzip" : "",
	       rs.status, (double)(clock_mono_us() - since) / 1e3, (double)(cpu_us() - cpu) / 1e3,
	       (double)(rs.body.size + (rs.shared != NULL ? rs.shared->size : 0)) / 1048576);
	response_free(&rs);
}

/* Each pass of a cluster of 100,000 partitions is scraped at once, while its sheet is made, and
 * again when it is there. */
static void time_scrapes_of_passes(struct server *s, struct board *b)
{
	struct request rq = {
		.method = METHOD_GET, .target = "/metrics", .body = "", .accept_encoding = "gzip"};
	int64_t worst_us = 0;

	for (uint64_t pass = 1; pass <= PASSES * 2; pass++) {
		struct response rs;

		if (pass % 2 == 0) {
			usleep(500000);
		} else {
			struct view *v = made_up("local", 1, 1000, 100);

			v->pass = pass;
			board_publish(b, v);
		}
		int64_t since = clock_mono_us();
		server_handle(s, &rq, &rs);
		worst_us = MAX(worst_us, clock_mono_us() - since);
		response_free(&rs);
	}
	printf("/metrics gzip as passes come: %.2f ms at most\n", (double)worst_us / 1e3);
}

int main(int argc, char **argv)
{
	static const char *const TARGETS[] = {
		"/metrics",
		"/api/v1/groups?env=DEV",
		"/api/v1/clusters/many/groups",
		"/api/v1/groups?env=DEV&sort=-lag&limit=50",
		"/api/v1/groups?q=9999",
		"/api/v1/groups?env=DEV&format=csv",
		"/api/v1/clusters/many/topics",
		"/api/v1/environments",
	};
	struct server_calls calls = {
		.delete_group = forget, .delete_group_topic = forget_topic, .offsets = offsets};
	const struct auth_options open = {.anonymous = ACCESS_READ};
	struct auth *auth = NULL;
	char listen[32];
	struct server *s = NULL;
	struct http *h = NULL;
	struct board *b = board_new();

	snprintf(listen, sizeof(listen), "127.0.0.1:%s", argc > 2 ? argv[2] : "18080");
	const struct http_options options = {.listen = listen,
					     .connections = 480,
					     .connections_per_address = 480,
					     .idle_timeout_s = 15};
	story_none(&calls);
	if (auth_new(&open, &auth) != ERR_OK)
		return 1;
	const struct server_config config = {
		.listen = "", .allow_origin = "", .auth = auth, .host = "", .intervals = 10};
	if (b == NULL || server_new(&config, &calls, b, &s) != ERR_OK)
		return 1;
	board_publish(b, made_up("local", 1, 1000, 100));
	struct view *many = made_up("many", 2, 10000, 10);
	many->environment = "DEV";
	board_publish(b, many);
	for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++)
		for (int k = 0; k < 2; k++) /* rendered, and perhaps kept */
			time_answer(s, TARGETS[i], NULL);
	for (size_t i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++)
			time_answer(s, TARGETS[i], "gzip");
	time_scrapes_of_passes(s, b);
	int err = http_start(&options, s, &h);
	if (err != ERR_OK) {
		fprintf(stderr, "%s: %s\n", listen, err_str(err));
		return 1;
	}
	printf("http://%s/v3/kafka/local/consumer/billing-service-00007/lag\n", listen);
	fflush(stdout);
	sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 60);
	http_stop(&h);
	server_free(&s);
	auth_free(&auth);
	board_free(&b);
	return 0;
}
