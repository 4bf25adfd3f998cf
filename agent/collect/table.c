/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/table.h"

#include "agent/collect/table_priv.h"
#include "common/err.h"
#include "common/glob.h"
#include "common/mem.h"

/* Times beyond the year 30000 are no times. */
#define TIME_MAX_MS 1000000000000000

void table_init(struct table *t, const struct agent_filter *groups,
		const struct agent_filter *topics)
{
	*t = (struct table){.rules = groups};
	topics_init(&t->topics, topics);
}

void table_free(struct table *t)
{
	for (uint32_t n = 0; n < t->names.count; n++)
		members_free(&t->groups[n].members);
	free(t->groups);
	names_free(&t->names);
	topics_free(&t->topics);
	commits_free(&t->commits);
	*t = (struct table){0};
}

/* --- groups --- */

static bool name_ok(const char *name, size_t size)
{
	return size > 0 && size <= WIRE_NAME_MAX && memchr(name, '\0', size) == NULL;
}

static struct group *fill(struct table *t, uint32_t n)
{
	const struct agent_filter *f = t->rules;
	bool allowed = f == NULL || glob_allowed(f->allow.items, f->allow.count, f->deny.items,
						 f->deny.count, names_text(&t->names, n));

	t->groups = mem_reach(t->groups, &t->group_cap, n, sizeof(*t->groups));
	t->groups[n] = (struct group){.protocol = WIRE_PROTOCOL_NONE,
				      .state = WIRE_GROUP_EMPTY,
				      .generation = -1,
				      .hidden = !allowed,
				      .unsent = allowed,
				      .unsaved = allowed};
	return &t->groups[n];
}

void table_changed(struct group *g)
{
	g->gone = false;
	g->unsent = true;
	g->unsaved = true;
}

uint32_t table_group(struct table *t, const char *name, size_t size)
{
	if (!name_ok(name, size)) {
		t->skipped++;
		return NAMES_NONE;
	}
	uint32_t n = names_find(&t->names, name, size);
	if (n == NAMES_NONE) {
		n = names_add(&t->names, name, size);
		fill(t, n);
	}
	if (t->groups[n].hidden)
		return NAMES_NONE;
	if (t->groups[n].gone)
		table_changed(&t->groups[n]);
	return n;
}

void table_end_if_empty(struct group *g)
{
	if (g->protocol == WIRE_PROTOCOL_NONE && g->commits == 0) {
		table_changed(g);
		g->gone = true;
	}
}

void table_reset_group(struct group *g)
{
	members_free(&g->members);
	g->protocol = WIRE_PROTOCOL_NONE;
	g->state = WIRE_GROUP_EMPTY;
	g->generation = -1;
	table_changed(g);
}

/* --- commits --- */

void table_kill_commit(struct table *t, struct commit *e)
{
	if (!(e->flags & COMMIT_ALIVE))
		return;
	commit_clear(e, COMMIT_ALIVE);
	e->flags |= COMMIT_UNSENT | COMMIT_UNSAVED;
	t->groups[e->group].commits--;
	table_end_if_empty(&t->groups[e->group]);
}

struct commit *table_live_commit(struct table *t, uint32_t group, uint32_t topic, int32_t partition)
{
	struct commit *e = NULL;

	if (partition >= 0 && partition <= WIRE_PARTITION_MAX)
		e = commits_add(&t->commits, group, topic, (uint32_t)partition);
	if (e == NULL) {
		t->skipped++;
		table_end_if_empty(&t->groups[group]);
		return NULL;
	}
	if (e->flags == 0)
		t->topics.items[topic].commits++;
	if (!(e->flags & COMMIT_ALIVE))
		t->groups[group].commits++;
	e->flags |= COMMIT_ALIVE;
	return e;
}

static void apply_commit(struct table *t, const struct record *r, int64_t arrival_ms)
{
	uint32_t topic = topics_intern(&t->topics, r->topic.data, r->topic.size);
	if (topic == NAMES_NONE || r->offset < 0) {
		t->skipped++;
		return;
	}
	if (r->has_topic_id)
		topics_set_id(&t->topics, topic, r->topic_id);
	if (t->topics.items[topic].hidden)
		return;
	uint32_t group = table_group(t, r->group.data, r->group.size);
	if (group == NAMES_NONE)
		return;
	struct commit *e = table_live_commit(t, group, topic, r->partition);
	if (e == NULL)
		return;

	e->flags |= COMMIT_UNSENT | COMMIT_UNSAVED;
	e->offset = r->offset;
	e->time_ms = r->time_ms < 0 || r->time_ms > TIME_MAX_MS ? WIRE_UNKNOWN : r->time_ms;
	e->arrival_ms = arrival_ms;
	e->epoch = r->leader_epoch;
}

