/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Clusters whose agents tell what they have kept while nobody took it. What is seen there happened
 * long ago and may be over long since: nobody is told of it, or reminded of what was told before,
 * until the present is known; then of what is left. One that does not get there speaks after a
 * while nevertheless.
 */

#include "aggregator/alert/notify_priv.h"
#include "common/mem.h"

#define HOLD_MS ((int64_t)15 * 60000)

static struct held *find(const struct notify *n, uint32_t cluster)
{
	for (size_t i = 0; i < n->held_count; i++) {
		if (n->held[i].cluster == cluster)
			return &n->held[i];
	}
	return NULL;
}

bool notify_is_held(const struct notify *n, uint32_t cluster)
{
	const struct held *h = find(n, cluster);

	return h != NULL && !h->let_go;
}

static uint32_t cluster_of(struct notify *n, const struct member *m)
{
	struct message *content = notify_member_content(n, m);
	uint32_t cluster = content == NULL ? 0 : content->incidents[0].incident.cluster_id;

	message_free(&content);
	return cluster;
}

void notify_mark_held(struct notify *n)
{
	for (struct group *g = n->groups; g != NULL; g = g->hh.next) {
		for (struct member *m = g->members; m != NULL; m = m->next) {
			bool held = notify_is_held(n, cluster_of(n, m));

			g->dirty = g->dirty || held != m->held;
			m->held = held;
		}
	}
	n->next_ms = n->now_ms;
}

/* Whether something has changed. */
static bool begin(struct notify *n, uint32_t cluster, int64_t now_ms)
{
	struct held *h = find(n, cluster);

	if (h == NULL) {
		n->held = mem_grow(n->held, n->held_count, &n->held_cap, sizeof(*n->held));
		n->held[n->held_count++] = (struct held){.cluster = cluster, .since_ms = now_ms};
		return true;
	}
	bool was = h->let_go;

	h->let_go = now_ms - h->since_ms >= HOLD_MS;
	return h->let_go != was;
}

static bool end(struct notify *n, uint32_t cluster)
{
	struct held *h = find(n, cluster);

	if (h == NULL)
		return false;
	*h = n->held[--n->held_count];
	return true;
}

void notify_hold(struct notify *n, struct store_txn *t, uint32_t cluster, bool on, int64_t now_ms)
{
	if (!(on ? begin(n, cluster, now_ms) : end(n, cluster)))
		return;
	n->t = t;
	n->now_ms = now_ms;
	notify_mark_held(n);
}
