/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/config_check.h"
#include "aggregator/judge/status.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/tree.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

/* --- what a route inherits --- */

enum given {
	GIVEN_RECEIVER,
	GIVEN_GROUP_BY,
	GIVEN_MIN_STATUS,
	GIVEN_WAIT,
	GIVEN_REPEAT,
	GIVEN_ESCALATE_AFTER,
	GIVEN_ESCALATE_TO,
	GIVEN_STORM_LIMIT,
	GIVEN_STORM_SPAN,
	GIVEN_HOURS,
	GIVEN_COUNT,
};

static const char *const GIVEN_KEYS[GIVEN_COUNT] = {
	"receiver",       "group_by",    "min_status",  "wait",       "repeat_interval",
	"escalate_after", "escalate_to", "storm_limit", "storm_span", "hours",
};

static void check_route(struct conf_load *c, const struct tree_node *map, void *object)
{
	struct alert_route *route = object;

	(void)c;
	for (unsigned g = 0; g < GIVEN_COUNT; g++) {
		const struct tree_node *node = tree_get(map, GIVEN_KEYS[g]);

		if (node != NULL && !node->null)
			route->given |= 1u << g;
	}
}

static void take_string(char **to, const char *from)
{
	char *new = mem_copy(from);

	free(*to);
	*to = new;
}

static void take_list(struct conf_list *to, const struct conf_list *from)
{
	char **items = mem_zeroed(from->count, sizeof(*items));

	for (size_t i = 0; i < from->count; i++)
		items[i] = mem_copy(from->items[i]);
	for (size_t i = 0; i < to->count; i++)
		free(to->items[i]);
	free(to->items);
	*to = (struct conf_list){.items = items, .count = from->count};
}

static void take_hours(struct alert_hours *to, const struct alert_hours *from)
{
	take_list(&to->days, &from->days);
	take_string(&to->from, from->from);
	take_string(&to->to, from->to);
	take_string(&to->timezone, from->timezone);
	take_string(&to->otherwise, from->otherwise);
}

static bool given(const struct alert_route *route, enum given g)
{
	return (route->given & (1u << g)) != 0;
}

static void inherit(struct alert_route *to, const struct alert_route *from)
{
	if (!given(to, GIVEN_RECEIVER))
		take_string(&to->receiver, from->receiver);
	if (!given(to, GIVEN_GROUP_BY))
		take_list(&to->group_by, &from->group_by);
	if (!given(to, GIVEN_ESCALATE_TO))
		take_string(&to->escalate_to, from->escalate_to);
	if (!given(to, GIVEN_HOURS))
		take_hours(&to->hours, &from->hours);
	if (!given(to, GIVEN_MIN_STATUS))
		to->min_status = from->min_status;
	if (!given(to, GIVEN_WAIT))
		to->wait_ms = from->wait_ms;
	if (!given(to, GIVEN_REPEAT))
		to->repeat_ms = from->repeat_ms;
	if (!given(to, GIVEN_ESCALATE_AFTER))
		to->escalate_after_ms = from->escalate_after_ms;
	if (!given(to, GIVEN_STORM_LIMIT))
		to->storm_limit = from->storm_limit;
	if (!given(to, GIVEN_STORM_SPAN))
		to->storm_span_ms = from->storm_span_ms;
}

/* --- the whole tree --- */

/* Where in the file a route's mistakes are. */
static void check_receiver(struct conf_load *c, const struct tree_node *map,
			   const struct alert_config *a, const char *key, const char *name)
{
	CLEANUP(buf_free) struct buf all = {0};
	const struct alert_receiver *r = a->receivers.items;
	const struct tree_node *node = tree_get(map, key);

	if (name[0] == '\0' || node == NULL || alert_config_receiver(a, name) != NULL)
		return;
	for (size_t i = 0; i < a->receivers.count; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : ", ", log_quote(r[i].name));
	conf_error(c, node, "%s: there is no receiver %s; %s%s", key, log_quote(name),
		   a->receivers.count == 0 ? "alert.receivers is empty" : "there are ",
		   buf_str(&all));
}

static void check_one(struct conf_load *c, const struct tree_node *map,
		      const struct alert_config *a, const struct alert_route *route)
{
	check_receiver(c, map, a, "receiver", route->receiver);
	check_receiver(c, map, a, "escalate_to", route->escalate_to);
	check_receiver(c, tree_get(map, "hours"), a, "otherwise", route->hours.otherwise);
	if (route->escalate_after_ms > 0 && route->escalate_to[0] == '\0')
		conf_error(c, map,
			   "escalate_after: needs escalate_to, the receiver that is told "
			   "then");
}

/* path: the place of above, such as 2.1; "": it is the first. */
static void check_below(struct conf_load *c, const struct tree_node *map,
			const struct alert_config *a, struct alert_route *above, const char *path)
{
	const struct tree_node *list = tree_get(map, "routes");
	const struct tree_node *node = list == NULL ? NULL : list->first;
	struct alert_route *routes = above->routes.items;
	char name[64];

	for (size_t i = 0; i < above->routes.count; i++, node = node == NULL ? NULL : node->next) {
		snprintf(name, sizeof(name), "%.40s%s%zu", path, path[0] == '\0' ? "" : ".", i + 1);
		if (routes[i].name[0] == '\0')
			take_string(&routes[i].name, name);
		inherit(&routes[i], above);
		check_one(c, node, a, &routes[i]);
		check_below(c, node, a, &routes[i], name);
	}
}

/* The state of alerts is kept by the names of routes. */
static void check_name(struct conf_load *c, const struct tree_node *map,
		       const struct alert_route *all, const struct alert_route *route)
{
	const struct alert_route *routes = all->routes.items;

	if (all == route)
		return;
	if (strcmp(all->name, route->name) == 0)
		conf_error(c, map, "name: there are two routes %s", log_quote(route->name));
	for (size_t i = 0; i < all->routes.count; i++)
		check_name(c, map, &routes[i], route);
}

