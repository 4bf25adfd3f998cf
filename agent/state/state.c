/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/state/state_priv.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "common/err.h"

/* Only here is t->err set from LMDB. */
bool state_check(struct state_txn *t, int rc)
{
	if (t->err == ERR_OK)
		t->err = lmdb_err(rc);
	return t->err == ERR_OK;
}

void state_put_raw(struct state_txn *t, MDB_dbi dbi, MDB_val k, MDB_val v)
{
	if (t->err == ERR_OK)
		state_check(t, mdb_put(t->txn, dbi, &k, &v, 0));
}

static MDB_val pack_key(struct state_key k, uint8_t out[static STATE_KEY_SIZE])
{
	put_be32(out, k.cluster);
	put_be32(out + 4, k.a);
	put_be32(out + 8, k.b);
	put_be32(out + 12, k.c);
	return lmdb_val(out, STATE_KEY_SIZE);
}

static int begin_write(struct state *st, MDB_txn **ret_txn)
{
	int rc = st->env == NULL ? MDB_PANIC : mdb_txn_begin(st->env, NULL, 0, ret_txn);

	if (rc != MDB_PANIC)
		return lmdb_err(rc);
	int err = state_reopen(st);
	return err != ERR_OK ? err : lmdb_err(mdb_txn_begin(st->env, NULL, 0, ret_txn));
}

struct state_txn state_begin(struct state *st)
{
	struct state_txn t = {.state = st};
	MDB_txn *txn = NULL;

	pthread_mutex_lock(&st->writer);
	pthread_mutex_lock(&st->lock);
	t.err = begin_write(st, &txn);
	t.txn = txn;
	t.next = st->next;
	pthread_mutex_unlock(&st->lock);
	return t;
}

void state_put(struct state_txn *t, enum state_kind kind, struct state_key k, const void *data,
	       size_t size)
{
	uint8_t key[STATE_KEY_SIZE];
	state_put_raw(t, t->state->kinds[kind], pack_key(k, key), lmdb_val(data, size));
}

void state_del(struct state_txn *t, enum state_kind kind, struct state_key k)
{
	if (t->err != ERR_OK)
		return;

	uint8_t raw[STATE_KEY_SIZE];
	MDB_val key = pack_key(k, raw);
	int rc = mdb_del(t->txn, t->state->kinds[kind], &key, NULL);
	state_check(t, rc == MDB_NOTFOUND ? MDB_SUCCESS : rc);
}

static void wake_targets(struct state *st)
{
	for (size_t i = 0; i < st->target_count; i++) {
		if (st->targets[i].wake != NULL)
			st->targets[i].wake(st->targets[i].arg);
	}
}

int state_commit(struct state_txn *t)
{
	struct state *st = t->state;
	struct state_spooled s = {0};

	pthread_mutex_lock(&st->lock);
	state_spool_write(t, &s);
	pthread_mutex_unlock(&st->lock);

	/* The sync takes milliseconds: shippers read meanwhile. Batches of memory that they
	 * acknowledge now are on disk once more than needed, until the next trim. */
	if (t->txn != NULL && t->err == ERR_OK)
		state_check(t, mdb_txn_commit(t->txn));
	else if (t->txn != NULL)
		mdb_txn_abort(t->txn);
	t->txn = NULL;

	pthread_mutex_lock(&st->lock);
	bool new_batches = t->first != NULL;
	if (t->err == ERR_OK)
		state_spool_taken(t, &s);
	else
		state_spool_kept(t);
	st->next = t->next;
	if (new_batches)
		wake_targets(st);
	pthread_mutex_unlock(&st->lock);
	pthread_mutex_unlock(&st->writer);
	return t->err;
}

int state_walk(struct state *st, enum state_kind kind, uint32_t cluster,
	       int (*fn)(void *arg, struct state_key k, const uint8_t *data, size_t size),
	       void *arg)
{
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	uint8_t raw[STATE_KEY_SIZE];
	MDB_val k = pack_key((struct state_key){.cluster = cluster}, raw);
	MDB_val v;

	pthread_mutex_lock(&st->lock);
	int rc = st->env == NULL ? MDB_PANIC : mdb_txn_begin(st->env, NULL, MDB_RDONLY, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, st->kinds[kind], &cursor);
	int err = lmdb_err(rc);
	if (err == ERR_OK)
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (err == ERR_OK && rc == MDB_SUCCESS) {
		const uint8_t *p = k.mv_data;
		if (k.mv_size != STATE_KEY_SIZE || get_be32(p) != cluster)
			break;
		err = fn(arg,
			 (struct state_key){cluster, get_be32(p + 4), get_be32(p + 8),
					    get_be32(p + 12)},
			 v.mv_data, v.mv_size);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	if (txn != NULL)
		mdb_txn_abort(txn);
	pthread_mutex_unlock(&st->lock);
	return err != ERR_OK || rc == MDB_NOTFOUND ? err : lmdb_err(rc);
}
