/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_receiver.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aggregator/alert/alert_config.h"
#include "common/log.h"
#include "common/options.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

#define BIT(type) (1u << (type))
#define OVER_HTTP                                                                                  \
	(BIT(ALERT_WEBHOOK) | BIT(ALERT_SLACK) | BIT(ALERT_TEAMS) | BIT(ALERT_PAGERDUTY) |         \
	 BIT(ALERT_OPSGENIE) | BIT(ALERT_TWILIO_SMS) | BIT(ALERT_JSON_SMS) |                       \
	 BIT(ALERT_ALERTMANAGER) | BIT(ALERT_BURROW_HTTP))
#define BY_MAIL (BIT(ALERT_MAIL) | BIT(ALERT_BURROW_EMAIL))
#define BY_SMS (BIT(ALERT_TWILIO_SMS) | BIT(ALERT_JSON_SMS))
#define WITH_KEY (BIT(ALERT_PAGERDUTY) | BIT(ALERT_OPSGENIE))

static const char *const METHODS[] = {"POST", "PUT", "PATCH", "GET", "DELETE", NULL};
static const char *const BODIES[] = {"json", "form", "text", NULL};
static const char *const STARTTLS[] = {"required", "none", NULL};

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

static void check_url(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *url = *(char **)field;

	if (url[0] != '\0' && !is_url(url, "http://", "https://"))
		conf_error(c, node, "%s: %s is no URL; expects one such as https://host/path",
			   node->key, log_quote(url));
}

static void check_urls(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *urls = field;

	for (size_t i = 0; i < urls->count; i++) {
		if (!is_url(urls->items[i], "http://", "https://"))
			conf_error(c, node,
				   "%s: %s is no URL; expects one such as http://host:9093",
				   node->key, log_quote(urls->items[i]));
	}
}

static void check_server(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *url = *(char **)field;

	if (url[0] != '\0' && !is_url(url, "smtp://", "smtps://"))
		conf_error(c, node,
			   "server: %s is no mail server; expects smtp://host:port, or "
			   "smtps://host:port where TLS begins at once",
			   log_quote(url));
}

static void check_line(struct conf_load *c, const struct tree_node *node, void *field)
{
	if (!one_line(*(char **)field))
		conf_error(c, node, "%s: %s holds a control character", node->key,
			   log_quote(*(char **)field));
}

static void check_to(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_list *to = field;

	for (size_t i = 0; i < to->count; i++) {
		if (to->items[i][0] == '\0' || !one_line(to->items[i]))
			conf_error(c, node, "to: %s is no address", log_quote(to->items[i]));
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

static void check_headers(struct conf_load *c, const struct tree_node *node, void *field)
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

static void check_regex(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *pattern = *(char **)field;
	char why[128];
	regex_t regex;

	if (pattern[0] == '\0')
		return;
	int result = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (result == 0) {
		regfree(&regex);
		return;
	}
	regerror(result, NULL, why, sizeof(why));
	conf_error(c, node, "%s: %s is no POSIX extended regular expression: %s", node->key,
		   log_quote(pattern), why);
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

static void check_receiver(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct alert_receiver *r = object;

	check_only(c, map, r);
	check_where(c, map, r);
	check_secrets(c, map, r);
	if (r->retry.max_ms < r->retry.first_ms)
		conf_error(c, map, "retry: max is less than first");
}

/* --- the tables --- */

#define FILE_ITEM(struct_, field_, key_, help_)                                                    \
	{                                                                                          \
		.key = key_, .type = CONF_STRING, .offset = offsetof(struct struct_, field_),      \
		.max = 4000, .help = help_                                                         \
	}

static const struct conf_item TLS_ITEMS[] = {
	FILE_ITEM(alert_tls, ca_file, "ca_file", "PEM; empty: the system's"),
	FILE_ITEM(alert_tls, cert_file, "cert_file", "what is shown to the server, PEM"),
	FILE_ITEM(alert_tls, key_file, "key_file", "its key, PEM"),
	{.key = "verify",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct alert_tls, verify),
	 .fallback = "true",
	 .help = "false: whoever answers is believed"},
};

const struct conf_schema CONFIG_RECEIVER_TLS = {
	.size = sizeof(struct alert_tls),
	.items = TLS_ITEMS,
	.item_count = ARRAY_LEN(TLS_ITEMS),
};

static const struct conf_item TEMPLATES_ITEMS[] = {
	FILE_ITEM(alert_templates, subject, "subject", "of a mail"),
	FILE_ITEM(alert_templates, text, "text", "of a mail or an SMS"),
	FILE_ITEM(alert_templates, html, "html", "of a mail"),
	FILE_ITEM(alert_templates, body, "body", "of an HTTP request"),
	FILE_ITEM(alert_templates, body_resolve, "body_resolve", "when it is over; empty: body"),
};

static const struct conf_schema TEMPLATES = {
	.size = sizeof(struct alert_templates),
	.items = TEMPLATES_ITEMS,
	.item_count = ARRAY_LEN(TEMPLATES_ITEMS),
};

static const struct conf_item RETRY_ITEMS[] = {
	{.key = "first",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_retry, first_ms),
	 .fallback = "2s",
	 .min = 100,
	 .max = 1 * HOURS,
	 .help = "after a failure; then twice as long each time"},
	{.key = "max",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_retry, max_ms),
	 .fallback = "5m",
	 .min = 100,
	 .max = 1 * DAYS,
	 .help = "but never longer than this"},
	{.key = "for",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_retry, for_ms),
	 .fallback = "12h",
	 .max = 30 * DAYS,
	 .help = "a message that could not be delivered for so long is given up"},
};

