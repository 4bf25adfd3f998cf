/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/notify_priv.h"
#include "common/mem.h"

/* --- lists --- */

void notify_list_add(struct notify_list *l, struct member *m)
{
	if (l->count == l->size) {
		l->size = l->size == 0 ? 16 : 2 * l->size;
		struct member **items = realloc(l->items, l->size * sizeof(struct member *));

		if (items == NULL)
			abort();
		l->items = items;
	}
	l->items[l->count++] = m;
}

void notify_list_free(struct notify_list *l)
{
	free(l->items);
	*l = (struct notify_list){0};
}

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* What lasts before what is over, then the worst, then the oldest. */
static int compare_members(const void *a, const void *b)
{
	const struct member_row *x = &(*(struct member *const *)a)->row;
	const struct member_row *y = &(*(struct member *const *)b)->row;
	int by = compare(x->flags & MEMBER_OVER, y->flags & MEMBER_OVER);

	if (by == 0)
		by = compare(y->status, x->status);
	if (by == 0)
		by = compare(x->opened_ms, y->opened_ms);
	return by != 0 ? by : (x->id > y->id) - (x->id < y->id);
}

/* --- letters --- */

static const struct alert_receiver *receiver_of(const struct notify_letter *letter)
{
	const struct route *r = letter->route;

	if (letter->slot == SLOT_ESCALATED && r->escalate_to != NULL)
		return r->escalate_to;
	if (letter->slot == SLOT_OTHER && r->otherwise != NULL)
		return r->otherwise;
	return r->receiver;
}

/* The incidents of some members, as many as can be read. */
static void fill(struct notify *n, struct message *m, const struct notify_list *list, size_t from,
		 size_t most)
{
	m->incidents = mem_zeroed(most, sizeof(*m->incidents));
	for (size_t i = from; i < from + most; i++) {
		struct message *content = notify_member_content(n, list->items[i]);

		if (content == NULL)
			continue;
		m->incidents[m->count++] = content->incidents[0];
		content->count = 0; /* its labels are the other's now */
		message_free(&content);
	}
}

static void send_part(struct notify *n, const struct notify_letter *letter,
		      const struct notify_list *list, size_t from, size_t most)
{
	const struct alert_receiver *receiver = receiver_of(letter);
	struct message *m = calloc(1, sizeof(*m));
	uint64_t key = hash_u64(hash_u64(HASH_SEED, letter->thread), letter->kind);

	if (m == NULL)
		abort();
	key = hash_str(hash_u64(hash_u64(key, letter->salt), from), receiver->name);
	m->key = key;
	m->thread = letter->thread;
	m->kind = letter->kind;
	m->at_ms = n->now_ms;
	m->route = mem_copy(letter->route->config->name);
	m->receiver = mem_copy(receiver->name);
	m->group_by = mem_copy(letter->by);
	m->url = mem_copy(n->config->url);
	fill(n, m, list, from, most);
	m->total = MAX(list->count, m->count);
	if (m->count > 0)
		outbox_add(n->outbox, n->t, m, receiver->type == ALERT_ALERTMANAGER);
	message_free(&m);
}

void notify_send(struct notify *n, const struct notify_letter *letter, struct notify_list *list)
{
	bool all = receiver_of(letter)->type == ALERT_ALERTMANAGER;
	size_t from = 0;

	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof(struct member *), compare_members);
	do {
		size_t most = MIN(list->count - from, (size_t)MESSAGE_INCIDENTS_MAX);

		send_part(n, letter, list, from, most);
		from += most;
	} while (all && from < list->count);
}
