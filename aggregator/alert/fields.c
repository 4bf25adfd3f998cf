/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aggregator/alert/escape.h"
#include "aggregator/judge/status.h"
#include "common/err.h"

/* --- forms of values --- */

static void number(struct buf *out, int64_t v)
{
	if (v >= 0)
		buf_put_i64(out, v);
}

static void flag(struct buf *out, bool v)
{
	buf_puts(out, v ? "true" : "false");
}

static void hex(struct buf *out, uint64_t v)
{
	buf_printf(out, "%016" PRIx64, v);
}

/* 2026-11-25T07:03:01Z; "" for 0. */
static void moment(struct buf *out, int64_t at_ms)
{
	const time_t s = (time_t)(at_ms / 1000);
	struct tm tm;
	char text[32];

	if (at_ms > 0 && gmtime_r(&s, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) != 0)
		buf_puts(out, text);
}

/* 45s, 3m 20s, 2h 5m, 3d 4h; "" where not known. */
static void span(struct buf *out, int64_t ms)
{
	const int64_t s = ms / 1000;

	if (ms < 0)
		return;
	if (s < 60)
		buf_printf(out, "%" PRId64 "s", s);
	else if (s < 3600)
		buf_printf(out, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(out, "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
	else
		buf_printf(out, "%" PRId64 "d %" PRId64 "h", s / 86400, s / 3600 % 24);
}

/* An incident with nothing in it, for messages that have none. */
static const struct incident NOTHING = {
	.partition = -1, .lag = -1, .time_lag_ms = -1, .margin_ms = -1};

static const struct incident *of(const struct fields_at *at)
{
	if (at->incident != NULL)
		return &at->incident->incident;
	return at->message->count > 0 ? &at->message->incidents[0].incident : &NOTHING;
}

static bool over(const struct incident *i)
{
	return i->state == INCIDENT_RESOLVED;
}

static int64_t lasted_ms(const struct fields_at *at)
{
	const struct incident *i = of(at);
	int64_t end_ms = over(i) ? i->resolved_ms : at->message->at_ms;

	return i->opened_ms > 0 && end_ms >= i->opened_ms ? end_ms - i->opened_ms : -1;
}

/* --- texts made of several fields --- */

/* "PROD/orders: payments", or without the group for a cluster that is blind. */
static void put_where(struct buf *out, const struct incident *i)
{
	if (i->environment[0] != '\0')
		buf_printf(out, "%s/", i->environment);
	buf_puts(out, i->cluster);
	if (i->group[0] != '\0')
		buf_printf(out, ": %s", i->group);
}

static void put_state_word(struct buf *out, const struct incident *i)
{
	if (over(i))
		buf_puts(out, "resolved");
	else if (i->kind == INCIDENT_BLIND)
		buf_puts(out, "blind");
	else
		buf_puts(out, status_str((enum status)i->status));
}

static const char *prefix(enum message_kind kind)
{
	switch (kind) {
	case MESSAGE_TEST:
		return "Test: ";
	case MESSAGE_ESCALATE:
		return "Escalated: ";
	case MESSAGE_REPEAT:
		return "Still: ";
	default:
		return "";
	}
}

static void put_title(const struct fields_at *at, struct buf *out)
{
	const struct message *m = at->message;
	const struct fields_at first = {.message = m};
	const struct incident *i = of(&first);

	buf_puts(out, prefix(m->kind));
	if (m->total != 1) {
		if (m->kind == MESSAGE_RESOLVE)
			buf_puts(out, "[resolved] ");
		buf_printf(out, "%zu incidents", m->total);
		if (m->group_by != NULL && m->group_by[0] != '\0')
			buf_printf(out, ", %s", m->group_by);
		if (m->count == 0)
			return;
		buf_puts(out, "; worst: ");
	}
	buf_putc(out, '[');
	put_state_word(out, i);
	buf_puts(out, "] ");
	put_where(out, i);
}

static void link_of(struct buf *out, const struct fields_at *at)
{
	const char *page = at->message->url;

	if (page == NULL || page[0] == '\0')
		return;
	size_t size = strlen(page);
	buf_put(out, page, page[size - 1] == '/' ? size - 1 : size);
	if (of(at)->id != 0)
		buf_printf(out, "/#/incidents/%016" PRIx64, of(at)->id);
}

/* One line of name and value, unless the value is empty. Values are one line each. */
static void line(struct buf *out, const char *name,
		 void (*put)(const struct fields_at *, struct buf *), const struct fields_at *at)
{
	CLEANUP(buf_free) struct buf value = {0};

	put(at, &value);
	if (value.size == 0)
		return;
	buf_printf(out, "  %s: ", name);
	escape_put(out, ESCAPE_TEXT, value.data, value.size);
	buf_putc(out, '\n');
}

/* --- the fields, in the order of the table --- */

#define PUT(name_, statement_)                                                                     \
	static void put_##name_(const struct fields_at *at, struct buf *out)                       \
	{                                                                                          \
		statement_;                                                                        \
	}

PUT(kind, buf_puts(out, message_kind_str(at->message->kind)))
PUT(open, flag(out, at->message->kind == MESSAGE_OPEN))
PUT(update, flag(out, at->message->kind == MESSAGE_UPDATE))
PUT(repeat, flag(out, at->message->kind == MESSAGE_REPEAT))
PUT(escalate, flag(out, at->message->kind == MESSAGE_ESCALATE))
PUT(resolve, flag(out, at->message->kind == MESSAGE_RESOLVE))
PUT(summary, flag(out, at->message->kind == MESSAGE_SUMMARY))
PUT(test, flag(out, at->message->kind == MESSAGE_TEST))
PUT(key, hex(out, at->message->key))
PUT(thread, hex(out, at->message->thread))
PUT(at, moment(out, at->message->at_ms))
PUT(at_ms, number(out, at->message->at_ms))
PUT(route, buf_puts(out, at->message->route))
PUT(receiver, buf_puts(out, at->message->receiver))
PUT(group_by, buf_puts(out, at->message->group_by))
PUT(page, buf_puts(out, at->message->url))
PUT(total, buf_put_u64(out, at->message->total))
PUT(more, buf_put_u64(out, at->message->total - MIN(at->message->total, at->message->count)))
PUT(to, buf_puts(out, at->to))
PUT(from, buf_puts(out, at->from))
PUT(sms, buf_puts(out, at->sms))
PUT(picture, flag(out, at->picture))

PUT(first, flag(out, at->index == 0))
PUT(last, flag(out, at->index + 1 == at->count))
PUT(id, hex(out, of(at)->id))
PUT(version, number(out, of(at)->version))
PUT(about, buf_puts(out, incident_kind_str(of(at)->kind)))
PUT(state, buf_puts(out, incident_state_str(of(at)->state)))
PUT(over, flag(out, over(of(at))))
PUT(status, buf_puts(out, status_str((enum status)of(at)->status)))
PUT(worst, buf_puts(out, status_str((enum status)of(at)->worst)))
PUT(severity, buf_puts(out, of(at)->worst > STATUS_WARN ? "critical" : "warning"))
PUT(critical, flag(out, of(at)->worst > STATUS_WARN))
PUT(reason, buf_puts(out, reason_str((enum reason)of(at)->reason)))
PUT(sentence, buf_puts(out, of(at)->sentence))
PUT(change, buf_puts(out, incident_change_str(of(at)->change)))
PUT(environment, buf_puts(out, of(at)->environment))
PUT(cluster, buf_puts(out, of(at)->cluster))
PUT(group, buf_puts(out, of(at)->group))
PUT(topic, buf_puts(out, of(at)->topic))
PUT(partition, if (of(at)->topic[0] != '\0') number(out, of(at)->partition))
PUT(bad_partitions, number(out, of(at)->bad_partitions))
PUT(partitions, number(out, of(at)->partitions))
PUT(lag, number(out, of(at)->lag))
PUT(time_lag, span(out, of(at)->time_lag_ms))
PUT(time_lag_ms, number(out, of(at)->time_lag_ms))
PUT(margin, span(out, of(at)->margin_ms))
PUT(margin_ms, number(out, of(at)->margin_ms))
PUT(lost, number(out, of(at)->lost))
PUT(flapping, flag(out, of(at)->flapping))
PUT(silenced, flag(out, of(at)->silenced))
PUT(opened, moment(out, of(at)->opened_ms))
PUT(opened_ms, number(out, of(at)->opened_ms))
PUT(changed, moment(out, of(at)->changed_ms))
PUT(acknowledged, moment(out, of(at)->acknowledged_ms))
PUT(resolved, moment(out, of(at)->resolved_ms))
PUT(duration, span(out, lasted_ms(at)))
PUT(end, buf_puts(out, incident_end_str(of(at)->end)))
PUT(by, buf_puts(out, of(at)->by))
PUT(note, buf_puts(out, of(at)->note))
PUT(link, link_of(out, at))

PUT(name, buf_puts(out, at->label == NULL ? "" : at->label->name))
PUT(value, buf_puts(out, at->label == NULL ? "" : at->label->value))

/* "2 of 12" */
static void put_bad_of(const struct fields_at *at, struct buf *out)
{
	if (of(at)->bad_partitions > 0)
		buf_printf(out, "%" PRIu32 " of %" PRIu32, of(at)->bad_partitions,
			   of(at)->partitions);
}

/* "orders-in, partition 3" */
static void put_partition_of(const struct fields_at *at, struct buf *out)
{
	if (of(at)->topic[0] == '\0')
		return;
	buf_puts(out, of(at)->topic);
	if (of(at)->partition >= 0)
		buf_printf(out, ", partition %" PRId32, of(at)->partition);
}

static void put_loss(const struct fields_at *at, struct buf *out)
{
	if (of(at)->lost > 0)
		number(out, of(at)->lost);
}

static void put_labels(const struct fields_at *at, struct buf *out)
{
	const struct message_incident *i = at->incident;

	for (size_t k = 0; i != NULL && k < i->label_count; k++)
		buf_printf(out, "%s%s=%s", k == 0 ? "" : " ", i->labels[k].name,
			   i->labels[k].value);
}

static void put_incident_text(const struct fields_at *at, struct buf *out)
{
	CLEANUP(buf_free) struct buf head = {0};

	buf_putc(&head, '[');
	put_state_word(&head, of(at));
	buf_puts(&head, "] ");
	put_where(&head, of(at));
	if (head.err == ERR_OK)
		escape_put(out, ESCAPE_TEXT, head.data, head.size);
	buf_putc(out, '\n');
	line(out, "why", put_sentence, at);
	line(out, "reason", put_reason, at);
	line(out, "worst", put_partition_of, at);
	line(out, "partitions in trouble", put_bad_of, at);
	line(out, "lag", put_lag, at);
	line(out, "time lag", put_time_lag, at);
	line(out, "messages lost", put_loss, at);
	line(out, "since", put_opened, at);
	line(out, "lasted", put_duration, at);
	line(out, "ended", put_end, at);
	line(out, "by", put_by, at);
	line(out, "note", put_note, at);
	line(out, "labels", put_labels, at);
	line(out, "link", put_link, at);
}

static void put_text(const struct fields_at *at, struct buf *out)
{
	const struct message *m = at->message;
	struct fields_at each = *at;

	if (m->kind == MESSAGE_TEST)
		buf_puts(out, "This is a test. Nothing is wrong.\n\n");
	if (m->kind == MESSAGE_SUMMARY)
		buf_puts(out, "So much has changed at once that it is told in one message.\n\n");
	for (size_t i = 0; i < m->count; i++) {
		each.incident = &m->incidents[i];
		if (i > 0)
			buf_putc(out, '\n');
		put_incident_text(&each, out);
	}
	if (m->total > m->count)
		buf_printf(out, "\nAnd %zu more.\n", m->total - m->count);
}

/* --- the table --- */

#define FIELD(name_, type_, place_, help_)                                                         \
	{                                                                                          \
		.name = #name_, .type = FIELD_##type_, .place = FIELD_##place_,                    \
		.put = put_##name_, .help = help_                                                  \
	}

static const struct field FIELDS[] = {
	FIELD(kind, TEXT, ANYWHERE,
	      "what the message says: open, update, repeat, escalate, resolve, summary or test"),
	FIELD(open, FLAG, ANYWHERE, "it is of that kind; so the next six"),
	FIELD(update, FLAG, ANYWHERE, "something has changed"),
	FIELD(repeat, FLAG, ANYWHERE, "nothing has changed, and the trouble lasts"),
	FIELD(escalate, FLAG, ANYWHERE, "nobody has acknowledged it in time"),
	FIELD(resolve, FLAG, ANYWHERE, "all of it is over"),
	FIELD(summary, FLAG, ANYWHERE, "in place of many messages"),
	FIELD(test, FLAG, ANYWHERE, "nothing is wrong, somebody tries it out"),
	FIELD(title, TEXT, ANYWHERE, "the message in one line"),
	FIELD(text, TEXT, ANYWHERE, "the message in several lines"),
	FIELD(sms, TEXT, ANYWHERE, "of an SMS: what fits into one"),
	FIELD(picture, FLAG, ANYWHERE,
	      "of a mail: the picture of the lag goes with it, as cid:lag"),
	FIELD(key, TEXT, ANYWHERE,
	      "of the message; the same when it is sent again, and from every replica"),
	FIELD(thread, TEXT, ANYWHERE, "the same for all messages that are about the same trouble"),
	FIELD(at, TEXT, ANYWHERE, "when it was decided, UTC"),
	FIELD(at_ms, NUMBER, ANYWHERE, "the same as Unix time in milliseconds"),
	FIELD(route, TEXT, ANYWHERE, "the route that led here"),
	FIELD(receiver, TEXT, ANYWHERE, "the receiver's name"),
	FIELD(group_by, TEXT, ANYWHERE, "what its incidents have in common"),
	FIELD(page, TEXT, ANYWHERE, "URL of Warren's page, if configured"),
	FIELD(total, NUMBER, ANYWHERE, "how many incidents it is about"),
	FIELD(more, NUMBER, ANYWHERE, "how many of them are not in the list"),
	FIELD(to, TEXT, ANYWHERE, "of a mail or an SMS: to whom"),
	FIELD(from, TEXT, ANYWHERE, "of a mail or an SMS: from whom"),
	{.name = "incidents",
	 .type = FIELD_LIST,
	 .place = FIELD_ANYWHERE,
	 .list = FIELD_INCIDENTS,
	 .help = "the incidents, worst first; what follows is of one of them, outside of the list "
		 "of the worst"},
	FIELD(id, TEXT, ANYWHERE, "of the incident; the same on every replica"),
	FIELD(version, NUMBER, ANYWHERE, "how often it has changed"),
	FIELD(about, TEXT, ANYWHERE, "group, or blind: nothing is heard of the cluster"),
	FIELD(state, TEXT, ANYWHERE, "open, acknowledged or resolved"),
	FIELD(over, FLAG, ANYWHERE, "it is resolved"),
	FIELD(status, TEXT, ANYWHERE, "WARN or ERR; OK when it is over"),
	FIELD(worst, TEXT, ANYWHERE, "the worst that it was"),
	FIELD(severity, TEXT, ANYWHERE, "critical or warning, by the worst"),
	FIELD(critical, FLAG, ANYWHERE, "the worst was ERR"),
	FIELD(reason, TEXT, ANYWHERE, "the rule that decided"),
	FIELD(sentence, TEXT, ANYWHERE, "why, for a person"),
	FIELD(change, TEXT, ANYWHERE, "what happened to it last: opened, worse, better, ..."),
	FIELD(environment, TEXT, ANYWHERE, "of the cluster"),
	FIELD(cluster, TEXT, ANYWHERE, "its name"),
	FIELD(group, TEXT, ANYWHERE, "the consumer group; empty when it is about a cluster"),
	FIELD(topic, TEXT, ANYWHERE, "of the worst partition"),
	FIELD(partition, NUMBER, ANYWHERE, "the worst partition"),
	FIELD(bad_partitions, NUMBER, ANYWHERE, "partitions in trouble"),
	FIELD(partitions, NUMBER, ANYWHERE, "partitions of the group"),
	FIELD(lag, NUMBER, ANYWHERE, "messages that wait"),
	FIELD(time_lag, TEXT, ANYWHERE, "for how long they do: 3m 20s"),
	FIELD(time_lag_ms, NUMBER, ANYWHERE, "the same in milliseconds"),
	FIELD(margin, TEXT, ANYWHERE, "until waiting messages are deleted: 2h 5m"),
	FIELD(margin_ms, NUMBER, ANYWHERE, "the same in milliseconds"),
	FIELD(lost, NUMBER, ANYWHERE, "messages that were deleted before they were read"),
	FIELD(flapping, FLAG, ANYWHERE, "it goes up and down"),
	FIELD(silenced, FLAG, ANYWHERE, "a silence is in force"),
	FIELD(opened, TEXT, ANYWHERE, "since when, UTC"),
	FIELD(opened_ms, NUMBER, ANYWHERE, "the same as Unix time in milliseconds"),
	FIELD(changed, TEXT, ANYWHERE, "when it changed last, UTC"),
	FIELD(acknowledged, TEXT, ANYWHERE, "when somebody took it, UTC"),
	FIELD(resolved, TEXT, ANYWHERE, "when it ended, UTC"),
	FIELD(duration, TEXT, ANYWHERE, "how long it has lasted: 3m 20s"),
	FIELD(end, TEXT, ANYWHERE,
	      "why it ended: recovered, deleted, expired, maintenance, by_hand"),
	FIELD(by, TEXT, ANYWHERE, "who acknowledged or resolved it"),
	FIELD(note, TEXT, ANYWHERE, "what they said"),
	FIELD(link, TEXT, ANYWHERE, "URL of the incident on Warren's page, if configured"),
	FIELD(first, FLAG, IN_LIST, "it is the first of its list"),
	FIELD(last, FLAG, IN_LIST, "it is the last of its list"),
	{.name = "labels",
	 .type = FIELD_LIST,
	 .place = FIELD_ANYWHERE,
	 .list = FIELD_LABELS,
	 .help = "the group's labels, of the rules file"},
	FIELD(name, TEXT, IN_LABELS, "of the label"),
	FIELD(value, TEXT, IN_LABELS, "of the label"),
};

const struct field *fields_all(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(FIELDS);
	return FIELDS;
}

const struct field *fields_find(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		if (strlen(FIELDS[i].name) == size && memcmp(FIELDS[i].name, name, size) == 0)
			return &FIELDS[i];
	}
	return NULL;
}

const char *fields_label(const struct fields_at *at, const char *name)
{
	const struct message *m = at->message;
	const struct message_incident *i = at->incident;

	if (i == NULL && m->count > 0)
		i = &m->incidents[0];
	for (size_t k = 0; i != NULL && k < i->label_count; k++) {
		if (strcmp(i->labels[k].name, name) == 0)
			return i->labels[k].value;
	}
	return "";
}

const char *fields_extra(const struct fields_at *at, const char *name)
{
	for (size_t k = 0; at->extras != NULL && k < at->extras->count; k++) {
		if (strcmp(at->extras->pairs[k].key, name) == 0)
			return at->extras->pairs[k].value;
	}
	return "";
}
