/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

#define NAME_HEADER 5
#define NAME_KEY_MAX 500

#define NODE_HEADER 8 /* LMDB's, with each record */
#define CACHE_LINE 64

int store_from_mdb(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
		return ERR_FULL;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
		return ERR_MALFORMED;
	case MDB_VERSION_MISMATCH:
		return ERR_VERSION;
	default:
		return rc > 0 ? -rc : -EIO; /* a full disk is EIO too: LMDB sees a short write */
	}
}

/* Callers have looked at t->err; with store_begin() the only place that sets it from LMDB. */
bool store_check(struct store_txn *t, int rc)
{
	t->err = store_from_mdb(rc);
	return t->err == ERR_OK;
}

static void put_part(struct store_key *k, uint32_t v)
{
	put_be32(k->bytes + k->size, v);
	k->size += sizeof(v);
}

struct store_key store_make_key(const uint32_t *parts, size_t count)
{
	struct store_key k = {.size = 0};

	for (size_t i = 0; i < count; i++)
		put_part(&k, parts[i]);
	return k;
}

static struct store_key commit_key(struct store_commit_key k)
{
	return KEY(k.cluster, k.group, k.topic, (uint32_t)k.partition);
}

static struct store_key log_key(struct store_log_key k)
{
	return KEY(k.cluster, k.topic, (uint32_t)k.partition);
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
	MDB_val k = store_val(name, strlen(name));
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
	MDB_val k = store_val(name, strlen(name));
	MDB_val value = store_val(&v, sizeof(v));

	if (t->err == ERR_OK)
		store_check(t, mdb_put(t->txn, t->store->tables[META], &k, &value, 0));
}

/* Copy out a record. One of another size is damage, not absence. */
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
	if (v.mv_size != size) {
		t->err = ERR_MALFORMED;
		return false;
	}
	memcpy(ret_v, v.mv_data, size);
	return true;
}

void store_put_record(struct store_txn *t, enum table table, struct store_key k, const void *v,
		      size_t size)
{
	MDB_val key = {k.size, k.bytes};
	MDB_val value = store_val(v, size);

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
	if (v.mv_size != size) {
		t->err = ERR_MALFORMED;
		return false;
	}
	memcpy(ret_v, v.mv_data, size);
	return true;
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
	MDB_val value = store_val(v, size);

	if (c != NULL && t->err == ERR_OK)
		store_check(t,
			    mdb_cursor_put(c, &key, &value, stands_at(c, &key) ? MDB_CURRENT : 0));
}

