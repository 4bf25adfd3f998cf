/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/notify_priv.h"
#include "aggregator/store/alert_store.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

/* --- groups --- */

struct group *notify_group(struct notify *n, uint64_t thread)
{
	struct group *g = NULL;

	HASH_FIND(hh, n->groups, &thread, sizeof(thread), g);
	return g;
}

static struct group *insert_group(struct notify *n, const struct group_row *row, const char *by,
				  size_t size)
{
	struct group *g = mem_zeroed(1, sizeof(*g));

	g->row = *row;
	g->by = strndup(by, size);
	if (g->by == NULL)
		abort();
	g->route = route_find(n->routes, row->route);
	g->dirty = true;
	HASH_ADD(hh, n->groups, row.thread, sizeof(g->row.thread), g);
	return g;
}

struct group *notify_add_group(struct notify *n, const struct route *r, uint64_t thread,
			       const char *by)
{
	const struct group_row row = {.form = ROW_GROUP, .thread = thread, .route = r->hash};

	return insert_group(n, &row, by, strlen(by));
}

void notify_save_group(struct notify *n, const struct group *g)
{
	CLEANUP(buf_free) struct buf data = {0};

	buf_put(&data, &g->row, sizeof(g->row));
	buf_puts(&data, g->by);
	if (data.err != ERR_OK)
		abort();
	alert_store_put(n->t, ALERT_NOTIFY, g->row.thread, data.data, data.size);
}

static void free_group(struct notify *n, struct group *g)
{
	HASH_DEL(n->groups, g);
	free(g->by);
	free(g);
}

void notify_drop_group(struct notify *n, struct group *g)
{
	while (g->members != NULL)
		notify_drop_member(n, g->members);
	alert_store_del(n->t, ALERT_NOTIFY, g->row.thread);
	free_group(n, g);
}

/* --- members --- */

static uint64_t member_key(const struct member_row *row)
{
	return hash_u64(hash_u64(HASH_SEED, row->thread), row->id);
}

struct member *notify_first_member(struct notify *n, uint64_t id)
{
	struct incident_entry *e = NULL;

	HASH_FIND(hh, n->incidents, &id, sizeof(id), e);
	return e == NULL ? NULL : e->first;
}

static void link_same(struct notify *n, struct member *m)
{
	struct incident_entry *e = NULL;

	HASH_FIND(hh, n->incidents, &m->row.id, sizeof(m->row.id), e);
	if (e == NULL) {
		e = mem_zeroed(1, sizeof(*e));
		e->id = m->row.id;
		HASH_ADD(hh, n->incidents, id, sizeof(e->id), e);
	}
	m->same = e->first;
	e->first = m;
}

static void unlink_same(struct notify *n, struct member *m)
{
	struct incident_entry *e = NULL;

	HASH_FIND(hh, n->incidents, &m->row.id, sizeof(m->row.id), e);
	if (e == NULL)
		return;
	struct member **at = &e->first;

	while (*at != NULL && *at != m)
		at = &(*at)->same;
	if (*at == m)
		*at = m->same;
	if (e->first == NULL) {
		HASH_DEL(n->incidents, e);
		free(e);
	}
}

static struct member *insert_member(struct notify *n, struct group *g, const struct member_row *row)
{
	struct member *m = mem_zeroed(1, sizeof(*m));

	m->row = *row;
	m->group = g;
	m->next = g->members;
	if (m->next != NULL)
		m->next->prev = m;
	g->members = m;
	link_same(n, m);
	return m;
}

struct member *notify_add_member(struct notify *n, struct group *g, const struct incident *i)
{
	const struct member_row row = {.form = ROW_MEMBER,
				       .thread = g->row.thread,
				       .id = i->id,
				       .opened_ms = i->opened_ms};

	return insert_member(n, g, &row);
}

void notify_save_member(struct notify *n, const struct member *m, const struct message_incident *mi)
{
	CLEANUP(buf_free) struct buf data = {0};
	const uint8_t *old = NULL;
	size_t size = 0;

	buf_put(&data, &m->row, sizeof(m->row));
	if (mi != NULL) {
		char none[] = "";
		struct message_incident one = *mi;
		const struct message content = {.kind = MESSAGE_OPEN,
						.route = none,
						.receiver = none,
						.group_by = none,
						.url = none,
						.incidents = &one,
						.count = 1,
						.total = 1};

		message_encode(&content, &data);
	} else if (alert_store_get(n->t, ALERT_NOTIFY, member_key(&m->row), &old, &size) &&
		   size >= sizeof(m->row)) {
		buf_put(&data, old + sizeof(m->row), size - sizeof(m->row));
	}
	if (data.err != ERR_OK)
		abort();
	alert_store_put(n->t, ALERT_NOTIFY, member_key(&m->row), data.data, data.size);
}

