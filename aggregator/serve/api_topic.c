/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_topic.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/mem.h"

/* How many groups read each topic of a view, by its place there. */
struct readers {
	const struct view *view;
	size_t *counts; /* owned */
};

static void free_readers(struct readers *r)
{
	free(r->counts);
}

/* One walk over all groups: their partitions are sorted by topic. */
static void count_readers(struct readers *r)
{
	const struct view *v = r->view;

	r->counts = mem_zeroed(v->topic_count + 1, sizeof(*r->counts));
	for (size_t i = 0; i < v->group_count; i++) {
		const struct view_group *g = &v->groups[i];

		for (size_t k = 0; k < g->partition_count; k++) {
			const struct view_topic *t = NULL;

			if (k == 0 ||
			    strcmp(g->partitions[k].topic, g->partitions[k - 1].topic) != 0)
				t = view_find_topic(v, g->partitions[k].topic);
			if (t != NULL)
				r->counts[t - v->topics]++;
		}
	}
}

/* --- a row --- */

/* The sum over a topic's partitions; negative: not known of one. */
static float total_rate(const struct view_topic *t)
{
	double sum = 0;

	for (int32_t i = 0; i < t->partition_count; i++) {
		if (t->rates == NULL || t->rates[i] < 0)
			return VIEW_UNKNOWN;
		sum += (double)t->rates[i];
	}
	return (float)sum;
}

static int64_t messages(const struct view_topic *t)
{
	int64_t sum = 0;

	for (int32_t i = 0; i < t->partition_count; i++)
		sum += MIN(MAX(t->ends[i] - t->starts[i], (int64_t)0), INT64_MAX - sum);
	return sum;
}

static void put_topic(struct cells *c, const struct view *v, const struct view_topic *t,
		      size_t readers)
{
	cells_str(c, "environment", v->environment);
	cells_str(c, "cluster", v->cluster);
	cells_str(c, "topic", t->name);
	cells_time(c, "as_of_ms", v->as_of_ms);
	cells_bool(c, "stale", v->stale);
	cells_int(c, "partition_count", t->partition_count);
	cells_int(c, "messages", messages(t));
	cells_known_float(c, "rate", total_rate(t));
	cells_int(c, "consumer_count", (int64_t)readers);
}

static void put_row(struct cells *c, const struct list_row *row, void *arg)
{
	static const struct view no_view;
	static const struct view_topic no_topic;
	const struct readers *r = arg;

	if (row == NULL)
		put_topic(c, &no_view, &no_topic, 0);
	else
		put_topic(c, row->view, row->item,
			  r->counts[(const struct view_topic *)row->item - r->view->topics]);
}

/* --- the list --- */

void api_topics(struct server *s, const struct request *rq, struct response *rs)
{
	static const struct query_kind KIND = {"env topic", 1u << QUERY_BY_NAME};
	CLEANUP(api_scope_free) struct api_scope scope = {.place = API_CLUSTER};
	CLEANUP(list_free) struct list l = {.rows = NULL};
	CLEANUP(free_readers) struct readers readers = {.counts = NULL};
	struct query q;

	if (!query_read(rq, &KIND, &q, rs) || !api_find_scope(s, rq, &q, API_CLUSTER, &scope, rs) ||
	    deliver_known(s, rq, list_tag(&scope.views), q.csv, rs))
		return;
	l.q = &q;
	readers.view = scope.views.list[0];
	count_readers(&readers);
	for (size_t i = 0; i < readers.view->topic_count; i++) {
		const struct view_topic *t = &readers.view->topics[i];
		const char *const texts[] = {t->name, NULL};

		if (query_glob(q.topic, t->name) && query_finds(&q, texts))
			list_add(&l, &(struct list_row){
					     .names = {t->name}, .view = readers.view, .item = t});
	}
	list_answer(&l, rq,
		    &(struct list_shape){.member = "topics",
					 .put = put_row,
					 .arg = &readers,
					 .head = api_list_head,
					 .head_arg = &scope},
		    rs);
}

/* --- one --- */

static void put_partitions(struct json *j, const struct view_topic *t)
{
	struct cells c = {.j = *j};

	json_key(&c.j, "partitions");
	json_begin_array(&c.j);
	for (int32_t i = 0; i < t->partition_count; i++) {
		cells_begin_row(&c);
		cells_int(&c, "partition", i);
		cells_int(&c, "log_start", t->starts[i]);
		cells_int(&c, "log_end", t->ends[i]);
		cells_known(&c, "log_stable", t->stables == NULL ? VIEW_UNKNOWN : t->stables[i]);
		cells_known_float(&c, "rate", t->rates == NULL ? VIEW_UNKNOWN : t->rates[i]);
		cells_end_row(&c);
	}
	json_end_array(&c.j);
	*j = c.j;
}

/* What of a group is about one topic. */
static void put_consumer(struct json *j, const struct view_group *g, size_t first, size_t count)
{
	enum status worst = STATUS_OK;
	int64_t lag = 0;
	int64_t time_lag_ms = VIEW_UNKNOWN;

	for (size_t i = first; i < first + count; i++) {
		const struct view_partition *p = &g->partitions[i];

		worst = p->counted ? MAX(worst, p->status) : worst;
		lag += MAX(p->lag, (int64_t)0);
		time_lag_ms = MAX(time_lag_ms, p->time_lag_ms);
	}
	json_begin_object(j);
	api_str(j, "group", g->name);
	api_str(j, "status", status_str(status_of_group(worst)));
	api_int(j, "partitions", (int64_t)count);
	api_int(j, "lag", lag);
	api_known(j, "time_lag_ms", time_lag_ms);
	json_end_object(j);
}

void api_topic(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(free_readers) struct readers readers = {.counts = NULL};

	if (!query_check(rq, "env pretty", rs))
		return;
	CLEANUP(view_unref) struct view *v = api_find_view(s, rq, rs);
	if (v == NULL || deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, v->serial), false, rs))
		return;
	const struct view_topic *t = view_find_topic(v, rq->args[1]);
	if (t == NULL) {
		problem_answer(rs, 404, "no such topic in this cluster");
		return;
	}
	struct cells c = cells_on(&rs->body, CELLS_JSON);
	rs->type = "application/json";
	readers.view = v;
	count_readers(&readers);
	cells_begin_row(&c);
	put_topic(&c, v, t, readers.counts[t - v->topics]);
	put_partitions(&c.j, t);
	json_key(&c.j, "consumers");
	json_begin_array(&c.j);
	for (size_t i = 0; i < v->group_count; i++) {
		size_t first = 0;
		size_t count = view_group_topic(&v->groups[i], t->name, &first);

		if (count > 0)
			put_consumer(&c.j, &v->groups[i], first, count);
	}
	json_end_array(&c.j);
	cells_end_row(&c);
}
