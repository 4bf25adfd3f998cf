/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * names - names as small numbers, and back.
 *
 * Numbers are handed out from 0 on, lowest free one first, so that they index arrays; the number
 * of a removed name is used again. Not thread safe.
 */

#include "common/base.h"

#define NAMES_NONE UINT32_MAX
#define NAMES_MAX (1u << 24) /* numbers read from elsewhere are below this */

struct names {
	char **texts; /* owned, owned; NULL: a free number */
	uint32_t *hashes;
	uint32_t count; /* numbers handed out so far, free ones included */
	uint32_t cap;
	uint32_t *index; /* numbers, by hash; open addressing */
	uint32_t index_size;
	uint32_t used;      /* names alive */
	uint32_t free_from; /* no free number lies below */
	uint64_t seed;
};

/* Accepts a zeroed struct. */
void names_free(struct names *n);

/* NAMES_NONE if it is not there. s is not NUL-terminated and holds no NUL. */
uint32_t names_find(const struct names *n, const char *s, size_t size);

/* Add a name that is not there, under the lowest free number, which is returned. Aborts if there
 * is no memory. */
uint32_t names_add(struct names *n, const char *s, size_t size);

/* Add a name that is not there under a number that is free. */
void names_add_at(struct names *n, uint32_t id, const char *s, size_t size);

void names_remove(struct names *n, uint32_t id);

/* NULL where the number is free or was never given. Borrowed until the name is removed. */
static inline const char *names_text(const struct names *n, uint32_t id)
{
	return id < n->count ? n->texts[id] : NULL;
}
