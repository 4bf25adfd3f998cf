/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/silence_config.h"

#include <stdio.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "common/err.h"

static void set(char *field, size_t size, const char *text)
{
	snprintf(field, size, "%s", text);
}

static uint8_t days_of(const struct conf_list *list)
{
	static const char *const DAYS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	unsigned days = list->count == 0 ? 0x7f : 0;

	for (size_t i = 0; i < list->count; i++) {
		for (unsigned d = 0; d < ARRAY_LEN(DAYS); d++)
			days |= strcmp(list->items[i], DAYS[d]) == 0 ? 1u << d : 0;
	}
	return (uint8_t)days;
}

static uint8_t reason_of(const char *word)
{
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		if (strcmp(word, reason_str((enum reason)r)) == 0)
			return (uint8_t)r;
	}
	return 0;
}

static void take_labels(const struct conf_map *map, struct silence *s)
{
	s->label_count = (uint32_t)MIN(map->count, (size_t)SILENCE_LABELS_MAX);
	for (size_t i = 0; i < s->label_count; i++) {
		set(s->labels[i].name, sizeof(s->labels[i].name), map->pairs[i].key);
		set(s->labels[i].value, sizeof(s->labels[i].value), map->pairs[i].value);
	}
}

void silence_config_get(const struct alert_config *config, size_t index, struct silence *ret_s)
{
	const struct alert_silence *c =
		(const struct alert_silence *)config->silences.items + index;
	struct silence s;

	memset(&s, 0, sizeof(s)); /* what lies between the fields is part of the hash */
	s.version = SILENCE_VERSION;
	s.until_ms = INT64_MAX;
	set(s.environment, sizeof(s.environment), c->environment);
	set(s.cluster, sizeof(s.cluster), c->cluster);
	set(s.group, sizeof(s.group), c->group);
	set(s.topic, sizeof(s.topic), c->topic);
	set(s.timezone, sizeof(s.timezone), c->timezone);
	set(s.note, sizeof(s.note), c->note);
	set(s.by, sizeof(s.by), "configuration");
	if (c->status[0] != '\0')
		s.status = strcmp(c->status, "ERR") == 0 ? STATUS_ERR : STATUS_WARN;
	s.reason = reason_of(c->reason);
	s.window.days = days_of(&c->days);
	(void)alert_config_minutes(c->from, &s.window.from_min);
	(void)alert_config_minutes(c->to, &s.window.to_min);
	take_labels(&c->label, &s);
	s.id = hash_bytes(hash_u64(HASH_SEED, index), &s, sizeof(s)) | 1; /* never 0 */
	*ret_s = s;
}

int silence_config_fix(const struct alert_config *config, struct silences *silences)
{
	struct silence s;
	int err = ERR_OK;

	for (size_t i = 0; i < config->silences.count && err == ERR_OK; i++) {
		silence_config_get(config, i, &s);
		err = silences_fix(silences, &s);
	}
	return err;
}
