/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/receiver_priv.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/forms.h"
#include "aggregator/alert/template_check.h"
#include "common/err.h"
#include "common/secret.h"

struct receivers {
	struct receiver *items;
	size_t count;
};

bool receiver_is_mail(const struct alert_receiver *c)
{
	return c->type == ALERT_MAIL || c->type == ALERT_BURROW_EMAIL;
}

bool receiver_is_sms(const struct alert_receiver *c)
{
	return c->type == ALERT_TWILIO_SMS || c->type == ALERT_JSON_SMS;
}

enum escape receiver_escape(const struct alert_receiver *c)
{
	if (c->type == ALERT_SLACK)
		return ESCAPE_SLACK;
	if (c->type == ALERT_TWILIO_SMS)
		return ESCAPE_FORM;
	if ((c->type == ALERT_WEBHOOK || c->type == ALERT_BURROW_HTTP) && c->body != ALERT_JSON)
		return c->body == ALERT_FORM ? ESCAPE_FORM : ESCAPE_TEXT;
	return ESCAPE_JSON;
}

/* --- loading --- */

static int load_pair(const char *path, const char *built_in, enum escape how, struct buf *errors,
		     struct form_pair *pair)
{
	int err = built_in == NULL ? ERR_OK
				   : template_parse("built-in", built_in, strlen(built_in), how,
						    errors, &pair->built_in);

	if (err == ERR_OK && path[0] != '\0')
		err = template_load(path, how, errors, &pair->given);
	return err;
}

static int load_mail(struct receiver *r, struct buf *errors)
{
	const struct alert_templates *t = &r->config->templates;
	int subject = load_pair(t->subject, FORMS_SUBJECT, ESCAPE_TEXT, errors, &r->parts[SUBJECT]);
	int text = load_pair(t->text, FORMS_TEXT, ESCAPE_TEXT, errors, &r->parts[TEXT]);
	int html = load_pair(t->html, FORMS_HTML, ESCAPE_HTML, errors, &r->parts[HTML]);

	return subject != ERR_OK ? subject : text != ERR_OK ? text : html;
}

/* A URL may hold fields: of Burrow's receivers it does. */
static int load_url(const char *name, const char *url, struct buf *errors, struct form_pair *pair)
{
	return template_parse(name, url, strlen(url), ESCAPE_URL, errors, &pair->built_in);
}

static int load_http(struct receiver *r, struct buf *errors)
{
	const struct alert_receiver *c = r->config;
	const struct form form = forms_http(c);
	const enum escape how = receiver_escape(c);
	const char *url_close = c->burrow.url_close;
	int err = load_pair(c->templates.body, form.open, how, errors, &r->parts[BODY]);

	/* With a body of its own for both, the built-in form of the end does not come before it. */
	const char *resolve = c->templates.body_resolve;
	if (err == ERR_OK && (resolve[0] != '\0' || form.resolve != NULL))
		err = load_pair(resolve, form.resolve != NULL ? form.resolve : form.open, how,
				errors, &r->parts[BODY_RESOLVE]);
	if (err == ERR_OK)
		err = load_pair("", form.acknowledge, how, errors, &r->parts[BODY_ACKNOWLEDGE]);
	if (err == ERR_OK && receiver_is_sms(c))
		err = load_pair(c->templates.text, FORMS_SMS, ESCAPE_TEXT, errors, &r->parts[SMS]);
	if (err == ERR_OK)
		err = load_url("url", c->url, errors, &r->parts[URL]);
	if (err == ERR_OK && url_close != NULL && url_close[0] != '\0')
		err = load_url("url_close", url_close, errors, &r->parts[URL_RESOLVE]);
	return err;
}

