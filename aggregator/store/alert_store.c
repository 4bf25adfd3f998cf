/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/alert_store.h"

#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

#define PART 4 /* bytes of a number in a key */

static const enum table TABLES[] = {
	[ALERT_SILENCE] = SILENCE,
	[ALERT_OUTBOX] = OUTBOX,
	[ALERT_NOTIFY] = NOTIFY,
};

#define HIGH(v) ((uint32_t)((uint64_t)(v) >> 32))
#define LOW(v) ((uint32_t)(v))

static struct store_key place_key(struct alert_place p)
{
	return KEY(HIGH(p.opened_ms), LOW(p.opened_ms), HIGH(p.id), LOW(p.id));
}

static struct alert_place place_of(const MDB_val *key)
{
	const uint8_t *at = key->mv_data;

	return (struct alert_place){(int64_t)get_be64(at), get_be64(at + 2 * PART)};
}

/* One look with a cursor of its own, at from or after it. */
struct look {
	struct store_key from;
	size_t size; /* of a key */
	MDB_val key, value;
};

/* False when there is nothing, or a key of another size, which is damage. */
static bool found(struct store_txn *t, const struct look *l, int rc)
{
	if (rc == MDB_NOTFOUND || !store_check(t, rc))
		return false;
	if (l->key.mv_size != l->size)
		t->err = ERR_MALFORMED;
	return t->err == ERR_OK;
}

static MDB_cursor *open_cursor(struct store_txn *t, enum table table)
{
	MDB_cursor *c = NULL;

	if (t->err == ERR_OK)
		store_check(t, mdb_cursor_open(t->txn, t->store->tables[table], &c));
	return c;
}

static bool look(struct store_txn *t, enum table table, struct look *l)
{
	MDB_cursor *c = open_cursor(t, table);

	if (c == NULL)
		return false;
	l->key = lmdb_val(l->from.bytes, l->from.size);
	int rc = mdb_cursor_get(c, &l->key, &l->value, MDB_SET_RANGE);
	mdb_cursor_close(c);
	return found(t, l, rc);
}

/* --- tables whose key is one number --- */

bool alert_store_get(struct store_txn *t, enum alert_table table, uint64_t key,
		     const uint8_t **ret_data, size_t *ret_size)
{
	return store_get_bytes(t, TABLES[table], KEY(HIGH(key), LOW(key)), ret_data, ret_size);
}

void alert_store_put(struct store_txn *t, enum alert_table table, uint64_t key, const void *data,
		     size_t size)
{
	store_put_record(t, TABLES[table], KEY(HIGH(key), LOW(key)), data, size);
}

void alert_store_del(struct store_txn *t, enum alert_table table, uint64_t key)
{
	store_del_record(t, TABLES[table], KEY(HIGH(key), LOW(key)));
}

bool alert_store_next(struct store_txn *t, enum alert_table table, uint64_t at_least,
		      uint64_t *ret_key, const uint8_t **ret_data, size_t *ret_size)
{
	struct look l = {.from = KEY(HIGH(at_least), LOW(at_least)), .size = 2 * PART};

	if (!look(t, TABLES[table], &l))
		return false;
	*ret_key = get_be64(l.key.mv_data);
	*ret_data = l.value.mv_data;
	*ret_size = l.value.mv_size;
	return true;
}

/* --- incidents --- */

bool alert_store_get_incident(struct store_txn *t, uint64_t id, const uint8_t **ret_data,
			      size_t *ret_size)
{
	struct alert_place p = {.id = id};
	uint8_t opened[sizeof(uint64_t)];

	if (!store_get_record(t, OPENED, KEY(HIGH(id), LOW(id)), opened, sizeof(opened)))
		return false;
	p.opened_ms = (int64_t)get_be64(opened);
	return store_get_bytes(t, INCIDENT, place_key(p), ret_data, ret_size);
}

void alert_store_put_incident(struct store_txn *t, struct alert_place p, const void *data,
			      size_t size)
{
	uint8_t opened[sizeof(uint64_t)];

	put_be64(opened, (uint64_t)p.opened_ms);
	store_put_record(t, OPENED, KEY(HIGH(p.id), LOW(p.id)), opened, sizeof(opened));
	store_put_record(t, INCIDENT, place_key(p), data, size);
}

