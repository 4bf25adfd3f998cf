/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/incident_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "aggregator/judge/view.h"

static void put_str(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_str(j, value);
}

/* "" is null. */
static void put_text(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	if (value[0] != '\0')
		json_str(j, value);
	else
		json_null(j);
}

static void put_int(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

/* Negative is null. */
static void put_known(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	if (value >= 0)
		json_int(j, value);
	else
		json_null(j);
}

static void put_time(struct json *j, const char *key, int64_t at_ms)
{
	put_known(j, key, at_ms == 0 ? VIEW_UNKNOWN : at_ms);
}

static void put_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

static void put_id(struct json *j, uint64_t id)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	put_str(j, "id", text);
}

static void put_figures(struct json *j, const struct incident *i)
{
	put_text(j, "topic", i->topic);
	put_known(j, "partition", i->topic[0] == '\0' ? VIEW_UNKNOWN : i->partition);
	put_int(j, "bad_partitions", i->bad_partitions);
	put_int(j, "partitions", i->partitions);
	put_known(j, "lag", i->lag);
	put_known(j, "time_lag_ms", i->time_lag_ms);
	put_known(j, "margin_ms", i->margin_ms);
	put_int(j, "lost", i->lost);
}

static void put_life(struct json *j, const struct incident *i)
{
	put_bool(j, "flapping", i->flapping);
	put_bool(j, "silenced", i->silenced);
	put_int(j, "opened_ms", i->opened_ms);
	put_int(j, "changed_ms", i->changed_ms);
	put_time(j, "acknowledged_ms", i->acknowledged_ms);
	put_time(j, "resolved_ms", i->resolved_ms);
	put_text(j, "end", incident_end_str(i->end));
	put_text(j, "by", i->by);
	put_text(j, "note", i->note);
}

void incident_json_members(struct json *j, const struct incident *i,
			   const struct rules_label *labels, size_t label_count)
{
	put_id(j, i->id);
	put_int(j, "version", i->version);
	put_str(j, "kind", incident_kind_str(i->kind));
	put_str(j, "state", incident_state_str(i->state));
	put_str(j, "status", status_str((enum status)i->status));
	put_str(j, "worst", status_str((enum status)i->worst));
	put_str(j, "reason", reason_str((enum reason)i->reason));
	put_str(j, "sentence", i->sentence);
	put_str(j, "environment", i->environment);
	put_str(j, "cluster", i->cluster);
	put_text(j, "group", i->group);
	put_figures(j, i);
	put_life(j, i);
	json_key(j, "labels");
	json_begin_object(j);
	for (size_t k = 0; k < label_count; k++) {
		json_name(j, labels[k].name);
		json_str(j, labels[k].value);
	}
	json_end_object(j);
}

void incident_json_step(struct json *j, const struct incident_step *s)
{
	json_begin_object(j);
	put_int(j, "at_ms", s->at_ms);
	put_str(j, "change", incident_change_str(s->change));
	put_str(j, "state", incident_state_str(s->state));
	put_str(j, "status", status_str((enum status)s->status));
	put_str(j, "reason", reason_str((enum reason)s->reason));
	put_str(j, "text", s->text);
	put_text(j, "by", s->by);
	json_end_object(j);
}

static void put_window(struct json *j, const struct silence *s)
{
	static const char *const DAYS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	const struct silence_window *w = &s->window;
	char text[16] = "";

	json_key(j, "days");
	json_begin_array(j);
	for (size_t i = 0; i < ARRAY_LEN(DAYS); i++)
		if (w->days >> i & 1)
			json_str(j, DAYS[i]);
	json_end_array(j);
	if (w->days != 0)
		snprintf(text, sizeof(text), "%02u:%02u", w->from_min / 60u, w->from_min % 60u);
	put_text(j, "from", text);
	if (w->days != 0)
		snprintf(text, sizeof(text), "%02u:%02u", w->to_min / 60u, w->to_min % 60u);
	put_text(j, "to", text);
	put_text(j, "timezone", s->timezone);
}

void incident_json_silence(struct json *j, const struct silence *s)
{
	json_begin_object(j);
	put_id(j, s->id);
	put_str(j, "environment", s->environment);
	put_str(j, "cluster", s->cluster);
	put_str(j, "group", s->group);
	put_str(j, "topic", s->topic);
	put_text(j, "status", s->status == 0 ? "" : status_str((enum status)s->status));
	put_text(j, "reason", s->reason == 0 ? "" : reason_str((enum reason)s->reason));
	json_key(j, "labels");
	json_begin_object(j);
	for (size_t i = 0; i < s->label_count; i++) {
		json_name(j, s->labels[i].name);
		json_str(j, s->labels[i].value);
	}
	json_end_object(j);
	put_int(j, "from_ms", s->from_ms);
	put_known(j, "until_ms", s->until_ms == INT64_MAX ? VIEW_UNKNOWN : s->until_ms);
	put_window(j, s);
	put_str(j, "by", s->by);
	put_str(j, "note", s->note);
	put_int(j, "created_ms", s->created_ms);
	json_end_object(j);
}
