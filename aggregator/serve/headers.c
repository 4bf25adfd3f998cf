/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/headers.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is(const char *name, size_t size, const char *want)
{
	return size == strlen(want) && strncasecmp(name, want, size) == 0;
}

/* Whether it is a token of RFC 9110. A blank before the colon is what proxies disagree about. */
static bool name_ok(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = name[i];

		if (!isalnum((unsigned char)c) &&
		    (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return size > 0;
}

static bool value_ok(const char *value, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Digits alone, at most 18 of them. */
static bool parse_length(const char *value, size_t size, uint64_t *ret_length)
{
	uint64_t length = 0;

	for (size_t i = 0; i < size; i++) {
		if (value[i] < '0' || value[i] > '9')
			return false;
		length = length * 10 + (uint64_t)(value[i] - '0');
	}
	*ret_length = length;
	return size > 0 && size <= 18;
}

static void set_wrong(struct headers *h, const char *why)
{
	if (h->wrong == NULL)
		h->wrong = why;
}

void headers_add(struct headers *h, const char *name, size_t name_size, const char *value,
		 size_t value_size)
{
	if (!name_ok(name, name_size))
		set_wrong(h, "the name of a header holds what names do not");
	if (!value_ok(value, value_size))
		set_wrong(h, "the value of a header holds a control character");
	if (is(name, name_size, "Content-Length")) {
		h->lengths++;
		if (!parse_length(value, value_size, &h->body_size))
			set_wrong(h, "Content-Length is no number");
	} else if (is(name, name_size, "Transfer-Encoding")) {
		h->codings++;
		if (!is(value, value_size, "chunked"))
			set_wrong(h, "Transfer-Encoding is other than chunked");
	}
	h->authorizations += is(name, name_size, "Authorization");
	h->hosts += is(name, name_size, "Host");
	if (h->codings > 0)
		h->body_size = HEADERS_BODY_UNKNOWN;
}

const char *headers_wrong(const struct headers *h)
{
	if (h->wrong != NULL)
		return h->wrong;
	if (h->lengths + h->codings > 1)
		return "the length of the body is given twice";
	if (h->authorizations > 1 || h->hosts > 1)
		return "a header comes twice that may come once";
	return NULL;
}
