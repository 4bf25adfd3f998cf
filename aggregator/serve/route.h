/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * route - finds the handler of a request in a table, and answers the requests that have none.
 *
 * It behaves as Go's httprouter, with which Burrow answers: a trailing slash, a doubled slash or
 * the wrong letter case of a fixed part is redirected, a wrong method is told which ones there are,
 * the rest is the catch-all 404. One difference is meant: the path is split before it is unescaped,
 * so that a name may hold %2F.
 */

#include "aggregator/serve/request.h"

struct server;

struct route {
	enum method method;
	const char *path; /* "/v3/kafka/:cluster": a part that starts with a colon takes any name */
	void (*handle)(struct server *s, const struct request *rq, struct response *rs);
	enum access_need need;
};

/* Answer rq from the table, if server_admit() lets it pass. rq->method, target, body and body_size
 * are set; the rest is filled in for the handler. rs is initialised. */
void route_dispatch(const struct route *table, size_t count, struct server *s, struct request *rq,
		    struct response *rs);

/* s with %XX unescaped once, in the same place. ERR_MALFORMED, and s spoilt, for an escape that is
 * none and for a NUL. */
MUST_CHECK int route_unescape(char *s);