static bool walk_with(struct store_txn *t, MDB_cursor *c, bool first,
		      const struct store_key *prefix, struct store_key *ret_k, void *ret_v,
		      size_t size)
{
	MDB_val key = store_val(prefix->bytes, prefix->size);
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

/* Step to the first key that begins with prefix, or to the next; copy key and value out. */
bool store_walk(struct store_txn *t, enum table table, bool first, const struct store_key *prefix,
		struct store_key *ret_k, void *ret_v, size_t size)
{
	return walk_with(t, store_cursor(t, table), first, prefix, ret_k, ret_v, size);
}

/* --- partitions --- */

bool store_get_commit(struct store_txn *t, struct store_commit_key k, struct commit_track *ret_v)
{
	return store_cursor_get(t, COMMIT, commit_key(k), ret_v, sizeof(*ret_v));
}

void store_put_commit(struct store_txn *t, struct store_commit_key k, const struct commit_track *v)
{
	store_cursor_put(t, COMMIT, commit_key(k), v, sizeof(*v));
}

void store_del_commit(struct store_txn *t, struct store_commit_key k)
{
	store_del_record(t, COMMIT, commit_key(k));
}

bool store_next_commit(struct store_txn *t, bool first, struct store_range range,
		       struct store_commit_key *ret_k, struct commit_track *ret_v)
{
	struct store_key prefix =
		range.group == 0 ? KEY(range.cluster) : KEY(range.cluster, range.group);
	MDB_cursor *c = t->walker;
	struct store_key at;

	if (c == NULL && t->err == ERR_OK &&
	    store_check(t, mdb_cursor_open(t->txn, t->store->tables[COMMIT], &c)))
		t->walker = c;
	if (!walk_with(t, c, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_k = (struct store_commit_key){
		.cluster = range.cluster,
		.group = get_be32(at.bytes + 4),
		.topic = get_be32(at.bytes + 8),
		.partition = (int32_t)get_be32(at.bytes + 12),
	};
	return true;
}

bool store_get_log(struct store_txn *t, struct store_log_key k, struct log_track *ret_v)
{
	return store_cursor_get(t, LOG, log_key(k), ret_v, sizeof(*ret_v));
}

void store_put_log(struct store_txn *t, struct store_log_key k, const struct log_track *v)
{
	store_cursor_put(t, LOG, log_key(k), v, sizeof(*v));
}

void store_del_log(struct store_txn *t, struct store_log_key k)
{
	store_del_record(t, LOG, log_key(k));
	store_del_record(t, OLDEST, log_key(k));
	for (uint32_t i = 0; i < HISTORY_LEVELS; i++)
		store_del_record(t, HISTORY, KEY(k.cluster, k.topic, (uint32_t)k.partition, i));
}

bool store_next_log(struct store_txn *t, bool first, uint32_t cluster, struct store_log_key *ret_k,
		    struct log_track *ret_v)
{
	struct store_key prefix = KEY(cluster);
	struct store_key at;

	if (!store_walk(t, LOG, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_k = (struct store_log_key){
		.cluster = cluster,
		.topic = get_be32(at.bytes + 4),
		.partition = (int32_t)get_be32(at.bytes + 8),
	};
	return true;
}

void store_get_history(struct store_txn *t, struct store_log_key k, struct history *ret_v)
{
	*ret_v = (struct history){0};
	for (uint32_t i = 0; i < HISTORY_LEVELS; i++)
		store_cursor_get(t, HISTORY, KEY(k.cluster, k.topic, (uint32_t)k.partition, i),
				 &ret_v->levels[i], history_size(i));
}

void store_put_history(struct store_txn *t, struct store_log_key k, const struct history *v,
		       unsigned levels)
{
	for (uint32_t i = 0; i < HISTORY_LEVELS; i++)
		if (levels & (1u << i))
			store_cursor_put(t, HISTORY,
					 KEY(k.cluster, k.topic, (uint32_t)k.partition, i),
					 &v->levels[i], history_size(i));
}

/* --- groups and clusters --- */

bool store_get_group(struct store_txn *t, uint32_t cluster, uint32_t group,
		     struct group_track *ret_v)
{
	return store_get_record(t, GROUP, KEY(cluster, group), ret_v, sizeof(*ret_v));
}

void store_put_group(struct store_txn *t, uint32_t cluster, uint32_t group,
		     const struct group_track *v)
{
	store_put_record(t, GROUP, KEY(cluster, group), v, sizeof(*v));
}

bool store_next_group(struct store_txn *t, bool first, uint32_t cluster, uint32_t *ret_group,
		      struct group_track *ret_v)
{
	struct store_key prefix = KEY(cluster);
	struct store_key at;

	if (!store_walk(t, GROUP, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_group = get_be32(at.bytes + 4);
	return true;
}

bool store_get_members(struct store_txn *t, uint32_t cluster, uint32_t group,
		       const uint8_t **ret_data, size_t *ret_size)
{
	return store_get_bytes(t, MEMBERS, KEY(cluster, group), ret_data, ret_size);
}

void store_put_members(struct store_txn *t, uint32_t cluster, uint32_t group, const void *data,
		       size_t size)
{
	store_put_record(t, MEMBERS, KEY(cluster, group), data, size);
}

void store_del_group(struct store_txn *t, uint32_t cluster, uint32_t group)
{
	struct store_range range = {.cluster = cluster, .group = group};
	struct store_commit_key k;
	struct commit_track c;

	for (bool first = true; store_next_commit(t, first, range, &k, &c); first = false)
		store_del_commit(t, k);
	store_del_record(t, GROUP, KEY(cluster, group));
	store_del_record(t, MEMBERS, KEY(cluster, group));
}

bool store_get_cluster(struct store_txn *t, uint32_t cluster, struct cluster_track *ret_v)
{
	return store_get_record(t, CLUSTER, KEY(cluster), ret_v, sizeof(*ret_v));
}

void store_put_cluster(struct store_txn *t, uint32_t cluster, const struct cluster_track *v)
{
	store_put_record(t, CLUSTER, KEY(cluster), v, sizeof(*v));
}

bool store_get_origin(struct store_txn *t, uint32_t cluster, const uint8_t **ret_data,
		      size_t *ret_size)
{
	return store_get_bytes(t, ORIGIN, KEY(cluster), ret_data, ret_size);
}

void store_put_origin(struct store_txn *t, uint32_t cluster, const void *data, size_t size)
{
	store_put_record(t, ORIGIN, KEY(cluster), data, size);
}

bool store_get_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic,
		      struct store_burial *ret_b)
{
	return store_get_record(t, BURIED, KEY(cluster, group, topic), ret_b, sizeof(*ret_b));
}

void store_put_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic,
		      const struct store_burial *b)
{
	store_put_record(t, BURIED, KEY(cluster, group, topic), b, sizeof(*b));
}

void store_del_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic)
{
	store_del_record(t, BURIED, KEY(cluster, group, topic));
}

/* --- names --- */

uint32_t store_add_name(struct store_txn *t, enum store_kind kind, uint32_t cluster,
			const char *name)
{
	uint8_t value[NAME_HEADER + STORE_NAME_MAX - 1];
	size_t size = strlen(name);

	assert(size <= sizeof(value) - NAME_HEADER);
	uint32_t id = store_get_meta(t, "next_id") + 1;
	store_put_meta(t, "next_id", id);
	value[0] = (uint8_t)kind;
	put_be32(value + 1, cluster);
	memcpy(value + NAME_HEADER, name, size);
	store_put_record(t, NAME, KEY(id), value, NAME_HEADER + size);
	return t->err == ERR_OK ? id : 0;
}

void store_del_name(struct store_txn *t, uint32_t id)
{
	store_del_record(t, NAME, KEY(id));
}

void store_get_name(struct store_txn *t, uint32_t id, char ret_name[static STORE_NAME_MAX])
{
	const uint8_t *data = NULL;
	size_t size = 0;

	ret_name[0] = '\0';
	if (!store_get_bytes(t, NAME, KEY(id), &data, &size))
		return;
	if (size < NAME_HEADER || size - NAME_HEADER >= STORE_NAME_MAX) {
		t->err = ERR_MALFORMED;
		return;
	}
	memcpy(ret_name, data + NAME_HEADER, size - NAME_HEADER);
	ret_name[size - NAME_HEADER] = '\0';
}

int store_each_name(struct store_txn *t, void (*on_name)(void *arg, const struct store_name *n),
		    void *arg)
{
	MDB_cursor *c = NULL;
	MDB_val k;
	MDB_val v;

	if (t->err != ERR_OK ||
	    !store_check(t, mdb_cursor_open(t->txn, t->store->tables[NAME], &c)))
		return t->err;
	int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		char name[STORE_NAME_MAX];

		if (k.mv_size != 4 || v.mv_size < NAME_HEADER ||
		    v.mv_size - NAME_HEADER >= sizeof(name)) {
			t->err = ERR_MALFORMED;
			break;
		}
		const uint8_t *data = v.mv_data;
		memcpy(name, data + NAME_HEADER, v.mv_size - NAME_HEADER);
		name[v.mv_size - NAME_HEADER] = '\0';
		on_name(arg, &(struct store_name){.id = get_be32(k.mv_data),
						  .kind = (enum store_kind)data[0],
						  .cluster = get_be32(data + 1),
						  .name = name});
	}
	mdb_cursor_close(c);
	if (t->err == ERR_OK && rc != MDB_NOTFOUND)
		store_check(t, rc);
	return t->err;
}

/* --- sessions --- */

bool store_get_session(struct store_txn *t, const char *agent, struct store_session *ret_s)
{
	MDB_val k = store_val(agent, strlen(agent));
	MDB_val v;

	assert(k.mv_size > 0 && k.mv_size <= NAME_KEY_MAX);
	if (t->err != ERR_OK)
		return false;
	int rc = mdb_get(t->txn, t->store->tables[SESSION], &k, &v);
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return false;
	if (v.mv_size != sizeof(*ret_s)) {
		t->err = ERR_MALFORMED;
		return false;
	}
	memcpy(ret_s, v.mv_data, sizeof(*ret_s));
	return true;
}

void store_put_session(struct store_txn *t, const char *agent, const struct store_session *s)
{
	MDB_val k = store_val(agent, strlen(agent));
	MDB_val v = store_val(s, sizeof(*s));

	assert(k.mv_size > 0 && k.mv_size <= NAME_KEY_MAX);
	if (t->err == ERR_OK)
		store_check(t, mdb_put(t->txn, t->store->tables[SESSION], &k, &v, 0));
}
