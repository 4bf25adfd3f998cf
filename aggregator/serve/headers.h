/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * headers - whether the headers of a request say one thing only. Pure.
 *
 * A proxy in front that reads a request's end elsewhere than we do would let a client put a request
 * of his own into what follows. So whatever could be read in two ways is refused, though some of it
 * a server might accept.
 */

#include "common/base.h"

#define HEADERS_BODY_UNKNOWN UINT64_MAX /* it comes in chunks */

struct headers {
	uint64_t body_size; /* bytes announced, or HEADERS_BODY_UNKNOWN */
	unsigned lengths, codings, authorizations, hosts;
	const char *wrong; /* NULL: nothing yet */
};

static inline struct headers headers_none(void)
{
	return (struct headers){.body_size = 0};
}

/* One header. */
void headers_add(struct headers *h, const char *name, size_t name_size, const char *value,
		 size_t value_size);

/* After the last: NULL, or what is wrong. */
const char *headers_wrong(const struct headers *h);
