/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/cells.h"

/* --- CSV --- */

/* Begin the next cell. */
static void part(struct cells *c)
{
	if (c->later)
		buf_putc(c->j.out, ',');
	c->later = true;
}

static bool is_formula(const char *s)
{
	return *s != '\0' && strchr("=+-@\t\r", *s) != NULL;
}

static void put_text(struct cells *c, const char *s, size_t size)
{
	struct buf *out = c->j.out;
	bool quoted = false;

	for (size_t i = 0; i < size && !quoted; i++)
		quoted = s[i] == '\0' || strchr(",\"\r\n", s[i]) != NULL;
	part(c);
	if (quoted)
		buf_putc(out, '"');
	if (size > 0 && is_formula(s))
		buf_putc(out, '\'');
	for (size_t i = 0; i < size; i++) {
		if (s[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, s[i]);
	}
	if (quoted)
		buf_putc(out, '"');
}

/* Begin a value, in JSON with its key. False: there is no value to write, for this is the line of
 * names. */
static bool begin(struct cells *c, const char *key)
{
	switch (c->form) {
	case CELLS_JSON:
		json_key(&c->j, key);
		return true;
	case CELLS_NAMES:
		part(c);
		if (c->object != NULL)
			buf_printf(c->j.out, "%s.", c->object);
		buf_puts(c->j.out, key);
		return false;
	default:
		return true;
	}
}

/* --- rows --- */

void cells_begin_row(struct cells *c)
{
	c->later = false;
	if (c->form == CELLS_JSON)
		json_begin_object(&c->j);
}

void cells_end_row(struct cells *c)
{
	if (c->form == CELLS_JSON)
		json_end_object(&c->j);
	else
		buf_puts(c->j.out, "\r\n");
}

void cells_begin_object(struct cells *c, const char *key)
{
	c->object = key;
	if (c->form != CELLS_JSON)
		return;
	json_key(&c->j, key);
	json_begin_object(&c->j);
}

void cells_end_object(struct cells *c)
{
	c->object = NULL;
	if (c->form == CELLS_JSON)
		json_end_object(&c->j);
}

/* --- values --- */

void cells_str(struct cells *c, const char *key, const char *value)
{
	const char *s = value != NULL ? value : "";

	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON)
		json_str(&c->j, s);
	else
		put_text(c, s, strlen(s));
}

void cells_text(struct cells *c, const char *key, const struct buf *value)
{
	const char *text = value->size > 0 ? value->data : "";

	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON)
		json_text(&c->j, text, value->size);
	else
		put_text(c, text, value->size);
}

void cells_int(struct cells *c, const char *key, int64_t value)
{
	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON) {
		json_int(&c->j, value);
		return;
	}
	part(c);
	buf_put_i64(c->j.out, value);
}

void cells_bool(struct cells *c, const char *key, bool value)
{
	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON) {
		json_bool(&c->j, value);
		return;
	}
	part(c);
	buf_puts(c->j.out, value ? "true" : "false");
}

void cells_float(struct cells *c, const char *key, float value)
{
	struct json plain = {.out = c->j.out};

	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON) {
		json_float32(&c->j, value);
		return;
	}
	part(c);
	json_float32(&plain, value);
}

void cells_null(struct cells *c, const char *key)
{
	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON)
		json_null(&c->j);
	else
		part(c);
}

void cells_known(struct cells *c, const char *key, int64_t value)
{
	if (value >= 0)
		cells_int(c, key, value);
	else
		cells_null(c, key);
}

void cells_known_float(struct cells *c, const char *key, float value)
{
	if (value >= 0)
		cells_float(c, key, value);
	else
		cells_null(c, key);
}

void cells_time(struct cells *c, const char *key, int64_t at_ms)
{
	cells_known(c, key, at_ms == 0 ? -1 : at_ms);
}

/* --- lists of words --- */

void cells_begin_words(struct cells *c, const char *key)
{
	c->word = false;
	if (!begin(c, key))
		return;
	if (c->form == CELLS_JSON)
		json_begin_array(&c->j);
	else
		part(c);
}

void cells_word(struct cells *c, const char *word)
{
	if (c->form == CELLS_JSON)
		json_str(&c->j, word);
	if (c->form != CELLS_CSV)
		return;
	if (c->word)
		buf_putc(c->j.out, ' ');
	c->word = true;
	buf_puts(c->j.out, word);
}

void cells_end_words(struct cells *c)
{
	if (c->form == CELLS_JSON)
		json_end_array(&c->j);
}
