/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/link.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/link_priv.h"
#include "common/clock.h"
#include "common/err.h"

/* --- requests and replies --- */

void ingest_link_receive(struct context *c)
{
	c->state = CONTEXT_RECEIVING;
	nng_aio_set_timeout(c->aio, NNG_DURATION_INFINITE);
	nng_ctx_recv(c->ctx, c->aio);
}

/* Where there is no memory nothing is answered: the agent asks again. */
static void answer(struct context *c, const void *reply, size_t size)
{
	nng_msg *m = NULL;

	if (nng_msg_alloc(&m, size) != 0) {
		ingest_link_receive(c);
		return;
	}
	if (size > 0)
		memcpy(nng_msg_body(m), reply, size);
	c->state = CONTEXT_REPLYING;
	nng_aio_set_timeout(c->aio, c->listener->reply_ms);
	nng_aio_set_msg(c->aio, m);
	nng_ctx_send(c->ctx, c->aio);
}

/* Queue a request; false, and nothing kept, if too much is held. Called with the lock held. */
static bool hold(struct context *c, nng_msg *request)
{
	struct ingest_link *l = c->listener->link;
	size_t size = nng_msg_len(request);
	uint32_t id = (uint32_t)nng_pipe_id(nng_msg_get_pipe(request));
	size_t i = ingest_link_find(l, id);

	l->stats.messages++;
	if (i < l->limits.connections) {
		l->connections[i].heard_ms = clock_mono_ms();
		l->connections[i].spoke = true;
	}
	if (l->stats.held >= l->limits.messages ||
	    size > l->limits.bytes - MIN(l->stats.held_bytes, l->limits.bytes)) {
		l->stats.busy++;
		return false;
	}
	l->stats.held++;
	l->stats.held_bytes += size;
	c->request = request;
	c->message = (struct ingest_message){
		.data = nng_msg_body(request),
		.size = size,
		.received_ms = clock_wall_ms(),
		.listener = c->listener->index,
		.connection = id,
	};
	snprintf(c->message.remote, sizeof(c->message.remote), "%s",
		 i < l->limits.connections ? l->connections[i].remote : "unknown");
	if (i < l->limits.connections)
		memcpy(c->message.peer, l->connections[i].peer, sizeof(c->message.peer));
	*l->last = &c->message;
	l->last = &c->message.next;
	pthread_cond_signal(&l->changed);
	return true;
}

static void received(struct context *c, nng_msg *request)
{
	struct ingest_link *l = c->listener->link;

	c->peer = nng_msg_get_pipe(request);
	c->state = CONTEXT_HELD; /* from here on the owner may answer at any time */
	pthread_mutex_lock(&l->lock);
	bool held = hold(c, request);
	pthread_mutex_unlock(&l->lock);
	if (!held) {
		nng_msg_free(request);
		answer(c, l->busy, l->limits.busy_size);
	}
}

/* The peer does not read its replies: it would block one context after the other. */
static void drop_peer(struct context *c)
{
	struct ingest_link *l = c->listener->link;

	pthread_mutex_lock(&l->lock);
	size_t i = ingest_link_find(l, (uint32_t)nng_pipe_id(c->peer));
	if (i < l->limits.connections && l->connections[i].closed_ms == 0)
		ingest_link_note_closed(l, i, clock_mono_ms());
	pthread_mutex_unlock(&l->lock);
	nng_pipe_close(c->peer);
}

void ingest_link_on_context(void *arg)
{
	struct context *c = arg;
	int rv = nng_aio_result(c->aio);
	nng_msg *msg = nng_aio_get_msg(c->aio);

	nng_aio_set_msg(c->aio, NULL);
	if (c->state == CONTEXT_RECEIVING && rv == 0) {
		received(c, msg);
		return;
	}
	if (c->state == CONTEXT_REPLYING && rv != 0 && msg != NULL)
		nng_msg_free(msg); /* a failed send gives its message back */
	if (c->state == CONTEXT_REPLYING && rv == NNG_ETIMEDOUT)
		drop_peer(c);
	if (rv != NNG_ECLOSED && rv != NNG_ECANCELED)
		ingest_link_receive(c);
}

/* --- for the owner --- */

/* Called with the lock held. */
static struct ingest_message *take_all(struct ingest_link *l)
{
	struct ingest_message *list = l->first;

	l->first = NULL;
	l->last = &l->first;
	return list;
}

/* Called with the lock held. */
static void sleep_until(struct ingest_link *l, int64_t ms)
{
	struct timespec at = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	pthread_cond_timedwait(&l->changed, &l->lock, &at);
}

struct ingest_message *ingest_link_take(struct ingest_link *l, int timeout_ms)
{
	int64_t now = clock_mono_ms();
	int64_t end = now + timeout_ms;
	struct ingest_message *list = NULL;
	bool done = false;

	while (!done) {
		ingest_link_sweep(l, now);
		pthread_mutex_lock(&l->lock);
		list = take_all(l);
		done = list != NULL || l->woken || now >= end;
		if (done)
			l->woken = false;
		else
			sleep_until(l, MIN(end, now + LINK_SWEEP_MS));
		pthread_mutex_unlock(&l->lock);
		now = clock_mono_ms();
	}
	return list;
}

void ingest_link_wake(struct ingest_link *l)
{
	pthread_mutex_lock(&l->lock);
	l->woken = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

void ingest_link_reply(struct ingest_message *m, const void *reply, size_t size)
{
	struct context *c = (struct context *)((char *)m - offsetof(struct context, message));
	struct ingest_link *l = c->listener->link;
	nng_msg *request = c->request;

	assert(c->state == CONTEXT_HELD);
	pthread_mutex_lock(&l->lock);
	l->stats.held--;
	l->stats.held_bytes -= m->size;
	pthread_mutex_unlock(&l->lock);
	c->request = NULL;
	answer(c, reply, size); /* the next request may be in c when this returns */
	nng_msg_free(request);
}

void ingest_link_stats(struct ingest_link *l, struct ingest_link_stats *ret_stats)
{
	pthread_mutex_lock(&l->lock);
	*ret_stats = l->stats;
	pthread_mutex_unlock(&l->lock);
}
