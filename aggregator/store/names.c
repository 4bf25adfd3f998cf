/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/names.h"

#include <stdlib.h>
#include <string.h>

/* A failed allocation of a few bytes at run time ends the program, as uthash's default does; what
 * can be interned is bounded by the limits of the wire. */
#include <uthash.h>

#include "common/err.h"
#include "common/mem.h"

/* One name. The hash key is kind, cluster and text in one run of bytes. */
struct entry {
	UT_hash_handle hh;
	uint32_t id;
	uint32_t used; /* round in which it was last found to be of use */
	unsigned key_size;
	char key[]; /* kind (1), cluster (4), text, NUL */
};

#define KEY_HEADER 5

struct names {
	struct entry *by_text;
	struct entry **by_id; /* indexed by id; NULL where unused */
	uint32_t cap;
	uint32_t round;
	uint32_t at;  /* where the dropping of this round is */
	uint32_t end; /* names of this number and above are newer than the round */
};

static struct entry *new_entry(enum store_kind kind, uint32_t cluster, const char *text)
{
	size_t size = strlen(text);
	struct entry *e = mem_zeroed(1, sizeof(*e) + KEY_HEADER + size + 1);

	e->key[0] = (char)kind;
	memcpy(e->key + 1, &cluster, sizeof(cluster));
	memcpy(e->key + KEY_HEADER, text, size + 1);
	e->key_size = (unsigned)(KEY_HEADER + size);
	return e;
}

static void insert(struct names *n, struct entry *e, uint32_t id)
{
	if (id >= n->cap) {
		uint32_t cap = MAX(id + 1, n->cap * 2);
		struct entry **by_id = realloc(n->by_id, cap * sizeof(*by_id));

		if (by_id == NULL)
			abort();
		memset(by_id + n->cap, 0, (cap - n->cap) * sizeof(*by_id));
		n->by_id = by_id;
		n->cap = cap;
	}
	e->id = id;
	e->used = n->round;
	n->by_id[id] = e;
	HASH_ADD_KEYPTR(hh, n->by_text, e->key, e->key_size, e);
}

static void on_name(void *arg, const struct store_name *name)
{
	insert(arg, new_entry(name->kind, name->cluster, name->name), name->id);
}

int names_load(struct store_txn *t, struct names **ret_n)
{
	CLEANUP(names_free) struct names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	int err = store_each_name(t, on_name, n);
	if (err != ERR_OK)
		return err;
	*ret_n = n;
	n = NULL;
	return ERR_OK;
}

void names_free(struct names **n)
{
	struct entry *e = NULL;
	struct entry *next = NULL;

	if (*n == NULL)
		return;
	HASH_ITER(hh, (*n)->by_text, e, next)
	{
		HASH_DELETE(hh, (*n)->by_text, e);
		free(e);
	}
	free((*n)->by_id);
	free(*n);
	*n = NULL;
}

static struct entry *find(const struct names *n, const char *key, unsigned key_size)
{
	struct entry *e = NULL;

	HASH_FIND(hh, n->by_text, key, key_size, e);
	return e;
}

uint32_t names_find(const struct names *n, enum store_kind kind, uint32_t cluster, const char *name)
{
	struct entry *probe = new_entry(kind, cluster, name);
	struct entry *e = find(n, probe->key, probe->key_size);

	free(probe);
	return e == NULL ? 0 : e->id;
}

uint32_t names_intern(struct names *n, struct store_txn *t, enum store_kind kind, uint32_t cluster,
		      const char *name)
{
	struct entry *e = new_entry(kind, cluster, name);
	struct entry *known = find(n, e->key, e->key_size);

	if (known != NULL) {
		free(e);
		known->used = n->round;
		return known->id;
	}
	uint32_t id = store_add_name(t, kind, cluster, name);
	if (id == 0) {
		free(e);
		return 0;
	}
	insert(n, e, id);
	return id;
}

void names_drop(struct names *n, struct store_txn *t, uint32_t id)
{
	if (id >= n->cap || n->by_id[id] == NULL)
		return;
	store_del_name(t, id);
	HASH_DELETE(hh, n->by_text, n->by_id[id]);
	free(n->by_id[id]);
	n->by_id[id] = NULL;
}

bool names_has(const struct names *n, enum store_kind kind, uint32_t id)
{
	return id < n->cap && n->by_id[id] != NULL && n->by_id[id]->key[0] == (char)kind;
}

void names_begin_round(struct names *n)
{
	n->round++;
	n->at = 0;
	n->end = n->cap;
}

void names_mark(struct names *n, uint32_t id)
{
	if (id < n->cap && n->by_id[id] != NULL)
		n->by_id[id]->used = n->round;
}

bool names_drop_unused(struct names *n, struct store_txn *t, size_t max, size_t *ret_dropped)
{
	*ret_dropped = 0;
	for (; n->at < n->end && max > 0; n->at++, max--) {
		const struct entry *e = n->by_id[n->at];

		if (e == NULL || e->used == n->round || e->key[0] == STORE_CLUSTER)
			continue;
		names_drop(n, t, n->at);
		++*ret_dropped;
	}
	return n->at < n->end;
}

const char *names_text(const struct names *n, uint32_t id)
{
	return id < n->cap && n->by_id[id] != NULL ? n->by_id[id]->key + KEY_HEADER : "";
}

size_t names_count(const struct names *n)
{
	return HASH_COUNT(n->by_text);
}

size_t names_clusters(const struct names *n, uint32_t **ret_ids)
{
	uint32_t *ids = calloc(MAX(n->cap, 1u), sizeof(*ids));
	size_t count = 0;

	if (ids == NULL)
		abort();
	for (uint32_t id = 0; id < n->cap; id++)
		if (n->by_id[id] != NULL && n->by_id[id]->key[0] == STORE_CLUSTER)
			ids[count++] = id;
	*ret_ids = ids;
	return count;
}
