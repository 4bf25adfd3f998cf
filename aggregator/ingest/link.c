/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/silent.h"
#include "common/again.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/nng_watch.h"
#include "proto/wire.h"

/*
 * Each listener has a socket with INGEST_LINK_CONTEXTS contexts. A context receives, holds the one
 * request until it is answered, sends the reply, and receives again. nng itself holds at most
 * one request more for each connection, so that everything a peer can make us keep is bounded
 * by contexts and connections times RECEIVE_MAX.
 *
 * Threads: on_context() and on_pipe() run in nng's. They and the owner share what the lock
 * guards; no call into nng is made with it held.
 */

#define RECEIVE_MAX (WIRE_BODY_MAX + 65536)
#define REPLY_MS 10000  /* a peer that does not take a reply for so long is closed */
#define SILENT_MS 10000 /* a connection that is not secure by then is closed */
#define DEAD_LOOKS 2
#define SWEEP_MS 1000 /* how often silent connections are looked for */

enum context_state { CONTEXT_RECEIVING, CONTEXT_HELD, CONTEXT_REPLYING };

struct context {
	struct ingest_message message; /* valid while held */
	struct listener *listener;
	nng_ctx ctx;
	nng_aio *aio;
	enum context_state state;
	nng_msg *request; /* owned, while held */
	nng_pipe peer;    /* who is to get the reply */
};

struct listener {
	struct ingest_link *link;
	nng_socket socket;
	nng_listener handle;
	unsigned int index;
	nng_duration reply_ms;
	struct context contexts[INGEST_LINK_CONTEXTS];
};

struct connection {
	int64_t heard_ms;
	int64_t closed_ms; /* when we closed it; 0: it is open */
	int dead_looks;    /* in a row, that it was found dead */
	char remote[INGEST_LINK_REMOTE_MAX];
	char peer[INGEST_LINK_PEER_MAX];
};

struct ingest_link {
	struct ingest_link_limits limits; /* busy is not used */
	void *busy;                       /* owned */
	struct silent silent;             /* of the ports with TLS */
	struct nng_watch *watch;
	struct listener *listeners;
	size_t listener_count;
	int64_t swept_ms;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct ingest_message *first; /* the queue, oldest first */
	struct ingest_message **last;
	uint32_t *ids; /* limits.connections of them: nng's number of each, 0: not in use */
	struct connection *connections;
	struct ingest_link_stats stats;
	bool woken;
};

/* ---------------------------------------------------------------- connections */

/* The entry of a connection, or limits.connections. Called with the lock held. */
static size_t find(const struct ingest_link *l, uint32_t id)
{
	size_t i = 0;

	while (i < l->limits.connections && l->ids[i] != id)
		i++;
	return i;
}

static void describe(nng_pipe p, char text[static INGEST_LINK_REMOTE_MAX])
{
	nng_sockaddr a;

	snprintf(text, INGEST_LINK_REMOTE_MAX, "unknown");
	if (nng_pipe_get_addr(p, NNG_OPT_REMADDR, &a) != 0)
		return;
	if (a.s_family == NNG_AF_INET)
		silent_describe(AF_INET, &a.s_in.sa_addr, a.s_in.sa_port, text);
	else if (a.s_family == NNG_AF_INET6)
		silent_describe(AF_INET6, a.s_in6.sa_addr, a.s_in6.sa_port, text);
}

#ifdef NNG_OPT_TLS_PEER_CN
static void name_peer(nng_pipe p, char name[static INGEST_LINK_PEER_MAX])
{
	char *cn = NULL;

	if (nng_pipe_get_string(p, NNG_OPT_TLS_PEER_CN, &cn) != 0 || cn == NULL)
		return;
	/* One that is cut is nobody's name: agents' are shorter. */
	snprintf(name, INGEST_LINK_PEER_MAX, "%s", cn);
	nng_strfree(cn);
}

bool ingest_link_knows_peers(void)
{
	return true;
}
#else
static void name_peer(nng_pipe p, char name[static INGEST_LINK_PEER_MAX])
{
	(void)p;
	name[0] = '\0';
}

bool ingest_link_knows_peers(void)
{
	return false;
}
#endif

