/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AT_MS INT64_C(1700000000000)

static struct buf text_of(const char *s)
{
	struct buf b = {0};

	buf_puts(&b, s);
	return b;
}

/* The mail of these parts to one address. */
static struct buf mail(const char *from, const char *to, const char *subject, const char *text,
		       const struct buf *png)
{
	char *items[] = {(char *)(uintptr_t)to};
	const struct conf_list list = {.items = items, .count = 1};
	CLEANUP(buf_free) struct buf plain = text_of(text);
	CLEANUP(buf_free) struct buf html = text_of("<p>\xc3\xa4</p>\n");
	const struct mail m = {
		.from = from,
		.to = &list,
		.subject = subject,
		.text = &plain,
		.html = &html,
		.png = png,
		.key = 0x4e,
		.thread = 0x5eed,
		.at_ms = AT_MS,
	};
	struct buf out = {0};

	mail_put(&out, &m);
	assert_int_equal(out.err, 0);
	return out;
}

#define HEADERS                                                                                    \
	"From: \"Warren\" <w@example.org>\r\n"                                                     \
	"To: ops@example.org\r\n"                                                                  \
	"Subject: [ERR] PROD/seoul: payments\r\n"                                                  \
	"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"                                                \
	"Message-ID: <000000000000004e.message@example.org>\r\n"                                   \
	"In-Reply-To: <0000000000005eed.thread@example.org>\r\n"                                   \
	"References: <0000000000005eed.thread@example.org>\r\n"                                    \
	"List-Id: Warren <alerts.warren.example.org>\r\n"                                          \
	"Auto-Submitted: auto-generated\r\n"                                                       \
	"X-Auto-Response-Suppress: All\r\n"                                                        \
	"MIME-Version: 1.0\r\n"                                                                    \
	"Content-Type: multipart/alternative; boundary=\"=_a000000000000004e\"\r\n\r\n"

#define PLAIN                                                                                      \
	"--=_a000000000000004e\r\n"                                                                \
	"Content-Type: text/plain; charset=utf-8\r\n"                                              \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"                                      \
	"one=3D1\r\ntwo\r\n\r\n"

#define HTML                                                                                       \
	"Content-Type: text/html; charset=utf-8\r\n"                                               \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"                                      \
	"<p>=C3=A4</p>\r\n\r\n"

static void a_mail_is_text_and_html(void **state)
{
	CLEANUP(buf_free)
	struct buf got = mail("Warren <w@example.org>", "ops@example.org",
			      "[ERR] PROD/seoul: payments", "one=1\ntwo\n", NULL);

	(void)state;
	assert_string_equal(buf_str(&got), HEADERS PLAIN "--=_a000000000000004e\r\n" HTML
							 "--=_a000000000000004e--\r\n");
}

static void a_picture_lies_beside_the_html(void **state)
{
	CLEANUP(buf_free) struct buf png = text_of("PNG");
	CLEANUP(buf_free)
	struct buf got = mail("Warren <w@example.org>", "ops@example.org",
			      "[ERR] PROD/seoul: payments", "one=1\ntwo\n", &png);

	(void)state;
	assert_string_equal(buf_str(&got), HEADERS PLAIN
			    "--=_a000000000000004e\r\n"
			    "Content-Type: multipart/related; type=\"text/html\"; "
			    "boundary=\"=_b000000000000004e\"\r\n\r\n"
			    "--=_b000000000000004e\r\n" HTML "--=_b000000000000004e\r\n"
			    "Content-Type: image/png; name=lag.png\r\n"
			    "Content-Transfer-Encoding: base64\r\n"
			    "Content-ID: <lag>\r\n"
			    "Content-Disposition: inline; filename=lag.png\r\n\r\n"
			    "UE5H\r\n"
			    "--=_b000000000000004e--\r\n--=_a000000000000004e--\r\n");
}

/* The line of a header, without its name; with those that go on with it. */
static void header_of(const struct buf *m, const char *name, char *ret_value, size_t size)
{
	CLEANUP(buf_free) struct buf start = {0};
	CLEANUP(buf_free) struct buf whole = {0};

	buf_put(&whole, m->data, m->size);
	buf_printf(&start, "\r\n%s: ", name);
	const char *at = strstr(buf_str(&whole), buf_str(&start));
	assert_non_null(at);
	at += start.size;
	const char *end = strstr(at, "\r\n");
	while (end[2] == ' ')
		end = strstr(end + 2, "\r\n");
	assert_in_range(end - at, 0, size - 1);
	memcpy(ret_value, at, (size_t)(end - at));
	ret_value[end - at] = '\0';
}

