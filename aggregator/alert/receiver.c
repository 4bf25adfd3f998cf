/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/receiver_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aggregator/alert/alertmanager.h"
#include "aggregator/alert/gsm.h"
#include "aggregator/alert/mail.h"
#include "common/err.h"
#include "common/json.h"

/* Of a body or one part of a mail. What chat programs take is less. */
#define BODY_MAX ((size_t)1 << 20)
#define TEAMS_MAX ((size_t)27 << 10)

#define PAGERDUTY_URL "https://events.pagerduty.com/v2/enqueue"
#define OPSGENIE_URL "https://api.opsgenie.com/v2/alerts"

void receiver_request_free(struct receiver_request *q)
{
	buf_free(&q->url);
	buf_free(&q->headers);
	buf_free(&q->body);
}

/* --- texts --- */

/* One attempt, without what it left behind when it fails. */
static int render_once(const struct template *t, const struct fields_at *at, size_t max,
		       struct buf *out)
{
	buf_reset(out);
	out->limit = max;
	return template_render(t, at, out);
}

/* The part into out, which is empty: with as many incidents as fit, then in the built-in form. */
static int render(const struct form_pair *pair, const struct fields_at *at, size_t max,
		  struct buf *out, bool *built_in)
{
	const struct template *forms[] = {pair->given, pair->built_in};
	int err = ERR_LIMIT;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct message m = *at->message;
		struct fields_at shorter = *at;

		shorter.message = &m;
		if (forms[i] == NULL)
			continue;
		if (i == 1 && pair->given != NULL)
			*built_in = true;
		for (;; m.count /= 2) {
			err = render_once(forms[i], &shorter, max, out);
			if (err != ERR_LIMIT || m.count <= 1)
				break;
		}
		if (err != ERR_LIMIT)
			return err;
	}
	return err;
}

/* A file ends with the end of a line, which is not meant. */
static void cut_line_ends(struct buf *text)
{
	while (text->size > 0 &&
	       (text->data[text->size - 1] == '\n' || text->data[text->size - 1] == '\r'))
		text->size--;
}

/* --- headers --- */

static void put_header(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s: ", name);
	escape_put(out, ESCAPE_TEXT, value, strlen(value));
	buf_putc(out, '\0');
}

static bool is_given(const struct conf_map *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++) {
		if (strcasecmp(headers->pairs[i].key, name) == 0)
			return true;
	}
	return false;
}

static void put_default(const struct alert_receiver *c, struct buf *out, const char *name,
			const char *value)
{
	if (!is_given(&c->headers, name))
		put_header(out, name, value);
}

static const char *content_type(enum escape how)
{
	switch (how) {
	case ESCAPE_FORM:
		return "application/x-www-form-urlencoded";
	case ESCAPE_TEXT:
		return "text/plain; charset=utf-8";
	default:
		return "application/json";
	}
}

static void put_headers(const struct alert_receiver *c, const struct message *m, size_t target,
			const struct receiver_secrets *s, struct buf *out)
{
	CLEANUP(buf_free) struct buf value = {0};

	put_default(c, out, "User-Agent", "Warren/" WARREN_VERSION);
	put_default(c, out, "Content-Type", content_type(receiver_escape(c)));
	/* The same for each attempt: a receiver that minds it does nothing twice. */
	buf_printf(&value, "%016" PRIx64, m->key);
	if (target > 0)
		buf_printf(&value, "-%zu", target);
	put_default(c, out, "Idempotency-Key", buf_str(&value));
	buf_reset(&value);
	if (c->type == ALERT_OPSGENIE)
		buf_printf(&value, "GenieKey %s", s->api_key);
	else if (s->token[0] != '\0')
		buf_printf(&value, "Bearer %s", s->token);
	if (value.size != 0)
		put_default(c, out, "Authorization", buf_str(&value));
	for (size_t i = 0; i < c->headers.count; i++)
		put_header(out, c->headers.pairs[i].key, c->headers.pairs[i].value);
}

/* --- requests --- */

static void put_path(struct buf *out, const char *base, const char *path)
{
	size_t size = strlen(base);

	while (size > 0 && base[size - 1] == '/')
		size--;
	buf_put(out, base, size);
	buf_puts(out, path);
}

/* Opsgenie tells by the path what happens to the alert of that alias. */
static void put_action(const struct message *m, struct buf *url)
{
	const char *action = m->kind == MESSAGE_RESOLVE ? "close" : "acknowledge";

	while (url->size > 0 && url->data[url->size - 1] == '/')
		url->size--;
	if (m->kind == MESSAGE_RESOLVE || message_is_acknowledgement(m))
		buf_printf(url, "/%016" PRIx64 "/%s?identifierType=alias", m->thread, action);
}

static int make_url(const struct receiver *r, const struct fields_at *at, size_t target,
		    const struct receiver_secrets *s, struct buf *out)
{
	const struct alert_receiver *c = r->config;
	bool resolve = at->message->kind == MESSAGE_RESOLVE;
	const struct template *t = resolve && r->parts[URL_RESOLVE].built_in != NULL
					   ? r->parts[URL_RESOLVE].built_in
					   : r->parts[URL].built_in;

	if (c->type == ALERT_ALERTMANAGER)
		put_path(out, c->urls.items[target], "/api/v2/alerts");
	else if (s->url[0] != '\0')
		buf_puts(out, s->url);
	else if (c->type == ALERT_PAGERDUTY && c->url[0] == '\0')
		buf_puts(out, PAGERDUTY_URL);
	else if (c->type == ALERT_OPSGENIE && c->url[0] == '\0')
		buf_puts(out, OPSGENIE_URL);
	else if (template_render(t, at, out) != ERR_OK)
		return out->err;
	if (c->type == ALERT_OPSGENIE)
		put_action(at->message, out);
	return out->err;
}

