/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_value.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define KEY_MAX 64 /* bytes of a key that is compared with others for likeness */

struct conf_load {
	struct buf *errors;
	size_t mistakes;
	const struct tree_node *map; /* the innermost map that is being read */
};

void conf_error(struct conf_load *c, const struct tree_node *node, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	if (node == NULL)
		node = c->map;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	tree_error(c->errors, node->file, node->line, "%s", text);
	free(text);
	c->mistakes++;
}

/* --- reports --- */

static void report_kind(struct conf_load *c, const struct conf_item *item,
			const struct tree_node *node)
{
	static const char *const KINDS[] = {"a single value", "a list", "a map"};
	CLEANUP(buf_free) struct buf expected = {0};

	conf_value_put_expected(&expected, item);
	conf_error(c, node, "%s: is %s; expects %s", item->key, KINDS[node->kind],
		   buf_str(&expected));
}

static void report_scalar(struct conf_load *c, const struct conf_item *item,
			  const struct tree_node *node, enum conf_value result)
{
	CLEANUP(buf_free) struct buf allowed = {0};
	const char *shown = item->secret ? "***" : log_quote(node->text);

	if (result == CONF_VALUE_MALFORMED) {
		conf_value_put_expected(&allowed, item);
		conf_error(c, node, "%s: %s is wrong; expects %s", item->key, shown,
			   buf_str(&allowed));
		return;
	}
	conf_value_put_range(&allowed, item);
	if (item->type == CONF_STRING)
		conf_error(c, node, "%s: has %zu bytes; allowed are %s", item->key,
			   strlen(node->text), buf_str(&allowed));
	else
		conf_error(c, node, "%s: %s is out of range; allowed are %s", item->key, shown,
			   buf_str(&allowed));
}

/* --- filling: one function a type; node is NULL where the file says nothing --- */

static void load_struct(struct conf_load *c, const struct conf_schema *schema,
			const struct tree_node *node, void *object);

static void load_scalar(struct conf_load *c, const struct conf_item *item,
			const struct tree_node *node, void *field)
{
	if (item->fallback != NULL) {
		enum conf_value result = conf_value_parse(item, item->fallback, field);
		assert(result == CONF_VALUE_OK);
	} else if (item->type == CONF_STRING) {
		*(char **)field = mem_copy("");
	}
	if (node == NULL)
		return;
	if (node->kind != TREE_SCALAR) {
		report_kind(c, item, node);
		return;
	}
	enum conf_value result = conf_value_parse(item, node->text, field);
	if (result != CONF_VALUE_OK)
		report_scalar(c, item, node, result);
	else if (item->check != NULL)
		item->check(c, node, field);
}

/* Whether a list, map or array may have count items. Reports if not. */
static bool count_ok(struct conf_load *c, const struct conf_item *item,
		     const struct tree_node *node)
{
	CLEANUP(buf_free) struct buf allowed = {0};

	if (conf_value_in_range(item, (int64_t)node->count))
		return true;
	conf_value_put_range(&allowed, item);
	conf_error(c, node, "%s: has %zu items; allowed are %s", item->key, node->count,
		   buf_str(&allowed));
	return false;
}

/* Whether a child can be what its list or map holds. Reports if not. */
static bool child_ok(struct conf_load *c, const struct conf_item *item,
		     const struct tree_node *child)
{
	enum tree_kind kind = item->type == CONF_ARRAY ? TREE_MAP : TREE_SCALAR;
	bool plain = item->type == CONF_ARRAY && item->schema->plain != NULL;

	if ((child->kind == kind || (plain && child->kind == TREE_SCALAR)) && !child->null)
		return true;
	conf_error(c, child, "%s: %s%s is no %s; expects a %s", item->key,
		   child->key != NULL ? "value of " : "item",
		   child->key != NULL ? log_quote(child->key) : "",
		   kind == TREE_MAP ? "map" : "string", kind == TREE_MAP ? "map" : "string");
	return false;
}

