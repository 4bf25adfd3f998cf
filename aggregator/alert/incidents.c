/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/incidents.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/incidents_priv.h"
#include "aggregator/alert/sight.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define NOT_SEEN UINT8_MAX /* no status: nothing was seen since the start */

/* --- memory --- */

struct incidents *incidents_new(const struct silences *silences, incidents_on_change *on_change,
				void *arg)
{
	struct incidents *n = mem_zeroed(1, sizeof(*n));

	n->silences = silences;
	n->on_change = on_change;
	n->arg = arg;
	return n;
}

static void clear_place(struct place *p)
{
	struct slot *s = NULL;
	struct slot *next = NULL;

	HASH_ITER(hh, p->slots, s, next)
	{
		HASH_DEL(p->slots, s);
		free(s);
	}
	free(p->environment);
}

static void clear(struct incidents *n)
{
	for (size_t i = 0; i < n->place_count; i++)
		clear_place(&n->places[i]);
	n->place_count = 0;
	n->slot_count = 0;
}

void incidents_free(struct incidents **n)
{
	if (*n == NULL)
		return;
	clear(*n);
	rules_unref(&(*n)->rules);
	free((*n)->places);
	free(*n);
	*n = NULL;
}

void incidents_rules(struct incidents *n, struct rules_set *rules)
{
	struct rules_set *before = n->rules;

	n->rules = rules_ref(rules);
	rules_unref(&before);
}

static struct place *find_place(const struct incidents *n, uint32_t cluster)
{
	for (size_t i = 0; i < n->place_count; i++)
		if (n->places[i].cluster == cluster)
			return &n->places[i];
	return NULL;
}

static struct place *take_place(struct incidents *n, uint32_t cluster, const char *environment)
{
	struct place *p = find_place(n, cluster);

	if (p != NULL)
		return p;
	n->places = mem_grow(n->places, n->place_count, &n->place_cap, sizeof(*n->places));
	p = &n->places[n->place_count++];
	*p = (struct place){.cluster = cluster, .environment = strdup(environment)};
	if (p->environment == NULL)
		abort();
	return p;
}

static struct slot *find_slot(const struct place *p, uint32_t group)
{
	struct slot *s = NULL;

	if (p != NULL)
		HASH_FIND(hh, p->slots, &group, sizeof(group), s);
	return s;
}

/* The slot of an incident is what its record says. */
static void set_slot(struct incidents *n, const struct incident *i, const struct incident_sight *s)
{
	struct place *p = take_place(n, i->cluster_id, i->environment);
	struct slot *slot = find_slot(p, i->group_id);

	if (slot == NULL) {
		slot = mem_zeroed(1, sizeof(*slot));
		slot->group = i->group_id;
		slot->status = NOT_SEEN;
		HASH_ADD(hh, p->slots, group, sizeof(slot->group), slot);
		n->slot_count++;
	}
	slot->id = i->id;
	slot->opened_ms = i->opened_ms;
	slot->state = i->state;
	slot->severity = i->status;
	slot->next_ms = incident_next_ms(i);
	if (s == NULL)
		return;
	slot->status = (uint8_t)s->status;
	slot->reason = (uint8_t)s->reason;
	slot->round = n->round;
}

static void drop_slot(struct incidents *n, struct store_txn *t, struct place *p, struct slot *s)
{
	alert_store_del_trouble(t, p->cluster, s->group);
	HASH_DEL(p->slots, s);
	free(s);
	n->slot_count--;
}

/* --- records --- */

bool incidents_get(struct store_txn *t, uint64_t id, struct incident *ret_i)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	if (!alert_store_get_incident(t, id, &data, &size))
		return false;
	if (incident_unpack(data, size, ret_i))
		return true;
	t->err = ERR_MALFORMED;
	return false;
}

static void put(struct store_txn *t, const struct incident *i)
{
	uint8_t bytes[INCIDENT_BYTES_MAX];

	alert_store_put_incident(t, (struct alert_place){i->opened_ms, i->id}, bytes,
				 incident_pack(i, bytes));
}

static void put_step(struct store_txn *t, const struct incident *i)
{
	struct incident_step s;
	uint8_t bytes[sizeof(s)];

	incident_step_of(i, &s);
	alert_store_put_step(t, i->id, i->version, bytes, incident_step_pack(&s, bytes));
	if (i->version > INCIDENTS_STEPS)
		alert_store_del_step(t, i->id, i->version - INCIDENTS_STEPS + 1);
}

void incidents_load(struct incidents *n, struct store_txn *t)
{
	uint32_t cluster = 0;
	uint32_t group = 0;
	uint64_t id = 0;
	struct incident i;

	clear(n);
	n->trim_at = (struct alert_place){0, 0};
	while (alert_store_next_trouble(t, &cluster, &group, &id))
		if (incidents_get(t, id, &i))
			set_slot(n, &i, NULL);
}

