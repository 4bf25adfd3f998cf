/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/changes.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/mem.h"

/* A cluster whose last pass came so long before the newest of all is not waited for. */
#define SILENT_MS 60000

/* A group as it was at the last look. */
struct was {
	uint32_t id;
	enum status status;
	char *name;
};

struct cluster {
	struct cluster *next;
	uint32_t id;
	uint64_t serial;
	bool on_board;       /* at this look */
	bool awaited;        /* it is known, and has not been on the board yet */
	int64_t as_of_ms;    /* at the last look; the agent's clock */
	int64_t received_ms; /* this machine's */
	char *environment, *name;
	struct was *groups; /* by id */
	size_t group_count;
};

struct found {
	struct found *next;
	const char *event;
	uint32_t cluster_id;
	char *environment, *cluster, *group, *data;
	int64_t at_ms;
};

struct changes {
	struct cluster *clusters;
	struct found *first, **last;
};

struct changes *changes_new(void)
{
	struct changes *c = mem_zeroed(1, sizeof(*c));

	c->last = &c->first;
	return c;
}

static void free_groups(struct was *groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(groups[i].name);
	free(groups);
}

static void free_cluster(struct cluster *one)
{
	free_groups(one->groups, one->group_count);
	free(one->environment);
	free(one->name);
	free(one);
}

static void on_nothing(void *arg, const struct change *change)
{
	(void)arg;
	(void)change;
}

void changes_free(struct changes **c)
{
	struct changes *gone = *c;

	*c = NULL;
	if (gone == NULL)
		return;
	changes_each(gone, on_nothing, NULL);
	while (gone->clusters != NULL) {
		struct cluster *one = gone->clusters;

		gone->clusters = one->next;
		free_cluster(one);
	}
	free(gone);
}

/* --- what is said --- */

/* Takes data over. */
static void say(struct changes *c, const char *event, const struct cluster *one, const char *group,
		struct buf *data)
{
	struct found *f = mem_zeroed(1, sizeof(*f));

	if (data->err != ERR_OK)
		abort();
	f->event = event;
	f->cluster_id = one->id;
	f->at_ms = one->as_of_ms;
	f->environment = mem_copy(one->environment);
	f->cluster = mem_copy(one->name);
	f->group = mem_copy(group);
	f->data = mem_copy(buf_str(data));
	buf_free(data);
	*c->last = f;
	c->last = &f->next;
}

static struct json begin(struct buf *data, const char *environment, const char *cluster)
{
	struct json j = {.out = data};

	json_begin_object(&j);
	json_key(&j, "environment");
	json_str(&j, environment);
	json_key(&j, "cluster");
	json_str(&j, cluster);
	return j;
}

static void put_known(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	if (v == VIEW_UNKNOWN)
		json_null(j);
	else
		json_int(j, v);
}

static void say_pass(struct changes *c, const struct cluster *one, const struct view *v)
{
	struct buf data = {0};
	struct json j = begin(&data, one->environment, one->name);
	size_t counts[3] = {0};

	for (size_t i = 0; i < v->group_count; i++) {
		enum status s = v->groups[i].status;

		counts[s <= STATUS_OK ? 0 : s == STATUS_WARN ? 1 : 2]++;
	}
	put_known(&j, "as_of_ms", v->as_of_ms);
	json_key(&j, "groups");
	json_begin_object(&j);
	json_key(&j, "ok");
	json_uint(&j, counts[0]);
	json_key(&j, "warn");
	json_uint(&j, counts[1]);
	json_key(&j, "err");
	json_uint(&j, counts[2]);
	json_end_object(&j);
	json_end_object(&j);
	say(c, "pass", one, "", &data);
}

void changes_put_status(struct buf *out, const struct change_status *s)
{
	struct json j = begin(out, s->environment, s->cluster);

	json_key(&j, "group");
	json_str(&j, s->group);
	json_key(&j, "from");
	json_str(&j, status_str(s->from));
	json_key(&j, "to");
	json_str(&j, status_str(s->to));
	json_key(&j, "reason");
	json_str(&j, s->reason);
	json_key(&j, "sentence");
	json_str(&j, s->sentence);
	put_known(&j, "lag", s->lag);
	put_known(&j, "time_lag_ms", s->time_lag_ms);
	put_known(&j, "as_of_ms", s->as_of_ms);
	json_end_object(&j);
}

/* g is NULL when the group is no more. */
static void say_status(struct changes *c, const struct cluster *one, const char *group,
		       enum status from, const struct view_group *g)
{
	struct buf data = {0};
	struct buf sentence = {0};
	struct change_status s = {.environment = one->environment,
				  .cluster = one->name,
				  .group = group,
				  .from = from,
				  .to = STATUS_NOTFOUND,
				  .reason = "gone",
				  .sentence = "the group is no more",
				  .lag = VIEW_UNKNOWN,
				  .time_lag_ms = VIEW_UNKNOWN,
				  .as_of_ms = one->as_of_ms};

