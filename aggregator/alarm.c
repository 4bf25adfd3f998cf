/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alarm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/alert/delivery.h"
#include "aggregator/alert/incident_json.h"
#include "aggregator/serve/stream.h"
#include "aggregator/silence_in.h"
#include "common/err.h"

/* --- the writer's --- */

static void load(void *arg, struct store_txn *t)
{
	alert_load(arg, t);
}

static void rules(void *arg, struct rules_set *set)
{
	alert_rules(arg, set);
}

static void judged(void *arg, struct store_txn *t, const struct view *v, int64_t now_ms)
{
	alert_judged(arg, t, v, now_ms);
}

static void blind(void *arg, struct view *v)
{
	alert_blind(arg, v);
}

static void gone(void *arg, struct store_txn *t, uint32_t cluster_id, int64_t now_ms)
{
	alert_gone(arg, t, cluster_id, now_ms);
}

static bool pending(void *arg, int64_t now_ms)
{
	return alert_pending(arg, now_ms);
}

static void work(void *arg, struct store_txn *t, int64_t now_ms)
{
	alert_work(arg, t, now_ms);
}

static void end(void *arg, bool committed)
{
	alert_end(arg, committed);
}

struct writer_hook alarm_hook(struct alert *a)
{
	return (struct writer_hook){a, load, rules, judged, blind, gone, pending, work, end};
}

/* --- the HTTP server's --- */

static bool sees(void *arg, const char *environment, const char *cluster)
{
	return access_sees(arg, environment, cluster);
}

/* alert_filter.arg is not written through, and is not const for others' sake. */
static void *as_arg(const struct access *who)
{
	return (void *)(uintptr_t)who;
}

static void put_incident(void *arg, const struct incident *i, const struct rules_label *labels,
			 size_t label_count)
{
	struct json *j = arg;

	json_begin_object(j);
	incident_json_members(j, i, labels, label_count);
	json_end_object(j);
}

static void tell(struct stream *s, const struct incident *i, const struct rules_label *labels,
		 size_t label_count, void (*to)(struct stream *s, const struct stream_event *e))
{
	CLEANUP(buf_free) struct buf text = {0};
	struct json j = {.out = &text};

	put_incident(&j, i, labels, label_count);
	to(s, &(struct stream_event){.at_ms = i->changed_ms,
				     .event = "incident",
				     .environment = i->environment,
				     .cluster = i->cluster,
				     .group = i->group,
				     .data = buf_str(&text)});
}

void alarm_changed(void *arg, const struct incident *i, const struct rules_label *labels,
		   size_t label_count)
{
	tell(arg, i, labels, label_count, stream_tell);
}

void alarm_recall(void *arg, const struct incident *i, const struct rules_label *labels,
		  size_t label_count)
{
	tell(arg, i, labels, label_count, stream_recall);
}

static unsigned states_of(unsigned asked)
{
	return (asked & SERVER_OPEN ? 1u << INCIDENT_OPEN : 0) |
	       (asked & SERVER_ACKNOWLEDGED ? 1u << INCIDENT_ACKNOWLEDGED : 0) |
	       (asked & SERVER_RESOLVED ? 1u << INCIDENT_RESOLVED : 0);
}

static int incidents(void *arg, const struct server_incidents_ask *ask, struct buf *out,
		     size_t *ret_total, struct server_place *ret_next)
{
	struct json j = {.out = out};
	struct alert_place next = {0, 0};
	const struct alert_filter f = {
		.states = states_of(ask->states),
		.environment = ask->environment,
		.cluster = ask->cluster,
		.group = ask->group,
		.status = ask->status,
		.since_ms = ask->since_ms,
		.before = {ask->before.opened_ms, ask->before.id},
		.max = ask->max,
		.sees = sees,
		.arg = as_arg(ask->who),
	};
	int err = alert_list(arg, &f, put_incident, &j, ret_total, &next);

	*ret_next = (struct server_place){next.opened_ms, next.id};
	return err;
}

/* An incident and its steps are written as one object. */
struct whole {
	struct json json;
	bool steps;
};

static void put_head(void *arg, const struct incident *i, const struct rules_label *labels,
		     size_t label_count)
{
	struct whole *w = arg;

	json_begin_object(&w->json);
	incident_json_members(&w->json, i, labels, label_count);
	json_key(&w->json, "timeline");
	json_begin_array(&w->json);
}

static void put_step(void *arg, const struct incident_step *s)
{
	struct whole *w = arg;

	incident_json_step(&w->json, s);
}

static int incident(void *arg, const struct access *who, uint64_t id, struct buf *out)
{
	const struct alert_filter f = {.sees = sees, .arg = as_arg(who)};
	struct whole w = {.json = {.out = out}};
	int err = alert_one(arg, id, &f, put_head, put_step, &w);

	if (err != ERR_OK)
		return err;
	json_end_array(&w.json);
	json_end_object(&w.json);
	return ERR_OK;
}

static void ignore(void *arg, const struct incident *i, const struct rules_label *labels,
		   size_t label_count)
{
	(void)arg;
	(void)i;
	(void)labels;
	(void)label_count;
}

static int act(struct alert *a, enum alert_deed deed, const struct server_deed *d)
{
	const struct alert_filter f = {.sees = sees, .arg = as_arg(d->who)};
	struct alert_command c = {
		.deed = deed,
		.id = d->id,
		.by = d->who->name[0] != '\0' ? d->who->name : "anonymous",
		.note = d->note,
	};
	int err = alert_one(a, d->id, &f, ignore, NULL, NULL);

	return err == ERR_OK ? alert_do(a, &c) : err;
}

