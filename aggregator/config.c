/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config.h"

#include "aggregator/config_alert.h"
#include "aggregator/config_http.h"
#include "aggregator/config_link.h"
#include "aggregator/judge/rules.h"
#include "common/err.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

/* --- checks --- */

/* The keys of rules that the map gives, by name. */
static uint32_t given_rules(const struct tree_node *map)
{
	uint32_t given = 0;

	for (unsigned k = 0; k < RULES_KEYS; k++) {
		const struct tree_node *node = tree_get(map, rules_key_str((enum rules_key)k));

		if (node != NULL && !node->null)
			given |= 1u << k;
	}
	return given;
}

static void check_judge(struct conf_load *c, const struct tree_node *map, void *object)
{
	struct aggregator_judge *judge = object;

	judge->given = given_rules(map);
	if (judge->stop_after_max_ms < judge->stop_after_min_ms)
		conf_error(c, tree_get(map, "stop_after_max"),
			   "stop_after_max: is less than stop_after_min");
}

static void check_all(struct conf_load *c, const struct tree_node *map, void *object)
{
	struct aggregator_config *cfg = object;

	cfg->judge.given |= given_rules(map); /* expire_group */
	config_http_check(c, map, cfg);
	config_link_check(c, map, cfg);
}

/* --- the tables --- */

static const struct conf_item JUDGE_ITEMS[] = {
	{.key = "window",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_judge, window_ms),
	 .fallback = "10m",
	 .min = 2 * MINUTES,
	 .max = 1 * HOURS,
	 .help = "how far back a verdict looks"},
	{.key = "intervals",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_judge, intervals),
	 .fallback = "10",
	 .min = 2,
	 .max = 60,
	 .help = "points of a partition that /v3/kafka/CLUSTER/consumer/GROUP shows"},
	{.key = "allowed_lag",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_judge, allowed_lag),
	 .fallback = "0",
	 .max = INT64_MAX,
	 .help = "messages behind that still count as caught up"},
	{.key = "max_time_lag",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_judge, max_time_lag_ms),
	 .fallback = "0s",
	 .max = 30 * DAYS,
	 .help = "WARN when further behind than this; 0s: no bound"},
	{.key = "stop_after_min",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_judge, stop_after_min_ms),
	 .fallback = "60s",
	 .min = 1 * SECONDS,
	 .max = 30 * DAYS,
	 .help = "STOP after no commit for at least this, however often it commits"},
	{.key = "stop_after_max",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_judge, stop_after_max_ms),
	 .fallback = "1h",
	 .min = 1 * SECONDS,
	 .max = 30 * DAYS,
	 .help = "STOP after no commit for this, however seldom it commits"},
	{.key = "warn_after",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_judge, warn_after_ms),
	 .fallback = "60s",
	 .max = 1 * DAYS,
	 .help = "how long a condition must hold before it is a WARN"},
	{.key = "raise_after",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_judge, raise_after),
	 .fallback = "2",
	 .min = 1,
	 .max = 100,
	 .help = "passes in a row before a status gets worse"},
	{.key = "clear_after",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_judge, clear_after),
	 .fallback = "2",
	 .min = 1,
	 .max = 100,
	 .help = "passes in a row before a status gets better"},
};

static const struct conf_schema JUDGE = {
	.size = sizeof(struct aggregator_judge),
	.items = JUDGE_ITEMS,
	.item_count = ARRAY_LEN(JUDGE_ITEMS),
	.check = check_judge,
};

static const struct conf_item LIMITS_ITEMS[] = {
	{.key = "new_names",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_limits, new_names),
	 .fallback = "100000",
	 .min = 1000,
	 .max = 1000000000,
	 .help = "groups and topics never seen before that one agent may bring in a minute"},
};

static const struct conf_schema LIMITS = {
	.size = sizeof(struct aggregator_limits),
	.items = LIMITS_ITEMS,
	.item_count = ARRAY_LEN(LIMITS_ITEMS),
};

static const struct conf_item ITEMS[] = {
	{.key = "data_dir",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_config, data_dir),
	 .required = true,
	 .min = 1,
	 .max = 4000,
	 .help = "directory of the store"},
	{.key = "map_size",
	 .type = CONF_SIZE,
	 .offset = offsetof(struct aggregator_config, map_size),
	 .fallback = "16GiB",
	 .min = (int64_t)64 << 20,
	 .max = (int64_t)16 << 40,
	 .help = "the most that the store may grow to; takes address space, not memory"},
	{.key = "listen",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct aggregator_config, listen),
	 .fallback = "tcp://127.0.0.1:7701",
	 .min = 1,
	 .max = 16,
	 .schema = &CONFIG_LISTEN,
	 .help = "where agents send to; a plain value is a url"},
	{.key = "agents",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct aggregator_config, agents),
	 .max = 10000,
	 .schema = &CONFIG_AGENT,
	 .check = config_link_check_agents,
	 .help = "who may connect, by key; none: every agent that gets through TLS"},
	{.key = "limits",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, limits),
	 .schema = &LIMITS},
	{.key = "http",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, http),
	 .schema = &CONFIG_HTTP},
	{.key = "judge",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, judge),
	 .schema = &JUDGE,
	 .help = "what makes a partition OK, WARN, STOP, STALL or REWIND"},
	{.key = "alert",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, alert),
	 .schema = &CONFIG_ALERT,
	 .help = "who is told when a group, or a cluster, is in trouble"},
	{.key = "expire_group",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_config, expire_group_ms),
	 .fallback = "7d",
	 .min = 1 * HOURS,
	 .max = 3650 * DAYS,
	 .help = "a group that nobody has reported for so long is forgotten"},
	{.key = "expire_cluster",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_config, expire_cluster_ms),
	 .fallback = "30d",
	 .min = 1 * HOURS,
	 .max = 3650 * DAYS,
	 .help = "a cluster that no agent has reported for so long is forgotten"},
	{.key = "rules_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_config, rules_file),
	 .max = 4000,
	 .help = "rules for some clusters, groups and topics, read again on SIGHUP; empty: none"},
	{.key = "log",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, log),
	 .schema = &OPTIONS_LOG},
	{.key = "insecure",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct aggregator_config, insecure),
	 .fallback = "false",
	 .help = "allow plain tcp, and HTTP without TLS or credentials, beyond this machine"},
};

static const struct conf_schema SCHEMA = {
	.size = sizeof(struct aggregator_config),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = check_all,
};

/* --- the interface --- */

int aggregator_config_load(const char *path, struct aggregator_config **ret_cfg, struct buf *errors)
{
	void *object = NULL;
	int err = conf_load_file(&SCHEMA, path, errors, &object);

	if (err != ERR_OK)
		return err;
	struct aggregator_config *cfg = object;
	options_place_beside(path, &cfg->rules_file);
	config_http_place(path, &cfg->http);
	config_link_place(path, cfg);
	config_alert_place(path, &cfg->alert);
	*ret_cfg = cfg;
	return ERR_OK;
}

int aggregator_config_parse(const char *file, const char *text, size_t size,
			    struct aggregator_config **ret_cfg, struct buf *errors)
{
	void *object = NULL;
	int err = conf_parse(&SCHEMA, file, text, size, errors, &object);

	if (err == ERR_OK)
		*ret_cfg = object;
	return err;
}

void aggregator_config_print(const struct aggregator_config *cfg, struct buf *out)
{
	conf_print(&SCHEMA, cfg, out);
}

void aggregator_config_free(struct aggregator_config **cfg)
{
	void *object = *cfg;

	conf_free(&SCHEMA, &object);
	*cfg = NULL;
}
