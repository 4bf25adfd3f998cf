/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * api - what the requests under /api/v1 have in common: finding what a path names, reading numbers
 * of a query, writing members. Times are Unix time in ms, durations ms; null is what is not known.
 * Errors are problem details (RFC 9457).
 */

#include "aggregator/serve/list.h"
#include "aggregator/serve/server.h"
#include "common/json.h"

/* The view of the cluster that the path and ?env= name, referenced. NULL: the refusal is in rs. */
struct view *api_find_view(struct server *s, const struct request *rq, struct response *rs);

/* A group of the path, and its view, which the caller unrefs. Names are the view's. */
struct api_group {
	struct view *view;
	const struct view_group *group;
	struct story_group ask; /* for the calls of the server */
};

/* False: the refusal is in rs. */
bool api_find_group(struct server *s, const struct request *rq, struct response *rs,
		    struct api_group *ret_g);
void api_group_free(struct api_group *g);

/* --- lists --- */

/* What the path of a list names. */
enum api_place { API_FLEET, API_ENVIRONMENT, API_CLUSTER };

struct api_scope {
	enum api_place place;
	struct list_views views;
};

/* The views that a list is made of: of what the path names, those that the query wants. False: the
 * refusal is in rs. */
bool api_find_scope(struct server *s, const struct request *rq, const struct query *q,
		    enum api_place place, struct api_scope *ret_scope, struct response *rs);
void api_scope_free(struct api_scope *scope);

/* A list's head, arg being its scope: see struct list_shape. */
void api_list_head(struct json *j, const void *arg);

/* --- the query --- */

/* A text; *ret_text points into copy, or is NULL if it is not given. False: refused. */
bool api_query_text(const struct request *rq, const char *name, char copy[REQUEST_TARGET_MAX + 1],
		    const char **ret_text, struct response *rs);

/* A whole number from 0 to max; *ret stays as it is if it is not given. False: refused. */
bool api_query_number(const struct request *rq, const char *name, int64_t max, int64_t *ret,
		      struct response *rs);

/* A duration such as 10m, or ms. */
bool api_query_duration(const struct request *rq, const char *name, int64_t *ret,
			struct response *rs);

/* 2001-09-09: Unix time in ms has thirteen digits since, in seconds it has fewer for ages to come.
 */
#define API_TIME_MIN_MS INT64_C(1000000000000)

/* A time: RFC 3339; "now"; an age such as -6h, both counted from now_ms; or Unix time in ms, of
 * which numbers that must be seconds are refused. 0 is the beginning of time. */
bool api_query_time(const struct request *rq, const char *name, int64_t now_ms, int64_t *ret,
		    struct response *rs);

/* Whether a flag is given: ?all, ?all=1, ?all=true. */
bool api_query_flag(const struct request *rq, const char *name);

/* --- writing --- */

void api_str(struct json *j, const char *key, const char *value);
void api_int(struct json *j, const char *key, int64_t value);
void api_bool(struct json *j, const char *key, bool value);

/* Negative is not known: null. */
void api_known(struct json *j, const char *key, int64_t value);

/* 0 is never: null. */
void api_time(struct json *j, const char *key, int64_t at_ms);

/* "environment", "cluster" and "as_of_ms", and of a group "group". */
void api_head(struct json *j, const struct view *v);
void api_group_head(struct json *j, const struct api_group *g);

/* Whether one of the views is of a cluster that these patterns match. */
bool api_concerns(struct view *const *views, size_t count, const char *environment,
		  const char *cluster);
