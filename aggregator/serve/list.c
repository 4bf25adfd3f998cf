/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/list.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/problem.h"
#include "common/err.h"
#include "common/mem.h"

/* --- rows --- */

void list_add(struct list *l, const struct list_row *row)
{
	/* It is no more than the views take, which are there. */
	l->rows = mem_grow(l->rows, l->count, &l->cap, sizeof(*l->rows));
	struct list_row *added = &l->rows[l->count++];
	*added = *row;
	for (size_t i = 0; i < CURSOR_NAMES; i++)
		if (added->names[i] == NULL)
			added->names[i] = "";
}

void list_free(struct list *l)
{
	free(l->rows);
}

static int by_names(const void *a, const void *b)
{
	const struct list_row *x = a;
	const struct list_row *y = b;

	for (size_t i = 0; i < CURSOR_NAMES; i++) {
		int order = x->names[i] == y->names[i] ? 0 : strcmp(x->names[i], y->names[i]);

		if (order != 0)
			return order;
	}
	return (x->number > y->number) - (x->number < y->number);
}

static int by_names_falling(const void *a, const void *b)
{
	return by_names(b, a);
}

static int by_value(const void *a, const void *b)
{
	const struct list_row *x = a;
	const struct list_row *y = b;

	return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
				    : by_names(a, b);
}

static int by_value_falling(const void *a, const void *b)
{
	const struct list_row *x = a;
	const struct list_row *y = b;

	return x->value != y->value ? (x->value < y->value) - (x->value > y->value)
				    : by_names(a, b);
}

typedef int comparison(const void *a, const void *b);

static comparison *order_of(const struct query *q)
{
	if (q->sort == QUERY_BY_NAME)
		return q->falling ? by_names_falling : by_names;
	return q->falling ? by_value_falling : by_value;
}

/* --- pages --- */

/* The first row of the page. False: refused. */
static bool find_start(const struct list *l, comparison *order, size_t *ret_at, struct response *rs)
{
	char room[CURSOR_BYTES_MAX];
	struct cursor c;
	size_t low = 0;
	size_t high = l->count;

	*ret_at = 0;
	if (l->q->cursor == NULL)
		return true;
	if (cursor_get(l->q->cursor, room, &c) != ERR_OK || c.sort != l->q->sort ||
	    c.falling != l->q->falling) {
		problem_answer(rs, 400,
			       "cursor must be that of the page before, with the same sort");
		return false;
	}
	const struct list_row last = {.value = c.value,
				      .names = {c.names[0], c.names[1], c.names[2]},
				      .number = c.number};
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(&l->rows[middle], &last) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return true;
}

static void put_cursor(struct buf *out, const struct list *l, const struct list_row *last)
{
	const struct cursor c = {
		.sort = l->q->sort,
		.falling = l->q->falling,
		.value = l->q->sort == QUERY_BY_NAME ? 0 : last->value,
		.number = last->number,
		.names = {last->names[0], last->names[1], last->names[2]},
	};

	cursor_put(out, &c);
}

/* The rows of the page; returns where the next one begins. */
static size_t put_rows(const struct list *l, size_t at, const struct list_shape *shape,
		       struct cells *c)
{
	for (size_t n = 0; at < l->count && n < l->q->limit && c->j.out->size < LIST_PAGE_BYTES;
	     n++, at++) {
		cells_begin_row(c);
		shape->put(c, &l->rows[at], shape->arg);
		cells_end_row(c);
	}
	return at;
}

/* CSV has no place for a cursor, so a header says where the next page is: the request's own target
 * with another cursor. */
static void put_link(struct buf *out, const struct request *rq, const char *cursor)
{
	size_t path = strcspn(rq->target, "?#");
	char before = '?';

	buf_putc(out, '<');
	buf_put(out, rq->target, path);
	for (const char *at = rq->query; *at != '\0';) {
		size_t size = strcspn(at, "&");

		if (size > 0 && strncmp(at, "cursor=", 7) != 0) {
			buf_putc(out, before);
			buf_put(out, at, size);
			before = '&';
		}
		at += size + (at[size] == '&');
	}
	buf_printf(out, "%ccursor=%s>; rel=\"next\"", before, cursor);
	/* Bytes that a target may not hold, but that have come all the same. */
	for (size_t i = 1; i < out->size; i++)
		if ((uint8_t)out->data[i] < ' ' || (uint8_t)out->data[i] >= 0x7f)
			out->data[i] = '_';
}

static void answer_csv(const struct list *l, size_t at, const struct request *rq,
		       const struct list_shape *shape, struct response *rs)
{
	CLEANUP(buf_free) struct buf cursor = {0};
	struct cells c = cells_on(&rs->body, CELLS_NAMES);

	rs->type = "text/csv; charset=utf-8; header=present";
	cells_begin_row(&c);
	shape->put(&c, NULL, shape->arg);
	cells_end_row(&c);
	c.form = CELLS_CSV;
	size_t next = put_rows(l, at, shape, &c);
	if (next == l->count || next == at)
		return;
	put_cursor(&cursor, l, &l->rows[next - 1]);
	put_link(&rs->link, rq, buf_str(&cursor));
}

void list_answer(struct list *l, const struct request *rq, const struct list_shape *shape,
		 struct response *rs)
{
	CLEANUP(buf_free) struct buf cursor = {0};
	comparison *order = order_of(l->q);
	size_t at = 0;

	if (l->count > 1)
		qsort(l->rows, l->count, sizeof(*l->rows), order);
	if (!find_start(l, order, &at, rs))
		return;
	if (l->q->csv) {
		answer_csv(l, at, rq, shape, rs);
		return;
	}
	struct cells c = cells_on(&rs->body, CELLS_JSON);
	rs->type = "application/json";
	json_begin_object(&c.j);
	shape->head(&c.j, shape->head_arg);
	api_int(&c.j, "total", (int64_t)l->count);
	json_key(&c.j, shape->member);
	json_begin_array(&c.j);
	size_t next = put_rows(l, at, shape, &c);
	json_end_array(&c.j);
	json_key(&c.j, "next");
	if (next < l->count && next > at) {
		put_cursor(&cursor, l, &l->rows[next - 1]);
		json_str(&c.j, buf_str(&cursor));
	} else {
		json_null(&c.j);
	}
	json_end_object(&c.j);
}

/* --- what is listed --- */

void list_views_free(struct list_views *v)
{
	for (size_t i = 0; i < v->count; i++)
		view_unref(&v->list[i]);
	free(v->list);
}

void list_views(struct server *s, const struct request *rq, const char *env, const char *cluster,
		struct list_views *ret_v)
{
	struct view **list = NULL;
	size_t count = server_all_views(s, rq, &list);
	size_t wanted = 0;

	for (size_t i = 0; i < count; i++) {
		if (query_glob(env, list[i]->environment) && query_glob(cluster, list[i]->cluster))
			list[wanted++] = list[i];
		else
			view_unref(&list[i]);
	}
	*ret_v = (struct list_views){list, wanted};
}

int64_t list_as_of(const struct list_views *v)
{
	int64_t as_of_ms = 0;

	for (size_t i = 0; i < v->count; i++)
		if (v->list[i]->as_of_ms != 0 && (as_of_ms == 0 || v->list[i]->as_of_ms < as_of_ms))
			as_of_ms = v->list[i]->as_of_ms;
	return as_of_ms;
}

uint64_t list_tag(const struct list_views *v)
{
	uint64_t tag = DELIVER_TAG_START;

	for (size_t i = 0; i < v->count; i++)
		tag = deliver_mix(tag, v->list[i]->serial);
	return tag;
}
