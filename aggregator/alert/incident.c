/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/incident.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* --- words --- */

const char *incident_kind_str(unsigned kind)
{
	return kind == INCIDENT_BLIND ? "blind" : "group";
}

const char *incident_state_str(unsigned state)
{
	static const char *const WORDS[] = {
		[INCIDENT_OPEN] = "open",
		[INCIDENT_ACKNOWLEDGED] = "acknowledged",
		[INCIDENT_RESOLVED] = "resolved",
	};

	return state < ARRAY_LEN(WORDS) && WORDS[state] != NULL ? WORDS[state] : "";
}

const char *incident_end_str(unsigned end)
{
	static const char *const WORDS[] = {
		[INCIDENT_RECOVERED] = "recovered", [INCIDENT_DELETED] = "deleted",
		[INCIDENT_EXPIRED] = "expired",     [INCIDENT_MAINTENANCE] = "maintenance",
		[INCIDENT_BY_HAND] = "by_hand",
	};

	return end < ARRAY_LEN(WORDS) && WORDS[end] != NULL ? WORDS[end] : "";
}

const char *incident_change_str(unsigned change)
{
	static const char *const WORDS[] = {
		[INCIDENT_NONE] = "none",
		[INCIDENT_OPENED] = "opened",
		[INCIDENT_WORSE] = "worse",
		[INCIDENT_BETTER] = "better",
		[INCIDENT_OTHER_REASON] = "other_reason",
		[INCIDENT_FLAPS] = "flaps",
		[INCIDENT_WAS_ACKNOWLEDGED] = "acknowledged",
		[INCIDENT_WAS_RESOLVED] = "resolved",
		[INCIDENT_WAS_SILENCED] = "silenced",
		[INCIDENT_SILENCE_ENDED] = "silence_ended",
	};

	return change < ARRAY_LEN(WORDS) ? WORDS[change] : "none";
}

/* --- parts of a step --- */

/* Copy what fits of a text, never half a character. */
static void copy(char *to, size_t size, const char *text)
{
	size_t end = strnlen(text, size);

	if (end == size)
		for (end--; end > 0 && ((uint8_t)text[end] & 0xC0) == 0x80;)
			end--;
	memset(to, 0, size);
	memcpy(to, text, end);
}

/* The same on every aggregator that sees the same passes. */
static uint64_t make_id(const struct incident *i)
{
	char text[2 * INCIDENT_CLUSTER_MAX + INCIDENT_GROUP_MAX + 32];
	size_t size =
		(size_t)snprintf(text, sizeof(text), "%s\n%s\n%s\n%u\n%lld", i->environment,
				 i->cluster, i->group, (unsigned)i->kind, (long long)i->opened_ms);
	uint64_t id = XXH3_64bits(text, MIN(size, sizeof(text)));

	return id == 0 ? 1 : id;
}

static enum incident_change change(struct incident *i, enum incident_change what, int64_t at_ms)
{
	i->version++;
	i->change = (uint8_t)what;
	i->changed_ms = at_ms;
	return what;
}

static void note_up(struct incident *i, int64_t at_ms)
{
	i->flaps_ms[i->flap_count++ % ARRAY_LEN(i->flaps_ms)] = at_ms;
}

static bool flaps(const struct incident *i, int64_t at_ms)
{
	unsigned ups = 0;

	for (size_t k = 0; k < MIN((size_t)i->flap_count, ARRAY_LEN(i->flaps_ms)); k++)
		ups += at_ms - i->flaps_ms[k] < INCIDENT_FLAPS_MS;
	return ups >= INCIDENT_FLAPS_MIN;
}

/* What is told of it is what it was when it last changed. */
static void take_figures(struct incident *i, const struct incident_sight *s)
{
	i->partition = s->partition;
	i->bad_partitions = s->bad_partitions;
	i->partitions = s->partitions;
	i->lag = s->lag;
	i->time_lag_ms = s->time_lag_ms;
	i->margin_ms = s->margin_ms;
	i->lost = s->lost;
	copy(i->topic, sizeof(i->topic), s->topic);
	copy(i->sentence, sizeof(i->sentence), s->sentence);
}

