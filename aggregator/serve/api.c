/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "common/clock.h"
#include "common/conf_value.h"
#include "common/date.h"
#include "common/err.h"
#include "common/glob.h"

/* --- finding --- */

struct view *api_find_view(struct server *s, const struct request *rq, struct response *rs)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *env = NULL;
	struct view **views = NULL;
	struct view *found = NULL;
	size_t matches = 0;

	if (!api_query_text(rq, "env", copy, &env, rs))
		return NULL;
	size_t count = server_all_views(s, rq, &views);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(views[i]->cluster, rq->args[0]) == 0 &&
		    (env == NULL || strcmp(views[i]->environment, env) == 0) && ++matches == 1)
			found = views[i];
		else
			view_unref(&views[i]);
	}
	free(views);
	if (matches == 1)
		return found;
	view_unref(&found);
	if (matches == 0)
		problem_answer(rs, 404, "no such cluster");
	else
		problem_answer(rs, 409,
			       "several environments have a cluster of this name: say which with "
			       "?env=");
	return NULL;
}

bool api_find_group(struct server *s, const struct request *rq, struct response *rs,
		    struct api_group *ret_g)
{
	struct api_group g = {.view = api_find_view(s, rq, rs)};

	if (g.view == NULL)
		return false;
	g.group = view_find_group(g.view, rq->args[1]);
	if (g.group == NULL) {
		view_unref(&g.view);
		problem_answer(rs, 404, "no such consumer group in this cluster");
		return false;
	}
	g.ask = (struct story_group){
		.environment = g.view->environment,
		.cluster = g.view->cluster,
		.name = g.group->name,
		.cluster_id = g.view->cluster_id,
		.group_id = g.group->id,
	};
	if (g.group->stale)
		g.ask.silent_ms = MAX(clock_wall_ms() - g.view->received_ms, (int64_t)0);
	*ret_g = g;
	return true;
}

/* Of an environment that is there for who asks, whether or not it has what the query wants. */
static bool find_environment(struct server *s, const struct request *rq, const struct query *q,
			     struct list_views *ret_v, struct response *rs)
{
	size_t wanted = 0;
	bool found = false;

	list_views(s, rq, NULL, NULL, ret_v);
	for (size_t i = 0; i < ret_v->count; i++) {
		bool inside = strcmp(ret_v->list[i]->environment, rq->args[0]) == 0;

		found = found || inside;
		if (inside && query_glob(q->cluster, ret_v->list[i]->cluster))
			ret_v->list[wanted++] = ret_v->list[i];
		else
			view_unref(&ret_v->list[i]);
	}
	ret_v->count = wanted;
	if (!found)
		problem_answer(rs, 404, "no such environment");
	return found;
}

bool api_find_scope(struct server *s, const struct request *rq, const struct query *q,
		    enum api_place place, struct api_scope *ret_scope, struct response *rs)
{
	*ret_scope = (struct api_scope){.place = place};
	if (place == API_ENVIRONMENT)
		return find_environment(s, rq, q, &ret_scope->views, rs);
	if (place == API_FLEET) {
		list_views(s, rq, q->env, q->cluster, &ret_scope->views);
		return true;
	}
	struct view *v = api_find_view(s, rq, rs);
	if (v == NULL)
		return false;
	ret_scope->views.list = malloc(sizeof(struct view *)); /* NOLINT: of one pointer */
	if (ret_scope->views.list == NULL)
		abort();
	ret_scope->views.list[0] = v;
	ret_scope->views.count = 1;
	return true;
}

void api_scope_free(struct api_scope *scope)
{
	list_views_free(&scope->views);
}

void api_list_head(struct json *j, const void *arg)
{
	const struct api_scope *scope = arg;

	if (scope->place == API_CLUSTER) {
		api_head(j, scope->views.list[0]);
		return;
	}
	api_time(j, "as_of_ms", list_as_of(&scope->views));
}

void api_group_free(struct api_group *g)
{
	if (g->view != NULL)
		view_unref(&g->view);
}

/* --- the query --- */

static bool refuse(struct response *rs, const char *name, const char *expected)
{
	char text[256];

	snprintf(text, sizeof(text), "%s must be %s", name, expected);
	problem_answer(rs, 400, text);
	return false;
}

bool api_query_text(const struct request *rq, const char *name, char copy[REQUEST_TARGET_MAX + 1],
		    const char **ret_text, struct response *rs)
{
	int err = query_get(rq, name, copy);

	*ret_text = err == ERR_OK ? copy : NULL;
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		return true;
	return refuse(rs, name, "text whose percent escapes are whole");
}

