/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* conf_value - one value of a configuration as text, and back: numbers with their units, words,
 * strings in YAML's quotes. For conf.c. */

#include "common/conf.h"

enum conf_value {
	CONF_VALUE_OK,
	CONF_VALUE_MALFORMED,
	CONF_VALUE_OUT_OF_RANGE,
};

/* Whether v is in the item's range, if it has one. */
bool conf_value_in_range(const struct conf_item *item, int64_t v);

/* Set the field of a scalar item; untouched unless CONF_VALUE_OK. A string is copied and the
 * earlier one freed. */
enum conf_value conf_value_parse(const struct conf_item *item, const char *text, void *field);

/* The value of a scalar item as conf_value_parse() reads it; a string in quotes where YAML needs
 * them, a secret as "***". */
void conf_value_put(struct buf *out, const struct conf_item *item, const void *field);

/* A string, and a key, as YAML that tree_parse() reads back as the same. */
void conf_value_put_string(struct buf *out, const char *s);
void conf_value_put_key(struct buf *out, const char *s);

/* For messages: what an item expects, and its range. */
void conf_value_put_expected(struct buf *out, const struct conf_item *item);
void conf_value_put_range(struct buf *out, const struct conf_item *item);
