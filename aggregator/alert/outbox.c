/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/outbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/outbox_list.h"
#include "aggregator/alert/outbox_row.h"
#include "aggregator/store/alert_store.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define WAITING_BYTES_MAX ((size_t)64 << 20)
#define ENDED_MAX 10000 /* rows that have ended, kept for looking up */
#define SWEEP_EVERY_MS ((int64_t)600000)

/* What became of a row and is not yet in the store. */
struct result {
	struct result *next;
	struct outbox_row row;
};

struct outbox {
	struct outbox_keep keep;
	uint64_t next_id; /* the writer's, as is the next one */
	int64_t swept_ms;
	void (*wake)(void *arg);
	void *wake_arg;

	pthread_mutex_t lock; /* of all that follows */
	struct outbox_list list;
	bool hold;
	struct result *results, **results_end;
	struct result *settling; /* written in the transaction under way */
	struct outbox_counts counts;
};

const char *outbox_state_str(enum outbox_state s)
{
	static const char *const NAMES[] = {[OUTBOX_WAITING] = "waiting",
					    [OUTBOX_SENT] = "sent",
					    [OUTBOX_DEAD] = "dead",
					    [OUTBOX_ELSEWHERE] = "elsewhere"};

	return NAMES[s];
}

/* Drop all that is not taken: what is taken stays the delivering thread's. */
static void forget(struct outbox *o)
{
	struct outbox_entry *next = NULL;

	for (struct outbox_entry *e = o->list.first; e != NULL; e = next) {
		next = e->next;
		e->gone = false;
		if (e->where != OUTBOX_TAKEN)
			outbox_list_drop(&o->list, e);
	}
}

/* --- what became of rows --- */

static void add_result(struct outbox *o, const struct outbox_row *row)
{
	struct result *r = mem_zeroed(1, sizeof(*r));

	r->row = *row;
	*o->results_end = r;
	o->results_end = &r->next;
}

static void free_results(struct result **list)
{
	struct result *next = NULL;

	for (struct result *r = *list; r != NULL; r = next) {
		next = r->next;
		free(r);
	}
	*list = NULL;
}

/* A transaction has failed: what it settled is to be settled again, before the rest. */
static void settle_again(struct outbox *o)
{
	struct result *last = o->settling;

	if (last == NULL)
		return;
	while (last->next != NULL)
		last = last->next;
	last->next = o->results;
	if (o->results == NULL)
		o->results_end = &last->next;
	o->results = o->settling;
	o->settling = NULL;
}

/* --- life --- */

int outbox_new(const struct outbox_keep *keep, struct outbox **ret_o)
{
	struct outbox *o = mem_zeroed(1, sizeof(*o));
	int err = pthread_mutex_init(&o->lock, NULL);

	if (err != 0) {
		free(o);
		return -err;
	}
	o->keep = *keep;
	o->next_id = 1;
	o->results_end = &o->results;
	*ret_o = o;
	return ERR_OK;
}

void outbox_free(struct outbox **o)
{
	if (*o == NULL)
		return;
	while ((*o)->list.first != NULL)
		outbox_list_drop(&(*o)->list, (*o)->list.first);
	free_results(&(*o)->results);
	free_results(&(*o)->settling);
	pthread_mutex_destroy(&(*o)->lock);
	free(*o);
	*o = NULL;
}

void outbox_wake_by(struct outbox *o, void (*wake)(void *arg), void *arg)
{
	o->wake = wake;
	o->wake_arg = arg;
}

static void wake(struct outbox *o)
{
	if (o->wake != NULL)
		o->wake(o->wake_arg);
}

/* --- reading --- */

bool outbox_read(struct store_txn *t, uint64_t at_least, struct outbox_row *ret_row)
{
	const uint8_t *data = NULL;
	uint64_t id = at_least;
	size_t size = 0;

	for (; alert_store_next(t, ALERT_OUTBOX, id, &id, &data, &size); id++) {
		if (outbox_row_get(data, size, ret_row))
			return true;
	}
	return false;
}