/* --- changes --- */

static void tell(struct incidents *n, struct store_txn *t, const struct incident *i,
		 enum incident_change change, int64_t now_ms)
{
	put_step(t, i);
	n->on_change(n->arg, t, i, change, now_ms);
}

/* Write what a step has made of an incident, and what silences make of that; tell of both. */
static void settle(struct incidents *n, struct store_txn *t, struct incident *i,
		   enum incident_change change, int64_t now_ms)
{
	bool silenced = i->state != INCIDENT_RESOLVED && silences_match(n->silences, n->rules, i);

	if (change == INCIDENT_OPENED)
		i->silenced = silenced; /* before anybody is told */
	put(t, i);
	if (change != INCIDENT_NONE)
		tell(n, t, i, change, now_ms);
	change = incident_silence(i, silenced, now_ms);
	if (change == INCIDENT_NONE)
		return;
	put(t, i);
	tell(n, t, i, change, now_ms);
}

static bool in_maintenance(const struct incidents *n, const struct incident *i, int64_t at_ms)
{
	const struct rules_place place = {i->environment, i->cluster, i->group,
					  i->topic[0] == '\0' ? NULL : i->topic, i->partition};
	struct rules_found f;

	if (n->rules == NULL || i->kind != INCIDENT_GROUP)
		return false;
	rules_resolve(n->rules, &place, &f);
	return f.rules.ignore || f.rules.maintenance_until_ms > at_ms;
}

static bool has_room(struct incidents *n)
{
	if (n->slot_count < INCIDENTS_MAX)
		return true;
	if (!n->full)
		log_error("too many incidents: more are not noted", "limit=%d", INCIDENTS_MAX);
	n->full = true;
	return false;
}

static void open_one(struct incidents *n, struct store_txn *t, const struct incident_sight *s,
		     const struct incident *last, int64_t now_ms)
{
	struct incident i;
	struct incident before;

	if (last == NULL && !has_room(n))
		return;
	incident_open(s, last, &i);
	/* One of the same group and moment that was over: what was known of it is replaced. */
	if (incidents_get(t, i.id, &before))
		alert_store_del_incident(t, (struct alert_place){before.opened_ms, before.id});
	alert_store_put_trouble(t, i.cluster_id, i.group_id, i.id);
	settle(n, t, &i, INCIDENT_OPENED, now_ms);
	set_slot(n, &i, s);
}

/* What is seen of a group that has a slot, or is in trouble. */
static void see(struct incidents *n, struct store_txn *t, struct slot *slot,
		const struct incident_sight *s, int64_t now_ms)
{
	struct incident last;
	struct incident i;

	if (slot != NULL && !incidents_get(t, slot->id, &last))
		return; /* the transaction has failed */
	if (incident_is_new(slot == NULL ? NULL : &last, s->status)) {
		open_one(n, t, s, slot == NULL ? NULL : &last, now_ms);
		return;
	}
	if (slot == NULL)
		return;
	i = last;
	enum incident_change change =
		s->status <= STATUS_OK && in_maintenance(n, &i, s->at_ms)
			? incident_end(&i, INCIDENT_MAINTENANCE, "", "", s->at_ms)
			: incident_see(&i, s);
	if (change != INCIDENT_NONE || memcmp(&i, &last, sizeof(i)) != 0)
		settle(n, t, &i, change, now_ms);
	set_slot(n, &i, s);
	if (incident_is_past(&i, s->at_ms))
		drop_slot(n, t, find_place(n, i.cluster_id), slot);
}

/* --- a pass --- */

/* Whether the pass shows nothing that the last one did not, and time changes nothing either. */
static bool is_quiet(const struct slot *slot, const struct view_group *g, int64_t at_ms)
{
	if (at_ms >= slot->next_ms)
		return false;
	return g->status <= STATUS_OK ? slot->status == STATUS_OK
				      : slot->status == g->status && slot->reason == g->reason;
}

static void see_group(struct incidents *n, struct store_txn *t, struct slot *slot,
		      const struct view *v, const struct view_group *g, int64_t now_ms)
{
	char sentence[INCIDENT_TEXT_MAX];
	struct incident_sight s;

	if (slot != NULL) {
		slot->round = n->round;
		if (is_quiet(slot, g, v->as_of_ms))
			return;
	}
	sight_of_group(v, g, sentence, &s);
	see(n, t, slot, &s, now_ms);
}

/* The group is not in the pass. */
static void lose(struct incidents *n, struct store_txn *t, struct place *p, struct slot *slot,
		 enum incident_end why, int64_t at_ms, int64_t now_ms)
{
	struct incident i;

	if (!incidents_get(t, slot->id, &i))
		return;
	enum incident_change change = incident_end(&i, why, "", "", at_ms);
	i.held = 0;
	settle(n, t, &i, change, now_ms);
	drop_slot(n, t, p, slot);
}

