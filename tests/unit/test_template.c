/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/example.h"
#include "aggregator/alert/gsm.h"
#include "common/err.h"

static void expect(const char *text, enum escape how, const char *group, const char *expected)
{
	struct message *m = example_message("r", "", "http://w/", MESSAGE_OPEN, 1700000000000);
	struct buf errors = {0};
	struct buf out = {0};
	struct template *t = NULL;
	const struct fields_at at = {.message = m, .to = "", .from = "", .sms = ""};

	assert_non_null(m);
	strcpy(m->incidents[0].incident.group, group);
	assert_int_equal(template_parse("t", text, strlen(text), how, &errors, &t), ERR_OK);
	assert_int_equal(template_render(t, &at, &out), ERR_OK);
	assert_string_equal(buf_str(&out), expected);
	template_free(&t);
	message_free(&m);
	buf_free(&errors);
	buf_free(&out);
}

static void a_name_cannot_leave_its_place(void **state)
{
	(void)state;
	expect("a {{group}} b", ESCAPE_TEXT, "x\r\nBcc: y", "a x  Bcc: y b");
	expect("\"{{group}}\"", ESCAPE_JSON, "x\"\n\\", "\"x\\\"\\n\\\\\"");
	expect("{{group}}", ESCAPE_HTML, "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;");
	expect("{{group}}", ESCAPE_URL, "a b/&\n", "a%20b%2F%26%0A");
	expect("{{group}}", ESCAPE_FORM, "a b&c=+", "a+b%26c%3D%2B");
	expect("{{group}}", ESCAPE_SLACK, "<!channel>", "\\u0026lt;!channel\\u0026gt;");
}

static void cuts_lists_and_conditions(void **state)
{
	(void)state;
	expect("{{group:2}}", ESCAPE_TEXT, "\xc3\xa4\xc3\xb6\xc3\xbc", "\xc3\xa4\xc3\xb6");
	expect("{{#incidents}}{{status}}{{^last}},{{/last}}{{/incidents}}", ESCAPE_TEXT, "g",
	       "ERR,WARN");
	expect("{{#note}}n{{/note}}{{^note}}none{{/note}}", ESCAPE_TEXT, "g", "none");
	expect("{{label.team}}{{label.nobody}}{{! x }}", ESCAPE_TEXT, "g", "shop");
}

static void what_is_broken_is_told_with_its_line(void **state)
{
	static const char *const BROKEN[] = {
		"\n{{nothing}}", "\n{{group",       "\n{{#note}}x", "\n{{/note}}",
		"\n{{{group}}}", "\n{{incidents}}", "\n{{name}}",   "\n{{group:x}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
		struct buf errors = {0};
		struct template *t = NULL;

		assert_int_equal(
			template_parse("f", BROKEN[i], strlen(BROKEN[i]), ESCAPE_TEXT, &errors, &t),
			ERR_CONFIG);
		assert_memory_equal(buf_str(&errors), "f:2: ", 5);
		buf_free(&errors);
	}
}

static void an_sms_fits(void **state)
{
	struct buf out = {0};
	char text[400];

	(void)state;
	memset(text, '[', sizeof(text));
	gsm_put(&out, text, sizeof(text));
	assert_true(gsm_length(out.data, out.size) > 150);
	assert_true(gsm_length(out.data, out.size) <= GSM_MAX);
	buf_free(&out);
}

static void a_message_comes_back_and_damage_is_refused(void **state)
{
	struct message *m = example_message("r", "x", "", MESSAGE_UPDATE, 1700000000000);
	struct message *back = NULL;
	struct buf bytes = {0};
	struct buf again = {0};

	(void)state;
	message_encode(m, &bytes);
	assert_int_equal(message_decode(bytes.data, bytes.size, &back), ERR_OK);
	message_encode(back, &again);
	assert_int_equal(bytes.size, again.size);
	assert_memory_equal(bytes.data, again.data, bytes.size);
	message_free(&back);
	for (size_t n = 0; n < bytes.size; n++)
		assert_int_not_equal(message_decode(bytes.data, n, &back), ERR_OK);
	message_free(&m);
	buf_free(&bytes);
	buf_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_cannot_leave_its_place),
		cmocka_unit_test(cuts_lists_and_conditions),
		cmocka_unit_test(what_is_broken_is_told_with_its_line),
		cmocka_unit_test(an_sms_fits),
		cmocka_unit_test(a_message_comes_back_and_damage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
