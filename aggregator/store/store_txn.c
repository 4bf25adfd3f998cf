/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

#define NODE_HEADER 8 /* LMDB's, with each record */
#define CACHE_LINE 64

/* Callers have looked at t->err; with store_begin() the only place that sets it from LMDB. */
bool store_check(struct store_txn *t, int rc)
{
	t->err = lmdb_err(rc);
	return t->err == ERR_OK;
}

/* --- transactions --- */

/* Go through the gate and begin; not through it on failure. */
static int enter(struct store *st, bool write, MDB_txn **ret_txn)
{
	unsigned flags = write ? 0 : MDB_RDONLY;

	pthread_rwlock_rdlock(&st->gate);
	int rc = st->env == NULL ? MDB_PANIC : mdb_txn_begin(st->env, NULL, flags, ret_txn);
	if (rc == MDB_READERS_FULL) {
		int dead = 0;
		mdb_reader_check(st->env, &dead);
		rc = mdb_txn_begin(st->env, NULL, flags, ret_txn);
	}
	if (rc != MDB_SUCCESS)
		pthread_rwlock_unlock(&st->gate);
	return rc;
}

struct store_txn store_begin(struct store *st, bool write)
{
	struct store_txn t = {.store = st, .write = write};
	MDB_txn *txn = NULL;
	int rc = enter(st, write, &txn);

	if (rc == MDB_PANIC || rc == MDB_MAP_RESIZED) {
		store_renew(st, rc);
		rc = enter(st, write, &txn);
	}
	store_check(&t, rc);
	t.txn = txn;
	return t;
}

static void leave(struct store_txn *t)
{
	t->txn = NULL;
	pthread_rwlock_unlock(&t->store->gate);
}

static void close_cursors(struct store_txn *t)
{
	for (size_t i = 0; i < ARRAY_LEN(t->cursors); i++) {
		if (t->cursors[i] != NULL)
			mdb_cursor_close(t->cursors[i]);
		t->cursors[i] = NULL;
	}
	if (t->walker != NULL)
		mdb_cursor_close(t->walker);
	t->walker = NULL;
}

int store_commit(struct store_txn *t)
{
	if (t->err != ERR_OK) {
		store_abort(t);
		return t->err;
	}
	close_cursors(t);
	store_check(t, mdb_txn_commit(t->txn));
	leave(t);
	return t->err;
}

void store_abort(struct store_txn *t)
{
	close_cursors(t);
	if (t->txn == NULL)
		return;
	mdb_txn_abort(t->txn);
	leave(t);
}

void store_touch(struct store_txn *t)
{
	store_put_meta(t, "probe", store_get_meta(t, "probe") + 1);
}

/* --- records of one size --- */

uint32_t store_get_meta(struct store_txn *t, const char *name)
{
	uint32_t v = 0;
	MDB_val k = lmdb_val(name, strlen(name));
	MDB_val found;

	if (t->err != ERR_OK)
		return 0;
	int rc = mdb_get(t->txn, t->store->tables[META], &k, &found);
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return 0;
	if (found.mv_size == sizeof(v))
		memcpy(&v, found.mv_data, sizeof(v));
	return v;
}

void store_put_meta(struct store_txn *t, const char *name, uint32_t v)
{
	MDB_val k = lmdb_val(name, strlen(name));
	MDB_val value = lmdb_val(&v, sizeof(v));

	if (t->err == ERR_OK)
		store_check(t, mdb_put(t->txn, t->store->tables[META], &k, &value, 0));
}

/* A record of another size is damage, not absence. */
static bool take_value(struct store_txn *t, const MDB_val *v, void *ret_v, size_t size)
{
	if (v->mv_size != size) {
		t->err = ERR_MALFORMED;
		return false;
	}
	memcpy(ret_v, v->mv_data, size);
	return true;
}

bool store_get_record(struct store_txn *t, enum table table, struct store_key k, void *ret_v,
		      size_t size)
{
	MDB_val key = {k.size, k.bytes};
	MDB_val v;

	if (t->err != ERR_OK)
		return false;
	int rc = mdb_get(t->txn, t->store->tables[table], &key, &v);
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return false;
	return take_value(t, &v, ret_v, size);
}

void store_put_record(struct store_txn *t, enum table table, struct store_key k, const void *v,
		      size_t size)
{
	MDB_val key = {k.size, k.bytes};
	MDB_val value = lmdb_val(v, size);

	if (t->err == ERR_OK)
		store_check(t, mdb_put(t->txn, t->store->tables[table], &key, &value, 0));
}

void store_del_record(struct store_txn *t, enum table table, struct store_key k)
{
	MDB_val key = {k.size, k.bytes};

	if (t->err != ERR_OK)
		return;
	int rc = mdb_del(t->txn, t->store->tables[table], &key, NULL);
	if (rc != MDB_NOTFOUND)
		store_check(t, rc);
}

