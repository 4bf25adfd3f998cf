/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_maintenance.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/maintenance.h"
#include "aggregator/serve/api.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "common/clock.h"
#include "common/err.h"

static void answer_error(struct response *rs, int err)
{
	if (err == ERR_NOT_FOUND)
		problem_answer(rs, 404, "there is no maintenance of this id");
	else if (err == ERR_LIMIT)
		problem_answer(rs, 409, "there is too much maintenance already: end some");
	else
		problem_answer(rs, 503, "it cannot be kept now, and nothing has changed");
}

/* --- the list --- */

static void put_list(struct json *j, struct server *s, const struct request *rq,
		     const struct rules_set *rules)
{
	struct view **views = NULL;
	size_t view_count = server_all_views(s, rq, &views);
	int64_t now_ms = clock_wall_ms();
	size_t count = 0;
	const struct rules_maintenance *list = rules_maintenance(rules, &count);

	for (size_t i = 0; i < count; i++) {
		const struct rules_maintenance *m = &list[i];

		if (m->until_ms > now_ms &&
		    (rq->who->scope == 0 ||
		     api_concerns(views, view_count, m->environment, m->cluster)))
			maintenance_put(j, m);
	}
	for (size_t i = 0; i < view_count; i++)
		view_unref(&views[i]);
	free(views);
}

void api_maintenance(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	struct json j = {.out = &rs->body};

	if (!query_check(rq, "pretty", rs))
		return;
	server_calls(s)->rules(server_calls(s)->arg, &state);
	rs->type = "application/json";
	json_begin_object(&j);
	json_key(&j, "maintenance");
	json_begin_array(&j);
	put_list(&j, s, rq, state.rules);
	json_end_array(&j);
	json_end_object(&j);
}

/* --- changes --- */

void api_maintenance_add(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(buf_free) struct buf why = {0};
	struct json j = {.out = &rs->body};
	struct rules_maintenance m;

	if (!query_check(rq, "pretty", rs))
		return;
	if (maintenance_in(rq->who, rq->body, rq->body_size, &why, &m) != ERR_OK) {
		problem_answer(rs, 400, buf_str(&why));
		return;
	}
	int err = server_calls(s)->maintain(server_calls(s)->arg, &m);
	if (err != ERR_OK) {
		answer_error(rs, err);
		return;
	}
	rs->status = 201;
	rs->type = "application/json";
	maintenance_put(&j, &m);
}

/* The one that the path names, if he may end it; 0: there is none for him. */
static uint64_t find(struct server *s, const struct request *rq)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	size_t count = 0;
	char *end = NULL;

	if (strlen(rq->args[0]) != 16 || strspn(rq->args[0], "0123456789abcdef") != 16)
		return 0;
	uint64_t id = strtoull(rq->args[0], &end, 16);
	server_calls(s)->rules(server_calls(s)->arg, &state);
	const struct rules_maintenance *list = rules_maintenance(state.rules, &count);
	for (size_t i = 0; i < count; i++)
		if (list[i].id == id)
			return access_names(rq->who, list[i].environment, list[i].cluster) ? id : 0;
	return 0;
}

void api_maintenance_delete(struct server *s, const struct request *rq, struct response *rs)
{
	if (!query_check(rq, "", rs))
		return;
	uint64_t id = find(s, rq);
	int err = id == 0 ? ERR_NOT_FOUND
			  : server_calls(s)->end_maintenance(server_calls(s)->arg, id);
	if (err == ERR_OK)
		rs->status = 204;
	else
		answer_error(rs, err);
}