static void take_reason(struct incident *i, enum reason r)
{
	i->reason = (uint8_t)r;
	i->next_reason = (uint8_t)r;
	i->next_reason_ms = 0;
}

static void take_status(struct incident *i, const struct incident_sight *s)
{
	i->status = (uint8_t)s->status;
	i->worst = MAX(i->worst, i->status);
	i->status_since_ms = s->since_ms;
	if (s->status != STATUS_OK)
		take_reason(i, s->reason);
}

static bool is_over(const struct incident *i)
{
	return i->state == INCIDENT_RESOLVED;
}

/* --- opening --- */

bool incident_is_new(const struct incident *last, enum status seen)
{
	if (seen <= STATUS_OK)
		return false;
	return last == NULL || (is_over(last) && (last->held == 0 || seen > last->status));
}

void incident_open(const struct incident_sight *s, const struct incident *last,
		   struct incident *ret_i)
{
	struct incident *i = ret_i;

	*i = (struct incident){
		.cluster_id = s->cluster_id,
		.group_id = s->group_id,
		.kind = s->group_id == 0 ? INCIDENT_BLIND : INCIDENT_GROUP,
		.state = INCIDENT_OPEN,
		.opened_ms = s->since_ms,
	};
	if (last != NULL) {
		memcpy(i->flaps_ms, last->flaps_ms, sizeof(i->flaps_ms));
		i->flap_count = last->flap_count;
	}
	copy(i->environment, sizeof(i->environment), s->environment);
	copy(i->cluster, sizeof(i->cluster), s->cluster);
	copy(i->group, sizeof(i->group), s->group);
	i->id = make_id(i);
	take_status(i, s);
	take_figures(i, s);
	note_up(i, s->since_ms);
	i->flapping = flaps(i, s->since_ms);
	change(i, INCIDENT_OPENED, s->at_ms);
}

/* --- a pass --- */

static int64_t last_up_ms(const struct incident *i)
{
	return i->flap_count == 0 ? i->opened_ms
				  : i->flaps_ms[(i->flap_count - 1) % ARRAY_LEN(i->flaps_ms)];
}

static enum incident_change see_well(struct incident *i, const struct incident_sight *s)
{
	if (!i->flapping)
		return incident_end(i, INCIDENT_RECOVERED, "", "", s->at_ms);
	if (i->status != STATUS_OK)
		take_status(i, s);
	if (s->at_ms - i->status_since_ms >= INCIDENT_CALM_MS)
		return incident_end(i, INCIDENT_RECOVERED, "", "", s->at_ms);
	return INCIDENT_NONE;
}

static enum incident_change see_worse(struct incident *i, const struct incident_sight *s)
{
	bool ever = s->status > i->worst;
	bool flapped = i->flapping;

	note_up(i, s->since_ms);
	i->flapping = i->flapping || flaps(i, s->since_ms);
	take_status(i, s);
	if (flapped && !ever)
		return INCIDENT_NONE;
	take_figures(i, s);
	return change(i, i->flapping && !flapped ? INCIDENT_FLAPS : INCIDENT_WORSE, s->at_ms);
}

static enum incident_change see_better(struct incident *i, const struct incident_sight *s)
{
	take_status(i, s);
	if (i->flapping)
		return INCIDENT_NONE;
	take_figures(i, s);
	return change(i, INCIDENT_BETTER, s->at_ms);
}

static enum incident_change see_same(struct incident *i, const struct incident_sight *s)
{
	/* It is in trouble all the time: that is no flapping any more. */
	if (i->flapping && s->at_ms - MAX(i->status_since_ms, last_up_ms(i)) >= INCIDENT_CALM_MS)
		i->flapping = 0;
	if (s->reason == i->reason) {
		take_reason(i, s->reason);
		return INCIDENT_NONE;
	}
	if (s->reason != i->next_reason) {
		i->next_reason = (uint8_t)s->reason;
		i->next_reason_ms = s->at_ms;
		return INCIDENT_NONE;
	}
	if (s->at_ms - i->next_reason_ms < INCIDENT_REASON_MS || i->flapping)
		return INCIDENT_NONE;
	take_reason(i, s->reason);
	take_figures(i, s);
	return change(i, INCIDENT_OTHER_REASON, s->at_ms);
}

