/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who keeps alerts of its own, and calls people until somebody takes them, is told when somebody
 * has done so here. Each thread is one such alert: it is acknowledged when all that lasts of it is.
 * This is told at once, and outside of the route's hours too, as it makes nobody work.
 */

#include <stdlib.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/notify_priv.h"

static unsigned flag_of(enum slot slot)
{
	return (unsigned)MEMBER_ACKNOWLEDGEMENT_TOLD << slot;
}

/* Part of an alert that the slot's receiver has. */
static bool lasts_in(const struct member *m, enum slot slot)
{
	return m->row.told[slot] != 0 && !notify_is_over(m) && !m->held &&
	       !notify_has(m, MEMBER_SILENCED);
}

static bool is_news(const struct member *m, enum slot slot)
{
	return lasts_in(m, slot) && notify_has(m, MEMBER_ACKNOWLEDGED) &&
	       (m->row.flags & flag_of(slot)) == 0 && notify_is_keyed(m->group->route, slot);
}

bool notify_has_acknowledgement(const struct member *m)
{
	for (enum slot slot = SLOT_MAIN; slot < SLOTS; slot++) {
		if (is_news(m, slot))
			return true;
	}
	return false;
}

/* All that lasts of a thread in one group. False: somebody has to see to some of it yet. */
static bool gather_group(const struct group *g, enum slot slot, uint64_t thread,
			 struct notify_list *list)
{
	for (struct member *m = g->members; m != NULL; m = m->next) {
		if (m->row.told[slot] != thread || !lasts_in(m, slot))
			continue;
		if (!notify_has(m, MEMBER_ACKNOWLEDGED))
			return false;
		notify_list_add(list, m);
	}
	return true;
}

/* Of all groups of the route; nothing when somebody has to see to some of it yet. */
static void gather(const struct notify *n, const struct route *r, enum slot slot, uint64_t thread,
		   struct notify_list *ret_list)
{
	for (const struct group *g = n->groups; g != NULL; g = g->hh.next) {
		if (g->route == r && !gather_group(g, slot, thread, ret_list)) {
			ret_list->count = 0;
			return;
		}
	}
}

static void tell(struct notify *n, const struct group *g, enum slot slot, uint64_t thread)
{
	struct notify_list list = {0};
	struct notify_letter letter = {.route = g->route,
				       .slot = slot,
				       .kind = MESSAGE_UPDATE,
				       .thread = thread,
				       .by = g->by};

	gather(n, g->route, slot, thread, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct member *m = list.items[i];

		if ((m->row.flags & flag_of(slot)) == 0)
			letter.salt += hash_u64(m->row.id, m->row.version);
		m->row.flags = (uint8_t)(m->row.flags | flag_of(slot));
		notify_save_member(n, m, NULL);
	}
	/* That nothing is left to see to is what it says, and it says so of a whole list only. */
	list.count = MIN(list.count, (size_t)MESSAGE_INCIDENTS_MAX);
	notify_send(n, &letter, &list);
	notify_list_free(&list);
}

static void acknowledge(struct notify *n, const struct route *r, enum slot slot)
{
	uint64_t waits = 0; /* a thread that was looked at, and has to wait */

	for (const struct group *g = n->groups; g != NULL; g = g->hh.next) {
		for (const struct member *m = g->route == r ? g->members : NULL; m != NULL;
		     m = m->next) {
			if (!is_news(m, slot) || m->row.told[slot] == waits)
				continue;
			waits = m->row.told[slot];
			tell(n, g, slot, waits);
		}
	}
}

void notify_acknowledge(struct notify *n, struct lane *l)
{
	for (enum slot slot = SLOT_MAIN; slot < SLOTS; slot++) {
		if (notify_is_keyed(l->route, slot))
			acknowledge(n, l->route, slot);
	}
}
