/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/identity.h"

#include <string.h>

#include "common/clock.h"
#include "common/err.h"

int identity_load(const struct cert_files *files, const char *key_file, struct buf *why,
		  struct identity *ret_i)
{
	CLEANUP(identity_free) struct identity i = {0};
	int err = ERR_OK;

	if (files->cert_file[0] != '\0')
		err = cert_load(files, clock_wall_ms(), why, &i.cert);
	if (err == ERR_OK && key_file[0] != '\0') {
		const char *reason = mac_key_read(key_file, &i.key);

		i.keyed = reason == NULL;
		if (reason != NULL) {
			buf_printf(why, "%s: %s", key_file, reason);
			err = ERR_CONFIG;
		}
	}
	if (err == ERR_OK) {
		*ret_i = i;
		i = (struct identity){0};
	}
	return err;
}

struct identity identity_copy(const struct identity *i)
{
	struct identity copy = *i;

	if (copy.cert != NULL)
		cert_ref(copy.cert);
	return copy;
}

bool identity_same(const struct identity *a, const struct identity *b)
{
	if (a->keyed != b->keyed || (a->cert == NULL) != (b->cert == NULL))
		return false;
	return (!a->keyed || mac_same(a->key.bytes, b->key.bytes)) &&
	       (a->cert == NULL || cert_same(a->cert, b->cert));
}

void identity_free(struct identity *i)
{
	cert_unref(&i->cert);
	explicit_bzero(i, sizeof(*i));
}
