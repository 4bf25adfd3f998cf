/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * auth - who asks: credentials as they are configured, and the decision about a request.
 *
 * A token is kept as its SHA-256, and so is a password that lies in a file; a password may also be
 * a hash of crypt(5). The right one of those is remembered, so that it costs its tens of
 * milliseconds once; wrong ones are tried one at a time and not often. An address that was wrong
 * too often is told to wait (throttle.h); a right token is served all the same, for it cannot be
 * guessed. Thread safe.
 */

#include "aggregator/serve/access.h"
#include "aggregator/serve/throttle.h"
#include "common/base.h"
#include "common/mac.h"

enum auth_kind {
	AUTH_TOKEN,       /* Authorization: Bearer, against digest */
	AUTH_PASSWORD,    /* Authorization: Basic, against user and digest */
	AUTH_HASH,        /* the same against user and hash */
	AUTH_CERTIFICATE, /* the common name of a verified client certificate, against user */
};

/* All strings are copied. */
struct auth_entry {
	struct access access; /* scope is ignored */
	enum auth_kind kind;
	const char *user;
	const char *hash;
	uint8_t digest[MAC_SIZE];
};

struct auth_options {
	const struct auth_entry *entries;
	size_t count;
	enum access_role anonymous; /* of who shows no credentials */
	bool burrow_open; /* what changes something in Burrow's API needs no credentials */
};

struct auth;

/* Users and digests differ between entries of one kind. Caller frees *ret_a with auth_free(). */
MUST_CHECK int auth_new(const struct auth_options *o, struct auth **ret_a);
void auth_free(struct auth **a);

struct auth_ask {
	enum access_need need;
	const char *authorization; /* the header; NULL: none */
	const char *certificate;   /* common name of the client's, verified; NULL: none */
	uint8_t from[THROTTLE_ADDRESS];
};

struct auth_verdict {
	int status;             /* 200: he may; 401, 403, 429, 503 */
	char why[200];          /* one sentence, unless 200 */
	unsigned retry_after_s; /* 0: none */
	/* Who it is, valid as long as the auth; NULL: not known. With 403 he is known too. */
	const struct access *who;
};

void auth_decide(struct auth *a, const struct auth_ask *ask, int64_t now_ms,
		 struct auth_verdict *ret_verdict);

/* Whether any entry is of this kind. */
bool auth_has(const struct auth *a, enum auth_kind kind);

/* How many requests were turned away. */
enum auth_failure {
	AUTH_MISSING,   /* no credentials */
	AUTH_WRONG,     /* wrong ones, or malformed */
	AUTH_FORBIDDEN, /* good ones that may not do it */
	AUTH_THROTTLED, /* not looked at */
	AUTH_FAILURES,
};

uint64_t auth_failures(const struct auth *a, enum auth_failure f);
const char *auth_failure_str(enum auth_failure f);

/* An address as text, IPv4 as such. text has 46 bytes and is returned. */
const char *auth_address_str(const uint8_t from[static THROTTLE_ADDRESS], char text[static 46]);
