/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_explain.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/judge/pace.h"
#include "aggregator/serve/api.h"
#include "aggregator/serve/api_group.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/rules_api.h"
#include "common/err.h"

/* Partitions explained in one answer; the rest is counted. */
#define PARTITIONS_MAX 500

struct answer {
	struct json j;
	size_t count; /* of partitions told of, those left out included */
};

static void put_verdict(struct json *j, const struct story_partition *p)
{
	const struct commit_track *t = p->in->commit;
	const struct verdict *v = p->verdict;

	api_str(j, "status", status_str((enum status)t->status));
	api_str(j, "reason", reason_str((enum reason)t->reason));
	api_time(j, "since_ms", t->since_ms);
	json_key(j, "judged");
	json_begin_object(j);
	api_str(j, "status", status_str(v->status));
	api_str(j, "reason", reason_str(v->reason));
	api_int(j, "rule", v->rule);
	api_bool(j, "counted", v->counted);
	api_bool(j, "last_stands", v->hold);
	json_end_object(j);
}

/* A change that has been seen and not yet for long enough. */
static void put_pending(struct json *j, const struct story_partition *p)
{
	const struct commit_track *t = p->in->commit;
	bool worse = t->pending > t->status;

	json_key(j, "pending");
	if (t->pending_count == 0 || t->pending == t->status) {
		json_null(j);
		return;
	}
	json_begin_object(j);
	api_str(j, "status", status_str((enum status)t->pending));
	api_int(j, "passes", t->pending_count);
	api_int(j, "passes_needed", worse ? p->in->rules->raise_after : p->in->rules->clear_after);
	json_end_object(j);
}

static void put_sentence(struct json *j, const struct story_partition *p)
{
	CLEANUP(buf_free) struct buf text = {0};

	explain(p->in, p->verdict, &text);
	api_str(j, "sentence", buf_str(&text));
}

static void put_numbers(struct json *j, const struct story_partition *p)
{
	const struct commit_track *t = p->in->commit;
	const struct log_track *l = p->in->log;
	const struct verdict *v = p->verdict;

	json_key(j, "numbers");
	json_begin_object(j);
	api_known(j, "committed", t->offset);
	api_known(j, "log_start", l == NULL ? VIEW_UNKNOWN : l->start);
	api_known(j, "log_end", l == NULL ? VIEW_UNKNOWN : l->end);
	api_known(j, "lag", v->lag);
	api_known(j, "time_lag_ms", v->time_lag_ms);
	api_bool(j, "time_lag_at_least", v->time_lag_at_least);
	api_int(j, "lost", v->lost);
	api_time(j, "lost_at_ms", v->lost > 0 ? t->lost_at_ms : 0);
	api_known(j, "eta_ms", v->eta_ms);
	api_known(j, "limit_ms", v->limit_ms == 0 ? VIEW_UNKNOWN : v->limit_ms);
	api_int(j, "elapsed_ms", v->elapsed_ms);
	api_time(j, "last_commit_ms", t->arrival_ms);
	api_time(j, "last_progress_ms", t->progress_ms);
	json_key(j, "complete");
	json_float32(j, v->complete);
	json_end_object(j);
}

static void put_one_pace(struct json *j, const char *key, const struct track_pace *p,
			 int64_t limit_ms)
{
	json_key(j, key);
	json_begin_object(j);
	api_bool(j, "known", pace_known(p));
	api_int(j, "intervals", pace_count(p));
	api_int(j, "usual_ms", pace_usual_ms(p));
	api_int(j, "limit_ms", limit_ms);
	json_end_object(j);
}

/* How often it commits and moves on while messages wait, and what is allowed because of it. */
static void put_pace(struct json *j, const struct story_partition *p)
{
	const struct commit_track *t = p->in->commit;

	json_key(j, "pace");
	json_begin_object(j);
	put_one_pace(j, "commits", &t->commits, judge_stop_after_ms(t, p->in->rules));
	put_one_pace(j, "progress", &t->progress, judge_stall_after_ms(t, p->in->rules));
	json_end_object(j);
}

