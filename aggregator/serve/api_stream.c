/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_stream.h"

#include <string.h>

#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "aggregator/serve/stream.h"
#include "common/err.h"

#define RETRY_S 10

static const struct response_header HEADERS[] = {
	{"Cache-Control", "no-store"},
	{"X-Accel-Buffering", "no"}, /* nginx would keep events back */
	{NULL, NULL},
};

static const char *text_of(const struct request *rq, const char *name,
			   char text[static REQUEST_TARGET_MAX + 1])
{
	return query_get(rq, name, text) == ERR_OK && text[0] != '\0' ? text : NULL;
}

void api_stream(struct server *s, const struct request *rq, struct response *rs)
{
	char env[REQUEST_TARGET_MAX + 1];
	char cluster[REQUEST_TARGET_MAX + 1];
	char group[REQUEST_TARGET_MAX + 1];

	if (!query_check(rq, "env cluster group", rs))
		return;
	struct stream_wish wish = {.who = rq->who,
				   .env = text_of(rq, "env", env),
				   .cluster = text_of(rq, "cluster", cluster),
				   .group = text_of(rq, "group", group),
				   .last_id = rq->last_event_id};
	struct stream *stream = server_stream(s);

	memcpy(wish.from, rq->from, sizeof(wish.from));
	int err = stream == NULL ? ERR_LIMIT : ERR_OK;

	if (err == ERR_OK && rq->method != METHOD_HEAD)
		err = stream_open(stream, &wish, &rs->stream);
	if (err != ERR_OK) {
		problem_answer(rs, 503,
			       err == ERR_LIMIT ? "too many clients follow the stream already; "
						  "try again later, or ask now and then"
						: "there is no memory for another stream");
		rs->retry_after_s = RETRY_S;
		return;
	}
	rs->type = "text/event-stream";
	rs->headers = HEADERS;
}
