/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_history.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"
#include "common/mem.h"

#define DEFAULT_SPAN_MS 3600000

/* --- events --- */

static const char *kind_str(unsigned kind)
{
	switch (kind) {
	case PAST_STATUS:
		return "status";
	case PAST_LOSS:
		return "data_loss";
	default:
		return "topic_recreated";
	}
}

static void put_place(struct json *j, const struct past_event *e)
{
	json_key(j, "topic");
	if (e->of_group)
		json_null(j);
	else
		json_str(j, e->topic);
	api_known(j, "partition", e->partition);
}

static void put_event(void *arg, const struct past_event *e)
{
	struct json *j = arg;

	json_begin_object(j);
	api_int(j, "at_ms", e->at_ms);
	api_str(j, "kind", kind_str(e->kind));
	put_place(j, e);
	api_str(j, "from", status_str((enum status)e->from));
	api_str(j, "to", status_str((enum status)e->to));
	api_str(j, "reason", reason_str((enum reason)e->reason));
	api_known(j, "rule", e->rule == 0 ? VIEW_UNKNOWN : e->rule);
	api_str(j, "sentence", e->sentence);
	api_known(j, "committed", e->committed);
	api_known(j, "log_end", e->end);
	api_known(j, "lag", e->lag);
	api_known(j, "time_lag_ms", e->time_lag_ms);
	api_int(j, "lost", e->lost);
	api_known(j, "limit_ms", e->limit_ms == 0 ? VIEW_UNKNOWN : e->limit_ms);
	api_int(j, "elapsed_ms", e->elapsed_ms);
	if (e->of_group)
		api_int(j, "partitions_changed", e->changed);
	json_end_object(j);
}

void api_events(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	const struct server_calls *calls = server_calls(s);
	struct json j = {.out = &rs->body};
	int64_t before_ms = INT64_MAX;
	int64_t limit = PAST_EVENTS;

	if (!query_check(rq, "env before limit pretty", rs) || !api_find_group(s, rq, rs, &g) ||
	    !api_query_time(rq, "before", g.view->as_of_ms, &before_ms, rs) ||
	    !api_query_number(rq, "limit", PAST_EVENTS, &limit, rs) ||
	    deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, g.view->serial), false, rs))
		return; /* events come with the pass that the view shows */
	rs->type = "application/json";
	json_begin_object(&j);
	api_group_head(&j, &g);
	json_key(&j, "events");
	json_begin_array(&j);
	int err = calls->events(calls->arg, &g.ask, before_ms, (size_t)limit, put_event, &j);
	json_end_array(&j);
	json_end_object(&j);
	if (err != ERR_OK)
		problem_answer(rs, 503, "the store cannot be read now, try again");
}

/* --- history --- */

/* All steps of a span, kept because columns are written one after the other. */
struct steps {
	struct story_span span;
	struct story_lag *list;
	size_t count, cap;
};

static void free_steps(struct steps *s)
{
	free(s->list);
}

static void add_step(void *arg, const struct story_lag *l)
{
	struct steps *s = arg;

	s->list = mem_grow(s->list, s->count, &s->cap, sizeof(*s->list));
	s->list[s->count++] = *l;
}

static int64_t lag_of(const struct story_lag *l)
{
	return l->lag;
}

static int64_t max_of(const struct story_lag *l)
{
	return l->max;
}

static int64_t time_lag_of(const struct story_lag *l)
{
	return l->time_lag_ms;
}

static int64_t committed_of(const struct story_lag *l)
{
	return l->committed;
}

static int64_t end_of(const struct story_lag *l)
{
	return l->end;
}

static void put_column(struct json *j, const char *key, const struct steps *s,
		       int64_t (*value)(const struct story_lag *l))
{
	json_key(j, key);
	json_begin_array(j);
	for (size_t i = 0; i < s->count; i++) {
		int64_t v = s->list[i].seen ? value(&s->list[i]) : VIEW_UNKNOWN;

		if (v >= 0)
			json_int(j, v);
		else
			json_null(j);
	}
	json_end_array(j);
}

static void put_times(struct json *j, const struct steps *s)
{
	json_key(j, "at_ms");
	json_begin_array(j);
	for (size_t i = 0; i < s->count; i++)
		json_int(j, s->list[i].at_ms);
	json_end_array(j);
}

