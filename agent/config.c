/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

#define SECRET_MAX 65536 /* bytes of a secret file's first line */

static const char SERVERS[] = "bootstrap.servers";

/* --- checks --- */

static void check_name(struct conf_load *c, const struct tree_node *node, void *field)
{
	static const char ALLOWED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	const char *name = *(char **)field;

	if (strspn(name, ALLOWED) != strlen(name))
		conf_error(c, node, "name: %s has characters other than A-Z a-z 0-9 . _ -",
			   log_quote(name));
}

/* For names that are one part of a path in the HTTP API. */
static void check_part(struct conf_load *c, const struct tree_node *node, void *field)
{
	if (strchr(*(char **)field, '/') != NULL)
		conf_error(c, node, "%s: %s has a '/'; a name may not", node->key,
			   log_quote(*(char **)field));
}

static bool ends_with(const char *s, const char *end)
{
	size_t size = strlen(s);

	return size >= strlen(end) && strcmp(s + size - strlen(end), end) == 0;
}

static bool secret_key(const char *key)
{
	return strstr(key, "password") != NULL || strstr(key, "secret") != NULL ||
	       strncmp(key, "sasl.jaas", strlen("sasl.jaas")) == 0 ||
	       strncmp(key, "ssl.key.pem", strlen("ssl.key.pem")) == 0;
}

static const struct conf_pair *find_pair(const struct conf_map *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->pairs[i].key, key) == 0)
			return &map->pairs[i];
	}
	return NULL;
}

static bool given_twice(const struct conf_map *map, const struct conf_pair *pair)
{
	for (size_t i = 0; i < map->count; i++) {
		if (&map->pairs[i] != pair && strcmp(map->pairs[i].key, pair->key) == 0)
			return true;
	}
	return false;
}

/* Make KEY_file: path a secret KEY: first line. */
static void read_pair(struct conf_load *c, const struct tree_node *node, const struct conf_map *map,
		      struct conf_pair *pair)
{
	char *line = malloc(SECRET_MAX);
	if (line == NULL)
		abort();
	const char *why = secret_read(pair->value, line, SECRET_MAX);
	pair->key[strlen(pair->key) - strlen("_file")] = '\0';
	if (why != NULL)
		conf_error(c, node, "kafka: %s: %s: %s", log_quote(node->key),
			   log_quote(pair->value), why);
	if (given_twice(map, pair))
		conf_error(c, node, "kafka: %s: given twice, with and without _file",
			   log_quote(pair->key));
	free(pair->value);
	pair->value = why == NULL ? strdup(line) : strdup("");
	if (pair->value == NULL)
		abort();
	pair->secret = true;
	explicit_bzero(line, SECRET_MAX);
	free(line);
}

static void check_kafka(struct conf_load *c, const struct tree_node *node, void *field)
{
	struct conf_map *map = field;
	const struct tree_node *child = node->first;

	for (size_t i = 0; i < map->count; i++, child = child->next) {
		struct conf_pair *pair = &map->pairs[i];

		if (ends_with(pair->key, "_file"))
			read_pair(c, child, map, pair);
		else
			pair->secret = secret_key(pair->key);
	}
	const struct conf_pair *servers = find_pair(map, SERVERS);
	if (servers == NULL || servers->value[0] == '\0')
		conf_error(c, node, "kafka: %s: missing; expects host:port,host:port,...", SERVERS);
}

/* Whether an earlier cluster than the i-th has its name and environment. */
static bool seen_before(const struct agent_cluster *clusters, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(clusters[k].name, clusters[i].name) == 0 &&
		    strcmp(clusters[k].environment, clusters[i].environment) == 0)
			return true;
	}
	return false;
}

static void check_clusters(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_array *array = field;
	const struct agent_cluster *clusters = array->items;
	const struct tree_node *child = node->first;

	for (size_t i = 0; i < array->count; i++, child = child->next) {
		/* A name that is wrong is "" here, and was reported. */
		if (clusters[i].name[0] != '\0' && seen_before(clusters, i))
			conf_error(c, child,
				   "clusters: %s is there twice in environment %s; a name may be "
				   "once in each",
				   log_quote(clusters[i].name), log_quote(clusters[i].environment));
	}
}

/* mbedTLS, which nng uses, does not compare IP addresses. */
static void check_server_name(struct conf_load *c, const struct tree_node *node,
			      const struct agent_config *cfg, const char *address)
{
	char host[256];

	if (cfg->tls.server_name[0] == '\0' && !options_host(address, host))
		conf_error(c, node,
			   "tls: server_name: missing; %s has no name to find in the aggregator's "
			   "certificate",
			   log_quote(address));
}

