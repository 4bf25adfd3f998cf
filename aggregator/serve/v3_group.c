/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/v3_group.h"

#include <string.h>

#include "aggregator/serve/cache.h"
#include "aggregator/serve/v3.h"
#include "common/err.h"

static const struct view_group *find_group(const struct view *v, const char *name)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const struct view_group *g = v != NULL ? view_find_group(v, name) : NULL;

	if (v != NULL && g == NULL && (name = v3_unescape_again(name, copy)) != NULL)
		g = view_find_group(v, name);
	return g;
}

void v3_group_list(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);

	if (v == NULL) {
		server_refuse(s, rq, 404, "cluster not found", rs);
		return;
	}
	struct json j = v3_begin(rs, "consumer list returned");
	json_key(&j, "consumers");
	json_begin_array(&j);
	for (size_t i = 0; i < v->group_count; i++)
		json_str(&j, v->groups[i].name);
	json_end_array(&j);
	v3_end(&j, s, rq);
}

static void put_offset(struct json *j, const struct view_offset *o)
{
	json_begin_object(j);
	json_key(j, "offset");
	json_int(j, o->offset);
	json_key(j, "timestamp");
	json_int(j, o->time_ms);
	json_key(j, "observedAt");
	json_int(j, o->observed_ms);
	json_key(j, "lag");
	if (o->lag >= 0)
		json_int(j, o->lag);
	else
		json_null(j);
	json_end_object(j);
}

static int64_t shown_lag(const struct view_partition *p)
{
	return MAX(p->lag, (int64_t)0);
}

/* A group's detail as it is written, partition by partition. */
struct detail {
	struct json j;
	uint32_t intervals;
	const char *topic; /* whose list is open; NULL: none */
	int32_t next;      /* the partition whose place in that list comes next */
};

static void put_ring(struct detail *d, const struct view_partition *p,
		     const struct view_offset *points, size_t count)
{
	struct json *j = &d->j;

	json_begin_object(j);
	json_key(j, "offsets");
	json_begin_array(j);
	for (size_t i = count; count > 0 && i < d->intervals; i++)
		json_null(j);
	for (size_t i = 0; i < count; i++)
		put_offset(j, &points[i]);
	json_end_array(j);
	json_key(j, "owner");
	json_str(j, p != NULL ? p->owner : "");
	json_key(j, "client_id");
	json_str(j, p != NULL ? p->client_id : "");
	json_key(j, "current-lag");
	json_int(j, p != NULL ? shown_lag(p) : 0);
	json_end_object(j);
}

static void on_points(void *arg, const struct view_partition *p, const struct view_offset *points,
		      size_t count)
{
	struct detail *d = arg;

	if (d->topic == NULL || strcmp(d->topic, p->topic) != 0) {
		if (d->topic != NULL)
			json_end_array(&d->j);
		json_name(&d->j, p->topic);
		json_begin_array(&d->j);
		d->topic = p->topic;
		d->next = 0;
	}
	/* The index is the partition. A commit to a partition far away would otherwise make a list
	 * as long as it likes: the limit of the body ends it. */
	while (d->next < p->partition && d->j.out->err == ERR_OK) {
		put_ring(d, NULL, NULL, 0);
		d->next++;
	}
	put_ring(d, p, points, count);
	d->next = p->partition + 1;
}

void v3_group_detail(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);
	const struct view_group *g = find_group(v, rq->args[1]);
	const struct server_calls *calls = server_calls(s);

	if (g == NULL) {
		server_refuse(s, rq, 404, "cluster or consumer not found", rs);
		return;
	}
	struct detail d = {.j = v3_begin(rs, "consumer detail returned"),
			   .intervals = server_config(s)->intervals};
	json_key(&d.j, "topics");
	json_begin_object(&d.j);
	int err = calls->offsets(calls->arg, v, g, d.intervals, on_points, &d);
	if (err != ERR_OK) {
		server_refuse(s, rq, 503, "the store cannot be read now, try again", rs);
		return;
	}
	if (d.topic != NULL)
		json_end_array(&d.j);
	json_end_object(&d.j);
	v3_end(&d.j, s, rq);
}

static void put_partition(struct json *j, const struct view_partition *p)
{
	json_begin_object(j);
	json_key(j, "topic");
	json_str(j, p->topic);
	json_key(j, "partition");
	json_int(j, p->partition);
	json_key(j, "owner");
	json_str(j, p->owner);
	json_key(j, "client_id");
	json_str(j, p->client_id);
	json_key(j, "status");
	json_str(j, status_str(p->status));
	json_key(j, "start");
	if (p->has_offsets)
		put_offset(j, &p->start);
	else
		json_null(j);
	json_key(j, "end");
	if (p->has_offsets)
		put_offset(j, &p->end);
	else
		json_null(j);
	json_key(j, "current_lag");
	json_int(j, shown_lag(p));
	json_key(j, "complete");
	json_float32(j, p->complete);
	json_end_object(j);
}