static void load_row(struct outbox *o, const uint8_t *data, size_t size)
{
	struct outbox_row row;

	if (!outbox_row_get(data, size, &row) || row.state != OUTBOX_WAITING ||
	    outbox_list_find(&o->list, row.id) != NULL)
		return;
	for (const struct result *r = o->results; r != NULL; r = r->next) {
		if (r->row.id == row.id)
			row = r->row; /* newer than the store */
	}
	if (row.state != OUTBOX_WAITING)
		return;
	struct buf message = {0};

	buf_put(&message, data + sizeof(row), size - sizeof(row));
	if (message.err != ERR_OK)
		abort();
	outbox_list_add(&o->list, &row, &message, OUTBOX_READY);
}

void outbox_load(struct outbox *o, struct store_txn *t)
{
	const uint8_t *data = NULL;
	uint64_t id = 0;
	size_t size = 0;

	pthread_mutex_lock(&o->lock);
	settle_again(o);
	forget(o);
	for (; alert_store_next(t, ALERT_OUTBOX, id, &id, &data, &size); id++) {
		load_row(o, data, size);
		o->next_id = MAX(o->next_id, id + 1);
	}
	pthread_mutex_unlock(&o->lock);
	wake(o);
}

/* --- adding --- */

/* Take a repeat that still waits out of the way of a newer one. Those of the same transaction are
 * parts of the same. */
static void supersede(struct outbox *o, struct store_txn *t, const struct outbox_row *by)
{
	struct outbox_entry *e = outbox_list_same(&o->list, by->receiver, by->thread);

	for (; e != NULL; e = e->next_same) {
		if (e->where != OUTBOX_READY || e->gone || e->row.kind != MESSAGE_REPEAT)
			continue;
		e->gone = true;
		alert_store_del(t, ALERT_OUTBOX, e->row.id);
	}
}

static void refuse(struct outbox *o, struct store_txn *t, struct outbox_row *row,
		   const struct buf *message)
{
	row->state = OUTBOX_DEAD;
	row->ended_ms = row->created_ms;
	snprintf(row->error, sizeof(row->error), "too many messages wait already");
	o->counts.dead++;
	outbox_row_put(t, row, message->data, message->size);
	log_error("too many messages wait", "receiver=%s key=%016llx", log_quote(row->receiver),
		  (unsigned long long)row->key);
}

void outbox_add(struct outbox *o, struct store_txn *t, const struct message *m, bool everywhere)
{
	struct outbox_row row = {
		.id = o->next_id++,
		.key = m->key,
		.thread = m->thread,
		.state = OUTBOX_WAITING,
		.kind = (uint8_t)m->kind,
		.everywhere = everywhere,
		.created_ms = m->at_ms,
		.next_ms = m->at_ms,
	};
	struct buf message = {0};

	snprintf(row.receiver, sizeof(row.receiver), "%s", m->receiver);
	message_encode(m, &message);
	if (message.err != ERR_OK)
		abort();
	pthread_mutex_lock(&o->lock);
	if (m->kind == MESSAGE_REPEAT)
		supersede(o, t, &row);
	if (o->list.bytes + message.size > WAITING_BYTES_MAX) {
		refuse(o, t, &row, &message);
		buf_free(&message);
	} else {
		outbox_row_put(t, &row, message.data, message.size);
		outbox_list_add(&o->list, &row, &message, OUTBOX_STAGED);
	}
	pthread_mutex_unlock(&o->lock);
}

int outbox_retry(struct outbox *o, struct store_txn *t, uint64_t id, int64_t now_ms)
{
	struct buf message = {0};
	struct outbox_row row;
	const uint8_t *data = NULL;
	size_t size = 0;

	if (!alert_store_get(t, ALERT_OUTBOX, id, &data, &size) ||
	    !outbox_row_get(data, size, &row) || row.state != OUTBOX_DEAD)
		return t->err != ERR_OK ? t->err : ERR_NOT_FOUND;
	buf_put(&message, data + sizeof(row), size - sizeof(row));
	if (message.err != ERR_OK)
		abort();
	pthread_mutex_lock(&o->lock);
	bool fits = o->list.bytes + message.size <= WAITING_BYTES_MAX;
	if (fits) {
		row.id = o->next_id++;
		row.state = OUTBOX_WAITING;
		row.attempts = 0;
		row.created_ms = row.next_ms = now_ms;
		row.ended_ms = 0;
		memset(row.error, 0, sizeof(row.error));
		alert_store_del(t, ALERT_OUTBOX, id);
		outbox_row_put(t, &row, message.data, message.size);
		outbox_list_add(&o->list, &row, &message, OUTBOX_STAGED);
	}
	pthread_mutex_unlock(&o->lock);
	buf_free(&message);
	return fits ? ERR_OK : ERR_LIMIT;
}

