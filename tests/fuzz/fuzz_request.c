/* SPDX-License-Identifier: Apache-2.0 */

/* Any request: a byte for the method and the forms that are taken, a line for the target, the rest
 * for the body. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/server.h"
#include "common/err.h"
#include "tests/unit/story_none.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static int no_offsets(void *arg, const struct view *v, const struct view_group *g,
		      uint32_t max_points, server_emit *emit, void *emit_arg)
{
	(void)arg;
	(void)v;
	(void)max_points;
	for (size_t i = 0; i < g->partition_count; i++)
		emit(emit_arg, &g->partitions[i], NULL, 0);
	return ERR_OK;
}

static void no_rules(void *arg, struct rulebook_state *ret_state)
{
	const struct rules_base base = {.values = RULES_DEFAULT};

	(void)arg;
	*ret_state = (struct rulebook_state){.rules = rules_new("", 0, &base, NULL, 0)};
}

static int no_reload(void *arg, struct buf *errors, bool *ret_changed)
{
	(void)arg;
	(void)errors;
	(void)ret_changed;
	return ERR_NOT_FOUND;
}

static int no_maintenance(void *arg, struct rules_maintenance *m)
{
	(void)arg;
	m->id = 1;
	return ERR_OK;
}

static int no_end(void *arg, uint64_t id)
{
	(void)arg;
	(void)id;
	return ERR_NOT_FOUND;
}

/* A cluster c with a group g that reads two partitions of t, and one whose name needs escapes. */
static void publish(struct board *board)
{
	struct view *v = view_new();
	struct view_group *g = view_alloc(v, 2 * sizeof(*g));
	struct view_partition *p = view_alloc(v, 2 * sizeof(*p));
	struct view_topic *t = view_alloc(v, sizeof(*t));
	int64_t *ends = view_alloc(v, 2 * sizeof(*ends));

	for (int i = 0; i < 2; i++)
		p[i] = (struct view_partition){.topic = "t",
					       .partition = i,
					       .status = STATUS_STOP,
					       .has_offsets = true,
					       .owner = "",
					       .client_id = ""};
	g[0] = (struct view_group){
		.name = "%2F/\xff", .id = 2, .status = STATUS_OK, .state = "", .protocol = ""};
	g[1] = (struct view_group){.name = "g",
				   .id = 1,
				   .status = STATUS_ERR,
				   .partitions = p,
				   .partition_count = 2,
				   .state = "Stable",
				   .protocol = ""};
	*t = (struct view_topic){.name = "t", .ends = ends, .starts = ends, .partition_count = 2};
	v->cluster = "c";
	v->cluster_id = 1;
	v->servers = "a:1, b:2";
	v->groups = g;
	v->group_count = 2;
	v->topics = t;
	v->topic_count = 1;
	board_publish(board, v);
}

static struct server *start(struct board *board)
{
	const struct auth_options open = {.anonymous = ACCESS_READ, .burrow_open = true};
	struct auth *auth = NULL;

	if (auth_new(&open, &auth) != ERR_OK)
		abort();
	const struct server_config config = {
		.listen = "", .allow_origin = "", .auth = auth, .host = "h", .intervals = 3};
	struct server_calls calls = {.delete_group = forget,
				     .delete_group_topic = forget_topic,
				     .offsets = no_offsets,
				     .rules = no_rules,
				     .reload_rules = no_reload,
				     .maintain = no_maintenance,
				     .end_maintenance = no_end};
	struct server *s = NULL;

	story_none(&calls);
	if (server_new(&config, &calls, board, &s) != ERR_OK)
		abort();
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct board *board;
	static struct server *server;
	const uint8_t *end = size > 0 ? memchr(data + 1, '\n', size - 1) : NULL;

	if (end == NULL)
		return 0;
	if (board == NULL) {
		board = board_new();
		server = start(board);
	}
	publish(board);

	char *target = strndup((const char *)data + 1, (size_t)(end - data - 1));
	unsigned forms = data[0] / (METHOD_OTHER + 1);
	struct request rq = {.method = (enum method)(data[0] % (METHOD_OTHER + 1)),
			     .target = target,
			     .accept = (forms & 1) != 0 ? "text/csv" : NULL,
			     .accept_encoding = (forms & 2) != 0 ? "gzip" : NULL,
			     .if_none_match = (forms & 4) != 0 ? "*" : NULL,
			     .body = (const char *)end + 1,
			     .body_size = size - (size_t)(end + 1 - data)};
	struct response rs;
	server_handle(server, &rq, &rs);
	if (rs.status < 200 || rs.status > 599 || (rs.body.size > 0 && rs.body.data == NULL))
		abort();
	response_free(&rs);
	free(target);
	return 0;
}
