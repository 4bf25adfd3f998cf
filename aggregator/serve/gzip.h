/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* gzip - makes bytes fewer, as RFC 1952 has it. The only user of zlib. */

#include "common/base.h"
#include "common/buf.h"

/* Append size bytes at data, packed, to out. ERR_LIMIT, -ENOMEM, and out is then spoilt. */
MUST_CHECK int gzip(const char *data, size_t size, struct buf *out);
