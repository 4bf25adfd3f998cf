/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/reaper.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/members.h"
#include "aggregator/store/sweep.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define STEP_RECORDS 10000 /* looked at in a step: a few milliseconds */
#define STEP_NAMES 1000    /* of which each may have to be removed */
#define DAY_MS ((int64_t)86400000)
#define BURIED_MS (30 * DAY_MS) /* without being of use */
#define AGENT_MS (30 * DAY_MS)

enum phase {
	PHASE_BEGIN,
	PHASE_WALK, /* mark the names that are referred to, remove what belongs to nothing */
	PHASE_DROP, /* the other names */
};

struct reaper {
	int64_t expire_cluster_ms;
	enum phase phase;
	struct sweep sweep;
	uint64_t rounds;
	size_t dropped; /* names, in this round */
};

/* One step of the walk. */
struct visit {
	const struct reaper_step *s;
	uint32_t cluster; /* the one at hand */
	bool known;
	int64_t last_ms;
};

struct reaper *reaper_new(int64_t expire_cluster_ms)
{
	struct reaper *r = mem_zeroed(1, sizeof(*r));

	r->expire_cluster_ms = expire_cluster_ms;
	return r;
}

void reaper_free(struct reaper **r)
{
	free(*r);
	*r = NULL;
}

void reaper_restart(struct reaper *r)
{
	r->phase = PHASE_BEGIN;
}

uint64_t reaper_rounds(const struct reaper *r)
{
	return r->rounds;
}

/* --- the walk --- */

static void enter_cluster(struct visit *v, uint32_t id)
{
	const struct cluster *c = clusters_by_id(v->s->clusters, id);

	v->cluster = id;
	v->known = names_has(v->s->names, STORE_CLUSTER, id);
	v->last_ms = c == NULL ? 0 : c->track.last_ms;
}

static void mark_members(struct names *n, const struct sweep_entry *e)
{
	struct members m;

	if (members_unpack(e->data, e->size, &m) != ERR_OK)
		return;
	for (size_t i = 0; i < m.topic_count; i++)
		names_mark(n, m.topics[i]);
	for (size_t i = 0; i < m.owned_count; i++)
		names_mark(n, m.owned[i].topic);
	members_free(&m);
}

static enum sweep_answer visit_burial(const struct visit *v, const struct sweep_entry *e)
{
	struct names *n = v->s->names;
	struct store_burial b;

	if (e->size != sizeof(b) || !names_has(n, STORE_GROUP, e->group) ||
	    (e->topic != 0 && !names_has(n, STORE_TOPIC, e->topic)))
		return SWEEP_REMOVE;
	memcpy(&b, e->data, sizeof(b));
	if (v->last_ms - b.kept_ms > BURIED_MS)
		return SWEEP_REMOVE;
	names_mark(n, e->group);
	names_mark(n, e->topic);
	return SWEEP_KEEP;
}

static enum sweep_answer visit(void *arg, const struct sweep_entry *e)
{
	struct visit *v = arg;
	struct names *n = v->s->names;

	if (e->cluster != v->cluster)
		enter_cluster(v, e->cluster);
	if (!v->known)
		return SWEEP_REMOVE;
	switch (e->kind) {
	case SWEEP_OTHER:
		return SWEEP_PASS;
	case SWEEP_BURIED:
		return visit_burial(v, e);
	case SWEEP_MEMBERS:
		mark_members(n, e);
		break;
	case SWEEP_COMMIT:
	case SWEEP_LOG:
	case SWEEP_GROUP:
	case SWEEP_STANDING:
		names_mark(n, e->group);
		names_mark(n, e->topic);
		break;
	}
	return SWEEP_KEEP;
}

/* --- what has not been heard of --- */

/* Its records go with the next walk: they belong to nothing then. */
static uint32_t expire_cluster(struct reaper *r, const struct reaper_step *s)
{
	for (size_t i = 0; i < clusters_count(s->clusters); i++) {
		struct cluster *c = clusters_at(s->clusters, i);
		uint32_t id = c->id;

		if (s->now_ms - c->origin.seen_ms <= r->expire_cluster_ms)
			continue;
		log_warn("cluster is forgotten: no agent has reported it for long",
			 "environment=%s cluster=%s agent=%s", log_quote(c->origin.environment),
			 log_quote(c->name), log_quote(c->origin.agent));
		clusters_remove(s->clusters, id);
		names_drop(s->names, s->txn, id);
		return id;
	}
	return 0;
}

static void end_round(struct reaper *r, const struct reaper_step *s)
{
	size_t agents = 0;

	if (s->up_ms >= REAPER_PATIENCE_MS)
		agents = sweep_sessions(s->txn, s->now_ms - AGENT_MS);
	if (r->dropped + agents != 0)
		log_info("what is of no more use was removed", "names=%zu agents=%zu", r->dropped,
			 agents);
	r->rounds++;
	r->phase = PHASE_BEGIN;
}

uint32_t reaper_step(struct reaper *r, const struct reaper_step *s)
{
	struct visit v = {.s = s};
	size_t dropped = 0;
	bool more = false;

	switch (r->phase) {
	case PHASE_BEGIN:
		names_begin_round(s->names);
		r->sweep = (struct sweep){0};
		r->dropped = 0;
		r->phase = PHASE_WALK;
		return s->up_ms < REAPER_PATIENCE_MS ? 0 : expire_cluster(r, s);
	case PHASE_WALK:
		if (!sweep_step(s->txn, &r->sweep, STEP_RECORDS, visit, &v))
			r->phase = PHASE_DROP;
		return 0;
	case PHASE_DROP:
		more = names_drop_unused(s->names, s->txn, STEP_NAMES, &dropped);
		r->dropped += dropped;
		if (!more)
			end_round(r, s);
		return 0;
	}
	return 0;
}
