/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/utf8.h"

#define TEXT_MAX 8192  /* bytes of key=value text a line */
#define QUOTE_MAX 2048 /* bytes of one quoted value */
#define QUOTES 4

static const char *const LEVELS[] = {"debug", "info", "warn", "error", "info"};
static atomic_int threshold = LOG_LEVEL_INFO;
static atomic_int output = LOG_FORMAT_LOGFMT;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
	atomic_store_explicit(&output, (int)format, memory_order_relaxed);
}

/* One key=value of a text; borrowed from it. The value is still escaped if it is quoted. */
struct pair {
	const char *key;
	size_t key_size;
	const char *value;
	size_t value_size;
	bool quoted;
};

/* How many bytes of p there are before the quote that closes it, or before its end. */
static size_t quoted_size(const char *p)
{
	size_t n = 0;

	while (p[n] != '"' && p[n] != '\0')
		n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
	return n;
}

/* Step *text over one pair. False at the end of the text, and at a quote that does not close. */
static bool next_pair(const char **text, struct pair *ret_pair)
{
	const char *p = *text + strspn(*text, " ");
	struct pair pair = {.key = p, .key_size = strcspn(p, " ="), .value = ""};

	p += pair.key_size;
	if (*p == '=') {
		pair.quoted = p[1] == '"';
		pair.value = p + 1 + pair.quoted;
		pair.value_size = pair.quoted ? quoted_size(pair.value) : strcspn(pair.value, " ");
		p = pair.value + pair.value_size;
		if (pair.quoted && *p++ != '"')
			return false;
	}
	*ret_pair = pair;
	bool some = p > pair.key; /* a key, or at least its = */
	*text = p;
	return some;
}

/* Cut a text that did not fit back to its last whole pair. */
static void cut(char text[static TEXT_MAX])
{
	static const char MARK[] = " truncated=true";
	const char *whole = text;
	const char *next = text;
	struct pair pair;

	while (next_pair(&next, &pair) && next < text + TEXT_MAX - sizeof(MARK))
		whole = next;
	memcpy(text + (whole - text), MARK, sizeof(MARK));
}

/* The four hex digits of a \u escape as UTF-8. Nothing if they are none. */
static void put_code(struct buf *b, const char *digits, size_t size)
{
	unsigned int ch = 0;

	if (size < 4 || sscanf(digits, "%4x", &ch) != 1)
		return;
	if (ch < 0x80) {
		buf_putc(b, (char)ch);
		return;
	}
	if (ch < 0x800) {
		buf_putc(b, (char)(0xc0 | ch >> 6));
	} else {
		buf_putc(b, (char)(0xe0 | ch >> 12));
		buf_putc(b, (char)(0x80 | (ch >> 6 & 0x3f)));
	}
	buf_putc(b, (char)(0x80 | (ch & 0x3f)));
}

