/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/recall.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/members.h"
#include "common/err.h"

/* --- partitions --- */

struct walk {
	struct store_txn txn;
	const struct story_group *g;
	const struct story_filter *filter;
	const struct rules_set *set;
	story_on_partition *emit;
	void *arg;
	struct cluster_track cluster;
	struct group_track group;
	bool has_group;
	struct members members;
	uint32_t topic_id; /* of the text below */
	char topic[STORE_NAME_MAX];
};

static const char *topic_text(struct walk *w, uint32_t id)
{
	if (id != w->topic_id)
		store_get_name(&w->txn, id, w->topic);
	w->topic_id = id;
	return w->topic;
}

static bool wanted(struct walk *w, const struct store_commit_key *k)
{
	const struct story_filter *f = w->filter;

	if (f->topic == NULL)
		return true;
	return strcmp(topic_text(w, k->topic), f->topic) == 0 &&
	       (f->partition < 0 || f->partition == k->partition);
}

/* A copy that ends with a NUL; freed by the caller. */
static char *copy_name(const struct members_name *n)
{
	char *text = strndup(n->data, n->size);

	if (text == NULL)
		abort();
	return text;
}

static void emit_partition(struct walk *w, const struct store_commit_key *k,
			   struct story_partition *p)
{
	const struct members_owned place = {k->topic, k->partition, 0};
	const struct members_owned *owned = members_find(&w->members, &place);
	const struct members_one none = {{"", 0}, {"", 0}, {"", 0}};
	const struct members_one *m = owned == NULL ? &none : &w->members.list[owned->member];
	char *member = copy_name(&m->id);
	char *client = copy_name(&m->client_id);
	char *host = copy_name(&m->host);

	p->member = member;
	p->client = client;
	p->host = host;
	w->emit(w->arg, p);
	free(member);
	free(client);
	free(host);
}

static void take(struct walk *w, const struct store_commit_key *k, const struct commit_track *t,
		 bool bad)
{
	const struct rules_place place = {
		.environment = w->g->environment,
		.cluster = w->g->cluster,
		.group = w->g->name,
		.topic = topic_text(w, k->topic),
		.partition = k->partition,
	};
	struct log_track log;
	struct rules_found found;
	struct verdict v;

	rules_resolve(w->set, &place, &found);
	bool has_log = store_get_log(
		&w->txn, (struct store_log_key){k->cluster, k->topic, k->partition}, &log);
	const struct judge_input in = {
		t,           has_log ? &log : NULL, w->has_group ? &w->group : NULL,
		&w->cluster, &found.rules,          w->cluster.last_ms + w->g->silent_ms};
	judge(&in, &v);
	if (bad != (t->status > STATUS_OK || v.status > STATUS_OK))
		return;
	emit_partition(w, k,
		       &(struct story_partition){
			       .topic = place.topic,
			       .partition = k->partition,
			       .in = &in,
			       .verdict = &v,
			       .set = w->set,
			       .rules = &found,
		       });
}

static void walk_partitions(struct walk *w, bool bad)
{
	struct store_range range = {w->g->cluster_id, w->g->group_id};
	struct store_commit_key k;
	struct commit_track t;

	for (bool first = true; store_next_commit(&w->txn, first, range, &k, &t); first = false)
		if (wanted(w, &k))
			take(w, &k, &t, bad);
}

/* Who is in the group; empty when that is not known. */
static struct members read_members(struct store_txn *t, const struct story_group *g)
{
	struct members m = {0};
	const uint8_t *data = NULL;
	size_t size = 0;

	if (!store_get_members(t, g->cluster_id, g->group_id, &data, &size) ||
	    members_unpack(data, size, &m) != ERR_OK)
		return (struct members){0};
	return m;
}

static int end(struct store_txn *t)
{
	int err = t->err;

	store_abort(t);
	return err;
}

int recall_partitions(struct store *st, const struct story_group *g, const struct rules_set *rules,
		      const struct story_filter *f, story_on_partition *emit, void *arg)
{
	struct walk w = {
		.txn = store_begin(st, false),
		.g = g,
		.filter = f,
		.set = rules,
		.emit = emit,
		.arg = arg,
	};

	(void)store_get_cluster(&w.txn, g->cluster_id, &w.cluster);
	w.has_group = store_get_group(&w.txn, g->cluster_id, g->group_id, &w.group);
	w.members = read_members(&w.txn, g);
	walk_partitions(&w, true);
	if (f->all)
		walk_partitions(&w, false);
	members_free(&w.members);
	return end(&w.txn);
}

