/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/outbox_list.h"

#include <stdlib.h>

#include "aggregator/alert/hash.h"
#include "common/mem.h"

static struct outbox_queue *queue_of(struct outbox_list *l, uint64_t id)
{
	struct outbox_queue *q = NULL;

	HASH_FIND(hh, l->queues, &id, sizeof(id), q);
	if (q == NULL) {
		q = mem_zeroed(1, sizeof(*q));
		q->id = id;
		HASH_ADD(hh, l->queues, id, sizeof(q->id), q);
	}
	return q;
}

static struct outbox_share *share_of(struct outbox_list *l, uint64_t id)
{
	struct outbox_share *s = NULL;

	HASH_FIND(hh, l->shares, &id, sizeof(id), s);
	if (s == NULL) {
		s = mem_zeroed(1, sizeof(*s));
		s->id = id;
		HASH_ADD(hh, l->shares, id, sizeof(s->id), s);
	}
	return s;
}

static void enqueue(struct outbox_list *l, struct outbox_entry *e)
{
	uint64_t receiver = hash_str(HASH_SEED, e->row.receiver);

	e->share = share_of(l, receiver);
	e->share->entries++;
	e->queue = queue_of(l, hash_u64(receiver, e->row.thread));
	e->prev_same = e->queue->last;
	if (e->prev_same != NULL)
		e->prev_same->next_same = e;
	else
		e->queue->first = e;
	e->queue->last = e;
}

static void dequeue(struct outbox_list *l, struct outbox_entry *e)
{
	if (e->prev_same != NULL)
		e->prev_same->next_same = e->next_same;
	else
		e->queue->first = e->next_same;
	if (e->next_same != NULL)
		e->next_same->prev_same = e->prev_same;
	else
		e->queue->last = e->prev_same;
	if (e->queue->first == NULL) {
		HASH_DEL(l->queues, e->queue);
		free(e->queue);
	}
	e->share->taken -= e->where == OUTBOX_TAKEN;
	if (--e->share->entries == 0) {
		HASH_DEL(l->shares, e->share);
		free(e->share);
	}
}

void outbox_list_add(struct outbox_list *l, const struct outbox_row *row, struct buf *message,
		     enum outbox_where where)
{
	struct outbox_entry *e = mem_zeroed(1, sizeof(*e));

	e->row = *row;
	e->where = where;
	e->message = *message;
	*message = (struct buf){0};
	e->prev = l->last;
	if (l->last != NULL)
		l->last->next = e;
	else
		l->first = e;
	l->last = e;
	l->bytes += e->message.size;
	enqueue(l, e);
}

void outbox_list_drop(struct outbox_list *l, struct outbox_entry *e)
{
	dequeue(l, e);
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		l->first = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	else
		l->last = e->prev;
	l->bytes -= e->message.size;
	buf_free(&e->message);
	free(e);
}

struct outbox_entry *outbox_list_find(const struct outbox_list *l, uint64_t id)
{
	struct outbox_entry *e = l->first;

	while (e != NULL && e->row.id != id)
		e = e->next;
	return e;
}

struct outbox_entry *outbox_list_same(const struct outbox_list *l, const char *receiver,
				      uint64_t thread)
{
	uint64_t id = hash_u64(hash_str(HASH_SEED, receiver), thread);
	struct outbox_queue *q = NULL;

	HASH_FIND(hh, l->queues, &id, sizeof(id), q);
	return q == NULL ? NULL : q->first;
}

bool outbox_list_turn(const struct outbox_entry *e)
{
	return e->where == OUTBOX_READY && !e->gone && e->queue->first == e &&
	       e->share->taken < OUTBOX_OUT_MAX;
}

void outbox_list_take(struct outbox_list *l, struct outbox_entry *e, struct buf *ret_message)
{
	l->bytes -= e->message.size;
	*ret_message = e->message;
	e->message = (struct buf){0};
	e->where = OUTBOX_TAKEN;
	e->share->taken++;
}

void outbox_list_back(struct outbox_list *l, struct outbox_entry *e, struct buf *message)
{
	e->message = *message;
	*message = (struct buf){0};
	l->bytes += e->message.size;
	e->where = OUTBOX_READY;
	e->share->taken--;
}
