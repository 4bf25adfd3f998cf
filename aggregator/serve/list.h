/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * list - rows of one kind, sorted, cut into pages and written as JSON or CSV.
 *
 * Rows have a total order: the value asked to sort by, then their names and number, always rising.
 * A page begins after the row that the cursor names, whether or not that is still there. A page
 * ends at its limit, or when it is so large that an answer could become too large.
 */

#include "aggregator/judge/view.h"
#include "aggregator/serve/cells.h"
#include "aggregator/serve/cursor.h"
#include "aggregator/serve/query.h"
#include "aggregator/serve/server.h"

#define LIST_PAGE_BYTES ((size_t)8 << 20)

struct list_row {
	int64_t value; /* by which it is sorted; whatever for QUERY_BY_NAME */
	const char *names[CURSOR_NAMES];
	int32_t number;
	const struct view *view; /* the caller's, as all here */
	const void *item;
};

struct list {
	const struct query *q; /* borrowed */
	struct list_row *rows;
	size_t count, cap;
};

/* Names that are NULL count as "". */
void list_add(struct list *l, const struct list_row *row);
void list_free(struct list *l);

/* How a list is shown: the member that holds the rows, and what writes one of them, for
 * cells_begin_row() and cells_end_row() are called around it. With CELLS_NAMES row is NULL. */
struct list_shape {
	const char *member;
	void (*put)(struct cells *c, const struct list_row *row, void *arg);
	void *arg;

	/* The head of the answer in JSON, inside the object. */
	void (*head)(struct json *j, const void *arg);
	const void *head_arg;
};

/* Sort, and write one page. rs is the answer, or the refusal of a cursor that is none. */
void list_answer(struct list *l, const struct request *rq, const struct list_shape *shape,
		 struct response *rs);

/* --- what is listed --- */

/* Some of the views that who asks sees. */
struct list_views {
	struct view **list; /* each referenced */
	size_t count;
};

void list_views_free(struct list_views *v);

/* Those of which the environment and cluster are wanted by globs, where they are not NULL. */
void list_views(struct server *s, const struct request *rq, const char *env, const char *cluster,
		struct list_views *ret_v);

/* The oldest pass of them; 0: none has had one. */
int64_t list_as_of(const struct list_views *v);

/* What these views are, for deliver_known(). */
uint64_t list_tag(const struct list_views *v);
