/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

#define NAME_HEADER 5
#define NAME_KEY_MAX 500

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
	MDB_val k = lmdb_val(agent, strlen(agent));
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
	MDB_val k = lmdb_val(agent, strlen(agent));
	MDB_val v = lmdb_val(s, sizeof(*s));

	assert(k.mv_size > 0 && k.mv_size <= NAME_KEY_MAX);
	if (t->err == ERR_OK)
		store_check(t, mdb_put(t->txn, t->store->tables[SESSION], &k, &v, 0));
}
