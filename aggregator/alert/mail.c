/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/mail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aggregator/alert/escape.h"
#include "common/err.h"

#define SUBJECT_MAX 250 /* characters */
#define WORD_BYTES 42   /* of text in an encoded word, whose length is at most 75 */
#define LINE_MAX_QP 75  /* and the "=" that ends it softly */
#define PLAIN_MAX 66    /* of a header value that is not encoded: no line needs to be folded */

/* --- encodings --- */

static void put_base64(struct buf *out, const char *s, size_t size)
{
	static const char DIGITS[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t v = (uint32_t)(uint8_t)s[i] << 16;

		if (i + 1 < size)
			v |= (uint32_t)(uint8_t)s[i + 1] << 8;
		if (i + 2 < size)
			v |= (uint8_t)s[i + 2];
		buf_putc(out, DIGITS[v >> 18]);
		buf_putc(out, DIGITS[v >> 12 & 63]);
		buf_putc(out, i + 1 < size ? DIGITS[v >> 6 & 63] : '=');
		buf_putc(out, i + 2 < size ? DIGITS[v & 63] : '=');
	}
}

/* In lines of 76. */
static void put_base64_lines(struct buf *out, const char *s, size_t size)
{
	for (size_t at = 0; at < size; at += 57) {
		put_base64(out, s + at, MIN(size - at, (size_t)57));
		buf_puts(out, "\r\n");
	}
}

static void put_quoted(struct buf *out, uint8_t c, size_t *column)
{
	static const char HEX[] = "0123456789ABCDEF";
	bool plain = c >= ' ' && c <= '~' && c != '=';
	size_t width = plain ? 1 : 3;

	if (*column + width > LINE_MAX_QP) {
		buf_puts(out, "=\r\n");
		*column = 0;
	}
	/* A line that begins with a dot, or "From ", is touched on the way by some. */
	if (plain && *column == 0 && (c == '.' || c == 'F')) {
		plain = false;
		width = 3;
	}
	if (plain)
		buf_putc(out, (char)c);
	else
		buf_put(out, (char[]){'=', HEX[c >> 4], HEX[c & 15]}, 3);
	*column += width;
}

static void put_quoted_printable(struct buf *out, const char *s, size_t size)
{
	size_t column = 0;

	for (size_t i = 0; i < size; i++) {
		bool ends = i + 1 == size || s[i + 1] == '\n';

		if (s[i] == '\n') {
			buf_puts(out, "\r\n");
			column = 0;
		} else if (s[i] == ' ' && ends) {
			/* A blank at the end of a line would be lost. */
			if (column + 3 > LINE_MAX_QP)
				buf_puts(out, "=\r\n");
			buf_puts(out, "=20");
			column = column + 3 > LINE_MAX_QP ? 3 : column + 3;
		} else if (s[i] != '\r') {
			put_quoted(out, (uint8_t)s[i], &column);
		}
	}
	buf_puts(out, "\r\n");
}

/* --- headers --- */

static bool is_plain(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (s[i] < ' ' || s[i] > '~')
			return false;
	}
	return size <= PLAIN_MAX && memmem(s, size, "=?", 2) == NULL;
}

