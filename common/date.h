/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* date - times as people write them: RFC 3339, "2026-12-01T06:00:00Z". */

#include "common/base.h"
#include "common/buf.h"

/* Unix time in ms; parts of a second below that are cut off. False: text is no such time, or one
 * before 1970. */
bool date_parse(const char *text, int64_t *ret_ms);

/* Append a time to the second, in UTC. */
void date_put(struct buf *out, int64_t ms);
