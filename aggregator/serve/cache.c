/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1021 /* odd, so that numbers that are all even do not leave half of them empty */
#define SHARE 8    /* one answer may take this part of the limit */

struct slot {
	uint64_t serial;
	char *target; /* owned; NULL: empty */
	struct body *body;
};

struct cache {
	pthread_mutex_t mtx;
	struct slot slots[SLOTS]; /* under mtx */
	size_t bytes;             /* under mtx; what all slots hold */
	size_t limit;
};

struct cache *cache_new(size_t limit)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	pthread_mutex_init(&c->mtx, NULL);
	c->limit = limit;
	return c;
}

static size_t weight(const struct body *body, const char *target)
{
	return body->size + strlen(target);
}

static void empty(struct cache *c, struct slot *slot)
{
	if (slot->target == NULL)
		return;
	c->bytes -= weight(slot->body, slot->target);
	free(slot->target);
	body_unref(&slot->body);
	slot->target = NULL;
}

void cache_free(struct cache **c)
{
	struct cache *gone = *c;

	*c = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		empty(gone, &gone->slots[i]);
	pthread_mutex_destroy(&gone->mtx);
	free(gone);
}

struct body *cache_get(struct cache *c, const struct cache_key *key)
{
	struct body *body = NULL;

	pthread_mutex_lock(&c->mtx);
	const struct slot *slot = &c->slots[key->slot % SLOTS];
	if (slot->target != NULL && slot->serial == key->serial &&
	    strcmp(slot->target, key->target) == 0)
		body = body_ref(slot->body);
	pthread_mutex_unlock(&c->mtx);
	return body;
}

void cache_put(struct cache *c, const struct cache_key *key, struct body *body)
{
	size_t size = weight(body, key->target);
	char *target = size <= c->limit / SHARE ? strdup(key->target) : NULL;

	if (target == NULL)
		return;
	pthread_mutex_lock(&c->mtx);
	struct slot *slot = &c->slots[key->slot % SLOTS];
	empty(c, slot);
	/* Full means mostly answers of views that are gone: rare, and cheaper than to keep order.
	 */
	for (size_t i = 0; i < SLOTS && c->bytes + size > c->limit; i++)
		empty(c, &c->slots[i]);
	*slot = (struct slot){.serial = key->serial, .target = target, .body = body_ref(body)};
	c->bytes += size;
	pthread_mutex_unlock(&c->mtx);
}
