/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_outbox.h"

#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/exposition.h"
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

/* --- metrics --- */

static void put_total(struct buf *b, const char *result, uint64_t count)
{
	buf_puts(b, "warren_alert_messages_total{");
	exposition_label(b, "result", result);
	exposition_labels_end(b);
	buf_put_u64(b, count);
	buf_putc(b, '\n');
}

static void put_gauge(struct buf *b, const char *name, const char *help, uint64_t value)
{
	exposition_family(b, name, "gauge", help);
	buf_puts(b, name);
	buf_putc(b, ' ');
	buf_put_u64(b, value);
	buf_putc(b, '\n');
}

void api_outbox_metrics(struct buf *b, const struct server_calls *calls, const struct access *who)
{
	const struct server_alarms *a = &calls->alarms;
	struct server_delivery d = {0};

	if (a->delivery == NULL || who->scope != 0)
		return;
	a->delivery(a->arg, &d);
	int64_t age_ms = d.oldest_ms == 0 ? 0 : MAX(clock_wall_ms() - d.oldest_ms, (int64_t)0);

	put_gauge(b, "warren_alert_messages_waiting", "Messages not delivered yet", d.waiting);
	put_gauge(b, "warren_alert_messages_held", "Of them, left to another replica", d.held);
	put_gauge(b, "warren_alert_oldest_message_seconds", "Age of the oldest that waits",
		  (uint64_t)(age_ms / 1000));
	put_gauge(b, "warren_alert_sends", "Whether this replica sends", d.sends);
	exposition_family(b, "warren_alert_messages_total", "counter",
			  "Attempts to deliver a message since the start, by result");
	put_total(b, "sent", d.sent);
	put_total(b, "dead", d.dead);
	put_total(b, "retry", d.retries);
}
