/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/silence.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "aggregator/alert/zone.h"
#include "common/err.h"
#include "common/glob.h"
#include "common/mem.h"

#define MINUTE_MS 60000
#define KEPT_MS 86400000 /* one that has ended is shown for a day more */

struct one {
	struct silence silence;
	struct zone *zone; /* owned; NULL: it has no window */
	bool on;
};

struct silences {
	struct one **list; /* owned; those of the configuration come first */
	size_t count, fixed;
	bool changed;    /* since the last tick */
	int64_t next_ms; /* of the next tick */
};

/* --- bytes --- */

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

bool silence_unpack(const uint8_t *data, size_t size, struct silence *ret_s)
{
	struct silence s;

	if (size != sizeof(s))
		return false;
	memcpy(&s, data, size);
	bool ok = s.version == SILENCE_VERSION && s.label_count <= SILENCE_LABELS_MAX &&
		  s.status <= STATUS_REWIND && s.reason < REASON_COUNT &&
		  ends(s.environment, sizeof(s.environment)) &&
		  ends(s.cluster, sizeof(s.cluster)) && ends(s.topic, sizeof(s.topic)) &&
		  ends(s.group, sizeof(s.group)) && ends(s.timezone, sizeof(s.timezone)) &&
		  ends(s.by, sizeof(s.by)) && ends(s.note, sizeof(s.note));
	for (size_t i = 0; ok && i < s.label_count; i++)
		ok = ends(s.labels[i].name, sizeof(s.labels[i].name)) &&
		     ends(s.labels[i].value, sizeof(s.labels[i].value));
	if (ok)
		*ret_s = s;
	return ok;
}

/* --- the list --- */

static void free_one(struct one **o)
{
	if (*o != NULL)
		zone_free(&(*o)->zone);
	free(*o);
	*o = NULL;
}

static void clear(struct silences *s)
{
	while (s->count > s->fixed)
		free_one(&s->list[--s->count]);
}

struct silences *silences_new(void)
{
	struct silences *s = mem_zeroed(1, sizeof(*s));

	s->list = mem_zeroed(SILENCES_MAX + SILENCES_FIXED_MAX, sizeof(struct one *));
	s->next_ms = INT64_MAX;
	return s;
}

void silences_free(struct silences **s)
{
	if (*s == NULL)
		return;
	(*s)->fixed = 0;
	clear(*s);
	free((*s)->list);
	free(*s);
	*s = NULL;
}

/* Put it into the list; it is looked at with the next tick. */
static int append(struct silences *s, const struct silence *silence)
{
	struct one *o = NULL;
	struct zone *zone = NULL;

	if (silence->window.days != 0) {
		int err = zone_new(silence->timezone, &zone);
		if (err != ERR_OK)
			return err;
	}
	o = mem_zeroed(1, sizeof(*o));
	o->silence = *silence;
	o->zone = zone;
	s->list[s->count++] = o;
	s->changed = true;
	s->next_ms = 0;
	return ERR_OK;
}

static void take_out(struct silences *s, size_t at)
{
	free_one(&s->list[at]);
	s->list[at] = s->list[--s->count];
	s->changed = true;
	s->next_ms = 0;
}

int silences_fix(struct silences *s, const struct silence *silence)
{
	int err = s->fixed == SILENCES_FIXED_MAX ? ERR_LIMIT : append(s, silence);

	if (err == ERR_OK)
		s->fixed = s->count;
	return err;
}

void silences_load(struct silences *s, struct store_txn *t)
{
	const uint8_t *data = NULL;
	size_t size = 0;
	struct silence one;

	clear(s);
	for (uint64_t id = 0; alert_store_next(t, ALERT_SILENCE, id, &id, &data, &size); id++) {
		if (!silence_unpack(data, size, &one)) {
			t->err = ERR_MALFORMED;
			return;
		}
		/* One whose time zone is gone from this machine is not in force. */
		if (s->count - s->fixed < SILENCES_MAX)
			(void)append(s, &one);
	}
	s->changed = true;
	s->next_ms = 0;
}

int silences_add(struct silences *s, struct store_txn *t, struct silence *silence)
{
	silence->version = SILENCE_VERSION;
	if (getrandom(&silence->id, sizeof(silence->id), 0) != sizeof(silence->id))
		return -errno;
	silence->id |= 1; /* never 0 */
	int err = s->count - s->fixed == SILENCES_MAX ? ERR_LIMIT : append(s, silence);
	if (err == ERR_OK)
		alert_store_put(t, ALERT_SILENCE, silence->id, silence, sizeof(*silence));
	return err;
}

