/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/accept.h"

#include <string.h>
#include <strings.h>

#define BLANKS " \t"
#define WHOLE 1000

/* The end of an element, or of one of its parts: the next of the marks outside of quotes. */
static const char *find_end(const char *at, const char *marks)
{
	bool quoted = false;

	for (; *at != '\0' && (quoted || strchr(marks, *at) == NULL); at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (quoted && *at == '\\' && at[1] != '\0')
			at++;
	}
	return at;
}

/* 0, 0.5, 1.000; anything else is not a wish. */
static int parse_weight(const char *at)
{
	int weight = 0;

	if (*at == '1')
		return WHOLE;
	if (at[0] != '0' || at[1] != '.')
		return 0;
	at += 2;
	for (int share = WHOLE / 10; share > 0 && *at >= '0' && *at <= '9'; share /= 10, at++)
		weight += share * (*at - '0');
	return weight;
}

/* The weight among the parameters of an element, which begin at its first semicolon. */
static int weight_of(const char *at)
{
	while (*at == ';') {
		at++;
		at += strspn(at, BLANKS);
		if (strncasecmp(at, "q=", 2) == 0)
			return parse_weight(at + 2);
		at = find_end(at, ";,");
	}
	return WHOLE;
}

int accept_weight(const char *header, const char *name)
{
	int weight = ACCEPT_NOT_NAMED;
	size_t size = strlen(name);

	for (const char *at = header; at != NULL && *at != '\0'; at += *at == ',') {
		at += strspn(at, BLANKS);
		const char *end = at + strcspn(at, BLANKS ";,");
		const char *rest = end + strspn(end, BLANKS);

		if ((size_t)(end - at) == size && strncasecmp(at, name, size) == 0)
			weight = MAX(weight, weight_of(rest));
		at = find_end(rest, ",");
	}
	return weight;
}
