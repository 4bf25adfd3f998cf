/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cells - one row of a list, written as a JSON object or as a line of CSV by the same calls.
 *
 * Members of an object inside a row are columns of their own in CSV, named "object.member"; words
 * of a list stand in one cell, parted by blanks. CSV is that of RFC 4180. What is not known is
 * null, and an empty cell. A text that a spreadsheet would take for a formula gets a quotation mark
 * in front, because names of groups and clients are chosen by strangers.
 */

#include "common/buf.h"
#include "common/json.h"

enum cells_form {
	CELLS_JSON,
	CELLS_NAMES, /* the line of CSV that names the columns; values are ignored */
	CELLS_CSV,
};

struct cells {
	struct json j;
	enum cells_form form;
	bool later;         /* a cell of the line is written already */
	bool word;          /* and a word of the list */
	const char *object; /* that is open; NULL: none */
};

static inline struct cells cells_on(struct buf *out, enum cells_form form)
{
	return (struct cells){.j = {.out = out}, .form = form};
}

void cells_begin_row(struct cells *c);
void cells_end_row(struct cells *c);

/* Objects do not nest. */
void cells_begin_object(struct cells *c, const char *key);
void cells_end_object(struct cells *c);

void cells_str(struct cells *c, const char *key, const char *value);
void cells_text(struct cells *c, const char *key, const struct buf *value);
void cells_int(struct cells *c, const char *key, int64_t value);
void cells_bool(struct cells *c, const char *key, bool value);
void cells_float(struct cells *c, const char *key, float value);

/* Negative is not known. */
void cells_known(struct cells *c, const char *key, int64_t value);
void cells_known_float(struct cells *c, const char *key, float value);

/* 0 is never. */
void cells_time(struct cells *c, const char *key, int64_t at_ms);

/* A value that is not known. */
void cells_null(struct cells *c, const char *key);

/* A list of words without blanks. */
void cells_begin_words(struct cells *c, const char *key);
void cells_word(struct cells *c, const char *word);
void cells_end_words(struct cells *c);