bool store_get_bytes(struct store_txn *t, enum table table, struct store_key k,
		     const uint8_t **ret_data, size_t *ret_size)
{
	MDB_val key = {k.size, k.bytes};
	MDB_val v;

	if (t->err != ERR_OK)
		return false;
	int rc = mdb_get(t->txn, t->store->tables[table], &key, &v);
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return false;
	*ret_data = v.mv_data;
	*ret_size = v.mv_size;
	return true;
}

/* Cursors remember the last page, which makes writing in key order cheap. */
MDB_cursor *store_cursor(struct store_txn *t, enum table table)
{
	assert((size_t)table < ARRAY_LEN(t->cursors));
	MDB_cursor *c = t->cursors[table];

	if (c == NULL && t->err == ERR_OK &&
	    store_check(t, mdb_cursor_open(t->txn, t->store->tables[table], &c)))
		t->cursors[table] = c;
	return c;
}

static bool is_key(const MDB_val *a, const MDB_val *b)
{
	return a->mv_size == b->mv_size && memcmp(a->mv_data, b->mv_data, a->mv_size) == 0;
}

/* Records that were put in rising order lie in falling order in their page, so the next is the one
 * below. It is not in the cache: a pass of a large cluster goes through more than that holds. */
static void fetch_next(const MDB_val *key, const MDB_val *v)
{
	size_t whole = NODE_HEADER + key->mv_size + v->mv_size;

	for (size_t i = 0; i < whole; i += CACHE_LINE)
		__builtin_prefetch((const char *)v->mv_data - whole + i);
}

/* Step to the next record if it is the one of this key, as it mostly is: agents tell them in order,
 * and so they are walked. Then nobody has to search. */
static bool step_to(MDB_cursor *c, const MDB_val *key, MDB_val *ret_v)
{
	MDB_val at;

	if (mdb_cursor_get(c, &at, ret_v, MDB_NEXT) != MDB_SUCCESS || !is_key(&at, key))
		return false;
	fetch_next(key, ret_v);
	return true;
}

static int seek(MDB_cursor *c, MDB_val *key, MDB_val *ret_v)
{
	return step_to(c, key, ret_v) ? MDB_SUCCESS : mdb_cursor_get(c, key, ret_v, MDB_SET_KEY);
}

bool store_cursor_get(struct store_txn *t, enum table table, struct store_key k, void *ret_v,
		      size_t size)
{
	MDB_cursor *c = store_cursor(t, table);
	MDB_val key = {k.size, k.bytes};
	MDB_val v;

	if (c == NULL || t->err != ERR_OK)
		return false;
	int rc = seek(c, &key, &v);
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return false;
	return take_value(t, &v, ret_v, size);
}

/* Whether the cursor stands at this key, as after a look at it, or just before it. */
static bool stands_at(MDB_cursor *c, const MDB_val *key)
{
	MDB_val at;
	MDB_val v;

	return (mdb_cursor_get(c, &at, &v, MDB_GET_CURRENT) == MDB_SUCCESS && is_key(&at, key)) ||
	       step_to(c, key, &v);
}

void store_cursor_put(struct store_txn *t, enum table table, struct store_key k, const void *v,
		      size_t size)
{
	MDB_cursor *c = store_cursor(t, table);
	MDB_val key = {k.size, k.bytes};
	MDB_val value = lmdb_val(v, size);

	if (c != NULL && t->err == ERR_OK)
		store_check(t,
			    mdb_cursor_put(c, &key, &value, stands_at(c, &key) ? MDB_CURRENT : 0));
}

bool store_walk_cursor(struct store_txn *t, MDB_cursor *c, bool first,
		       const struct store_key *prefix, struct store_key *ret_k, void *ret_v,
		       size_t size)
{
	MDB_val key = lmdb_val(prefix->bytes, prefix->size);
	MDB_val v;

	if (c == NULL || t->err != ERR_OK)
		return false;
	int rc = mdb_cursor_get(c, &key, &v, first ? MDB_SET_RANGE : MDB_NEXT);
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return false;
	if (key.mv_size < prefix->size || memcmp(key.mv_data, prefix->bytes, prefix->size) != 0)
		return false;
	if (key.mv_size > sizeof(ret_k->bytes) || v.mv_size != size) {
		t->err = ERR_MALFORMED;
		return false;
	}
	fetch_next(&key, &v);
	memcpy(ret_k->bytes, key.mv_data, key.mv_size);
	memcpy(ret_v, v.mv_data, size);
	return true;
}

bool store_walk(struct store_txn *t, enum table table, bool first, const struct store_key *prefix,
		struct store_key *ret_k, void *ret_v, size_t size)
{
	return store_walk_cursor(t, store_cursor(t, table), first, prefix, ret_k, ret_v, size);
}
