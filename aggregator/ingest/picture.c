/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/picture.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "proto/wire.h"

/* A topic's text in the view, by its number, so that it stands there once. */
struct topic_text {
	uint32_t id;
	const char *text;
};

struct picture {
	struct view *view;
	int64_t now_ms;         /* the pass judged */
	int64_t window_from_ms; /* of the cluster's window */
	bool stale;

	struct view_topic *topics;
	size_t topic_count, topic_cap;
	struct topic_text *texts; /* those with a log first, sorted by id; then the others */
	size_t text_count, text_cap, text_sorted;

	struct view_group *groups;
	size_t group_count, group_cap;

	struct view_partition *partitions; /* of the group at hand */
	size_t partition_count, partition_cap;
	int64_t *ends, *starts, *stables; /* of the topic at hand */
	float *rates;
	size_t end_cap;
	const struct view_why *why;     /* of a partition before */
	bool why_plain;                 /* it holds for every partition with that reason */
	const struct rules *maintained; /* the rules whose texts the next two are */
	const char *maintenance_by, *maintenance_note;
	const struct cluster_track *cluster;
	int64_t silent_ms;
};

#define GROW(array, count, cap) ((array) = mem_grow((array), (count), &(cap), sizeof(*(array))))

static const void *keep(struct view *v, const void *data, size_t size)
{
	return size == 0 ? NULL : view_copy(v, data, size);
}

/* --- the head --- */

static void set_agent(struct view *v, const struct origin *o)
{
	v->agent = (struct view_agent){
		.name = view_strdup(v, o->agent),
		.software = view_strdup(v, o->software),
		.last_seen_ms = o->seen_ms,
		.state = (int)o->state,
		.read = o->read,
		.to_read = o->to_read,
		.records = o->records,
		.unknown = o->unknown,
		.malformed = o->malformed,
		.log_failed = o->log_failed,
		.spool_batches = o->spool_batches,
		.dropped = o->dropped,
		.reader_lag = o->reader_lag,
		.problem = view_strdup(v, o->problem),
		.source = view_strdup(v, o->source),
	};
}

struct picture *picture_new(const struct cluster *c, int64_t silent_ms, bool stale)
{
	struct picture *p = calloc(1, sizeof(*p));
	struct view *v = view_new();

	if (p == NULL || v == NULL)
		abort();
	v->cluster = view_strdup(v, c->name);
	v->environment = view_strdup(v, c->origin.environment);
	v->cluster_id = c->id;
	v->servers = view_strdup(v, c->origin.servers);
	v->as_of_ms = c->track.last_ms;
	v->pass = c->track.passes;
	v->interval_ms = c->track.interval_ms;
	v->received_ms = c->origin.passed_ms;
	set_agent(v, &c->origin);
	p->view = v;
	p->now_ms = c->track.last_ms;
	p->window_from_ms = c->track.last_ms - c->track.window_ms;
	v->stale = p->stale = stale;
	p->cluster = &c->track;
	p->silent_ms = silent_ms;
	return p;
}

/* --- topics --- */

static struct view_topic *begin_topic(struct picture *p, uint32_t id, const char *name)
{
	const char *text = view_strdup(p->view, name);

	GROW(p->topics, p->topic_count, p->topic_cap);
	GROW(p->texts, p->text_count, p->text_cap);
	p->texts[p->text_count++] = (struct topic_text){id, text};
	p->topics[p->topic_count] = (struct view_topic){.name = text};
	return &p->topics[p->topic_count++];
}

static void keep_ends(struct picture *p)
{
	if (p->topic_count == 0)
		return;
	struct view_topic *t = &p->topics[p->topic_count - 1];
	size_t size = (size_t)t->partition_count * sizeof(*p->ends);
	t->ends = keep(p->view, p->ends, size);
	t->starts = keep(p->view, p->starts, size);
	t->stables = keep(p->view, p->stables, size);
	t->rates = keep(p->view, p->rates, (size_t)t->partition_count * sizeof(*p->rates));
}