/* --- settling --- */

static void settle_one(struct store_txn *t, const struct outbox_row *row)
{
	CLEANUP(buf_free) struct buf message = {0};
	const uint8_t *data = NULL;
	size_t size = 0;
	bool keep = row->state == OUTBOX_WAITING || row->state == OUTBOX_DEAD;

	if (!alert_store_get(t, ALERT_OUTBOX, row->id, &data, &size) || size < sizeof(*row))
		return; /* a newer repeat has taken its place */
	if (row->kind == MESSAGE_REPEAT && row->everywhere && row->state == OUTBOX_SENT) {
		alert_store_del(t, ALERT_OUTBOX, row->id); /* of no interest, and many */
		return;
	}
	if (keep)
		buf_put(&message, data + sizeof(*row), size - sizeof(*row));
	outbox_row_put(t, row, message.data, message.size);
}

static bool is_old(const struct outbox *o, const struct outbox_row *row, int64_t now_ms)
{
	int64_t keep_ms = row->state == OUTBOX_DEAD ? o->keep.dead_ms : o->keep.sent_ms;

	return row->state != OUTBOX_WAITING && row->ended_ms + keep_ms <= now_ms;
}

/* Remove what ended long ago, and the oldest of what is too much. */
static void sweep(struct outbox *o, struct store_txn *t, int64_t now_ms)
{
	struct outbox_row row;
	size_t ended = 0;

	for (uint64_t id = 0; outbox_read(t, id, &row); id = row.id + 1)
		ended += row.state != OUTBOX_WAITING;
	for (uint64_t id = 0; outbox_read(t, id, &row); id = row.id + 1) {
		bool too_much = row.state != OUTBOX_WAITING && ended > ENDED_MAX;

		if (!too_much && !is_old(o, &row, now_ms))
			continue;
		alert_store_del(t, ALERT_OUTBOX, row.id);
		ended--;
	}
}

void outbox_settle(struct outbox *o, struct store_txn *t, int64_t now_ms)
{
	pthread_mutex_lock(&o->lock);
	settle_again(o);
	o->settling = o->results;
	o->results = NULL;
	o->results_end = &o->results;
	for (const struct result *r = o->settling; r != NULL; r = r->next)
		settle_one(t, &r->row);
	pthread_mutex_unlock(&o->lock);
	if (o->swept_ms != 0 && now_ms - o->swept_ms < SWEEP_EVERY_MS && now_ms >= o->swept_ms)
		return;
	o->swept_ms = now_ms;
	sweep(o, t, now_ms);
}

void outbox_end(struct outbox *o, bool committed)
{
	struct outbox_entry *next = NULL;

	pthread_mutex_lock(&o->lock);
	if (committed)
		free_results(&o->settling);
	else
		settle_again(o);
	for (struct outbox_entry *e = o->list.first; e != NULL; e = next) {
		next = e->next;
		if ((e->where == OUTBOX_STAGED && !committed) || (e->gone && committed))
			outbox_list_drop(&o->list, e);
		else if (e->where == OUTBOX_STAGED)
			e->where = OUTBOX_READY;
		else
			e->gone = false;
	}
	pthread_mutex_unlock(&o->lock);
	wake(o);
}

bool outbox_pending(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	bool pending = o->results != NULL;
	pthread_mutex_unlock(&o->lock);
	return pending;
}

/* --- delivering --- */

static bool held_back(const struct outbox *o, const struct outbox_entry *e)
{
	return o->hold && !e->row.everywhere;
}

