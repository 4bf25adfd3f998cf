/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_http.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/config.h"
#include "aggregator/serve/access.h"
#include "aggregator/serve/authorization.h"
#include "common/err.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)

/* --- single values --- */

/* Split a numeric address. Names are refused, so that the file alone tells who can connect. */
static bool split_listen(const char *listen, char ret_host[static 256])
{
	uint16_t port = 0;
	struct in_addr v4;

	return options_split_address(listen, ret_host, &port) &&
	       (listen[0] == '[' || inet_pton(AF_INET, ret_host, &v4) == 1);
}

static bool listens_to_all(const struct aggregator_http *http)
{
	char host[256];

	return split_listen(http->listen, host) && !options_loopback(host);
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

static void check_digest(struct conf_load *c, const struct tree_node *node, void *field)
{
	uint8_t digest[MAC_SIZE];

	const char *hex = *(char **)field;

	if (hex[0] != '\0' && authorization_parse_digest(hex, digest) != ERR_OK)
		conf_error(c, node,
			   "token_sha256: is wrong; expects 64 hex digits, as from: printf %%s "
			   "TOKEN | sha256sum");
}

static void check_user(struct conf_load *c, const struct tree_node *node, void *field)
{
	for (const char *p = *(char **)field; *p != '\0'; p++) {
		if ((unsigned char)*p >= ' ' && *p != 0x7f && *p != ':')
			continue;
		conf_error(c, node, "user: %s holds a colon or a control character",
			   log_quote(*(char **)field));
		return;
	}
}

static void check_name(struct conf_load *c, const struct tree_node *node, void *field)
{
	for (const char *p = *(char **)field; *p != '\0'; p++) {
		if (*p > ' ' && *p <= '~')
			continue;
		conf_error(c, node, "name: %s holds more than plain characters without blanks",
			   log_quote(*(char **)field));
		return;
	}
}

static void check_roles(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *roles = field;
	enum access_role role = ACCESS_NONE;

	for (size_t i = 0; i < roles->count; i++) {
		if (!access_role_parse(roles->items[i], &role))
			conf_error(c, node, "roles: %s is wrong; expects metrics, read or admin",
				   log_quote(roles->items[i]));
	}
}

static void check_clusters(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *clusters = field;

	for (size_t i = 0; i < clusters->count; i++) {
		const char *glob = clusters->items[i];

		if (strlen(glob) > 512 || (strchr(glob, '/') == NULL && strcmp(glob, "*") != 0))
			conf_error(c, node,
				   "clusters: %s is wrong; expects a pattern such as PROD/* of "
				   "ENVIRONMENT/CLUSTER",
				   log_quote(glob));
	}
}

/* --- credentials --- */

/* What proves that it is them: exactly one. */
static void check_credential(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct aggregator_credential *a = object;
	int tokens = (a->token_sha256[0] != '\0') + (a->token_file[0] != '\0');
	int passwords = (a->password_hash[0] != '\0') + (a->password_file[0] != '\0');
	int certificates = a->client_cn[0] != '\0';

	if (tokens + passwords + certificates != 1)
		conf_error(c, map,
			   "auth: expects exactly one of token_sha256, token_file, password_hash, "
			   "password_file and client_cn");
	else if ((passwords == 1) != (a->user[0] != '\0'))
		conf_error(c, map, "user: goes together with password_hash or password_file");
}

static const struct conf_item CREDENTIAL_ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .required = true,
	 .offset = offsetof(struct aggregator_credential, name),
	 .min = 1,
	 .max = 64,
	 .check = check_name,
	 .help = "who it is, for the log"},
	{.key = "token_sha256",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_credential, token_sha256),
	 .secret = true,
	 .check = check_digest,
	 .help = "of the token, 64 hex digits"},
	{.key = "token_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_credential, token_file),
	 .max = 4000,
	 .help = "file with one line, the token"},
	{.key = "user",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_credential, user),
	 .max = 255,
	 .check = check_user,
	 .help = "name for basic authentication"},
	{.key = "password_hash",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_credential, password_hash),
	 .secret = true,
	 .max = 383,
	 .help = "of the password, as mkpasswd makes it"},
	{.key = "password_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_credential, password_file),
	 .max = 4000,
	 .help = "file with one line, the password"},
	{.key = "client_cn",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_credential, client_cn),
	 .max = 255,
	 .help = "common name of a client certificate"},
	{.key = "roles",
	 .type = CONF_LIST,
	 .offset = offsetof(struct aggregator_credential, roles),
	 .required = true,
	 .min = 1,
	 .max = 3,
	 .check = check_roles,
	 .help = "metrics, read, admin; each holds the ones before it"},
	{.key = "clusters",
	 .type = CONF_LIST,
	 .offset = offsetof(struct aggregator_credential, clusters),
	 .fallback = "*",
	 .min = 1,
	 .max = 64,
	 .check = check_clusters,
	 .help = "patterns of ENVIRONMENT/CLUSTER"},
};

static const struct conf_schema CREDENTIAL = {
	.size = sizeof(struct aggregator_credential),
	.items = CREDENTIAL_ITEMS,
	.item_count = ARRAY_LEN(CREDENTIAL_ITEMS),
	.check = check_credential,
};

/* --- TLS --- */