/* --- members --- */

static int by_member(const void *a, const void *b)
{
	const struct members_owned *x = a;
	const struct members_owned *y = b;

	if (x->member != y->member)
		return x->member < y->member ? -1 : 1;
	if (x->topic != y->topic)
		return x->topic < y->topic ? -1 : 1;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

/* The places of what one member owns; places that share a topic share its text. */
static struct story_place *name_places(struct store_txn *t, const struct members_owned *owned,
				       size_t count)
{
	struct story_place *places = calloc(count + 1, sizeof(*places));
	char name[STORE_NAME_MAX];

	for (size_t i = 0; places != NULL && i < count; i++) {
		if (i == 0 || owned[i].topic != owned[i - 1].topic) {
			store_get_name(t, owned[i].topic, name);
			places[i].topic = strdup(name);
		} else {
			places[i].topic = places[i - 1].topic;
		}
		places[i].partition = owned[i].partition;
		if (places[i].topic == NULL)
			abort();
	}
	if (places == NULL)
		abort();
	return places;
}

static void free_places(struct story_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (i == 0 || places[i].topic != places[i - 1].topic)
			free((char *)(uintptr_t)places[i].topic);
	free(places);
}

static void emit_member(struct store_txn *t, const struct members_one *m,
			const struct members_owned *owned, size_t count, story_on_member *emit,
			void *arg)
{
	struct story_place *places = name_places(t, owned, count);
	char *id = copy_name(&m->id);
	char *client = copy_name(&m->client_id);
	char *host = copy_name(&m->host);

	emit(arg, &(struct story_member){id, client, host, places, count});
	free_places(places, count);
	free(id);
	free(client);
	free(host);
}

int recall_members(struct store *st, const struct story_group *g, story_on_member *emit, void *arg)
{
	struct store_txn t = store_begin(st, false);
	struct members m = read_members(&t, g);
	size_t from = 0;

	if (m.owned_count > 1)
		qsort(m.owned, m.owned_count, sizeof(*m.owned), by_member);
	for (size_t i = 0; i < m.count; i++) {
		size_t to = from;

		while (to < m.owned_count && m.owned[to].member == i)
			to++;
		emit_member(&t, &m.list[i], m.owned + from, to - from, emit, arg);
		from = to;
	}
	members_free(&m);
	return end(&t);
}

int recall_events(struct store *st, const struct story_group *g, int64_t before_ms, size_t max,
		  past_on_event *emit, void *arg)
{
	struct store_txn t = store_begin(st, false);

	past_each_event(&t, g->cluster_id, g->group_id, before_ms, max, emit, arg);
	return end(&t);
}

/* --- lag over time --- */

struct bins {
	struct store_txn *txn;
	struct past_bin at; /* of the level that is read */
	struct lag_id id;
	int64_t width_ms;
	int64_t hold_ms;        /* a bin without a pass is like the one before for so long */
	int64_t seen_ms;        /* the last bin with a pass */
	struct lag_sample last; /* of it */
	bool of_group;
	const struct history *history; /* of the log; NULL for a group */
	const struct log_track *log;
};

/* The finest level that reaches back to from_ms, or a coarser one that is as fine as the step. */
static unsigned choose_level(bool of_group, int64_t now_ms, int64_t from_ms, int64_t step_ms)
{
	unsigned level = of_group ? 0 : LAG_GROUP_LEVELS;
	unsigned last = of_group ? LAG_GROUP_LEVELS - 1 : LAG_LEVELS - 1;

	while (level < last) {
		struct lag_level l = lag_level(level);
		bool reaches = from_ms >= now_ms - l.width_ms * (int64_t)l.bins;

		if (reaches && lag_level(level + 1).width_ms > step_ms)
			break;
		level++;
	}
	return level;
}

/* What is known of a bin; false: there was no pass in it. */
static bool read_bin(struct bins *b, int64_t at_ms, struct lag_sample *ret_s)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	b->at.bin = lag_bin(b->at.level, at_ms);
	if (past_find_lag(b->txn, b->at, &b->id, &data, &size)) {
		b->last = lag_find(b->at.level, data, size, &b->id);
		b->seen_ms = at_ms;
	} else if (b->seen_ms == 0 || at_ms - b->seen_ms > b->hold_ms) {
		return false;
	}
	*ret_s = b->last;
	return true;
}

