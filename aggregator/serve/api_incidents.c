/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/api_incidents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/json_in.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "common/clock.h"
#include "common/err.h"

#define LIMIT_MAX 1000
#define NOTE_MAX 256 /* with its NUL; longer notes are refused */

/* NULL, and refused, where there are none: an aggregator that was built into a test. */
static const struct server_alarms *alarms(struct server *s, struct response *rs)
{
	const struct server_alarms *a = &server_calls(s)->alarms;

	if (a->arg != NULL)
		return a;
	problem_answer(rs, 404, "there are no incidents here");
	return NULL;
}

static void answer_error(struct response *rs, int err)
{
	if (err == ERR_NOT_FOUND)
		problem_answer(rs, 404, "there is none of this id");
	else if (err == ERR_LIMIT)
		problem_answer(rs, 409, "there are too many silences: remove some");
	else if (err == ERR_TIMEOUT)
		problem_answer(rs, 503, "the store takes no writes now, try again");
	else
		problem_answer(rs, 503, "the store cannot be read now, try again");
}

/* An id in a path: 16 hexadecimal digits. */
static bool get_id(const struct request *rq, struct response *rs, uint64_t *ret_id)
{
	const char *text = rq->args[0];

	if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
		problem_answer(rs, 404, "there is none of this id");
		return false;
	}
	*ret_id = strtoull(text, NULL, 16);
	return true;
}

/* --- the list --- */

static bool add_state(const char *word, size_t size, unsigned *states)
{
	static const struct {
		const char *word;
		unsigned states;
	} WORDS[] = {
		{"open", SERVER_OPEN},
		{"acknowledged", SERVER_ACKNOWLEDGED},
		{"resolved", SERVER_RESOLVED},
		{"all", SERVER_OPEN | SERVER_ACKNOWLEDGED | SERVER_RESOLVED},
	};

	for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
		if (strlen(WORDS[i].word) == size && memcmp(WORDS[i].word, word, size) == 0) {
			*states |= WORDS[i].states;
			return true;
		}
	}
	return false;
}

static bool get_states(const struct request *rq, struct response *rs, unsigned *ret_states)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *at = NULL;
	unsigned states = 0;

	*ret_states = SERVER_OPEN | SERVER_ACKNOWLEDGED;
	if (!api_query_text(rq, "state", copy, &at, rs))
		return false;
	if (at == NULL)
		return true;
	for (bool more = true; more; at++) {
		size_t size = strcspn(at, ",");

		if (!add_state(at, size, &states)) {
			problem_answer(rs, 400,
				       "state must be open, acknowledged, resolved or all, or "
				       "several with commas");
			return false;
		}
		at += size;
		more = *at == ',';
	}
	*ret_states = states;
	return true;
}

static bool get_status(const struct request *rq, struct response *rs, int *ret_status)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *text = NULL;

	if (!api_query_text(rq, "status", copy, &text, rs))
		return false;
	if (text == NULL)
		return true;
	if (strcmp(text, "WARN") == 0)
		*ret_status = STATUS_WARN;
	else if (strcmp(text, "ERR") == 0)
		*ret_status = STATUS_ERR;
	else
		problem_answer(rs, 400, "status must be WARN or ERR");
	return *ret_status != 0;
}

/* As it was given by put_cursor(). */
static bool get_cursor(const struct request *rq, struct response *rs, struct server_place *ret_p)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *text = NULL;
	uint64_t opened_ms = 0;
	int end = 0;

	if (!api_query_text(rq, "cursor", copy, &text, rs))
		return false;
	if (text == NULL)
		return true;
	if (strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32 &&
	    sscanf(text, "%16" SCNx64 "%16" SCNx64 "%n", &opened_ms, &ret_p->id, &end) == 2 &&
	    end == 32 && opened_ms <= INT64_MAX) {
		ret_p->opened_ms = (int64_t)opened_ms;
		return true;
	}
	problem_answer(rs, 400, "cursor must be the next of an answer before");
	return false;
}

static void put_cursor(struct json *j, const struct server_place *p)
{
	char text[33];

	json_key(j, "next");
	if (p->id == 0) {
		json_null(j);
		return;
	}
	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, (uint64_t)p->opened_ms, p->id);
	json_str(j, text);
}

/* The texts that a list is asked for by. */
struct texts {
	char environment[REQUEST_TARGET_MAX + 1];
	char cluster[REQUEST_TARGET_MAX + 1];
	char group[REQUEST_TARGET_MAX + 1];
};

static bool get_ask(const struct request *rq, struct response *rs, struct texts *t,
		    struct server_incidents_ask *ret_ask)
{
	struct server_incidents_ask *a = ret_ask;
	int64_t limit = 100;

	*a = (struct server_incidents_ask){.who = rq->who};
	if (!get_states(rq, rs, &a->states) || !get_status(rq, rs, &a->status) ||
	    !get_cursor(rq, rs, &a->before) ||
	    !api_query_text(rq, "env", t->environment, &a->environment, rs) ||
	    !api_query_text(rq, "cluster", t->cluster, &a->cluster, rs) ||
	    !api_query_text(rq, "group", t->group, &a->group, rs) ||
	    !api_query_time(rq, "since", clock_wall_ms(), &a->since_ms, rs) ||
	    !api_query_number(rq, "limit", LIMIT_MAX, &limit, rs))
		return false;
	a->max = (size_t)limit;
	return true;
}

