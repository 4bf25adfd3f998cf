/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge/rules.h"
#include "common/err.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

/* --- checks --- */

/* Split a numeric address. Names are refused, so that the file alone tells who can connect. */
static bool split_listen(const char *listen, char ret_host[static 256])
{
	uint16_t port = 0;
	struct in_addr v4;

	return options_split_address(listen, ret_host, &port) &&
	       (listen[0] == '[' || inet_pton(AF_INET, ret_host, &v4) == 1);
}

static void check_listen(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *listen = *(char **)field;
	char host[256];

	if (!split_listen(listen, host))
		conf_error(c, node,
			   "listen: %s is no address; expects one such as 127.0.0.1:8000 or "
			   "[::1]:8000",
			   log_quote(listen));
}

/* What goes into a header must not be able to end it. */
static void check_origin(struct conf_load *c, const struct tree_node *node, void *field)
{
	for (const char *p = *(char **)field; *p != '\0'; p++) {
		if (*p > ' ' && *p <= '~')
			continue;
		conf_error(
			c, node,
			"allow_origin: %s is no origin; expects * or one such as https://host:port",
			log_quote(*(char **)field));
		return;
	}
}

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
	char host[256];

	cfg->judge.given |= given_rules(map); /* expire_group */
	if (cfg->insecure)
		return;
	options_check_plain(c, tree_get(map, "listen"), &cfg->listen);
	if (split_listen(cfg->http.listen, host) && !options_loopback(host))
		conf_error(c, tree_get(tree_get(map, "http"), "listen"),
			   "insecure: %s is plain HTTP on other than loopback; put a proxy with "
			   "TLS in front or set insecure: true",
			   cfg->http.listen);
}

/* --- the tables --- */

static const struct conf_item HTTP_ITEMS[] = {
	{.key = "listen",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http, listen),
	 .fallback = "127.0.0.1:8000",
	 .min = 1,
	 .max = 255,
	 .check = check_listen,
	 .help = "where the HTTP API answers, address:port or [v6]:port"},
	{.key = "allow_origin",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http, allow_origin),
	 .max = 255,
	 .check = check_origin,
	 .help = "value of Access-Control-Allow-Origin; empty: no such header"},
	{.key = "connections",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_http, connections),
	 .fallback = "480",
	 .min = 8,
	 .max = 480,
	 .help = "open at a time"},
	{.key = "connections_per_address",
	 .type = CONF_INT,
	 .offset = offsetof(struct aggregator_http, connections_per_address),
	 .fallback = "60",
	 .min = 1,
	 .max = 480,
	 .help = "of them from one address"},
	{.key = "idle_timeout",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_http, idle_timeout_ms),
	 .fallback = "15s",
	 .min = 1 * SECONDS,
	 .max = 5 * MINUTES,
	 .help = "a connection without a request for so long is closed"},
	{.key = "admin_token_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http, admin_token_file),
	 .max = 4000,
	 .help = "file with one line, the token that admin requests carry; empty: none are "
		 "allowed"},
};

static const struct conf_schema HTTP = {
	.size = sizeof(struct aggregator_http),
	.items = HTTP_ITEMS,
	.item_count = ARRAY_LEN(HTTP_ITEMS),
};

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
	 .type = CONF_LIST,
	 .offset = offsetof(struct aggregator_config, listen),
	 .fallback = "tcp://127.0.0.1:7701",
	 .min = 1,
	 .max = 16,
	 .check = options_check_addresses,
	 .help = "where agents send to, tcp://host:port or tls+tcp://host:port"},
	{.key = "http",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, http),
	 .schema = &HTTP},
	{.key = "judge",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_config, judge),
	 .schema = &JUDGE,
	 .help = "what makes a partition OK, WARN, STOP, STALL or REWIND"},
	{.key = "expire_group",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct aggregator_config, expire_group_ms),
	 .fallback = "7d",
	 .min = 1 * HOURS,
	 .max = 3650 * DAYS,
	 .help = "a group that nobody has reported for so long is forgotten"},
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
	 .help = "allow plain tcp and plain HTTP beyond this machine"},
};

static const struct conf_schema SCHEMA = {
	.size = sizeof(struct aggregator_config),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = check_all,
};

/* --- the interface --- */

static int from_tree(struct tree **tree, struct aggregator_config **ret_cfg, struct buf *errors)
{
	void *object = NULL;
	int err = conf_load(&SCHEMA, tree_root(*tree), errors, &object);

	tree_free(tree);
	if (err == ERR_OK)
		*ret_cfg = object;
	return err;
}

/* Put the directory of path before a relative name of a file. */
static void place_beside(const char *path, char **name)
{
	CLEANUP(buf_free) struct buf full = {0};
	const char *slash = strrchr(path, '/');

	if (**name == '\0' || **name == '/' || slash == NULL)
		return;
	buf_put(&full, path, (size_t)(slash - path) + 1);
	buf_puts(&full, *name);
	free(*name);
	*name = strdup(buf_str(&full));
	if (*name == NULL)
		abort();
}

int aggregator_config_load(const char *path, struct aggregator_config **ret_cfg, struct buf *errors)
{
	struct aggregator_config *cfg = NULL;
	struct tree *tree = NULL;
	int err = tree_load(path, errors, &tree);

	if (err == ERR_OK)
		err = from_tree(&tree, &cfg, errors);
	if (err != ERR_OK)
		return err;
	place_beside(path, &cfg->rules_file);
	place_beside(path, &cfg->http.admin_token_file);
	*ret_cfg = cfg;
	return ERR_OK;
}

int aggregator_config_parse(const char *file, const char *text, size_t size,
			    struct aggregator_config **ret_cfg, struct buf *errors)
{
	struct tree *tree = NULL;
	int err = tree_parse(file, text, size, errors, &tree);

	return err == ERR_OK ? from_tree(&tree, ret_cfg, errors) : err;
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
