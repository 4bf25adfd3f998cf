/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * link - the door agents come in by: requests are queued here until they are answered.
 *
 * Its files alone know nng in the aggregator. Every request that is taken must be
 * answered once with ingest_link_reply(), in any order, from any thread. What is held,
 * queued or taken, is bounded in number and bytes; beyond that a request is answered at
 * once with the busy reply the owner supplied, and nothing of it is kept. When nng
 * itself is stuck (see nng_watch.h) the process begins anew, as after a crash.
 */

#include "common/base.h"
#include "common/buf.h"
#include "common/cert.h"

#define INGEST_LINK_LISTENERS_MAX 16
#define INGEST_LINK_CONTEXTS 192 /* requests held for one listener */
#define INGEST_LINK_REMOTE_MAX 64

#define INGEST_LINK_PEER_MAX 320      /* more than an agent's name has */
#define INGEST_LINK_NO_NAME "(no CN)" /* the peer whose certificate has none: no agent's name */

struct ingest_listen {
	const char *url;         /* "tcp://address:port" or "tls+tcp://address:port" */
	const struct cert *cert; /* for the latter: ours, and who may connect; else NULL */
};

struct ingest_link_limits {
	size_t bytes;       /* of all requests held; at least one of the largest size */
	size_t messages;    /* requests held */
	size_t connections; /* at a time, all listeners; for one more the oldest is closed that has
			       said nothing, or that one if all have spoken */
	int64_t idle_ms;    /* a connection that is silent this long is closed; one that does not
			     * take its replies goes after 10 s, or this if it is less */
	const void *busy;   /* the reply when over bytes or messages; copied at open */
	size_t busy_size;
};

struct ingest_link_stats {
	uint64_t messages;    /* requests received, also those answered busy */
	uint64_t busy;        /* answered busy */
	uint64_t connections; /* now */
	uint64_t refused;     /* connections closed because there were too many */
	uint64_t idle;        /* connections closed because they were silent, or did not read */
	uint64_t silent;      /* connections closed before they were secure, which took too long */
	uint64_t held;        /* requests now queued or taken */
	uint64_t held_bytes;
};

struct ingest_message {
	struct ingest_message *next; /* in the list taken; then the owner's to use */
	const uint8_t *data;         /* borrowed until the reply */
	size_t size;
	int64_t received_ms;                 /* wall clock */
	unsigned int listener;               /* index of the URL it came in by */
	uint32_t connection;                 /* the same number: the same connection; never 0 */
	char remote[INGEST_LINK_REMOTE_MAX]; /* "10.0.0.7:51234", "[::1]:51234" or "unknown" */
	char peer[INGEST_LINK_PEER_MAX];     /* CN of its certificate, or INGEST_LINK_NO_NAME; ""
					      * without one, or if nng does not tell */
};

struct ingest_link;

/* Whether this build learns the name in a peer's certificate (nng 1.6 and later). */
bool ingest_link_knows_peers(void);

/* Listen on count URLs. With TLS a peer must show a certificate of one of our CAs.
 * ERR_CONFIG: a URL is not of that form, its host is unknown, or nng does not take the
 * certificate. -EADDRINUSE,
 * -EADDRNOTAVAIL, -EACCES, -ENOMEM, ERR_LINK: cannot listen. A sentence that names the URL
 * and the reason is then appended to why. */
MUST_CHECK int ingest_link_open(const struct ingest_listen *listen, size_t count,
				const struct ingest_link_limits *limits, struct buf *why,
				struct ingest_link **ret_link);

/* All requests queued, the oldest first; waits up to timeout_ms for the first. NULL: none came,
 * or ingest_link_wake() was called. One thread takes, and must do so every few seconds, because
 * silent connections are closed here. */
struct ingest_message *ingest_link_take(struct ingest_link *l, int timeout_ms);

/* Make ingest_link_take() return, now or when it is next called. Any thread may call this. */
void ingest_link_wake(struct ingest_link *l);

/* Answer m with size bytes, which are copied; m is not valid after. A peer that has gone, or no
 * memory for the reply, is not an error: agents ask again. */
void ingest_link_reply(struct ingest_message *m, const void *reply, size_t size);

/* May be called from any thread. */
void ingest_link_stats(struct ingest_link *l, struct ingest_link_stats *ret_stats);

/* Stop listening, drop connections and what is queued; for the end of the process, not to listen
 * anew in it: nng may hang after (see above). Every request taken must have been answered.
 * Accepts NULL. */
void ingest_link_close(struct ingest_link *l);
