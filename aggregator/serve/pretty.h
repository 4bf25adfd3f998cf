/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* pretty - JSON for people: a line for each member, two blanks for each level. Pure. */

#include "common/base.h"
#include "common/buf.h"

/* Append the size bytes of compact, valid JSON at data to out. */
void pretty(const char *data, size_t size, struct buf *out);
