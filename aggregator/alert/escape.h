/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * escape - foreign text made harmless for the place it is put into. Names of groups and topics are
 * whatever somebody called them.
 */

#include "common/buf.h"

enum escape {
	ESCAPE_TEXT,  /* one line: control characters become blanks */
	ESCAPE_JSON,  /* inside of the quotes of a string */
	ESCAPE_SLACK, /* the same, and no <!channel> or link by Slack's rules */
	ESCAPE_URL,   /* one part of a URL */
	ESCAPE_FORM,  /* a value of application/x-www-form-urlencoded */
	ESCAPE_HTML,  /* text, or an attribute in quotes */
};

/* Append s. Bytes that are not UTF-8 become U+FFFD. */
void escape_put(struct buf *out, enum escape how, const char *s, size_t size);

/* How many bytes of s its first so many characters are. */
size_t escape_cut(const char *s, size_t size, size_t characters);
