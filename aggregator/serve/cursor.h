/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cursor - where the next page of a list begins: after the row that the last page ended with.
 *
 * It holds that row's key and not its number, so that rows that come and go meanwhile move no
 * other. As text it is base64url, opaque to clients. Pure.
 */

#include "aggregator/serve/query.h"
#include "common/base.h"
#include "common/buf.h"

#define CURSOR_NAMES 3
#define CURSOR_BYTES_MAX 6144 /* of the text unpacked */

struct cursor {
	enum query_sort sort;
	bool falling;
	int64_t value; /* by which the list is sorted */
	int32_t number;
	const char *names[CURSOR_NAMES];
};

void cursor_put(struct buf *out, const struct cursor *c);

/* ret_c->names point into room. ERR_MALFORMED: cursor_put() did not write it. */
MUST_CHECK int cursor_get(const char *text, char room[static CURSOR_BYTES_MAX],
			  struct cursor *ret_c);
