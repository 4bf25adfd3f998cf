/* SPDX-License-Identifier: Apache-2.0 */

/* What goes beyond one group of a route: storms, escalations, and the ends of both. */

#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/notify_priv.h"
#include "common/err.h"
#include "common/log.h"

/* --- storms --- */

bool notify_take_turn(struct notify *n, const struct route *r, enum slot slot)
{
	struct lane *l = notify_lane(n, r);

	if (r->storm_limit == 0 || notify_is_keyed(r, slot))
		return true;
	if (l->row.storm)
		return false;
	if (l->row.start_ms == 0 || n->now_ms - l->row.start_ms >= r->storm_span_ms ||
	    n->now_ms < l->row.start_ms) {
		l->row.start_ms = n->now_ms;
		l->row.count = 0;
	}
	if (l->row.count < r->storm_limit) {
		l->row.count++;
	} else {
		l->row.storm = 1;
		l->row.storm_ms = n->now_ms;
		l->row.next_ms = l->row.start_ms + r->storm_span_ms;
		log_warn("storm of alerts", "route=%s receiver=%s messages=%lld",
			 log_quote(r->config->name), log_quote(r->receiver->name),
			 (long long)r->storm_limit);
	}
	notify_save_lane(n, l);
	return !l->row.storm;
}

/* --- threads of the route --- */

static uint64_t lane_thread(const struct lane *l, enum slot slot, uint64_t salt)
{
	return hash_u64(hash_u64(l->row.route, slot + 1), salt);
}

static void put_route(const struct route *r, struct buf *out)
{
	buf_printf(out, "route=%s", r->config->name);
	if (out->err != ERR_OK)
		abort();
}

static void send_beyond(struct notify *n, const struct lane *l, enum slot slot,
			enum message_kind kind, uint64_t thread, struct notify_list *list)
{
	CLEANUP(buf_free) struct buf by = {0};

	put_route(l->route, &by);
	const struct notify_letter letter = {.route = l->route,
					     .slot = slot,
					     .kind = kind,
					     .thread = thread,
					     .salt = notify_salt(list, kind, l->row.count),
					     .by = buf_str(&by)};

	notify_send(n, &letter, list);
	notify_told(n, list, slot, thread);
}

void notify_escalate(struct notify *n, struct lane *l)
{
	const struct route *r = l->route;
	struct notify_list list = {0};
	bool due = false;

	if (r->escalate_after_ms == 0 || r->escalate_to == NULL)
		return;
	for (const struct group *g = n->groups; g != NULL; g = g->hh.next) {
		for (struct member *m = g->route == r ? g->members : NULL; m != NULL; m = m->next) {
			if (!notify_can_escalate(m))
				continue;
			/* What is nearly due goes along. */
			due = due || m->row.told_ms + r->escalate_after_ms <= n->now_ms;
			if (m->row.told_ms + r->escalate_after_ms <=
				    n->now_ms + NOTIFY_SOFT_WAIT_MS &&
			    m->row.told_ms + r->escalate_after_ms / 2 <= n->now_ms)
				notify_list_add(&list, m);
		}
	}
	if (due) {
		uint64_t thread =
			lane_thread(l, SLOT_ESCALATED, notify_salt(&list, MESSAGE_OPEN, 0));

		send_beyond(n, l, SLOT_ESCALATED, MESSAGE_ESCALATE, thread, &list);
	}
	notify_list_free(&list);
}

/* Whether the end of a member in a slot is not for its group to tell. */
static bool ends_beyond(const struct notify *n, const struct member *m, enum slot slot)
{
	const struct group *g = m->group;

	if (!notify_is_over(m) || m->row.told[slot] == 0)
		return false;
	if (slot == SLOT_ESCALATED)
		return true;
	enum slot now = notify_slot_now(g->route, n->now_ms);

	if (slot == SLOT_MAIN)
		return now == SLOT_MAIN && m->row.told[slot] != g->row.thread;
	return now != SLOT_OTHER || m->row.told[slot] != g->row.thread;
}

/* All of one thread that is over; empty when some of it lasts. */
static void gather_ended(const struct notify *n, const struct route *r, enum slot slot,
			 uint64_t thread, struct notify_list *ret_list)
{
	for (const struct group *g = n->groups; g != NULL; g = g->hh.next) {
		for (struct member *m = g->route == r ? g->members : NULL; m != NULL; m = m->next) {
			if (m->row.told[slot] != thread)
				continue;
			if (!notify_is_over(m)) {
				ret_list->count = 0;
				return;
			}
			notify_list_add(ret_list, m);
		}
	}
}

/* One thread of the lane that has come to its end. False: there is none more. */
static bool end_thread(struct notify *n, struct lane *l, enum slot slot, uint64_t *after)
{
	struct notify_list list = {0};
	uint64_t thread = UINT64_MAX;

	for (const struct group *g = n->groups; g != NULL; g = g->hh.next) {
		if (g->route != l->route)
			continue;
		for (const struct member *m = g->members; m != NULL; m = m->next) {
			if (m->row.told[slot] > *after && m->row.told[slot] < thread &&
			    ends_beyond(n, m, slot))
				thread = m->row.told[slot];
		}
	}
	if (thread == UINT64_MAX)
		return false;
	*after = thread;
	gather_ended(n, l->route, slot, thread, &list);
	if (list.count > 0)
		send_beyond(n, l, slot, MESSAGE_RESOLVE, thread, &list);
	notify_list_free(&list);
	return true;
}

void notify_end_threads(struct notify *n, struct lane *l)
{
	for (enum slot slot = SLOT_MAIN; slot < SLOTS; slot++) {
		uint64_t after = 0;

		while (end_thread(n, l, slot, &after))
			;
	}
}

/* What groups would say now if there were no storm. Returns how many groups. */
static size_t gather_storm(const struct notify *n, const struct lane *l, enum slot slot,
			   struct notify_list *ret_list)
{
	size_t groups = 0;

	for (const struct group *g = n->groups; g != NULL; g = g->hh.next) {
		size_t before = ret_list->count;

		if (g->route != l->route || !notify_is_due(n, g))
			continue;
		for (struct member *m = g->members; m != NULL; m = m->next) {
			if (notify_belongs(m, slot, true))
				notify_list_add(ret_list, m);
		}
		groups += ret_list->count > before;
	}
	return groups;
}

static void calm(struct notify *n, struct lane *l)
{
	l->row.storm = 0;
	l->row.start_ms = l->row.count = 0;
	notify_save_lane(n, l);
	for (struct group *g = n->groups; g != NULL; g = g->hh.next)
		g->dirty = g->dirty || g->route == l->route;
}

void notify_summarize(struct notify *n, struct lane *l)
{
	enum slot slot = notify_slot_now(l->route, n->now_ms);
	struct notify_list list = {0};

	if (!l->row.storm || l->row.next_ms > n->now_ms)
		return;
	bool speaks = slot != SLOTS && !notify_is_keyed(l->route, slot);
	size_t groups = speaks ? gather_storm(n, l, slot, &list) : 0;

	if (groups <= (size_t)l->route->storm_limit / 2) {
		calm(n, l);
	} else {
		for (size_t i = 0; i < list.count; i++)
			notify_said(n, list.items[i]->group);
		l->row.count++;
		send_beyond(n, l, slot, MESSAGE_SUMMARY,
			    lane_thread(l, slot, (uint64_t)l->row.storm_ms), &list);
		l->row.next_ms = n->now_ms + l->route->storm_span_ms;
		notify_save_lane(n, l);
	}
	notify_list_free(&list);
}
