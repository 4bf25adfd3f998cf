/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * message - what one receiver is told at one time: one incident, or several together. Written down
 * whole in the outbox, so that what is sent after a restart says what it would have said before.
 */

#include "aggregator/alert/incident.h"

#define MESSAGE_INCIDENTS_MAX 50 /* more are counted, not listed */
#define MESSAGE_LABELS_MAX 16

enum message_kind {
	MESSAGE_OPEN = 1,
	MESSAGE_UPDATE = 2,
	MESSAGE_REPEAT = 3,
	MESSAGE_ESCALATE = 4,
	MESSAGE_RESOLVE = 5,
	MESSAGE_SUMMARY = 6, /* in place of more than the storm limit */
	MESSAGE_TEST = 7,
};

struct message_label {
	char *name, *value;
};

struct message_incident {
	struct incident incident;
	struct message_label labels[MESSAGE_LABELS_MAX];
	size_t label_count;
};

struct message {
	uint64_t key;    /* stable over retries, restarts and replicas: the idempotency key */
	uint64_t thread; /* the same for all messages of one notification group: mails stay together
			  */
	enum message_kind kind;
	int64_t at_ms; /* when it was decided */
	char *route, *receiver;
	char *group_by; /* "environment=PROD cluster=orders": what its incidents have in common */
	char *url;      /* of the page, "" if not configured */
	struct message_incident *incidents; /* worst first */
	size_t count;
	size_t total; /* incidents there are, count or more */
};

/* "open", "resolve"; static. "" for what is none. */
const char *message_kind_str(enum message_kind kind);

/* Whether it says that all that lasts of its thread is acknowledged. */
bool message_is_acknowledgement(const struct message *m);

void message_free(struct message **m);

/* Append its bytes, versioned. */
void message_encode(const struct message *m, struct buf *out);

/* ERR_MALFORMED when the bytes are not a message, ERR_VERSION when of a newer kind. Caller owns
 * *ret_m. */
MUST_CHECK int message_decode(const void *data, size_t size, struct message **ret_m);
