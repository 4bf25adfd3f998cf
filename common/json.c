/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/utf8.h"

/* The bytes that cannot stand in a string as they are: 1; all of 0x80 and more need a look. */
static const uint8_t SPECIAL[256] = {
	[0x00 ... 0x1f] = 1, ['"'] = 1,  ['&'] = 1,           ['<'] = 1,
	['>'] = 1,           ['\\'] = 1, [0x80 ... 0xff] = 1,
};

static size_t plain_run(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && !SPECIAL[(uint8_t)s[n]])
		n++;
	return n;
}

/* Those of them that have a letter of their own behind the backslash. */
static const char LETTER[128] = {
	['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
};

/* Write the character beyond ASCII at s; returns how many bytes of it that was. */
static size_t put_wide(struct buf *b, const char *s, size_t size)
{
	uint32_t ch = 0;
	size_t length = utf8_decode(s, size, &ch);

	if (length == 0) {
		buf_put(b, "\\ufffd", 6);
		return 1;
	}
	if (ch == 0x2028 || ch == 0x2029) /* ends a line in JavaScript */
		buf_put(b, ch == 0x2028 ? "\\u2028" : "\\u2029", 6);
	else
		buf_put(b, s, length);
	return length;
}

/* Write the special byte or character at s; returns how many bytes of it that was. */
static size_t put_special(struct buf *b, const char *s, size_t size)
{
	static const char HEX[] = "0123456789abcdef";
	uint8_t c = (uint8_t)*s;

	if (c >= 0x80)
		return put_wide(b, s, size);
	if (LETTER[c] != 0)
		buf_put(b, (char[]){'\\', LETTER[c]}, 2);
	else
		buf_put(b, (char[]){'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]}, 6);
	return 1;
}

static void put_escaped(struct buf *b, const char *s, size_t size)
{
	while (size > 0) {
		size_t n = plain_run(s, size);

		buf_put(b, s, n);
		if (n < size)
			n += put_special(b, s + n, size - n);
		s += n;
		size -= n;
	}
}

/* Write lead (0: nothing), quote, text, quote. One reservation when nothing needs escaping, which
 * is nearly always so. */
static void put_quoted(struct json *j, char lead, const char *s, size_t size)
{
	struct buf *b = j->out;
	char *at = NULL;

	if (plain_run(s, size) == size)
		at = buf_reserve(b, size + 3);
	if (at != NULL) {
		if (lead != '\0')
			*at++ = lead;
		*at++ = '"';
		memcpy(at, s, size);
		at[size] = '"';
		b->size += size + 2 + (lead != '\0');
		return;
	}
	if (lead != '\0')
		buf_putc(b, lead);
	buf_putc(b, '"');
	put_escaped(b, s, size);
	buf_putc(b, '"');
}

static void begin_value(struct json *j)
{
	if (j->comma)
		buf_putc(j->out, ',');
	j->comma = true;
}

static void begin(struct json *j, char bracket)
{
	begin_value(j);
	buf_putc(j->out, bracket);
	j->comma = false;
}

static void end(struct json *j, char bracket)
{
	buf_putc(j->out, bracket);
	j->comma = true;
}

void json_begin_object(struct json *j)
{
	begin(j, '{');
}

void json_end_object(struct json *j)
{
	end(j, '}');
}

void json_begin_array(struct json *j)
{
	begin(j, '[');
}

void json_end_array(struct json *j)
{
	end(j, ']');
}

void json_plain_key(struct json *j, const char *key, size_t size)
{
	char *at = buf_reserve(j->out, size + 4);

	if (at == NULL)
		return;
	if (j->comma)
		*at++ = ',';
	*at++ = '"';
	memcpy(at, key, size);
	at[size] = '"';
	at[size + 1] = ':';
	j->out->size += size + 3 + j->comma;
	j->comma = false;
}

void json_name(struct json *j, const char *name)
{
	put_quoted(j, j->comma ? ',' : '\0', name, strlen(name));
	buf_putc(j->out, ':');
	j->comma = false;
}

void json_text(struct json *j, const char *s, size_t size)
{
	put_quoted(j, j->comma ? ',' : '\0', s, size);
	j->comma = true;
}

void json_str(struct json *j, const char *s)
{
	json_text(j, s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
}

/* The digits of v, written before end; returns where they start. */
static char *digits_before(char *end, uint64_t v)
{
	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	return end;
}

static void put_integer(struct json *j, bool negative, uint64_t v)
{
	char text[24];
	char *limit = text + sizeof(text);
	char *at = digits_before(limit, v);

	if (negative)
		*--at = '-';
	if (j->comma)
		*--at = ',';
	buf_put(j->out, at, (size_t)(limit - at));
	j->comma = true;
}

void json_int(struct json *j, int64_t v)
{
	put_integer(j, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_uint(struct json *j, uint64_t v)
{
	put_integer(j, false, v);
}

void json_bool(struct json *j, bool v)
{
	begin_value(j);
	buf_puts(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
	begin_value(j);
	buf_put(j->out, "null", 4);
}

/* The shortest digits of v > 0 that read back as v, without a point, and the power of ten of the
 * first of them. */
static int shortest_digits(float v, char ret_digits[static 16])
{
	char text[32];

	for (int precision = 0; precision < 9; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	char *exponent = strchr(text, 'e');
	size_t n = 0;
	for (const char *p = text; p < exponent; p++) {
		if (*p != '.')
			ret_digits[n++] = *p;
	}
	ret_digits[n] = '\0';
	return atoi(exponent + 1);
}

static void put_positional(struct buf *b, const char *digits, int power)
{
	int count = (int)strlen(digits);

	if (power < 0)
		buf_puts(b, "0.");
	for (int i = power + 1; i < 0; i++)
		buf_putc(b, '0');
	for (int i = 0; i < MAX(count, power + 1); i++) {
		if (i == power + 1 && power >= 0)
			buf_putc(b, '.');
		buf_put(b, i < count ? &digits[i] : "0", 1);
	}
}

static void put_exponential(struct buf *b, const char *digits, int power)
{
	buf_putc(b, digits[0]);
	if (digits[1] != '\0') {
		buf_putc(b, '.');
		buf_puts(b, digits + 1);
	}
	buf_puts(b, power < 0 ? "e-" : "e+");
	buf_put_u64(b, (uint64_t)abs(power));
}

void json_float32(struct json *j, float v)
{
	if (!isfinite(v)) {
		json_null(j);
		return;
	}
	begin_value(j);
	if (signbit(v))
		buf_putc(j->out, '-');
	v = fabsf(v);
	if (v == 0 || v == 1) { /* nearly every value there is */
		buf_puts(j->out, v == 0 ? "0" : "1");
		return;
	}
	char digits[16] = "";
	int power = shortest_digits(v, digits);
	if (v < 1e-6f || v >= 1e21f)
		put_exponential(j->out, digits, power);
	else
		put_positional(j->out, digits, power);
}
