/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* file - small files as a whole, and folders that are on disk. */

#include "common/base.h"
#include "common/buf.h"

/* Append what the file at path holds, at most limit bytes and one more, by which the caller sees
 * that there are too many. A system's error. */
MUST_CHECK int file_read(const char *path, size_t limit, struct buf *out);

/* What was made, renamed or removed in the folder is on disk when this returns ERR_OK; or a
 * system's error. */
MUST_CHECK int file_sync_folder(const char *path);
