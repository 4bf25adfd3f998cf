/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/silence_in.h"

#include <stdio.h>
#include <string.h>

#include "aggregator/alert/zone.h"
#include "aggregator/serve/json_in.h"
#include "common/clock.h"
#include "common/err.h"

#define FOR_MAX_S (10 * 365 * 86400LL)

struct reading {
	struct silence *s;
	struct buf *why;
	int64_t now_ms;
};

static int refuse(struct reading *r, const char *name, const char *expected)
{
	if (r->why->size == 0)
		buf_printf(r->why, "%s must be %s", name, expected);
	return ERR_MALFORMED;
}

static int take_text(struct reading *r, const struct json_in_value *v, char *to, size_t size)
{
	if (v->text == NULL || strlen(v->text) >= size)
		return refuse(r, v->name, "a text, and not so long");
	memcpy(to, v->text, strlen(v->text) + 1);
	return ERR_OK;
}

/* --- members --- */

static int take_status(struct reading *r, const struct json_in_value *v)
{
	if (v->text != NULL && strcmp(v->text, "WARN") == 0)
		r->s->status = STATUS_WARN;
	else if (v->text != NULL && strcmp(v->text, "ERR") == 0)
		r->s->status = STATUS_ERR;
	else
		return refuse(r, "status", "WARN or ERR");
	return ERR_OK;
}

static int take_reason(struct reading *r, const struct json_in_value *v)
{
	for (unsigned i = 1; v->text != NULL && i < REASON_COUNT; i++) {
		if (strcmp(v->text, reason_str((enum reason)i)) == 0) {
			r->s->reason = (uint8_t)i;
			return ERR_OK;
		}
	}
	return refuse(r, "reason", "one of the reasons of groups");
}

static int take_time(struct reading *r, const struct json_in_value *v)
{
	bool is_for = strcmp(v->name, "for_s") == 0;

	if (v->whole == NULL || *v->whole < 0 || *v->whole > INT64_MAX / 4 ||
	    (is_for && *v->whole > FOR_MAX_S))
		return refuse(r, v->name, is_for ? "seconds, and not so many" : "Unix time in ms");
	if (strcmp(v->name, "from_ms") == 0)
		r->s->from_ms = *v->whole;
	else
		r->s->until_ms = is_for ? r->now_ms + *v->whole * 1000 : *v->whole;
	return ERR_OK;
}

static int take_label(struct reading *r, const struct json_in_value *v)
{
	struct silence_label *l = &r->s->labels[r->s->label_count];

	if (r->s->label_count == SILENCE_LABELS_MAX || v->text == NULL || v->name[0] == '\0' ||
	    strlen(v->name) >= sizeof(l->name) || strlen(v->text) >= sizeof(l->value))
		return refuse(r, "labels", "up to 8 names and globs of their values");
	memcpy(l->name, v->name, strlen(v->name) + 1);
	memcpy(l->value, v->text, strlen(v->text) + 1);
	r->s->label_count++;
	return ERR_OK;
}

/* --- the window, whose days stand beside it: JSON of two levels --- */

static int take_day(struct reading *r, const struct json_in_value *v)
{
	static const char *const DAYS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (unsigned i = 0; v->text != NULL && i < ARRAY_LEN(DAYS); i++) {
		if (strcmp(v->text, DAYS[i]) == 0) {
			r->s->window.days |= (uint8_t)(1u << i);
			return ERR_OK;
		}
	}
	return refuse(r, "days", "some of mon, tue, wed, thu, fri, sat, sun");
}

static int take_clock(struct reading *r, const struct json_in_value *v)
{
	unsigned hour = 0;
	unsigned minute = 0;
	int end = 0;

	if (v->text == NULL || strlen(v->text) != 5 || strspn(v->text, "0123456789:") != 5 ||
	    sscanf(v->text, "%2u:%2u%n", &hour, &minute, &end) != 2 || end != 5 || hour > 23 ||
	    minute > 59)
		return refuse(r, v->name, "a time such as 22:30");
	uint16_t *to = strcmp(v->name, "from") == 0 ? &r->s->window.from_min : &r->s->window.to_min;
	*to = (uint16_t)(hour * 60 + minute);
	return ERR_OK;
}

