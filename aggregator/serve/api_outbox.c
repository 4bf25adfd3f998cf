/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_outbox.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "common/clock.h"
#include "common/err.h"

#define LIMIT_MAX 1000

static bool get_states(const struct request *rq, struct response *rs, unsigned *ret_states)
{
	static const struct {
		const char *word;
		unsigned states;
	} WORDS[] = {
		{"waiting", SERVER_WAITING},     {"sent", SERVER_SENT},      {"dead", SERVER_DEAD},
		{"elsewhere", SERVER_ELSEWHERE}, {"all", SERVER_OUTBOX_ALL},
	};
	char copy[REQUEST_TARGET_MAX + 1];
	const char *text = NULL;

	*ret_states = SERVER_WAITING | SERVER_DEAD;
	if (!api_query_text(rq, "state", copy, &text, rs))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(WORDS) && text != NULL; i++) {
		if (strcmp(WORDS[i].word, text) == 0) {
			*ret_states = WORDS[i].states;
			return true;
		}
	}
	if (text != NULL)
		problem_answer(rs, 400, "state must be waiting, sent, dead, elsewhere or all");
	return text == NULL;
}

static void put_counts(struct json *j, const struct server_delivery *d)
{
	api_int(j, "as_of_ms", clock_wall_ms());
	api_bool(j, "sends", d->sends);
	json_key(j, "waiting");
	json_uint(j, d->waiting);
	json_key(j, "held");
	json_uint(j, d->held);
	api_time(j, "oldest_ms", d->oldest_ms);
}

void api_outbox(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(buf_free) struct buf list = {.limit = RESPONSE_BODY_MAX / 2};
	const struct server_alarms *a = &server_calls(s)->alarms;
	struct json j = {.out = &rs->body};
	struct server_outbox_ask ask = {0};
	struct server_delivery d = {0};
	int64_t limit = 100, cursor = 0;

	if (a->outbox == NULL)
		problem_answer(rs, 404, "there are no alerts here");
	else if (rq->who->scope != 0)
		problem_answer(rs, 403, "messages are of all clusters, of which you see some");
	if (rs->status != 200 || !query_check(rq, "state limit cursor pretty", rs) ||
	    !get_states(rq, rs, &ask.states) ||
	    !api_query_number(rq, "limit", LIMIT_MAX, &limit, rs) ||
	    !api_query_number(rq, "cursor", INT64_MAX, &cursor, rs))
		return;
	ask.max = (size_t)limit;
	ask.next = (uint64_t)cursor;
	int err = a->outbox(a->arg, &ask, &list);
	if (err != ERR_OK || list.err != ERR_OK) {
		problem_answer(rs, 503, "the store cannot be read now, try again");
		return;
	}
	a->delivery(a->arg, &d);
	rs->type = "application/json";
	json_begin_object(&j);
	put_counts(&j, &d);
	api_time(&j, "next", (int64_t)ask.next);
	json_key(&j, "messages");
	json_begin_array(&j);
	buf_put(&rs->body, list.data, list.size);
	json_end_array(&j);
	json_end_object(&j);
}

/* An id in a path: digits. */
static bool get_id(const struct request *rq, uint64_t *ret_id)
{
	const char *text = rq->args[0];
	size_t size = strlen(text);

	if (size == 0 || size > 18 || strspn(text, "0123456789") != size)
		return false;
	*ret_id = strtoull(text, NULL, 10);
	return true;
}

void api_outbox_retry(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_alarms *a = &server_calls(s)->alarms;
	uint64_t id = 0;
	int err = ERR_NOT_FOUND;

	if (a->retry != NULL && get_id(rq, &id))
		err = a->retry(a->arg, id);
	if (err == ERR_OK)
		rs->status = 204;
	else if (err == ERR_NOT_FOUND)
		problem_answer(rs, 404, "there is no dead message of this id");
	else if (err == ERR_LIMIT)
		problem_answer(rs, 409, "too many messages wait already");
	else
		problem_answer(rs, 503, "the store takes no writes now, try again");
}
