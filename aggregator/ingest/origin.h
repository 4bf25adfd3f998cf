/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * origin - where a cluster's data comes from: its agent, and how that agent fares.
 *
 * Kept in the store so that a restarted aggregator shows what it knew.
 */

#include "common/base.h"
#include "common/buf.h"
#include "proto/wire.h"

struct origin {
	char agent[256];
	char software[32];
	char environment[256];
	char source[32];
	char servers[1024];
	char problem[512];
	uint32_t state;    /* enum wire_agent_state */
	int64_t seen_ms;   /* last batch, aggregator's wall clock */
	int64_t passed_ms; /* last complete pass received, aggregator's wall clock; 0: none yet */
	uint64_t read, to_read;
	uint64_t records, unknown, malformed, log_failed, spool_batches, dropped;
	int64_t reader_lag;

	/* The pass last begun: the agent's number of it, its time by the agent's clock, and what
	 * has to be added to that clock. */
	uint64_t pass;
	int64_t pass_at_ms;
	int64_t shift_ms;
};

/* Take over what a batch says about its agent. Longer texts are cut. */
void origin_update(struct origin *o, const struct wire_batch *b, const char *software,
		   int64_t now_ms);

/* The time of a batch's pass, which is b->pass_at_ms as long as the agent's clock does not step
 * back. When it has, the passes that follow are counted on from last_ms, the time of the cluster's
 * last, so that nothing that is compared goes back in time: every time the agent tells is shifted,
 * and the shift shrinks by a tenth of the time that goes by. A pass that was made before the last
 * one, and comes late, keeps its time. */
int64_t origin_pass_ms(struct origin *o, const struct wire_batch *b, int64_t last_ms);

void origin_pack(struct buf *out, const struct origin *o);

/* ERR_MALFORMED if origin_pack() did not write it. */
MUST_CHECK int origin_unpack(const uint8_t *data, size_t size, struct origin *ret_o);
