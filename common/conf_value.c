/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf_value.h"
#include "common/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

struct unit {
	const char *name;
	int64_t size;
};

/* The largest first, so that a value is printed in the largest unit that divides it. */
static const struct unit DURATIONS[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit SIZES[] = {
	{"TiB", (int64_t)1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20},
	{"KiB", 1 << 10},          {"", 1},          {NULL, 0},
};
static const struct unit NONE[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum conf_type type)
{
	return type == CONF_DURATION ? DURATIONS : type == CONF_SIZE ? SIZES : NONE;
}

bool conf_value_in_range(const struct conf_item *item, int64_t v)
{
	bool bounded = item->min != 0 || item->max != 0;

	return !bounded || (v >= item->min && v <= item->max);
}

static enum conf_value parse_number(const struct conf_item *item, const char *text, int64_t *field)
{
	const struct unit *unit = units_of(item->type);
	char *end = NULL;
	int64_t v = 0;

	if (strspn(text + (*text == '-'), "0123456789") == 0)
		return CONF_VALUE_MALFORMED;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	while (unit->name != NULL && strcmp(unit->name, end) != 0)
		unit++;
	if (unit->name == NULL)
		return CONF_VALUE_MALFORMED;
	if (errno != 0 || __builtin_mul_overflow(number, unit->size, &v) ||
	    !conf_value_in_range(item, v))
		return CONF_VALUE_OUT_OF_RANGE;
	*field = v;
	return CONF_VALUE_OK;
}

static enum conf_value parse_string(const struct conf_item *item, const char *text, char **field)
{
	if (!conf_value_in_range(item, (int64_t)strlen(text)))
		return CONF_VALUE_OUT_OF_RANGE;
	char *copy = mem_copy(text);
	free(*field);
	*field = copy;
	return CONF_VALUE_OK;
}

static enum conf_value parse_word(const struct conf_item *item, const char *text, int *field)
{
	for (int i = 0; item->words[i] != NULL; i++) {
		if (strcmp(item->words[i], text) == 0) {
			*field = i;
			return CONF_VALUE_OK;
		}
	}
	return CONF_VALUE_MALFORMED;
}

enum conf_value conf_value_parse(const struct conf_item *item, const char *text, void *field)
{
	switch (item->type) {
	case CONF_STRING:
		return parse_string(item, text, field);
	case CONF_WORD:
		return parse_word(item, text, field);
	case CONF_BOOL:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return CONF_VALUE_MALFORMED;
		*(bool *)field = *text == 't';
		return CONF_VALUE_OK;
	default:
		return parse_number(item, text, field);
	}
}

static void put_number(struct buf *out, enum conf_type type, int64_t v)
{
	const struct unit *unit = units_of(type);

	if (v == 0) {
		buf_puts(out, type == CONF_DURATION ? "0s" : "0");
		return;
	}
	while (v % unit->size != 0)
		unit++;
	buf_put_i64(out, v / unit->size);
	buf_puts(out, unit->name);
}

/* Whether YAML reads s as itself, as it stands and in every place. */
static bool plain(const char *s)
{
	static const char WORD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_./:+-";
	size_t size = strlen(s);

	return size > 0 && strspn(s, WORD) == size && strchr(".:+-", *s) == NULL &&
	       s[size - 1] != ':' && strcmp(s, "null") != 0;
}

/* Whether YAML takes a character in quotes as it stands. */
static bool printable(uint32_t ch)
{
	return (ch >= ' ' && ch <= '~') ||
	       (ch >= 0xa0 && ch != 0x2028 && ch != 0x2029 && ch != 0xfeff && ch < 0xfffd) ||
	       ch > 0xffff;
}

/* The character at s, inside quotes; returns its length. */
static size_t put_character(struct buf *out, const char *s)
{
	uint32_t ch = 0;
	size_t length = utf8_decode(s, strnlen(s, 4), &ch);

	if (length == 0) {
		buf_puts(out, "\\ufffd");
		return 1;
	}
	if (ch == '"' || ch == '\\')
		buf_printf(out, "\\%c", (char)ch);
	else if (printable(ch))
		buf_put(out, s, length);
	else
		buf_printf(out, "\\u%04x", ch);
	return length;
}

void conf_value_put_key(struct buf *out, const char *s)
{
	if (plain(s)) {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	while (*s != '\0')
		s += put_character(out, s);
	buf_putc(out, '"');
}

void conf_value_put_string(struct buf *out, const char *s)
{
	if (plain(s)) {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	while (*s != '\0') {
		if (s[0] == '$' && s[1] == '{') /* or it would be a variable */
			buf_putc(out, '$');
		s += put_character(out, s);
	}
	buf_putc(out, '"');
}

void conf_value_put(struct buf *out, const struct conf_item *item, const void *field)
{
	bool unset = item->type == CONF_STRING && **(char *const *)field == '\0';

	if (item->secret && !unset)
		buf_puts(out, "\"***\"");
	else if (item->type == CONF_STRING)
		conf_value_put_string(out, *(char *const *)field);
	else if (item->type == CONF_WORD)
		buf_puts(out, item->words[*(const int *)field]);
	else if (item->type == CONF_BOOL)
		buf_puts(out, *(const bool *)field ? "true" : "false");
	else
		put_number(out, item->type, *(const int64_t *)field);
}

void conf_value_put_expected(struct buf *out, const struct conf_item *item)
{
	static const char *const EXPECTED[] = {
		[CONF_STRING] = "a string",
		[CONF_INT] = "a whole number",
		[CONF_BOOL] = "true or false",
		[CONF_DURATION] = "a duration such as 30s (units ms, s, m, h, d)",
		[CONF_SIZE] = "a size such as 64MiB (units KiB, MiB, GiB, TiB)",
		[CONF_WORD] = "one of",
		[CONF_LIST] = "a list of strings",
		[CONF_MAP] = "a map of strings",
		[CONF_STRUCT] = "a map of options",
		[CONF_ARRAY] = "a list of maps",
	};

	buf_puts(out, EXPECTED[item->type]);
	for (size_t i = 0; item->type == CONF_WORD && item->words[i] != NULL; i++)
		buf_printf(out, "%s%s", i == 0 ? " " : ", ", item->words[i]);
}

void conf_value_put_range(struct buf *out, const struct conf_item *item)
{
	put_number(out, item->type, item->min);
	buf_puts(out, " to ");
	put_number(out, item->type, item->max);
}
