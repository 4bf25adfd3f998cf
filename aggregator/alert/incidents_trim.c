/* SPDX-License-Identifier: Apache-2.0 */

/* incidents_trim - what is forgotten of incidents, and how many there are. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/incidents_priv.h"

#define TRIM_STEP 200  /* records looked at in a step */
#define TRIM_MS 600000 /* between two walks */

/* Whether a group is in it, or was so lately that it still matters. */
static bool is_known(const struct incidents *n, const struct incident *i)
{
	for (size_t k = 0; k < n->place_count; k++) {
		struct slot *slot = NULL;

		if (n->places[k].cluster != i->cluster_id)
			continue;
		HASH_FIND(hh, n->places[k].slots, &i->group_id, sizeof(i->group_id), slot);
		return slot != NULL && slot->id == i->id;
	}
	return false;
}

static bool is_refuse(const struct incidents *n, const struct incident *i, size_t count,
		      int64_t now_ms)
{
	return !is_known(n, i) &&
	       (count > INCIDENTS_KEPT || now_ms - i->resolved_ms > INCIDENTS_KEPT_MS);
}

void incidents_trim(struct incidents *n, struct store_txn *t, int64_t now_ms)
{
	size_t count = alert_store_count(t);
	const uint8_t *data = NULL;
	size_t size = 0;
	struct alert_place p = n->trim_at;
	struct incident i;

	if (now_ms < n->trim_ms)
		return;
	for (unsigned k = 0; k < TRIM_STEP; k++) {
		if (!alert_store_after(t, p, &p, &data, &size) ||
		    (count <= INCIDENTS_KEPT && now_ms - p.opened_ms < INCIDENTS_KEPT_MS)) {
			n->trim_at = (struct alert_place){0, 0};
			n->trim_ms = now_ms + TRIM_MS;
			return;
		}
		if (incident_unpack(data, size, &i) && is_refuse(n, &i, count, now_ms)) {
			alert_store_del_incident(t, p);
			count--;
		}
		p.id++; /* the last of all ids is never walked over: it ends a walk early, no more
			 */
	}
	n->trim_at = p;
}

size_t incidents_counts(const struct incidents *n, struct incidents_count **ret_counts)
{
	struct incidents_count *list = calloc(n->place_count + 1, sizeof(*list));
	size_t count = 0;

	if (list == NULL)
		abort();
	for (size_t i = 0; i < n->place_count; i++) {
		const struct place *p = &n->places[i];
		size_t at = 0;

		while (at < count && strcmp(list[at].environment, p->environment) != 0)
			at++;
		if (at == count)
			snprintf(list[count++].environment, sizeof(list[0].environment), "%s",
				 p->environment);
		for (const struct slot *s = p->slots; s != NULL; s = s->hh.next)
			if (s->state != INCIDENT_RESOLVED)
				list[at].counts[s->state == INCIDENT_ACKNOWLEDGED]
					       [s->severity >= STATUS_ERR]++;
	}
	*ret_counts = list;
	return count;
}