static void check_all(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct agent_config *cfg = object;
	const struct tree_node *list = tree_get(map, "aggregators");
	const struct tree_node *child = list == NULL ? NULL : list->first;
	bool tls = false;

	for (size_t i = 0; i < cfg->aggregators.count && child != NULL; i++, child = child->next) {
		const char *address = cfg->aggregators.items[i];

		if (!cfg->insecure)
			options_check_plain(c, child, address);
		if (!options_is_tls(address))
			continue;
		tls = true;
		check_server_name(c, child, cfg, address);
	}
	if (tls)
		options_check_tls(c, tree_get(map, "tls"), &cfg->tls.files);
}

/* --- the tables --- */

static const char *const SOURCES[] = {"auto", "offsets-topic", "admin", NULL};

static const struct conf_item FILTER_ITEMS[] = {
	{.key = "allow",
	 .type = CONF_LIST,
	 .offset = offsetof(struct agent_filter, allow),
	 .max = 1000,
	 .help = "globs of the names to watch; empty: all"},
	{.key = "deny",
	 .type = CONF_LIST,
	 .offset = offsetof(struct agent_filter, deny),
	 .max = 1000,
	 .help = "globs of the names to leave out, allowed or not"},
};

static const struct conf_schema FILTER = {
	.size = sizeof(struct agent_filter),
	.items = FILTER_ITEMS,
	.item_count = ARRAY_LEN(FILTER_ITEMS),
};

static const struct conf_item PROBE_ITEMS[] = {
	{.key = "enabled",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct agent_probe, enabled),
	 .fallback = "true",
	 .help = "read where lag may be nothing but markers of transactions; needs READ on the "
		 "topic"},
	{.key = "per_pass",
	 .type = CONF_INT,
	 .offset = offsetof(struct agent_probe, per_pass),
	 .fallback = "20",
	 .min = 1,
	 .max = 1000,
	 .help = "partitions read in one pass, at most"},
	{.key = "max_bytes",
	 .type = CONF_SIZE,
	 .offset = offsetof(struct agent_probe, max_bytes),
	 .fallback = "1MiB",
	 .min = 1024,
	 .max = (int64_t)16 << 20,
	 .help = "what is fetched of a partition, at most"},
};

static const struct conf_schema PROBE = {
	.size = sizeof(struct agent_probe),
	.items = PROBE_ITEMS,
	.item_count = ARRAY_LEN(PROBE_ITEMS),
};

static const struct conf_item CLUSTER_ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_cluster, name),
	 .required = true,
	 .min = 1,
	 .max = 255,
	 .check = check_part,
	 .help = "how the cluster is called; case matters"},
	{.key = "environment",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_cluster, environment),
	 .max = 255,
	 .check = check_part,
	 .help = "such as PROD; clusters of one name may differ in it"},
	{.key = "kafka",
	 .type = CONF_MAP,
	 .offset = offsetof(struct agent_cluster, kafka),
	 .required = true,
	 .max = 200,
	 .check = check_kafka,
	 .help = "librdkafka's properties; KEY_file names a file whose first line is KEY's value"},
	{.key = "source",
	 .type = CONF_WORD,
	 .offset = offsetof(struct agent_cluster, source),
	 .fallback = "auto",
	 .words = SOURCES,
	 .help = "where committed offsets come from: auto, offsets-topic or admin"},
	{.key = "sample_interval",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct agent_cluster, sample_interval_ms),
	 .fallback = "10s",
	 .min = 1 * SECONDS,
	 .max = 10 * MINUTES,
	 .help = "time from one pass to the next"},
	{.key = "groups",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct agent_cluster, groups),
	 .schema = &FILTER,
	 .help = "which consumer groups"},
	{.key = "topics",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct agent_cluster, topics),
	 .schema = &FILTER,
	 .help = "which topics; __consumer_offsets never"},
	{.key = "probe",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct agent_cluster, probe),
	 .schema = &PROBE,
	 .help = "single records read where consumers seem to stand still"},
};

static const struct conf_schema CLUSTER = {
	.size = sizeof(struct agent_cluster),
	.items = CLUSTER_ITEMS,
	.item_count = ARRAY_LEN(CLUSTER_ITEMS),
};

