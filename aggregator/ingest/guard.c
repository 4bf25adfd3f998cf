/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/glob.h"
#include "common/log.h"
#include "common/mem.h"

#define MINUTE_MS 60000
#define CHALLENGE_MS 30000 /* a challenge is good for as long as this, and up to twice that */
#define AUDIT_BURST 20     /* lines at once; then one */
#define AUDIT_EVERY_MS 1000
#define AUDIT_SAME_MS 60000 /* the same thing of one agent is told again after this */

/* What is known of one agent: all that are configured, or each that has sent batches. */
struct entry {
	UT_hash_handle hh;
	bool configured;
	struct mac_key key;
	struct guard_scope scope;
	int64_t names; /* that it may still bring */
	int64_t filled_ms;
	const char *told; /* what was last logged of it, by its address */
	int64_t told_ms;
	char agent[];
};

struct guard {
	struct entry *by_agent;
	bool closed; /* who is not configured may not speak */
	struct guard_scope scopes[INGEST_LINK_LISTENERS_MAX];
	int64_t new_names;
	struct mac_key secret; /* challenges are made with it */
	uint8_t challenge[MAC_SIZE];
	struct guard_stats stats;

	int64_t lines; /* that may be logged now */
	int64_t line_ms;
	uint64_t unlogged;
};

/* --- life --- */

static struct entry *find(const struct guard *g, const char *agent)
{
	struct entry *e = NULL;

	HASH_FIND_STR(g->by_agent, agent, e);
	return e;
}

static struct entry *add(struct guard *g, const char *agent)
{
	size_t size = strlen(agent) + 1;
	struct entry *e = mem_zeroed(1, sizeof(*e) + size);

	memcpy(e->agent, agent, size);
	e->names = g->new_names;
	e->filled_ms = clock_mono_ms();
	HASH_ADD_STR(g->by_agent, agent, e);
	return e;
}

struct guard *guard_new(const struct guard_options *o)
{
	struct guard *g = mem_zeroed(1, sizeof(*g));

	g->closed = o->agent_count > 0;
	g->new_names = o->new_names;
	g->lines = AUDIT_BURST;
	memcpy(g->scopes, o->scopes, sizeof(g->scopes));
	mac_random(&g->secret);
	for (size_t i = 0; i < o->agent_count; i++) {
		struct entry *e = add(g, o->agents[i].name);

		e->configured = true;
		e->key = o->agents[i].key;
		e->scope = o->agents[i].scope;
	}
	return g;
}

void guard_free(struct guard **g)
{
	struct entry *e = NULL;
	struct entry *next = NULL;

	if (*g == NULL)
		return;
	HASH_ITER(hh, (*g)->by_agent, e, next)
	{
		HASH_DELETE(hh, (*g)->by_agent, e);
		explicit_bzero(&e->key, sizeof(e->key));
		free(e);
	}
	free(*g);
	*g = NULL;
}

/* --- the audit --- */

static bool told_already(const struct guard *g, const char *agent, const char *why, int64_t now_ms)
{
	struct entry *e = find(g, agent);

	if (e == NULL)
		return false;
	if (e->told == why && now_ms - e->told_ms < AUDIT_SAME_MS)
		return true;
	e->told = why;
	e->told_ms = now_ms;
	return false;
}

/* A line of what was not allowed; what an attacker can cause without end is logged within bounds.
 */
static void audit(struct guard *g, const struct ingest_message *m, const char *agent,
		  const char *cluster, const char *why)
{
	int64_t now_ms = clock_mono_ms();
	int64_t more = (now_ms - g->line_ms) / AUDIT_EVERY_MS;

	if (more > 0) {
		g->lines = MIN(g->lines + more, (int64_t)AUDIT_BURST);
		g->line_ms = now_ms;
	}
	if (told_already(g, agent, why, now_ms) || g->lines == 0) {
		g->unlogged++;
		return;
	}
	g->lines--;
	log_warn("access denied",
		 "agent=%s remote=%s certificate=%s listener=%u cluster=%s why=%s "
		 "not_logged=%" PRIu64,
		 log_quote(agent), m->remote, log_quote(m->peer), m->listener, log_quote(cluster),
		 log_quote(why), g->unlogged);
	g->unlogged = 0;
}

/* --- hello --- */

/* The challenge of a connection in a span of time. It need not be remembered, so nobody can make us
 * forget one. */
static void make_challenge(const struct guard *g, const struct ingest_message *m, int64_t span,
			   uint8_t ret_challenge[static MAC_SIZE])
{
	uint8_t text[16];

	put_be32(text, m->connection);
	put_be32(text + 4, m->listener);
	put_be64(text + 8, (uint64_t)span);
	mac_code(&g->secret, text, sizeof(text), ret_challenge);
}

