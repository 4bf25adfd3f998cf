/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rules_memo - what rules_resolve() says of the places of the store, remembered, so that asking for
 * every partition once a pass costs little. Places that are alike share one answer.
 *
 * Belongs to one set and is used by one thread; with another set begin another memo.
 */

#include "aggregator/judge/rules.h"

struct rules_memo;

/* Takes a reference of its own. Never NULL. */
struct rules_memo *rules_memo_new(struct rules_set *s);
void rules_memo_free(struct rules_memo **m);

const struct rules_set *rules_memo_set(const struct rules_memo *m);

/* A place and the numbers of its names, which must not be given to other names later. */
struct rules_memo_place {
	uint32_t cluster, group,
		topic; /* topic 0: the group as a whole; then names.topic is NULL */
	struct rules_place names;
};

/* The rules in force at p. Borrowed from the memo until it is freed. */
const struct rules *rules_memo_get(struct rules_memo *m, const struct rules_memo_place *p);