static void load_list(struct conf_load *c, const struct conf_item *item,
		      const struct tree_node *node, void *field)
{
	struct conf_list *list = field;
	bool fallback = node == NULL || node->kind != TREE_LIST;

	list->items = mem_zeroed(fallback ? 1 : node->count, sizeof(char *));
	if (fallback && item->fallback != NULL)
		list->items[list->count++] = mem_copy(item->fallback);
	if (fallback) {
		if (node != NULL)
			report_kind(c, item, node);
		return;
	}
	bool ok = count_ok(c, item, node);
	for (const struct tree_node *child = node->first; child != NULL; child = child->next) {
		bool child_fits = child_ok(c, item, child);

		list->items[list->count++] = mem_copy(child_fits ? child->text : "");
		ok = ok && child_fits;
	}
	if (ok && item->check != NULL)
		item->check(c, node, field);
}

static void load_map(struct conf_load *c, const struct conf_item *item,
		     const struct tree_node *node, void *field)
{
	struct conf_map *map = field;

	map->pairs = mem_zeroed(node == NULL ? 0 : node->count, sizeof(*map->pairs));
	if (node == NULL)
		return;
	if (node->kind != TREE_MAP) {
		report_kind(c, item, node);
		return;
	}
	bool ok = count_ok(c, item, node);
	for (const struct tree_node *child = node->first; child != NULL; child = child->next) {
		bool child_fits = child_ok(c, item, child);

		map->pairs[map->count++] = (struct conf_pair){
			.key = mem_copy(child->key),
			.value = mem_copy(child_fits ? child->text : ""),
		};
		ok = ok && child_fits;
	}
	if (ok && item->check != NULL)
		item->check(c, node, field);
}

static void load_nested(struct conf_load *c, const struct conf_item *item,
			const struct tree_node *node, void *field)
{
	if (node != NULL && node->kind != TREE_MAP) {
		report_kind(c, item, node);
		node = NULL;
	}
	load_struct(c, item->schema, node, field);
}

/* An item of an array that is a plain value, as if it were a map with one key. */
static void load_plain(struct conf_load *c, const struct conf_schema *schema,
		       const struct tree_node *node, const char *text, void *object)
{
	char *key = mem_copy(schema->plain);
	char *value_text = mem_copy(text);
	struct tree_node value = {.kind = TREE_SCALAR,
				  .line = node->line,
				  .file = node->file,
				  .key = key,
				  .text = value_text};
	struct tree_node map = {.kind = TREE_MAP,
				.line = node->line,
				.file = node->file,
				.count = 1,
				.first = &value,
				.last = &value};

	load_struct(c, schema, &map, object);
	free(value_text);
	free(key);
}

static void load_array_default(struct conf_load *c, const struct conf_item *item,
			       struct conf_array *array)
{
	if (item->fallback == NULL)
		return;
	array->items = mem_zeroed(1, item->schema->size);
	array->count = 1;
	load_plain(c, item->schema, c->map, item->fallback, array->items);
}

static void load_array(struct conf_load *c, const struct conf_item *item,
		       const struct tree_node *node, void *field)
{
	struct conf_array *array = field;

	if (node == NULL) {
		load_array_default(c, item, array);
		return;
	}
	if (node->kind != TREE_LIST) {
		report_kind(c, item, node);
		return;
	}
	if (!count_ok(c, item, node))
		return;
	array->items = mem_zeroed(node->count, item->schema->size);
	bool ok = true;
	for (const struct tree_node *child = node->first; child != NULL; child = child->next) {
		void *object = (char *)array->items + array->count * item->schema->size;
		bool child_fits = child_ok(c, item, child);

		ok = ok && child_fits;
		if (child_fits && child->kind == TREE_SCALAR)
			load_plain(c, item->schema, child, child->text, object);
		else if (child->kind == TREE_MAP)
			load_struct(c, item->schema, child, object);
		array->count += child->kind == TREE_MAP || child_fits;
	}
	if (ok && item->check != NULL)
		item->check(c, node, field);
}

static void free_strings(struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

static void free_pairs(struct conf_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		free(map->pairs[i].key);
		free(map->pairs[i].value);
	}
	free(map->pairs);
}

