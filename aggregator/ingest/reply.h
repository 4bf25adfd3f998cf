/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* reply - what an agent is answered, from struct to link. */

#include "aggregator/ingest/link.h"
#include "proto/wire.h"

/* Room that is used again; zeroed at first. */
struct reply {
	struct buf body, frame;
};

void reply_free(struct reply *r);

/* Each answers m, which is not valid after. */
void reply_ack(struct reply *r, struct ingest_message *m, const struct wire_ack *ack);
void reply_welcome(struct reply *r, struct ingest_message *m, const struct wire_welcome *welcome);

/* Not now: to a hello, or to a batch, which is to be sent again after retry_ms. */
void reply_retry(struct reply *r, struct ingest_message *m, bool hello, uint32_t retry_ms,
		 const char *reason);

/* Append the frame of a retry of a batch. */
void reply_put_retry(struct buf *out, uint32_t retry_ms, const char *reason);