static const struct conf_item TLS_ITEMS[] = {
	{.key = "ca_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_tls, files.ca_file),
	 .max = 4000,
	 .help = "PEM, the CAs that the certificates of aggregators may come from"},
	{.key = "cert_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_tls, files.cert_file),
	 .max = 4000,
	 .help = "PEM, this agent's certificate; its CN is the agent's name"},
	{.key = "key_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_tls, files.key_file),
	 .max = 4000,
	 .help = "PEM, its key, which others may not read"},
	{.key = "server_name",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_tls, server_name),
	 .max = 255,
	 .help = "DNS name in the certificates of aggregators; empty: the host of each address"},
};

static const struct conf_schema AGENT_TLS = {
	.size = sizeof(struct agent_tls),
	.items = TLS_ITEMS,
	.item_count = ARRAY_LEN(TLS_ITEMS),
};

static const struct conf_item LIMITS_ITEMS[] = {
	{.key = "spool_bytes",
	 .type = CONF_SIZE,
	 .offset = offsetof(struct agent_limits, spool_bytes),
	 .fallback = "1GiB",
	 .min = (int64_t)16 << 20,
	 .max = (int64_t)1 << 40,
	 .help = "disk for batches that no aggregator has taken yet; the oldest go first"},
	{.key = "spool_age",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct agent_limits, spool_age_ms),
	 .fallback = "24h",
	 .min = 1 * MINUTES,
	 .max = 30 * DAYS,
	 .help = "how long such batches are kept"},
};

static const struct conf_schema LIMITS = {
	.size = sizeof(struct agent_limits),
	.items = LIMITS_ITEMS,
	.item_count = ARRAY_LEN(LIMITS_ITEMS),
};

static const struct conf_item ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_config, name),
	 .required = true,
	 .min = 1,
	 .max = 255,
	 .check = check_name,
	 .help = "this agent's name, which no other agent may have"},
	{.key = "state_dir",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_config, state_dir),
	 .required = true,
	 .min = 1,
	 .max = 4000,
	 .help = "directory of what must outlive a restart"},
	{.key = "aggregators",
	 .type = CONF_LIST,
	 .offset = offsetof(struct agent_config, aggregators),
	 .required = true,
	 .min = 1,
	 .max = 8,
	 .check = options_check_addresses,
	 .help = "where to send, tcp://host:port or tls+tcp://host:port"},
	{.key = "tls",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct agent_config, tls),
	 .schema = &AGENT_TLS,
	 .help = "for tls+tcp; read again on SIGHUP"},
	{.key = "key_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent_config, key_file),
	 .max = 4000,
	 .help = "32 random bytes that an aggregator knows of this agent, hex or base64; empty: "
		 "none"},
	{.key = "clusters",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct agent_config, clusters),
	 .required = true,
	 .min = 1,
	 .max = 64,
	 .schema = &CLUSTER,
	 .check = check_clusters,
	 .help = "the Kafka clusters to watch"},
	{.key = "limits",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct agent_config, limits),
	 .schema = &LIMITS},
	{.key = "log",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct agent_config, log),
	 .schema = &OPTIONS_LOG},
	{.key = "insecure",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct agent_config, insecure),
	 .fallback = "false",
	 .help = "allow plain tcp to other machines"},
};

static const struct conf_schema SCHEMA = {
	.size = sizeof(struct agent_config),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = check_all,
};

/* --- the interface --- */

int agent_config_load(const char *path, struct agent_config **ret_cfg, struct buf *errors)
{
	void *object = NULL;
	int err = conf_load_file(&SCHEMA, path, errors, &object);

	if (err != ERR_OK)
		return err;
	struct agent_config *cfg = object;
	options_place_tls(path, &cfg->tls.files);
	options_place_beside(path, &cfg->key_file);
	*ret_cfg = cfg;
	return ERR_OK;
}

void agent_config_server_name(const struct agent_config *cfg, size_t i, char ret_name[static 256])
{
	const char *address = cfg->aggregators.items[i];

	ret_name[0] = '\0';
	if (options_is_tls(address) && cfg->tls.server_name[0] == '\0')
		(void)options_host(address, ret_name);
	else if (options_is_tls(address))
		snprintf(ret_name, 256, "%s", cfg->tls.server_name);
}

int agent_config_parse(const char *file, const char *text, size_t size,
		       struct agent_config **ret_cfg, struct buf *errors)
{
	void *object = NULL;
	int err = conf_parse(&SCHEMA, file, text, size, errors, &object);

	if (err == ERR_OK)
		*ret_cfg = object;
	return err;
}

void agent_config_print(const struct agent_config *cfg, struct buf *out)
{
	conf_print(&SCHEMA, cfg, out);
}

void agent_config_free(struct agent_config **cfg)
{
	void *object = *cfg;

	conf_free(&SCHEMA, &object);
	*cfg = NULL;
}