static void free_struct(const struct conf_schema *schema, void *object)
{
	for (size_t i = 0; i < schema->item_count; i++) {
		const struct conf_item *item = &schema->items[i];
		void *field = (char *)object + item->offset;
		struct conf_array *array = field;

		if (item->type == CONF_STRING)
			free(*(char **)field);
		else if (item->type == CONF_LIST)
			free_strings(field);
		else if (item->type == CONF_MAP)
			free_pairs(field);
		else if (item->type == CONF_STRUCT)
			free_struct(item->schema, field);
		if (item->type != CONF_ARRAY)
			continue;
		for (size_t k = 0; k < array->count; k++)
			free_struct(item->schema, (char *)array->items + k * item->schema->size);
		free(array->items);
	}
}

/* --- unknown keys --- */

/* How many bytes must be put in, left out or changed to make a into b. */
static size_t distance(const char *a, const char *b)
{
	size_t row[KEY_MAX + 1];
	size_t width = strnlen(b, KEY_MAX);

	for (size_t k = 0; k <= width; k++)
		row[k] = k;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t k = 0; k < width; k++) {
			size_t change = diagonal + (a[i] != b[k]);

			diagonal = row[k + 1];
			row[k + 1] = MIN(change, MIN(row[k], row[k + 1]) + 1);
		}
	}
	return row[width];
}

static void report_unknown(struct conf_load *c, const struct conf_schema *schema,
			   const struct tree_node *node)
{
	CLEANUP(buf_free) struct buf keys = {0};
	const char *nearest = NULL;
	size_t least = MIN(strlen(node->key) / 3 + 2, (size_t)4); /* or more is no likeness */

	for (size_t i = 0; i < schema->item_count; i++) {
		const char *key = schema->items[i].key;
		size_t far = strlen(node->key) > KEY_MAX ? KEY_MAX : distance(node->key, key);

		buf_printf(&keys, "%s%s", i == 0 ? "" : ", ", key);
		if (far < least) {
			least = far;
			nearest = key;
		}
	}
	if (nearest != NULL)
		conf_error(c, node, "%s: unknown; did you mean %s?", log_quote(node->key), nearest);
	else
		conf_error(c, node, "%s: unknown; allowed are %s", log_quote(node->key),
			   buf_str(&keys));
}

static const struct conf_item *find_item(const struct conf_schema *schema, const char *key)
{
	for (size_t i = 0; i < schema->item_count; i++) {
		if (strcmp(schema->items[i].key, key) == 0)
			return &schema->items[i];
	}
	return NULL;
}

static void load_item(struct conf_load *c, const struct conf_item *item,
		      const struct tree_node *node, void *field)
{
	/* A key without a value is as good as none: its options may all be commented out. */
	if (node != NULL && node->null)
		node = NULL;
	if (node == NULL && item->required)
		conf_error(c, NULL, "%s: missing; it is required", item->key);
	switch (item->type) {
	case CONF_LIST:
		load_list(c, item, node, field);
		break;
	case CONF_MAP:
		load_map(c, item, node, field);
		break;
	case CONF_STRUCT:
		load_nested(c, item, node, field);
		break;
	case CONF_ARRAY:
		load_array(c, item, node, field);
		break;
	default:
		load_scalar(c, item, node, field);
		break;
	}
}

static void load_struct(struct conf_load *c, const struct conf_schema *schema,
			const struct tree_node *node, void *object)
{
	const struct tree_node *outer = c->map;

	if (node != NULL) {
		c->map = node;
		for (const struct tree_node *child = node->first; child != NULL;
		     child = child->next) {
			if (find_item(schema, child->key) == NULL)
				report_unknown(c, schema, child);
		}
	}
	for (size_t i = 0; i < schema->item_count; i++) {
		const struct conf_item *item = &schema->items[i];

		load_item(c, item, tree_get(node, item->key), (char *)object + item->offset);
	}
	if (schema->check != NULL)
		schema->check(c, node, object);
	c->map = outer;
}

int conf_load(const struct conf_schema *schema, const struct tree_node *root, struct buf *errors,
	      void **ret_object)
{
	struct conf_load c = {.errors = errors, .map = root};
	void *object = mem_zeroed(1, schema->size);

	load_struct(&c, schema, root, object);
	if (c.mistakes > 0) {
		conf_free(schema, &object);
		return ERR_CONFIG;
	}
	*ret_object = object;
	return ERR_OK;
}

