/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* secret - secrets that lie in files, and comparing them. None is ever logged. */

#include "common/base.h"

/* Read the first line of the file at path, without its end, into line of size bytes. NULL, or why
 * not: among other reasons when others than its owner and group may read or write the file. The
 * text is valid until the thread asks again; line is spoilt then. */
const char *secret_read(const char *path, char *line, size_t size);

/* Whether two texts are the same, in a time that tells nothing of secret but its length. */
bool secret_same(const char *given, const char *secret);