static bool parse_digits(const char *text, int64_t max, int64_t *ret)
{
	errno = 0;
	long long n = strtoll(text, NULL, 10);

	if (*text == '\0' || strspn(text, "0123456789") != strlen(text) || errno != 0 || n > max)
		return false;
	*ret = n;
	return true;
}

static bool parse_duration(const char *text, int64_t *ret)
{
	const struct conf_item item = {.type = CONF_DURATION, .min = 0, .max = INT64_MAX / 4};

	return parse_digits(text, item.max, ret) ||
	       conf_value_parse(&item, text, ret) == CONF_VALUE_OK;
}

bool api_query_number(const struct request *rq, const char *name, int64_t max, int64_t *ret,
		      struct response *rs)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *text = NULL;
	char expected[64];

	if (!api_query_text(rq, name, copy, &text, rs))
		return false;
	if (text == NULL || parse_digits(text, max, ret))
		return true;
	snprintf(expected, sizeof(expected), "a whole number from 0 to %" PRId64, max);
	return refuse(rs, name, expected);
}

bool api_query_duration(const struct request *rq, const char *name, int64_t *ret,
			struct response *rs)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *text = NULL;

	if (!api_query_text(rq, name, copy, &text, rs))
		return false;
	if (text == NULL || parse_duration(text, ret))
		return true;
	return refuse(rs, name, "a duration such as 10m (units ms, s, m, h, d), or milliseconds");
}

/* A blank is a plus that was not escaped: no time holds one. */
static bool parse_date(char *text, int64_t *ret)
{
	char *blank = strchr(text, ' ');

	if (blank != NULL)
		*blank = '+';
	return date_parse(text, ret);
}

/* False: it is none, or seconds instead of ms. */
static bool parse_time(char *text, int64_t now_ms, int64_t *ret)
{
	int64_t n = 0;

	if (strcmp(text, "now") == 0) {
		*ret = now_ms;
	} else if (text[0] == '-' && parse_duration(text + 1, &n)) {
		*ret = MAX(now_ms - n, (int64_t)0);
	} else if (!parse_digits(text, INT64_MAX / 4, &n)) {
		return parse_date(text, ret);
	} else {
		*ret = n;
		return n == 0 || n >= API_TIME_MIN_MS;
	}
	return true;
}

bool api_query_time(const struct request *rq, const char *name, int64_t now_ms, int64_t *ret,
		    struct response *rs)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *text = NULL;

	if (!api_query_text(rq, name, copy, &text, rs))
		return false;
	if (text == NULL || parse_time(copy, now_ms, ret))
		return true;
	return refuse(rs, name,
		      "a time: 2026-12-01T06:00:00Z, now, an age such as -6h, or Unix time in "
		      "milliseconds (not seconds), 0 being the beginning");
}

bool api_query_flag(const struct request *rq, const char *name)
{
	char copy[REQUEST_TARGET_MAX + 1];
	size_t size = strlen(name);

	if (query_get(rq, name, copy) == ERR_OK)
		return strcmp(copy, "0") != 0 && strcmp(copy, "false") != 0;
	/* Without a value. */
	for (const char *at = rq->query; *at != '\0'; at += strcspn(at, "&"), at += *at == '&')
		if (strcspn(at, "&") == size && strncmp(at, name, size) == 0)
			return true;
	return false;
}

/* --- writing --- */

void api_str(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_str(j, value);
}

void api_int(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

void api_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

void api_known(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	if (value >= 0)
		json_int(j, value);
	else
		json_null(j);
}

void api_time(struct json *j, const char *key, int64_t at_ms)
{
	api_known(j, key, at_ms == 0 ? VIEW_UNKNOWN : at_ms);
}

void api_head(struct json *j, const struct view *v)
{
	api_str(j, "environment", v->environment);
	api_str(j, "cluster", v->cluster);
	api_time(j, "as_of_ms", v->as_of_ms);
}

void api_group_head(struct json *j, const struct api_group *g)
{
	api_head(j, g->view);
	api_str(j, "group", g->group->name);
}

bool api_concerns(struct view *const *views, size_t count, const char *environment,
		  const char *cluster)
{
	for (size_t i = 0; i < count; i++)
		if (glob_match(environment, views[i]->environment) &&
		    glob_match(cluster, views[i]->cluster))
			return true;
	return false;
}
