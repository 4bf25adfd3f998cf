/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/clock.h"
#include "common/mem.h"

/* An agent of another epoch under the same name is refused for so long after the last sign of
 * life: it is a second machine with a copied configuration. A restart keeps its epoch. */
#define ALIVE_MS 30000

/* Agents that are known at a time. Where they need no key anybody may invent names: one that nobody
 * has heard of is refused when there are so many, unless some have been silent for long, which the
 * store remembers. */
#define SESSIONS_MAX 4096
#define IDLE_MS 3600000

/* What an agent keeps under way: under load transactions are as large, and a page that several of
 * their batches change is written once. */
#define CREDIT 15

struct session {
	UT_hash_handle hh;
	struct store_session stored;
	int64_t seen_ms; /* monotonic */
	uint64_t features;
	char software[32];
	char agent[];
};

struct sessions {
	struct session *by_agent;
};

struct sessions *sessions_new(void)
{
	struct sessions *s = mem_zeroed(1, sizeof(*s));

	return s;
}

static void forget(struct sessions *s, struct session *e)
{
	HASH_DELETE(hh, s->by_agent, e);
	free(e);
}

void sessions_reload(struct sessions *s, struct store_txn *t)
{
	struct session *e = NULL;
	struct session *next = NULL;

	HASH_ITER(hh, s->by_agent, e, next)
	{
		if (!store_get_session(t, e->agent, &e->stored))
			forget(s, e);
	}
}

void sessions_free(struct sessions **s)
{
	if (*s == NULL)
		return;
	struct session *e = NULL;
	struct session *next = NULL;
	HASH_ITER(hh, (*s)->by_agent, e, next)
	{
		forget(*s, e);
	}
	free(*s);
	*s = NULL;
}

static struct session *find(const struct sessions *s, const char *agent)
{
	struct session *e = NULL;

	HASH_FIND_STR(s->by_agent, agent, e);
	return e;
}

static struct session *add(struct sessions *s, const char *agent)
{
	size_t size = strlen(agent) + 1;
	struct session *e = mem_zeroed(1, sizeof(*e) + size);

	memcpy(e->agent, agent, size);
	HASH_ADD_STR(s->by_agent, agent, e);
	return e;
}

static bool has_room(struct sessions *s, int64_t now_ms)
{
	struct session *e = NULL;
	struct session *next = NULL;

	if (HASH_COUNT(s->by_agent) < SESSIONS_MAX)
		return true;
	HASH_ITER(hh, s->by_agent, e, next)
	{
		if (now_ms - e->seen_ms > IDLE_MS)
			forget(s, e);
	}
	return HASH_COUNT(s->by_agent) < SESSIONS_MAX;
}

/* Where the stream stands in an epoch that the agent has left before: 0 when it is a new one. */
static uint64_t leave_epoch(struct store_session *s, uint64_t epoch)
{
	struct store_epoch left = {s->epoch, s->applied_seq};
	uint64_t applied_seq = 0;

	for (size_t i = 0; i < STORE_EPOCHS && left.epoch != 0; i++) {
		struct store_epoch one = s->earlier[i];

		s->earlier[i] = left;
		left = one;
		if (one.epoch == epoch) {
			applied_seq = one.applied_seq;
			break; /* its place is free now */
		}
	}
	return applied_seq;
}

/* What has been applied of an epoch, this one or one before; 0 if it is new. */
static uint64_t applied_of(const struct store_session *s, uint64_t epoch)
{
	if (s->epoch == epoch)
		return s->applied_seq;
	for (size_t i = 0; i < STORE_EPOCHS; i++)
		if (s->earlier[i].epoch == epoch)
			return s->earlier[i].applied_seq;
	return 0;
}

/* Whether the agent has yet to give numbers that we have batches of: its state is an old copy. It
 * will see that, and leave the epoch; whoever has the name now keeps it until then. */
static bool is_copy(const struct store_session *s, const struct wire_hello *h)
{
	return h->next_seq != 0 && applied_of(s, h->epoch) >= h->next_seq;
}

