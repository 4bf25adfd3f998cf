/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* compose - the bodies of what a shipper sends. Pure, but for the time of sending in batches. */

#include "agent/ship/shipper.h"
#include "common/buf.h"

/* out is reset first; look at out->err after. challenge is what the aggregator has asked, MAC_SIZE
 * bytes, or NULL. */
void compose_hello(struct buf *out, const struct shipper_options *o, const struct state_spool *s,
		   const uint8_t *challenge);

/* A whole batch of what the spool keeps of it: body, size bytes. */
void compose_batch(struct buf *out, const struct shipper_options *o, const struct state_spool *s,
		   uint64_t seq, const uint8_t *body, size_t size);