static void check_names(struct conf_load *c, const struct tree_node *map,
			const struct alert_route *all, const struct alert_route *route)
{
	const struct tree_node *list = tree_get(map, "routes");
	const struct tree_node *node = list == NULL ? NULL : list->first;
	const struct alert_route *routes = route->routes.items;

	for (size_t i = 0; i < route->routes.count; i++, node = node == NULL ? NULL : node->next) {
		check_name(c, node, all, &routes[i]);
		check_names(c, node, all, &routes[i]);
	}
}

void config_route_check(struct conf_load *c, const struct tree_node *map, struct alert_config *a)
{
	static char environment[] = "environment", cluster[] = "cluster";
	static char *by_cluster[] = {environment, cluster};
	const struct conf_list group_by = {.items = by_cluster, .count = 2};

	if (a->route.name[0] == '\0')
		take_string(&a->route.name, "top");
	if (!given(&a->route, GIVEN_GROUP_BY))
		take_list(&a->route.group_by, &group_by);
	check_one(c, map, a, &a->route);
	check_below(c, map, a, &a->route, "");
	check_names(c, map, &a->route, &a->route);
}

/* --- the tables --- */

static const struct conf_item HOURS_ITEMS[] = {
	{.key = "days",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_hours, days),
	 .max = 7,
	 .check = config_check_days,
	 .help = "mon to sun; none: every day"},
	{.key = "from",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_hours, from),
	 .fallback = "00:00",
	 .check = config_check_time,
	 .help = "when the route begins to speak"},
	{.key = "to",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_hours, to),
	 .fallback = "00:00",
	 .check = config_check_time,
	 .help = "and ends; the same as from: all day; before it: over midnight"},
	{.key = "timezone",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_hours, timezone),
	 .fallback = "UTC",
	 .max = 64,
	 .check = config_check_zone,
	 .help = "such as Europe/Berlin"},
	{.key = "otherwise",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_hours, otherwise),
	 .max = 63,
	 .help = "receiver outside of the hours; empty: messages wait for them"},
};

static const struct conf_schema HOURS_SCHEMA = {
	.size = sizeof(struct alert_hours),
	.items = HOURS_ITEMS,
	.item_count = ARRAY_LEN(HOURS_ITEMS),
};

#define LIST_ITEM(field_, max_, check_, help_)                                                     \
	{                                                                                          \
		.key = #field_, .type = CONF_LIST, .offset = offsetof(struct alert_route, field_), \
		.max = (max_), .check = (check_), .help = help_                                    \
	}

static const char *const MIN_STATUS[] = {"WARN", "ERR", NULL};

static const struct conf_item ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_route, name),
	 .max = 63,
	 .help = "for people; empty: its place, such as 2.1"},
	LIST_ITEM(environment, 100, NULL, "patterns; none: all"),
	LIST_ITEM(cluster, 100, NULL, "likewise"),
	LIST_ITEM(group, 1000, NULL, "likewise"),
	LIST_ITEM(status, 2, config_check_status, "WARN, ERR; none: both"),
	LIST_ITEM(reason, REASON_COUNT, config_check_reason,
		  "words of the API, such as no_commits; none: all"),
	LIST_ITEM(kind, 2, config_check_kind, "group, blind; none: both"),
	{.key = "label",
	 .type = CONF_MAP,
	 .offset = offsetof(struct alert_route, label),
	 .max = 16,
	 .help = "labels of the rules file, with patterns of their values"},
	{.key = "continue",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct alert_route, go_on),
	 .fallback = "false",
	 .help = "the routes after this one are tried as well"},
	{.key = "receiver",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_route, receiver),
	 .max = 63,
	 .help = "who is told; empty: nobody, it only shows"},
	LIST_ITEM(group_by, 8, NULL, "environment, cluster, group, topic, reason, or a label"),
	{.key = "min_status",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_route, min_status),
	 .fallback = "WARN",
	 .words = MIN_STATUS,
	 .help = "what is less bad only shows"},
	{.key = "wait",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_route, wait_ms),
	 .fallback = "30s",
	 .max = 1 * DAYS,
	 .help = "for others of the same group_by, to tell of them together"},
	{.key = "repeat_interval",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_route, repeat_ms),
	 .fallback = "4h",
	 .max = 30 * DAYS,
	 .help = "while it is open and nobody has acknowledged it; 0s: never"},
	{.key = "escalate_after",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_route, escalate_after_ms),
	 .fallback = "0s",
	 .max = 30 * DAYS,
	 .help = "when nobody has acknowledged it; 0s: never"},
	{.key = "escalate_to",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_route, escalate_to),
	 .max = 63,
	 .help = "the receiver that is told then"},
	{.key = "storm_limit",
	 .type = CONF_INT,
	 .offset = offsetof(struct alert_route, storm_limit),
	 .fallback = "10",
	 .max = 100000,
	 .help = "messages to the receiver in storm_span; then one summary; 0: no limit"},
	{.key = "storm_span",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_route, storm_span_ms),
	 .fallback = "30m",
	 .min = 1 * SECONDS,
	 .max = 1 * DAYS},
	{.key = "hours",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_route, hours),
	 .schema = &HOURS_SCHEMA,
	 .help = "when it speaks"},
	{.key = "routes",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct alert_route, routes),
	 .max = 1000,
	 .schema = &CONFIG_ROUTE,
	 .help = "for some of it; the first that matches takes it"},
};

const struct conf_schema CONFIG_ROUTE = {
	.size = sizeof(struct alert_route),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = check_route,
};
