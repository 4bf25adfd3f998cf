/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mac.h"

#include <ctype.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

#define LINE_MAX_BYTES 256
#define HEX_SIZE (2 * MAC_SIZE)
#define BASE64_SIZE 44

/* Those below only fail without memory, or where the library refuses to work at all. */
static void must(int rc)
{
	if (rc < 0)
		abort();
}

static bool from_hex(const char *text, struct mac_key *ret_key)
{
	const gnutls_datum_t in = {(unsigned char *)(uintptr_t)text, HEX_SIZE};
	size_t size = sizeof(ret_key->bytes);

	return gnutls_hex_decode(&in, ret_key->bytes, &size) == 0 && size == MAC_SIZE;
}

static bool from_base64(const char *text, struct mac_key *ret_key)
{
	const gnutls_datum_t in = {(unsigned char *)(uintptr_t)text, BASE64_SIZE};
	gnutls_datum_t out = {NULL, 0};
	bool ok = gnutls_base64_decode2(&in, &out) == 0 && out.size == MAC_SIZE;

	if (ok)
		memcpy(ret_key->bytes, out.data, MAC_SIZE);
	if (out.data != NULL)
		explicit_bzero(out.data, out.size);
	gnutls_free(out.data);
	return ok;
}

const char *mac_key_read(const char *path, struct mac_key *ret_key)
{
	char line[LINE_MAX_BYTES];
	const char *why = secret_read(path, line, sizeof(line));

	if (why != NULL)
		return why;
	size_t size = strlen(line);
	while (size > 0 && isspace((unsigned char)line[size - 1]))
		size--;
	bool ok = (size == HEX_SIZE && from_hex(line, ret_key)) ||
		  (size == BASE64_SIZE && from_base64(line, ret_key));
	explicit_bzero(line, sizeof(line));
	return ok ? NULL
		  : "is no key; expects 32 random bytes, such as openssl rand -hex 32 prints";
}

void mac_digest(const void *data, size_t size, uint8_t ret_digest[static MAC_SIZE])
{
	must(gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, ret_digest));
}

void mac_code(const struct mac_key *key, const void *data, size_t size,
	      uint8_t ret_code[static MAC_SIZE])
{
	must(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->bytes, MAC_SIZE, data, size, ret_code));
}

bool mac_same(const uint8_t a[static MAC_SIZE], const uint8_t b[static MAC_SIZE])
{
	return gnutls_memcmp(a, b, MAC_SIZE) == 0;
}

void mac_random(struct mac_key *ret_key)
{
	must(gnutls_rnd(GNUTLS_RND_KEY, ret_key->bytes, MAC_SIZE));
}