/* Where the stream stands for an agent that begins with this epoch and instance. */
static void take_over(struct store_session *s, const struct wire_hello *h)
{
	if (s->epoch != h->epoch) {
		s->applied_seq = leave_epoch(s, h->epoch);
		s->batches = s->applied_seq;
		s->lost = 0;
		s->epoch = h->epoch;
	}
	if (s->instance != h->instance)
		s->session++;
	s->instance = h->instance;
	s->seen_ms = clock_wall_ms();
}

void sessions_hello(struct sessions *s, struct store_txn *t, const struct wire_hello *h,
		    int64_t now_ms, struct wire_welcome *ret_w)
{
	*ret_w = (struct wire_welcome){
		.code = WIRE_REFUSED,
		.reason = "",
		.version = WIRE_VERSION,
		.features = h->features & WIRE_FEATURES,
		.max_batch_bytes = WIRE_BODY_MAX,
		.credit = CREDIT,
		.server_time_ms = clock_wall_ms(),
	};
	if (h->version_min > WIRE_VERSION || h->version_max < WIRE_VERSION) {
		ret_w->reason =
			"no common protocol version: upgrade the older of agent and aggregator";
		return;
	}
	struct session *e = find(s, h->agent);
	if (e != NULL && e->stored.epoch != h->epoch && now_ms - e->seen_ms < ALIVE_MS) {
		ret_w->reason = "another agent of this name is alive: give each agent its own name";
		return;
	}
	if (e == NULL) {
		struct store_session stored = {0};

		if (!store_get_session(t, h->agent, &stored) && !has_room(s, now_ms)) {
			ret_w->reason = "too many agents are known here: give agents keys, so that "
					"nobody else invents any, or try again in an hour";
			return;
		}
		e = add(s, h->agent);
		e->stored = stored;
	}
	if (is_copy(&e->stored, h)) {
		ret_w->code = WIRE_OK;
		ret_w->applied_seq = applied_of(&e->stored, h->epoch);
		return;
	}
	take_over(&e->stored, h);
	e->seen_ms = now_ms;
	e->features = ret_w->features;
	snprintf(e->software, sizeof(e->software), "%s", h->software);
	store_put_session(t, h->agent, &e->stored);
	ret_w->code = WIRE_OK;
	ret_w->session = e->stored.session;
	ret_w->applied_seq = e->stored.applied_seq;
}

enum session_turn session_turn(struct sessions *s, const struct wire_batch *b, int64_t now_ms,
			       uint64_t *ret_lost)
{
	struct session *e = find(s, b->agent);

	*ret_lost = 0;
	if (e == NULL || e->stored.epoch != b->epoch)
		return SESSION_HELLO;
	if (e->stored.instance != b->instance)
		return SESSION_FENCED;
	e->seen_ms = now_ms;
	if (b->seq <= e->stored.applied_seq)
		return SESSION_DUPLICATE;
	if (b->floor_seq > e->stored.applied_seq + 1) {
		uint64_t floor = MIN(b->floor_seq, b->seq);
		*ret_lost = floor - 1 - e->stored.applied_seq;
		e->stored.lost += *ret_lost;
		e->stored.applied_seq = floor - 1;
	}
	return b->seq == e->stored.applied_seq + 1 ? SESSION_NOW : SESSION_LATER;
}

void session_applied(struct sessions *s, struct store_txn *t, const struct wire_batch *b)
{
	struct session *e = find(s, b->agent);

	e->stored.applied_seq = b->seq;
	e->stored.batches++;
	e->stored.seen_ms = clock_wall_ms();
	store_put_session(t, b->agent, &e->stored);
}

uint64_t session_number(const struct sessions *s, const char *agent)
{
	const struct session *e = find(s, agent);

	return e == NULL ? 0 : e->stored.session;
}

uint64_t session_applied_seq(const struct sessions *s, const char *agent)
{
	const struct session *e = find(s, agent);

	return e == NULL ? 0 : e->stored.applied_seq;
}

uint64_t session_features(const struct sessions *s, const char *agent)
{
	const struct session *e = find(s, agent);

	return e == NULL ? 0 : e->features;
}

const char *session_software(const struct sessions *s, const char *agent)
{
	const struct session *e = find(s, agent);

	return e == NULL ? "" : e->software;
}