static void reserve_ends(struct picture *p, size_t count)
{
	if (count <= p->end_cap)
		return;
	p->end_cap = MAX(count, p->end_cap * 2);
	p->ends = mem_resize(p->ends, p->end_cap, sizeof(*p->ends));
	p->starts = mem_resize(p->starts, p->end_cap, sizeof(*p->starts));
	p->stables = mem_resize(p->stables, p->end_cap, sizeof(*p->stables));
	p->rates = mem_resize(p->rates, p->end_cap, sizeof(*p->rates));
}

/* Messages a second that came over the window, or over what is seen of it. */
static float rate_of(const struct picture *p, const struct log_track *log)
{
	if (log->ends.at_ms == 0)
		return VIEW_UNKNOWN;
	struct window_point from = window_back(&log->ends, p->window_from_ms);
	int64_t ms = p->now_ms - MAX(from.at_ms, p->window_from_ms);

	if (ms <= 0 || log->end < from.value)
		return VIEW_UNKNOWN;
	return (float)((double)(log->end - from.value) * 1000 / (double)ms);
}

void picture_add_log(struct picture *p, uint32_t topic, const char *name, int32_t partition,
		     const struct log_track *log)
{
	struct view_topic *t = p->topic_count == 0 ? NULL : &p->topics[p->topic_count - 1];

	if (t == NULL || p->texts[p->text_count - 1].id != topic) {
		keep_ends(p);
		t = begin_topic(p, topic, name);
	}
	reserve_ends(p, (size_t)partition + 1);
	/* A partition that is not known keeps its place: clients take the index for its number. */
	for (; t->partition_count <= partition; t->partition_count++) {
		p->ends[t->partition_count] = p->starts[t->partition_count] = 0;
		p->stables[t->partition_count] = VIEW_UNKNOWN;
		p->rates[t->partition_count] = VIEW_UNKNOWN;
	}
	p->ends[partition] = MAX(log->end, (int64_t)0);
	p->starts[partition] = MAX(log->start, (int64_t)0);
	p->stables[partition] = log->stable;
	p->rates[partition] = rate_of(p, log);
}

void picture_end_logs(struct picture *p)
{
	keep_ends(p);
	p->text_sorted = p->text_count;
}