/* Names are not added for what is gone. */
static uint32_t known_group(const struct table *t, const struct record *r)
{
	if (!name_ok(r->group.data, r->group.size))
		return NAMES_NONE;
	return names_find(&t->names, r->group.data, r->group.size);
}

static void apply_commit_gone(struct table *t, const struct record *r)
{
	uint32_t group = known_group(t, r);
	if (group == NAMES_NONE || r->topic.size == 0 || r->partition < 0 ||
	    r->partition > WIRE_PARTITION_MAX)
		return;
	uint32_t topic = names_find(&t->topics.names, r->topic.data, r->topic.size);
	if (topic == NAMES_NONE)
		return;
	struct commit *e = commits_find(&t->commits, group, topic, (uint32_t)r->partition);
	if (e != NULL)
		table_kill_commit(t, e);
}

/* --- members --- */

static uint8_t protocol_of(const struct record *r)
{
	static const uint8_t PROTOCOLS[] = {
		[RECORD_CLASSIC] = WIRE_PROTOCOL_CLASSIC,
		[RECORD_CONSUMER] = WIRE_PROTOCOL_CONSUMER,
		[RECORD_SHARE] = WIRE_PROTOCOL_SHARE,
		[RECORD_STREAMS] = WIRE_PROTOCOL_STREAMS,
	};
	return PROTOCOLS[r->protocol];
}

static void apply_group_gone(struct table *t, const struct record *r)
{
	uint32_t n = known_group(t, r);
	if (n == NAMES_NONE)
		return;
	if (t->groups[n].hidden) {
		names_remove(&t->names, n);
		return;
	}
	/* A group that has moved to another protocol is not touched by the end of the old one. */
	if (t->groups[n].gone || t->groups[n].protocol != protocol_of(r))
		return;
	table_reset_group(&t->groups[n]);
	table_end_if_empty(&t->groups[n]);
}

static void apply_members(struct group *g, const struct record *r)
{
	switch (r->kind) {
	case RECORD_GROUP:
		members_replace(&g->members, r->members, r->member_count);
		g->generation = MAX(r->generation, WIRE_UNKNOWN);
		break;
	case RECORD_EPOCH:
		g->generation = MAX(r->generation, WIRE_UNKNOWN);
		break;
	case RECORD_MEMBER:
		members_set_about(&g->members, &r->members[0]);
		break;
	case RECORD_MEMBER_GONE:
		members_remove(&g->members, r->members[0].id);
		break;
	case RECORD_ASSIGNMENT:
	case RECORD_ASSIGNMENT_GONE:
		members_set_assigned(&g->members, &r->members[0]);
		break;
	default:
		return;
	}
	g->state = g->members.count > 0 ? WIRE_GROUP_STABLE : WIRE_GROUP_EMPTY;
	table_changed(g);
}

static void apply_group(struct table *t, const struct record *r)
{
	uint32_t n = table_group(t, r->group.data, r->group.size);
	if (n == NAMES_NONE)
		return;

	struct group *g = &t->groups[n];
	if (g->protocol != protocol_of(r)) {
		table_reset_group(g);
		g->protocol = protocol_of(r);
	}
	apply_members(g, r);
}

/* The end of a member says nothing about a group that is not, or no longer, of its protocol. */
static void apply_member_gone(struct table *t, const struct record *r)
{
	uint32_t n = known_group(t, r);
	if (n != NAMES_NONE && !t->groups[n].hidden && t->groups[n].protocol == protocol_of(r))
		apply_members(&t->groups[n], r);
}

static void apply_topic_ids(struct table *t, const struct record *r)
{
	for (size_t i = 0; i < r->topic_count; i++) {
		const struct record_assigned *a = &r->topics[i];
		uint32_t n = topics_intern(&t->topics, a->topic.data, a->topic.size);
		if (n != NAMES_NONE)
			topics_set_id(&t->topics, n, a->topic_id);
	}
}

void table_apply(struct table *t, const struct record *r, int64_t arrival_ms)
{
	switch (r->kind) {
	case RECORD_COMMIT:
		apply_commit(t, r, arrival_ms);
		break;
	case RECORD_COMMIT_GONE:
		apply_commit_gone(t, r);
		break;
	case RECORD_GROUP_GONE:
		apply_group_gone(t, r);
		break;
	case RECORD_MEMBER_GONE:
	case RECORD_ASSIGNMENT_GONE:
		apply_member_gone(t, r);
		break;
	case RECORD_GROUP:
	case RECORD_EPOCH:
	case RECORD_MEMBER:
	case RECORD_ASSIGNMENT:
		apply_group(t, r);
		break;
	case RECORD_TOPIC_IDS:
		apply_topic_ids(t, r);
		break;
	case RECORD_OTHER:
		break;
	}
}