static void put_statuses(struct json *j, const struct steps *s)
{
	json_key(j, "status");
	json_begin_array(j);
	for (size_t i = 0; i < s->count; i++) {
		if (s->list[i].seen && s->list[i].status != STATUS_NOTFOUND)
			json_str(j, status_str(s->list[i].status));
		else
			json_null(j);
	}
	json_end_array(j);
}

/* False: refused. */
static bool read_span(const struct request *rq, int64_t now_ms, struct story_span *span,
		      struct response *rs)
{
	span->to_ms = now_ms;
	span->step_ms = 0;
	if (!api_query_time(rq, "to", now_ms, &span->to_ms, rs))
		return false;
	span->from_ms = MAX(span->to_ms - DEFAULT_SPAN_MS, (int64_t)0);
	if (!api_query_time(rq, "from", now_ms, &span->from_ms, rs) ||
	    !api_query_duration(rq, "step", &span->step_ms, rs))
		return false;
	if (span->from_ms <= span->to_ms)
		return true;
	problem_answer(rs, 400, "from must not be later than to");
	return false;
}

/* Read the steps and begin the answer. False: rs is the answer, or the refusal. */
static bool begin(struct server *s, const struct request *rq, const struct api_group *g,
		  struct steps *steps, struct json *j, struct response *rs)
{
	const struct server_calls *calls = server_calls(s);
	const struct story_span *span = &steps->span;
	int64_t step_ms = 0;

	/* What is kept grows with the pass that the view shows. */
	if (deliver_known(s, rq, deliver_mix(DELIVER_TAG_START, g->view->serial), false, rs))
		return false;
	if (calls->lag(calls->arg, &g->ask, span, add_step, steps, &step_ms) != ERR_OK) {
		problem_answer(rs, 503, "the store cannot be read now, try again");
		return false;
	}
	rs->type = "application/json";
	json_begin_object(j);
	api_group_head(j, g);
	api_int(j, "from_ms", span->from_ms);
	api_int(j, "to_ms", span->to_ms);
	api_int(j, "step_ms", step_ms);
	return true;
}

/* The columns that groups and partitions have. */
static void put_columns(struct json *j, const struct steps *steps)
{
	put_times(j, steps);
	put_column(j, "log_end", steps, end_of);
	put_column(j, "committed", steps, committed_of);
	put_column(j, "lag", steps, lag_of);
	put_column(j, "time_lag_ms", steps, time_lag_of);
	put_statuses(j, steps);
}

void api_history_group(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	CLEANUP(free_steps) struct steps steps = {.span = {.partition = -1, .offsets = true}};
	struct json j = {.out = &rs->body};

	if (!query_check(rq, "env from to step pretty", rs) || !api_find_group(s, rq, rs, &g) ||
	    !read_span(rq, g.view->as_of_ms, &steps.span, rs) || !begin(s, rq, &g, &steps, &j, rs))
		return;
	put_columns(&j, &steps);
	put_column(&j, "max_lag", &steps, max_of);
	json_end_object(&j);
}

/* The partition that the path names; NULL: refused. */
static const struct view_partition *find_partition(const struct view_group *g,
						   const struct request *rq, struct response *rs)
{
	const char *number = rq->args[3];
	size_t first = 0;
	size_t count = view_group_topic(g, rq->args[2], &first);
	bool digits = *number != '\0' && strspn(number, "0123456789") == strlen(number);

	for (size_t i = first; digits && i < first + count; i++)
		if (g->partitions[i].partition == strtoll(number, NULL, 10))
			return &g->partitions[i];
	problem_answer(rs, 404, "the group has no such partition");
	return NULL;
}

void api_history_partition(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	CLEANUP(free_steps) struct steps steps = {.span = {.offsets = true}};
	struct json j = {.out = &rs->body};

	if (!query_check(rq, "env from to step pretty", rs) || !api_find_group(s, rq, rs, &g))
		return;
	const struct view_partition *p = find_partition(g.group, rq, rs);
	if (p == NULL || !read_span(rq, g.view->as_of_ms, &steps.span, rs))
		return;
	steps.span.topic_id = p->topic_id;
	steps.span.partition = p->partition;
	if (!begin(s, rq, &g, &steps, &j, rs))
		return;
	api_str(&j, "topic", p->topic);
	api_int(&j, "partition", p->partition);
	put_columns(&j, &steps);
	json_end_object(&j);
}
