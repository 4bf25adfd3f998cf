/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_openapi.h"

#include <assert.h>

#include "aggregator/serve/web.h"

void api_openapi(struct server *s, const struct request *rq, struct response *rs)
{
	const struct web_file *f = web_find("/web/openapi.json");

	(void)s;
	(void)rq;
	assert(f != NULL);
	rs->type = f->type;
	buf_put(&rs->body, f->data, f->size);
}
