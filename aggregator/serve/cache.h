/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cache - a few rendered answers, by the view and the request that they answer. Thread safe.
 *
 * A view never changes, so nothing here is ever out of date: what is no longer asked for is
 * overwritten by what is.
 */

#include "aggregator/serve/body.h"

struct cache;

struct cache_key {
	uint64_t serial;    /* of the view */
	uint32_t slot;      /* any number that differs between requests that come often */
	const char *target; /* the request's */
};

/* limit is in bytes, of all that is kept. NULL: no memory. */
struct cache *cache_new(size_t limit);
void cache_free(struct cache **c);

/* A reference to the answer, or NULL. */
struct body *cache_get(struct cache *c, const struct cache_key *key);

/* Keep the answer, with a reference of the cache's own, unless it is large. */
void cache_put(struct cache *c, const struct cache_key *key, struct body *body);
