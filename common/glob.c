/* SPDX-License-Identifier: Apache-2.0 */
#include "common/glob.h"

#include <string.h>

#include "common/utf8.h"

/* Take one character off *s, which is not at its end. A byte that is not UTF-8 stands for itself,
 * as a number that no character has. */
static uint32_t take(const char **s)
{
	uint32_t ch = 0;
	size_t length = utf8_decode(*s, strnlen(*s, 4), &ch);

	if (length == 0) {
		ch = 0x110000u + (uint8_t) * *s;
		length = 1;
	}
	*s += length;
	return ch;
}

/* Take one character of a class, or of a pattern: after a backslash the next one as it is. */
static uint32_t take_literal(const char **p)
{
	if (p[0][0] == '\\' && p[0][1] != '\0')
		(*p)++;
	return take(p);
}

/* Where the class that starts at p, a '[', ends: behind its ']'. NULL if it has none, and then the
 * '[' is an ordinary character. A ']' that comes first belongs to the class. */
static const char *class_end(const char *p)
{
	p += p[1] == '!' ? 2 : 1;
	do {
		if (*p == '\0')
			return NULL;
		take_literal(&p);
	} while (*p != ']');
	return p + 1;
}

static bool class_has(const char *p, const char *end, uint32_t ch)
{
	bool negated = p[1] == '!';
	bool found = false;

	p += negated ? 2 : 1;
	while (p < end - 1) {
		uint32_t low = take_literal(&p);
		uint32_t high = low;

		if (*p == '-' && p + 1 < end - 1) {
			p++;
			high = take_literal(&p);
		}
		found = found || (ch >= low && ch <= high);
	}
	return found != negated;
}

/* Match one element of the pattern, not a star, with one character, and step over both. */
static bool match_one(const char **pattern, const char **name)
{
	uint32_t ch = take(name);

	if (**pattern == '?') {
		(*pattern)++;
		return true;
	}
	const char *end = **pattern == '[' ? class_end(*pattern) : NULL;
	if (end != NULL) {
		bool has = class_has(*pattern, end, ch);
		*pattern = end;
		return has;
	}
	return **pattern != '\0' && take_literal(pattern) == ch;
}

bool glob_match(const char *pattern, const char *name)
{
	/* Only the last star ever takes more: whatever an earlier one could take instead, the last
	 * one can take too. So there is one place to go back to, and never a choice of two. */
	const char *behind_star = NULL;
	const char *retry = NULL;

	while (*name != '\0') {
		if (*pattern == '*') {
			behind_star = ++pattern;
			retry = name;
			continue;
		}
		if (match_one(&pattern, &name))
			continue;
		if (behind_star == NULL)
			return false;
		take(&retry);
		name = retry;
		pattern = behind_star;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool any_matches(char *const *patterns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (glob_match(patterns[i], name))
			return true;
	}
	return false;
}

bool glob_allowed(char *const *allow, size_t allow_count, char *const *deny, size_t deny_count,
		  const char *name)
{
	if (any_matches(deny, deny_count, name))
		return false;
	return allow_count == 0 || any_matches(allow, allow_count, name);
}
