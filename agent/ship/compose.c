/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/compose.h"

#include "agent/steady.h"
#include "common/clock.h"
#include "proto/wire.h"

void compose_hello(struct buf *out, const struct shipper_options *o, const struct state_spool *s,
		   const uint8_t *challenge)
{
	/* wire.h's array is not const; the encoder only reads. */
	const char *names[WIRE_CLUSTERS_MAX];
	size_t count = MIN(o->cluster_count, (size_t)WIRE_CLUSTERS_MAX);

	for (size_t i = 0; i < count; i++)
		names[i] = o->clusters[i];
	struct wire_hello hello = {
		.agent = o->agent,
		.epoch = s->epoch,
		.instance = o->instance,
		.next_seq = s->next_seq,
		.version_min = WIRE_VERSION,
		.version_max = WIRE_VERSION,
		.features =
			o->on_probes == NULL ? WIRE_FEATURES & ~WIRE_FEATURE_PROBE : WIRE_FEATURES,
		.software = WARREN_VERSION,
		.clusters = names,
		.cluster_count = count,
		.challenge = challenge,
		.config_hash = o->config_hash,
	};
	buf_reset(out);
	wire_put_hello(out, &hello);
}

/* Protobuf puts messages together that lie one after the other, and no field of the one is in the
 * other: so the sender's part goes before what the spool keeps. */
void compose_batch(struct buf *out, const struct shipper_options *o, const struct state_spool *s,
		   uint64_t seq, const uint8_t *body, size_t size)
{
	struct wire_batch head = {
		.agent = o->agent,
		.epoch = s->epoch,
		.seq = seq,
		.instance = o->instance,
		.floor_seq = MIN(s->floor_seq, seq),
		.sent_ms = clock_wall_ms(),
		.sent_steady_ms = steady_ms(),
		.spool_batches = s->batches,
		.spool_bytes = s->bytes,
	};
	buf_reset(out);
	wire_put_batch(out, &head);
	buf_put(out, body, size);
}
