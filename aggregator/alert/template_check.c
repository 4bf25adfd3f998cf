/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/template_check.h"

#include <string.h>
#include <strings.h>

#include "aggregator/alert/example.h"
#include "aggregator/alert/template_priv.h"
#include "common/err.h"
#include "common/json_check.h"

#define SAID_MAX ((size_t)1 << 20)

/* --- what it says --- */

/* These say what is wrong, static, and where; NULL: nothing. */

static const char *check_json(const struct buf *said, bool object, size_t *ret_at)
{
	const char *text = said->size == 0 ? "" : said->data;
	const char *why = json_check(text, said->size, ret_at);

	if (why != NULL || !object)
		return why;
	*ret_at = strspn(text, " \t\r\n");
	return text[*ret_at] == '{' ? NULL : "it has to be an object";
}

static const char *check_form(const struct buf *said, size_t *ret_at)
{
	size_t size = said->size;

	/* The end of the file is nobody's, and is cut off. */
	while (size > 0 && (said->data[size - 1] == '\n' || said->data[size - 1] == '\r'))
		size--;
	for (*ret_at = 0; *ret_at < size; (*ret_at)++) {
		if (said->data[*ret_at] <= ' ' || said->data[*ret_at] > '~')
			return "a blank, the end of a line or a letter beyond ASCII; in a form it "
			       "is written as +, %0A or %C3%A4";
	}
	return NULL;
}

static int check_message(const struct template *t, const char *name, unsigned uses,
			 const struct fields_at *at, struct buf *errors)
{
	CLEANUP(buf_free) struct buf said = {.limit = SAID_MAX};
	size_t wrong_at = 0;
	size_t line = 0;
	size_t column = 0;

	/* What makes too much is sent with fewer incidents. */
	if (template_render(t, at, &said) != ERR_OK)
		return ERR_OK;
	const bool form = t->how == ESCAPE_FORM;
	const char *why = form ? check_form(&said, &wrong_at)
			       : check_json(&said, (uses & TEMPLATE_AS_OBJECT) != 0, &wrong_at);
	if (why == NULL)
		return ERR_OK;
	template_place(t, at, wrong_at, &line, &column);
	buf_printf(errors, "%s:%zu:%zu: it makes no %s: %s", name, line, column,
		   form ? "form" : "JSON", why);
	return ERR_CONFIG;
}

static int check_messages(const struct template *t, const char *name, unsigned uses,
			  const struct fields_at *like, struct buf *errors)
{
	int err = ERR_OK;

	for (size_t n = 0; n < EXAMPLES && err == ERR_OK; n++) {
		CLEANUP(message_free) struct message *m = example_hard(n);
		struct fields_at at = *like;

		if (m == NULL)
			return -ENOMEM;
		at.message = m;
		if ((uses & (m->kind == MESSAGE_RESOLVE ? TEMPLATE_FOR_END : TEMPLATE_FOR_OPEN)) ==
		    0)
			continue;
		err = check_message(t, name, uses, &at, errors);
		if (err == ERR_CONFIG)
			buf_printf(errors, " (%s)\n", example_hard_name(n));
	}
	return err;
}

/* --- where a value stands in HTML --- */

enum html { HTML_TEXT, HTML_TAG, HTML_QUOTED, HTML_APOSTROPHED, HTML_REMARK, HTML_CODE };

struct html_scan {
	enum html in;
	const char *code; /* HTML_CODE: the element whose end is looked for */
};

static bool starts(const char *s, const char *end, const char *with)
{
	size_t size = strlen(with);

	return (size_t)(end - s) >= size && strncasecmp(s, with, size) == 0;
}

/* What begins at s, which is a "<" in a text. */
static void begin_tag(struct html_scan *h, const char *s, const char *end)
{
	static const char *const CODE[] = {"script", "style"};

	h->in = starts(s, end, "<!--") ? HTML_REMARK : HTML_TAG;
	h->code = NULL;
	for (size_t i = 0; i < ARRAY_LEN(CODE); i++) {
		if (starts(s + 1, end, CODE[i]))
			h->code = CODE[i];
	}
}

static void scan_in_tag(struct html_scan *h, char c)
{
	if (c == '"')
		h->in = HTML_QUOTED;
	else if (c == '\'')
		h->in = HTML_APOSTROPHED;
	else if (c == '>')
		h->in = h->code != NULL ? HTML_CODE : HTML_TEXT;
}

static void scan_in_code(struct html_scan *h, const char *s, const char *end)
{
	if (!starts(s, end, "</") || !starts(s + 2, end, h->code))
		return;
	h->in = HTML_TAG;
	h->code = NULL;
}

static void scan_byte(struct html_scan *h, const char *s, const char *end)
{
	switch (h->in) {
	case HTML_TEXT:
		if (*s == '<')
			begin_tag(h, s, end);
		break;
	case HTML_TAG:
		scan_in_tag(h, *s);
		break;
	case HTML_QUOTED:
		h->in = *s == '"' ? HTML_TAG : HTML_QUOTED;
		break;
	case HTML_APOSTROPHED:
		h->in = *s == '\'' ? HTML_TAG : HTML_APOSTROPHED;
		break;
	case HTML_REMARK:
		h->in = starts(s, end, "-->") ? HTML_TEXT : HTML_REMARK;
		break;
	case HTML_CODE:
		scan_in_code(h, s, end);
		break;
	}
}

static int check_html(const struct template *t, const char *name, struct buf *errors)
{
	struct html_scan h = {.in = HTML_TEXT};
	const char *why = NULL;
	size_t at = t->size;

	for (size_t i = 0; i < t->count && why == NULL; i++) {
		const struct node *n = &t->nodes[i];

		for (size_t k = n->start; n->kind == LITERAL && k < n->end; k++)
			scan_byte(&h, t->text + k, t->text + n->end);
		if (n->kind == VALUE && (h.in == HTML_TAG || h.in == HTML_CODE)) {
			why = h.in == HTML_TAG ? "in a tag a value has to stand in quotes"
					       : "in a script or a style no value is safe";
			at = n->start;
		}
	}
	if (why == NULL && h.in != HTML_TEXT)
		why = "a tag, a remark, a script or a style is not closed";
	if (why == NULL)
		return ERR_OK;
	size_t line = 0;
	size_t column = 0;
	template_line(t, at, &line, &column);
	buf_printf(errors, "%s:%zu:%zu: %s\n", name, line, column, why);
	return ERR_CONFIG;
}

int template_check(const struct template *t, const char *name, unsigned uses,
		   const struct fields_at *like, struct buf *errors)
{
	switch (t->how) {
	case ESCAPE_JSON:
	case ESCAPE_SLACK:
	case ESCAPE_FORM:
		return check_messages(t, name, uses, like, errors);
	case ESCAPE_HTML:
		return check_html(t, name, errors);
	default:
		return ERR_OK;
	}
}
