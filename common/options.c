/* SPDX-License-Identifier: Apache-2.0 */
#include "common/options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static const char TCP[] = "tcp://";
static const char TLS[] = "tls+tcp://";

static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};
static const char *const FORMATS[] = {"logfmt", "json", NULL};

static const struct conf_item LOG_ITEMS[] = {
	{.key = "level",
	 .type = CONF_WORD,
	 .offset = offsetof(struct options_log, level),
	 .fallback = "info",
	 .words = LEVELS,
	 .help = "the least that is logged: debug, info, warn or error"},
	{.key = "format",
	 .type = CONF_WORD,
	 .offset = offsetof(struct options_log, format),
	 .fallback = "logfmt",
	 .words = FORMATS,
	 .help = "logfmt or json"},
};

const struct conf_schema OPTIONS_LOG = {
	.size = sizeof(struct options_log),
	.items = LOG_ITEMS,
	.item_count = ARRAY_LEN(LOG_ITEMS),
};

void options_log_apply(const struct options_log *log)
{
	log_set_format(log->format);
	log_set_level(log->level);
}

static bool host_ok(const char *host)
{
	static const char NAME[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";

	return *host != '\0' && strspn(host, NAME) == strlen(host);
}

bool options_split_address(const char *text, char ret_host[static 256], uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool bracket = *text == '[';
	struct in6_addr v6;
	char host[256];

	if (colon == NULL || (bracket && (colon - text < 2 || colon[-1] != ']')))
		return false;
	size_t size = (size_t)(colon - text) - (bracket ? 2 : 0);
	if (size >= sizeof(host))
		return false;
	memcpy(host, text + bracket, size);
	host[size] = '\0';
	if (bracket ? inet_pton(AF_INET6, host, &v6) != 1 : !host_ok(host))
		return false;

	size_t digits = strspn(colon + 1, "0123456789");
	unsigned long port = strtoul(colon + 1, NULL, 10);
	if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || port == 0 ||
	    port > UINT16_MAX)
		return false;
	memcpy(ret_host, host, size + 1);
	*ret_port = (uint16_t)port;
	return true;
}

bool options_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcmp(host, "localhost") == 0;
}

/* What follows the scheme; NULL if it is none of ours. */
static const char *behind_scheme(const char *address)
{
	if (strncmp(address, TCP, strlen(TCP)) == 0)
		return address + strlen(TCP);
	return strncmp(address, TLS, strlen(TLS)) == 0 ? address + strlen(TLS) : NULL;
}

bool options_is_tls(const char *address)
{
	return strncmp(address, TLS, strlen(TLS)) == 0;
}

bool options_host(const char *address, char ret_host[static 256])
{
	const char *rest = behind_scheme(address);
	uint16_t port = 0;
	struct in_addr v4;

	ret_host[0] = '\0';
	return rest != NULL && options_split_address(rest, ret_host, &port) && *rest != '[' &&
	       inet_pton(AF_INET, ret_host, &v4) != 1;
}

void options_check_address(struct conf_load *c, const struct tree_node *node, const char *key,
			   const char *address)
{
	const char *rest = behind_scheme(address);
	char host[256];
	uint16_t port = 0;

	if (rest == NULL || !options_split_address(rest, host, &port))
		conf_error(c, node,
			   "%s: %s is no address; expects tcp://host:port or "
			   "tls+tcp://host:port, an IPv6 host in brackets",
			   key, log_quote(address));
}

void options_check_addresses(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *list = field;
	const struct tree_node *child = node->first;

	for (size_t i = 0; i < list->count; i++, child = child->next)
		options_check_address(c, child, node->key, list->items[i]);
}

void options_check_plain(struct conf_load *c, const struct tree_node *node, const char *address)
{
	char host[256];
	uint16_t port = 0;

	if (strncmp(address, TCP, strlen(TCP)) != 0 ||
	    !options_split_address(address + strlen(TCP), host, &port) || options_loopback(host))
		return;
	conf_error(c, node,
		   "insecure: %s is plain tcp to other than loopback; use tls+tcp:// or set "
		   "insecure: true",
		   address);
}

void options_check_tls(struct conf_load *c, const struct tree_node *node,
		       const struct options_tls *tls)
{
	const struct {
		const char *key;
		const char *value;
	} files[] = {{"ca_file", tls->ca_file},
		     {"cert_file", tls->cert_file},
		     {"key_file", tls->key_file}};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i].value[0] == '\0')
			conf_error(c, node, "tls: %s: missing; tls+tcp:// needs it", files[i].key);
}

void options_place_beside(const char *path, char **name)
{
	CLEANUP(buf_free) struct buf full = {0};
	const char *slash = strrchr(path, '/');

	if (**name == '\0' || **name == '/' || slash == NULL)
		return;
	buf_put(&full, path, (size_t)(slash - path) + 1);
	buf_puts(&full, *name);
	free(*name);
	*name = mem_copy(buf_str(&full));
}

void options_place_tls(const char *path, struct options_tls *tls)
{
	options_place_beside(path, &tls->ca_file);
	options_place_beside(path, &tls->cert_file);
	options_place_beside(path, &tls->key_file);
}