static int by_id(const void *a, const void *b)
{
	const struct topic_text *x = a;
	const struct topic_text *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static const char *topic_text(struct picture *p, uint32_t id, const char *name)
{
	struct topic_text want = {id, NULL};
	const struct topic_text *known =
		p->text_sorted == 0
			? NULL
			: bsearch(&want, p->texts, p->text_sorted, sizeof(*p->texts), by_id);

	if (known != NULL)
		return known->text;
	for (size_t i = p->text_sorted; i < p->text_count; i++)
		if (p->texts[i].id == id)
			return p->texts[i].text;
	GROW(p->texts, p->text_count, p->text_cap);
	p->texts[p->text_count] = (struct topic_text){id, view_strdup(p->view, name)};
	return p->texts[p->text_count++].text;
}

/* --- groups --- */

static const char *protocol_text(const struct group_track *g)
{
	static const char *const TEXTS[] = {
		[TRACK_PROTOCOL_UNKNOWN] = "",          [TRACK_PROTOCOL_CLASSIC] = "classic",
		[TRACK_PROTOCOL_CONSUMER] = "consumer", [TRACK_PROTOCOL_SHARE] = "share",
		[TRACK_PROTOCOL_STREAMS] = "streams",   [TRACK_PROTOCOL_NONE] = "none",
	};

	return g != NULL && g->protocol < ARRAY_LEN(TEXTS) ? TEXTS[g->protocol] : "";
}

static const char *state_text(const struct group_track *g)
{
	static const char *const TEXTS[] = {
		[TRACK_GROUP_UNKNOWN] = "",      [TRACK_GROUP_EMPTY] = "Empty",
		[TRACK_GROUP_STABLE] = "Stable", [TRACK_GROUP_REBALANCING] = "Rebalancing",
		[TRACK_GROUP_DEAD] = "Dead",
	};

	return g != NULL && g->state < ARRAY_LEN(TEXTS) ? TEXTS[g->state] : "";
}

void picture_begin_group(struct picture *p, uint32_t id, const char *name,
			 const struct group_track *group)
{
	GROW(p->groups, p->group_count, p->group_cap);
	p->partition_count = 0;
	p->groups[p->group_count] = (struct view_group){
		.name = view_strdup(p->view, name),
		.id = id,
		.status = STATUS_OK,
		.stale = p->stale,
		.margin_ms = VIEW_UNKNOWN,
		.time_lag_ms = VIEW_UNKNOWN,
		.rebalances = group == NULL ? 0 : track_rebalances(group, p->window_from_ms),
		.state = state_text(group),
		.protocol = protocol_text(group),
		.member_count = group == NULL ? 0 : group->member_count,
		.generation = group == NULL ? VIEW_UNKNOWN : group->generation,
	};
}

struct view_offset picture_offset(const struct commit_track *t, const struct track_edge *e)
{
	int64_t skew = t->time_ms == TRACK_UNKNOWN ? 0 : t->time_ms - t->arrival_ms;

	return (struct view_offset){
		.offset = e->offset,
		.time_ms = MAX(e->at_ms + skew, (int64_t)0),
		.observed_ms = e->at_ms,
		.lag = e->lag,
	};
}

static void set_offsets(struct picture *p, struct view_partition *v,
			const struct picture_partition *one)
{
	struct track_edge first;
	struct track_edge last;

	v->has_offsets =
		track_edges(one->track, one->log, p->now_ms - one->rules->window_ms, &first, &last);
	if (!v->has_offsets)
		return;
	v->start = picture_offset(one->track, &first);
	last.at_ms = one->track->arrival_ms;
	v->end = picture_offset(one->track, &last);
}

static const char *member_text(struct picture *p, const struct members_name *name)
{
	if (name->size == 0)
		return "";
	char *text = view_alloc(p->view, name->size + 1);
	memcpy(text, name->data, name->size);
	return text;
}

/* What the sentence of a verdict needs beside what is in the partition. */
static const struct view_why *why_of(struct picture *p, const struct picture_partition *one)
{
	const struct judge_input in = {.commit = one->track,
				       .log = one->log,
				       .cluster = p->cluster,
				       .rules = one->rules,
				       .now_ms = p->cluster->last_ms + p->silent_ms};
	enum reason reason = one->verdict->reason;
	struct explain_facts f;

	if (p->why_plain && p->why->reason == reason && p->why->window_ms == one->rules->window_ms)
		return p->why;
	struct view_why *why = view_alloc(p->view, sizeof(*why));
	explain_gather(&in, one->verdict, &f);
	*why = (struct view_why){
		.reason = reason,
		.ignored = f.ignored,
		.window_ms = f.window_ms,
		.elapsed_ms = f.elapsed_ms,
		.limit_ms = f.limit_ms,
		.usual_ms = f.usual_ms,
		.unseen_ms = f.unseen_ms,
		.rewind_from = f.rewind_from,
		.rewind_to = f.rewind_to,
		.maintenance_ms = f.maintenance_ms,
		.maintenance_why = view_strdup(p->view, f.maintenance_why),
	};
	p->why = why;
	p->why_plain = explain_is_plain(reason);
	return why;
}

void picture_add_partition(struct picture *p, const struct picture_partition *one)
{
	const struct commit_track *t = one->track;
	const struct verdict *v = one->verdict;

	GROW(p->partitions, p->partition_count, p->partition_cap);
	struct view_partition *out = &p->partitions[p->partition_count++];
	*out = (struct view_partition){
		.topic = topic_text(p, one->topic, one->name),
		.topic_id = one->topic,
		.partition = one->partition,
		.status = (enum status)t->status,
		.reason = (enum reason)t->reason,
		.counted = v->counted,
		.complete = v->complete,
		.committed = t->offset,
		.log_start = one->log == NULL ? VIEW_UNKNOWN : one->log->start,
		.log_end = one->log == NULL ? VIEW_UNKNOWN : one->log->end,
		.lag = v->lag,
		.lost = v->lost,
		.lost_at_ms = v->lost > 0 ? t->lost_at_ms : 0,
		.margin_ms = one->margin.ms,
		.margin_at_least = one->margin.at_least,
		.time_lag_ms = v->time_lag_ms,
		.time_lag_at_least = v->time_lag_at_least,
		.eta_ms = v->eta_ms,
		.since_ms = t->since_ms,
		.owner = one->owner == NULL ? "" : member_text(p, &one->owner->host),
		.client_id = one->owner == NULL ? "" : member_text(p, &one->owner->client_id),
	};
	out->why = why_of(p, one);
	set_offsets(p, out, one);
}

static int by_topic(const void *a, const void *b)
{
	const struct view_partition *x = a;
	const struct view_partition *y = b;
	int order = x->topic == y->topic ? 0 : strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Mostly they are: the store has them in the order in which topics were first seen. */
static bool in_order(const struct picture *p)
{
	for (size_t i = 1; i < p->partition_count; i++)
		if (by_topic(&p->partitions[i - 1], &p->partitions[i]) > 0)
			return false;
	return true;
}

struct view_group *picture_end_group(struct picture *p, bool keep_it)
{
	if (!keep_it)
		return NULL;
	struct view_group *g = &p->groups[p->group_count++];
	if (!in_order(p))
		qsort(p->partitions, p->partition_count, sizeof(*p->partitions), by_topic);
	g->partitions = keep(p->view, p->partitions, p->partition_count * sizeof(*p->partitions));
	g->partition_count = p->partition_count;
	view_sum_group(g);
	return g;
}

/* Groups that are alike share the texts. */
void picture_maintain(struct picture *p, struct view_group *g, const struct rules *rules)
{
	if (rules->maintenance_until_ms <= p->now_ms)
		return;
	if (p->maintained != rules) {
		const char *by = rules->maintenance_by;
		const char *note = rules->maintenance_why;

		p->maintained = rules;
		p->maintenance_by = view_strdup(p->view, by == NULL ? "" : by);
		p->maintenance_note = view_strdup(p->view, note == NULL ? "" : note);
	}
	g->maintenance_until_ms = rules->maintenance_until_ms;
	g->maintenance_by = p->maintenance_by;
	g->maintenance_note = p->maintenance_note;
}

/* --- the end --- */

static int group_by_name(const void *a, const void *b)
{
	return strcmp(((const struct view_group *)a)->name, ((const struct view_group *)b)->name);
}

static int topic_by_name(const void *a, const void *b)
{
	return strcmp(((const struct view_topic *)a)->name, ((const struct view_topic *)b)->name);
}

struct view *picture_finish(struct picture **p)
{
	struct picture *done = *p;
	struct view *v = done->view;

	if (done->group_count > 1)
		qsort(done->groups, done->group_count, sizeof(*done->groups), group_by_name);
	if (done->topic_count > 1)
		qsort(done->topics, done->topic_count, sizeof(*done->topics), topic_by_name);
	v->groups = keep(v, done->groups, done->group_count * sizeof(*done->groups));
	v->group_count = done->group_count;
	v->topics = keep(v, done->topics, done->topic_count * sizeof(*done->topics));
	v->topic_count = done->topic_count;
	free(done->topics);
	free(done->texts);
	free(done->groups);
	free(done->partitions);
	free(done->ends);
	free(done->starts);
	free(done->stables);
	free(done->rates);
	free(done);
	*p = NULL;
	return v;
}