static int acknowledge(void *arg, const struct server_deed *d)
{
	return act(arg, ALERT_ACKNOWLEDGE, d);
}

static int resolve(void *arg, const struct server_deed *d)
{
	return act(arg, ALERT_RESOLVE, d);
}

struct silences_out {
	struct json json;
	server_concerns *concerns;
	void *arg;
};

static void put_silence(void *arg, const struct silence *s)
{
	struct silences_out *o = arg;

	if (o->concerns(o->arg, s->environment, s->cluster))
		incident_json_silence(&o->json, s);
}

static int silences(void *arg, server_concerns *concerns, void *concerns_arg, struct buf *out)
{
	struct silences_out o = {{.out = out}, concerns, concerns_arg};

	return alert_silences(arg, put_silence, &o);
}

static int silence(void *arg, const struct access *who, const char *body, size_t size,
		   struct buf *why, struct buf *out)
{
	struct json j = {.out = out};
	struct silence s;
	struct alert_command c = {.deed = ALERT_ADD_SILENCE, .silence = &s};
	int err = silence_in(who, body, size, why, &s);

	if (err == ERR_OK)
		err = alert_do(arg, &c);
	if (err == ERR_OK)
		incident_json_silence(&j, &s);
	return err;
}

/* The one to remove, and whether he may. */
struct wanted {
	const struct access *who;
	uint64_t id;
	bool found;
};

static void find_silence(void *arg, const struct silence *s)
{
	struct wanted *w = arg;

	if (s->id == w->id)
		w->found = silence_in_may(w->who, s);
}

static int unsilence(void *arg, const struct access *who, uint64_t id)
{
	struct alert_command c = {.deed = ALERT_DEL_SILENCE, .id = id};
	struct wanted w = {who, id, false};
	int err = alert_silences(arg, find_silence, &w);

	if (err == ERR_OK && !w.found)
		return ERR_NOT_FOUND;
	return err == ERR_OK ? alert_do(arg, &c) : err;
}

static void counts(void *arg,
		   void (*emit)(void *emit_arg, const char *environment, bool acknowledged,
				bool err, uint64_t count),
		   void *emit_arg)
{
	struct incidents_count *list = NULL;
	size_t count = alert_counts(arg, &list);

	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < 4; k++)
			emit(emit_arg, list[i].environment, k & 2, k & 1,
			     list[i].counts[k >> 1][k & 1]);
	free(list);
}

static void put_hex(struct json *j, const char *key, uint64_t v)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, v);
	json_key(j, key);
	json_str(j, text);
}

static void put_time(struct json *j, const char *key, int64_t at_ms)
{
	json_key(j, key);
	if (at_ms == 0)
		json_null(j);
	else
		json_int(j, at_ms);
}

static void put_row(void *arg, const struct outbox_row *row)
{
	struct json *j = arg;

	json_begin_object(j);
	json_key(j, "id");
	json_uint(j, row->id);
	put_hex(j, "key", row->key);
	put_hex(j, "thread", row->thread);
	json_key(j, "kind");
	json_str(j, message_kind_str((enum message_kind)row->kind));
	json_key(j, "receiver");
	json_str(j, row->receiver);
	json_key(j, "state");
	json_str(j, outbox_state_str((enum outbox_state)row->state));
	json_key(j, "attempts");
	json_uint(j, row->attempts);
	put_time(j, "created_ms", row->created_ms);
	put_time(j, "next_ms", row->state == OUTBOX_WAITING ? row->next_ms : 0);
	put_time(j, "ended_ms", row->ended_ms);
	json_key(j, "error");
	if (row->error[0] == '\0')
		json_null(j);
	else
		json_str(j, row->error);
	json_end_object(j);
}

static int outbox(void *arg, struct server_outbox_ask *ask, struct buf *out)
{
	struct json j = {.out = out};
	const struct delivery_ask d = {
		.states = (ask->states & SERVER_WAITING ? 1u << OUTBOX_WAITING : 0) |
			  (ask->states & SERVER_SENT ? 1u << OUTBOX_SENT : 0) |
			  (ask->states & SERVER_DEAD ? 1u << OUTBOX_DEAD : 0) |
			  (ask->states & SERVER_ELSEWHERE ? 1u << OUTBOX_ELSEWHERE : 0),
		.from = ask->next,
		.max = ask->max,
	};

	return delivery_list(arg, &d, put_row, &j, &ask->next);
}

static int retry(void *arg, uint64_t id)
{
	struct alert_command c = {.deed = ALERT_RETRY, .id = id};

	return alert_do(arg, &c);
}

static void delivery(void *arg, struct server_delivery *ret_d)
{
	struct outbox_counts c = {0};

	delivery_counts(arg, &c, &ret_d->sends);
	ret_d->waiting = c.waiting;
	ret_d->held = c.held;
	ret_d->sent = c.sent;
	ret_d->dead = c.dead;
	ret_d->retries = c.retries;
	ret_d->oldest_ms = c.oldest_ms;
}

struct server_alarms alarm_calls(struct alert *a)
{
	return (struct server_alarms){a,       incidents, incident, acknowledge, resolve,  silences,
				      silence, unsilence, counts,   outbox,      delivery, retry};
}
