/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/password.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "common/mac.h"

/* The hash of a password by the method, cost and salt of another hash; freed with the memory at
 * *memory, of *size bytes. NULL: that other is none. */
static const char *hash_like(const char *hash, const char *password, void **memory, int *size)
{
	return crypt_ra(password, hash, memory, size);
}

static void forget(void *memory, int size)
{
	if (memory != NULL)
		explicit_bzero(memory, (size_t)size);
	free(memory);
}

bool password_hash_ok(const char *hash)
{
	void *memory = NULL;
	int size = 0;

	if (crypt_checksalt(hash) != CRYPT_SALT_OK)
		return false;
	/* A setting alone, without the hash behind it, passes the check too. */
	const char *other = hash_like(hash, "", &memory, &size);
	bool ok = other != NULL && strlen(other) == strlen(hash);
	forget(memory, size);
	return ok;
}

bool password_matches(const char *hash, const char *password)
{
	void *memory = NULL;
	int size = 0;
	const char *other = hash_like(hash, password, &memory, &size);
	uint8_t digests[2][MAC_SIZE];
	bool same = false;

	if (other != NULL) {
		mac_digest(other, strlen(other), digests[0]);
		mac_digest(hash, strlen(hash), digests[1]);
		same = mac_same(digests[0], digests[1]);
	}
	forget(memory, size);
	return same;
}