void alert_store_del_incident(struct store_txn *t, struct alert_place p)
{
	const uint8_t *data = NULL;
	uint32_t version = 0;
	size_t size = 0;

	while (alert_store_next_step(t, p.id, version, &version, &data, &size))
		alert_store_del_step(t, p.id, version);
	store_del_record(t, OPENED, KEY(HIGH(p.id), LOW(p.id)));
	store_del_record(t, INCIDENT, place_key(p));
}

bool alert_store_before(struct store_txn *t, struct alert_place before,
			struct alert_place *ret_place, const uint8_t **ret_data, size_t *ret_size)
{
	MDB_cursor *c = open_cursor(t, INCIDENT);
	struct look l = {.from = place_key(before), .size = 4 * PART};

	if (c == NULL)
		return false;
	/* The first that is not older, or the end of the table: the one before it is wanted. */
	l.key = lmdb_val(l.from.bytes, l.from.size);
	int rc = mdb_cursor_get(c, &l.key, &l.value, MDB_SET_RANGE);
	if (rc == MDB_SUCCESS || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(c, &l.key, &l.value, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	mdb_cursor_close(c);
	if (!found(t, &l, rc))
		return false;
	*ret_place = place_of(&l.key);
	*ret_data = l.value.mv_data;
	*ret_size = l.value.mv_size;
	return true;
}

bool alert_store_after(struct store_txn *t, struct alert_place at_least,
		       struct alert_place *ret_place, const uint8_t **ret_data, size_t *ret_size)
{
	struct look l = {.from = place_key(at_least), .size = 4 * PART};

	if (!look(t, INCIDENT, &l))
		return false;
	*ret_place = place_of(&l.key);
	*ret_data = l.value.mv_data;
	*ret_size = l.value.mv_size;
	return true;
}

size_t alert_store_count(struct store_txn *t)
{
	MDB_stat stat = {0};

	if (t->err == ERR_OK)
		store_check(t, mdb_stat(t->txn, t->store->tables[INCIDENT], &stat));
	return stat.ms_entries;
}

/* --- which incident a group is in --- */

void alert_store_put_trouble(struct store_txn *t, uint32_t cluster, uint32_t group, uint64_t id)
{
	uint8_t value[sizeof(id)];

	put_be64(value, id);
	store_put_record(t, TROUBLE, KEY(cluster, group), value, sizeof(value));
}

void alert_store_del_trouble(struct store_txn *t, uint32_t cluster, uint32_t group)
{
	store_del_record(t, TROUBLE, KEY(cluster, group));
}

bool alert_store_next_trouble(struct store_txn *t, uint32_t *cluster, uint32_t *group,
			      uint64_t *ret_id)
{
	uint64_t next = ((uint64_t)*cluster << 32 | *group) + 1;
	struct look l = {.from = KEY(HIGH(next), LOW(next)), .size = 2 * PART};

	if (!look(t, TROUBLE, &l))
		return false;
	if (l.value.mv_size != sizeof(*ret_id)) {
		t->err = ERR_MALFORMED;
		return false;
	}
	*cluster = get_be32(l.key.mv_data);
	*group = get_be32((const uint8_t *)l.key.mv_data + PART);
	*ret_id = get_be64(l.value.mv_data);
	return true;
}

/* --- what happened to an incident --- */

void alert_store_put_step(struct store_txn *t, uint64_t id, uint32_t version, const void *data,
			  size_t size)
{
	store_put_record(t, TIMELINE, KEY(HIGH(id), LOW(id), version), data, size);
}

void alert_store_del_step(struct store_txn *t, uint64_t id, uint32_t version)
{
	store_del_record(t, TIMELINE, KEY(HIGH(id), LOW(id), version));
}

bool alert_store_next_step(struct store_txn *t, uint64_t id, uint32_t at_least,
			   uint32_t *ret_version, const uint8_t **ret_data, size_t *ret_size)
{
	struct look l = {.from = KEY(HIGH(id), LOW(id), at_least), .size = 3 * PART};

	if (!look(t, TIMELINE, &l) || memcmp(l.key.mv_data, l.from.bytes, 2 * PART) != 0)
		return false;
	*ret_version = get_be32((const uint8_t *)l.key.mv_data + 2 * PART);
	*ret_data = l.value.mv_data;
	*ret_size = l.value.mv_size;
	return true;
}
