/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * password - passwords as crypt(5) keeps them. The only user of crypt(3).
 *
 * Checking one is slow by intent: tens of milliseconds and megabytes with the usual method.
 */

#include "common/base.h"

/* Whether a text is the hash of a password by a method that is still held to be strong. */
bool password_hash_ok(const char *hash);

/* Whether the password is the one that the hash was made of. */
bool password_matches(const char *hash, const char *password);