size_t outbox_take(struct outbox *o, int64_t now_ms, struct outbox_item *ret_items, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&o->lock);
	for (struct outbox_entry *e = o->list.first; e != NULL && count < max; e = e->next) {
		if (!outbox_list_turn(e) || held_back(o, e) || e->row.next_ms > now_ms)
			continue;
		ret_items[count].row = e->row;
		outbox_list_take(&o->list, e, &ret_items[count++].message);
	}
	pthread_mutex_unlock(&o->lock);
	return count;
}

int64_t outbox_next_ms(struct outbox *o)
{
	int64_t next_ms = INT64_MAX;

	pthread_mutex_lock(&o->lock);
	for (const struct outbox_entry *e = o->list.first; e != NULL; e = e->next) {
		if (outbox_list_turn(e) && !held_back(o, e))
			next_ms = MIN(next_ms, e->row.next_ms);
	}
	pthread_mutex_unlock(&o->lock);
	return next_ms;
}

/* The entry of an item that goes back to wait. */
static void put_back(struct outbox *o, struct outbox_entry *e, struct outbox_item *item)
{
	e->row = item->row;
	outbox_list_back(&o->list, e, &item->message);
	o->counts.retries++;
}

static void end_entry(struct outbox *o, struct outbox_entry *e, enum outbox_state state)
{
	if (state == OUTBOX_SENT)
		o->counts.sent++;
	else if (state == OUTBOX_DEAD)
		o->counts.dead++;
	outbox_list_drop(&o->list, e);
}

/* Cut on the border of a character. */
static void put_error(struct outbox_row *row, const char *error)
{
	size_t size = strnlen(error, sizeof(row->error) - 1);

	while (error[size] != '\0' && size > 0 && ((unsigned char)error[size] & 0xc0) == 0x80)
		size--;
	memset(row->error, 0, sizeof(row->error));
	memcpy(row->error, error, size);
}

void outbox_done(struct outbox *o, struct outbox_item *item, enum outbox_state state,
		 int64_t next_ms, const char *error)
{
	struct outbox_row *row = &item->row;

	row->state = (uint8_t)state;
	row->attempts++;
	row->next_ms = next_ms;
	row->ended_ms = state == OUTBOX_WAITING ? 0 : next_ms;
	put_error(row, error);
	pthread_mutex_lock(&o->lock);
	struct outbox_entry *e = outbox_list_find(&o->list, row->id);

	assert(e != NULL && e->where == OUTBOX_TAKEN);
	add_result(o, row);
	if (state == OUTBOX_WAITING)
		put_back(o, e, item);
	else
		end_entry(o, e, state);
	pthread_mutex_unlock(&o->lock);
	buf_free(&item->message);
	wake(o);
}

/* --- replicas --- */

void outbox_hold(struct outbox *o, bool hold)
{
	pthread_mutex_lock(&o->lock);
	o->hold = hold;
	pthread_mutex_unlock(&o->lock);
	wake(o);
}

void outbox_leave(struct outbox *o, int64_t until_ms)
{
	struct outbox_entry *next = NULL;

	pthread_mutex_lock(&o->lock);
	for (struct outbox_entry *e = o->list.first; e != NULL; e = next) {
		next = e->next;
		if (e->where != OUTBOX_READY || e->gone || !held_back(o, e) ||
		    e->row.created_ms > until_ms)
			continue;
		e->row.state = OUTBOX_ELSEWHERE;
		e->row.ended_ms = until_ms;
		add_result(o, &e->row);
		outbox_list_drop(&o->list, e);
	}
	pthread_mutex_unlock(&o->lock);
}

void outbox_counts(struct outbox *o, struct outbox_counts *ret_c)
{
	pthread_mutex_lock(&o->lock);
	*ret_c = o->counts;
	for (const struct outbox_entry *e = o->list.first; e != NULL; e = e->next) {
		ret_c->waiting++;
		ret_c->held += held_back(o, e);
		if (ret_c->oldest_ms == 0)
			ret_c->oldest_ms = e->row.created_ms;
	}
	pthread_mutex_unlock(&o->lock);
}
