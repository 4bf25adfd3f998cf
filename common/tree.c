/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/utf8.h"

#define ERRORS_MAX ((size_t)64 << 10) /* bytes of error text; more helps nobody */

/* The names of the files that a tree came from, which its nodes borrow. */
struct file {
	struct file *next;
	char name[];
};

struct tree {
	struct tree_node *root;
	struct file *files;
};

struct reader {
	yaml_parser_t parser;
	struct tree *tree;
	struct buf *errors;
	struct tree_node *stack[TREE_DEPTH_MAX]; /* the maps and lists that are open */
	size_t depth;
	char *key; /* owned; of the map entry whose value comes next */
	size_t nodes;
	size_t replaced; /* bytes that came from the environment */
	bool wrong;      /* something was reported */
	bool stop;       /* and going on makes no sense */
};

static char *copy(const char *s, size_t size)
{
	char *p = mem_zeroed(1, size + 1);

	memcpy(p, s, size);
	return p;
}

static void free_node(struct tree_node *node)
{
	while (node->first != NULL) {
		struct tree_node *child = node->first;

		node->first = child->next;
		free_node(child); /* as deep as TREE_DEPTH_MAX */
	}
	free(node->key);
	free(node->text);
	free(node);
}

void tree_free(struct tree **tree)
{
	if (*tree == NULL)
		return;
	if ((*tree)->root != NULL)
		free_node((*tree)->root);
	while ((*tree)->files != NULL) {
		struct file *file = (*tree)->files;

		(*tree)->files = file->next;
		free(file);
	}
	free(*tree);
	*tree = NULL;
}

const struct tree_node *tree_root(const struct tree *tree)
{
	return tree->root;
}

static struct tree_node *find(const struct tree_node *map, const char *key)
{
	for (struct tree_node *child = map->first; child != NULL; child = child->next) {
		if (strcmp(child->key, key) == 0)
			return child;
	}
	return NULL;
}

const struct tree_node *tree_get(const struct tree_node *map, const char *key)
{
	return map == NULL || map->kind != TREE_MAP ? NULL : find(map, key);
}

void tree_error(struct buf *errors, const char *file, int line, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	if (errors->size > ERRORS_MAX)
		return;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	if (line > 0)
		buf_printf(errors, "%s:%d: %s\n", file, line, text);
	else
		buf_printf(errors, "%s: %s\n", file, text);
	free(text);
}

static void PRINTF_LIKE(3, 4) complain(struct reader *r, int line, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	tree_error(r->errors, r->tree->files->name, line, "%s", text);
	free(text);
	r->wrong = true;
}

/* --- ${NAME} --- */