/* s is one line of UTF-8. What is not plain and short goes into encoded words, each on a line. */
static void put_words(struct buf *out, const char *s, size_t size)
{
	if (is_plain(s, size)) {
		buf_put(out, s, size);
		return;
	}
	for (size_t at = 0, n = 0; at < size; at += n) {
		n = MIN(size - at, (size_t)WORD_BYTES);
		while (at + n < size && ((uint8_t)s[at + n] & 0xc0) == 0x80)
			n--;
		buf_puts(out, at == 0 ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		put_base64(out, s + at, n);
		buf_puts(out, "?=");
	}
}

/* Foreign text as a header's value. */
static void put_value(struct buf *out, const char *s, size_t size)
{
	CLEANUP(buf_free) struct buf line = {0};

	escape_put(&line, ESCAPE_TEXT, s, escape_cut(s, size, SUBJECT_MAX));
	if (line.size != 0)
		put_words(out, line.data, line.size);
}

/* Where the address begins, and how long it is, in "Name <address>". */
static const char *find_address(const char *s, size_t *ret_size)
{
	const char *open = strrchr(s, '<');
	const char *close = open == NULL ? NULL : strchr(open, '>');

	if (close == NULL) {
		*ret_size = strlen(s);
		return s;
	}
	*ret_size = (size_t)(close - open - 1);
	return open + 1;
}

void mail_address(struct buf *out, const char *address)
{
	size_t size = 0;
	const char *at = find_address(address, &size);

	escape_put(out, ESCAPE_TEXT, at, size);
}

/* The name before the address as it has to stand in a header. */
static void put_name(struct buf *out, const char *name, size_t size)
{
	while (size > 0 && (name[size - 1] == ' ' || name[size - 1] == '"'))
		size--;
	while (size > 0 && (*name == ' ' || *name == '"')) {
		name++;
		size--;
	}
	if (size == 0)
		return;
	if (!is_plain(name, size)) {
		put_value(out, name, size);
		buf_putc(out, ' ');
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < size; i++) {
		if (name[i] == '"' || name[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, name[i]);
	}
	buf_puts(out, "\" ");
}

static void put_mailbox(struct buf *out, const char *mailbox)
{
	size_t size = 0;
	const char *address = find_address(mailbox, &size);

	if (address == mailbox) {
		mail_address(out, mailbox);
		return;
	}
	put_name(out, mailbox, (size_t)(address - 1 - mailbox));
	buf_putc(out, '<');
	mail_address(out, mailbox);
	buf_putc(out, '>');
}

/* The part behind the @ of the sender, which ids are made unique with. */
static void put_domain(struct buf *out, const char *from)
{
	CLEANUP(buf_free) struct buf address = {0};

	mail_address(&address, from);
	const char *at = strrchr(buf_str(&address), '@');
	size_t size = at == NULL ? 0
				 : strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789-."
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	if (size == 0)
		buf_puts(out, "warren.invalid");
	else
		buf_put(out, at + 1, size);
}

static void put_id(struct buf *out, const char *what, uint64_t id, const char *domain)
{
	buf_printf(out, "<%016" PRIx64 ".%s@%s>\r\n", id, what, domain);
}

static void put_date(struct buf *out, int64_t at_ms)
{
	static const char *const DAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const time_t s = (time_t)(at_ms / 1000);
	struct tm tm = {0};

	if (gmtime_r(&s, &tm) == NULL)
		return;
	buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", DAYS[tm.tm_wday % 7],
		   tm.tm_mday, MONTHS[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		   tm.tm_sec);
}

static void put_headers(struct buf *out, const struct mail *m)
{
	CLEANUP(buf_free) struct buf name = {0};

	put_domain(&name, m->from);
	const char *domain = buf_str(&name);
	buf_puts(out, "From: ");
	put_mailbox(out, m->from);
	buf_puts(out, "\r\nTo: ");
	for (size_t i = 0; i < m->to->count; i++) {
		buf_puts(out, i == 0 ? "" : ",\r\n ");
		put_mailbox(out, m->to->items[i]);
	}
	buf_puts(out, "\r\nSubject: ");
	put_value(out, m->subject, strlen(m->subject));
	buf_puts(out, "\r\n");
	put_date(out, m->at_ms);
	buf_puts(out, "Message-ID: ");
	put_id(out, "message", m->key, domain);
	/* The root of the thread is no mail that exists: so all of them stand side by side, and
	 * none is missing when the first was not delivered. */
	buf_puts(out, "In-Reply-To: ");
	put_id(out, "thread", m->thread, domain);
	buf_puts(out, "References: ");
	put_id(out, "thread", m->thread, domain);
	buf_printf(out, "List-Id: Warren <alerts.warren.%s>\r\n", domain);
	buf_puts(out, "Auto-Submitted: auto-generated\r\n"
		      "X-Auto-Response-Suppress: All\r\n"
		      "MIME-Version: 1.0\r\n");
}

/* --- parts --- */

static void begin_part(struct buf *out, const char *boundary)
{
	buf_printf(out, "--%s\r\n", boundary);
}

static void put_text_part(struct buf *out, const char *type, const struct buf *text)
{
	buf_printf(out,
		   "Content-Type: %s; charset=utf-8\r\n"
		   "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
		   type);
	put_quoted_printable(out, text->data, text->size);
}

static void put_picture(struct buf *out, const struct buf *png)
{
	buf_puts(out, "Content-Type: image/png; name=lag.png\r\n"
		      "Content-Transfer-Encoding: base64\r\n"
		      "Content-ID: <lag>\r\n"
		      "Content-Disposition: inline; filename=lag.png\r\n\r\n");
	put_base64_lines(out, png->data, png->size);
}

void mail_put(struct buf *out, const struct mail *m)
{
	char outer[64];
	char inner[64];

	/* Both hold "=_", which neither encoding above can write. */
	snprintf(outer, sizeof(outer), "=_a%016" PRIx64, m->key);
	snprintf(inner, sizeof(inner), "=_b%016" PRIx64, m->key);
	put_headers(out, m);
	buf_printf(out, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n", outer);
	begin_part(out, outer);
	put_text_part(out, "text/plain", m->text);
	begin_part(out, outer);
	if (m->png == NULL || m->png->size == 0) {
		put_text_part(out, "text/html", m->html);
	} else {
		buf_printf(out,
			   "Content-Type: multipart/related; type=\"text/html\"; "
			   "boundary=\"%s\"\r\n\r\n",
			   inner);
		begin_part(out, inner);
		put_text_part(out, "text/html", m->html);
		begin_part(out, inner);
		put_picture(out, m->png);
		buf_printf(out, "--%s--\r\n", inner);
	}
	buf_printf(out, "--%s--\r\n", outer);
}
