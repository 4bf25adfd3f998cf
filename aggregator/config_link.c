/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_link.h"

#include <string.h>

#include "aggregator/config.h"

static void check_url(struct conf_load *c, const struct tree_node *node, void *field)
{
	options_check_address(c, node, "listen", *(char **)field);
}

static const struct conf_item TLS_ITEMS[] = {
	{.key = "ca_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct options_tls, ca_file),
	 .max = 4000,
	 .help = "PEM, the CAs that the certificates of agents must come from"},
	{.key = "cert_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct options_tls, cert_file),
	 .max = 4000,
	 .help = "PEM, the aggregator's certificate"},
	{.key = "key_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct options_tls, key_file),
	 .max = 4000,
	 .help = "PEM, its key, which others may not read"},
};

static const struct conf_schema LISTEN_TLS = {
	.size = sizeof(struct options_tls),
	.items = TLS_ITEMS,
	.item_count = ARRAY_LEN(TLS_ITEMS),
};

static const struct conf_item LISTEN_ITEMS[] = {
	{.key = "url",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_listen, url),
	 .required = true,
	 .min = 1,
	 .max = 300,
	 .check = check_url,
	 .help = "tcp://host:port or tls+tcp://host:port"},
	{.key = "tls",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_listen, tls),
	 .schema = &LISTEN_TLS,
	 .help = "for tls+tcp; read again on SIGHUP"},
	{.key = "clusters",
	 .type = CONF_LIST,
	 .offset = offsetof(struct aggregator_listen, clusters),
	 .max = 1000,
	 .help = "globs over ENVIRONMENT/CLUSTER that may be spoken for here; empty: all"},
};

const struct conf_schema CONFIG_LISTEN = {
	.size = sizeof(struct aggregator_listen),
	.items = LISTEN_ITEMS,
	.item_count = ARRAY_LEN(LISTEN_ITEMS),
	.plain = "url",
};

static const struct conf_item AGENT_ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_agent, name),
	 .required = true,
	 .min = 1,
	 .max = 255,
	 .help = "the agent's name in its own configuration"},
	{.key = "key_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_agent, key_file),
	 .required = true,
	 .min = 1,
	 .max = 4000,
	 .help = "a copy of the agent's key_file"},
	{.key = "clusters",
	 .type = CONF_LIST,
	 .offset = offsetof(struct aggregator_agent, clusters),
	 .required = true,
	 .min = 1,
	 .max = 1000,
	 .help = "globs over ENVIRONMENT/CLUSTER that it may speak for"},
};

const struct conf_schema CONFIG_AGENT = {
	.size = sizeof(struct aggregator_agent),
	.items = AGENT_ITEMS,
	.item_count = ARRAY_LEN(AGENT_ITEMS),
};

/* Whether an earlier agent than the i-th has its name. */
static bool seen_before(const struct aggregator_agent *agents, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(agents[k].name, agents[i].name) == 0)
			return true;
	return false;
}

void config_link_check_agents(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_array *array = field;
	const struct aggregator_agent *agents = array->items;
	const struct tree_node *child = node->first;

	for (size_t i = 0; i < array->count; i++, child = child->next)
		if (agents[i].name[0] != '\0' && seen_before(agents, i))
			conf_error(c, child, "agents: %s is there twice",
				   log_quote(agents[i].name));
}

void config_link_check(struct conf_load *c, const struct tree_node *root,
		       const struct aggregator_config *cfg)
{
	const struct tree_node *list = tree_get(root, "listen");
	const struct tree_node *child = list == NULL ? NULL : list->first;

	for (size_t i = 0; i < cfg->listen.count; i++) {
		const struct aggregator_listen *l = aggregator_config_listen(cfg, i);

		if (!cfg->insecure)
			options_check_plain(c, child, l->url);
		if (options_is_tls(l->url))
			options_check_tls(c, child, &l->tls);
		child = child == NULL ? NULL : child->next;
	}
}

void config_link_place(const char *path, struct aggregator_config *cfg)
{
	struct aggregator_listen *listen = cfg->listen.items;
	struct aggregator_agent *agents = cfg->agents.items;

	for (size_t i = 0; i < cfg->listen.count; i++)
		options_place_tls(path, &listen[i].tls);
	for (size_t i = 0; i < cfg->agents.count; i++)
		options_place_beside(path, &agents[i].key_file);
}
