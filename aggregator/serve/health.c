/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/health.h"

static void plain(struct response *rs, int status, const char *text)
{
	rs->status = status;
	rs->type = "text/plain; charset=utf-8";
	buf_puts(&rs->body, text);
}

void health_admin(struct server *s, const struct request *rq, struct response *rs)
{
	(void)s;
	(void)rq;
	plain(rs, 200, "GOOD");
}

void health_admin_ready(struct server *s, const struct request *rq, struct response *rs)
{
	bool ready = server_ready(s);

	(void)rq;
	plain(rs, ready ? 200 : 503, ready ? "READY" : "STARTING");
}

void health_live(struct server *s, const struct request *rq, struct response *rs)
{
	(void)s;
	(void)rq;
	plain(rs, 200, "alive\n");
}

void health_ready(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_calls *calls = server_calls(s);
	struct server_store store = {0};

	(void)rq;
	if (calls->store != NULL)
		calls->store(calls->arg, &store);
	if (!server_ready(s))
		plain(rs, 503, "starting or stopping\n");
	else if (store.degraded)
		plain(rs, 503, "the store takes no writes\n");
	else
		plain(rs, 200, "ready\n");
}