/* The log end at a bin's first pass, and with the lag then the committed offset. */
static void add_offsets(const struct bins *b, int64_t at_ms, struct story_lag *l)
{
	unsigned level = b->at.level - LAG_GROUP_LEVELS + 1; /* of history, as wide */

	if (b->log == NULL || !history_end(b->history, level, at_ms, &l->end))
		return;
	if (l->lag >= 0)
		l->committed = MAX(l->end - l->lag, (int64_t)0);
}

static void add_bin(const struct bins *b, int64_t at_ms, const struct lag_sample *s,
		    struct story_lag *l)
{
	int64_t lag = lag_decode(s->lag);

	if (!l->seen || lag >= l->lag) {
		l->lag = lag;
		if (!b->of_group)
			add_offsets(b, at_ms, l);
	}
	l->seen = true;
	if (!b->of_group)
		return;
	int64_t time_lag_ms = lag_decode(s->time);
	if (time_lag_ms >= l->time_lag_ms)
		l->at_least = s->at_least;
	l->time_lag_ms = MAX(l->time_lag_ms, time_lag_ms);
	l->max = MAX(l->max, lag_decode(s->max));
	l->status = MAX(l->status, (enum status)s->status);
}

static void emit_steps(struct bins *b, const struct story_span *span, int64_t step_ms,
		       story_on_lag *emit, void *arg)
{
	for (int64_t at_ms = span->from_ms / step_ms * step_ms; at_ms <= span->to_ms;
	     at_ms += step_ms) {
		struct story_lag l = {.at_ms = at_ms,
				      .lag = TRACK_UNKNOWN,
				      .max = TRACK_UNKNOWN,
				      .time_lag_ms = TRACK_UNKNOWN,
				      .status = STATUS_OK,
				      .end = TRACK_UNKNOWN,
				      .committed = TRACK_UNKNOWN};
		struct lag_sample s;

		for (int64_t bin_ms = at_ms; bin_ms < at_ms + step_ms && bin_ms <= span->to_ms;
		     bin_ms += b->width_ms)
			if (read_bin(b, bin_ms, &s))
				add_bin(b, bin_ms, &s, &l);
		emit(arg, &l);
	}
}

/* When the group or partition was first seen; 0: it is not known. */
static int64_t first_seen_ms(struct store_txn *t, const struct story_group *g,
			     const struct story_span *span)
{
	struct past_standing standing;
	struct commit_track commit;

	if (span->topic_id == 0)
		return past_get_standing(t, g->cluster_id, g->group_id, &standing)
			       ? standing.first_ms
			       : 0;
	return store_get_commit(t,
				(struct store_commit_key){g->cluster_id, g->group_id,
							  span->topic_id, span->partition},
				&commit)
		       ? commit.first_seen_ms
		       : 0;
}

int recall_lag(struct store *st, const struct story_group *g, const struct story_span *span,
	       story_on_lag *emit, void *arg, int64_t *ret_step)
{
	struct store_txn t = store_begin(st, false);
	struct store_log_key k = {g->cluster_id, span->topic_id, span->partition};
	struct cluster_track cluster = {0};
	struct history history;
	struct log_track log;
	bool of_group = span->topic_id == 0;
	bool has_log = !of_group && store_get_log(&t, k, &log);

	if (has_log)
		store_get_history(&t, k, &history);
	(void)store_get_cluster(&t, g->cluster_id, &cluster);
	unsigned level = choose_level(of_group, cluster.last_ms, span->from_ms, span->step_ms);
	struct bins b = {
		.txn = &t,
		.at = {g->cluster_id, level, 0},
		.id = {g->group_id, span->topic_id, of_group ? 0 : span->partition},
		.width_ms = lag_level(level).width_ms,
		.of_group = of_group,
		.history = &history,
		.log = has_log ? &log : NULL,
	};
	int64_t steps = (span->step_ms + b.width_ms - 1) / b.width_ms;
	struct story_span seen = *span;
	int64_t first_ms = first_seen_ms(&t, g, span);

	b.hold_ms = 2 * (int64_t)cluster.interval_ms + b.width_ms;
	seen.from_ms = MAX(span->from_ms, first_ms / b.width_ms * b.width_ms);
	seen.from_ms =
		MAX(seen.from_ms, cluster.last_ms - b.width_ms * (int64_t)lag_level(level).bins);
	seen.to_ms = MIN(span->to_ms, cluster.last_ms);
	*ret_step = MAX(steps, (int64_t)1) * b.width_ms;
	if (first_ms != 0)
		emit_steps(&b, &seen, *ret_step, emit, arg);
	return end(&t);
}