int silences_del(struct silences *s, struct store_txn *t, uint64_t id)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	if (!alert_store_get(t, ALERT_SILENCE, id, &data, &size))
		return ERR_NOT_FOUND;
	alert_store_del(t, ALERT_SILENCE, id);
	for (size_t i = 0; i < s->count; i++) {
		if (s->list[i]->silence.id == id) {
			take_out(s, i);
			break;
		}
	}
	return ERR_OK;
}

/* --- time --- */

int64_t silences_next_ms(const struct silences *s)
{
	return s->next_ms;
}

static bool in_window(const struct zone *z, const struct silence_window *w, int64_t now_ms)
{
	int day = 0;
	int minute = 0;

	zone_local(z, now_ms, &day, &minute);
	bool today = w->days >> day & 1;
	bool yesterday = w->days >> (day + 6) % 7 & 1;

	if (w->from_min == w->to_min)
		return today;
	if (w->from_min < w->to_min)
		return today && minute >= w->from_min && minute < w->to_min;
	return (today && minute >= w->from_min) || (yesterday && minute < w->to_min);
}

static bool is_on(const struct one *o, int64_t now_ms)
{
	const struct silence *s = &o->silence;

	return now_ms >= s->from_ms && now_ms < s->until_ms &&
	       (o->zone == NULL || in_window(o->zone, &s->window, now_ms));
}

/* When it may begin or end next. */
static int64_t next_of(const struct one *o, int64_t now_ms)
{
	const struct silence *s = &o->silence;

	if (now_ms < s->from_ms)
		return s->from_ms;
	if (now_ms >= s->until_ms)
		return s->until_ms + KEPT_MS;
	if (o->zone == NULL)
		return s->until_ms;
	return MIN(s->until_ms, (now_ms / MINUTE_MS + 1) * MINUTE_MS);
}

bool silences_tick(struct silences *s, struct store_txn *t, int64_t now_ms)
{
	bool changed = s->changed;

	s->next_ms = INT64_MAX;
	for (size_t i = 0; i < s->count;) {
		struct one *o = s->list[i];
		bool on = is_on(o, now_ms);

		if (!on && o->silence.until_ms < now_ms - KEPT_MS) {
			alert_store_del(t, ALERT_SILENCE, o->silence.id);
			take_out(s, i);
			s->next_ms = INT64_MAX;
			continue;
		}
		changed |= on != o->on;
		o->on = on;
		i++;
	}
	for (size_t i = 0; i < s->count; i++)
		s->next_ms = MIN(s->next_ms, next_of(s->list[i], now_ms));
	s->changed = false;
	return changed;
}

/* --- matching --- */

static const char *label_of(const struct rules_label *labels, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].value;
	return "";
}

static bool labels_match(const struct silence *s, const struct rules_set *rules,
			 const struct incident *i)
{
	const struct rules_place place = {i->environment, i->cluster, i->group, NULL, -1};
	struct rules_label *labels = NULL;
	bool match = true;

	if (s->label_count == 0)
		return true;
	size_t count = rules == NULL ? 0 : rules_labels(rules, &place, &labels);
	for (size_t k = 0; match && k < s->label_count; k++)
		match = glob_match(s->labels[k].value, label_of(labels, count, s->labels[k].name));
	free(labels);
	return match;
}

static bool matches(const struct silence *s, const struct rules_set *rules,
		    const struct incident *i)
{
	return (s->status == 0 || s->status == i->status) &&
	       (s->reason == 0 || s->reason == i->reason) &&
	       glob_match(s->environment, i->environment) && glob_match(s->cluster, i->cluster) &&
	       (strcmp(s->group, "*") == 0 || glob_match(s->group, i->group)) &&
	       (strcmp(s->topic, "*") == 0 || glob_match(s->topic, i->topic)) &&
	       labels_match(s, rules, i);
}

bool silences_match(const struct silences *s, const struct rules_set *rules,
		    const struct incident *i)
{
	for (size_t k = 0; k < s->count; k++)
		if (s->list[k]->on && matches(&s->list[k]->silence, rules, i))
			return true;
	return false;
}
