/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config_receiver.h"

#include "aggregator/alert/alert_config.h"
#include "aggregator/config_burrow.h"
#include "aggregator/config_receiver_check.h"
#include "common/options.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

const char *const CONFIG_RECEIVER_METHODS[] = {"POST", "PUT", "PATCH", "GET", "DELETE", NULL};

static const char *const BODIES[] = {"json", "form", "text", NULL};
static const char *const STARTTLS[] = {"required", "none", NULL};

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

static const struct conf_item ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .required = true,
	 .offset = offsetof(struct alert_receiver, name),
	 .min = 1,
	 .max = 63,
	 .check = config_receiver_check_name,
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
	 .check = config_receiver_check_url,
	 .help = "where to"},
	FILE_ITEM(alert_receiver, url_file, "url_file",
		  "or a file with one line, where it is secret"),
	{.key = "urls",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_receiver, urls),
	 .max = 16,
	 .check = config_receiver_check_urls,
	 .help = "of Alertmanager; all are told"},
	{.key = "method",
	 .type = CONF_WORD,
	 .offset = offsetof(struct alert_receiver, method),
	 .fallback = "POST",
	 .words = CONFIG_RECEIVER_METHODS},
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
	 .check = config_receiver_check_headers,
	 .help = "in addition"},
	FILE_ITEM(alert_receiver, token_file, "token_file", "for Authorization: Bearer, one line"),
	FILE_ITEM(alert_receiver, api_key_file, "api_key_file",
		  "of PagerDuty or Opsgenie, one line"),
	{.key = "user",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, user),
	 .max = 255,
	 .check = config_receiver_check_line,
	 .help = "for basic authentication, or at the mail server"},
	FILE_ITEM(alert_receiver, password_file, "password_file", "one line"),
	{.key = "tls",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct alert_receiver, tls),
	 .schema = &CONFIG_RECEIVER_TLS},
	{.key = "proxy",
	 .type = CONF_STRING,
	 .secret = true,
	 .offset = offsetof(struct alert_receiver, proxy),
	 .max = 1000,
	 .check = config_receiver_check_proxy,
	 .help = "URL of a proxy; empty: as the environment says"},
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
	 .check = config_receiver_check_server,
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
	 .check = config_receiver_check_line,
	 .help = "name to greet the mail server with; empty: this machine's"},
	{.key = "from",
	 .type = CONF_STRING,
	 .offset = offsetof(struct alert_receiver, from),
	 .max = 320,
	 .check = config_receiver_check_line,
	 .help = "of mails and SMS"},
	{.key = "to",
	 .type = CONF_LIST,
	 .offset = offsetof(struct alert_receiver, to),
	 .max = 100,
	 .check = config_receiver_check_to,
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
	 .schema = &CONFIG_BURROW,
	 .help = "of receivers of type burrow_http and burrow_email"},
};

const struct conf_schema CONFIG_RECEIVER = {
	.size = sizeof(struct alert_receiver),
	.items = ITEMS,
	.item_count = ARRAY_LEN(ITEMS),
	.check = config_receiver_check,
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
