/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/state/state_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/steady.h"
#include "common/bytes.h"
#include "common/err.h"

void state_append(struct state_txn *t, const void *body, size_t size)
{
	struct state_kept *k = malloc(sizeof(*k) + size);
	if (k == NULL)
		abort(); /* a batch is a megabyte at most */

	*k = (struct state_kept){.key = t->next++, .size = size, .at_ms = steady_ms()};
	memcpy(k->body, body, size);
	if (t->last == NULL)
		t->first = k;
	else
		t->last->next = k;
	t->last = k;
}

/* False where it is on disk already: the transaction that failed for all we know was written. */
static bool put_kept(struct state_txn *t, const struct state_kept *k)
{
	uint8_t raw[8];
	put_be64(raw, k->key);
	MDB_val key = lmdb_val(raw, sizeof(raw));
	MDB_val v = {8 + k->size, NULL};

	if (t->err != ERR_OK)
		return false;
	int rc = mdb_put(t->txn, t->state->spool, &key, &v, MDB_RESERVE | MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST || !state_check(t, rc))
		return false;
	put_be64(v.mv_data, (uint64_t)k->at_ms);
	memcpy((uint8_t *)v.mv_data + 8, k->body, k->size);
	return true;
}

static bool is_due(const struct state *st, const struct state_spooled *s, uint64_t key,
		   int64_t at_ms, int64_t now_ms)
{
	return key < s->floor || now_ms - at_ms > st->spool_age_ms ||
	       s->bytes > (uint64_t)st->spool_limit;
}

/* Delete from the low end what every target has, and the oldest beyond the limits. */
static void trim(struct state_txn *t, struct state_spooled *s)
{
	MDB_cursor *cursor = NULL;
	if (t->err != ERR_OK || !state_check(t, mdb_cursor_open(t->txn, t->state->spool, &cursor)))
		return;

	int64_t now_ms = steady_ms();
	MDB_val k;
	MDB_val v;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (rc == MDB_SUCCESS) {
		uint64_t key = get_be64(k.mv_data);
		uint64_t size = v.mv_size - 8;
		if (!is_due(t->state, s, key, (int64_t)get_be64(v.mv_data), now_ms))
			break;
		s->dropped += key >= s->floor;
		s->floor = MAX(s->floor, key + 1);
		s->bytes -= MIN(s->bytes, size);
		s->batches -= MIN(s->batches, 1u);
		rc = mdb_cursor_del(cursor, 0);
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	}
	mdb_cursor_close(cursor);
	state_check(t, rc == MDB_NOTFOUND ? MDB_SUCCESS : rc);
}

static void put_head(struct state_txn *t, uint64_t dropped)
{
	const struct state *st = t->state;
	uint8_t head[STATE_HEAD_SIZE];

	put_be64(head, STATE_MAGIC);
	put_be64(head + 8, STATE_LAYOUT);
	put_be64(head + 16, st->epoch);
	put_be64(head + 24, st->base);
	put_be64(head + 32, t->next);
	put_be64(head + 40, dropped);
	state_put_raw(t, st->meta, lmdb_val("head", 4), lmdb_val(head, sizeof(head)));
}

static void put_targets(struct state_txn *t)
{
	for (size_t i = 0; i < t->state->target_count; i++) {
		const struct state_target *target = &t->state->targets[i];
		char key[512];
		int size = snprintf(key, sizeof(key), "target/%.400s", target->address);
		uint8_t raw[8];
		put_be64(raw, target->has);
		state_put_raw(t, t->state->meta, lmdb_val(key, (size_t)size),
			      lmdb_val(raw, sizeof(raw)));
	}
}

static void put_batches(struct state_txn *t, const struct state_kept *k, struct state_spooled *s)
{
	for (; k != NULL; k = k->next) {
		if (!put_kept(t, k))
			continue;
		s->bytes += k->size;
		s->batches++;
	}
}

void state_spool_write(struct state_txn *t, struct state_spooled *ret_s)
{
	const struct state *st = t->state;

	struct state_spooled s = {st->disk_bytes, st->disk_batches, st->floor, 0};

	put_batches(t, st->first, &s);
	put_batches(t, t->first, &s);
	trim(t, &s);
	put_head(t, st->dropped + s.dropped);
	put_targets(t);
	*ret_s = s;
}

static void free_kept(struct state_kept *k)
{
	while (k != NULL) {
		struct state_kept *next = k->next;
		free(k);
		k = next;
	}
}

static void pop_memory(struct state *st)
{
	struct state_kept *k = st->first;

	st->first = k->next;
	if (st->first == NULL)
		st->last = NULL;
	st->memory_bytes -= k->size;
	st->memory_batches--;
	free(k);
}

void state_spool_taken(struct state_txn *t, const struct state_spooled *s)
{
	struct state *st = t->state;

	free_kept(t->first);
	t->first = t->last = NULL;
	free_kept(st->first);
	st->first = st->last = NULL;
	st->memory_bytes = st->memory_batches = 0;
	st->disk_bytes = s->bytes;
	st->disk_batches = s->batches;
	st->dropped += s->dropped;
	st->breaks += s->dropped > 0;
	/* A target may have acknowledged more since. */
	st->floor = MAX(st->floor, s->floor);
}

/* Give the oldest up, on disk too: a hole in the middle of the numbers would hold up more. */
static void drop_oldest(struct state *st)
{
	assert(st->first != NULL);
	uint64_t first = st->first->key;

	st->dropped += st->floor < first ? first - st->floor + 1 : 1;
	st->floor = MAX(st->floor, first + 1);
	st->breaks++;
	pop_memory(st);
}

