/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/pretty.h"

static void new_line(struct buf *out, size_t depth)
{
	buf_putc(out, '\n');
	for (size_t i = 0; i < depth; i++)
		buf_put(out, "  ", 2);
}

/* The length of the string that begins at its quotation mark, both marks included. */
static size_t string_size(const char *s, size_t size)
{
	size_t n = 1;

	while (n < size && s[n] != '"')
		n += s[n] == '\\' ? 2 : 1;
	return MIN(n + 1, size);
}

void pretty(const char *data, size_t size, struct buf *out)
{
	size_t depth = 0;
	bool opened = false; /* a bracket, just before: an empty pair stays on its line */

	for (size_t i = 0; i < size && out->err == 0;) {
		char c = data[i];
		size_t length = c == '"' ? string_size(data + i, size - i) : 1;
		bool closes = c == '}' || c == ']';

		depth -= closes && depth > 0;
		if (opened != closes)
			new_line(out, depth);
		buf_put(out, data + i, length);
		opened = c == '{' || c == '[';
		depth += opened;
		if (c == ',')
			new_line(out, depth);
		if (c == ':')
			buf_putc(out, ' ');
		i += length;
	}
	buf_putc(out, '\n');
}
