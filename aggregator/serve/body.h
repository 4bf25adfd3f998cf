/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * body - rendered bytes that many answers share: immutable, counted, freed with the last reference.
 * Any thread may hold one.
 */

#include <stdatomic.h>

#include "common/base.h"
#include "common/buf.h"

struct body {
	char *data; /* owned */
	size_t size;
	atomic_int refs;
};

/* Take over what b holds; b is empty after. One reference, the caller's. NULL, and b untouched,
 * when b carries an error or there is no memory. */
struct body *body_new(struct buf *b);

struct body *body_ref(struct body *b);
void body_unref(struct body **b);