void state_spool_kept(struct state_txn *t)
{
	struct state *st = t->state;
	struct state_kept *k = t->first;

	t->first = t->last = NULL;
	while (k != NULL) {
		struct state_kept *next = k->next;
		k->next = NULL;
		if (st->last == NULL)
			st->first = k;
		else
			st->last->next = k;
		st->last = k;
		st->memory_bytes += k->size;
		st->memory_batches++;
		k = next;
	}
	while (st->memory_bytes > STATE_MEMORY_MAX)
		drop_oldest(st);
}

static int copy_out(const void *data, size_t size, uint8_t **ret_body, size_t *ret_size)
{
	uint8_t *body = malloc(size == 0 ? 1 : size);
	if (body == NULL)
		return -ENOMEM;
	memcpy(body, data, size);
	*ret_body = body;
	*ret_size = size;
	return ERR_OK;
}

static int fetch_disk(struct state *st, uint64_t key, uint64_t *ret_key, uint8_t **ret_body,
		      size_t *ret_size)
{
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	uint8_t raw[8];
	put_be64(raw, key);
	MDB_val k = lmdb_val(raw, sizeof(raw));
	MDB_val v = {0};

	int rc = st->env == NULL ? MDB_PANIC : mdb_txn_begin(st->env, NULL, MDB_RDONLY, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, st->spool, &cursor);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	int err = lmdb_err(rc);
	if (err == ERR_OK && (k.mv_size != 8 || v.mv_size < 8))
		err = ERR_MALFORMED;
	if (err == ERR_OK)
		err = copy_out((const uint8_t *)v.mv_data + 8, v.mv_size - 8, ret_body, ret_size);
	if (err == ERR_OK)
		*ret_key = get_be64(k.mv_data);
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	if (txn != NULL)
		mdb_txn_abort(txn);
	return err;
}

static int fetch_memory(const struct state *st, uint64_t key, uint64_t *ret_key, uint8_t **ret_body,
			size_t *ret_size)
{
	for (const struct state_kept *k = st->first; k != NULL; k = k->next) {
		if (k->key < key)
			continue;
		*ret_key = k->key;
		return copy_out(k->body, k->size, ret_body, ret_size);
	}
	return ERR_NOT_FOUND;
}

int state_fetch(struct state *st, uint64_t epoch, uint64_t seq, uint64_t *ret_seq,
		uint8_t **ret_body, size_t *ret_size)
{
	int err = ERR_VERSION;

	/* The lock keeps a batch from moving from memory to disk between the two looks. */
	pthread_mutex_lock(&st->lock);
	if (epoch == st->epoch) {
		uint64_t key = MAX(seq + st->base, st->floor);
		uint64_t found = 0;
		err = fetch_disk(st, key, &found, ret_body, ret_size);
		if (err != ERR_OK)
			err = fetch_memory(st, key, &found, ret_body, ret_size);
		if (err == ERR_OK)
			*ret_seq = found - st->base;
	}
	pthread_mutex_unlock(&st->lock);
	return err;
}

void state_spool(struct state *st, struct state_spool *ret_s)
{
	pthread_mutex_lock(&st->lock);
	*ret_s = (struct state_spool){
		.epoch = st->epoch,
		.next_seq = st->next - st->base,
		.floor_seq = st->floor - st->base,
		.bytes = st->disk_bytes + st->memory_bytes,
		.batches = st->disk_batches + st->memory_batches,
		.dropped = st->dropped,
		.breaks = st->breaks,
	};
	pthread_mutex_unlock(&st->lock);
}

void state_break(struct state *st)
{
	pthread_mutex_lock(&st->lock);
	st->breaks++;
	pthread_mutex_unlock(&st->lock);
}

/* --- targets --- */

void state_acked(struct state *st, size_t target, uint64_t epoch, uint64_t seq)
{
	pthread_mutex_lock(&st->lock);
	if (epoch == st->epoch && seq + st->base < st->next) {
		st->targets[target].has = MAX(st->targets[target].has, seq + st->base);
		uint64_t all = st->next;
		for (size_t i = 0; i < st->target_count; i++)
			all = MIN(all, st->targets[i].has + 1);
		st->floor = MAX(st->floor, all);
		while (st->first != NULL && st->first->key < st->floor)
			pop_memory(st);
	}
	pthread_mutex_unlock(&st->lock);
}

uint64_t state_cursor(struct state *st, size_t target)
{
	pthread_mutex_lock(&st->lock);
	uint64_t has = st->targets[target].has;
	uint64_t seq = has > st->base ? has - st->base : 0;
	pthread_mutex_unlock(&st->lock);
	return seq;
}

uint64_t state_random(void)
{
	uint64_t v = 0;
	if (getrandom(&v, sizeof(v), 0) != sizeof(v) || v == 0)
		abort();
	return v;
}

void state_new_epoch(struct state *st, uint64_t epoch)
{
	bool changed = false;

	pthread_mutex_lock(&st->lock);
	if (epoch == st->epoch) {
		st->epoch = state_random();
		st->base = st->floor - 1;
		st->dropped = 0;
		st->breaks++;
		changed = true;
	}
	pthread_mutex_unlock(&st->lock);
	if (!changed)
		return;

	/* Should this fail the next pass writes it; after a crash before that the clash is
	 * simply noticed once more. */
	struct state_txn t = state_begin(st);
	int err = state_commit(&t);
	(void)err;
}

void state_on_append(struct state *st, size_t target, void (*wake)(void *arg), void *arg)
{
	pthread_mutex_lock(&st->lock);
	st->targets[target].wake = wake;
	st->targets[target].arg = arg;
	pthread_mutex_unlock(&st->lock);
}