bool table_has_newer(const struct table *t, const struct record *r)
{
	uint32_t group = known_group(t, r);
	uint32_t topic = r->topic.size == 0
				 ? NAMES_NONE
				 : names_find(&t->topics.names, r->topic.data, r->topic.size);

	if (r->kind != RECORD_COMMIT || group == NAMES_NONE || topic == NAMES_NONE ||
	    r->partition < 0 || r->partition > WIRE_PARTITION_MAX)
		return false;
	const struct commit *e = commits_find(&t->commits, group, topic, (uint32_t)r->partition);
	return e != NULL && (e->flags & COMMIT_ALIVE) && e->time_ms >= r->time_ms;
}

/* --- telling and forgetting --- */

void table_wake_waiting(struct table *t)
{
	if (t->topics.news == t->news_seen)
		return;
	t->news_seen = t->topics.news;
	for (uint32_t n = 0; n < t->names.count; n++) {
		if (t->groups[n].waiting)
			t->groups[n].unsent = true;
	}
}

void table_sent(struct table *t)
{
	for (uint32_t i = 0; i < t->commits.count; i++)
		commit_clear(commits_at(&t->commits, i), COMMIT_UNSENT);
	for (uint32_t n = 0; n < t->names.count; n++)
		t->groups[n].unsent = false;
	for (uint32_t n = 0; n < t->topics.names.count; n++) {
		struct topic *it = &t->topics.items[n];
		it->gone = false;
		for (int32_t p = 0; p < it->log_count; p++)
			it->logs[p].unsent = false;
	}
	t->topics.shrunk = false;
}

static void forget_commits(struct table *t)
{
	for (uint32_t i = t->commits.count; i-- > 0;) {
		struct commit *e = commits_at(&t->commits, i);
		commit_clear(e, COMMIT_UNSAVED);
		if (e->flags & (COMMIT_ALIVE | COMMIT_UNSENT))
			continue;
		t->topics.items[e->topic].commits--;
		commits_remove(&t->commits, i);
	}
}

static void forget_topics(struct table *t)
{
	for (uint32_t n = 0; n < t->topics.names.count; n++) {
		struct topic *it = &t->topics.items[n];
		bool idle =
			names_text(&t->topics.names, n) != NULL && !it->listed && it->commits == 0;
		if (idle && it->forgotten)
			topics_remove(&t->topics, n);
		else
			it->unsaved = idle;
	}
}

void table_saved(struct table *t)
{
	forget_commits(t);
	forget_topics(t);
	for (uint32_t n = 0; n < t->names.count; n++) {
		struct group *g = &t->groups[n];
		g->unsaved = false;
		if (names_text(&t->names, n) == NULL || !g->gone || g->unsent)
			continue;
		members_free(&g->members);
		*g = (struct group){0};
		names_remove(&t->names, n);
	}
}

int table_restore_group(struct table *t, uint32_t n, const char *name, size_t size)
{
	if (!name_ok(name, size) || n > NAMES_MAX || names_text(&t->names, n) != NULL ||
	    names_find(&t->names, name, size) != NAMES_NONE)
		return ERR_MALFORMED;
	names_add_at(&t->names, n, name, size);
	struct group *g = fill(t, n);
	g->unsaved = g->hidden; /* so that what the rules exclude now is deleted */
	return ERR_OK;
}

int table_restore_commit(struct table *t, const struct commit *c)
{
	if (names_text(&t->names, c->group) == NULL ||
	    names_text(&t->topics.names, c->topic) == NULL || c->partition > WIRE_PARTITION_MAX)
		return ERR_MALFORMED;

	struct commit *e = table_live_commit(t, c->group, c->topic, (int32_t)c->partition);
	if (e == NULL)
		return ERR_MALFORMED;
	*e = *c;
	e->flags = COMMIT_ALIVE | COMMIT_UNSENT;
	/* The rules may have become stricter since it was saved. */
	if (t->groups[c->group].hidden || t->topics.items[c->topic].hidden)
		table_kill_commit(t, e);
	return ERR_OK;
}

size_t table_memory(const struct table *t)
{
	size_t total = commits_memory(&t->commits) + t->group_cap * sizeof(*t->groups) +
		       t->topics.cap * sizeof(*t->topics.items);

	for (uint32_t n = 0; n < t->topics.names.count; n++)
		total += (size_t)t->topics.items[n].log_count * sizeof(struct topic_log);
	for (uint32_t n = 0; n < t->names.count; n++) {
		const struct members *m = &t->groups[n].members;
		for (uint32_t i = 0; i < m->count; i++)
			total += sizeof(struct member *) + m->items[i]->about_size +
				 m->items[i]->assigned_size;
	}
	return total;
}