static const struct conf_schema RETRY = {
	.size = sizeof(struct alert_retry),
	.items = RETRY_ITEMS,
	.item_count = ARRAY_LEN(RETRY_ITEMS),
};

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
	 .check = check_url,
	 .help = "of the message that it is over; empty: url"},
	{.key = "method_close",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_burrow, method_close),
	 .fallback = "POST",
	 .words = METHODS,
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

static const struct conf_schema BURROW = {
	.size = sizeof(struct alert_burrow),
	.items = BURROW_ITEMS,
	.item_count = ARRAY_LEN(BURROW_ITEMS),
};

static const struct conf_item ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .required = true,
	 .offset = offsetof(struct alert_receiver, name),
	 .min = 1,
	 .max = 63,
	 .check = check_name,
	 .help = "by which routes name it"},
	{.key = "type",
	 .type = CONF_WORD,
	 .required = true,
	 .offset = offsetof(struct alert_receiver, type),
	 .words = ALERT_TYPE_WORDS,
	 .help = "what it is"},
	{.key = "send_resolved",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct alert_receiver, send_resolved),
	 .fallback = "true",
	 .help = "say when it is over; of Burrow's: send_close"},
	{.key = "url",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, url),
	 .max = 4000,
	 .check = check_url,
	 .help = "where to"},
	FILE_ITEM(alert_receiver, url_file, "url_file",
		  "or a file with one line, where it is secret"),
	{.key = "urls",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_receiver, urls),
	 .max = 16,
	 .check = check_urls,
	 .help = "of Alertmanager; all are told"},
	{.key = "method",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_receiver, method),
	 .fallback = "POST",
	 .words = METHODS},
	{.key = "body",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_receiver, body),
	 .fallback = "json",
	 .words = BODIES,
	 .help = "form of a webhook's body"},
	{.key = "headers",
	 .type = CONF_MAP,
	 .offset = offsetof(struct alert_receiver, headers),
	 .max = 64,
	 .check = check_headers,
	 .help = "in addition"},
	FILE_ITEM(alert_receiver, token_file, "token_file", "for Authorization: Bearer, one line"),
	FILE_ITEM(alert_receiver, api_key_file, "api_key_file",
		  "of PagerDuty or Opsgenie, one line"),
	{.key = "user",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, user),
	 .max = 255,
	 .check = check_line,
	 .help = "for basic authentication, or at the mail server"},
	FILE_ITEM(alert_receiver, password_file, "password_file", "one line"),
	{.key = "tls",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_receiver, tls),
	 .schema = &CONFIG_RECEIVER_TLS},
	{.key = "proxy",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, proxy),
	 .max = 1000,
	 .check = check_line,
	 .help = "URL of an HTTP proxy; empty: as the environment says"},
	{.key = "timeout",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct alert_receiver, timeout_ms),
	 .fallback = "10s",
	 .min = 100,
	 .max = 5 * MINUTES,
	 .help = "of one attempt"},
	{.key = "server",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, server),
	 .max = 1000,
	 .check = check_server,
	 .help = "smtp://host:port or smtps://host:port"},
	{.key = "starttls",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_receiver, starttls),
	 .fallback = "required",
	 .words = STARTTLS,
	 .help = "of smtp://"},
	{.key = "hello",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, hello),
	 .max = 255,
	 .check = check_line,
	 .help = "name to greet the mail server with; empty: this machine's"},
	{.key = "from",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, from),
	 .max = 320,
	 .check = check_line,
	 .help = "of mails and SMS"},
	{.key = "to",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_receiver, to),
	 .max = 100,
	 .check = check_to,
	 .help = "of mails and SMS"},
	{.key = "templates",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_receiver, templates),
	 .schema = &TEMPLATES,
	 .help = "files; empty: the built-in form"},
	{.key = "retry",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_receiver, retry),
	 .schema = &RETRY},
	{.key = "burrow",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_receiver, burrow),
	 .schema = &BURROW,
	 .help = "of receivers of type burrow_http and burrow_email"},
};

const struct conf_schema CONFIG_RECEIVER = {
	.size = sizeof(struct alert_receiver),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = check_receiver,
};

void config_receiver_place_tls(const char *path, struct alert_tls *tls)
{
	options_place_beside(path, &tls->ca_file);
	options_place_beside(path, &tls->cert_file);
	options_place_beside(path, &tls->key_file);
}

void config_receiver_place(const char *path, struct alert_receiver *r)
{
	char **files[] = {&r->url_file,       &r->token_file,        &r->api_key_file,
			  &r->password_file,  &r->templates.subject, &r->templates.text,
			  &r->templates.html, &r->templates.body,    &r->templates.body_resolve};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		options_place_beside(path, files[i]);
	config_receiver_place_tls(path, &r->tls);
}
