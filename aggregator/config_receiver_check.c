/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_receiver_check.h"

#include <string.h>
#include <strings.h>

#include "aggregator/alert/alert_config.h"
#include "common/log.h"

#define BIT(type) (1u << (type))
#define OVER_HTTP                                                                                  \
	(BIT(ALERT_WEBHOOK) | BIT(ALERT_SLACK) | BIT(ALERT_TEAMS) | BIT(ALERT_PAGERDUTY) |         \
	 BIT(ALERT_OPSGENIE) | BIT(ALERT_TWILIO_SMS) | BIT(ALERT_JSON_SMS) |                       \
	 BIT(ALERT_ALERTMANAGER) | BIT(ALERT_BURROW_HTTP))
#define BY_MAIL (BIT(ALERT_MAIL) | BIT(ALERT_BURROW_EMAIL))
#define BY_SMS (BIT(ALERT_TWILIO_SMS) | BIT(ALERT_JSON_SMS))
#define WITH_KEY (BIT(ALERT_PAGERDUTY) | BIT(ALERT_OPSGENIE))

/* --- single values --- */

/* What goes into a line of a protocol must not be able to end it. */
static bool one_line(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

static bool starts(const char *s, const char *with)
{
	return strncasecmp(s, with, strlen(with)) == 0 && s[strlen(with)] != '\0';
}

/* A URL without blanks, and with a host. */
static bool is_url(const char *s, const char *plain, const char *tls)
{
	if (!starts(s, plain) && !starts(s, tls))
		return false;
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

void config_receiver_check_url(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *url = *(char **)field;

	if (url[0] != '\0' && !is_url(url, "http://", "https://"))
		conf_error(c, node, "%s: %s is no URL; expects one such as https://host/path",
			   node->key, log_quote(url));
}

void config_receiver_check_urls(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *urls = field;

	for (size_t i = 0; i < urls->count; i++) {
		if (!is_url(urls->items[i], "http://", "https://"))
			conf_error(c, node,
				   "%s: %s is no URL; expects one such as http://host:9093",
				   node->key, log_quote(urls->items[i]));
	}
}

void config_receiver_check_server(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *url = *(char **)field;

	if (url[0] != '\0' && !is_url(url, "smtp://", "smtps://"))
		conf_error(c, node,
			   "server: %s is no mail server; expects smtp://host:port, or "
			   "smtps://host:port where TLS begins at once",
			   log_quote(url));
}

/* It may hold a password, and is not shown. */
void config_receiver_check_proxy(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *url = *(char **)field;

	if (url[0] != '\0' && !is_url(url, "http://", "https://") &&
	    !is_url(url, "socks5://", "socks5h://"))
		conf_error(c, node,
			   "proxy: this is no URL of a proxy; expects one such as "
			   "http://proxy.example:3128");
}

void config_receiver_check_line(struct conf_load *c, const struct tree_node *node, void *field)
{
	if (!one_line(*(char **)field))
		conf_error(c, node, "%s: %s holds a control character", node->key,
			   log_quote(*(char **)field));
}

void config_receiver_check_to(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *to = field;

	for (size_t i = 0; i < to->count; i++) {
		if (to->items[i][0] == '\0' || !one_line(to->items[i]))
			conf_error(c, node, "to: %s is no address", log_quote(to->items[i]));
	}
}

void config_receiver_check_name(struct conf_load *c, const struct tree_node *node, void *field)
{
	for (const char *p = *(char **)field; *p != '\0'; p++) {
		if (*p > ' ' && *p <= '~')
			continue;
		conf_error(c, node, "name: %s holds more than plain characters without blanks",
			   log_quote(*(char **)field));
		return;
	}
}

/* Values of headers that look like secrets are not shown. */
static bool is_secret(const char *header)
{
	static const char *const PARTS[] = {"auth", "key", "token", "secret", "cookie"};

	for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
		if (strcasestr(header, PARTS[i]) != NULL)
			return true;
	}
	return false;
}

static bool is_header_name(const char *s)
{
	return s[0] != '\0' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		       strlen(s);
}

void config_receiver_check_headers(struct conf_load *c, const struct tree_node *node, void *field)
{
	struct conf_map *headers = field;

	for (size_t i = 0; i < headers->count; i++) {
		struct conf_pair *h = &headers->pairs[i];

		h->secret = is_secret(h->key);
		if (!is_header_name(h->key) || !one_line(h->value))
			conf_error(c, node, "headers: %s is no header of one line",
				   log_quote(h->key));
	}
}

/* --- a whole receiver --- */

/* Options that not every type has. */
static const struct {
	const char *key;
	unsigned types;
} ONLY[] = {
	{"url", OVER_HTTP & ~BIT(ALERT_ALERTMANAGER)},
	{"url_file", OVER_HTTP & ~BIT(ALERT_ALERTMANAGER)},
	{"urls", BIT(ALERT_ALERTMANAGER)},
	{"headers", OVER_HTTP},
	{"token_file", OVER_HTTP},
	{"api_key_file", WITH_KEY},
	{"user", OVER_HTTP | BY_MAIL},
	{"password_file", OVER_HTTP | BY_MAIL},
	{"proxy", OVER_HTTP},
	{"server", BY_MAIL},
	{"hello", BY_MAIL},
	{"from", BY_MAIL | BY_SMS},
	{"to", BY_MAIL | BY_SMS},
};

static bool is_set(const struct tree_node *node)
{
	if (node == NULL || node->null)
		return false;
	return node->kind == TREE_SCALAR ? node->text[0] != '\0' : node->count > 0;
}

static void check_only(struct conf_load *c, const struct tree_node *map,
		       const struct alert_receiver *r)
{
	for (size_t i = 0; i < ARRAY_LEN(ONLY); i++) {
		const struct tree_node *node = tree_get(map, ONLY[i].key);

		if (is_set(node) && (ONLY[i].types & BIT(r->type)) == 0)
			conf_error(c, node, "%s: is not for receivers of type %s", ONLY[i].key,
				   alert_type_str(r->type));
	}
}

static void check_where(struct conf_load *c, const struct tree_node *map,
			const struct alert_receiver *r)
{
	unsigned bit = BIT(r->type);
	bool has_own_url = (bit & WITH_KEY) != 0;

	if (r->url[0] != '\0' && r->url_file[0] != '\0')
		conf_error(c, map, "url: and url_file do not go together");
	if (r->type == ALERT_ALERTMANAGER && r->urls.count == 0)
		conf_error(c, map, "urls: missing; expects one or more, such as http://host:9093");
	else if ((bit & OVER_HTTP) != 0 && r->type != ALERT_ALERTMANAGER && !has_own_url &&
		 r->url[0] == '\0' && r->url_file[0] == '\0')
		conf_error(c, map, "url: missing; a receiver of type %s needs url or url_file",
			   alert_type_str(r->type));
	if ((bit & BY_MAIL) != 0 && r->server[0] == '\0')
		conf_error(c, map, "server: missing; a receiver of type %s needs one",
			   alert_type_str(r->type));
	if ((bit & (BY_MAIL | BY_SMS)) != 0 && (r->from[0] == '\0' || r->to.count == 0))
		conf_error(c, map, "to: a receiver of type %s needs from and to",
			   alert_type_str(r->type));
}

/* A password must not go over the net in clear. */
static void check_secrets(struct conf_load *c, const struct tree_node *map,
			  const struct alert_receiver *r)
{
	bool basic = r->user[0] != '\0' || r->password_file[0] != '\0';

	if ((r->user[0] != '\0') != (r->password_file[0] != '\0'))
		conf_error(c, map, "user: and password_file go together");
	if (basic && r->token_file[0] != '\0')
		conf_error(c, map, "token_file: does not go together with user");
	if ((BIT(r->type) & WITH_KEY) != 0 && r->api_key_file[0] == '\0')
		conf_error(c, map, "api_key_file: missing; a receiver of type %s needs one",
			   alert_type_str(r->type));
	if (basic && r->starttls == ALERT_STARTTLS_NONE && starts(r->server, "smtp://"))
		conf_error(c, map,
			   "starttls: none would send the password in clear; leave it at "
			   "required, or take smtps://");
	if ((r->tls.cert_file[0] != '\0') != (r->tls.key_file[0] != '\0'))
		conf_error(c, tree_get(map, "tls"), "tls: cert_file and key_file go together");
}

void config_receiver_check(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct alert_receiver *r = object;

	check_only(c, map, r);
	check_where(c, map, r);
	check_secrets(c, map, r);
	if (r->retry.max_ms < r->retry.first_ms)
		conf_error(c, map, "retry: max is less than first");
}
