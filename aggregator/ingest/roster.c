/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/roster.h"
#include "common/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names are checked by the guard where agents have keys; without, anybody may make up new ones, and
 * then who has been quiet for longest is forgotten. */
#define AGENTS_MAX 4096

struct roster {
	pthread_mutex_t mtx;
	struct roster_agent *agents; /* under mtx; by name */
	size_t count, cap;           /* under mtx */
};

struct roster *roster_new(void)
{
	struct roster *r = mem_zeroed(1, sizeof(*r));

	pthread_mutex_init(&r->mtx, NULL);
	return r;
}

void roster_free(struct roster **r)
{
	struct roster *gone = *r;

	*r = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_destroy(&gone->mtx);
	free(gone->agents);
	free(gone);
}

/* Where the name is, or would be. Under mtx. */
static size_t place_of(const struct roster *r, const char *name, bool *ret_there)
{
	size_t low = 0;
	size_t high = r->count;

	*ret_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(r->agents[middle].name, name);

		*ret_there = *ret_there || order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_at(struct roster *r, size_t at)
{
	r->count--;
	memmove(r->agents + at, r->agents + at + 1, (r->count - at) * sizeof(*r->agents));
}

static void make_room(struct roster *r)
{
	size_t quiet = 0;

	if (r->count == AGENTS_MAX) {
		for (size_t i = 1; i < r->count; i++)
			if (r->agents[i].seen_ms < r->agents[quiet].seen_ms)
				quiet = i;
		remove_at(r, quiet);
	}
	r->agents = mem_grow(r->agents, r->count, &r->cap, sizeof(*r->agents));
}

static struct roster_agent *take(struct roster *r, const char *name)
{
	bool there = false;
	size_t at = place_of(r, name, &there);

	if (there)
		return &r->agents[at];
	make_room(r);
	at = place_of(r, name, &there);
	memmove(r->agents + at + 1, r->agents + at, (r->count - at) * sizeof(*r->agents));
	r->count++;
	r->agents[at] = (struct roster_agent){.spool_age_ms = -1};
	snprintf(r->agents[at].name, sizeof(r->agents[at].name), "%s", name);
	return &r->agents[at];
}

void roster_hello(struct roster *r, const struct wire_hello *h, uint64_t session, int64_t now_ms)
{
	pthread_mutex_lock(&r->mtx);
	struct roster_agent *a = take(r, h->agent);
	snprintf(a->software, sizeof(a->software), "%s", h->software);
	a->config_hash = h->config_hash;
	a->session = session;
	a->connected_ms = a->seen_ms = now_ms;
	a->skew_count = 0;
	a->hellos++;
	pthread_mutex_unlock(&r->mtx);
}

void roster_batch(struct roster *r, const struct wire_batch *b, int64_t received_ms,
		  enum roster_batch what)
{
	pthread_mutex_lock(&r->mtx);
	struct roster_agent *a = take(r, b->agent);
	a->seen_ms = MAX(a->seen_ms, received_ms);
	a->batches += what == ROSTER_APPLIED;
	a->duplicates += what == ROSTER_DUPLICATE;
	a->rejected += what == ROSTER_REJECTED;
	if (b->sent_ms != 0) {
		a->spool_batches = b->spool_batches;
		a->spool_bytes = b->spool_bytes;
		a->skews_ms[a->skew_count++ % ROSTER_SKEWS] = b->sent_ms - received_ms;
	}
	if (b->sent_steady_ms != 0 && b->pass != 0)
		a->spool_age_ms = MAX(b->sent_steady_ms - b->pass_at_ms, (int64_t)0);
	pthread_mutex_unlock(&r->mtx);
}

bool roster_skew(const struct roster_agent *a, int64_t *ret_skew_ms)
{
	if (a->skew_count == 0)
		return false;
	*ret_skew_ms = a->skews_ms[0];
	for (unsigned i = 1; i < MIN(a->skew_count, (unsigned)ROSTER_SKEWS); i++)
		*ret_skew_ms = MAX(*ret_skew_ms, a->skews_ms[i]);
	return true;
}

void roster_each(struct roster *r, void (*emit)(void *arg, const struct roster_agent *a), void *arg)
{
	struct roster_agent *copies = NULL;

	/* What emit does may take long, and the writer does not wait for it. */
	pthread_mutex_lock(&r->mtx);
	size_t count = r->count;
	copies = malloc(MAX(count, (size_t)1) * sizeof(*copies));
	if (copies == NULL)
		abort();
	if (count > 0)
		memcpy(copies, r->agents, count * sizeof(*copies));
	pthread_mutex_unlock(&r->mtx);
	for (size_t i = 0; i < count; i++)
		emit(arg, &copies[i]);
	free(copies);
}
