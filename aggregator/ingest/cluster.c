/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

/* Between environment and name in the store's name of a cluster; neither may hold it. */
#define SEPARATOR '/'

struct clusters {
	struct cluster **list;
	size_t count;
};

static struct cluster *add(struct clusters *c, const struct names *n, uint32_t id)
{
	struct cluster **list = realloc(c->list, (c->count + 1) * sizeof(*list));
	struct cluster *one = calloc(1, sizeof(*one));

	if (list == NULL || one == NULL)
		abort();
	c->list = list;
	c->list[c->count++] = one;
	one->id = id;
	one->name = strchr(names_text(n, id), SEPARATOR) + 1;
	one->passed_mono = clock_mono_ms();
	return one;
}

/* A cluster whose pass was complete when the daemon stopped is judged again: that changes nothing
 * unless it had not been judged yet. */
static void load(struct cluster *c, struct store_txn *t)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	if (store_get_cluster(t, c->id, &c->track))
		c->due = c->track.last_ms != 0;
	if (store_get_origin(t, c->id, &data, &size) &&
	    origin_unpack(data, size, &c->origin) != ERR_OK)
		c->origin = (struct origin){0};
}

int clusters_load(struct store_txn *t, const struct names *n, struct clusters **ret_c)
{
	CLEANUP(clusters_free) struct clusters *c = calloc(1, sizeof(*c));
	uint32_t *ids = NULL;

	if (c == NULL)
		return -ENOMEM;
	size_t count = names_clusters(n, &ids);
	for (size_t i = 0; i < count; i++)
		load(add(c, n, ids[i]), t);
	free(ids);
	if (t->err != ERR_OK)
		return t->err;
	*ret_c = c;
	c = NULL;
	return ERR_OK;
}

void clusters_free(struct clusters **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < (*c)->count; i++) {
		census_end(&(*c)->list[i]->census);
		free((*c)->list[i]);
	}
	free((*c)->list);
	free(*c);
	*c = NULL;
}

struct cluster *clusters_take(struct clusters *c, struct store_txn *t, struct names *n,
			      const char *environment, const char *name)
{
	char full[WIRE_NAME_MAX + 1];

	snprintf(full, sizeof(full), "%s%c%s", environment, SEPARATOR, name);
	uint32_t id = names_intern(n, t, STORE_CLUSTER, 0, full);
	if (id == 0)
		return NULL;
	struct cluster *known = clusters_by_id(c, id);
	return known != NULL ? known : add(c, n, id);
}

size_t clusters_count(const struct clusters *c)
{
	return c->count;
}

struct cluster *clusters_at(struct clusters *c, size_t i)
{
	return c->list[i];
}

struct cluster *clusters_by_id(struct clusters *c, uint32_t id)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->list[i]->id == id)
			return c->list[i];
	return NULL;
}

void clusters_store(struct cluster *c, struct store_txn *t)
{
	struct buf packed = {0};

	store_put_cluster(t, c->id, &c->track);
	origin_pack(&packed, &c->origin);
	if (packed.err == ERR_OK)
		store_put_origin(t, c->id, packed.data, packed.size);
	buf_free(&packed);
}
