/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_admin.h"

#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/json_in.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "common/err.h"
#include "common/log.h"

static const struct {
	const char *name;
	enum log_level level;
} LEVELS[] = {
	{"debug", LOG_LEVEL_DEBUG},
	{"info", LOG_LEVEL_INFO},
	{"warn", LOG_LEVEL_WARN},
	{"error", LOG_LEVEL_ERROR},
};

/* --- groups --- */

/* topic NULL: the group as a whole. */
static void forget(struct server *s, const struct api_group *g, const char *topic,
		   struct response *rs)
{
	const struct server_calls *calls = server_calls(s);
	uint32_t cluster = g->view->cluster_id;
	int err = topic == NULL
			  ? calls->delete_group(calls->arg, cluster, g->group->id)
			  : calls->delete_group_topic(calls->arg, cluster, g->group->id, topic);

	if (err != ERR_OK) {
		problem_answer(rs, 503, "too much is to be deleted already, try again");
		return;
	}
	server_drop_group(s, cluster, g->group->id, topic);
	rs->status = 204;
}

void api_group_delete(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};

	if (query_check(rq, "env", rs) && api_find_group(s, rq, rs, &g))
		forget(s, &g, NULL, rs);
}

void api_group_topic_delete(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	size_t first = 0;

	if (!query_check(rq, "env", rs) || !api_find_group(s, rq, rs, &g))
		return;
	if (view_group_topic(g.group, rq->args[2], &first) == 0)
		problem_answer(rs, 404, "the group has committed nothing of this topic");
	else
		forget(s, &g, rq->args[2], rs);
}

/* --- the log --- */

static void put_level(struct response *rs)
{
	struct json j = {.out = &rs->body};

	rs->type = "application/json";
	json_begin_object(&j);
	json_key(&j, "level");
	for (size_t i = 0; i < ARRAY_LEN(LEVELS); i++) {
		if (LEVELS[i].level == log_get_level())
			json_str(&j, LEVELS[i].name);
	}
	json_end_object(&j);
}

void api_loglevel(struct server *s, const struct request *rq, struct response *rs)
{
	(void)s;
	if (query_check(rq, "pretty", rs))
		put_level(rs);
}

void api_loglevel_set(struct server *s, const struct request *rq, struct response *rs)
{
	char name[16] = "";
	int err = json_in_member(rq->body, rq->body_size, "level", name, sizeof(name));

	(void)s;
	if (!query_check(rq, "pretty", rs))
		return;
	for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(LEVELS); i++) {
		if (strcmp(name, LEVELS[i].name) == 0) {
			log_set_level(LEVELS[i].level);
			put_level(rs);
			return;
		}
	}
	problem_answer(rs, 400,
		       "level must be debug, info, warn or error, as {\"level\": \"info\"}");
}
