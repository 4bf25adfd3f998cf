/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/link.h"

#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/again.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/nng_watch.h"
#include "proto/frame.h"
#include "proto/wire.h"

/*
 * Threads: nng calls on_slot() and on_pipe() from threads of its own. They only note what has
 * happened, under the lock, and wake the owner; link_wait() tells it in the owner's thread.
 * No call into nng is made with the lock held.
 *
 * A slot is FREE -> SENDING (nng has not given it to a connection yet) -> WAITING (for the reply)
 * -> REPLIED or FAILED -> FREE. The receive is started when the send is through and not before:
 * nng up to 1.5 may crash when a receive that overlaps a send is cancelled.
 */

#define REPLY_MAX (1u << 20)
#define RECONNECT_MIN_MS 200
#define RECONNECT_MAX_MS 5000
#define RESEND_MS 60000
#define DEAD_LOOKS 2
#define WATCH_MS 1000 /* how often the watchdogs look, at the least */

enum slot_state { SLOT_FREE, SLOT_SENDING, SLOT_WAITING, SLOT_REPLIED, SLOT_FAILED };

struct slot {
	struct link *link;
	nng_ctx ctx;
	nng_aio *aio;
	enum slot_state state;
	nng_msg *reply; /* owned, SLOT_REPLIED only */
};

struct link {
	nng_socket socket;
	nng_dialer dialer;
	nng_tls_config *tls; /* NULL: plain tcp */
	char *url;
	struct link_times times;
	nng_msg *told; /* the reply the owner is looking at */
	bool told_up;  /* what the owner believes */
	unsigned int next_slot;
	struct nng_watch *watch;
	int64_t looked_ms;
	int dead_looks; /* in a row, that the connection was found dead */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot slots[LINK_SLOTS];
	uint32_t pipe;    /* the connection, also while it is being made; 0: none */
	bool up;          /* it is made */
	uint32_t changes; /* counts the times up became false, so that none is missed */
	uint32_t told_changes;
	bool woken;
	int64_t since_ms;  /* the connection is up, or away, since then */
	int64_t answer_ms; /* the last time a reply came, or was not waited for */
};

static int translate(int rv)
{
	switch (rv) {
	case 0:
		return ERR_OK;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_EINVAL:
	case NNG_EADDRINVAL:
	case NNG_ENOTSUP:
		return ERR_CONFIG;
	default:
		return ERR_LINK;
	}
}

/* ---------------------------------------------------------------- in nng's threads */

/* The connection p works. */
static void note_up(struct link *l, nng_pipe p)
{
	if (l->up || l->pipe != (uint32_t)nng_pipe_id(p))
		return;
	l->up = true;
	l->since_ms = clock_mono_ms();
}

