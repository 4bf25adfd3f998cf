/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/v3.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/route.h"
#include "common/err.h"

/* --- what answers have in common --- */

struct json v3_begin(struct response *rs, const char *message)
{
	struct json j = {.out = &rs->body};

	rs->type = "application/json";
	json_begin_object(&j);
	json_key(&j, "error");
	json_bool(&j, false);
	json_key(&j, "message");
	json_str(&j, message);
	return j;
}

void v3_request(struct json *j, const struct server *s, const struct request *rq)
{
	json_key(j, "request");
	json_begin_object(j);
	json_key(j, "url");
	json_str(j, rq->url != NULL ? rq->url : rq->target);
	json_key(j, "host");
	json_str(j, server_config(s)->host);
	json_end_object(j);
}

void v3_end(struct json *j, const struct server *s, const struct request *rq)
{
	v3_request(j, s, rq);
	json_end_object(j);
}

void v3_client_profile(struct json *j)
{
	json_key(j, "client-profile");
	json_begin_object(j);
	json_key(j, "name");
	json_str(j, "");
	json_key(j, "client-id");
	json_str(j, "");
	json_key(j, "kafka-version");
	json_str(j, "");
	json_key(j, "tls");
	json_null(j);
	json_key(j, "sasl");
	json_null(j);
	json_end_object(j);
}

void v3_servers(struct json *j, const struct view *v)
{
	const char *at = v->servers;

	json_key(j, "servers");
	json_begin_array(j);
	while (*at != '\0') {
		size_t size = strcspn(at, ", ");

		if (size > 0)
			json_text(j, at, size);
		at += size;
		at += strspn(at, ", ");
	}
	json_end_array(j);
}

/* --- finding what a name stands for --- */

const char *v3_unescape_again(const char *name, char copy[static REQUEST_TARGET_MAX + 1])
{
	size_t size = strlen(name) + 1;

	if (strchr(name, '%') == NULL)
		return NULL;
	assert(size <= REQUEST_TARGET_MAX + 1); /* a part of a target, or of one unescaped */
	memcpy(copy, name, size);
	return route_unescape(copy) == ERR_OK ? copy : NULL;
}

struct view *v3_find_cluster(struct server *s, const struct request *rq, const char *name)
{
	char copy[REQUEST_TARGET_MAX + 1];
	struct view *v = server_find_view(s, rq, name);

	if (v == NULL && (name = v3_unescape_again(name, copy)) != NULL)
		v = server_find_view(s, rq, name);
	return v;
}

static const struct view_topic *find_topic(const struct view *v, const char *name)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const struct view_topic *t = v != NULL ? view_find_topic(v, name) : NULL;

	if (v != NULL && t == NULL && (name = v3_unescape_again(name, copy)) != NULL)
		t = view_find_topic(v, name);
	return t;
}

/* --- clusters and topics --- */

void v3_clusters(struct server *s, const struct request *rq, struct response *rs)
{
	struct view **views = NULL;
	size_t count = server_all_views(s, rq, &views);
	struct json j = v3_begin(rs, "cluster list returned");

	json_key(&j, "clusters");
	json_begin_array(&j);
	/* Two environments may share a name: it is one that can be asked for. */
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(views[i]->cluster, views[i - 1]->cluster) != 0)
			json_str(&j, views[i]->cluster);
	for (size_t i = 0; i < count; i++)
		view_unref(&views[i]);
	free(views);
	json_end_array(&j);
	v3_end(&j, s, rq);
}

void v3_cluster(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);

	if (v == NULL) {
		server_refuse(s, rq, 404, "cluster module not found", rs);
		return;
	}
	/* Topics and offsets are both asked for once a pass. */
	uint32_t refresh = (v->interval_ms + 999) / 1000;
	struct json j = v3_begin(rs, "cluster module detail returned");
	json_key(&j, "module");
	json_begin_object(&j);
	json_key(&j, "class-name");
	json_str(&j, "kafka");
	v3_servers(&j, v);
	v3_client_profile(&j);
	json_key(&j, "topic-refresh");
	json_uint(&j, refresh);
	json_key(&j, "offset-refresh");
	json_uint(&j, refresh);
	json_key(&j, "groups-reaper-refresh");
	json_uint(&j, 0);
	json_key(&j, "environment");
	json_str(&j, v->environment);
	json_end_object(&j);
	v3_end(&j, s, rq);
}

void v3_topics(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);

	if (v == NULL) {
		server_refuse(s, rq, 404, "cluster not found", rs);
		return;
	}
	struct json j = v3_begin(rs, "topic list returned");
	json_key(&j, "topics");
	json_begin_array(&j);
	for (size_t i = 0; i < v->topic_count; i++)
		json_str(&j, v->topics[i].name);
	json_end_array(&j);
	v3_end(&j, s, rq);
}

void v3_topic(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);
	const struct view_topic *t = find_topic(v, rq->args[1]);

	if (t == NULL) {
		server_refuse(s, rq, 404, "cluster or topic not found", rs);
		return;
	}
	struct json j = v3_begin(rs, "topic offsets returned");
	json_key(&j, "offsets");
	json_begin_array(&j);
	/* Clients take the index for the partition, so one without a leader keeps its place. */
	for (int32_t i = 0; i < t->partition_count; i++)
		json_int(&j, MAX(t->ends[i], (int64_t)0));
	json_end_array(&j);
	v3_end(&j, s, rq);
}

void v3_topic_consumers(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);

	if (v == NULL) {
		server_refuse(s, rq, 404, "cluster not found", rs);
		return;
	}
	const struct view_topic *t = find_topic(v, rq->args[1]);
	/* A topic whose log is not known may have been committed to all the same. */
	const char *topic = t != NULL ? t->name : rq->args[1];
	struct json j = v3_begin(rs, "consumers of topic returned");
	json_key(&j, "consumers");
	json_begin_array(&j);
	for (size_t i = 0; i < v->group_count; i++) {
		size_t first = 0;

		if (view_group_topic(&v->groups[i], topic, &first) > 0)
			json_str(&j, v->groups[i].name);
	}
	json_end_array(&j);
	v3_end(&j, s, rq);
}
