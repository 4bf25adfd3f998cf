/* SPDX-License-Identifier: Apache-2.0 */

/* shipper_batch - once welcome: batches out of the spool, and what the aggregator says to each. */

#include "agent/ship/shipper_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "agent/ship/compose.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define RETRY_MAX_MS 60000 /* of what an aggregator may ask for */
#define REJECTED_TELL_MS 60000

static void finish(struct shipper *s, uint64_t seq)
{
	flight_finish(&s->flight, seq);
	state_acked(s->state, s->options.target, s->epoch, s->flight.done);
}

static void reject(struct shipper *s, uint64_t seq, const char *reason)
{
	int64_t now = clock_mono_ms();

	s->rejected++;
	if (s->rejected == 1 || now - s->rejected_told >= REJECTED_TELL_MS) {
		s->rejected_told = now;
		log_error("batch rejected",
			  "aggregator=%s seq=%" PRIu64 " reason=%s rejected=%" PRIu64,
			  s->options.address, seq, log_quote(reason), s->rejected);
	}
	state_break(s->state);
	finish(s, seq);
}

/* Send it, made of what the spool keeps of it, or reject it. False: it cannot go now, because the
 * epoch is over or there is no memory. */
static bool send_kept(struct shipper *s, uint64_t seq, const uint8_t *kept, size_t size)
{
	struct state_spool spool;

	state_spool(s->state, &spool);
	if (spool.epoch != s->epoch)
		return false;
	compose_batch(&s->body, &s->options, &spool, seq, kept, size);
	if (s->body.size > s->max_bytes) {
		reject(s, seq, "larger than the aggregator takes");
		return true;
	}
	if (!shipper_post(s, FRAME_BATCH, (struct slot){LOAD_BATCH, s->epoch, seq}))
		return false;
	flight_send(&s->flight, seq);
	return true;
}

bool shipper_send_batch(struct shipper *s)
{
	uint64_t seq = flight_next(&s->flight);
	uint64_t found = 0;
	uint8_t *kept = NULL;
	size_t size = 0;
	bool done = true;

	if (seq == 0 || shipper_batches_fly(s) >= s->credit)
		return false;
	int err = state_fetch(s->state, s->epoch, seq, &found, &kept, &size);
	if (err == ERR_VERSION)
		shipper_say_hello(s);
	if (err != ERR_OK)
		return false;
	if (found == seq)
		done = send_kept(s, seq, kept, size);
	else
		flight_raise(&s->flight, found); /* what lies between is no more */
	free(kept);
	return done;
}

/* Two agents number batches of one epoch: one of them has a copy of the other's state. In an epoch
 * of its own this one is told apart; as long as the other lives it is refused. */
static void fenced(struct shipper *s, const char *reason)
{
	shipper_refused(s, "another agent has this agent's name and a copy of its state_dir",
			reason);
	state_new_epoch(s->state, s->epoch);
}

void shipper_on_ack(struct shipper *s, const struct wire_ack *a, uint64_t seq)
{
	switch (a->code) {
	case WIRE_OK:
	case WIRE_DUPLICATE:
		finish(s, seq);
		return;
	case WIRE_REJECTED:
		reject(s, seq, a->reason);
		return;
	case WIRE_RETRY:
		s->pause_until = clock_mono_ms() + MIN(a->retry_ms, (uint32_t)RETRY_MAX_MS);
		break;
	case WIRE_NEED_HELLO:
		if (s->phase == PHASE_SHIPPING)
			shipper_say_hello(s);
		break;
	case WIRE_REFUSED:
		shipper_refused(s, "aggregator refuses this agent", a->reason);
		break;
	case WIRE_CHALLENGE: /* no answer to a batch: the decoder has seen to it */
	case WIRE_FENCED:
		fenced(s, a->reason);
		break;
	}
	flight_again(&s->flight, seq);
}