enum incident_change incident_see(struct incident *i, const struct incident_sight *s)
{
	if (is_over(i)) {
		if (s->status <= STATUS_OK)
			i->held = 0;
		return INCIDENT_NONE;
	}
	if (s->status <= STATUS_OK)
		return see_well(i, s);
	if (s->status > i->status)
		return see_worse(i, s);
	if (s->status < i->status)
		return see_better(i, s);
	return see_same(i, s);
}

int64_t incident_next_ms(const struct incident *i)
{
	int64_t next_ms = INT64_MAX;

	if (is_over(i))
		return i->held ? INT64_MAX : i->resolved_ms + INCIDENT_FLAPS_MS;
	if (i->flapping)
		next_ms = MAX(i->status_since_ms, last_up_ms(i)) + INCIDENT_CALM_MS;
	if (i->status == STATUS_OK)
		next_ms = i->status_since_ms + INCIDENT_CALM_MS;
	else if (i->next_reason != i->reason && !i->flapping)
		next_ms = MIN(next_ms, i->next_reason_ms + INCIDENT_REASON_MS);
	return next_ms;
}

bool incident_is_past(const struct incident *i, int64_t at_ms)
{
	return is_over(i) && !i->held && at_ms - i->resolved_ms >= INCIDENT_FLAPS_MS;
}

/* --- by hand --- */

enum incident_change incident_acknowledge(struct incident *i, const char *by, const char *note,
					  int64_t at_ms)
{
	if (i->state != INCIDENT_OPEN)
		return INCIDENT_NONE;
	i->state = INCIDENT_ACKNOWLEDGED;
	i->acknowledged_ms = at_ms;
	copy(i->by, sizeof(i->by), by);
	copy(i->note, sizeof(i->note), note);
	return change(i, INCIDENT_WAS_ACKNOWLEDGED, at_ms);
}

enum incident_change incident_end(struct incident *i, enum incident_end why, const char *by,
				  const char *note, int64_t at_ms)
{
	if (is_over(i))
		return INCIDENT_NONE;
	i->state = INCIDENT_RESOLVED;
	i->end = (uint8_t)why;
	i->resolved_ms = at_ms;
	i->flapping = 0;
	i->held = why == INCIDENT_BY_HAND && i->status != STATUS_OK;
	if (why == INCIDENT_BY_HAND) {
		copy(i->by, sizeof(i->by), by);
		copy(i->note, sizeof(i->note), note);
	}
	if (why == INCIDENT_RECOVERED)
		i->status = STATUS_OK;
	return change(i, INCIDENT_WAS_RESOLVED, at_ms);
}

enum incident_change incident_silence(struct incident *i, bool silenced, int64_t at_ms)
{
	if (is_over(i) || silenced == (i->silenced != 0))
		return INCIDENT_NONE;
	i->silenced = silenced;
	return change(i, silenced ? INCIDENT_WAS_SILENCED : INCIDENT_SILENCE_ENDED, at_ms);
}

/* --- bytes --- */

/*
 * A version, then the numbers of the struct as they are, then the texts, each with its NUL.
 */
#define BYTES_VERSION 1
#define NUMBERS offsetof(struct incident, environment)

struct text {
	size_t at, size;
};

#define TEXT(type, field)                                                                          \
	{                                                                                          \
		offsetof(struct type, field), sizeof(((struct type *)0)->field)                    \
	}

static const struct text INCIDENT_TEXTS[] = {
	TEXT(incident, environment), TEXT(incident, cluster), TEXT(incident, topic),
	TEXT(incident, by),          TEXT(incident, note),    TEXT(incident, sentence),
	TEXT(incident, group),
};

static const struct text STEP_TEXTS[] = {
	TEXT(incident_step, by),
	TEXT(incident_step, text),
};

static size_t put_texts(uint8_t *out, const void *from, const struct text *texts, size_t count)
{
	size_t used = 0;

	for (size_t k = 0; k < count; k++) {
		const char *text = (const char *)from + texts[k].at;
		size_t size = strlen(text) + 1;

		memcpy(out + used, text, size);
		used += size;
	}
	return used;
}

