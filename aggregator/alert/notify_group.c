/* SPDX-License-Identifier: Apache-2.0 */

/* One group: what there is to say, when, and the message that says it. */

#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/notify_priv.h"

/* --- what there is to say of a member --- */

static bool is_told(const struct member *m)
{
	return m->row.told[SLOT_MAIN] != 0 || m->row.told[SLOT_OTHER] != 0;
}

bool notify_is_keyed(const struct route *r, enum slot slot)
{
	const struct alert_receiver *by_slot[SLOTS] = {r->receiver, r->otherwise, r->escalate_to};

	return by_slot[slot] != NULL && alert_config_is_keyed(by_slot[slot]);
}

bool notify_is_told_at_all(const struct member *m)
{
	return is_told(m) || m->row.told[SLOT_ESCALATED] != 0;
}

bool notify_is_over(const struct member *m)
{
	return notify_has(m, MEMBER_OVER) && !m->held;
}

/* It lasts and has something new. */
static bool has_news(const struct member *m)
{
	if (notify_is_over(m) || m->held || notify_has(m, MEMBER_SILENCED))
		return false;
	if (!is_told(m))
		return !notify_has(m, MEMBER_ACKNOWLEDGED);
	if (m->group->route->once)
		return false;
	return m->row.status > m->row.told_status ||
	       (notify_has(m, MEMBER_FLAPS) && !notify_has(m, MEMBER_FLAPS_TOLD));
}

/* Nothing is to be heard of it for now. Alertmanager does not count: what it does not hear of it
 * takes for resolved. */
static bool is_quiet(const struct member *m)
{
	return !m->group->route->everywhere && (m->held || notify_has(m, MEMBER_SILENCED));
}

/* It lasts, and those who were told of it want to hear of it again; Alertmanager also of what is
 * acknowledged. */
static bool can_repeat(const struct member *m)
{
	const struct route *r = m->group->route;

	if (notify_has(m, MEMBER_OVER) || !is_told(m) || is_quiet(m))
		return false;
	if (r->strict && m->row.status < (unsigned)r->min_status)
		return false;
	return r->everywhere || !notify_has(m, MEMBER_ACKNOWLEDGED);
}

bool notify_can_escalate(const struct member *m)
{
	return !notify_is_over(m) && !m->held && is_told(m) && m->row.told[SLOT_ESCALATED] == 0 &&
	       (m->row.flags & (MEMBER_SILENCED | MEMBER_ACKNOWLEDGED)) == 0;
}

/* It is over, and the group's own thread in this slot has not said so. */
static bool has_end(const struct member *m, enum slot slot)
{
	return notify_is_over(m) && m->row.told[slot] == m->group->row.thread;
}

/* --- when a group is due --- */

struct review {
	size_t members, news, ends;
	size_t lasting;      /* told in the group's thread, not over */
	int64_t escalate_ms; /* when the first is to be */
	bool repeats;
	bool over;    /* some of it is */
	bool seen_to; /* somebody sees to some of it, or it is silenced */
	bool held;    /* an end is for the hours to begin */
};

static void review_member(const struct member *m, enum slot slot, struct review *r)
{
	const struct route *route = m->group->route;

	r->members++;
	r->news += has_news(m);
	r->ends += has_end(m, slot);
	r->lasting += !notify_is_over(m) && m->row.told[slot] == m->group->row.thread;
	r->repeats = r->repeats || can_repeat(m);
	r->over = r->over || notify_is_over(m);
	r->seen_to = r->seen_to || notify_has_acknowledgement(m) || notify_has(m, MEMBER_SILENCED);
	r->held = r->held || (notify_is_over(m) && m->row.told[SLOT_MAIN] != 0);
	if (route->escalate_after_ms > 0 && notify_can_escalate(m))
		r->escalate_ms = MIN(r->escalate_ms, m->row.told_ms + route->escalate_after_ms);
}

enum slot notify_slot_now(const struct route *r, int64_t now_ms)
{
	if (r->everywhere || route_in_hours(r, now_ms))
		return SLOT_MAIN;
	return r->otherwise != NULL ? SLOT_OTHER : SLOTS;
}

static void note(int64_t *since_ms, bool is, int64_t now_ms)
{
	if (!is)
		*since_ms = 0;
	else if (*since_ms == 0)
		*since_ms = now_ms;
}

