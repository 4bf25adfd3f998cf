/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/exposition.h"

#include <string.h>

#include "common/err.h"
#include "common/utf8.h"

void exposition_open(struct buf *b, const char *name)
{
	buf_puts(b, name);
	buf_putc(b, '{');
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

void exposition_close(struct buf *b)
{
	if (b->err != ERR_OK)
		return;
	b->size--;
	buf_puts(b, b->data[b->size] == '{' ? " " : "} ");
}

void exposition_int(struct buf *b, int64_t value)
{
	buf_put_i64(b, value);
	buf_putc(b, '\n');
}

/* value / 10^digits, without zeroes at the end. */
static void put_decimal(struct buf *b, int64_t value, size_t digits)
{
	char text[24];
	uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;

	for (size_t i = digits; i > 0; i--, size /= 10)
		text[i] = (char)('0' + size % 10);
	if (value < 0)
		buf_putc(b, '-');
	buf_put_u64(b, size);
	while (digits > 0 && text[digits] == '0')
		digits--;
	text[0] = '.';
	if (digits > 0)
		buf_put(b, text, digits + 1);
}

void exposition_ms(struct buf *b, int64_t ms)
{
	put_decimal(b, ms, 3);
	buf_putc(b, '\n');
}

void exposition_us(struct buf *b, int64_t us)
{
	put_decimal(b, us, 6);
	buf_putc(b, '\n');
}

void exposition_plain(struct buf *b, const char *name, uint64_t value)
{
	buf_puts(b, name);
	buf_putc(b, ' ');
	buf_put_u64(b, value);
	buf_putc(b, '\n');
}

void exposition_labelled(struct buf *b, const char *name, const char *label, const char *text,
			 uint64_t value)
{
	exposition_open(b, name);
	exposition_label(b, label, text);
	exposition_close(b);
	buf_put_u64(b, value);
	buf_putc(b, '\n');
}

static void open_histogram(struct buf *b, const char *name, const char *ending, const char *label,
			   const char *value)
{
	buf_puts(b, name);
	exposition_open(b, ending);
	if (label != NULL)
		exposition_label(b, label, value);
}

static void put_bucket(struct buf *b, size_t bucket, uint64_t count)
{
	bool last = bucket == HISTOGRAM_BUCKETS - 1;

	buf_puts(b, last ? "le=\"+Inf" : "le=\"");
	if (!last)
		put_decimal(b, histogram_bound_us(bucket), 6);
	/* OpenMetrics wants a point in it. */
	if (!last && histogram_bound_us(bucket) % 1000000 == 0)
		buf_puts(b, ".0");
	buf_puts(b, "\"} ");
	buf_put_u64(b, count);
	buf_putc(b, '\n');
}

void exposition_histogram(struct buf *b, const char *name, const char *label, const char *value,
			  const struct histogram_counts *counts)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		open_histogram(b, name, "_bucket", label, value);
		put_bucket(b, i, counts->below[i]);
	}
	open_histogram(b, name, "_sum", label, value);
	exposition_close(b);
	exposition_us(b, (int64_t)counts->sum_us);
	open_histogram(b, name, "_count", label, value);
	exposition_close(b);
	exposition_int(b, (int64_t)counts->below[HISTOGRAM_BUCKETS - 1]);
}
