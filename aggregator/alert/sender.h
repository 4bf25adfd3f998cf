/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sender - carries requests and mails over the network, many at a time, on one thread. The only
 * file that knows libcurl is sender.c.
 */

#include "aggregator/alert/receiver.h"

enum sender_verdict {
	SENDER_CONFIRMED, /* the other side has it */
	SENDER_AGAIN,     /* it may have it next time */
	SENDER_REFUSED,   /* it will never have it */
};

struct sender_result {
	enum sender_verdict verdict;
	int64_t retry_after_ms; /* the other side asks for so long; 0: it does not */
	int code;               /* of HTTP or SMTP; 0: it did not answer */
	char error[160];        /* "" when confirmed; holds no secret */
};

/* Called on the sender's thread when a sending has ended. */
typedef void sender_on_end(void *arg, const struct sender_result *result);

struct sender;

MUST_CHECK int sender_open(struct sender **ret_s);

/* What is under way is dropped without a call. */
void sender_close(struct sender **s);

/* Begin to send. Takes what it needs from all of them: they may be freed after. */
MUST_CHECK int sender_add(struct sender *s, const struct receiver *r,
			  const struct receiver_request *q, const struct receiver_secrets *secrets,
			  sender_on_end *on_end, void *arg);

/* Work until something has ended, sender_wake() was called, or timeout_ms are over. */
void sender_work(struct sender *s, int timeout_ms);

/* Any thread. */
void sender_wake(struct sender *s);
