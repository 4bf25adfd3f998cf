/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* Between environment and name in the store's name of a cluster; neither may hold it. */
#define SEPARATOR '/'

struct clusters {
	struct cluster **list;
	size_t count;
};

static const char *name_of(const struct names *n, uint32_t id)
{
	return strchr(names_text(n, id), SEPARATOR) + 1;
}

static struct cluster *add(struct clusters *c, const struct names *n, uint32_t id)
{
	struct cluster **list = realloc(c->list, (c->count + 1) * sizeof(*list));
	struct cluster *one = calloc(1, sizeof(*one));

	if (list == NULL || one == NULL)
		abort();
	c->list = list;
	c->list[c->count++] = one;
	one->id = id;
	one->name = name_of(n, id);
	one->passed_mono = clock_mono_ms();
	one->probes = probes_new();
	return one;
}

/* A cluster whose pass was complete when the daemon stopped is judged again: that changes nothing
 * unless it had not been judged yet. */
static void load(struct cluster *c, struct store_txn *t)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	c->track = (struct cluster_track){0};
	c->origin = (struct origin){0};
	(void)store_get_cluster(t, c->id, &c->track);
	if (store_get_origin(t, c->id, &data, &size) &&
	    origin_unpack(data, size, &c->origin) != ERR_OK)
		c->origin.seen_ms = clock_wall_ms(); /* not known, but not never either */
	c->due = c->due_stored = c->track.last_ms != 0;
}

int clusters_load(struct store_txn *t, const struct names *n, struct clusters **ret_c)
{
	CLEANUP(clusters_free) struct clusters *c = calloc(1, sizeof(*c));
	uint32_t *ids = NULL;

	if (c == NULL)
		return -ENOMEM;
	size_t count = names_clusters(n, &ids);
	for (size_t i = 0; i < count; i++) {
		struct cluster *one = add(c, n, ids[i]);

		load(one, t);
		one->late_ms = clock_wall_ms() - one->origin.passed_ms;
	}
	free(ids);
	if (t->err != ERR_OK)
		return t->err;
	*ret_c = c;
	c = NULL;
	return ERR_OK;
}

static void free_one(struct cluster **c)
{
	census_end(&(*c)->census);
	probes_free(&(*c)->probes);
	free(*c);
	*c = NULL;
}

void clusters_free(struct clusters **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < (*c)->count; i++)
		free_one(&(*c)->list[i]);
	free((*c)->list);
	free(*c);
	*c = NULL;
}

void clusters_remove(struct clusters *c, uint32_t id)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i]->id == id)
			free_one(&c->list[i]);
		else
			c->list[kept++] = c->list[i];
	}
	c->count = kept;
}

/* --- transactions --- */

void clusters_committed(struct clusters *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct cluster *one = c->list[i];

		if (one->judged) {
			one->passed_mono = clock_mono_ms();
			one->stale = one->news = false;
		}
		one->touched = one->judged = false;
		one->due_stored = one->due;
	}
}

/* What the pass under way has named so far is not known any more: it removes nothing. */
static void reload(struct cluster *c, struct store_txn *t)
{
	bool due = c->due_stored;

	load(c, t);
	census_end(&c->census);
	c->pass = 0;
	c->due = c->due_stored = due;
	c->touched = c->judged = false;
}

void clusters_reload(struct clusters *c, struct store_txn *t, const struct names *n)
{
	uint32_t *ids = NULL;
	size_t count = names_clusters(n, &ids);

	for (size_t i = c->count; i-- > 0;) {
		struct cluster *one = c->list[i];

		if (!names_has(n, STORE_CLUSTER, one->id)) {
			clusters_remove(c, one->id);
			continue;
		}
		one->name = name_of(n, one->id);
		if (one->touched)
			reload(one, t);
	}
	for (size_t i = 0; i < count; i++)
		if (clusters_by_id(c, ids[i]) == NULL)
			load(add(c, n, ids[i]), t);
	free(ids);
}

/* --- finding --- */

/* The store's name of a cluster. */
static void put_full(char full[static WIRE_NAME_MAX + 1], const char *environment, const char *name)
{
	snprintf(full, WIRE_NAME_MAX + 1, "%s%c%s", environment, SEPARATOR, name);
}

struct cluster *clusters_find(const struct clusters *c, const struct names *n,
			      const char *environment, const char *name)
{
	char full[WIRE_NAME_MAX + 1];

	put_full(full, environment, name);
	uint32_t id = names_find(n, STORE_CLUSTER, 0, full);
	return id == 0 ? NULL : clusters_by_id(c, id);
}

size_t clusters_of_agent(const struct clusters *c, const char *agent)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		count += strcmp(c->list[i]->origin.agent, agent) == 0;
	return count;
}

/* Burrow's paths name a cluster without its environment, so of two of one name they show one. */
static void warn_of_namesakes(const struct clusters *c, const struct cluster *one,
			      const char *environment)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->list[i] != one && strcmp(c->list[i]->name, one->name) == 0)
			log_warn("two environments have a cluster of one name",
				 "cluster=%s environments=%s,%s do=%s", log_quote(one->name),
				 log_quote(c->list[i]->origin.environment), log_quote(environment),
				 log_quote("ask /api/v1 with ?env=; /v3 shows that of the "
					   "environment that sorts first"));
}

struct cluster *clusters_take(struct clusters *c, struct store_txn *t, struct names *n,
			      const char *environment, const char *name)
{
	char full[WIRE_NAME_MAX + 1];

	put_full(full, environment, name);
	uint32_t id = names_intern(n, t, STORE_CLUSTER, 0, full);
	if (id == 0)
		return NULL;
	struct cluster *one = clusters_by_id(c, id);
	if (one == NULL) {
		one = add(c, n, id);
		warn_of_namesakes(c, one, environment);
	}
	one->touched = true;
	return one;
}

size_t clusters_count(const struct clusters *c)
{
	return c->count;
}

struct cluster *clusters_at(struct clusters *c, size_t i)
{
	return c->list[i];
}

struct cluster *clusters_by_id(const struct clusters *c, uint32_t id)
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
