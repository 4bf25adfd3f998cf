/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/example.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE ((int64_t)60000)

static void set(char *field, size_t size, const char *text)
{
	snprintf(field, size, "%s", text);
}

static void fill(struct incident *i, const char *group, enum status status, int64_t now_ms)
{
	*i = (struct incident){
		.id = 0x5eed000000000001u + (uint64_t)status,
		.version = 1,
		.kind = INCIDENT_GROUP,
		.state = INCIDENT_OPEN,
		.change = INCIDENT_OPENED,
		.status = (uint8_t)status,
		.worst = (uint8_t)status,
		.reason = REASON_NO_PROGRESS,
		.opened_ms = now_ms - 4 * MINUTE,
		.changed_ms = now_ms,
		.status_since_ms = now_ms - 4 * MINUTE,
		.partition = 3,
		.bad_partitions = 2,
		.partitions = 12,
		.lag = 4711,
		.time_lag_ms = 4 * MINUTE,
		.margin_ms = 90 * MINUTE,
	};
	set(i->environment, sizeof(i->environment), "EXAMPLE");
	set(i->cluster, sizeof(i->cluster), "orders");
	set(i->topic, sizeof(i->topic), "orders-in");
	set(i->group, sizeof(i->group), group);
	set(i->sentence, sizeof(i->sentence),
	    "An example: 2 of 12 partitions make no progress; 4,711 messages wait, the oldest for "
	    "4 minutes.");
}

static void end(struct incident *i, int64_t now_ms)
{
	i->state = INCIDENT_RESOLVED;
	i->end = INCIDENT_RECOVERED;
	i->change = INCIDENT_WAS_RESOLVED;
	i->status = STATUS_OK;
	i->version++;
	i->resolved_ms = now_ms;
}

/* A message with room for count incidents. */
static struct message *new_message(size_t count, const char *receiver, const char *route,
				   const char *page, int64_t now_ms)
{
	CLEANUP(message_free) struct message *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	*m = (struct message){
		.kind = MESSAGE_TEST,
		.at_ms = now_ms,
		.receiver = strdup(receiver),
		.route = strdup(route),
		.group_by = strdup("environment=EXAMPLE"),
		.url = strdup(page),
		.incidents = calloc(count, sizeof(*m->incidents)),
	};
	if (m->receiver == NULL || m->route == NULL || m->group_by == NULL || m->url == NULL ||
	    m->incidents == NULL)
		return NULL;
	m->count = count;
	m->total = count;
	struct message *whole = m;
	m = NULL;
	return whole;
}

bool example_label(struct message *m, size_t index, const char *name, const char *value)
{
	struct message_incident *i = &m->incidents[index];

	if (i->label_count == MESSAGE_LABELS_MAX)
		return false;
	struct message_label *l = &i->labels[i->label_count];
	l->name = strdup(name);
	l->value = strdup(value);
	i->label_count++;
	return l->name != NULL && l->value != NULL;
}

struct message *example_message(const char *receiver, const char *route, const char *page,
				enum message_kind kind, int64_t now_ms)
{
	static const char *const GROUPS[] = {"payments", "audit \"<&>\" \xc3\xa4"};
	static const enum status STATUSES[] = {STATUS_ERR, STATUS_WARN};
	struct message *m = new_message(ARRAY_LEN(GROUPS), receiver, route, page, now_ms);
	bool ok = m != NULL;

	for (size_t i = 0; ok && i < ARRAY_LEN(GROUPS); i++) {
		fill(&m->incidents[i].incident, GROUPS[i], STATUSES[i], now_ms);
		if (kind == MESSAGE_RESOLVE)
			end(&m->incidents[i].incident, now_ms);
		ok = example_label(m, i, "team", "shop") &&
		     example_label(m, i, "runbook", "https://wiki.example/lag?a=1&b=2");
	}
	if (!ok) {
		message_free(&m);
		return NULL;
	}
	m->kind = kind;
	m->thread = (uint64_t)now_ms;
	m->key = (uint64_t)now_ms * 16 + kind;
	return m;
}