/* Take a new connection in; false: there are too many. */
static bool admit(struct ingest_link *l, nng_pipe p)
{
	struct connection c = {.heard_ms = clock_mono_ms()};

	describe(p, c.remote);
	name_peer(p, c.peer);
	pthread_mutex_lock(&l->lock);
	size_t i = find(l, 0);
	bool ok = i < l->limits.connections;
	if (ok) {
		l->ids[i] = (uint32_t)nng_pipe_id(p);
		l->connections[i] = c;
		l->stats.connections++;
	} else {
		l->stats.refused++;
	}
	pthread_mutex_unlock(&l->lock);
	return ok;
}

static void forget(struct ingest_link *l, nng_pipe p)
{
	pthread_mutex_lock(&l->lock);
	size_t i = find(l, (uint32_t)nng_pipe_id(p));
	if (i < l->limits.connections) {
		l->ids[i] = 0;
		l->stats.connections--;
	}
	pthread_mutex_unlock(&l->lock);
}

static void on_pipe(nng_pipe p, nng_pipe_ev event, void *arg)
{
	if (event == NNG_PIPE_EV_REM_POST)
		forget(arg, p);
	else if (!admit(arg, p))
		nng_pipe_close(p);
}

/* Note that the connection of entry i is being closed by us. Called with the lock held. */
static void note_closed(struct ingest_link *l, size_t i, int64_t now)
{
	l->connections[i].closed_ms = now;
	l->stats.idle++;
}

/* The next connection that has been silent for too long, or 0. */
static uint32_t next_silent(struct ingest_link *l, int64_t now)
{
	uint32_t id = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; id == 0 && i < l->limits.connections; i++) {
		struct connection *c = &l->connections[i];

		if (l->ids[i] == 0)
			continue;
		if (c->closed_ms == 0 && now - c->heard_ms >= l->limits.idle_ms) {
			note_closed(l, i, now);
			id = l->ids[i];
		}
	}
	pthread_mutex_unlock(&l->lock);
	return id;
}

/* Note what was found of the connection of entry i. Whether it is to be closed. */
static bool note_dead(struct ingest_link *l, size_t i, uint32_t id, bool dead, int64_t now)
{
	bool close = false;

	pthread_mutex_lock(&l->lock);
	if (l->ids[i] == id) {
		struct connection *c = &l->connections[i];

		c->dead_looks = dead ? c->dead_looks + 1 : 0;
		close = c->dead_looks >= DEAD_LOOKS && c->closed_ms == 0;
		if (close)
			c->closed_ms = now;
	}
	pthread_mutex_unlock(&l->lock);
	return close;
}

/* nng does not always notice the end of a TLS connection that comes between two parts of a message.
 * It has then shut the socket down, which has no peer any more. */
static void sweep_dead(struct ingest_link *l, int64_t now)
{
	for (size_t i = 0; i < l->limits.connections; i++) {
		pthread_mutex_lock(&l->lock);
		nng_pipe p = {.id = l->ids[i]};
		pthread_mutex_unlock(&l->lock);
		nng_sockaddr a;

		if (p.id != 0 &&
		    note_dead(l, i, p.id, nng_pipe_get_addr(p, NNG_OPT_REMADDR, &a) != 0, now))
			nng_pipe_close(p);
	}
}

/* nng does not work any more, see nng_watch.h. */
static void end_stuck(void)
{
	log_error("nng is stuck: the process begins anew", "");
	log_error("it cannot", "err=%s", log_quote(err_str(again())));
	abort();
}

/* Whether nng has told of the connection from there. Called without the lock. */
static bool is_known(void *arg, const char *remote)
{
	struct ingest_link *l = arg;
	bool known = false;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; !known && i < l->limits.connections; i++)
		known = l->ids[i] != 0 && strcmp(l->connections[i].remote, remote) == 0;
	pthread_mutex_unlock(&l->lock);
	return known;
}

static void sweep_silent(struct ingest_link *l, int64_t now)
{
	if (l->silent.port_count == 0)
		return;
	size_t ended = silent_sweep(&l->silent, now, MIN(l->limits.idle_ms, (int64_t)SILENT_MS),
				    is_known, l);
	pthread_mutex_lock(&l->lock);
	l->stats.silent += ended;
	pthread_mutex_unlock(&l->lock);
}

static void sweep(struct ingest_link *l, int64_t now)
{
	uint32_t id;

	if (now - l->swept_ms < SWEEP_MS)
		return;
	l->swept_ms = now;
	if (nng_watch_stuck(l->watch, now))
		end_stuck();
	sweep_silent(l, now);
	sweep_dead(l, now);
	while ((id = next_silent(l, now)) != 0)
		nng_pipe_close((nng_pipe){.id = id});
}

