/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * mac - what proves that bytes come from one who knows a key: HMAC-SHA256.
 *
 * The keys are 32 random bytes, each shared by one agent and its aggregators. Comparing takes the
 * same time whatever differs.
 */

#include "common/base.h"

#define MAC_SIZE 32 /* bytes of a key, a code, a digest and a nonce */

struct mac_key {
	uint8_t bytes[MAC_SIZE];
};

/* Read a key: the first line of the file at path, 64 hexadecimal digits or 44 characters of base64.
 * NULL, or why not in a sentence that shows nothing of the key. */
const char *mac_key_read(const char *path, struct mac_key *ret_key);

/* SHA-256 of size bytes. */
void mac_digest(const void *data, size_t size, uint8_t ret_digest[static MAC_SIZE]);

/* HMAC-SHA256 of size bytes. */
void mac_code(const struct mac_key *key, const void *data, size_t size,
	      uint8_t ret_code[static MAC_SIZE]);

/* Whether two codes, digests or nonces are the same. */
bool mac_same(const uint8_t a[static MAC_SIZE], const uint8_t b[static MAC_SIZE]);

/* A new key of random bytes. */
void mac_random(struct mac_key *ret_key);
