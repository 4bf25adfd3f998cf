/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/notify.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/notify_priv.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

/* --- life --- */

int notify_new(const struct alert_config *config, struct outbox *outbox, struct notify **ret_n)
{
	struct notify *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	n->config = config;
	n->outbox = outbox;
	n->next_ms = INT64_MAX;
	int err = route_set_new(config, &n->routes);

	if (err == ERR_OK)
		*ret_n = n;
	else
		free(n);
	return err;
}

void notify_free(struct notify **n)
{
	if (*n == NULL)
		return;
	notify_clear(*n);
	free((*n)->held);
	route_set_free(&(*n)->routes);
	free(*n);
	*n = NULL;
}

/* --- an incident changes --- */

static void set_flag(struct member *m, enum member_flag flag, bool on)
{
	m->row.flags = (uint8_t)(on ? m->row.flags | flag : m->row.flags & ~flag);
}

/* Make it a member where its routes say. */
static void place(struct notify *n, const struct message_incident *mi)
{
	const struct route *routes[ROUTE_MATCHES_MAX];
	struct rules_label labels[MESSAGE_LABELS_MAX];

	for (size_t i = 0; i < mi->label_count; i++)
		labels[i] = (struct rules_label){.name = mi->labels[i].name,
						 .value = mi->labels[i].value};
	size_t count = route_match(n->routes, &mi->incident, labels, mi->label_count, routes);

	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_free) struct buf by = {0};

		route_put_group(routes[i], &mi->incident, labels, mi->label_count, &by);
		uint64_t thread = hash_str(hash_u64(HASH_SEED, routes[i]->hash), buf_str(&by));
		struct member *m = notify_first_member(n, mi->incident.id);

		while (m != NULL && m->group->route != routes[i])
			m = m->same;
		if (m == NULL) {
			struct group *g = notify_group(n, thread);

			if (g == NULL) {
				g = notify_add_group(n, routes[i], thread, buf_str(&by));
				notify_save_group(n, g);
			}
			m = notify_add_member(n, g, &mi->incident);
		}
		m->matched = true;
	}
}

static void update(struct notify *n, struct member *m, const struct message_incident *mi)
{
	const struct incident *i = &mi->incident;
	bool over = i->state == INCIDENT_RESOLVED;

	m->group->dirty = true;
	m->held = notify_is_held(n, i->cluster_id);
	m->row.version = i->version;
	m->row.status = i->status;
	set_flag(m, MEMBER_OVER, over);
	set_flag(m, MEMBER_ACKNOWLEDGED, i->state == INCIDENT_ACKNOWLEDGED);
	set_flag(m, MEMBER_SILENCED, i->silenced);
	set_flag(m, MEMBER_FLAPS, i->flapping);
	if (!notify_is_told_at_all(m) && (over || !m->matched))
		notify_drop_member(n, m);
	else
		notify_save_member(n, m, mi);
}

/* Its members follow the incident; where its routes are, new ones are made. */
static void follow(struct notify *n, const struct message_incident *mi)
{
	struct member *next = NULL;

	for (struct member *m = notify_first_member(n, mi->incident.id); m != NULL; m = m->same)
		m->matched = false;
	if (mi->incident.state != INCIDENT_RESOLVED)
		place(n, mi);
	for (struct member *m = notify_first_member(n, mi->incident.id); m != NULL; m = next) {
		next = m->same;
		if (m->group->route != NULL)
			update(n, m, mi);
	}
	n->next_ms = n->now_ms;
}

static size_t labels_of(struct rules_set *rules, const struct incident *i,
			struct rules_label **ret_labels)
{
	const struct rules_place place = {.environment = i->environment,
					  .cluster = i->cluster,
					  .group = i->group,
					  .partition = -1};

	*ret_labels = NULL;
	return rules == NULL ? 0 : rules_labels(rules, &place, ret_labels);
}

static void free_labels(struct message_incident *mi)
{
	for (size_t k = 0; k < mi->label_count; k++) {
		free(mi->labels[k].name);
		free(mi->labels[k].value);
	}
}