static bool is_challenge(struct guard *g, const struct ingest_message *m, const uint8_t *given,
			 int64_t span)
{
	for (int64_t age = 0; given != NULL && age <= 1; age++) {
		make_challenge(g, m, span - age, g->challenge);
		if (mac_same(given, g->challenge))
			return true;
	}
	return false;
}

static bool other_name(const struct ingest_message *m, const char *agent)
{
	return m->peer[0] != '\0' && strcmp(m->peer, agent) != 0;
}

static enum guard_answer refuse(struct guard *g, const struct ingest_message *m, const char *agent,
				const char *why, const char **ret_why)
{
	g->stats.refused++;
	audit(g, m, agent, "", why);
	*ret_why = why;
	return GUARD_REFUSE;
}

enum guard_answer guard_hello(struct guard *g, const struct ingest_message *m,
			      const struct frame *f, const struct wire_hello *h, int64_t now_ms,
			      const uint8_t **ret_challenge, const char **ret_why)
{
	const struct entry *e = find(g, h->agent);
	int64_t span = now_ms / CHALLENGE_MS;

	if (other_name(m, h->agent))
		return refuse(g, m, h->agent, "the certificate has another name than the agent",
			      ret_why);
	if (!g->closed)
		return GUARD_WELCOME;
	if (e == NULL)
		return refuse(g, m, h->agent, "no agent of this name is known", ret_why);
	if (!is_challenge(g, m, h->challenge, span)) {
		g->stats.stale += h->challenge != NULL;
		make_challenge(g, m, span, g->challenge);
		*ret_challenge = g->challenge;
		return GUARD_ASK;
	}
	if (!frame_proves(f, &e->key, &(struct frame_context){0}))
		return refuse(g, m, h->agent, "wrong key", ret_why);
	return GUARD_WELCOME;
}

/* --- batches --- */

bool guard_batch(struct guard *g, const struct ingest_message *m, const struct frame *f,
		 const struct wire_batch *b, uint64_t session)
{
	const struct entry *e = find(g, b->agent);
	const struct frame_context context = {session, b->instance, b->epoch, b->seq};

	if (session == 0)
		return false; /* after a restart of ours all are asked for a hello */
	if (!other_name(m, b->agent) &&
	    (!g->closed || (e != NULL && frame_proves(f, &e->key, &context))))
		return true;
	g->stats.forged++;
	audit(g, m, b->agent, b->cluster, "a batch without the right code");
	return false;
}

static bool covers(const struct guard_scope *s, const char *name)
{
	return glob_allowed(s->globs, s->count, NULL, 0, name);
}

static const char *why_not(const struct guard *g, const struct ingest_message *m,
			   const struct wire_batch *b)
{
	const struct entry *e = find(g, b->agent);
	char name[2 * WIRE_LABEL_MAX + 2];

	if (strchr(b->environment, '/') != NULL || strchr(b->cluster, '/') != NULL)
		return "an environment or cluster has a '/' in its name";
	snprintf(name, sizeof(name), "%s/%s", b->environment, b->cluster);
	if (g->closed && (e == NULL || !covers(&e->scope, name)))
		return "the agent may not speak for this cluster";
	if (!covers(&g->scopes[m->listener], name))
		return "nobody may speak for this cluster by this listener";
	return NULL;
}

const char *guard_cluster(struct guard *g, const struct ingest_message *m,
			  const struct wire_batch *b)
{
	const char *why = why_not(g, m, b);

	if (why != NULL) {
		g->stats.foreign++;
		audit(g, m, b->agent, b->cluster, why);
	}
	return why;
}

/* --- new names --- */

static void fill(const struct guard *g, struct entry *e, int64_t now_ms)
{
	int64_t more = g->new_names * MIN(now_ms - e->filled_ms, (int64_t)MINUTE_MS) / MINUTE_MS;

	if (more <= 0)
		return;
	e->names = MIN(e->names + more, g->new_names);
	e->filled_ms = now_ms;
}

/* A batch that has more than one may ever bring is taken when nothing was taken for a while. */
bool guard_names(struct guard *g, const char *agent, size_t count, int64_t now_ms)
{
	struct entry *e = find(g, agent);

	if (e == NULL)
		e = add(g, agent);
	fill(g, e, now_ms);
	return count == 0 || (int64_t)count <= e->names || e->names == g->new_names;
}

void guard_put_off(struct guard *g, const struct ingest_message *m, const struct wire_batch *b)
{
	g->stats.delayed++;
	audit(g, m, b->agent, b->cluster, "too many new groups and topics a minute: put off");
}

void guard_took_names(struct guard *g, const char *agent, size_t count)
{
	struct entry *e = find(g, agent);

	if (e != NULL)
		e->names = MAX(e->names - (int64_t)count, (int64_t)0);
}

void guard_stats(const struct guard *g, struct guard_stats *ret_stats)
{
	*ret_stats = g->stats;
}
