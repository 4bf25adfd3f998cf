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
