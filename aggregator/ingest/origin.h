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
};

/* Take over what a batch says about its agent. Longer texts are cut. */
void origin_update(struct origin *o, const struct wire_batch *b, const char *software,
		   int64_t now_ms);

void origin_pack(struct buf *out, const struct origin *o);

/* ERR_MALFORMED if origin_pack() did not write it. */
MUST_CHECK int origin_unpack(const uint8_t *data, size_t size, struct origin *ret_o);
