/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * alert_config - what the configuration says under "alert": routes, receivers, who sends. Constant
 * once loaded; config_alert.c fills it. Strings are never NULL, "" where nothing is set; names of
 * files can be opened as they are.
 */

#include "common/base.h"
#include "common/conf.h"

/* In the order of their words in the file. */
enum alert_type {
	ALERT_WEBHOOK,
	ALERT_MAIL,
	ALERT_SLACK,
	ALERT_TEAMS,
	ALERT_PAGERDUTY,
	ALERT_OPSGENIE,
	ALERT_TWILIO_SMS,
	ALERT_JSON_SMS,
	ALERT_ALERTMANAGER,
	ALERT_BURROW_HTTP,
	ALERT_BURROW_EMAIL,
	ALERT_NULL, /* told, and nothing is sent; the word is none, as null is no word in YAML */
	ALERT_TYPES,
};

/* The words in the file, "webhook", "twilio-sms", with a NULL at the end; and one of them. */
extern const char *const ALERT_TYPE_WORDS[ALERT_TYPES + 1];
const char *alert_type_str(enum alert_type t);

enum alert_method { ALERT_POST, ALERT_PUT, ALERT_PATCH, ALERT_GET, ALERT_DELETE };
enum alert_body { ALERT_JSON, ALERT_FORM, ALERT_TEXT };
enum alert_starttls { ALERT_STARTTLS_REQUIRED, ALERT_STARTTLS_NONE };
enum alert_status { ALERT_STATUS_WARN, ALERT_STATUS_ERR };
enum alert_send { ALERT_SEND_ALWAYS, ALERT_SEND_FIRST_ALIVE };

struct alert_tls {
	char *ca_file; /* "": the system's */
	char *cert_file, *key_file;
	bool verify;
};

/* Files; "": the built-in form. */
struct alert_templates {
	char *subject, *text, *html; /* mail; text: SMS as well */
	char *body;                  /* of an HTTP request */
	char *body_resolve;          /* the same for resolve; "": body */
};

/* What is tried again, and when that ends. */
struct alert_retry {
	int64_t first_ms; /* after the first failure; then twice as long each time */
	int64_t max_ms;   /* but never longer than this */
	int64_t for_ms;   /* after so long a message is dead */
};

/* Options of Burrow's notifiers, see README.md. */
struct alert_burrow {
	int64_t threshold;        /* 1 OK, 2 WARN, 3 ERR: as Burrow counts */
	int64_t interval_ms;      /* how often a group's status is looked at */
	int64_t send_interval_ms; /* between two messages of a group; 0: interval_ms */
	bool send_close, send_once;
	char *url_close; /* "": url */
	enum alert_method method_close;
	char *group_allow, *group_deny; /* POSIX extended regular expressions; "": none */
	struct conf_map extras;
};

struct alert_receiver {
	char *name;
	enum alert_type type;
	bool send_resolved;

	/* over HTTP; url of Alertmanager: all of urls are told */
	char *url, *url_file; /* url_file: its first line is the url; at most one is set */
	struct conf_list urls;
	enum alert_method method;
	enum alert_body body;
	struct conf_map headers;
	char *token_file;   /* Authorization: Bearer */
	char *api_key_file; /* PagerDuty's routing key, Opsgenie's key */

	/* HTTP basic, or SMTP */
	char *user, *password_file;

	struct alert_tls tls;
	char *proxy;
	int64_t timeout_ms;

	/* mail, SMS */
	char *server; /* smtp://host:port or smtps://host:port */
	enum alert_starttls starttls;
	char *hello; /* the name for EHLO; "": the host's */
	char *from;
	struct conf_list to;

	struct alert_templates templates;
	struct alert_retry retry;
	struct alert_burrow burrow;
};

/* When a route speaks. */
struct alert_hours {
	struct conf_list days; /* "mon" to "sun"; none: every day */
	char *from, *to;       /* "08:00"; equal: the whole day; from > to: over midnight */
	char *timezone;        /* "Europe/Berlin" */
	char *otherwise;       /* the receiver outside of them; "": messages wait for them */
};

struct alert_route {
	/* what it is for; an empty list or map: all */
	struct conf_list environment, cluster, group; /* globs */
	struct conf_list status;                      /* WARN, ERR */
	struct conf_list reason;                      /* of reason_str() */
	struct conf_list kind;                        /* group, blind */
	struct conf_map label;                        /* globs of values */
	bool go_on;                                   /* "continue": the next route is tried too */

	/* what it does; inherited from the route above where the file says nothing */
	char *receiver;            /* "": nobody is told, it only shows */
	struct conf_list group_by; /* environment, cluster, group, topic, reason, or a label */
	enum alert_status min_status;
	int64_t wait_ms;
	int64_t repeat_ms;         /* 0: never */
	int64_t escalate_after_ms; /* 0: never */
	char *escalate_to;
	int64_t storm_limit; /* messages in storm_span_ms; 0: no limit */
	int64_t storm_span_ms;
	struct alert_hours hours;

	struct conf_array routes; /* of struct alert_route; the first that matches has it */
	char *name;               /* for people; "": its place, such as 2.1 */
	uint32_t given;           /* bits of what the file says, by config_alert.c */
};

/* Incidents that nobody is told of, in a part of each week. Patterns, "*" for any. */
struct alert_silence {
	char *environment, *cluster, *group, *topic;
	char *status, *reason; /* words; "": any */
	struct conf_map label; /* globs of values */
	struct conf_list days; /* as of struct alert_hours, and the next three */
	char *from, *to, *timezone;
	char *note;
};

struct alert_config {
	char *url; /* of the page, for links in messages; "": none */
	enum alert_send send;
	struct conf_list peers; /* URLs of the HTTP API of all replicas, the first of them first */
	char *self;             /* which of them is this one */
	struct alert_tls peer_tls;
	int64_t takeover_after_ms;
	bool fail_open;
	int64_t keep_sent_ms, keep_dead_ms;
	struct conf_array receivers; /* of struct alert_receiver */
	struct conf_array silences;  /* of struct alert_silence */
	struct alert_route route;
};

/* NULL: there is none of that name. */
const struct alert_receiver *alert_config_receiver(const struct alert_config *c, const char *name);

/* Whether it is one of Burrow's, for which struct alert_burrow holds. */
bool alert_config_is_burrow(const struct alert_receiver *r);

/* Whether it keeps each thread as an alert of its own, which must hear of its end, and which
 * somebody can have acknowledged. */
bool alert_config_is_keyed(const struct alert_receiver *r);

/* "08:00" to minutes of the day; "24:00" is 0. False if it is none. */
bool alert_config_minutes(const char *text, uint16_t *ret_minutes);
