/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * tree - a configuration file in YAML as a small tree. The only user of libyaml.
 *
 * The tree knows maps, lists and scalars, and where each was written. What a configuration does not
 * need is refused: anchors, aliases, tags, duplicate keys, more than one document, and sizes beyond
 * the limits below. ${NAME} in a scalar is replaced from the environment after parsing, so a value
 * never becomes structure; $${ is a plain ${.
 */

#include "common/base.h"
#include "common/buf.h"

#define TREE_FILE_MAX ((size_t)4 << 20) /* bytes */
#define TREE_DEPTH_MAX 64
#define TREE_NODES_MAX 100000 /* in one file */
#define TREE_KEYS_MAX 1000    /* in one map */
#define TREE_KEY_MAX 128      /* bytes */

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
	enum tree_kind kind;
	int line;                /* from 1 on */
	const char *file;        /* as given to the loader */
	char *key;               /* in a map; else NULL */
	char *text;              /* of a scalar, without NUL bytes; else NULL */
	bool null;               /* written as nothing, ~ or null */
	size_t count;            /* of items */
	struct tree_node *first; /* the first item of a list or map */
	struct tree_node *last;
	struct tree_node *next; /* the next item of the same parent */
};

struct tree; /* the tree's owner */

/* Parse size bytes; file is the name shown in errors. Caller frees *ret_tree with tree_free().
 * ERR_CONFIG with the reasons appended to errors, "file:line: why" a line. An empty document is an
 * empty map. */
MUST_CHECK int tree_parse(const char *file, const char *data, size_t size, struct buf *errors,
			  struct tree **ret_tree);

/* Append the text of the file at path, and one byte more than TREE_FILE_MAX of one that is too
 * large. ERR_CONFIG, with the reason appended to errors, when it cannot be read. */
MUST_CHECK int tree_read(const char *path, struct buf *errors, struct buf *ret_text);

/* Read the file at path and, by name, the *.yaml files of conf.d beside it, merged as
 * tree_merge() does. Fails like tree_parse(), also when a file cannot be read. */
MUST_CHECK int tree_load(const char *path, struct buf *errors, struct tree **ret_tree);

/* Put overlay over base: maps merge key by key, a list of maps is appended to a list, anything else
 * is replaced. Takes *overlay, which is NULL after. */
void tree_merge(struct tree *base, struct tree **overlay);

/* The root, always a map. Valid until tree_free(). */
const struct tree_node *tree_root(const struct tree *tree);

/* The item of a map under key; NULL if there is none, or if map is NULL or no map. */
const struct tree_node *tree_get(const struct tree_node *map, const char *key);

/* Append "file:line: text" to errors as one line; a line of 0 is left out, and so is all that would
 * make the list of errors unreadably long. */
void tree_error(struct buf *errors, const char *file, int line, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* Accepts a pointer to NULL; *tree is NULL after. */
void tree_free(struct tree **tree);
