/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_sparks.h"

#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"

#define RANGE_MS 3600000
#define RANGE_MAX_MS INT64_C(2592000000)
#define POINTS 60
#define POINTS_MAX 400

struct wanted {
	const struct view *view;
	const struct view_group *group;
};

struct ask {
	int64_t range_ms, points;
	struct list_views views;
	struct wanted groups[SPARKS_MAX];
	size_t count;
	uint64_t tag;
};

static void free_ask(struct ask *a)
{
	list_views_free(&a->views);
}

/* --- what is asked --- */

/* What is left of a text behind "PREFIX/"; NULL: it does not begin so. */
static const char *behind(const char *text, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(text, prefix, size) == 0 && text[size] == '/' ? text + size + 1 : NULL;
}

/* Neither an environment nor a cluster has a slash in its name; a group may. */
static void find(struct ask *a, const char *name)
{
	for (size_t i = 0; i < a->views.count; i++) {
		const struct view *v = a->views.list[i];
		const char *rest = behind(name, v->environment);

		rest = rest == NULL ? NULL : behind(rest, v->cluster);
		if (rest == NULL)
			continue;
		a->tag = deliver_mix(a->tag, v->serial);
		const struct view_group *g = view_find_group(v, rest);
		if (g != NULL)
			a->groups[a->count++] = (struct wanted){v, g};
		return;
	}
}

static bool read_groups(struct ask *a, const struct request *rq, struct response *rs)
{
	char name[REQUEST_TARGET_MAX + 1];
	const char *at = rq->query;
	size_t asked = 0;

	for (; query_next(&at, "group", name) == ERR_OK; find(a, name)) {
		if (++asked > SPARKS_MAX) {
			problem_answer(rs, 400, "group must be given 100 times at most");
			return false;
		}
	}
	if (asked == 0)
		problem_answer(rs, 400, "group must be given: ENVIRONMENT/CLUSTER/GROUP");
	return asked != 0;
}

static bool read_ask(struct server *s, const struct request *rq, struct ask *a, struct response *rs)
{
	if (!query_check_repeated(rq, "group range points pretty", "group", rs) ||
	    !api_query_duration(rq, "range", &a->range_ms, rs) ||
	    !api_query_number(rq, "points", POINTS_MAX, &a->points, rs))
		return false;
	if (a->points < 2 || a->range_ms < a->points || a->range_ms > RANGE_MAX_MS) {
		problem_answer(rs, 400, "points must be from 2 to 400, range a duration up to 30d");
		return false;
	}
	list_views(s, rq, NULL, NULL, &a->views);
	return read_groups(a, rq, rs);
}

/* --- the answer --- */

/* The values of one group; the array is begun with the first of them. */
struct line {
	struct json *j;
	bool begun;
};

static void put_value(void *arg, const struct story_lag *l)
{
	struct line *line = arg;

	if (!line->begun) {
		api_int(line->j, "from_ms", l->at_ms);
		json_key(line->j, "lag");
		json_begin_array(line->j);
		line->begun = true;
	}
	if (l->seen && l->lag >= 0)
		json_int(line->j, l->lag);
	else
		json_null(line->j);
}

static int put_line(struct server *s, const struct ask *a, const struct wanted *w, struct json *j)
{
	const struct server_calls *calls = server_calls(s);
	const struct story_group g = {.environment = w->view->environment,
				      .cluster = w->view->cluster,
				      .name = w->group->name,
				      .cluster_id = w->view->cluster_id,
				      .group_id = w->group->id};
	const struct story_span span = {.from_ms = MAX(w->view->as_of_ms - a->range_ms, (int64_t)0),
					.to_ms = w->view->as_of_ms,
					.step_ms = a->range_ms / a->points};
	struct line line = {.j = j};
	int64_t step_ms = 0;

	json_begin_object(j);
	api_head(j, w->view);
	api_str(j, "group", w->group->name);
	int err = calls->lag(calls->arg, &g, &span, put_value, &line, &step_ms);
	if (!line.begun) {
		api_known(j, "from_ms", VIEW_UNKNOWN);
		json_key(j, "lag");
		json_begin_array(j);
	}
	json_end_array(j);
	api_int(j, "step_ms", step_ms);
	json_end_object(j);
	return err;
}

void api_sparks(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(free_ask)
	struct ask a = {.range_ms = RANGE_MS, .points = POINTS, .tag = DELIVER_TAG_START};
	struct json j = {.out = &rs->body};
	int err = ERR_OK;

	if (!read_ask(s, rq, &a, rs) || deliver_known(s, rq, a.tag, false, rs))
		return; /* what is kept grows with the passes that the views show */
	rs->type = "application/json";
	json_begin_object(&j);
	json_key(&j, "groups");
	json_begin_array(&j);
	for (size_t i = 0; i < a.count && err == ERR_OK; i++)
		err = put_line(s, &a, &a.groups[i], &j);
	json_end_array(&j);
	json_end_object(&j);
	if (err != ERR_OK)
		problem_answer(rs, 503, "the store cannot be read now, try again");
}