/* Replace the ${NAME} that starts at s; returns the text behind it. */
static const char *put_variable(struct reader *r, int line, const char *s, struct buf *out)
{
	static const char FIRST[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char LATER[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t size = strspn(s + 2, LATER);
	char name[256];

	if (strspn(s + 2, FIRST) == 0 || s[2 + size] != '}' || size >= sizeof(name)) {
		complain(r, line, "${ without a name and }; write ${NAME}, or $${ for a plain ${");
		return s + 2;
	}
	memcpy(name, s + 2, size);
	name[size] = '\0';
	const char *value = getenv(name);
	if (value == NULL)
		complain(r, line, "${%s}: not set in the environment", name);
	else if (!utf8_valid(value, strlen(value)))
		complain(r, line, "${%s}: not UTF-8", name);
	else
		buf_puts(out, value);
	return s + 2 + size + 1;
}

/* text with its variables replaced. Takes text; caller owns the result. */
static char *replace_variables(struct reader *r, int line, char *text)
{
	CLEANUP(buf_free) struct buf out = {.limit = TREE_FILE_MAX - r->replaced};
	const char *s = text;

	if (strstr(text, "${") == NULL)
		return text;
	for (const char *dollar; (dollar = strstr(s, "${")) != NULL;) {
		buf_put(&out, s, (size_t)(dollar - s));
		if (dollar > s && dollar[-1] == '$') {
			buf_putc(&out, '{'); /* the first of both dollars is already there */
			s = dollar + 2;
		} else {
			s = put_variable(r, line, dollar, &out);
		}
	}
	buf_puts(&out, s);
	if (out.err != ERR_OK)
		complain(r, line, "more than %zu bytes come from the environment", TREE_FILE_MAX);
	r->replaced += out.size;
	free(text);
	return copy(buf_str(&out), out.err == ERR_OK ? out.size : 0);
}

/* --- building the tree --- */

static void append(struct tree_node *parent, struct tree_node *child)
{
	if (parent->last == NULL)
		parent->first = child;
	else
		parent->last->next = child;
	parent->last = child;
	parent->count++;
}

/* Whether the open node is a map that waits for a key. */
static bool wants_key(const struct reader *r)
{
	return r->depth > 0 && r->stack[r->depth - 1]->kind == TREE_MAP && r->key == NULL;
}

static void check_key(struct reader *r, const struct tree_node *map, int line)
{
	const struct tree_node *earlier = find(map, r->key);

	if (earlier != NULL)
		complain(r, line, "%s: given twice, first in line %d", log_quote(r->key),
			 earlier->line);
	if (strlen(r->key) > TREE_KEY_MAX)
		complain(r, line, "a key of %zu bytes; %d are allowed", strlen(r->key),
			 TREE_KEY_MAX);
	if (map->count >= TREE_KEYS_MAX) {
		complain(r, line, "too many keys; a map may have %d", TREE_KEYS_MAX);
		r->stop = true;
	}
}

/* A new node where the reader stands. Owned by the tree. */
static struct tree_node *add(struct reader *r, enum tree_kind kind, int line)
{
	struct tree_node *node = mem_zeroed(1, sizeof(*node));

	*node = (struct tree_node){.kind = kind, .line = line, .file = r->tree->files->name};
	if (r->depth > 0) {
		node->key = r->key;
		r->key = NULL;
		append(r->stack[r->depth - 1], node);
	} else {
		r->tree->root = node;
	}
	if (++r->nodes > TREE_NODES_MAX) {
		complain(r, line, "too many values; a file may have %d", TREE_NODES_MAX);
		r->stop = true;
	}
	return node;
}

static void on_scalar(struct reader *r, const yaml_event_t *e, int line)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t size = e->data.scalar.length;

	if (strlen(text) != size)
		complain(r, line, "a NUL byte; text may not hold one");
	if (wants_key(r)) {
		r->key = copy(text, size);
		check_key(r, r->stack[r->depth - 1], line);
		return;
	}
	struct tree_node *node = add(r, TREE_SCALAR, line);
	node->null = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		     (size == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
	node->text = replace_variables(r, line, copy(text, size));
}

static void on_open(struct reader *r, enum tree_kind kind, int line)
{
	if (wants_key(r)) {
		complain(r, line, "a map or list where a key is expected; a key is one word");
		r->stop = true;
		return;
	}
	if (r->depth == TREE_DEPTH_MAX) {
		complain(r, line, "nested too deep; %d levels are allowed", TREE_DEPTH_MAX);
		r->stop = true;
		return;
	}
	struct tree_node *node = add(r, kind, line);
	r->stack[r->depth++] = node;
}

static void refuse_extras(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag,
			  int line)
{
	if (anchor != NULL)
		complain(r, line, "&%s: anchors are not allowed; write the value out", anchor);
	if (tag != NULL)
		complain(r, line, "%s: tags are not allowed; leave it out",
			 log_quote((const char *)tag));
}

static void on_event(struct reader *r, const yaml_event_t *e)
{
	int line = (int)e->start_mark.line + 1;

	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->tree->root != NULL) {
			complain(r, line, "a second document; a file may have one");
			r->stop = true;
		}
		break;
	case YAML_ALIAS_EVENT:
		complain(r, line, "*%s: aliases are not allowed; write the value out",
			 e->data.alias.anchor);
		r->stop = true;
		break;
	case YAML_SCALAR_EVENT:
		refuse_extras(r, e->data.scalar.anchor, e->data.scalar.tag, line);
		on_scalar(r, e, line);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_extras(r, e->data.sequence_start.anchor, e->data.sequence_start.tag, line);
		on_open(r, TREE_LIST, line);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_extras(r, e->data.mapping_start.anchor, e->data.mapping_start.tag, line);
		on_open(r, TREE_MAP, line);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		break;
	default:
		break;
	}
}

/* What libyaml says, at the line it means: bytes that are not text have an offset only. */
static void report_syntax(struct reader *r, const char *data, size_t size)
{
	const yaml_parser_t *p = &r->parser;
	int line = (int)p->problem_mark.line + 1;

	if (p->error == YAML_MEMORY_ERROR)
		abort();
	if (p->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < size && i < p->problem_offset; i++)
			line += data[i] == '\n';
	}
	complain(r, line, "%s%s%s", p->problem != NULL ? p->problem : "cannot be read",
		 p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
	r->stop = true;
}

/* Read all events; the parser is the caller's. */
static void read_events(struct reader *r, const char *data, size_t size)
{
	bool end = false;

	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)data, size);
	while (!end && !r->stop) {
		yaml_event_t e;

		if (!yaml_parser_parse(&r->parser, &e)) {
			report_syntax(r, data, size);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		on_event(r, &e);
		yaml_event_delete(&e);
	}
}

static void check_root(struct reader *r)
{
	if (r->stop)
		return;
	if (r->tree->root == NULL || r->tree->root->null) {
		if (r->tree->root != NULL)
			free_node(r->tree->root);
		add(r, TREE_MAP, 1);
	} else if (r->tree->root->kind != TREE_MAP) {
		complain(r, r->tree->root->line, "expects a map of options at the top");
	}
}

static void read_document(struct reader *r, const char *data, size_t size)
{
	if (!yaml_parser_initialize(&r->parser))
		abort();
	read_events(r, data, size);
	yaml_parser_delete(&r->parser);
	check_root(r);
	free(r->key);
}