static void free_member(struct notify *n, struct member *m)
{
	unlink_same(n, m);
	if (m->prev != NULL)
		m->prev->next = m->next;
	else
		m->group->members = m->next;
	if (m->next != NULL)
		m->next->prev = m->prev;
	free(m);
}

void notify_drop_member(struct notify *n, struct member *m)
{
	alert_store_del(n->t, ALERT_NOTIFY, member_key(&m->row));
	free_member(n, m);
}

struct message *notify_member_content(struct notify *n, const struct member *m)
{
	struct message *content = NULL;
	const uint8_t *data = NULL;
	size_t size = 0;
	int err = ERR_NOT_FOUND;

	if (alert_store_get(n->t, ALERT_NOTIFY, member_key(&m->row), &data, &size) &&
	    size > sizeof(m->row))
		err = message_decode(data + sizeof(m->row), size - sizeof(m->row), &content);
	if (err == ERR_OK && content->count == 1)
		return content;
	log_error("an incident to tell of cannot be read", "incident=%016llx err=%s",
		  (unsigned long long)m->row.id, err_str(err));
	message_free(&content);
	return NULL;
}

/* --- lanes --- */

static uint64_t lane_key(uint64_t route)
{
	return hash_str(hash_u64(HASH_SEED, route), "lane");
}

static struct lane *insert_lane(struct notify *n, const struct lane_row *row)
{
	struct lane *l = mem_zeroed(1, sizeof(*l));

	l->row = *row;
	l->route = route_find(n->routes, row->route);
	HASH_ADD(hh, n->lanes, row.route, sizeof(l->row.route), l);
	return l;
}

struct lane *notify_lane(struct notify *n, const struct route *r)
{
	const struct lane_row row = {.form = ROW_LANE, .route = r->hash};
	struct lane *l = NULL;

	HASH_FIND(hh, n->lanes, &r->hash, sizeof(r->hash), l);
	return l != NULL ? l : insert_lane(n, &row);
}

void notify_save_lane(struct notify *n, const struct lane *l)
{
	alert_store_put(n->t, ALERT_NOTIFY, lane_key(l->row.route), &l->row, sizeof(l->row));
}

/* --- all of it --- */

void notify_clear(struct notify *n)
{
	struct group *g = NULL, *next_group = NULL;
	struct lane *l = NULL, *next_lane = NULL;

	HASH_ITER(hh, n->groups, g, next_group)
	{
		while (g->members != NULL)
			free_member(n, g->members);
		free_group(n, g);
	}
	HASH_ITER(hh, n->lanes, l, next_lane)
	{
		HASH_DEL(n->lanes, l);
		free(l);
	}
}

bool notify_is_whole(const uint8_t *data, size_t size)
{
	CLEANUP(message_free) struct message *content = NULL;
	const size_t head = sizeof(struct member_row);

	if (size == 0)
		return false;
	switch (data[0]) {
	case ROW_GROUP:
		return size >= sizeof(struct group_row) &&
		       memchr(data + sizeof(struct group_row), 0,
			      size - sizeof(struct group_row)) == NULL;
	case ROW_LANE:
		return size == sizeof(struct lane_row);
	case ROW_MEMBER:
		return size > head &&
		       message_decode(data + head, size - head, &content) == ERR_OK &&
		       content->count == 1;
	default:
		return false;
	}
}

/* Groups and lanes come first, as members need their group. */
static void read_head(struct notify *n, const uint8_t *data, size_t size)
{
	struct group_row group;
	struct lane_row lane;

	if (data[0] == ROW_GROUP && size >= sizeof(group)) {
		memcpy(&group, data, sizeof(group));
		insert_group(n, &group, (const char *)data + sizeof(group), size - sizeof(group));
	} else if (data[0] == ROW_LANE && size == sizeof(lane)) {
		memcpy(&lane, data, sizeof(lane));
		insert_lane(n, &lane);
	}
}

static void read_member(struct notify *n, const uint8_t *data, size_t size)
{
	struct member_row row;

	if (data[0] != ROW_MEMBER || size <= sizeof(row))
		return;
	memcpy(&row, data, sizeof(row));
	struct group *g = notify_group(n, row.thread);

	if (g != NULL)
		insert_member(n, g, &row);
}

void notify_read(struct notify *n)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	for (int round = 0; round < 2; round++) {
		uint64_t key = 0;

		while (alert_store_next(n->t, ALERT_NOTIFY, key, &key, &data, &size)) {
			if (size > 0 && round == 0)
				read_head(n, data, size);
			else if (size > 0)
				read_member(n, data, size);
			if (key++ == UINT64_MAX)
				break;
		}
	}
}