static void put_owner(struct json *j, const struct story_partition *p)
{
	json_key(j, "owner");
	if (p->member[0] == '\0' && p->host[0] == '\0') {
		json_null(j);
		return;
	}
	json_begin_object(j);
	api_str(j, "member", p->member);
	api_str(j, "client_id", p->client);
	api_str(j, "host", p->host);
	json_end_object(j);
}

static void put_gaps(struct json *j, const struct judge_input *in)
{
	struct track_gap gaps[TRACK_GAPS];
	size_t count = story_gaps(in, gaps);

	json_key(j, "blind");
	json_begin_array(j);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(j);
		api_int(j, "from_ms", gaps[i].from_ms);
		api_int(j, "to_ms", gaps[i].to_ms);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_window(struct json *j, const struct story_partition *p)
{
	struct story_point points[STORY_POINTS_MAX];
	size_t count = story_points(p->in, points);

	json_key(j, "window");
	json_begin_object(j);
	api_int(j, "from_ms", p->in->now_ms - p->in->rules->window_ms);
	api_int(j, "to_ms", p->in->now_ms);
	put_gaps(j, p->in);
	json_key(j, "points");
	json_begin_array(j);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(j);
		api_int(j, "at_ms", points[i].at_ms);
		api_known(j, "committed", points[i].committed);
		api_known(j, "log_end", points[i].end);
		api_known(j, "lag", points[i].lag);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void put_partition(void *arg, const struct story_partition *p)
{
	struct answer *a = arg;
	struct json *j = &a->j;

	if (++a->count > PARTITIONS_MAX)
		return;
	json_begin_object(j);
	api_str(j, "topic", p->topic);
	api_int(j, "partition", p->partition);
	put_verdict(j, p);
	put_pending(j, p);
	put_sentence(j, p);
	put_numbers(j, p);
	put_pace(j, p);
	put_owner(j, p);
	put_window(j, p);
	json_key(j, "rules");
	rules_api_put(j, p->set, p->rules);
	json_end_object(j);
}

/* What the query asks for. False: refused. */
static bool read_filter(const struct request *rq, char copy[REQUEST_TARGET_MAX + 1],
			struct story_filter *ret_f, struct response *rs)
{
	int64_t partition = -1;

	if (!api_query_text(rq, "topic", copy, &ret_f->topic, rs) ||
	    !api_query_number(rq, "partition", INT32_MAX, &partition, rs))
		return false;
	if (partition >= 0 && ret_f->topic == NULL) {
		problem_answer(rs, 400, "partition needs a topic beside it");
		return false;
	}
	ret_f->partition = (int32_t)partition;
	ret_f->all = ret_f->topic != NULL || api_query_flag(rq, "all");
	return true;
}

void api_explain(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(api_group_free) struct api_group g = {.view = NULL};
	const struct server_calls *calls = server_calls(s);
	struct answer a = {.j = {.out = &rs->body}};
	char topic[REQUEST_TARGET_MAX + 1];
	struct story_filter f;

	if (!query_check(rq, "env topic partition all pretty", rs) ||
	    !read_filter(rq, topic, &f, rs) || !api_find_group(s, rq, rs, &g))
		return;
	rs->type = "application/json";
	json_begin_object(&a.j);
	api_group_head(&a.j, &g);
	api_group_put_status(&a.j, g.group);
	api_bool(&a.j, "stale", g.group->stale);
	json_key(&a.j, "partitions");
	json_begin_array(&a.j);
	int err = calls->partitions(calls->arg, &g.ask, &f, put_partition, &a);
	json_end_array(&a.j);
	api_int(&a.j, "left_out",
		(int64_t)(a.count > PARTITIONS_MAX ? a.count - PARTITIONS_MAX : 0));
	json_end_object(&a.j);
	if (err != ERR_OK)
		problem_answer(rs, 503, "the store cannot be read now, try again");
	else if (a.count == 0 && f.topic != NULL)
		problem_answer(rs, 404, "the group has no such partition");
}
