/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* template_priv - a template as template.c reads it, template_render.c says it, and
 * template_check.c tries it. */

#include "aggregator/alert/template.h"

enum node_kind { LITERAL, VALUE, SECTION, INVERTED };

struct node {
	enum node_kind kind;
	const struct field *field; /* NULL: a label or an extra */
	bool extra;
	char *own;         /* the name of that; owned */
	size_t start, end; /* bytes of the text; of a tag with its braces */
	size_t cut;        /* VALUE: characters; 0: all */
	size_t next;       /* SECTION, INVERTED: the node after what is inside */
};

struct template
{
	char *text;
	size_t size;
	enum escape how;
	struct node *nodes;
	size_t count, room;
};

/* Line and column, from 1 on, of a byte of its text. */
void template_line(const struct template *t, size_t at, size_t *ret_line, size_t *ret_column);
