/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/template_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/utf8.h"

#define NAME_MAX_SIZE 100

/* --- parsing --- */

struct parser {
	struct template *t;
	const char *name; /* of the file */
	struct buf *errors;
	size_t at;
	size_t open[TEMPLATE_DEPTH_MAX]; /* nodes of sections that are not closed */
	size_t depth;
	bool failed;
};

/* What stands between the braces. */
struct tag {
	size_t start; /* of the braces, for the line */
	char mark;    /* # ^ / ! or 0 */
	char name[NAME_MAX_SIZE];
	size_t cut;
};

static void fail(struct parser *p, size_t at, const char *what, const char *name)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += p->t->text[i] == '\n';
	if (!p->failed)
		buf_printf(p->errors, "%s:%zu: %s%s\n", p->name, line, what, name);
	p->failed = true;
}

/* NULL: there is no memory. */
static struct node *add_node(struct parser *p, enum node_kind kind)
{
	struct template *t = p->t;

	if (t->count == t->room) {
		size_t room = t->room == 0 ? 16 : t->room * 2;
		struct node *nodes = reallocarray(t->nodes, room, sizeof(*nodes));

		if (nodes == NULL) {
			fail(p, p->at, "out of memory", "");
			return NULL;
		}
		t->nodes = nodes;
		t->room = room;
	}
	t->nodes[t->count] = (struct node){.kind = kind};
	return &t->nodes[t->count++];
}

