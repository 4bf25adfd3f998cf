/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/reply.h"

#include "proto/frame.h"

void reply_free(struct reply *r)
{
	buf_free(&r->body);
	buf_free(&r->frame);
}

static void send_body(struct reply *r, struct ingest_message *m, enum frame_type type)
{
	buf_reset(&r->frame);
	frame_put(&r->frame, type, r->body.data, r->body.size, false);
	ingest_link_reply(m, r->frame.data, r->frame.size);
}

void reply_ack(struct reply *r, struct ingest_message *m, const struct wire_ack *ack)
{
	buf_reset(&r->body);
	wire_put_ack(&r->body, ack);
	send_body(r, m, FRAME_ACK);
}

void reply_welcome(struct reply *r, struct ingest_message *m, const struct wire_welcome *welcome)
{
	buf_reset(&r->body);
	wire_put_welcome(&r->body, welcome);
	send_body(r, m, FRAME_WELCOME);
}

void reply_retry(struct reply *r, struct ingest_message *m, bool hello, uint32_t retry_ms,
		 const char *reason)
{
	if (hello)
		reply_welcome(r, m,
			      &(struct wire_welcome){.code = WIRE_RETRY,
						     .reason = reason,
						     .version = WIRE_VERSION});
	else
		reply_ack(r, m,
			  &(struct wire_ack){
				  .code = WIRE_RETRY, .retry_ms = retry_ms, .reason = reason});
}

void reply_put_retry(struct buf *out, uint32_t retry_ms, const char *reason)
{
	struct buf body = {0};

	wire_put_ack(&body, &(struct wire_ack){
				    .code = WIRE_RETRY, .retry_ms = retry_ms, .reason = reason});
	frame_put(out, FRAME_ACK, body.data, body.size, false);
	buf_free(&body);
}