/* When the group has something to send, hours and storms aside. */
static int64_t due_ms(const struct group *g, bool repeats)
{
	const struct route *r = g->route;
	int64_t due = INT64_MAX;

	if (g->row.hard_ms != 0)
		due = g->row.hard_ms + r->wait_ms;
	if (g->row.soft_ms != 0)
		due = MIN(due, g->row.soft_ms + NOTIFY_SOFT_WAIT_MS);
	if (repeats && r->repeat_ms > 0)
		due = MIN(due, g->row.last_ms + r->repeat_ms);
	return due;
}

/* Looking for it takes long, and all groups of the route ask. */
static int64_t hours_begin(struct lane *l, int64_t now_ms)
{
	if (now_ms < l->asked_ms || now_ms >= l->begin_ms) {
		l->asked_ms = now_ms;
		l->begin_ms = route_hours_begin(l->route, now_ms);
	}
	return l->begin_ms;
}

static void set_due(struct notify *n, struct group *g, const struct review *v, enum slot slot)
{
	struct lane *l = notify_lane(n, g->route);

	g->next_ms = due_ms(g, v->repeats);
	if (g->next_ms != INT64_MAX && slot == SLOTS)
		g->next_ms = MAX(g->next_ms, hours_begin(l, n->now_ms));
	if (g->next_ms != INT64_MAX && l->row.storm)
		g->next_ms = MAX(g->next_ms, l->row.next_ms);
	if (v->held && slot != SLOT_MAIN)
		g->next_ms = MIN(g->next_ms, hours_begin(l, n->now_ms));
	g->next_ms = MIN(g->next_ms, v->escalate_ms);
	l->dirty = l->dirty || v->over;
	l->seen_to = l->seen_to || v->seen_to;
}

void notify_review(struct notify *n, struct group *g)
{
	struct group_row before = g->row;
	struct review v = {.escalate_ms = INT64_MAX};
	enum slot slot = notify_slot_now(g->route, n->now_ms);

	for (const struct member *m = g->members; m != NULL; m = m->next)
		review_member(m, slot == SLOT_OTHER ? SLOT_OTHER : SLOT_MAIN, &v);
	if (v.members == 0) {
		notify_drop_group(n, g);
		return;
	}
	bool ended = v.ends > 0 && (v.lasting == 0 || g->route->everywhere);

	note(&g->row.hard_ms, v.news > 0 || ended, n->now_ms);
	note(&g->row.soft_ms, v.ends > 0, n->now_ms);
	set_due(n, g, &v, slot);
	g->dirty = false;
	if (memcmp(&before, &g->row, sizeof(before)) != 0)
		notify_save_group(n, g);
}

/* --- after it was told --- */

void notify_told(struct notify *n, struct notify_list *list, enum slot slot, uint64_t thread)
{
	for (size_t i = 0; i < list->count; i++) {
		struct member *m = list->items[i];

		m->group->dirty = true;
		if (notify_is_over(m)) {
			m->row.told[slot] = 0;
		} else {
			/* A summary leaves it in the thread that it has. */
			if (m->row.told[slot] == 0 || thread == m->group->row.thread)
				m->row.told[slot] = thread;
			m->row.told_status = MAX(m->row.told_status, m->row.status);
			m->row.told_ms = m->row.told_ms != 0 ? m->row.told_ms : n->now_ms;
			if (notify_has(m, MEMBER_FLAPS))
				m->row.flags |= MEMBER_FLAPS_TOLD;
		}
		if (notify_is_over(m) && !notify_is_told_at_all(m))
			notify_drop_member(n, m);
		else
			notify_save_member(n, m, NULL);
	}
}

void notify_said(struct notify *n, struct group *g)
{
	const struct group_row before = g->row;

	g->row.hard_ms = g->row.soft_ms = 0;
	g->row.last_ms = n->now_ms;
	g->dirty = true;
	if (memcmp(&before, &g->row, sizeof(before)) != 0)
		notify_save_group(n, g);
}

uint64_t notify_salt(const struct notify_list *list, enum message_kind kind, uint64_t number)
{
	const struct member *oldest = NULL;
	uint64_t sum = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct member *m = list->items[i];

		if (oldest == NULL || m->row.opened_ms < oldest->row.opened_ms ||
		    (m->row.opened_ms == oldest->row.opened_ms && m->row.id < oldest->row.id))
			oldest = m;
		if (has_news(m) || notify_is_over(m))
			sum += hash_u64(m->row.id, m->row.version);
	}
	uint64_t first = oldest == NULL ? 0 : oldest->row.id;

	if (kind == MESSAGE_OPEN || kind == MESSAGE_RESOLVE)
		return first;
	if (kind == MESSAGE_REPEAT || kind == MESSAGE_SUMMARY)
		return hash_u64(first, number);
	return hash_u64(first, sum);
}