static void add_literal(struct parser *p, size_t start, size_t end)
{
	struct node *n = start < end ? add_node(p, LITERAL) : NULL;

	if (n != NULL) {
		n->start = start;
		n->end = end;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Split what is in the braces, from s to end, into a tag. */
static void read_tag(struct parser *p, const char *s, const char *end, struct tag *tag)
{
	while (s < end && is_blank(*s))
		s++;
	while (end > s && is_blank(end[-1]))
		end--;
	if (s < end && strchr("#^/!&{>=", *s) != NULL)
		tag->mark = *s++;
	if (tag->mark == '!')
		return;
	while (s < end && is_blank(*s))
		s++;
	const char *colon = memchr(s, ':', (size_t)(end - s));
	size_t size = (size_t)((colon != NULL ? colon : end) - s);

	if (size == 0 || size >= sizeof(tag->name)) {
		fail(p, tag->start, size == 0 ? "{{}} names nothing" : "the name is too long", "");
		return;
	}
	memcpy(tag->name, s, size);
	if (colon == NULL)
		return;
	size_t digits = strspn(colon + 1, "0123456789");
	if (digits == 0 || digits > 5 || colon + 1 + digits != end || tag->mark != 0)
		fail(p, tag->start, "after the colon goes a number of characters: ", tag->name);
	else
		tag->cut = (size_t)strtoul(colon + 1, NULL, 10);
}

/* Whether a section of that list is open. */
static bool inside(const struct parser *p, enum field_list list)
{
	for (size_t i = 0; i < p->depth; i++) {
		const struct node *n = &p->t->nodes[p->open[i]];

		if (n->kind == SECTION && n->field != NULL && n->field->list == list)
			return true;
	}
	return false;
}

/* Fill the node's field, or its own name. */
static void resolve(struct parser *p, const struct tag *tag, struct node *n)
{
	bool label = strncmp(tag->name, "label.", 6) == 0 && tag->name[6] != '\0';

	n->extra = strncmp(tag->name, "extra.", 6) == 0 && tag->name[6] != '\0';
	if (label || n->extra) {
		n->own = strdup(tag->name + 6);
		if (n->own == NULL)
			fail(p, tag->start, "out of memory", "");
		return;
	}
	n->field = fields_find(tag->name, strlen(tag->name));
	if (n->field == NULL)
		fail(p, tag->start, "there is no such field: ", tag->name);
	else if (n->field->place == FIELD_IN_LABELS && !inside(p, FIELD_LABELS))
		fail(p, tag->start, "only inside of {{#labels}}: ", tag->name);
	else if (n->field->place == FIELD_IN_LIST && !inside(p, FIELD_LABELS) &&
		 !inside(p, FIELD_INCIDENTS))
		fail(p, tag->start, "only inside of a list: ", tag->name);
	else if (n->field->type == FIELD_LIST && n->kind == VALUE)
		fail(p, tag->start, "is a list, and wants a section {{#...}}: ", tag->name);
	else if (n->field->type == FIELD_LIST && n->kind == SECTION && inside(p, n->field->list))
		fail(p, tag->start, "is inside of itself: ", tag->name);
}

static void close_section(struct parser *p, const struct tag *tag)
{
	const struct node *n = p->depth == 0 ? NULL : &p->t->nodes[p->open[p->depth - 1]];
	const char *open = n == NULL ? "" : n->field != NULL ? n->field->name : n->own;
	const char *name = tag->name;

	if (n != NULL && n->field == NULL)
		name += strlen(name) > 6 ? 6 : 0;
	if (n == NULL || open == NULL || strcmp(open, name) != 0) {
		fail(p, tag->start, "closes what is not open: ", tag->name);
		return;
	}
	p->t->nodes[p->open[--p->depth]].next = p->t->count;
}

static void take_tag(struct parser *p, const struct tag *tag)
{
	enum node_kind kind = tag->mark == '#' ? SECTION : tag->mark == '^' ? INVERTED : VALUE;

	if (tag->mark == '!')
		return;
	if (tag->mark == '/') {
		close_section(p, tag);
		return;
	}
	if (tag->mark != 0 && kind == VALUE) {
		fail(p, tag->start, "only # ^ / and ! may come before a name: ", tag->name);
		return;
	}
	if (kind != VALUE && p->depth == TEMPLATE_DEPTH_MAX) {
		fail(p, tag->start, "too many sections inside of each other: ", tag->name);
		return;
	}
	struct node *n = add_node(p, kind);
	if (n == NULL)
		return;
	n->start = tag->start;
	n->end = p->at;
	resolve(p, tag, n);
	n->cut = tag->cut;
	if (kind != VALUE && !p->failed)
		p->open[p->depth++] = p->t->count - 1;
}

/* A section's braces that stand alone on their line take the whole line with them, so that lists
 * can be laid out in lines. Moves *start and *end over the blanks and the line's end. */
static void take_line(const struct template *t, size_t *start, size_t *end)
{
	size_t from = *start;
	size_t to = *end;

	while (from > 0 && (t->text[from - 1] == ' ' || t->text[from - 1] == '\t'))
		from--;
	while (to < t->size && (t->text[to] == ' ' || t->text[to] == '\t' || t->text[to] == '\r'))
		to++;
	if ((from != 0 && t->text[from - 1] != '\n') || (to < t->size && t->text[to] != '\n'))
		return;
	*start = from;
	*end = to < t->size ? to + 1 : to;
}

static void parse(struct parser *p)
{
	const struct template *t = p->t;

	while (!p->failed) {
		const char *from = t->text + p->at;
		const char *open = memmem(from, t->size - p->at, "{{", 2);

		if (open == NULL) {
			add_literal(p, p->at, t->size);
			return;
		}
		struct tag tag = {.start = (size_t)(open - t->text)};
		const char *close = memmem(open, t->size - tag.start, "}}", 2);
		if (close == NULL) {
			fail(p, tag.start, "{{ without }}", "");
			return;
		}
		size_t start = tag.start;
		size_t end = (size_t)(close + 2 - t->text);
		read_tag(p, open + 2, close, &tag);
		if (tag.mark != 0)
			take_line(t, &start, &end);
		add_literal(p, p->at, MAX(start, p->at));
		p->at = end;
		if (!p->failed)
			take_tag(p, &tag);
	}
}

static void check_end(struct parser *p)
{
	if (p->failed || p->depth == 0)
		return;
	const struct node *n = &p->t->nodes[p->open[p->depth - 1]];
	fail(p, p->t->size,
	     "a section is not closed: ", n->field != NULL ? n->field->name : n->own);
}

int template_parse(const char *name, const char *text, size_t size, enum escape how,
		   struct buf *errors, struct template **ret_t)
{
	CLEANUP(template_free) struct template *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->how = how;
	t->size = size;
	t->text = malloc(size + 1);
	if (t->text == NULL)
		return -ENOMEM;
	memcpy(t->text, text, size);
	t->text[size] = '\0';
	struct parser p = {.t = t, .name = name, .errors = errors};
	if (size > TEMPLATE_SOURCE_MAX)
		fail(&p, 0, "the template is too large", "");
	else if (!utf8_valid(text, size) || memchr(text, 0, size) != NULL)
		fail(&p, 0, "the template is not UTF-8", "");
	else
		parse(&p);
	check_end(&p);
	if (p.failed)
		return ERR_CONFIG;
	*ret_t = t;
	t = NULL;
	return ERR_OK;
}

int template_load(const char *path, enum escape how, struct buf *errors, struct template **ret_t)
{
	CLEANUP(buf_free) struct buf text = {0};
	int err = file_read(path, TEMPLATE_SOURCE_MAX, &text);

	if (err == ERR_OK)
		return template_parse(path, buf_str(&text), text.size, how, errors, ret_t);
	buf_printf(errors, "%s: cannot be read: %s\n", path, err_str(err));
	return ERR_CONFIG;
}

void template_free(struct template **t)
{
	struct template *it = *t;

	if (it == NULL)
		return;
	for (size_t i = 0; i < it->count; i++)
		free(it->nodes[i].own);
	free(it->nodes);
	free(it->text);
	free(it);
	*t = NULL;
}
