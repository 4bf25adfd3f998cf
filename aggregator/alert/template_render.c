/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aggregator/alert/template_priv.h"
#include "common/err.h"

#define VALUE_MAX ((size_t)128 << 10) /* of one field, before it is escaped */

/* The plain value; value is empty before. */
static void put_plain(const struct node *n, const struct fields_at *at, struct buf *value)
{
	if (n->field != NULL)
		n->field->put(at, value);
	else
		buf_puts(value, n->extra ? fields_extra(at, n->own) : fields_label(at, n->own));
}

/* What text fields of several lines look like where a line is all there is. */
static void put_lines(struct buf *out, enum escape how, const char *s, size_t size)
{
	while (how == ESCAPE_TEXT || how == ESCAPE_HTML) {
		const char *end = memchr(s, '\n', size);
		if (end == NULL)
			break;
		escape_put(out, how, s, (size_t)(end - s));
		buf_putc(out, '\n');
		size -= (size_t)(end + 1 - s);
		s = end + 1;
	}
	escape_put(out, how, s, size);
}

static void put_value(const struct template *t, const struct node *n, const struct fields_at *at,
		      struct buf *out)
{
	CLEANUP(buf_free) struct buf value = {.limit = VALUE_MAX};
	bool json = t->how == ESCAPE_JSON || t->how == ESCAPE_SLACK;

	put_plain(n, at, &value);
	if (value.err != ERR_OK) {
		out->err = value.err;
		return;
	}
	if (value.size == 0) {
		/* A number that is not known has to be something where it stands alone. */
		if (json && n->field != NULL && n->field->type == FIELD_NUMBER)
			buf_puts(out, "null");
		return;
	}
	size_t size = n->cut == 0 ? value.size : escape_cut(value.data, value.size, n->cut);
	if (n->field != NULL && strcmp(n->field->name, "text") == 0)
		put_lines(out, t->how, value.data, size);
	else
		escape_put(out, t->how, value.data, size);
}

/* How many items the list has. */
static size_t list_size(const struct fields_at *at, enum field_list list)
{
	const struct message *m = at->message;

	if (list == FIELD_INCIDENTS)
		return m->count;
	if (at->incident != NULL)
		return at->incident->label_count;
	return m->count > 0 ? m->incidents[0].label_count : 0;
}

static struct fields_at item(const struct fields_at *at, enum field_list list, size_t i)
{
	struct fields_at one = *at;

	one.index = i;
	one.count = list_size(at, list);
	if (list == FIELD_INCIDENTS) {
		one.incident = &at->message->incidents[i];
		return one;
	}
	if (one.incident == NULL)
		one.incident = &at->message->incidents[0];
	one.label = &one.incident->labels[i];
	return one;
}

/* Whether a field holds something. */
static bool holds(const struct node *n, const struct fields_at *at)
{
	CLEANUP(buf_free) struct buf value = {0};

	put_plain(n, at, &value);
	const char *text = buf_str(&value);
	return text[0] != '\0' && strcmp(text, "false") != 0 &&
	       (n->field == NULL || n->field->type != FIELD_NUMBER || strcmp(text, "0") != 0);
}

/* What is being said, and where in the template it stood when out was full. */
struct saying {
	const struct template *t;
	struct buf *out;
	size_t full_at;
};

static void render(struct saying *s, size_t from, size_t to, const struct fields_at *at);

static void render_section(struct saying *s, size_t at_node, const struct fields_at *at)
{
	const struct node *n = &s->t->nodes[at_node];
	enum field_list list = n->field == NULL ? FIELD_NO_LIST : n->field->list;
	size_t times = list == FIELD_NO_LIST ? holds(n, at) : list_size(at, list);

	if (n->kind == INVERTED) {
		if (times == 0)
			render(s, at_node + 1, n->next, at);
		return;
	}
	for (size_t i = 0; i < times && s->out->err == ERR_OK; i++) {
		struct fields_at each = list == FIELD_NO_LIST ? *at : item(at, list, i);

		render(s, at_node + 1, n->next, &each);
	}
}

/* A piece of the template itself, or the value of a tag. */
static void render_piece(struct saying *s, const struct node *n, const struct fields_at *at)
{
	size_t room = s->out->limit - MIN(s->out->size, s->out->limit);

	if (n->kind == LITERAL)
		buf_put(s->out, s->t->text + n->start, n->end - n->start);
	else
		put_value(s->t, n, at, s->out);
	if (s->out->err == ERR_LIMIT)
		s->full_at = n->kind == LITERAL ? n->start + room : n->start;
}

/* The nodes from, up to to. Recursion is as deep as sections are, TEMPLATE_DEPTH_MAX. */
static void render(struct saying *s, size_t from, size_t to, const struct fields_at *at)
{
	for (size_t i = from; i < to && s->out->err == ERR_OK;) {
		const struct node *n = &s->t->nodes[i];

		if (n->kind == LITERAL || n->kind == VALUE) {
			render_piece(s, n, at);
			i++;
		} else {
			render_section(s, i, at);
			i = n->next;
		}
	}
}

int template_render(const struct template *t, const struct fields_at *at, struct buf *out)
{
	struct saying s = {t, out, 0};

	render(&s, 0, t->count, at);
	return out->err;
}

void template_line(const struct template *t, size_t at, size_t *ret_line, size_t *ret_column)
{
	size_t line = 1;
	size_t start = 0;

	for (size_t i = 0; i < MIN(at, t->size); i++) {
		if (t->text[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	*ret_line = line;
	*ret_column = at - start + 1;
}

void template_place(const struct template *t, const struct fields_at *at, size_t offset,
		    size_t *ret_line, size_t *ret_column)
{
	/* It is said again, into room that is full right there. */
	CLEANUP(buf_free) struct buf out = {.limit = MAX(offset, (size_t)1)};
	struct saying s = {t, &out, t->size};

	render(&s, 0, t->count, at);
	template_line(t, offset == 0 ? 0 : s.full_at, ret_line, ret_column);
}