static int take_zone(struct reading *r, const struct json_in_value *v)
{
	struct zone *zone = NULL;

	if (v->text == NULL || strlen(v->text) >= sizeof(r->s->timezone) ||
	    zone_new(v->text, &zone) != ERR_OK)
		return refuse(r, "timezone", "one that this machine knows, such as Europe/Berlin");
	zone_free(&zone);
	memcpy(r->s->timezone, v->text, strlen(v->text) + 1);
	return ERR_OK;
}

/* --- the whole --- */

static int on_value(void *arg, const struct json_in_value *v)
{
	struct reading *r = arg;
	struct silence *s = r->s;
	const struct {
		const char *name;
		char *to;
		size_t size;
	} texts[] = {
		{"environment", s->environment, sizeof(s->environment)},
		{"cluster", s->cluster, sizeof(s->cluster)},
		{"group", s->group, sizeof(s->group)},
		{"topic", s->topic, sizeof(s->topic)},
		{"note", s->note, sizeof(s->note)},
	};
	static const struct {
		const char *parent, *name; /* name "": any */
		int (*take)(struct reading *r, const struct json_in_value *v);
	} OTHERS[] = {
		{NULL, "status", take_status}, {NULL, "reason", take_reason},
		{NULL, "from_ms", take_time},  {NULL, "until_ms", take_time},
		{NULL, "for_s", take_time},    {"labels", "", take_label},
		{"days", "", take_day},        {NULL, "from", take_clock},
		{NULL, "to", take_clock},      {NULL, "timezone", take_zone},
	};

	for (size_t i = 0; v->parent == NULL && i < ARRAY_LEN(texts); i++)
		if (strcmp(v->name, texts[i].name) == 0)
			return take_text(r, v, texts[i].to, texts[i].size);
	for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++) {
		const char *parent = OTHERS[i].parent;

		if (parent == NULL ? v->parent == NULL && strcmp(v->name, OTHERS[i].name) == 0
				   : v->parent != NULL && strcmp(v->parent, parent) == 0)
			return OTHERS[i].take(r, v);
	}
	return refuse(r, v->parent != NULL ? v->parent : v->name, "left out: there is no such");
}

bool silence_in_may(const struct access *who, const struct silence *s)
{
	return access_names(who, s->environment, s->cluster);
}

static int check(struct reading *r, const struct access *who)
{
	struct silence *s = r->s;
	bool window = s->window.days != 0 || s->timezone[0] != '\0' || s->window.from_min != 0 ||
		      s->window.to_min != 0;

	if (window && (s->window.days == 0 || s->timezone[0] == '\0'))
		return refuse(r, "a window", "given by days, from, to and timezone");
	if (s->until_ms == 0 && window)
		s->until_ms = INT64_MAX;
	if (s->until_ms <= s->from_ms || s->until_ms <= r->now_ms)
		return refuse(r, "until_ms or for_s", "given, and its end in the future");
	if (!silence_in_may(who, s))
		return refuse(r, "environment and cluster",
			      "given without wildcards, of a cluster that you see");
	return ERR_OK;
}

int silence_in(const struct access *who, const char *data, size_t size, struct buf *why,
	       struct silence *ret_s)
{
	struct reading r = {.s = ret_s, .why = why, .now_ms = clock_wall_ms()};

	*ret_s = (struct silence){.from_ms = r.now_ms};
	snprintf(ret_s->environment, sizeof(ret_s->environment), "*");
	snprintf(ret_s->cluster, sizeof(ret_s->cluster), "*");
	snprintf(ret_s->group, sizeof(ret_s->group), "*");
	snprintf(ret_s->topic, sizeof(ret_s->topic), "*");
	snprintf(ret_s->by, sizeof(ret_s->by), "%.63s",
		 who->name[0] != '\0' ? who->name : "anonymous");
	int err = json_in_each(data, size, on_value, &r);
	if (err == ERR_OK)
		err = check(&r, who);
	if (err != ERR_OK && why->size == 0)
		buf_puts(why, "the body must be an object that describes a silence");
	return err == ERR_OK ? ERR_OK : ERR_MALFORMED;
}