int tree_parse(const char *file, const char *data, size_t size, struct buf *errors,
	       struct tree **ret_tree)
{
	struct tree *tree = mem_zeroed(1, sizeof(*tree));
	struct reader r = {.tree = tree, .errors = errors};

	tree->files = mem_zeroed(1, sizeof(struct file) + strlen(file) + 1);
	memcpy(tree->files->name, file, strlen(file) + 1);
	if (size > TREE_FILE_MAX)
		complain(&r, 0, "too large; %zu bytes are allowed", TREE_FILE_MAX);
	else
		read_document(&r, data, size);
	if (r.wrong) {
		tree_free(&tree);
		return ERR_CONFIG;
	}
	*ret_tree = tree;
	return ERR_OK;
}

/* --- merging --- */

/* Make slot, which keeps its place and key, hold what *from holds. Takes from. */
static void replace(struct tree_node *slot, struct tree_node *from)
{
	struct tree_node old = *slot;

	*slot = *from;
	slot->key = old.key;
	slot->next = old.next;
	*from = (struct tree_node){.key = from->key, .text = old.text, .first = old.first};
	free_node(from);
}

static void merge_lists(struct tree_node *base, struct tree_node *overlay)
{
	base->last->next = overlay->first;
	base->last = overlay->last;
	base->count += overlay->count;
	overlay->first = NULL;
	free_node(overlay);
}

/* Takes overlay, a map like base. */
static void merge_maps(struct tree_node *base, struct tree_node *overlay)
{
	while (overlay->first != NULL) {
		struct tree_node *child = overlay->first;
		struct tree_node *slot = find(base, child->key);

		overlay->first = child->next;
		child->next = NULL;
		if (slot == NULL)
			append(base, child);
		else if (child->null)
			free_node(child); /* as good as not written */
		else if (slot->kind == TREE_MAP && child->kind == TREE_MAP)
			merge_maps(slot, child);
		else if (slot->kind == TREE_LIST && child->kind == TREE_LIST && slot->count > 0 &&
			 child->count > 0 && child->first->kind == TREE_MAP)
			merge_lists(slot, child);
		else
			replace(slot, child);
	}
	free_node(overlay);
}

void tree_merge(struct tree *base, struct tree **overlay)
{
	struct file **end = &base->files;

	while (*end != NULL)
		end = &(*end)->next;
	*end = (*overlay)->files;
	merge_maps(base->root, (*overlay)->root);
	free(*overlay);
	*overlay = NULL;
}

/* --- files --- */

int tree_read(const char *path, struct buf *errors, struct buf *ret_text)
{
	int err = file_read(path, TREE_FILE_MAX, ret_text);

	if (err == -ENOMEM)
		abort();
	if (err != ERR_OK)
		tree_error(errors, path, 0, "cannot be read: %s", err_str(err));
	return err == ERR_OK ? ERR_OK : ERR_CONFIG;
}

static int load_one(const char *path, struct buf *errors, struct tree **ret_tree)
{
	CLEANUP(buf_free) struct buf text = {0};
	int err = tree_read(path, errors, &text);

	if (err != ERR_OK)
		return err;
	return tree_parse(path, text.data, text.size, errors, ret_tree);
}

static int is_yaml(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return entry->d_name[0] != '.' && size > 5 &&
	       strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Merge one file over tree. */
static int load_over(struct tree *tree, const char *path, struct buf *errors)
{
	CLEANUP(tree_free) struct tree *overlay = NULL;
	int err = load_one(path, errors, &overlay);

	if (err == ERR_OK && tree != NULL)
		tree_merge(tree, &overlay);
	return err;
}

/* Merge the files of the directory, which need not exist. A tree of NULL only checks them. */
static int load_directory(struct tree *tree, const char *directory, struct buf *errors)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_yaml, by_name);
	int err = ERR_OK;

	if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
		tree_error(errors, directory, 0, "cannot be listed: %s", err_str(-errno));
		err = ERR_CONFIG;
	}
	for (int i = 0; i < count; i++) {
		CLEANUP(buf_free) struct buf path = {0};

		buf_printf(&path, "%s/%s", directory, entries[i]->d_name);
		int failed = load_over(tree, buf_str(&path), errors);
		err = err == ERR_OK ? failed : err;
		free(entries[i]);
	}
	free(entries);
	return err;
}

int tree_load(const char *path, struct buf *errors, struct tree **ret_tree)
{
	CLEANUP(tree_free) struct tree *tree = NULL;
	CLEANUP(buf_free) struct buf directory = {0};
	const char *slash = strrchr(path, '/');

	buf_put(&directory, path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
	buf_puts(&directory, "conf.d");
	int err = load_one(path, errors, &tree);
	int failed = load_directory(tree, buf_str(&directory), errors);
	err = err == ERR_OK ? failed : err;
	if (err != ERR_OK)
		return err;
	*ret_tree = tree;
	tree = NULL;
	return ERR_OK;
}