	if (g != NULL) {
		view_explain_group(g, &sentence);
		s.to = g->status;
		s.reason = reason_str(g->reason);
		s.sentence = buf_str(&sentence);
		s.lag = (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX);
		s.time_lag_ms = g->time_lag_ms;
	}
	changes_put_status(&data, &s);
	buf_free(&sentence);
	say(c, "status", one, group, &data);
}

/* --- comparing --- */

static int by_id(const void *a, const void *b)
{
	const struct view_group *const *x = a;
	const struct view_group *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static const struct view_group **groups_by_id(const struct view *v)
{
	const struct view_group **groups =
		mem_zeroed(v->group_count + 1, sizeof(*groups)); /* NOLINT: of one pointer */

	for (size_t i = 0; i < v->group_count; i++)
		groups[i] = &v->groups[i];
	qsort(groups, v->group_count, sizeof(*groups), by_id); /* NOLINT: likewise */
	return groups;
}

/* Both are sorted: one walk along the two. */
static void compare(struct changes *c, struct cluster *one, const struct view *v, bool known)
{
	const struct view_group **groups = groups_by_id(v);
	struct was *now = mem_zeroed(v->group_count + 1, sizeof(*now));
	struct was *old = one->groups;
	const struct was *end = old + one->group_count;

	for (size_t i = 0; i < v->group_count; i++) {
		for (; old < end && old->id < groups[i]->id; old++)
			say_status(c, one, old->name, old->status, NULL);
		bool same = old < end && old->id == groups[i]->id;
		enum status from = same ? old->status : STATUS_NOTFOUND;

		now[i] = (struct was){groups[i]->id, groups[i]->status,
				      same ? old->name : mem_copy(groups[i]->name)};
		if (same)
			old++->name = NULL;
		if (known && from != now[i].status)
			say_status(c, one, now[i].name, from, groups[i]);
	}
	for (; old < end; old++)
		say_status(c, one, old->name, old->status, NULL);
	free_groups(one->groups, one->group_count);
	free(groups);
	one->groups = now;
	one->group_count = v->group_count;
}

static struct cluster *cluster_of(struct changes *c, const struct view *v, bool *ret_known)
{
	struct cluster *one = c->clusters;

	while (one != NULL && one->id != v->cluster_id)
		one = one->next;
	*ret_known = one != NULL;
	if (one != NULL)
		return one;
	one = mem_zeroed(1, sizeof(*one));
	one->id = v->cluster_id;
	one->environment = mem_copy(v->environment);
	one->name = mem_copy(v->cluster);
	one->next = c->clusters;
	c->clusters = one;
	return one;
}

/* What may be said of it from now on. */
static void note(struct cluster *one, const struct view *v)
{
	one->serial = v->serial;
	one->as_of_ms = v->as_of_ms;
	one->received_ms = v->received_ms;
}

static void look_at(struct changes *c, const struct view *v)
{
	bool known = false;
	struct cluster *one = cluster_of(c, v, &known);

	one->on_board = true;
	one->awaited = false;
	if (one->serial == v->serial)
		return;
	note(one, v);
	compare(c, one, v, known);
	say_pass(c, one, v);
}

static void forget_gone(struct changes *c)
{
	struct cluster **at = &c->clusters;

	while (*at != NULL) {
		struct cluster *one = *at;

		if (one->on_board || one->awaited) {
			one->on_board = false;
			at = &one->next;
		} else {
			*at = one->next;
			free_cluster(one);
		}
	}
}

void changes_know(struct changes *c, const struct view *v)
{
	bool known = false;
	struct cluster *one = cluster_of(c, v, &known);

	one->awaited = true;
	note(one, v);
	compare(c, one, v, false);
}

void changes_look(struct changes *c, struct board *board)
{
	struct view **views = NULL;
	size_t count = board_all(board, &views);

	for (size_t i = 0; i < count; i++) {
		look_at(c, views[i]);
		view_unref(&views[i]);
	}
	free(views);
	forget_gone(c);
}

int64_t changes_told_ms(const struct changes *c)
{
	int64_t newest_ms = 0;
	int64_t told_ms = INT64_MAX;

	for (const struct cluster *one = c->clusters; one != NULL; one = one->next)
		newest_ms = MAX(newest_ms, one->received_ms);
	for (const struct cluster *one = c->clusters; one != NULL; one = one->next)
		if (one->as_of_ms != 0 && one->received_ms >= newest_ms - SILENT_MS)
			told_ms = MIN(told_ms, one->as_of_ms);
	return told_ms == INT64_MAX ? 0 : told_ms;
}

void changes_each(struct changes *c, void (*on_change)(void *arg, const struct change *change),
		  void *arg)
{
	while (c->first != NULL) {
		struct found *f = c->first;

		on_change(arg, &(struct change){f->event, f->cluster_id, f->environment, f->cluster,
						f->group, f->data, f->at_ms});
		c->first = f->next;
		free(f->environment);
		free(f->cluster);
		free(f->group);
		free(f->data);
		free(f);
	}
	c->last = &c->first;
}
