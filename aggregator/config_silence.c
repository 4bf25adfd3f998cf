/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_silence.h"

#include <string.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/silence.h"
#include "aggregator/config_check.h"
#include "common/log.h"

static void check_label(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_map *labels = field;

	for (size_t i = 0; i < labels->count; i++) {
		const struct conf_pair *l = &labels->pairs[i];

		if (strlen(l->key) >= sizeof(((struct silence_label *)NULL)->name) ||
		    strlen(l->value) >= sizeof(((struct silence_label *)NULL)->value))
			conf_error(c, node, "label: %s or its pattern is too long",
				   log_quote(l->key));
	}
}

#define PATTERN(field_, size_, help_)                                                              \
	{                                                                                          \
		.key = #field_, .type = CONF_STRING,                                               \
		.offset = offsetof(struct alert_silence, field_), .fallback = "*", .min = 1,       \
		.max = (size_)-1, .help = (help_)                                                  \
	}

static const struct conf_item ITEMS[] = {
	PATTERN(environment, INCIDENT_CLUSTER_MAX, "pattern"),
	PATTERN(cluster, INCIDENT_CLUSTER_MAX, "likewise"),
	PATTERN(group, INCIDENT_GROUP_MAX, "likewise; a cluster that is blind has none but *"),
	PATTERN(topic, INCIDENT_TOPIC_MAX, "likewise, of the worst partition"),
	{.key = "status",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_silence, status),
	 .check = config_check_one_status,
	 .help = "WARN or ERR; empty: both"},
	{.key = "reason",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_silence, reason),
	 .check = config_check_one_reason,
	 .help = "word of the API, such as no_commits; empty: all"},
	{.key = "label",
	 .type = CONF_MAP,
	 .offset = offsetof(struct alert_silence, label),
	 .max = SILENCE_LABELS_MAX,
	 .check = check_label,
	 .help = "labels of the rules file, with patterns of their values"},
	{.key = "days",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_silence, days),
	 .max = 7,
	 .check = config_check_days,
	 .help = "mon to sun; none: every day"},
	{.key = "from",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_silence, from),
	 .fallback = "00:00",
	 .check = config_check_time,
	 .help = "when it begins"},
	{.key = "to",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_silence, to),
	 .fallback = "00:00",
	 .check = config_check_time,
	 .help = "and ends; the same as from: all day; before it: over midnight"},
	{.key = "timezone",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_silence, timezone),
	 .fallback = "UTC",
	 .max = 63,
	 .check = config_check_zone,
	 .help = "such as Europe/Berlin"},
	{.key = "note",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_silence, note),
	 .max = INCIDENT_TEXT_MAX - 1,
	 .help = "why, for people"},
};

const struct conf_schema CONFIG_SILENCE = {
	.size = sizeof(struct alert_silence),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
};
