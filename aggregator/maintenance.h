/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * maintenance - what somebody has declared over HTTP to be in maintenance: as it comes, as it is
 * shown, and as it is kept in a file of the data directory, one JSON object a line, so that it
 * outlives the program. No state: rulebook.c has it in force.
 */

#include "aggregator/judge/rules.h"
#include "aggregator/serve/access.h"
#include "common/buf.h"
#include "common/json.h"

#define MAINTENANCE_FILE "maintenance.jsonl"
#define MAINTENANCE_MAX 200 /* each is looked at for every partition, once */

/* Read one from a request, for who asks; id is not set. ERR_MALFORMED, and one sentence in why. */
MUST_CHECK int maintenance_in(const struct access *who, const char *data, size_t size,
			      struct buf *why, struct rules_maintenance *ret_m);

/* As an object. */
void maintenance_put(struct json *j, const struct rules_maintenance *m);

/* Read what is kept in dir: nothing where there is no file. Caller frees *ret_list. ERR_CONFIG, and
 * in errors what is wrong. */
MUST_CHECK int maintenance_load(const char *dir, struct buf *errors,
				struct rules_maintenance **ret_list, size_t *ret_count);

/* Keep these instead; on disk when it returns. A system's error: what was kept before is. */
MUST_CHECK int maintenance_store(const char *dir, const struct rules_maintenance *list,
				 size_t count);
