/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* identity - what the agent shows aggregators to say who it is, read from files. */

#include "common/buf.h"
#include "common/cert.h"
#include "common/mac.h"

struct identity {
	struct cert *cert; /* NULL: none, which tls+tcp does not do without */
	bool keyed;        /* there is a key, for aggregators that ask for it */
	struct mac_key key;
};

/* What the files hold; names that are "" are not read. Caller frees with identity_free().
 * ERR_CONFIG, and a sentence that names the file appended to why. */
MUST_CHECK int identity_load(const struct cert_files *files, const char *key_file, struct buf *why,
			     struct identity *ret_i);

/* Another with the same content; the certificate is shared. */
struct identity identity_copy(const struct identity *i);

bool identity_same(const struct identity *a, const struct identity *b);

/* *i is empty after. */
void identity_free(struct identity *i);
