/* SPDX-License-Identifier: Apache-2.0 */

/* shipper_hello - from a connection to a welcome: greeting, proof, refusal. */

#include "agent/ship/shipper_priv.h"

#include <inttypes.h>
#include <string.h>

#include "agent/ship/compose.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define REFUSED_MS 60000 /* it does not want us */
#define CHALLENGES_MAX 3 /* in a row, before a pause */

void shipper_hello_later(struct shipper *s, int64_t ms)
{
	s->phase = PHASE_WAITING;
	s->hello_at = clock_mono_ms() + ms;
}

void shipper_say_hello(struct shipper *s)
{
	struct state_spool spool;

	s->phase = PHASE_HELLO;
	if (shipper_hello_flies(s))
		return; /* the link sends it again by itself */

	state_spool(s->state, &spool);
	compose_hello(&s->body, &s->options, &spool, s->challenged ? s->challenge : NULL);
	if (!shipper_post(s, FRAME_HELLO, (struct slot){LOAD_HELLO, spool.epoch, 0}))
		shipper_hello_later(s, SHIPPER_RETRY_MS);
}

void shipper_refused(struct shipper *s, const char *what, const char *reason)
{
	if (!s->refused)
		log_error(what, "aggregator=%s reason=%s retry_s=%d", s->options.address,
			  log_quote(reason), REFUSED_MS / 1000);
	s->refused = true;
	shipper_hello_later(s, REFUSED_MS);
}

/* Our numbers are older than what the aggregator has of us: a copied or restored state. */
static void leave_epoch(struct shipper *s, const struct wire_welcome *w, uint64_t epoch)
{
	log_warn("the aggregator has batches that this agent has yet to number: its state was "
		 "copied or restored; a new epoch begins",
		 "aggregator=%s applied_seq=%" PRIu64, s->options.address, w->applied_seq);
	state_new_epoch(s->state, epoch);
	shipper_say_hello(s);
}

/* Where the aggregator stands decides, not what it acknowledged once: it may have lost its data. */
static void start_flight(struct shipper *s, uint64_t applied)
{
	struct state_spool spool;

	state_spool(s->state, &spool);
	flight_start(&s->flight, MAX(applied, spool.floor_seq - 1));
	state_acked(s->state, s->options.target, s->epoch, s->flight.done);
	if (applied + 1 < spool.floor_seq)
		state_break(s->state); /* what it lacks only a full pass can give it */
	for (size_t i = 0; i < LINK_SLOTS; i++) {
		if (s->slots[i].load == LOAD_BATCH && s->slots[i].epoch == s->epoch)
			flight_send(&s->flight, s->slots[i].seq);
	}
}

static void welcome(struct shipper *s, const struct wire_welcome *w, uint64_t epoch)
{
	struct state_spool spool;

	state_spool(s->state, &spool);
	if (epoch != spool.epoch) {
		shipper_say_hello(s); /* it has answered to an epoch that is no more */
		return;
	}
	if (w->applied_seq >= spool.next_seq) {
		leave_epoch(s, w, epoch);
		return;
	}
	s->epoch = epoch;
	s->session = w->session;
	s->challenges = 0;
	s->credit = MIN(MAX(w->credit, 1u), (unsigned int)SHIPPER_BATCHES_MAX);
	s->max_bytes = w->max_batch_bytes;
	s->zstd = (w->features & WIRE_FEATURE_ZSTD) != 0;
	start_flight(s, w->applied_seq);
	s->phase = PHASE_SHIPPING;
	s->pause_until = 0;
	s->refused = false;
	log_info("shipping", "aggregator=%s session=%" PRIu64 " waiting=%" PRIu64,
		 s->options.address, w->session, spool.next_seq - 1 - s->flight.done);
}

/* The aggregator wants proof. A challenge is for one connection and a short time, so that a second
 * one may be right; more are not. */
static void challenge(struct shipper *s, const struct wire_welcome *w)
{
	if (!s->options.identity.keyed) {
		shipper_refused(s, "aggregator asks for a key", "set key_file");
		return;
	}
	s->challenged = true;
	memcpy(s->challenge, w->challenge, sizeof(s->challenge));
	if (++s->challenges % (CHALLENGES_MAX + 1) == 0)
		shipper_hello_later(s, SHIPPER_RETRY_MS);
	else
		shipper_say_hello(s);
}

void shipper_on_welcome(struct shipper *s, const struct frame *f, uint64_t epoch)
{
	struct wire_welcome w;

	bool ok = wire_get_welcome(f->body, f->size, &s->arena, &w) == ERR_OK;
	if (ok && w.code == WIRE_OK)
		welcome(s, &w, epoch);
	else if (ok && w.code == WIRE_CHALLENGE)
		challenge(s, &w);
	else if (ok && w.code == WIRE_REFUSED)
		shipper_refused(s, "aggregator refuses this agent", w.reason);
	else
		shipper_hello_later(s, SHIPPER_RETRY_MS);
}