/* ---------------------------------------------------------------- requests and replies */

static void receive(struct context *c)
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
		receive(c);
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
	size_t i = find(l, id);

	l->stats.messages++;
	if (i < l->limits.connections)
		l->connections[i].heard_ms = clock_mono_ms();
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
	size_t i = find(l, (uint32_t)nng_pipe_id(c->peer));
	if (i < l->limits.connections && l->connections[i].closed_ms == 0)
		note_closed(l, i, clock_mono_ms());
	pthread_mutex_unlock(&l->lock);
	nng_pipe_close(c->peer);
}

static void on_context(void *arg)
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
		receive(c);
}

/* ---------------------------------------------------------------- open and close */

static int translate(int rv)
{
	switch (rv) {
	case 0:
		return ERR_OK;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	case NNG_EPERM:
		return -EACCES;
	case NNG_EINVAL:
	case NNG_ENOTSUP:
	case NNG_EADDRINVAL:
	case NNG_ECRYPTO:
		return ERR_CONFIG;
	default:
		return ERR_LINK;
	}
}

static const char *reason(int rv)
{
	switch (rv) {
	case NNG_EADDRINUSE:
		return "address already in use";
	case NNG_EPERM:
		return "not permitted";
	case NNG_EADDRINVAL:
		return "unknown host, or not an address of this machine";
	case NNG_EINVAL:
	case NNG_ENOTSUP:
		return "not a URL of the form tcp://address:port or tls+tcp://address:port";
	case NNG_ECRYPTO:
		return "the certificate, its key or the CAs are of a kind that nng does not take; "
		       "use ECDSA P-256 or RSA";
	default:
		return nng_strerror(rv);
	}
}

static int open_socket(struct listener *to)
{
	int rv = nng_rep0_open(&to->socket);

	/* Before the listener, which copies it: the default is no limit at all. */
	if (rv == 0)
		rv = nng_socket_set_size(to->socket, NNG_OPT_RECVMAXSZ, RECEIVE_MAX);
	if (rv == 0)
		rv = nng_socket_set_bool(to->socket, NNG_OPT_TCP_KEEPALIVE, true);
	if (rv == 0)
		rv = nng_pipe_notify(to->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, to->link);
	if (rv == 0)
		rv = nng_pipe_notify(to->socket, NNG_PIPE_EV_REM_POST, on_pipe, to->link);
	return rv;
}

static int open_contexts(struct listener *to)
{
	for (size_t i = 0; i < INGEST_LINK_CONTEXTS; i++) {
		struct context *c = &to->contexts[i];
		int rv = nng_aio_alloc(&c->aio, on_context, c);

		c->listener = to;
		if (rv == 0)
			rv = nng_ctx_open(&c->ctx, to->socket);
		if (rv != 0)
			return rv;
		receive(c);
	}
	return 0;
}

/* Have the listener speak TLS, with peers that show a certificate. */
static int set_tls(nng_listener handle, const struct cert *cert)
{
	nng_tls_config *tls = NULL;
	int rv = nng_tls_config_alloc(&tls, NNG_TLS_MODE_SERVER);

	if (rv != 0)
		return rv;
	rv = nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED);
	if (rv == 0)
		rv = nng_tls_config_ca_chain(tls, cert->ca, NULL);
	if (rv == 0)
		rv = nng_tls_config_own_cert(tls, cert->chain, cert->key, NULL);
	if (rv == 0)
		rv = nng_listener_set_ptr(handle, NNG_OPT_TLS_CONFIG, tls);
	nng_tls_config_free(tls); /* the listener holds it */
	return rv;
}

static bool is_tls(const char *url)
{
	return strncmp(url, "tls+tcp://", 10) == 0;
}

static bool is_ours(const struct ingest_listen *listen)
{
	return is_tls(listen->url) ? listen->cert != NULL : strncmp(listen->url, "tcp://", 6) == 0;
}

