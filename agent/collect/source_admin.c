/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/source_admin.h"

#include "common/err.h"
#include "common/mem.h"

/* Members change seldom, and asking for them costs as much as asking for the offsets. */
#define MEMBERS_EVERY 3

static bool wanted(void *arg, const char *group)
{
	struct source_admin *a = arg;
	return table_admin_listed(a->table, group);
}

static void take_group(void *arg, const struct kafka_group *g)
{
	struct source_admin *a = arg;
	table_admin_group(a->table, g, a->at_ms);
}

static void take_members(void *arg, const struct kafka_description *d)
{
	struct source_admin *a = arg;
	table_admin_members(a->table, d);
}

/* That members could not be told is no reason to withhold a pass: they are as before. */
static void ask_members(struct source_admin *a, int timeout_ms)
{
	const struct table *t = a->table;
	CLEANUP(mem_free) const char **groups = mem_resize(NULL, t->names.count, sizeof(*groups));
	size_t count = 0;

	for (uint32_t n = 0; n < t->names.count; n++) {
		const struct group *g = &t->groups[n];
		if (names_text(&t->names, n) != NULL && g->seen &&
		    g->protocol != WIRE_PROTOCOL_NONE)
			groups[count++] = names_text(&t->names, n);
	}
	if (count == 0)
		return;
	int err = kafka_describe(a->kafka, groups, count, timeout_ms, take_members, a);
	(void)err;
}

int source_admin_take(struct source_admin *a, int64_t at_ms, int timeout_ms)
{
	bool members = a->passes % MEMBERS_EVERY == 0;
	int part_ms = members ? timeout_ms / 2 : timeout_ms;

	a->at_ms = at_ms;
	table_admin_begin(a->table);
	int err = kafka_groups(a->kafka, part_ms, wanted, take_group, a, &a->failed, &a->partial);
	if (err != ERR_OK)
		return err;
	table_admin_end(a->table, a->partial);
	if (members)
		ask_members(a, part_ms);
	a->passes++;
	return ERR_OK;
}