static enum incident_end why_lost(struct store_txn *t, const struct view *v, uint32_t group)
{
	struct store_burial b;

	/* The judge itself buries what has not been heard of for long, with the time of the pass.
	 */
	return store_get_buried(t, v->cluster_id, group, 0, &b) && b.at_ms == v->as_of_ms
		       ? INCIDENT_EXPIRED
		       : INCIDENT_DELETED;
}

static void lose_others(struct incidents *n, struct store_txn *t, const struct view *v,
			int64_t now_ms)
{
	struct place *p = find_place(n, v->cluster_id);
	struct slot *s = NULL;
	struct slot *next = NULL;

	if (p == NULL)
		return;
	HASH_ITER(hh, p->slots, s, next)
	{
		if (s->round != n->round && s->group != 0)
			lose(n, t, p, s, why_lost(t, v, s->group), v->as_of_ms, now_ms);
	}
}

void incidents_pass(struct incidents *n, struct store_txn *t, const struct view *v, int64_t now_ms)
{
	const struct place *p = find_place(n, v->cluster_id);
	struct slot *cluster = find_slot(p, 0);

	n->round++;
	if (cluster != NULL) {
		struct incident_sight s;

		sight_of_cluster(v, STATUS_OK, v->as_of_ms, &s);
		/* The last pass from before may be judged once more; it ends nothing. */
		if ((cluster->status != STATUS_OK || s.at_ms >= cluster->next_ms) &&
		    s.at_ms > cluster->opened_ms - v->interval_ms)
			see(n, t, cluster, &s, now_ms);
	}
	for (size_t i = 0; i < v->group_count; i++) {
		const struct view_group *g = &v->groups[i];
		struct slot *slot = find_slot(p, g->id);

		if (slot == NULL && g->status <= STATUS_OK)
			continue;
		see_group(n, t, slot, v, g, now_ms);
		p = find_place(n, v->cluster_id);
	}
	lose_others(n, t, v, now_ms);
}

void incidents_blind(struct incidents *n, struct store_txn *t, const struct view *v, int64_t now_ms)
{
	struct slot *slot = find_slot(find_place(n, v->cluster_id), 0);
	struct incident_sight s;

	sight_of_cluster(v, STATUS_ERR, MAX(now_ms, v->as_of_ms + v->interval_ms), &s);
	if (slot == NULL || slot->status != STATUS_ERR)
		see(n, t, slot, &s, now_ms);
}

void incidents_gone(struct incidents *n, struct store_txn *t, uint32_t cluster, int64_t now_ms)
{
	struct place *p = find_place(n, cluster);
	struct slot *s = NULL;
	struct slot *next = NULL;

	if (p == NULL)
		return;
	HASH_ITER(hh, p->slots, s, next)
	{
		lose(n, t, p, s, INCIDENT_EXPIRED, now_ms, now_ms);
	}
	clear_place(p);
	*p = n->places[--n->place_count];
}

/* --- by hand, and by time --- */

static void settle_by_hand(struct incidents *n, struct store_txn *t, struct incident *i,
			   enum incident_change change, int64_t now_ms)
{
	if (change == INCIDENT_NONE)
		return;
	settle(n, t, i, change, now_ms);
	set_slot(n, i, NULL);
}

int incidents_acknowledge(struct incidents *n, struct store_txn *t, uint64_t id, const char *by,
			  const char *note, int64_t now_ms)
{
	struct incident i;

	if (!incidents_get(t, id, &i))
		return ERR_NOT_FOUND;
	settle_by_hand(n, t, &i, incident_acknowledge(&i, by, note, now_ms), now_ms);
	return ERR_OK;
}

int incidents_resolve(struct incidents *n, struct store_txn *t, uint64_t id, const char *by,
		      const char *note, int64_t now_ms)
{
	struct incident i;

	if (!incidents_get(t, id, &i))
		return ERR_NOT_FOUND;
	settle_by_hand(n, t, &i, incident_end(&i, INCIDENT_BY_HAND, by, note, now_ms), now_ms);
	return ERR_OK;
}

static void silence_place(struct incidents *n, struct store_txn *t, struct place *p, int64_t now_ms)
{
	struct incident i;

	for (struct slot *s = p->slots; s != NULL; s = s->hh.next) {
		if (s->state == INCIDENT_RESOLVED || !incidents_get(t, s->id, &i))
			continue;
		bool silenced = silences_match(n->silences, n->rules, &i);
		enum incident_change change = incident_silence(&i, silenced, now_ms);
		if (change == INCIDENT_NONE)
			continue;
		put(t, &i);
		tell(n, t, &i, change, now_ms);
	}
}

void incidents_silence(struct incidents *n, struct store_txn *t, int64_t now_ms)
{
	for (size_t i = 0; i < n->place_count; i++)
		silence_place(n, t, &n->places[i], now_ms);
}
