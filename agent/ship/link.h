/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * link - the connection of an agent to one aggregator: requests out, their replies back.
 *
 * The only file of the agent that knows nng. A link has LINK_SLOTS slots; each carries one
 * request at a time and is free again when its reply, or its loss, has been reported. The
 * link connects, connects again and re-sends what is unanswered by itself, for ever: a
 * request may therefore reach the aggregator more than once, and after LINK_DOWN and
 * LINK_UP it arrives on a connection that has not seen a hello.
 *
 * One thread owns a link and must come back to link_wait() at least once a second or so,
 * for the watchdogs run there: a connection on which nothing answers is closed, a dialer
 * that does not get through is replaced, and when nng itself is stuck (see nng_watch.h) the
 * process begins anew, as after a crash. Only link_wake() may be called by other threads.
 */

#include "common/base.h"
#include "common/cert.h"

#define LINK_SLOTS 16 /* the most that an aggregator may ask for, and a hello */

enum link_event_kind {
	LINK_NOTHING, /* the time is over, or link_wake() was called */
	LINK_UP,      /* connected */
	LINK_DOWN,    /* the connection is gone; requests stay in their slots */
	LINK_REPLY,   /* to the request in slot, which is free now; may come after its LINK_DOWN */
	LINK_LOST,    /* the request in slot was given up without a reply; the slot is free now */
};

struct link_event {
	enum link_event_kind kind;
	unsigned int slot;   /* LINK_REPLY and LINK_LOST */
	const uint8_t *data; /* LINK_REPLY: borrowed, valid until the next link_wait() */
	size_t size;
};

struct link_times {
	int64_t redial_ms; /* without a connection this long: a new dialer */
	int64_t reply_ms;  /* requests out and no reply this long: a new connection */
};

#define LINK_TIMES ((struct link_times){.redial_ms = 30000, .reply_ms = 30000})

struct link_tls {
	const struct cert *cert;
	const char *server_name; /* that the aggregator's certificate must have */
};

struct link;

/* Start to connect to url, "tcp://host:port" or "tls+tcp://host:port"; does not wait. tls is needed
 * by the latter only, and copied. ERR_CONFIG: not such a URL, or nng does not take the
 * certificate. -ENOMEM. */
MUST_CHECK int link_open(const char *url, struct link_times times, const struct link_tls *tls,
			 struct link **ret_link);

/* Connect anew, from now on with these; what is out is sent again. Better called when nothing is.
 * ERR_CONFIG, and all is as before, if nng does not take them. -ENOMEM. */
MUST_CHECK int link_renew(struct link *l, const struct link_tls *tls);

/* Send size bytes, which are copied, in a free slot; also while there is no connection.
 * ERR_LIMIT: larger than an aggregator takes. -ENOMEM. Sending in a slot that is not
 * free is our bug. */
MUST_CHECK int link_send(struct link *l, unsigned int slot, const void *msg, size_t size);

/* Wait up to timeout_ms for the next event. Changes of the connection come before replies. */
void link_wait(struct link *l, int timeout_ms, struct link_event *ret_event);

/* Make link_wait() return, now or when it is next called. Any thread may call this. */
void link_wake(struct link *l);

/* Stop and give everything back that nng can give back safely. Accepts NULL. */
void link_close(struct link *l);