/* The key goes where a template does not see it. */
static int insert_routing_key(const char *key, struct buf *body)
{
	CLEANUP(buf_free) struct buf with = {0};
	struct json j = {.out = &with};
	const char *brace = body->size == 0 ? NULL : memchr(body->data, '{', body->size);

	if (brace == NULL)
		return ERR_MALFORMED;
	buf_puts(&with, "{\"routing_key\":");
	json_str(&j, key);
	buf_putc(&with, ',');
	buf_put(&with, brace + 1, body->size - (size_t)(brace + 1 - body->data));
	if (with.err != ERR_OK)
		return with.err;
	buf_reset(body);
	body->limit = 0;
	buf_put(body, with.data, with.size);
	return body->err;
}

static const struct form_pair *body_of(const struct receiver *r, const struct message *m)
{
	if (m->kind == MESSAGE_RESOLVE && r->parts[BODY_RESOLVE].built_in != NULL)
		return &r->parts[BODY_RESOLVE];
	if (r->parts[BODY_ACKNOWLEDGE].built_in != NULL && message_is_acknowledgement(m))
		return &r->parts[BODY_ACKNOWLEDGE];
	return &r->parts[BODY];
}

static int make_body(const struct receiver *r, const struct fields_at *at,
		     const struct receiver_given *given, struct receiver_request *q)
{
	const struct alert_receiver *c = r->config;
	const struct form_pair *pair = body_of(r, at->message);
	size_t max = c->type == ALERT_TEAMS ? TEAMS_MAX : BODY_MAX;

	if (c->type == ALERT_ALERTMANAGER) {
		alertmanager_put(&q->body, at->message, given->now_ms);
		return q->body.err;
	}
	int err = render(pair, at, max, &q->body, &q->built_in);
	if (receiver_escape(c) == ESCAPE_FORM)
		cut_line_ends(&q->body);
	if (err == ERR_OK && c->type == ALERT_PAGERDUTY)
		err = insert_routing_key(given->secrets->api_key, &q->body);
	return err;
}

/* What fits into one SMS. */
static int make_sms(const struct receiver *r, const struct fields_at *at, struct buf *out,
		    bool *built_in)
{
	CLEANUP(buf_free) struct buf text = {0};
	int err = render(&r->parts[SMS], at, BODY_MAX, &text, built_in);

	if (err != ERR_OK)
		return err;
	cut_line_ends(&text);
	gsm_put(out, text.size == 0 ? "" : text.data, text.size);
	return out->err;
}

static int make_http(const struct receiver *r, const struct fields_at *base, size_t target,
		     const struct receiver_given *given, struct receiver_request *q)
{
	CLEANUP(buf_free) struct buf sms = {0};
	const struct alert_receiver *c = r->config;
	struct fields_at at = *base;
	bool close = c->type == ALERT_BURROW_HTTP && at.message->kind == MESSAGE_RESOLVE;
	int err = ERR_OK;

	if (receiver_is_sms(c)) {
		err = make_sms(r, &at, &sms, &q->built_in);
		at.sms = buf_str(&sms);
		at.to = c->to.items[target];
	}
	q->method = close ? c->burrow.method_close : c->method;
	if (err == ERR_OK)
		err = make_url(r, &at, target, given->secrets, &q->url);
	if (err == ERR_OK)
		err = make_body(r, &at, given, q);
	put_headers(c, at.message, target, given->secrets, &q->headers);
	return err != ERR_OK ? err : q->headers.err;
}

static int make_mail(const struct receiver *r, const struct fields_at *base,
		     const struct receiver_given *given, struct receiver_request *q)
{
	CLEANUP(buf_free) struct buf subject = {0};
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf html = {0};
	const struct alert_receiver *c = r->config;
	struct fields_at at = *base;

	at.picture = given->png != NULL && given->png->size != 0;
	q->mail = true;
	int err = render(&r->parts[SUBJECT], &at, BODY_MAX, &subject, &q->built_in);
	cut_line_ends(&subject);
	if (err == ERR_OK)
		err = render(&r->parts[TEXT], &at, BODY_MAX, &text, &q->built_in);
	if (err == ERR_OK)
		err = render(&r->parts[HTML], &at, BODY_MAX, &html, &q->built_in);
	if (err != ERR_OK)
		return err;
	const struct mail mail = {
		.from = c->from,
		.to = &c->to,
		.subject = buf_str(&subject),
		.text = &text,
		.html = &html,
		.png = given->png,
		.key = at.message->key,
		.thread = at.message->thread,
		.at_ms = at.message->at_ms,
	};
	mail_put(&q->body, &mail);
	put_path(&q->url, c->server, "");
	if (c->hello[0] != '\0')
		buf_printf(&q->url, "/%s", c->hello);
	return q->body.err != ERR_OK ? q->body.err : q->url.err;
}

/* What is the same for all targets. */
static struct fields_at fields_of(const struct receiver *r, const struct message *m)
{
	const struct alert_receiver *c = r->config;

	return (struct fields_at){
		.message = m,
		.to = receiver_is_mail(c) && c->to.count > 0 ? c->to.items[0] : "",
		.from = c->from,
		.sms = "",
		.extras = &c->burrow.extras,
	};
}

int receiver_make(const struct receiver *r, const struct message *m, size_t target,
		  const struct receiver_given *given, struct receiver_request *ret_q)
{
	struct receiver_request q = {0};
	const struct fields_at at = fields_of(r, m);
	int err = receiver_is_mail(r->config) ? make_mail(r, &at, given, &q)
					      : make_http(r, &at, target, given, &q);

	if (err != ERR_OK) {
		receiver_request_free(&q);
		return err;
	}
	*ret_q = q;
	return ERR_OK;
}
