/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * census - what a full pass has named, so that what it did not name can be removed.
 *
 * Three sets of places: partitions of groups, partitions of topics, and groups. A census is open
 * from the first batch of a full pass to its last, and void when one of them is missing.
 */

#include "common/base.h"

struct census_place {
	uint32_t group; /* 0 for partitions of topics */
	uint32_t topic; /* 0 for groups */
	int32_t partition;
};

struct census_set {
	struct census_place *places;
	size_t count, cap;
};

struct census {
	bool open;
	uint64_t pass;
	struct census_set commits, logs, groups;
};

void census_begin(struct census *c, uint64_t pass);
void census_add(struct census_set *s, uint32_t group, uint32_t topic, int32_t partition);

/* Make the sets ready for census_has(). */
void census_sort(struct census *c);
bool census_has(const struct census_set *s, uint32_t group, uint32_t topic, int32_t partition);

/* Void the census and give its memory back. */
void census_end(struct census *c);
