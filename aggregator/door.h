/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * door - the certificates of the listeners and the keys of the agents, read from the files that the
 * configuration names.
 */

#include "aggregator/config.h"
#include "aggregator/ingest/guard.h"
#include "common/mac.h"

struct door;

/* Read them all. ERR_CONFIG, and one sentence a line that names the file appended to errors. What
 * is taken from cfg is borrowed. */
MUST_CHECK int door_load(const struct aggregator_config *cfg, struct buf *errors,
			 struct door **ret_d);

/* Accepts a pointer to NULL; *d is NULL after. */
void door_free(struct door **d);

/* What ingest_link_open() takes; cfg->listen.count of them, borrowed. */
const struct ingest_listen *door_listen(const struct door *d);

/* A guard for it; strings are borrowed from cfg. */
struct guard *door_guard(const struct door *d);

/* Say in the log who can be told from whom, and what expires soon. */
void door_tell(const struct door *d);

/* A digest of the configuration file at path, of conf.d beside it, and of all the files that cfg
 * names, other than the rules and the certificate of HTTP, which are read anew by themselves. */
void door_digest(const char *path, const struct aggregator_config *cfg,
		 uint8_t ret_digest[static MAC_SIZE]);