static void expect_subject(const char *subject, const char *expected)
{
	CLEANUP(buf_free) struct buf got = mail("w@e", "o@e", subject, "", NULL);
	char value[2048];

	header_of(&got, "Subject", value, sizeof(value));
	assert_string_equal(value, expected);
}

/* RFC 2047: words of at most 75 characters, cut between characters, one on a line. */
static void a_subject_is_one_header_whatever_it_says(void **state)
{
	(void)state;
	expect_subject("a\r\nBcc: x@y", "a  Bcc: x@y");
	expect_subject("=?UTF-8?B?eA==?=", "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=");
	expect_subject("caf\xc3\xa9", "=?UTF-8?B?Y2Fmw6k=?=");
	expect_subject("\xff", "=?UTF-8?B?77+9?=");
	expect_subject("12345678901234567890123456789012345678901\xc3\xa4 and so on",
		       "=?UTF-8?B?"
		       "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=?=\r\n"
		       " =?UTF-8?B?w6QgYW5kIHNvIG9u?=");
}

static void addresses_keep_their_names(void **state)
{
	static const struct {
		const char *given, *header;
	} CASES[] = {
		{"o@e", "o@e"},
		{"<o@e>", "<o@e>"},
		{"Ops <o@e>", "\"Ops\" <o@e>"},
		{"\"Ops, night\" <o@e>", "\"Ops, night\" <o@e>"},
		{"J\xc3\xb6 <o@e>", "=?UTF-8?B?SsO2?= <o@e>"},
		{"a\\b <o@e>", "\"a\\\\b\" <o@e>"},
	};
	char value[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		CLEANUP(buf_free) struct buf got = mail("w@e", CASES[i].given, "s", "", NULL);
		CLEANUP(buf_free) struct buf alone = {0};

		header_of(&got, "To", value, sizeof(value));
		assert_string_equal(value, CASES[i].header);
		mail_address(&alone, CASES[i].given);
		assert_string_equal(buf_str(&alone), "o@e");
	}
}

/* What the mail says where its text is, decoded by hand: RFC 2045, 6.7. */
static void expect_text(const char *text, const char *expected)
{
	CLEANUP(buf_free) struct buf got = mail("w@e", "o@e", "s", text, NULL);
	const char *begin = strstr(buf_str(&got), "quoted-printable\r\n\r\n");
	assert_non_null(begin);
	begin += strlen("quoted-printable\r\n\r\n");
	const char *end = strstr(begin, "\r\n--=_a");
	assert_non_null(end);
	assert_int_equal(end - begin, strlen(expected));
	assert_memory_equal(begin, expected, strlen(expected));
}

static void no_line_is_long_nor_lost_on_the_way(void **state)
{
	char text[120];
	char expected[130];

	(void)state;
	expect_text("a \nb\t\n c", "a=20\r\nb=09\r\n c");
	expect_text("a\r\nb", "a\r\nb");
	expect_text(".\n..a", "=2E\r\n=2E.a");
	expect_text("From x\nFrost", "=46rom x\r\n=46rost");
	memset(text, 'x', 100);
	text[100] = '\0';
	memset(expected, 'x', 75);
	strcpy(expected + 75, "=\r\nxxxxxxxxxxxxxxxxxxxxxxxxx");
	expect_text(text, expected);
	/* A character is written whole. */
	memcpy(text + 74, "\xc3\xa4", 3);
	strcpy(expected + 74, "=\r\n=C3=A4");
	expect_text(text, expected);
}

static void a_sender_without_a_domain_has_ids_too(void **state)
{
	CLEANUP(buf_free) struct buf got = mail("warren", "o@e", "s", "", NULL);
	char value[128];

	(void)state;
	header_of(&got, "Message-ID", value, sizeof(value));
	assert_string_equal(value, "<000000000000004e.message@warren.invalid>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_text_and_html),
		cmocka_unit_test(a_picture_lies_beside_the_html),
		cmocka_unit_test(a_subject_is_one_header_whatever_it_says),
		cmocka_unit_test(addresses_keep_their_names),
		cmocka_unit_test(no_line_is_long_nor_lost_on_the_way),
		cmocka_unit_test(a_sender_without_a_domain_has_ids_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
