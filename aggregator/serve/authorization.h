/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* authorization - reads the header of that name, and digests as they are written. Pure. */

#include "common/base.h"
#include "common/mac.h"

#define AUTHORIZATION_SECRET_MAX 1024 /* bytes of a token, or of a user with his password */

struct authorization {
	bool basic;         /* else Bearer */
	const char *user;   /* of Basic; in text */
	const char *secret; /* the token or the password, in text */
	char text[AUTHORIZATION_SECRET_MAX + 1];
};

/* Read the header's value. Caller wipes *ret_a with authorization_wipe(), also after an error.
 * ERR_MALFORMED for a scheme other than Bearer and Basic, for base64 that is none, for control
 * characters and for what is empty or too long. */
MUST_CHECK int authorization_parse(const char *header, struct authorization *ret_a);

void authorization_wipe(struct authorization *a);

/* 64 hex digits as a SHA-256. ERR_MALFORMED if hex is anything else. */
MUST_CHECK int authorization_parse_digest(const char *hex, uint8_t ret_digest[static MAC_SIZE]);