static void check_tls(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct aggregator_http_tls *tls = object;

	if ((tls->cert_file[0] != '\0') != (tls->key_file[0] != '\0'))
		conf_error(c, map, "tls: cert_file and key_file go together");
	else if (tls->client_ca_file[0] != '\0' && tls->cert_file[0] == '\0')
		conf_error(c, map, "client_ca_file: needs cert_file and key_file");
}

static const struct conf_item TLS_ITEMS[] = {
	{.key = "cert_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http_tls, cert_file),
	 .max = 4000,
	 .help = "certificate and the chain to its CA, PEM; empty: plain HTTP"},
	{.key = "key_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http_tls, key_file),
	 .max = 4000,
	 .help = "its key, PEM; others must not be able to read it"},
	{.key = "client_ca_file",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http_tls, client_ca_file),
	 .max = 4000,
	 .help = "CA of the certificates that clients must show, PEM; empty: none are asked for"},
};

static const struct conf_schema TLS = {
	.size = sizeof(struct aggregator_http_tls),
	.items = TLS_ITEMS,
	.item_count = ARRAY_LEN(TLS_ITEMS),
	.check = check_tls,
};

/* --- the whole --- */

static bool same(const char *a, const char *b)
{
	return a[0] != '\0' && strcmp(a, b) == 0;
}

static void check_differ(struct conf_load *c, const struct tree_node *node,
			 const struct aggregator_credential *a,
			 const struct aggregator_credential *b)
{
	if (same(a->name, b->name))
		conf_error(c, node, "name: %s comes twice", log_quote(a->name));
	if (same(a->user, b->user))
		conf_error(c, node, "user: %s comes twice", log_quote(a->user));
	if (same(a->client_cn, b->client_cn))
		conf_error(c, node, "client_cn: %s comes twice", log_quote(a->client_cn));
}

static void check_http(struct conf_load *c, const struct tree_node *map, void *object)
{
	struct aggregator_http *http = object;
	const struct tree_node *node = tree_get(map, "auth");
	const struct aggregator_credential *auth = http->auth.items;
	const struct tree_node *anonymous = tree_get(map, "anonymous");

	if ((anonymous == NULL || anonymous->null) && !listens_to_all(http))
		http->anonymous = ACCESS_READ;
	for (size_t i = 0; i < http->auth.count; i++) {
		for (size_t k = 0; k < i; k++)
			check_differ(c, node, &auth[i], &auth[k]);
		if (auth[i].client_cn[0] != '\0' && http->tls.client_ca_file[0] == '\0')
			conf_error(c, node, "client_cn: needs tls.client_ca_file");
	}
}

static const char *const ANONYMOUS[] = {"none", "metrics", "read", NULL};

static const struct conf_item HTTP_ITEMS[] = {
	{.key = "listen",
	 .type = CONF_STRING,
	 .offset = offsetof(struct aggregator_http, listen),
	 .fallback = "127.0.0.1:8000",
	 .min = 1,
	 .max = 255,
	 .check = check_listen,
	 .help = "where the HTTP API answers, address:port or [v6]:port"},
	{.key = "tls",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct aggregator_http, tls),
	 .schema = &TLS},
	{.key = "anonymous",
	 .type = CONF_WORD,
	 .offset = offsetof(struct aggregator_http, anonymous),
	 .fallback = "none",
	 .words = ANONYMOUS,
	 .help = "the role of who shows no credentials"},
	{.key = "auth",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct aggregator_http, auth),
	 .schema = &CREDENTIAL,
	 .max = 64,
	 .help = "credentials"},
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
	{.key = "metrics_partitions",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct aggregator_http, metrics_partitions),
	 .fallback = "true",
	 .help = "/metrics has those of every partition of every group: most of them"},
	{.key = "metrics_topics",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct aggregator_http, metrics_topics),
	 .fallback = "true",
	 .help = "/metrics has the log end offset of every partition of every topic"},
	{.key = "metrics_groups",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct aggregator_http, metrics_groups),
	 .fallback = "true",
	 .help = "/metrics has those of every group"},
};

const struct conf_schema CONFIG_HTTP = {
	.size = sizeof(struct aggregator_http),
	.items = HTTP_ITEMS,
	.item_count = ARRAY_LEN(HTTP_ITEMS),
	.check = check_http,
};

void config_http_check(struct conf_load *c, const struct tree_node *root, void *object)
{
	const struct aggregator_config *cfg = object;
	const struct aggregator_http *http = &cfg->http;
	const struct tree_node *node = tree_get(tree_get(root, "http"), "listen");
	bool tls = http->tls.cert_file[0] != '\0';
	bool auth = http->auth.count > 0 || http->tls.client_ca_file[0] != '\0';

	if (cfg->insecure || !listens_to_all(http) || (tls && auth))
		return;
	conf_error(c, node, "insecure: %s is open to other machines without %s; set %s%s%s, or %s",
		   http->listen,
		   tls    ? "credentials"
		   : auth ? "TLS"
			  : "TLS and credentials",
		   tls ? "" : "http.tls", tls || auth ? "" : " and ", auth ? "" : "http.auth",
		   "insecure: true");
}

void config_http_place(const char *path, struct aggregator_http *http)
{
	struct aggregator_credential *auth = http->auth.items;

	options_place_beside(path, &http->tls.cert_file);
	options_place_beside(path, &http->tls.key_file);
	options_place_beside(path, &http->tls.client_ca_file);
	for (size_t i = 0; i < http->auth.count; i++) {
		options_place_beside(path, &auth[i].token_file);
		options_place_beside(path, &auth[i].password_file);
	}
}
