/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * conf - fills a plain struct from a YAML tree as a table describes, and prints it again.
 *
 * One row an option. All mistakes of a file are reported at once, one a line, each as
 * "file:line: key: what is wrong; what is allowed". Values that are wrong keep their default, so
 * that checks can go on; conf_load() then fails as a whole.
 */

#include "common/base.h"
#include "common/buf.h"
#include "common/tree.h"

/* The fields that a row may describe, beside char * (a string, never NULL once loaded), bool, an
 * enum and int64_t (integers; durations in milliseconds; sizes in bytes). */

struct conf_list {
	char **items; /* owned, never NULL */
	size_t count;
};

struct conf_pair {
	char *key;   /* owned */
	char *value; /* owned */
	bool secret; /* not to be shown */
};

struct conf_map {
	struct conf_pair *pairs; /* owned, in the order of the file */
	size_t count;
};

/* Items of one struct, laid out one after the other. */
struct conf_array {
	void *items; /* owned */
	size_t count;
};

enum conf_type {
	CONF_STRING,   /* char * */
	CONF_INT,      /* int64_t */
	CONF_BOOL,     /* bool */
	CONF_DURATION, /* int64_t, milliseconds; written with a unit: 500ms 10s 5m 1h 7d */
	CONF_SIZE,     /* int64_t, bytes; written as 4096 or 64KiB MiB GiB TiB */
	CONF_WORD,     /* an enum, the index of the word */
	CONF_LIST,     /* struct conf_list */
	CONF_MAP,      /* struct conf_map */
	CONF_STRUCT,   /* a struct, in place */
	CONF_ARRAY,    /* struct conf_array */
};

struct conf_load;

struct conf_item {
	const char *key;
	enum conf_type type;
	bool required;
	bool secret;   /* never printed, not even in an error */
	size_t offset; /* of the field in its struct */

	/* The default as one would write it; of a list, or an array with plain values: its only
	 * item, or NULL for none. */
	const char *fallback;

	/* Allowed range: of a number; of the bytes of a string; of the items of a list, map or
	 * array. Both 0: no bound. */
	int64_t min;
	int64_t max;

	const char *const *words;         /* CONF_WORD: ends with NULL */
	const struct conf_schema *schema; /* CONF_STRUCT, CONF_ARRAY */

	/* Further checks of a value that the file gives and that is right so far; may complete it.
	 * Reports by conf_error(). NULL: none. */
	void (*check)(struct conf_load *c, const struct tree_node *node, void *field);

	const char *help; /* one short line, printed as a comment */
};

struct conf_schema {
	size_t size; /* of the struct */
	const struct conf_item *items;
	size_t item_count;

	/* In an array: the key that a plain value stands for in the place of a map. NULL: none. */
	const char *plain;

	/* Checks between the options of one struct, after all of them are filled. map is NULL where
	 * the file has no such map. NULL: none. */
	void (*check)(struct conf_load *c, const struct tree_node *map, void *object);
};

/* Fill a new, zeroed struct of schema->size from the tree. Caller frees *ret_object with
 * conf_free(). ERR_CONFIG when there is any mistake, each appended to errors as one line. */
MUST_CHECK int conf_load(const struct conf_schema *schema, const struct tree_node *root,
			 struct buf *errors, void **ret_object);

/* The same from size bytes of YAML; file is the name shown in errors. */
MUST_CHECK int conf_parse(const struct conf_schema *schema, const char *file, const char *text,
			  size_t size, struct buf *errors, void **ret_object);

/* The same from the file at path, as tree_load() reads it. */
MUST_CHECK int conf_load_file(const struct conf_schema *schema, const char *path,
			      struct buf *errors, void **ret_object);

/* Give an object and all it owns back, and set *object to NULL. */
void conf_free(const struct conf_schema *schema, void **object);

/* The effective configuration as YAML, defaults included, secrets as "***". */
void conf_print(const struct conf_schema *schema, const void *object, struct buf *out);

/* Report a mistake at a node; for checks only. The text starts with the key and a colon. */
void conf_error(struct conf_load *c, const struct tree_node *node, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