/* All of the size bytes are texts that fit. */
static bool get_texts(const uint8_t *data, size_t size, void *to, const struct text *texts,
		      size_t count)
{
	for (size_t k = 0; k < count; k++) {
		size_t length = strnlen((const char *)data, size);

		if (length == size || length >= texts[k].size)
			return false;
		memcpy((char *)to + texts[k].at, data, length + 1);
		data += length + 1;
		size -= length + 1;
	}
	return size == 0;
}

_Static_assert(INCIDENT_BYTES_MAX >= 1 + NUMBERS + 2 * INCIDENT_CLUSTER_MAX + INCIDENT_TOPIC_MAX +
					     INCIDENT_BY_MAX + 2 * INCIDENT_TEXT_MAX +
					     INCIDENT_GROUP_MAX,
	       "packed is no longer");

size_t incident_pack(const struct incident *i, uint8_t out[static INCIDENT_BYTES_MAX])
{
	out[0] = BYTES_VERSION;
	memcpy(out + 1, i, NUMBERS);
	return 1 + NUMBERS +
	       put_texts(out + 1 + NUMBERS, i, INCIDENT_TEXTS, ARRAY_LEN(INCIDENT_TEXTS));
}

static bool words_ok(const struct incident *i)
{
	return (i->kind == INCIDENT_GROUP || i->kind == INCIDENT_BLIND) &&
	       i->state >= INCIDENT_OPEN && i->state <= INCIDENT_RESOLVED &&
	       i->end <= INCIDENT_BY_HAND && i->change <= INCIDENT_SILENCE_ENDED &&
	       i->status <= STATUS_REWIND && i->worst <= STATUS_REWIND && i->reason < REASON_COUNT;
}

bool incident_unpack(const uint8_t *data, size_t size, struct incident *ret_i)
{
	struct incident i = {0};

	if (size < 1 + NUMBERS || data[0] != BYTES_VERSION)
		return false;
	memcpy(&i, data + 1, NUMBERS);
	if (!words_ok(&i) || !get_texts(data + 1 + NUMBERS, size - 1 - NUMBERS, &i, INCIDENT_TEXTS,
					ARRAY_LEN(INCIDENT_TEXTS)))
		return false;
	*ret_i = i;
	return true;
}

void incident_step_of(const struct incident *i, struct incident_step *ret_s)
{
	bool hand = i->change == INCIDENT_WAS_ACKNOWLEDGED ||
		    (i->change == INCIDENT_WAS_RESOLVED && i->end == INCIDENT_BY_HAND);
	const char *text = hand                                 ? i->note
			   : i->change == INCIDENT_WAS_RESOLVED ? incident_end_str(i->end)
								: i->sentence;

	*ret_s = (struct incident_step){
		.at_ms = i->changed_ms,
		.change = i->change,
		.state = i->state,
		.status = i->status,
		.reason = i->reason,
	};
	copy(ret_s->by, sizeof(ret_s->by), hand ? i->by : "");
	copy(ret_s->text, sizeof(ret_s->text), text);
}

#define STEP_NUMBERS offsetof(struct incident_step, by)

size_t incident_step_pack(const struct incident_step *s, uint8_t out[static sizeof(*s)])
{
	memcpy(out, s, STEP_NUMBERS);
	return STEP_NUMBERS + put_texts(out + STEP_NUMBERS, s, STEP_TEXTS, ARRAY_LEN(STEP_TEXTS));
}

bool incident_step_unpack(const uint8_t *data, size_t size, struct incident_step *ret_s)
{
	struct incident_step s = {0};

	if (size < STEP_NUMBERS)
		return false;
	memcpy(&s, data, STEP_NUMBERS);
	if (s.change > INCIDENT_SILENCE_ENDED || s.state > INCIDENT_RESOLVED ||
	    s.status > STATUS_REWIND || s.reason >= REASON_COUNT ||
	    !get_texts(data + STEP_NUMBERS, size - STEP_NUMBERS, &s, STEP_TEXTS,
		       ARRAY_LEN(STEP_TEXTS)))
		return false;
	*ret_s = s;
	return true;
}
