/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * shipper_priv - what the files of the shipper share: its states, and who does what in each.
 *
 *               LINK_UP            welcome
 *       DOWN -----------> HELLO ------------> SHIPPING
 *        ^                 | ^                 |  | |
 *        | LINK_DOWN       v | hello_at        |  | +-> HELLO: asked for one, or a new epoch
 *        +-- from all     WAITING <------------+  +---> SHIPPING: acknowledged, rejected,
 *                            refused, fenced            or not before pause_until
 *
 *	shipper.c        the thread: what the link tells, what is due, a new identity, the end
 *	shipper_hello.c  HELLO and WAITING: greeting, proof, welcome, refusal
 *	shipper_batch.c  SHIPPING: batches out of the spool, and the answer to each
 *	shipper_post.c   what is under way, in whichever state
 *
 * All of it runs in the shipper's thread, but for what is marked as shared.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "agent/ship/flight.h"
#include "agent/ship/link.h"
#include "agent/ship/shipper.h"
#include "common/arena.h"
#include "common/buf.h"
#include "proto/frame.h"

#define SHIPPER_RETRY_MS 5000                /* the aggregator has no time for us */
#define SHIPPER_BATCHES_MAX (LINK_SLOTS - 1) /* one slot is for the hello */

enum phase {
	PHASE_DOWN,     /* not connected */
	PHASE_HELLO,    /* hello is on its way */
	PHASE_WAITING,  /* to say hello again at hello_at */
	PHASE_SHIPPING, /* welcome */
};

enum load { LOAD_NONE, LOAD_HELLO, LOAD_BATCH };

struct slot {
	enum load load;
	uint64_t epoch, seq; /* of a batch; of a hello the epoch it told */
};

struct shipper {
	struct shipper_options options;
	struct state *state;
	struct link *link;
	pthread_t thread;
	atomic_llong stop_by; /* shared; monotonic; 0: go on */

	pthread_mutex_t lock;
	struct identity next;  /* shared: to be shown soon; under lock */
	atomic_llong renew_by; /* shared; monotonic, when next is shown at the latest; 0: none */

	enum phase phase;
	bool connected;
	int64_t away_since; /* monotonic, not connected */
	bool away_told;

	/* What the hello has brought. */
	bool refused; /* told in the log */
	int64_t hello_at;
	uint64_t epoch;   /* that the aggregator was told */
	uint64_t session; /* its number for this start of the agent */
	uint8_t challenge[MAC_SIZE];
	bool challenged; /* on this connection: batches carry codes, too */
	unsigned int challenges;
	unsigned int credit; /* batches under way at a time */
	uint32_t max_bytes;
	bool zstd;

	/* What has become of batches. */
	struct flight flight;
	int64_t pause_until; /* no batches before */
	uint64_t rejected;
	int64_t rejected_told;

	struct slot slots[LINK_SLOTS];
	struct arena arena; /* of the reply that is looked at */
	struct buf body, frame;
};

/* --- shipper_hello.c --- */

/* Greet, now or in ms; until there is an answer no batch is sent. */
void shipper_say_hello(struct shipper *s);
void shipper_hello_later(struct shipper *s, int64_t ms);

/* The aggregator does not want this agent: say so once, and ask again after a while. */
void shipper_refused(struct shipper *s, const char *what, const char *reason);

/* Take the answer to a hello that told this epoch. */
void shipper_on_welcome(struct shipper *s, const struct frame *f, uint64_t epoch);

/* --- shipper_batch.c --- */

/* Send the next batch there is. False when there is none, or none may be sent now. */
bool shipper_send_batch(struct shipper *s);

/* Take the answer to a batch of the epoch that the aggregator knows. */
void shipper_on_ack(struct shipper *s, const struct wire_ack *a, uint64_t seq);

/* --- shipper_post.c --- */

unsigned int shipper_batches_fly(const struct shipper *s);
bool shipper_hello_flies(const struct shipper *s);

/* Frame s->body, with the code that the aggregator asks for, and send it in a free slot: there is
 * one for a hello, and for SHIPPER_BATCHES_MAX batches. False: it does not go. */
bool shipper_post(struct shipper *s, enum frame_type type, struct slot load);
