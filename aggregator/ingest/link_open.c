/* SPDX-License-Identifier: Apache-2.0 */

/* link_open - the link's sockets, from opening to closing. */

#include "aggregator/ingest/link_priv.h"

#include <assert.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/tls/tls.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define REPLY_MS 10000 /* a peer that does not take a reply for so long is closed */

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
		rv = nng_socket_set_size(to->socket, NNG_OPT_RECVMAXSZ, LINK_RECEIVE_MAX);
	if (rv == 0)
		rv = nng_socket_set_bool(to->socket, NNG_OPT_TCP_KEEPALIVE, true);
	if (rv == 0)
		rv = nng_pipe_notify(to->socket, NNG_PIPE_EV_ADD_PRE, ingest_link_on_pipe,
				     to->link);
	if (rv == 0)
		rv = nng_pipe_notify(to->socket, NNG_PIPE_EV_REM_POST, ingest_link_on_pipe,
				     to->link);
	return rv;
}

static int open_contexts(struct listener *to)
{
	for (size_t i = 0; i < INGEST_LINK_CONTEXTS; i++) {
		struct context *c = &to->contexts[i];
		int rv = nng_aio_alloc(&c->aio, ingest_link_on_context, c);

		c->listener = to;
		if (rv == 0)
			rv = nng_ctx_open(&c->ctx, to->socket);
		if (rv != 0)
			return rv;
		ingest_link_receive(c);
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
	assert(limits->bytes >= LINK_RECEIVE_MAX && limits->messages >= 1 &&
	       limits->connections >= 1);
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
 * ingest_link_on_pipe() is called with, which the sockets keep. */
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
