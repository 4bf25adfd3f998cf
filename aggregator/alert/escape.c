/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/escape.h"

#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/utf8.h"

/* Control characters, the ends of lines that only Unicode knows, and those that turn the direction
 * of what follows: a name must not rewrite the sentence around it. */
static bool is_control(uint32_t ch)
{
	return ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0x2028 || ch == 0x2029 ||
	       (ch >= 0x202a && ch <= 0x202e) || (ch >= 0x2066 && ch <= 0x2069);
}

static void put_entity(struct buf *out, const char *s, size_t size)
{
	if (size == 1 && *s == '&')
		buf_puts(out, "&amp;");
	else if (size == 1 && *s == '<')
		buf_puts(out, "&lt;");
	else if (size == 1 && *s == '>')
		buf_puts(out, "&gt;");
	else if (size == 1 && *s == '"')
		buf_puts(out, "&quot;");
	else if (size == 1 && *s == '\'')
		buf_puts(out, "&#39;");
	else
		buf_put(out, s, size);
}

/* One line of UTF-8; html: with entities. */
static void put_line(struct buf *out, const char *s, size_t size, bool html)
{
	uint32_t ch = 0;

	for (size_t at = 0, step = 0; at < size; at += step) {
		step = utf8_decode(s + at, size - at, &ch);
		if (step == 0) {
			step = 1;
			buf_puts(out, "\xef\xbf\xbd");
		} else if (is_control(ch)) {
			buf_putc(out, ' ');
		} else if (html) {
			put_entity(out, s + at, step);
		} else {
			buf_put(out, s + at, step);
		}
	}
}

/* Without the quotes that json_text() puts around it. */
static void put_json(struct buf *out, const char *s, size_t size)
{
	CLEANUP(buf_free) struct buf quoted = {0};
	struct json j = {.out = &quoted};

	json_text(&j, s, size);
	if (quoted.err != ERR_OK)
		out->err = quoted.err;
	else
		buf_put(out, quoted.data + 1, quoted.size - 2);
}

/* Slack reads three characters as its own, and wants them as entities. */
static void put_slack(struct buf *out, const char *s, size_t size)
{
	CLEANUP(buf_free) struct buf text = {0};

	for (size_t i = 0; i < size; i++) {
		if (s[i] == '&' || s[i] == '<' || s[i] == '>')
			put_entity(&text, s + i, 1);
		else
			buf_putc(&text, s[i]);
	}
	if (text.err != ERR_OK)
		out->err = text.err;
	else if (text.size != 0)
		put_json(out, text.data, text.size);
}

static void put_percent(struct buf *out, const char *s, size_t size, bool form)
{
	static const char HEX[] = "0123456789ABCDEF";
	static const char PLAIN[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (size_t i = 0; i < size; i++) {
		uint8_t c = (uint8_t)s[i];

		if (c != 0 && strchr(PLAIN, c) != NULL)
			buf_putc(out, s[i]);
		else if (form && c == ' ')
			buf_putc(out, '+');
		else
			buf_put(out, (char[]){'%', HEX[c >> 4], HEX[c & 15]}, 3);
	}
}

void escape_put(struct buf *out, enum escape how, const char *s, size_t size)
{
	switch (how) {
	case ESCAPE_TEXT:
	case ESCAPE_HTML:
		put_line(out, s, size, how == ESCAPE_HTML);
		return;
	case ESCAPE_JSON:
		put_json(out, s, size);
		return;
	case ESCAPE_SLACK:
		put_slack(out, s, size);
		return;
	case ESCAPE_URL:
	case ESCAPE_FORM:
		put_percent(out, s, size, how == ESCAPE_FORM);
		return;
	}
}

size_t escape_cut(const char *s, size_t size, size_t characters)
{
	uint32_t ch = 0;
	size_t at = 0;

	for (; characters > 0 && at < size; characters--) {
		size_t step = utf8_decode(s + at, size - at, &ch);

		at += step == 0 ? 1 : step;
	}
	return at;
}