struct message *example_of(const struct incident *i, const char *receiver, const char *page,
			   int64_t now_ms)
{
	CLEANUP(buf_free) struct buf by = {0};
	struct message *m = new_message(1, receiver, "", page, now_ms);

	if (m == NULL)
		return NULL;
	buf_printf(&by, "environment=%s cluster=%s", i->environment, i->cluster);
	free(m->group_by);
	m->group_by = strdup(buf_str(&by));
	if (m->group_by == NULL) {
		message_free(&m);
		return NULL;
	}
	m->incidents[0].incident = *i;
	m->kind = i->state == INCIDENT_RESOLVED ? MESSAGE_RESOLVE : MESSAGE_OPEN;
	m->thread = i->id;
	m->key = i->id ^ (uint64_t)now_ms;
	return m;
}

/* --- messages that are hard to say --- */

#define HARD_AT_MS INT64_C(1700000000000)

enum hard { HARD_OPEN, HARD_END, HARD_TEST, HARD_SUMMARY, HARD_TEXTS, HARD_TEXTS_END, HARD_BLIND };

static const char ODD[] =
	"\"quo'ted\" \\ <b>&amp; {{x}}\r\n\t\x01\x7f \xff \xc3\xa4 \xf0\x9f\x94\xa5 %s%";

/* Every text is odd. */
static struct message *odd_message(enum message_kind kind)
{
	struct incident i;

	fill(&i, ODD, STATUS_ERR, HARD_AT_MS);
	if (kind == MESSAGE_RESOLVE)
		end(&i, HARD_AT_MS);
	set(i.environment, sizeof(i.environment), ODD);
	set(i.cluster, sizeof(i.cluster), ODD);
	set(i.topic, sizeof(i.topic), ODD);
	set(i.sentence, sizeof(i.sentence), ODD);
	set(i.by, sizeof(i.by), ODD);
	set(i.note, sizeof(i.note), ODD);
	struct message *m = example_of(&i, "r", "https://warren.example/", HARD_AT_MS);
	if (m == NULL)
		return NULL;
	m->kind = kind;
	if (!example_label(m, 0, ODD, ODD))
		message_free(&m);
	return m;
}

/* Nothing is known but that it is so; and there is no page. */
static struct message *blind_message(void)
{
	const struct incident i = {
		.id = 1,
		.kind = INCIDENT_BLIND,
		.state = INCIDENT_OPEN,
		.status = STATUS_ERR,
		.worst = STATUS_ERR,
		.partition = -1,
		.lag = -1,
		.time_lag_ms = -1,
		.margin_ms = -1,
		.lost = -1,
	};

	return example_of(&i, "r", "", HARD_AT_MS);
}

struct message *example_hard(size_t n)
{
	static const enum message_kind KINDS[] = {
		[HARD_OPEN] = MESSAGE_OPEN,
		[HARD_END] = MESSAGE_RESOLVE,
		[HARD_TEST] = MESSAGE_TEST,
		[HARD_SUMMARY] = MESSAGE_SUMMARY,
	};

	if (n == HARD_BLIND)
		return blind_message();
	if (n == HARD_TEXTS || n == HARD_TEXTS_END)
		return odd_message(n == HARD_TEXTS ? MESSAGE_OPEN : MESSAGE_RESOLVE);
	struct message *m =
		example_message("r", "1", "https://warren.example/", KINDS[n], HARD_AT_MS);
	if (m != NULL && n == HARD_SUMMARY)
		m->total += 100;
	return m;
}

const char *example_hard_name(size_t n)
{
	static const char *const NAMES[EXAMPLES] = {
		[HARD_OPEN] = "when incidents open",
		[HARD_END] = "when incidents end",
		[HARD_TEST] = "of a test",
		[HARD_SUMMARY] = "of a summary",
		[HARD_TEXTS] = "with quotes and line ends in every text",
		[HARD_TEXTS_END] = "with quotes and line ends in every text, at the end",
		[HARD_BLIND] = "of a cluster that is blind, without labels and a page",
	};

	return NAMES[n];
}
