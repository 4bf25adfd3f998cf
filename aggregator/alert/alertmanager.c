/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/alertmanager.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "aggregator/alert/escape.h"
#include "aggregator/alert/fields.h"
#include "common/err.h"
#include "common/json.h"

/* Our own labels, which one of the rules file cannot take the place of. */
static const char *const OWN[] = {"alertname", "environment", "cluster", "group", "severity"};

/* [a-zA-Z_][a-zA-Z0-9_]* is all that may be the name of a label. */
static void put_label_name(struct json *j, const char *name)
{
	char plain[128];
	size_t n = 0;

	if (isdigit((unsigned char)name[0]))
		plain[n++] = '_';
	for (; *name != '\0' && n < sizeof(plain) - 1; name++) {
		bool good = isascii((unsigned char)*name) && isalnum((unsigned char)*name);

		plain[n++] = *name;
		if (!good)
			plain[n - 1] = '_';
	}
	plain[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(OWN); i++) {
		if (strcmp(plain, OWN[i]) == 0 && n < sizeof(plain) - 1)
			memcpy(plain + n, "_", 2);
	}
	json_name(j, plain);
}

static void put_labels(struct json *j, const struct message_incident *i, const char *severity,
		       bool test)
{
	json_key(j, "labels");
	json_begin_object(j);
	json_key(j, "alertname");
	json_str(j, test                                 ? "WarrenTest"
		    : i->incident.kind == INCIDENT_BLIND ? "WarrenClusterBlind"
							 : "WarrenConsumerGroup");
	json_key(j, "environment");
	json_str(j, i->incident.environment);
	json_key(j, "cluster");
	json_str(j, i->incident.cluster);
	json_key(j, "group");
	json_str(j, i->incident.group);
	json_key(j, "severity");
	json_str(j, severity);
	for (size_t k = 0; k < i->label_count; k++) {
		if (i->labels[k].name[0] == '\0')
			continue;
		put_label_name(j, i->labels[k].name);
		json_str(j, i->labels[k].value);
	}
	json_end_object(j);
}

/* The value of a field of the table, as a string, if there is one. */
static void put_field(struct json *j, const struct fields_at *at, const char *key,
		      const char *field)
{
	CLEANUP(buf_free) struct buf value = {0};

	fields_find(field, strlen(field))->put(at, &value);
	if (value.err != ERR_OK || value.size == 0)
		return;
	json_name(j, key);
	json_text(j, value.data, value.size);
}

static void put_annotations(struct json *j, const struct fields_at *at)
{
	static const char *const FIELDS[] = {"status", "reason",   "topic", "partition",
					     "lag",    "time_lag", "note",  "id"};

	json_key(j, "annotations");
	json_begin_object(j);
	put_field(j, at, "summary", "title");
	put_field(j, at, "description", "sentence");
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		put_field(j, at, FIELDS[i], FIELDS[i]);
	json_end_object(j);
}

static void put_time(struct json *j, const char *key, int64_t at_ms)
{
	struct message m = {.at_ms = at_ms};
	const struct fields_at at = {.message = &m};

	put_field(j, &at, key, "at");
}

static void put_alert(struct json *j, const struct message *m, const struct message_incident *i,
		      const char *severity, int64_t end_ms)
{
	/* Of this incident alone, so that the summary is of it. */
	struct message_incident one = *i;
	const struct message alone = {
		.kind = MESSAGE_UPDATE,
		.at_ms = m->at_ms,
		.group_by = m->group_by,
		.url = m->url,
		.incidents = &one,
		.count = 1,
		.total = 1,
	};
	const struct fields_at at = {.message = &alone, .incident = &one, .to = "", .from = ""};

	json_begin_object(j);
	put_labels(j, i, severity, m->kind == MESSAGE_TEST);
	put_annotations(j, &at);
	put_time(j, "startsAt", i->incident.opened_ms);
	put_time(j, "endsAt", MAX(end_ms, i->incident.opened_ms));
	put_field(j, &at, "generatorURL", "link");
	json_end_object(j);
}

static void put_incident(struct json *j, const struct message *m, const struct message_incident *i,
			 int64_t now_ms)
{
	const struct incident *is = &i->incident;
	const bool over = is->state == INCIDENT_RESOLVED;
	const bool critical = is->worst > STATUS_WARN;

	put_alert(j, m, i, critical ? "critical" : "warning",
		  over ? MIN(is->resolved_ms, now_ms) : now_ms + ALERTMANAGER_LASTS_MS);
	/* An alert is known by its labels: with another severity it is another, and the one there
	 * was would go on beside it. */
	if (critical && is->change == INCIDENT_WORSE && m->kind != MESSAGE_REPEAT)
		put_alert(j, m, i, "warning", MIN(is->changed_ms, now_ms));
}

void alertmanager_put(struct buf *out, const struct message *m, int64_t now_ms)
{
	struct json j = {.out = out};

	json_begin_array(&j);
	for (size_t i = 0; i < m->count; i++)
		put_incident(&j, m, &m->incidents[i], now_ms);
	json_end_array(&j);
}
