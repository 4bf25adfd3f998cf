/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * guard - who may speak, and for which clusters.
 *
 * Three things are asked of an agent. The listener it came in by has a scope, because those of one
 * trust zone have one CA. Its key, where agents are configured: a hello answers a challenge made
 * for its connection, and each batch carries a code for its session, so that a batch that is sent
 * again on another connection needs no new hello and one that was recorded is worth nothing. And
 * its certificate's name, where nng tells it. What an agent may not do leaves nothing in the store,
 * is counted, and logged as often as is good for the log. Owned by the writer thread.
 */

#include "aggregator/ingest/link.h"
#include "proto/frame.h"
#include "proto/wire.h"

/* Globs over ENVIRONMENT/CLUSTER; none: all. Borrowed. */
struct guard_scope {
	char *const *globs;
	size_t count;
};

struct guard_agent {
	const char *name; /* borrowed */
	struct mac_key key;
	struct guard_scope scope;
};

struct guard_options {
	const struct guard_agent *agents; /* copied */
	size_t agent_count;               /* 0: any agent may speak, without a key */
	struct guard_scope scopes[INGEST_LINK_LISTENERS_MAX]; /* by index of the listener */
	int64_t new_names; /* that an agent may bring a minute; at once it may bring as many */
};

struct guard_stats {
	uint64_t refused; /* hellos: unknown agent, wrong key, other name in the certificate */
	uint64_t stale;   /* hellos that answer no challenge of their connection */
	uint64_t forged;  /* batches without the code they need: to be sent again after a hello */
	uint64_t foreign; /* batches of clusters that the agent may not speak for */
	uint64_t delayed; /* batches put off because they bring too many new names */
};

struct guard;

struct guard *guard_new(const struct guard_options *o);

/* Accepts a pointer to NULL; *g is NULL after. */
void guard_free(struct guard **g);

enum guard_answer {
	GUARD_WELCOME,
	GUARD_ASK, /* send WIRE_CHALLENGE with *ret_challenge */
	GUARD_REFUSE,
};

/* Whether an agent may begin; now_ms is a monotonic clock. *ret_why is static, for GUARD_REFUSE;
 * *ret_challenge is valid until the next call. */
enum guard_answer guard_hello(struct guard *g, const struct ingest_message *m,
			      const struct frame *f, const struct wire_hello *h, int64_t now_ms,
			      const uint8_t **ret_challenge, const char **ret_why);

/* Whether the batch comes from the agent it names, in its session, which is 0 if it has none. */
bool guard_batch(struct guard *g, const struct ingest_message *m, const struct frame *f,
		 const struct wire_batch *b, uint64_t session);

/* Whether that agent may speak for the batch's cluster here. NULL, or a static sentence why not. */
const char *guard_cluster(struct guard *g, const struct ingest_message *m,
			  const struct wire_batch *b);

/* Whether the agent may bring count new names now; now_ms is a monotonic clock. */
bool guard_names(struct guard *g, const char *agent, size_t count, int64_t now_ms);

/* Note that it may not, and that its batch is put off. */
void guard_put_off(struct guard *g, const struct ingest_message *m, const struct wire_batch *b);

/* Take what it has brought from what it may bring. */
void guard_took_names(struct guard *g, const char *agent, size_t count);

void guard_stats(const struct guard *g, struct guard_stats *ret_stats);