static void watch_port(struct ingest_link *l, const char *url)
{
	const char *colon = strrchr(url, ':');

	l->silent.ports[l->silent.port_count++] = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static int open_listener(struct ingest_link *l, unsigned int index,
			 const struct ingest_listen *listen)
{
	struct listener *to = &l->listeners[index];

	to->link = l;
	to->index = index;
	to->reply_ms = (nng_duration)MIN(l->limits.idle_ms, REPLY_MS);
	int rv = is_ours(listen) ? open_socket(to) : NNG_EINVAL;
	if (rv == 0)
		rv = open_contexts(to);
	if (rv == 0)
		rv = nng_listener_create(&to->handle, to->socket, listen->url);
	if (rv == 0 && is_tls(listen->url))
		rv = set_tls(to->handle, listen->cert);
	if (rv == 0)
		rv = nng_listener_start(to->handle, 0);
	if (rv == 0 && is_tls(listen->url))
		watch_port(l, listen->url);
	return rv;
}

static int open_all(struct ingest_link *l, const struct ingest_listen *listen, struct buf *why)
{
	for (unsigned int i = 0; i < l->listener_count; i++) {
		int rv = open_listener(l, i, &listen[i]);

		if (rv != 0) {
			buf_printf(why, "cannot listen on %s: %s", listen[i].url, reason(rv));
			return translate(rv);
		}
	}
	return ERR_OK;
}

static int allocate(struct ingest_link *l, const struct ingest_link_limits *limits)
{
	pthread_condattr_t attr;

	l->limits = *limits;
	l->busy = malloc(MAX(limits->busy_size, (size_t)1));
	l->last = &l->first;
	l->listeners = calloc(l->listener_count, sizeof(*l->listeners));
	l->ids = calloc(limits->connections, sizeof(*l->ids));
	l->connections = calloc(limits->connections, sizeof(*l->connections));
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (l->busy == NULL || l->listeners == NULL || l->ids == NULL || l->connections == NULL)
		return -ENOMEM;
	if (limits->busy_size > 0)
		memcpy(l->busy, limits->busy, limits->busy_size);
	return ERR_OK;
}

static void close_link(struct ingest_link **l)
{
	ingest_link_close(*l);
}

int ingest_link_open(const struct ingest_listen *listen, size_t count,
		     const struct ingest_link_limits *limits, struct buf *why,
		     struct ingest_link **ret_link)
{
	assert(count >= 1 && count <= INGEST_LINK_LISTENERS_MAX);
	assert(limits->bytes >= RECEIVE_MAX && limits->messages >= 1 && limits->connections >= 1);
	CLEANUP(close_link) struct ingest_link *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->listener_count = count;
	int err = allocate(l, limits);
	if (err == ERR_OK)
		err = nng_watch_new(&l->watch);
	if (err == ERR_OK)
		err = open_all(l, listen, why);
	else
		buf_puts(why, "no memory to listen");
	if (err == ERR_OK) {
		*ret_link = l;
		l = NULL;
	}
	return err;
}

static void close_context(struct context *c)
{
	if (c->aio == NULL)
		return;
	nng_aio_stop(c->aio);
	nng_aio_free(c->aio);
	c->aio = NULL;
	if (c->request != NULL)
		nng_msg_free(c->request);
	c->request = NULL;
}

static void release(struct ingest_link *l)
{
	if (l->watch != NULL)
		nng_watch_free(&l->watch);
	free(l->busy);
	free(l->listeners);
	free(l->connections);
	free(l->ids);
	silent_free(&l->silent);
	free(l);
}

/* What is nng's to look at stays: sockets, whose close may hang up to nng 1.7, and the struct
 * on_pipe() is called with, which the sockets keep. */
void ingest_link_close(struct ingest_link *l)
{
	if (l == NULL)
		return;
	if (l->listeners == NULL || nng_socket_id(l->listeners[0].socket) <= 0) {
		release(l);
		return;
	}
	for (size_t i = 0; i < l->listener_count; i++)
		if (nng_listener_id(l->listeners[i].handle) > 0)
			nng_listener_close(l->listeners[i].handle);
	for (size_t i = 0; i < l->listener_count; i++)
		for (size_t k = 0; k < INGEST_LINK_CONTEXTS; k++)
			close_context(&l->listeners[i].contexts[k]);

	silent_free(&l->silent);
	nng_watch_free(&l->watch);
	size_t queued = 0;
	for (const struct ingest_message *m = l->first; m != NULL; m = m->next)
		queued++;
	assert(l->stats.held == queued); /* the others are still with the owner */
}

/* ---------------------------------------------------------------- for the owner */

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
		sweep(l, now);
		pthread_mutex_lock(&l->lock);
		list = take_all(l);
		done = list != NULL || l->woken || now >= end;
		if (done)
			l->woken = false;
		else
			sleep_until(l, MIN(end, now + SWEEP_MS));
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