static void on_pipe(nng_pipe p, nng_pipe_ev event, void *arg)
{
	struct link *l = arg;
	uint32_t id = (uint32_t)nng_pipe_id(p);

	pthread_mutex_lock(&l->lock);
	/* The end of a connection may be told before its begin. */
	if (event == NNG_PIPE_EV_ADD_PRE) {
		l->pipe = id;
	} else if (event == NNG_PIPE_EV_ADD_POST) {
		note_up(l, p);
	} else if (event == NNG_PIPE_EV_REM_POST && l->pipe == id) {
		l->changes += l->up;
		l->up = false;
		l->pipe = 0;
		l->since_ms = clock_mono_ms();
	}
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* Take over what the send or the receive of a slot has come to; true: now receive. */
static bool step(struct slot *s, int rv, nng_msg *msg)
{
	if (rv == 0 && s->state == SLOT_SENDING) {
		s->state = SLOT_WAITING;
		return true;
	}
	if (rv == 0) {
		s->reply = msg;
		s->state = SLOT_REPLIED;
		s->link->answer_ms = clock_mono_ms();
		note_up(s->link, nng_msg_get_pipe(msg)); /* may come before on_pipe() says so */
	} else {
		if (s->state == SLOT_SENDING)
			nng_msg_free(msg); /* a failed send gives its message back */
		s->state = SLOT_FAILED;
	}
	return false;
}

static void on_slot(void *arg)
{
	struct slot *s = arg;
	int rv = nng_aio_result(s->aio);
	nng_msg *msg = nng_aio_get_msg(s->aio);

	nng_aio_set_msg(s->aio, NULL);
	pthread_mutex_lock(&s->link->lock);
	bool receive = step(s, rv, msg);
	pthread_cond_signal(&s->link->changed);
	pthread_mutex_unlock(&s->link->lock);
	if (receive)
		nng_ctx_recv(s->ctx, s->aio);
}

/* ---------------------------------------------------------------- open and close */

/* A configuration of nng's of these; both sides must show a certificate. */
static int make_tls(const struct link_tls *tls, nng_tls_config **ret_config)
{
	int rv = nng_tls_config_alloc(ret_config, NNG_TLS_MODE_CLIENT);

	if (rv != 0)
		return translate(rv);
	rv = nng_tls_config_auth_mode(*ret_config, NNG_TLS_AUTH_MODE_REQUIRED);
	if (rv == 0)
		rv = nng_tls_config_server_name(*ret_config, tls->server_name);
	if (rv == 0)
		rv = nng_tls_config_ca_chain(*ret_config, tls->cert->ca, NULL);
	if (rv == 0)
		rv = nng_tls_config_own_cert(*ret_config, tls->cert->chain, tls->cert->key, NULL);
	if (rv == 0)
		return ERR_OK;
	nng_tls_config_free(*ret_config);
	*ret_config = NULL;
	return rv == NNG_ENOMEM ? -ENOMEM : ERR_CONFIG;
}

static int start_dialer(struct link *l)
{
	int rv = nng_dialer_create(&l->dialer, l->socket, l->url);

	if (rv == 0 && l->tls != NULL)
		rv = nng_dialer_set_ptr(l->dialer, NNG_OPT_TLS_CONFIG, l->tls);
	if (rv == 0)
		rv = nng_dialer_start(l->dialer, NNG_FLAG_NONBLOCK);
	return translate(rv);
}

static int open_socket(struct link *l)
{
	int rv = nng_req0_open(&l->socket);

	if (rv == 0)
		rv = nng_socket_set_size(l->socket, NNG_OPT_RECVMAXSZ, REPLY_MAX);
	if (rv == 0)
		rv = nng_socket_set_ms(l->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
	if (rv == 0)
		rv = nng_socket_set_ms(l->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
	if (rv == 0)
		rv = nng_socket_set_bool(l->socket, NNG_OPT_TCP_KEEPALIVE, true);
	if (rv == 0) /* contexts take it over when they are opened */
		rv = nng_socket_set_ms(l->socket, NNG_OPT_REQ_RESENDTIME, RESEND_MS);
	for (nng_pipe_ev ev = NNG_PIPE_EV_ADD_PRE; rv == 0 && ev <= NNG_PIPE_EV_REM_POST; ev++)
		rv = nng_pipe_notify(l->socket, ev, on_pipe, l);
	return translate(rv);
}

static int open_slots(struct link *l)
{
	for (unsigned int i = 0; i < LINK_SLOTS; i++) {
		struct slot *s = &l->slots[i];
		int rv = nng_aio_alloc(&s->aio, on_slot, s);

		s->link = l;
		if (rv == 0)
			rv = nng_ctx_open(&s->ctx, l->socket);
		if (rv != 0)
			return translate(rv);
		nng_aio_set_timeout(s->aio, NNG_DURATION_INFINITE);
	}
	return ERR_OK;
}

static void init_lock(struct link *l)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static bool is_ours(const char *url, const struct link_tls *tls)
{
	if (strncmp(url, "tls+tcp://", 10) == 0)
		return tls != NULL;
	return strncmp(url, "tcp://", 6) == 0;
}

/* What is nng's to look at stays: the socket, whose close may hang up to nng 1.7, and the struct
 * on_pipe() is called with, which the socket keeps. */
static void stop(struct link *l)
{
	if (nng_dialer_id(l->dialer) > 0)
		nng_dialer_close(l->dialer);
	for (unsigned int i = 0; i < LINK_SLOTS; i++) {
		struct slot *s = &l->slots[i];

		if (s->aio == NULL)
			continue;
		nng_aio_stop(s->aio);
		nng_aio_free(s->aio);
		if (s->reply != NULL)
			nng_msg_free(s->reply);
		s->reply = NULL;
		s->aio = NULL;
	}
	if (l->watch != NULL)
		nng_watch_free(&l->watch);
	if (l->told != NULL)
		nng_msg_free(l->told);
	if (l->tls != NULL)
		nng_tls_config_free(l->tls);
	free(l->url);
	l->tls = NULL;
	l->told = NULL;
	l->url = NULL;
}

void link_close(struct link *l)
{
	if (l == NULL)
		return;
	stop(l);
	if (nng_socket_id(l->socket) <= 0)
		free(l);
}

static void close_link(struct link **l)
{
	link_close(*l);
}

int link_open(const char *url, struct link_times times, const struct link_tls *tls,
	      struct link **ret_link)
{
	if (!is_ours(url, tls))
		return ERR_CONFIG;
	CLEANUP(close_link) struct link *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	init_lock(l);
	l->times = times;
	l->since_ms = l->answer_ms = clock_mono_ms();
	l->url = strdup(url);
	if (l->url == NULL)
		return -ENOMEM;

	int err = strncmp(url, "tls", 3) == 0 ? make_tls(tls, &l->tls) : ERR_OK;
	if (err == ERR_OK)
		err = nng_watch_new(&l->watch);
	if (err == ERR_OK)
		err = open_socket(l);
	if (err == ERR_OK)
		err = open_slots(l);
	if (err == ERR_OK)
		err = start_dialer(l);
	if (err == ERR_OK) {
		*ret_link = l;
		l = NULL;
	}
	return err;
}

/* ---------------------------------------------------------------- in the owner's thread */

static bool is_out(const struct slot *s)
{
	return s->state == SLOT_SENDING || s->state == SLOT_WAITING;
}

static bool any_out(const struct link *l)
{
	for (unsigned int i = 0; i < LINK_SLOTS; i++)
		if (is_out(&l->slots[i]))
			return true;
	return false;
}

int link_send(struct link *l, unsigned int slot, const void *msg, size_t size)
{
	struct slot *s = &l->slots[slot];
	nng_msg *m = NULL;

	assert(slot < LINK_SLOTS && s->state == SLOT_FREE);
	/* Larger ones make the aggregator hang up and nng send them again, for ever. */
	if (size > FRAME_HEADER + WIRE_BODY_MAX + FRAME_CODE)
		return ERR_LIMIT;
	if (nng_msg_alloc(&m, size) != 0)
		return -ENOMEM;
	memcpy(nng_msg_body(m), msg, size);

	pthread_mutex_lock(&l->lock);
	if (!any_out(l))
		l->answer_ms = clock_mono_ms();
	s->state = SLOT_SENDING;
	pthread_mutex_unlock(&l->lock);
	nng_aio_set_msg(s->aio, m);
	nng_ctx_send(s->ctx, s->aio);
	return ERR_OK;
}

static void redial(struct link *l)
{
	if (nng_dialer_id(l->dialer) > 0)
		nng_dialer_close(l->dialer);
	l->dialer = (nng_dialer)NNG_DIALER_INITIALIZER;
	/* Where this fails there is no memory, and the next turn of the watchdog comes. */
	(void)start_dialer(l);
}

int link_renew(struct link *l, const struct link_tls *tls)
{
	nng_tls_config *config = NULL;
	int err = make_tls(tls, &config);

	if (err != ERR_OK)
		return err;
	if (l->tls != NULL)
		nng_tls_config_free(l->tls);
	l->tls = config;
	redial(l); /* closes what the dialer before has connected */
	return ERR_OK;
}

/* nng does not work any more, see nng_watch.h. */
static void end_stuck(const struct link *l)
{
	log_error("nng is stuck: the process begins anew", "url=%s", l->url);
	log_error("it cannot", "err=%s", log_quote(err_str(again())));
	abort();
}

/* nng does not always notice the end of a TLS connection that comes between two parts of a message.
 * It has then shut the socket down, which has no peer any more. */
static bool is_dead(struct link *l, bool up, nng_pipe p)
{
	nng_sockaddr a;

	l->dead_looks =
		up && nng_pipe_get_addr(p, NNG_OPT_REMADDR, &a) != 0 ? l->dead_looks + 1 : 0;
	return l->dead_looks >= DEAD_LOOKS;
}

/* nng by itself notices neither a peer that is frozen nor a dial that does not end. */
static void watch(struct link *l, int64_t now)
{
	bool look = now - l->looked_ms >= WATCH_MS;

	l->looked_ms = look ? now : l->looked_ms;
	pthread_mutex_lock(&l->lock);
	bool lonely = !l->up && now - l->since_ms >= l->times.redial_ms;
	bool silent =
		l->up && any_out(l) && now - MAX(l->answer_ms, l->since_ms) >= l->times.reply_ms;
	nng_pipe pipe = {.id = l->pipe};
	bool up = l->up;
	if (lonely)
		l->since_ms = now;
	if (silent)
		l->answer_ms = now;
	pthread_mutex_unlock(&l->lock);

	if (lonely)
		redial(l);
	if (silent || (look && is_dead(l, up, pipe)))
		nng_pipe_close(pipe);
	if (look && nng_watch_stuck(l->watch, now))
		end_stuck(l);
}

static bool next_change(struct link *l, struct link_event *e)
{
	if (l->told_up && (!l->up || l->changes != l->told_changes)) {
		l->told_up = false;
		e->kind = LINK_DOWN;
		return true;
	}
	if (!l->told_up && l->up) {
		l->told_up = true;
		l->told_changes = l->changes;
		e->kind = LINK_UP;
		return true;
	}
	return false;
}

static bool next_slot(struct link *l, struct link_event *e)
{
	for (unsigned int i = 0; i < LINK_SLOTS; i++) {
		unsigned int at = (l->next_slot + i) % LINK_SLOTS;
		struct slot *s = &l->slots[at];

		if (s->state != SLOT_REPLIED && s->state != SLOT_FAILED)
			continue;
		e->kind = s->state == SLOT_REPLIED ? LINK_REPLY : LINK_LOST;
		e->slot = at;
		l->told = s->reply;
		s->reply = NULL;
		s->state = SLOT_FREE;
		l->next_slot = at + 1;
		return true;
	}
	return false;
}

static bool next_event(struct link *l, struct link_event *e)
{
	if (next_change(l, e) || next_slot(l, e))
		return true;
	bool woken = l->woken;
	l->woken = false;
	return woken;
}

/* Called with the lock held. */
static void sleep_until(struct link *l, int64_t ms)
{
	struct timespec at = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	pthread_cond_timedwait(&l->changed, &l->lock, &at);
}

void link_wait(struct link *l, int timeout_ms, struct link_event *ret_event)
{
	int64_t now = clock_mono_ms();
	int64_t end = now + timeout_ms;
	bool done = false;

	*ret_event = (struct link_event){.kind = LINK_NOTHING};
	if (l->told != NULL)
		nng_msg_free(l->told);
	l->told = NULL;
	while (!done) {
		watch(l, now);
		pthread_mutex_lock(&l->lock);
		done = next_event(l, ret_event) || now >= end;
		if (!done)
			sleep_until(l, MIN(end, now + WATCH_MS));
		pthread_mutex_unlock(&l->lock);
		now = clock_mono_ms();
	}
	if (l->told != NULL) {
		ret_event->data = nng_msg_body(l->told);
		ret_event->size = nng_msg_len(l->told);
	}
}

void link_wake(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->woken = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
}