void notify_change(struct notify *n, struct store_txn *t, struct rules_set *rules,
		   const struct incident *i, enum incident_change change, int64_t now_ms)
{
	struct message_incident mi = {.incident = *i};
	struct rules_label *labels = NULL;

	if (change == INCIDENT_NONE)
		return;
	n->t = t;
	n->now_ms = now_ms;
	size_t count = labels_of(rules, i, &labels);
	mi.label_count = MIN(count, (size_t)MESSAGE_LABELS_MAX);
	for (size_t k = 0; k < mi.label_count; k++)
		mi.labels[k] = (struct message_label){.name = mem_copy(labels[k].name),
						      .value = mem_copy(labels[k].value)};
	free(labels);
	follow(n, &mi);
	free_labels(&mi);
}

/* --- time goes by --- */

static void review_dirty(struct notify *n)
{
	struct group *next = NULL;

	for (struct group *g = n->groups; g != NULL; g = next) {
		next = g->hh.next;
		if (!g->dirty)
			continue;
		notify_end_quietly(n, g);
		notify_review(n, g);
	}
}

static void tend_lanes(struct notify *n)
{
	struct lane *next = NULL;

	for (struct lane *l = n->lanes; l != NULL; l = next) {
		next = l->hh.next;
		if (l->route == NULL)
			continue;
		notify_summarize(n, l);
		notify_escalate(n, l);
		if (l->seen_to || l->dirty)
			notify_acknowledge(n, l);
		if (l->dirty)
			notify_end_threads(n, l);
		l->seen_to = l->dirty = false;
	}
}

static void set_next(struct notify *n)
{
	n->next_ms = INT64_MAX;
	for (const struct group *g = n->groups; g != NULL; g = g->hh.next)
		n->next_ms = MIN(n->next_ms, g->next_ms);
	for (const struct lane *l = n->lanes; l != NULL; l = l->hh.next) {
		if (l->route != NULL && l->row.storm)
			n->next_ms = MIN(n->next_ms, l->row.next_ms);
		if (l->route != NULL && (l->dirty || l->seen_to))
			n->next_ms = n->now_ms;
	}
}

void notify_tick(struct notify *n, struct store_txn *t, int64_t now_ms)
{
	struct group *next = NULL;

	n->t = t;
	n->now_ms = now_ms;
	if (now_ms < n->next_ms)
		return;
	review_dirty(n);
	tend_lanes(n);
	review_dirty(n);
	for (struct group *g = n->groups; g != NULL; g = next) {
		next = g->hh.next;
		if (g->next_ms <= now_ms)
			notify_speak(n, g);
	}
	review_dirty(n);
	set_next(n);
}

int64_t notify_next_ms(const struct notify *n)
{
	return n->next_ms;
}

/* --- start --- */

/* The configuration has changed: what lasts of a route that is no more goes where others say. */
static void move_members(struct notify *n, struct group *g)
{
	struct notify_list list = {0};

	for (struct member *m = g->members; m != NULL; m = m->next)
		notify_list_add(&list, m);
	for (size_t i = 0; i < list.count; i++) {
		struct message *content = notify_member_content(n, list.items[i]);

		notify_drop_member(n, list.items[i]);
		if (content != NULL && content->incidents[0].incident.state != INCIDENT_RESOLVED)
			follow(n, &content->incidents[0]);
		message_free(&content);
	}
	notify_list_free(&list);
	notify_drop_group(n, g);
}

void notify_load(struct notify *n, struct store_txn *t)
{
	struct group *next = NULL;

	n->t = t;
	n->now_ms = 0;
	notify_clear(n);
	notify_read(n);
	for (struct group *g = n->groups; g != NULL; g = next) {
		next = g->hh.next;
		if (g->route == NULL)
			move_members(n, g);
	}
	if (n->held_count > 0)
		notify_mark_held(n);
	n->next_ms = 0;
}