/* What of its files would be sent broken. */
static int check(const struct receiver *r, struct buf *errors)
{
	const struct alert_receiver *c = r->config;
	const bool ends_apart = r->parts[BODY_RESOLVE].built_in != NULL;
	const unsigned object = c->type == ALERT_PAGERDUTY ? TEMPLATE_AS_OBJECT : 0;
	const struct fields_at like = {
		.to = c->to.count > 0 ? c->to.items[0] : "",
		.from = c->from,
		.sms = "",
		.extras = &c->burrow.extras,
	};
	const struct {
		enum part part;
		const char *file;
		unsigned uses;
	} files[] = {
		{HTML, c->templates.html, TEMPLATE_FOR_OPEN | TEMPLATE_FOR_END},
		{BODY, c->templates.body,
		 TEMPLATE_FOR_OPEN | (ends_apart ? 0 : TEMPLATE_FOR_END) | object},
		{BODY_RESOLVE, c->templates.body_resolve, TEMPLATE_FOR_END | object},
	};
	int err = ERR_OK;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct template *t = r->parts[files[i].part].given;

		if (t != NULL &&
		    template_check(t, files[i].file, files[i].uses, &like, errors) != ERR_OK)
			err = ERR_CONFIG;
	}
	return err;
}

static int load(struct receiver *r, struct buf *errors)
{
	CLEANUP(buf_free) struct buf own = {0};
	int err = receiver_is_mail(r->config) ? load_mail(r, &own) : load_http(r, &own);

	if (err == ERR_OK)
		err = check(r, &own);
	if (own.size != 0)
		buf_printf(errors, "alert: receiver %s: %s", r->config->name, buf_str(&own));
	return err;
}

int receivers_load(const struct alert_config *config, struct buf *errors, struct receivers **ret_rs)
{
	CLEANUP(receivers_free) struct receivers *rs = calloc(1, sizeof(*rs));
	const struct alert_receiver *configs = config->receivers.items;
	int result = ERR_OK;

	if (rs == NULL)
		return -ENOMEM;
	rs->items = calloc(MAX(config->receivers.count, (size_t)1), sizeof(*rs->items));
	if (rs->items == NULL)
		return -ENOMEM;
	rs->count = config->receivers.count;
	for (size_t i = 0; i < rs->count; i++) {
		rs->items[i].config = &configs[i];
		int err = load(&rs->items[i], errors);

		if (err != ERR_OK)
			result = err;
	}
	if (result != ERR_OK)
		return result;
	*ret_rs = rs;
	rs = NULL;
	return ERR_OK;
}

void receivers_free(struct receivers **rs)
{
	struct receivers *it = *rs;

	if (it == NULL)
		return;
	for (size_t i = 0; i < it->count; i++) {
		for (size_t k = 0; k < PARTS; k++) {
			template_free(&it->items[i].parts[k].given);
			template_free(&it->items[i].parts[k].built_in);
		}
	}
	free(it->items);
	free(it);
	*rs = NULL;
}

size_t receivers_count(const struct receivers *rs)
{
	return rs->count;
}

const struct receiver *receivers_at(const struct receivers *rs, size_t i)
{
	return &rs->items[i];
}

const struct receiver *receivers_find(const struct receivers *rs, const char *name)
{
	for (size_t i = 0; i < rs->count; i++) {
		if (strcmp(rs->items[i].config->name, name) == 0)
			return &rs->items[i];
	}
	return NULL;
}

const struct alert_receiver *receiver_config(const struct receiver *r)
{
	return r->config;
}

size_t receiver_targets(const struct receiver *r)
{
	const struct alert_receiver *c = r->config;

	if (c->type == ALERT_NULL)
		return 0;
	if (c->type == ALERT_ALERTMANAGER)
		return MIN(c->urls.count, (size_t)RECEIVER_TARGETS_MAX);
	return receiver_is_sms(c) ? MIN(c->to.count, (size_t)RECEIVER_TARGETS_MAX) : 1;
}

const char *receiver_read_secrets(const struct receiver *r, struct receiver_secrets *ret_s)
{
	const struct alert_receiver *c = r->config;
	const struct {
		const char *path;
		char *line;
		size_t size;
	} files[] = {
		{c->url_file, ret_s->url, sizeof(ret_s->url)},
		{c->token_file, ret_s->token, sizeof(ret_s->token)},
		{c->api_key_file, ret_s->api_key, sizeof(ret_s->api_key)},
		{c->password_file, ret_s->password, sizeof(ret_s->password)},
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		files[i].line[0] = '\0';
		const char *why =
			files[i].path[0] == '\0'
				? NULL
				: secret_read(files[i].path, files[i].line, files[i].size);
		if (why != NULL)
			return why;
	}
	return NULL;
}
