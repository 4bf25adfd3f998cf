/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_burrow.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/config_receiver.h"
#include "aggregator/config_receiver_check.h"
#include "common/log.h"

#define SECONDS ((int64_t)1000)
#define DAYS (86400 * SECONDS)

/* Go, which Burrow is written in, knows more letters after a backslash, such as \\d. Here they
 * would be taken for the letters, and nobody would know why a group is not told of. */
static void check_backslashes(struct conf_load *c, const struct tree_node *node,
			      const char *pattern)
{
	for (const char *p = strchr(pattern, '\\'); p != NULL && p[1] != '\0';
	     p = strchr(p + 2, '\\')) {
		if (isalnum((unsigned char)p[1]) && strchr("wWsSbB", p[1]) == NULL)
			conf_error(
				c, node,
				"%s: \\%c means nothing in a POSIX extended regular expression; a "
				"digit is [0-9]",
				node->key, p[1]);
	}
}

static void check_regex(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *pattern = *(char **)field;
	char why[128];
	regex_t regex;

	if (pattern[0] == '\0')
		return;
	check_backslashes(c, node, pattern);
	int result = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (result == 0) {
		regfree(&regex);
		return;
	}
	regerror(result, NULL, why, sizeof(why));
	conf_error(c, node, "%s: %s is no POSIX extended regular expression: %s", node->key,
		   log_quote(pattern), why);
}

static const struct conf_item BURROW_ITEMS[] = {
	{.key = "threshold",
	 .type = CONF_INT,
	 .offset = offsetof(struct alert_burrow, threshold),
	 .fallback = "2",
	 .min = 1,
	 .max = 3,
	 .help = "the least status that is told: 2 WARN, 3 ERR; 1 is as 2"},
	{.key = "interval",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_burrow, interval_ms),
	 .fallback = "60s",
	 .min = 1 * SECONDS,
	 .max = 7 * DAYS,
	 .help = "between two messages of one group"},
	{.key = "send_interval",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_burrow, send_interval_ms),
	 .fallback = "0s",
	 .max = 7 * DAYS,
	 .help = "the same, where it is longer; 0s: interval"},
	{.key = "send_close",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct alert_burrow, send_close),
	 .fallback = "false",
	 .help = "say when it is over, to those who were told of it"},
	{.key = "send_once",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct alert_burrow, send_once),
	 .fallback = "false",
	 .help = "one message an incident, no repeats"},
	{.key = "url_close",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_burrow, url_close),
	 .max = 4000,
	 .check = config_receiver_check_url,
	 .help = "of the message that it is over; empty: url"},
	{.key = "method_close",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_burrow, method_close),
	 .fallback = "POST",
	 .words = CONFIG_RECEIVER_METHODS,
	 .help = "likewise"},
	{.key = "group_allowlist",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_burrow, group_allow),
	 .max = 1000,
	 .check = check_regex,
	 .help = "regular expression, POSIX extended; empty: all groups"},
	{.key = "group_denylist",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_burrow, group_deny),
	 .max = 1000,
	 .check = check_regex,
	 .help = "likewise; it wins"},
	{.key = "extras",
	 .type = CONF_MAP,
	 .offset = offsetof(struct alert_burrow, extras),
	 .max = 64,
	 .help = "names and values for templates"},
};

const struct conf_schema CONFIG_BURROW = {
	.size = sizeof(struct alert_burrow),
	.items = BURROW_ITEMS,
	.item_count = ARRAY_LEN(BURROW_ITEMS),
};
