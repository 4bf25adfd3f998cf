/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json_check.h"

#include <string.h>

#include "common/utf8.h"

struct cursor {
	const char *s;
	size_t size, at;
	unsigned depth;
	const char *why; /* the first that is wrong */
};

/* The next byte; NUL at the end. */
static char peek(const struct cursor *c)
{
	if (c->at < c->size)
		return c->s[c->at];
	return '\0';
}

static void fail(struct cursor *c, const char *why)
{
	if (c->why == NULL)
		c->why = why;
}

static bool take(struct cursor *c, char ch)
{
	if (c->why != NULL || c->at >= c->size || c->s[c->at] != ch)
		return false;
	c->at++;
	return true;
}

static void skip_blanks(struct cursor *c)
{
	while (c->why == NULL && peek(c) != '\0' && strchr(" \t\r\n", peek(c)) != NULL)
		c->at++;
}

/* Four digits: what the character is, or a half of it. */
static unsigned take_hex(struct cursor *c)
{
	static const char HEX[] = "0123456789abcdef0123456789ABCDEF";
	unsigned v = 0;

	for (int i = 0; i < 4; i++, c->at++) {
		const char *digit = peek(c) == '\0' ? NULL : strchr(HEX, peek(c));

		if (digit == NULL) {
			fail(c, "\\u needs four hexadecimal digits");
			return 0;
		}
		v = v * 16 + (unsigned)(digit - HEX) % 16;
	}
	return v;
}

/* After the backslash. */
static void take_escape(struct cursor *c)
{
	if (peek(c) != '\0' && strchr("\"\\/bfnrt", peek(c)) != NULL) {
		c->at++;
		return;
	}
	if (!take(c, 'u')) {
		fail(c, "a backslash stands before what needs none");
		return;
	}
	unsigned first = take_hex(c);
	if ((first & 0xf800) != 0xd800)
		return;
	bool whole =
		first < 0xdc00 && take(c, '\\') && take(c, 'u') && (take_hex(c) & 0xfc00) == 0xdc00;
	if (!whole)
		fail(c, "half of a character");
}

/* After its first quote. */
static void take_string(struct cursor *c)
{
	uint32_t ch = 0;

	while (c->why == NULL && !take(c, '"')) {
		size_t step = utf8_decode(c->s + c->at, c->size - c->at, &ch);

		if (c->at >= c->size)
			fail(c, "a text is not closed");
		else if (take(c, '\\'))
			take_escape(c);
		else if (step == 0)
			fail(c, "this is not UTF-8");
		else if (ch < 0x20)
			fail(c, "a text goes over the end of the line");
		else
			c->at += step;
	}
}

static void take_digits(struct cursor *c)
{
	size_t before = c->at;

	while (peek(c) >= '0' && peek(c) <= '9')
		c->at++;
	if (c->at == before)
		fail(c, "a digit is missing");
}

static void take_number(struct cursor *c)
{
	(void)take(c, '-');
	if (!take(c, '0'))
		take_digits(c);
	if (take(c, '.'))
		take_digits(c);
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			(void)take(c, '-');
		take_digits(c);
	}
}

static bool take_word(struct cursor *c, const char *word)
{
	size_t size = strlen(word);

	if (c->size - c->at < size || memcmp(c->s + c->at, word, size) != 0)
		return false;
	c->at += size;
	return true;
}

static void take_value(struct cursor *c);

static void take_name(struct cursor *c)
{
	skip_blanks(c);
	if (!take(c, '"')) {
		fail(c, "a name in quotes is missing");
		return;
	}
	take_string(c);
	skip_blanks(c);
	if (!take(c, ':'))
		fail(c, "a colon is missing");
}

/* After the brace or bracket. */
static void take_items(struct cursor *c, char end)
{
	if (++c->depth > JSON_CHECK_DEPTH_MAX) {
		fail(c, "too much is inside of each other");
		return;
	}
	skip_blanks(c);
	if (take(c, end)) {
		c->depth--;
		return;
	}
	do {
		if (end == '}')
			take_name(c);
		if (c->why == NULL)
			take_value(c);
		skip_blanks(c);
	} while (c->why == NULL && take(c, ','));
	if (!take(c, end))
		fail(c, end == '}' ? "a comma or } is missing" : "a comma or ] is missing");
	c->depth--;
}

/* There is none where the blanks before the end, or what comes next, begin. */
static void miss_value(struct cursor *c, size_t at)
{
	c->at = at;
	fail(c, "a value is missing");
}

/* Recursion is as deep as JSON_CHECK_DEPTH_MAX. */
static void take_value(struct cursor *c)
{
	size_t before = c->at;

	skip_blanks(c);
	if (take(c, '{'))
		take_items(c, '}');
	else if (take(c, '['))
		take_items(c, ']');
	else if (take(c, '"'))
		take_string(c);
	else if (peek(c) == '-' || (peek(c) >= '0' && peek(c) <= '9'))
		take_number(c);
	else if (c->at >= c->size || strchr(",}]", peek(c)) != NULL)
		miss_value(c, before);
	else if (!take_word(c, "true") && !take_word(c, "false") && !take_word(c, "null"))
		fail(c, "this is no value");
}

const char *json_check(const char *text, size_t size, size_t *ret_at)
{
	struct cursor c = {.s = text, .size = size};

	take_value(&c);
	skip_blanks(&c);
	if (c.at < size)
		fail(&c, "something follows after the end");
	*ret_at = c.at;
	return c.why;
}