int conf_parse(const struct conf_schema *schema, const char *file, const char *text, size_t size,
	       struct buf *errors, void **ret_object)
{
	CLEANUP(tree_free) struct tree *tree = NULL;
	int err = tree_parse(file, text, size, errors, &tree);

	if (err != ERR_OK)
		return err;
	return conf_load(schema, tree_root(tree), errors, ret_object);
}

int conf_load_file(const struct conf_schema *schema, const char *path, struct buf *errors,
		   void **ret_object)
{
	CLEANUP(tree_free) struct tree *tree = NULL;
	int err = tree_load(path, errors, &tree);

	if (err != ERR_OK)
		return err;
	return conf_load(schema, tree_root(tree), errors, ret_object);
}

void conf_free(const struct conf_schema *schema, void **object)
{
	if (*object == NULL)
		return;
	free_struct(schema, *object);
	free(*object);
	*object = NULL;
}

/* --- printing --- */

struct printer {
	struct buf *out;
	int depth;  /* levels of indentation, two spaces each */
	bool dash;  /* the next line starts an item of a list */
	bool terse; /* without the help: it was given before */
};

/* Start the line of a key. */
static void print_key(struct printer *p, const char *key)
{
	for (int i = 0; i < p->depth; i++)
		buf_puts(p->out, i == p->depth - 1 && p->dash ? "- " : "  ");
	p->dash = false;
	conf_value_put_key(p->out, key);
	buf_putc(p->out, ':');
}

static void print_end(const struct printer *p, const char *help)
{
	if (help != NULL && !p->terse)
		buf_printf(p->out, "  # %s", help);
	buf_putc(p->out, '\n');
}

static void print_list(struct printer *p, const struct conf_list *list, const char *help)
{
	buf_puts(p->out, " [");
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(p->out, i == 0 ? "" : ", ");
		conf_value_put_string(p->out, list->items[i]);
	}
	buf_putc(p->out, ']');
	print_end(p, help);
}

static void print_map(struct printer *p, const struct conf_map *map, const char *help)
{
	buf_puts(p->out, map->count == 0 ? " {}" : "");
	print_end(p, help);
	p->depth++;
	for (size_t i = 0; i < map->count; i++) {
		const struct conf_pair *pair = &map->pairs[i];

		print_key(p, pair->key);
		buf_putc(p->out, ' ');
		conf_value_put_string(p->out, pair->secret ? "***" : pair->value);
		buf_putc(p->out, '\n');
	}
	p->depth--;
}

static void print_struct(struct printer *p, const struct conf_schema *schema, const void *object);

static void print_array(struct printer *p, const struct conf_item *item,
			const struct conf_array *array)
{
	bool terse = p->terse;

	buf_puts(p->out, array->count == 0 ? " []" : "");
	print_end(p, item->help);
	p->depth++;
	for (size_t i = 0; i < array->count; i++) {
		p->dash = true;
		p->terse = terse || i > 0;
		print_struct(p, item->schema, (const char *)array->items + i * item->schema->size);
	}
	p->depth--;
	p->terse = terse;
}

static void print_item(struct printer *p, const struct conf_item *item, const void *field)
{
	print_key(p, item->key);
	switch (item->type) {
	case CONF_LIST:
		print_list(p, field, item->help);
		break;
	case CONF_MAP:
		print_map(p, field, item->help);
		break;
	case CONF_STRUCT:
		print_end(p, item->help);
		print_struct(p, item->schema, field);
		break;
	case CONF_ARRAY:
		print_array(p, item, field);
		break;
	default:
		buf_putc(p->out, ' ');
		conf_value_put(p->out, item, field);
		print_end(p, item->help);
		break;
	}
}

/* The options of one struct, a level deeper. */
static void print_struct(struct printer *p, const struct conf_schema *schema, const void *object)
{
	p->depth++;
	for (size_t i = 0; i < schema->item_count; i++) {
		const struct conf_item *item = &schema->items[i];

		print_item(p, item, (const char *)object + item->offset);
	}
	p->depth--;
}

void conf_print(const struct conf_schema *schema, const void *object, struct buf *out)
{
	struct printer p = {.out = out, .depth = -1};

	print_struct(&p, schema, object);
}