/* --- it speaks --- */

static enum message_kind kind_of(const struct notify_list *list, const struct group *g,
				 enum slot slot)
{
	bool lasts = false, known = false, news = false;

	for (size_t i = 0; i < list->count; i++) {
		const struct member *m = list->items[i];

		lasts = lasts || !notify_is_over(m);
		news = news || has_news(m) || notify_is_over(m);
	}
	/* Silenced ones are not in the list, but keep the thread open. */
	for (const struct member *m = g->members; m != NULL; m = m->next) {
		known = known || m->row.told[slot] == g->row.thread;
		lasts = lasts || (!notify_is_over(m) && m->row.told[slot] == g->row.thread);
	}
	if (!lasts)
		return MESSAGE_RESOLVE;
	if (!known)
		return MESSAGE_OPEN;
	return news ? MESSAGE_UPDATE : MESSAGE_REPEAT;
}

/* Alertmanager is told of what is new alone; all others of all that lasts. */
bool notify_belongs(const struct member *m, enum slot slot, bool repeat)
{
	if (has_news(m) || has_end(m, slot))
		return true;
	if (notify_has(m, MEMBER_OVER) || !is_told(m) || is_quiet(m))
		return false;
	return repeat || !m->group->route->everywhere;
}

static bool repeat_is_due(const struct notify *n, const struct group *g)
{
	const struct route *r = g->route;

	if (r->repeat_ms == 0 || n->now_ms < g->row.last_ms + r->repeat_ms)
		return false;
	for (const struct member *m = g->members; m != NULL; m = m->next) {
		if (can_repeat(m))
			return true;
	}
	return false;
}

static bool wants_end(const struct route *r, enum slot slot)
{
	const struct alert_receiver *receiver = slot == SLOT_OTHER ? r->otherwise : r->escalate_to;

	if (slot == SLOT_MAIN || receiver == NULL)
		return r->send_resolved;
	return alert_config_is_burrow(receiver) ? receiver->burrow.send_close
						: receiver->send_resolved;
}

void notify_end_quietly(struct notify *n, struct group *g)
{
	for (enum slot slot = SLOT_MAIN; slot < SLOTS; slot++) {
		struct notify_list list = {0};

		if (wants_end(g->route, slot))
			continue;
		for (struct member *m = g->members; m != NULL; m = m->next) {
			if (notify_is_over(m) && m->row.told[slot] != 0)
				notify_list_add(&list, m);
		}
		notify_told(n, &list, slot, 0);
		notify_list_free(&list);
	}
}

bool notify_is_due(const struct notify *n, const struct group *g)
{
	return due_ms(g, repeat_is_due(n, g)) <= n->now_ms;
}

/* The message that the list is, and what follows from it. */
static void say(struct notify *n, struct group *g, enum slot slot, struct notify_list *list,
		bool repeat)
{
	const struct route *r = g->route;
	struct notify_letter letter = {.route = r,
				       .slot = slot,
				       .kind = kind_of(list, g, slot),
				       .thread = g->row.thread,
				       .by = g->by};
	int64_t last_ms = g->row.last_ms;

	letter.salt = notify_salt(list, letter.kind, g->row.repeats + 1);
	g->row.repeats += letter.kind == MESSAGE_REPEAT;
	notify_send(n, &letter, list);
	notify_told(n, list, slot, letter.thread);
	notify_said(n, g);
	/* What is new to Alertmanager does not put off the repeats of the rest. */
	if (r->everywhere && !repeat && last_ms != 0)
		g->row.last_ms = last_ms;
	notify_save_group(n, g);
}

void notify_speak(struct notify *n, struct group *g)
{
	enum slot slot = notify_slot_now(g->route, n->now_ms);
	struct notify_list list = {0};

	g->dirty = true;
	if (slot == SLOTS || !notify_is_due(n, g))
		return;
	bool repeat = repeat_is_due(n, g);

	for (struct member *m = g->members; m != NULL; m = m->next) {
		if (notify_belongs(m, slot, repeat))
			notify_list_add(&list, m);
	}
	if (list.count > 0 && notify_take_turn(n, g->route, slot))
		say(n, g, slot, &list, repeat);
	notify_list_free(&list);
}
