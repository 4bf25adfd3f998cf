/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/body.h"

#include <stdlib.h>

#include "common/err.h"

struct body *body_new(struct buf *b)
{
	struct body *body = b->err == ERR_OK ? malloc(sizeof(*body)) : NULL;

	if (body == NULL)
		return NULL;
	/* A buffer that grew by doubling may be half empty, and a body may live long. */
	char *data = b->size > 0 ? realloc(b->data, b->size) : NULL;
	body->data = data != NULL ? data : b->data;
	body->size = b->size;
	atomic_init(&body->refs, 1);
	*b = (struct buf){.limit = b->limit};
	return body;
}

struct body *body_ref(struct body *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void body_unref(struct body **b)
{
	struct body *gone = *b;

	*b = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->refs, 1) != 1)
		return;
	free(gone->data);
	free(gone);
}
