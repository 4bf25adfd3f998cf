/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_alert.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/silence.h"
#include "aggregator/config_receiver.h"
#include "aggregator/config_route.h"
#include "aggregator/config_silence.h"
#include "common/err.h"
#include "common/log.h"
#include "common/options.h"
#include "common/secret.h"
#include "common/tree.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

/* --- checks --- */

static void check_url(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *url = *(char **)field;
	bool web = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;

	if (url[0] != '\0' && (!web || strpbrk(url, " \t\r\n\"<>") != NULL))
		conf_error(c, node, "%s: %s is no URL; expects one such as https://host:8000",
			   node->key, log_quote(url));
}

static void check_peers(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *peers = field;

	for (size_t i = 0; i < peers->count; i++) {
		check_url(c, node, &peers->items[i]);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(peers->items[i], peers->items[k]) == 0)
				conf_error(c, node, "peers: %s comes twice",
					   log_quote(peers->items[i]));
		}
	}
}

static bool in_list(const struct conf_list *list, const char *s)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], s) == 0)
			return true;
	}
	return false;
}

static void check_replicas(struct conf_load *c, const struct tree_node *map,
			   const struct alert_config *a)
{
	if (a->send == ALERT_SEND_FIRST_ALIVE && a->peers.count < 2)
		conf_error(
			c, map,
			"send: first-alive needs peers: the URLs of all replicas, this one among "
			"them");
	else if (a->send == ALERT_SEND_FIRST_ALIVE && !in_list(&a->peers, a->self))
		conf_error(c, map, "self: %s is none of peers; it says which of them this one is",
			   log_quote(a->self));
}

static void check_names(struct conf_load *c, const struct tree_node *map,
			const struct alert_config *a)
{
	const struct alert_receiver *r = a->receivers.items;
	const struct tree_node *list = tree_get(map, "receivers");
	const struct tree_node *node = list == NULL ? NULL : list->first;

	for (size_t i = 0; i < a->receivers.count; i++, node = node == NULL ? NULL : node->next) {
		for (size_t k = 0; k < i; k++) {
			if (r[i].name[0] != '\0' && strcmp(r[i].name, r[k].name) == 0)
				conf_error(c, node, "name: the receiver %s is there twice",
					   log_quote(r[i].name));
		}
	}
}

static void check_alert(struct conf_load *c, const struct tree_node *map, void *object)
{
	struct alert_config *a = object;

	check_names(c, map, a);
	check_replicas(c, map, a);
	config_route_check(c, tree_get(map, "route"), a);
}

/* --- the table --- */

static const char *const SEND[] = {"always", "first-alive", NULL};

static const struct conf_item ITEMS[] = {
	{.key = "url",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_config, url),
	 .max = 1000,
	 .check = check_url,
	 .help = "of the page as people reach it, for links in messages; empty: no links"},
	{.key = "send",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_config, send),
	 .fallback = "always",
	 .words = SEND,
	 .help = "of several replicas: always all of them, or the first of peers that is alive"},
	{.key = "peers",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_config, peers),
	 .max = 16,
	 .check = check_peers,
	 .help = "URLs of the HTTP API of all replicas, in the same order on each"},
	{.key = "self",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_config, self),
	 .max = 1000,
	 .check = check_url,
	 .help = "which of peers this one is"},
	{.key = "peer_tls",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_config, peer_tls),
	 .schema = &CONFIG_RECEIVER_TLS},
	{.key = "takeover_after",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_config, takeover_after_ms),
	 .fallback = "30s",
	 .min = 2 * SECONDS,
	 .max = 1 * HOURS,
	 .help = "a peer that is silent for so long is not alive"},
	{.key = "fail_open",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct alert_config, fail_open),
	 .fallback = "true",
	 .help = "send when it cannot be known that no other does; false: only with most of peers"},
	{.key = "keep_sent",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_config, keep_sent_ms),
	 .fallback = "7d",
	 .max = 365 * DAYS,
	 .help = "how long what was sent can be looked up"},
	{.key = "keep_dead",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_config, keep_dead_ms),
	 .fallback = "30d",
	 .max = 365 * DAYS,
	 .help = "and what could not be delivered"},
	{.key = "receivers",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct alert_config, receivers),
	 .max = 200,
	 .schema = &CONFIG_RECEIVER,
	 .help = "who can be told"},
	{.key = "silences",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct alert_config, silences),
	 .max = SILENCES_FIXED_MAX,
	 .schema = &CONFIG_SILENCE,
	 .help = "parts of the week in which nobody is told of some of it"},
	{.key = "route",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_config, route),
	 .schema = &CONFIG_ROUTE,
	 .help = "who is told of what"},
};

const struct conf_schema CONFIG_ALERT = {
	.size = sizeof(struct alert_config),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = check_alert,
};

/* --- files --- */

void config_alert_place(const char *path, struct alert_config *alert)
{
	struct alert_receiver *r = alert->receivers.items;

	config_receiver_place_tls(path, &alert->peer_tls);
	for (size_t i = 0; i < alert->receivers.count; i++)
		config_receiver_place(path, &r[i]);
}

static int check_secret(const char *path, const char *receiver, const char *key, struct buf *errors)
{
	char line[4096];
	const char *why = path[0] == '\0' ? NULL : secret_read(path, line, sizeof(line));

	explicit_bzero(line, sizeof(line));
	if (why == NULL)
		return ERR_OK;
	tree_error(errors, path, 0, "%s: of the receiver %s: %s", key, receiver, why);
	return ERR_CONFIG;
}

int config_alert_secrets(const struct alert_config *alert, struct buf *errors)
{
	const struct alert_receiver *r = alert->receivers.items;
	int err = ERR_OK;

	for (size_t i = 0; i < alert->receivers.count; i++, r++) {
		const char *const files[][2] = {{r->url_file, "url_file"},
						{r->token_file, "token_file"},
						{r->api_key_file, "api_key_file"},
						{r->password_file, "password_file"}};

		for (size_t k = 0; k < ARRAY_LEN(files); k++) {
			if (check_secret(files[k][0], r->name, files[k][1], errors) != ERR_OK)
				err = ERR_CONFIG;
		}
	}
	return err;
}
