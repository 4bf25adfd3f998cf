/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/table_priv.h"
#include "common/err.h"
#include "common/mem.h"

void table_admin_begin(struct table *t)
{
	for (uint32_t n = 0; n < t->names.count; n++) {
		t->groups[n].seen = false;
		t->groups[n].answered = false;
	}
	for (uint32_t i = 0; i < t->commits.count; i++)
		commit_clear(commits_at(&t->commits, i), COMMIT_SEEN);
}

bool table_admin_listed(struct table *t, const char *name)
{
	uint32_t n = table_group(t, name, strlen(name));
	if (n == NAMES_NONE)
		return false;
	t->groups[n].seen = true;
	return true;
}

static void admin_commit(struct table *t, uint32_t group, const struct kafka_group_offset *o,
			 int64_t at_ms)
{
	uint32_t topic = topics_intern(&t->topics, o->topic, strlen(o->topic));
	if (topic == NAMES_NONE || o->offset < 0 || t->topics.items[topic].hidden)
		return;
	struct commit *e = table_live_commit(t, group, topic, o->partition);
	if (e == NULL)
		return;
	e->flags |= COMMIT_SEEN;
	if (e->offset == o->offset && e->arrival_ms >= 0)
		return;
	e->flags |= COMMIT_UNSENT | COMMIT_UNSAVED;
	e->offset = o->offset;
	e->time_ms = WIRE_UNKNOWN;
	e->arrival_ms = at_ms;
}

static void admin_state(struct group *g, uint8_t protocol, int state)
{
	if (g->protocol == protocol && g->state == state)
		return;
	g->protocol = protocol;
	g->state = (uint8_t)state;
	table_changed(g);
}

void table_admin_group(struct table *t, const struct kafka_group *k, int64_t at_ms)
{
	uint32_t n = table_group(t, k->name, strlen(k->name));
	if (n == NAMES_NONE)
		return;

	t->groups[n].seen = true;
	admin_state(&t->groups[n], k->simple ? WIRE_PROTOCOL_NONE : WIRE_PROTOCOL_UNKNOWN,
		    k->state);
	if (k->err != ERR_OK)
		return;
	t->groups[n].answered = true;
	for (size_t i = 0; i < k->offset_count; i++)
		admin_commit(t, n, &k->offsets[i], at_ms);
}

static struct record_str str_of(const char *s)
{
	return (struct record_str){.data = s, .size = (uint32_t)strlen(s)};
}

static void admin_member(struct members *m, const struct kafka_member *k)
{
	CLEANUP(mem_free)
	struct record_assigned *assigned = mem_zeroed(k->assigned_count, sizeof(*assigned));
	struct record_member one = {.id = str_of(k->id),
				    .client_id = str_of(k->client_id),
				    .host = str_of(k->host),
				    .assigned = assigned,
				    .assigned_count = k->assigned_count};

	for (size_t i = 0; i < k->assigned_count; i++)
		assigned[i] = (struct record_assigned){.topic = str_of(k->assigned[i].topic),
						       .partitions = &k->assigned[i].partition,
						       .count = 1};
	members_set_about(m, &one);
	members_set_assigned(m, &one);
}

static bool members_same(const struct members *a, const struct members *b)
{
	CLEANUP(buf_free) struct buf x = {0};
	CLEANUP(buf_free) struct buf y = {0};

	members_pack(a, &x);
	members_pack(b, &y);
	return x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
}

void table_admin_members(struct table *t, const struct kafka_description *d)
{
	/* A listed group that is described as dead is of a protocol the request does not know
	 * (KIP-848): its members are not known, which is not the same as none. */
	if (d->state == WIRE_GROUP_DEAD)
		return;
	uint32_t n = table_group(t, d->group, strlen(d->group));
	if (n == NAMES_NONE)
		return;

	struct group *g = &t->groups[n];
	struct members now = {0};
	for (size_t i = 0; i < d->member_count; i++)
		admin_member(&now, &d->members[i]);
	admin_state(g, g->protocol, d->state);
	if (members_same(&now, &g->members)) {
		members_free(&now);
		return;
	}
	members_free(&g->members);
	g->members = now;
	table_changed(g);
}

void table_admin_end(struct table *t, bool partial)
{
	for (uint32_t i = 0; i < t->commits.count; i++) {
		struct commit *e = commits_at(&t->commits, i);
		const struct group *g = &t->groups[e->group];
		bool missed = g->seen ? g->answered && !(e->flags & COMMIT_SEEN) : !partial;
		if (missed)
			table_kill_commit(t, e);
	}
	for (uint32_t n = 0; n < t->names.count && !partial; n++) {
		struct group *g = &t->groups[n];
		if (names_text(&t->names, n) == NULL || g->hidden || g->seen || g->gone)
			continue;
		table_reset_group(g);
		table_end_if_empty(g);
	}
}