static void put_unescaped(struct buf *b, const char *s, size_t size)
{
	static const char LETTER[128] = {['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};

	for (size_t i = 0; i < size; i++) {
		if (s[i] != '\\' || i + 1 == size) {
			buf_putc(b, s[i]);
			continue;
		}
		uint8_t c = (uint8_t)s[++i];
		if (c == 'u') {
			put_code(b, s + i + 1, size - i - 1);
			i += MIN((size_t)4, size - i - 1);
		} else {
			buf_put(b, c < 128 && LETTER[c] != 0 ? &LETTER[c] : &s[i], 1);
		}
	}
}

/* Values are always strings: a field that is a number in one line and a word in the next would
 * have no type for whoever indexes them. */
static void put_json(struct buf *line, const char *time, enum log_level level, const char *message,
		     const char *text)
{
	struct json j = {.out = line};
	CLEANUP(buf_free) struct buf value = {0};
	CLEANUP(buf_free) struct buf key = {0};
	struct pair pair;

	json_begin_object(&j);
	json_key(&j, "time");
	json_str(&j, time);
	json_key(&j, "level");
	json_str(&j, LEVELS[level]);
	json_key(&j, "msg");
	json_str(&j, message);
	while (next_pair(&text, &pair)) {
		buf_reset(&key);
		buf_put(&key, pair.key, pair.key_size);
		json_name(&j, buf_str(&key));
		buf_reset(&value);
		if (pair.quoted)
			put_unescaped(&value, pair.value, pair.value_size);
		else
			buf_put(&value, pair.value, pair.value_size);
		json_text(&j, buf_str(&value), value.size);
	}
	json_end_object(&j);
}

static void put_logfmt(struct buf *line, const char *time, enum log_level level,
		       const char *message, const char *text)
{
	buf_puts(line, "time=");
	buf_puts(line, time);
	buf_puts(line, " level=");
	buf_puts(line, LEVELS[level]);
	buf_puts(line, " msg=\"");
	buf_puts(line, message);
	buf_putc(line, '"');
	if (*text != '\0' && *text != ' ')
		buf_putc(line, ' ');
	buf_puts(line, text);
	/* One event is one line, whatever a value holds that was not quoted. */
	for (size_t i = 0; i < line->size; i++) {
		if ((uint8_t)line->data[i] < ' ')
			line->data[i] = ' ';
	}
}

static void format_time(int64_t now_ms, char ret_text[static 40])
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	size_t n = strftime(ret_text, 30, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, 10, ".%03dZ", (int)(now_ms % 1000));
}

void log_event(enum log_level level, const char *message, const char *fmt, ...)
{
	char text[TEXT_MAX];
	char time[40];
	va_list args;

	if (level < log_get_level())
		return;
	va_start(args, fmt);
	int size = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (size >= TEXT_MAX)
		cut(text);
	format_time(clock_wall_ms(), time);

	CLEANUP(buf_free) struct buf line = {0};
	bool json = atomic_load_explicit(&output, memory_order_relaxed) == LOG_FORMAT_JSON;
	(json ? put_json : put_logfmt)(&line, time, level, message, size < 0 ? "" : text);
	buf_putc(&line, '\n');
	/* One write, so that lines of several threads do not mix. There is nobody to tell if it
	 * fails. */
	while (line.err == 0 && write(STDERR_FILENO, line.data, line.size) < 0 && errno == EINTR)
		;
}

static bool plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s > '~' || *s == '"' || *s == '=' || *s == '\\')
			return false;
	}
	return true;
}

/* Write the escaped form of the character at s, at most 6 bytes; returns how many bytes it was. */
static size_t escape(const char *s, char ret_text[static 8])
{
	uint32_t ch = 0;
	size_t length = utf8_decode(s, strnlen(s, 4), &ch);

	if (length == 0) {
		memcpy(ret_text, "\\ufffd", sizeof("\\ufffd"));
		return 1;
	}
	if (ch == '"' || ch == '\\')
		snprintf(ret_text, 8, "\\%c", (char)ch);
	else if (ch == '\n' || ch == '\r' || ch == '\t')
		snprintf(ret_text, 8, "\\%c", ch == '\n' ? 'n' : ch == '\r' ? 'r' : 't');
	else if (ch < ' ' || ch == 0x7f)
		snprintf(ret_text, 8, "\\u%04x", ch);
	else
		snprintf(ret_text, 8, "%.*s", (int)length, s);
	return length;
}

const char *log_quote(const char *s)
{
	static _Thread_local char results[QUOTES][QUOTE_MAX];
	static _Thread_local unsigned int turn;
	char *out = results[turn++ % QUOTES];
	size_t n = 0;

	if (s == NULL)
		s = "";
	bool bare = plain(s) && strlen(s) < QUOTE_MAX - 16;
	if (!bare)
		out[n++] = '"';
	while (*s != '\0' && n < QUOTE_MAX - 16) {
		char text[8] = {*s};

		s += bare ? 1 : escape(s, text);
		memcpy(out + n, text, sizeof(text));
		n += strlen(text);
	}
	if (*s != '\0')
		n += (size_t)snprintf(out + n, 4, "...");
	if (!bare)
		out[n++] = '"';
	out[n] = '\0';
	return out;
}

void log_lines(const char *text, const char *message)
{
	char line[QUOTE_MAX];

	while (*text != '\0') {
		size_t size = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)MIN(size, sizeof(line)), text);
		log_error(message, "what=%s", log_quote(line));
		text += size + (text[size] == '\n');
	}
}
