/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* link_priv - what the files of the link share, and nng. */

#include <nng/nng.h>
#include <pthread.h>

#include "aggregator/ingest/link.h"
#include "aggregator/ingest/silent.h"
#include "common/nng_watch.h"
#include "proto/wire.h"

/*
 * Each listener has a socket with INGEST_LINK_CONTEXTS contexts. A context receives, holds the one
 * request until it is answered, sends the reply, and receives again. nng itself holds at most
 * one request more for each connection, so that everything a peer can make us keep is bounded
 * by contexts and connections times LINK_RECEIVE_MAX.
 *
 * Threads: ingest_link_on_context() and ingest_link_on_pipe() run in nng's. They and the owner
 * share what the lock guards; no call into nng is made with it held.
 */

#define LINK_RECEIVE_MAX (WIRE_BODY_MAX + 65536)

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
	bool spoke;        /* a request has come */
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

/* --- link_peers.c: who is connected --- */

/* The entry of a connection, or limits.connections. Called with the lock held. */
size_t ingest_link_find(const struct ingest_link *l, uint32_t id);

/* Note that the connection of entry i is being closed by us. Called with the lock held. */
void ingest_link_note_closed(struct ingest_link *l, size_t i, int64_t now);

/* nng's callback; arg is the link. */
void ingest_link_on_pipe(nng_pipe p, nng_pipe_ev event, void *arg);

/* Close what is silent or dead; looks once in LINK_SWEEP_MS. */
#define LINK_SWEEP_MS 1000
void ingest_link_sweep(struct ingest_link *l, int64_t now);

/* --- link.c: requests and replies --- */

void ingest_link_receive(struct context *c);

/* nng's callback; arg is the context. */
void ingest_link_on_context(void *arg);