/* The "status" of a group: all partitions, or those that are not OK. */
static void put_group(struct json *j, const char *cluster, const struct view_group *g, bool all)
{
	json_key(j, "status");
	json_begin_object(j);
	json_key(j, "cluster");
	json_str(j, cluster);
	json_key(j, "group");
	json_str(j, g->name);
	json_key(j, "status");
	json_str(j, status_str(g->status));
	json_key(j, "complete");
	json_float32(j, g->complete);
	json_key(j, "partitions");
	json_begin_array(j);
	for (size_t i = 0; i < g->partition_count; i++) {
		if (all || g->partitions[i].status > STATUS_OK)
			put_partition(j, &g->partitions[i]);
	}
	json_end_array(j);
	json_key(j, "partition_count");
	json_uint(j, g->partition_count);
	json_key(j, "maxlag");
	if (g->partition_count > 0)
		put_partition(j, &g->partitions[g->max_lag]);
	else
		json_null(j);
	json_key(j, "totallag");
	json_uint(j, g->total_lag);
	json_end_object(j);
}

/* Burrow says "no error" with its 404 here, and clients look at the code. */
static void status_not_found(struct server *s, const struct request *rq, struct response *rs)
{
	const struct view_group none = {
		.name = rq->args[1], .status = STATUS_NOTFOUND, .complete = 1};
	struct json j = v3_begin(rs, "consumer status returned");

	rs->status = 404;
	put_group(&j, rq->args[0], &none, true);
	v3_end(&j, s, rq);
}

static void status(struct server *s, const struct request *rq, struct response *rs, bool all)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);
	const struct view_group *g = find_group(v, rq->args[1]);

	if (g == NULL) {
		status_not_found(s, rq, rs);
		return;
	}
	const struct cache_key key = {
		.serial = v->serial, .slot = g->id * 2 + all, .target = rq->target};
	rs->type = "application/json";
	rs->shared = cache_get(server_cache(s), &key);
	if (rs->shared != NULL)
		return;
	struct json j = v3_begin(rs, "consumer status returned");
	put_group(&j, v->cluster, g, all);
	v3_end(&j, s, rq);
	rs->shared = body_new(&rs->body);
	if (rs->shared != NULL)
		cache_put(server_cache(s), &key, rs->shared);
}

void v3_group_status(struct server *s, const struct request *rq, struct response *rs)
{
	status(s, rq, rs, false);
}

void v3_group_lag(struct server *s, const struct request *rq, struct response *rs)
{
	status(s, rq, rs, true);
}

/* --- removing --- */

/* Burrow answers the same whether or not there was something to remove. */
static void removed(struct server *s, const struct request *rq, int err, struct response *rs)
{
	if (err != ERR_OK) {
		server_refuse(s, rq, 503, "too many removals are waiting, try again", rs);
		return;
	}
	struct json j = v3_begin(rs, "consumer group removed");
	v3_end(&j, s, rq);
}

void v3_group_delete(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);
	const struct view_group *g = find_group(v, rq->args[1]);
	const struct server_calls *calls = server_calls(s);
	int err = ERR_OK;

	if (g != NULL) {
		err = calls->delete_group(calls->arg, v->cluster_id, g->id);
		if (err == ERR_OK)
			server_drop_group(s, v->cluster_id, g->id, NULL);
	}
	removed(s, rq, err, rs);
}

/* The topic of a group that a name stands for, whether or not its log is known; NULL: none. */
static const char *find_group_topic(const struct view_group *g, const char *name,
				    char copy[static REQUEST_TARGET_MAX + 1])
{
	size_t first = 0;

	if (view_group_topic(g, name, &first) == 0) {
		name = v3_unescape_again(name, copy);
		if (name == NULL || view_group_topic(g, name, &first) == 0)
			return NULL;
	}
	return name;
}

void v3_group_delete_topic(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);
	const struct view_group *g = find_group(v, rq->args[1]);
	const struct server_calls *calls = server_calls(s);
	char copy[REQUEST_TARGET_MAX + 1];
	const char *topic = g != NULL ? find_group_topic(g, rq->args[2], copy) : NULL;
	int err = ERR_OK;

	if (topic != NULL) {
		err = calls->delete_group_topic(calls->arg, v->cluster_id, g->id, topic);
		if (err == ERR_OK)
			server_drop_group(s, v->cluster_id, g->id, topic);
	}
	removed(s, rq, err, rs);
}
