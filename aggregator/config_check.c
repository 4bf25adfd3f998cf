/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_check.h"

#include <string.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/zone.h"
#include "aggregator/judge/status.h"
#include "common/log.h"

/* Report items of a list that are none of words, which end with NULL. */
static void check_words(struct conf_load *c, const struct tree_node *node,
			const struct conf_list *list, const char *const *words)
{
	CLEANUP(buf_free) struct buf all = {0};

	for (size_t k = 0; words[k] != NULL; k++)
		buf_printf(&all, "%s%s", k == 0 ? "" : ", ", words[k]);
	for (size_t i = 0; i < list->count; i++) {
		size_t k = 0;

		while (words[k] != NULL && strcmp(words[k], list->items[i]) != 0)
			k++;
		if (words[k] == NULL)
			conf_error(c, node, "%s: %s is wrong; expects %s", node->key,
				   log_quote(list->items[i]), buf_str(&all));
	}
}

void config_check_status(struct conf_load *c, const struct tree_node *node, void *field)
{
	static const char *const WORDS[] = {"WARN", "ERR", NULL};

	check_words(c, node, field, WORDS);
}

void config_check_kind(struct conf_load *c, const struct tree_node *node, void *field)
{
	static const char *const WORDS[] = {"group", "blind", NULL};

	check_words(c, node, field, WORDS);
}

void config_check_days(struct conf_load *c, const struct tree_node *node, void *field)
{
	static const char *const WORDS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

	check_words(c, node, field, WORDS);
}

void config_check_reason(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *words[REASON_COUNT + 1] = {NULL};

	for (int r = 0; r < REASON_COUNT; r++)
		words[r] = reason_str((enum reason)r);
	check_words(c, node, field, words);
}

void config_check_time(struct conf_load *c, const struct tree_node *node, void *field)
{
	uint16_t minutes = 0;

	if (!alert_config_minutes(*(char **)field, &minutes))
		conf_error(c, node, "%s: %s is no time of day; expects one such as 08:00",
			   node->key, log_quote(*(char **)field));
}

void config_check_zone(struct conf_load *c, const struct tree_node *node, void *field)
{
	struct zone *zone = NULL;

	if (zone_new(*(char **)field, &zone) != 0)
		conf_error(c, node,
			   "timezone: %s is not known here; expects a name such as Europe/Berlin "
			   "of /usr/share/zoneinfo (package tzdata), or UTC",
			   log_quote(*(char **)field));
	zone_free(&zone);
}

/* A text as the only item of a list, or as none. */
static struct conf_list alone(char **text)
{
	return (struct conf_list){.items = text, .count = (*text)[0] == '\0' ? 0 : 1};
}

void config_check_one_status(struct conf_load *c, const struct tree_node *node, void *field)
{
	struct conf_list list = alone(field);

	config_check_status(c, node, &list);
}

void config_check_one_reason(struct conf_load *c, const struct tree_node *node, void *field)
{
	struct conf_list list = alone(field);

	config_check_reason(c, node, &list);
}
