/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/exposition.h"

#include <string.h>

#include "common/err.h"
#include "common/utf8.h"

void exposition_family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The bytes of a label's value that stand for themselves. */
static size_t plain_run(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && (s[n] & 0x80) == 0 && s[n] != '\\' && s[n] != '"' && s[n] != '\n')
		n++;
	return n;
}

/* Write the character at s that does not stand for itself; returns its length. */
static size_t put_special(struct buf *b, const char *s)
{
	uint32_t ch = 0;
	size_t length = utf8_decode(s, strnlen(s, 4), &ch);

	if (length == 1)
		buf_put(b, *s == '\n' ? "\\n" : *s == '"' ? "\\\"" : "\\\\", 2);
	else if (length > 1)
		buf_put(b, s, length);
	else
		buf_puts(b, "\xEF\xBF\xBD");
	return MAX(length, (size_t)1);
}

void exposition_escaped(struct buf *b, const char *value)
{
	while (*value != '\0') {
		size_t n = plain_run(value);

		buf_put(b, value, n);
		value += n;
		if (*value != '\0')
			value += put_special(b, value);
	}
}

void exposition_label(struct buf *b, const char *name, const char *value)
{
	buf_puts(b, name);
	buf_put(b, "=\"", 2);
	exposition_escaped(b, value);
	buf_put(b, "\",", 2);
}

void exposition_labels_end(struct buf *b)
{
	b->size -= b->err == ERR_OK;
	buf_puts(b, "} ");
}

void exposition_seconds(struct buf *b, int64_t ms)
{
	uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	const char rest[] = {'.', (char)('0' + size / 100 % 10), (char)('0' + size / 10 % 10),
			     (char)('0' + size % 10)};

	if (ms < 0)
		buf_putc(b, '-');
	buf_put_u64(b, size / 1000);
	if (size % 1000 != 0)
		buf_put(b, rest, sizeof(rest));
}
