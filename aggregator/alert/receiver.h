/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * receiver - makes of a message what one receiver is sent: an HTTP request, or a mail. Pure: no
 * network, no clock. deliver sends it.
 *
 * A message of which a template makes too much is sent with fewer incidents listed, and at last in
 * the built-in form: what is sent late or in another form is better than what is not sent.
 */

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/message.h"
#include "aggregator/alert/picture.h"

struct receiver;

/* All of a configuration, their templates read. Immutable once loaded: any thread. */
struct receivers;

/* What is wrong is appended to errors, a line each: ERR_CONFIG. config is borrowed. Caller owns
 * *ret_rs. */
MUST_CHECK int receivers_load(const struct alert_config *config, struct buf *errors,
			      struct receivers **ret_rs);
void receivers_free(struct receivers **rs);
size_t receivers_count(const struct receivers *rs);
const struct receiver *receivers_at(const struct receivers *rs, size_t i);
const struct receiver *receivers_find(const struct receivers *rs, const char *name); /* or NULL */

const struct alert_receiver *receiver_config(const struct receiver *r);

/* How many requests a message needs: one for each Alertmanager, or each number of an SMS; at most
 * RECEIVER_TARGETS_MAX. 0: nothing is sent. */
size_t receiver_targets(const struct receiver *r);
#define RECEIVER_TARGETS_MAX 100

/* Lines out of files, read for each message so that they may change. "" where there is none. */
struct receiver_secrets {
	char url[4096], token[4096], api_key[4096], password[4096];
};

/* NULL, or why not; static or valid until the thread asks again. */
const char *receiver_read_secrets(const struct receiver *r, struct receiver_secrets *ret_s);

/* What varies beside the message. */
struct receiver_given {
	const struct receiver_secrets *secrets;
	const struct buf *png; /* of the lag, for mails; NULL: none */
	int64_t now_ms;        /* Unix time */
};

struct receiver_request {
	bool mail;
	enum alert_method method;
	struct buf url;     /* of a mail: of the server */
	struct buf headers; /* "Name: value", each ended by a NUL */
	struct buf body;    /* of a mail: all of it */
	bool built_in;      /* the template made too much, and its built-in form was taken */
};

void receiver_request_free(struct receiver_request *q);

/* The request for the target, of receiver_targets(). Caller frees *ret_q. */
MUST_CHECK int receiver_make(const struct receiver *r, const struct message *m, size_t target,
			     const struct receiver_given *given, struct receiver_request *ret_q);