void api_incidents(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(buf_free) struct buf list = {.limit = RESPONSE_BODY_MAX / 2};
	const struct server_alarms *a = alarms(s, rs);
	struct json j = {.out = &rs->body};
	struct server_incidents_ask ask;
	struct server_place next = {0, 0};
	struct texts texts;
	size_t total = 0;

	if (a == NULL ||
	    !query_check(rq, "state env cluster group status since limit cursor pretty", rs) ||
	    !get_ask(rq, rs, &texts, &ask))
		return;
	int err = a->incidents(a->arg, &ask, &list, &total, &next);
	if (err != ERR_OK || list.err != ERR_OK) {
		answer_error(rs, err);
		return;
	}
	rs->type = "application/json";
	json_begin_object(&j);
	api_int(&j, "as_of_ms", clock_wall_ms());
	json_key(&j, "total");
	json_uint(&j, total);
	put_cursor(&j, &next);
	json_key(&j, "incidents");
	json_begin_array(&j);
	buf_put(&rs->body, list.data, list.size);
	json_end_array(&j);
	json_end_object(&j);
}

/* --- one --- */

static void show(const struct server_alarms *a, const struct request *rq, uint64_t id,
		 struct response *rs)
{
	rs->type = "application/json";
	int err = a->incident(a->arg, rq->who, id, &rs->body);
	if (err != ERR_OK)
		answer_error(rs, err);
}

void api_incident(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_alarms *a = alarms(s, rs);
	uint64_t id = 0;

	if (a != NULL && query_check(rq, "pretty", rs) && get_id(rq, rs, &id))
		show(a, rq, id, rs);
}

static void deed(struct server *s, const struct request *rq, struct response *rs,
		 int (*act)(void *arg, const struct server_deed *d))
{
	const struct server_alarms *a = &server_calls(s)->alarms;
	char note[NOTE_MAX] = "";
	struct server_deed d = {.who = rq->who, .note = note};

	if (!get_id(rq, rs, &d.id))
		return;
	int err = rq->body_size == 0
			  ? ERR_OK
			  : json_in_member(rq->body, rq->body_size, "note", note, sizeof(note));
	if (err != ERR_OK) {
		problem_answer(rs, 400,
			       "the body must be empty, or an object whose note is a text of 255 "
			       "bytes at most");
		return;
	}
	err = act(a->arg, &d);
	if (err == ERR_OK)
		show(a, rq, d.id, rs);
	else
		answer_error(rs, err);
}

void api_incident_acknowledge(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_alarms *a = alarms(s, rs);

	if (a != NULL)
		deed(s, rq, rs, a->acknowledge);
}

void api_incident_resolve(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_alarms *a = alarms(s, rs);

	if (a != NULL)
		deed(s, rq, rs, a->resolve);
}

/* --- silences --- */

/* The clusters that who asks sees. */
struct seen {
	struct view **views;
	size_t count;
	const struct access *who;
};

static bool concerns(void *arg, const char *environment, const char *cluster)
{
	const struct seen *seen = arg;

	if (api_concerns(seen->views, seen->count, environment, cluster))
		return true;
	/* All, or one by its name that no agent has told of yet. */
	return seen->who->scope == 0 || access_sees(seen->who, environment, cluster);
}

void api_silences(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_alarms *a = alarms(s, rs);
	struct seen seen = {.who = rq->who};
	struct json j = {.out = &rs->body};

	if (a == NULL || !query_check(rq, "pretty", rs))
		return;
	seen.count = server_all_views(s, rq, &seen.views);
	rs->type = "application/json";
	json_begin_object(&j);
	json_key(&j, "silences");
	json_begin_array(&j);
	int err = a->silences(a->arg, concerns, &seen, &rs->body);
	json_end_array(&j);
	json_end_object(&j);
	for (size_t i = 0; i < seen.count; i++)
		view_unref(&seen.views[i]);
	free(seen.views);
	if (err != ERR_OK)
		answer_error(rs, err);
}

void api_silence_add(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(buf_free) struct buf why = {0};
	const struct server_alarms *a = alarms(s, rs);

	if (a == NULL)
		return;
	rs->type = "application/json";
	int err = a->silence(a->arg, rq->who, rq->body, rq->body_size, &why, &rs->body);
	if (err == ERR_OK)
		rs->status = 201;
	else if (err == ERR_MALFORMED)
		problem_answer(rs, 400, buf_str(&why));
	else
		answer_error(rs, err);
}

void api_silence_delete(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_alarms *a = alarms(s, rs);
	uint64_t id = 0;

	if (a == NULL || !get_id(rq, rs, &id))
		return;
	int err = a->unsilence(a->arg, rq->who, id);
	if (err == ERR_OK)
		rs->status = 204;
	else
		answer_error(rs, err);
}
