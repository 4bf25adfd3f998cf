/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * template - texts with places for the fields of a message:
 *
 *	{{name}}  {{name:40}}      a field, or its first 40 characters
 *	{{label.NAME}} {{extra.NAME}}  a label of the group; an extra of the receiver
 *	{{#name}}...{{/name}}      for each item of a list, or if the field holds something
 *	{{^name}}...{{/name}}      if it does not
 *	{{! a remark }}
 *
 * Each value is escaped for what the template is for; there is no way around. Immutable once
 * parsed: any thread may render.
 */

#include "aggregator/alert/escape.h"
#include "aggregator/alert/fields.h"

#define TEMPLATE_SOURCE_MAX ((size_t)256 << 10)
#define TEMPLATE_DEPTH_MAX 8

struct template;

/* Parse text. name: of its file, for what is wrong, which is appended to errors as one line:
 * ERR_CONFIG. Caller owns *ret_t. */
MUST_CHECK int template_parse(const char *name, const char *text, size_t size, enum escape how,
			      struct buf *errors, struct template **ret_t);

/* The same of the file at path. */
MUST_CHECK int template_load(const char *path, enum escape how, struct buf *errors,
			     struct template **ret_t);

void template_free(struct template **t);

/* Append what it says. ERR_LIMIT: more than out->limit, and out holds a part of it. */
MUST_CHECK int template_render(const struct template *t, const struct fields_at *at,
			       struct buf *out);

/* Line and column, from 1 on, of the template that made the byte at an offset of what it says. */
void template_place(const struct template *t, const struct fields_at *at, size_t offset,
		    size_t *ret_line, size_t *ret_column);
