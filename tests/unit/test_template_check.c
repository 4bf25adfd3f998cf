/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/template_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

#define ALL (TEMPLATE_FOR_OPEN | TEMPLATE_FOR_END)

/* What is said about it; "" when it is right. */
static void check(const char *text, enum escape how, unsigned uses, struct buf *errors)
{
	static const struct fields_at LIKE = {.to = "t", .from = "f", .sms = "s"};
	struct template *t = NULL;

	buf_reset(errors);
	if (template_parse("f", text, strlen(text), how, errors, &t) != ERR_OK)
		fail_msg("%s", buf_str(errors));
	int err = template_check(t, "f", uses, &LIKE, errors);
	assert_int_equal(err, errors->size == 0 ? ERR_OK : ERR_CONFIG);
	template_free(&t);
}

static void expect(const char *text, enum escape how, unsigned uses, const char *expected)
{
	CLEANUP(buf_free) struct buf errors = {0};

	check(text, how, uses, &errors);
	if (strcmp(buf_str(&errors), expected) != 0)
		fail_msg("%s: %s", text, buf_str(&errors));
}

static void json_that_holds_passes(void **state)
{
	(void)state;
	expect("{\"g\":\"{{group}}\",\"n\":{{lag}},\"t\":\"{{text}}\"}\n", ESCAPE_JSON, ALL, "");
	expect("[{{#incidents}}\n  {\"s\": \"{{sentence:20}}\", \"up\": {{flapping}}}"
	       "{{^last}},{{/last}}\n{{/incidents}}]",
	       ESCAPE_JSON, ALL, "");
	expect("{ {{#labels}}\"{{name}}\":\"{{value}}\"{{^last}},{{/last}}{{/labels}}}",
	       ESCAPE_SLACK, ALL, "");
	/* Of two templates each has to hold for its own messages only. */
	expect("{\"end\":{{#resolve}}1{{/resolve}}}", ESCAPE_JSON, TEMPLATE_FOR_END, "");
	expect("{\"end\":{{^resolve}}0{{/resolve}}}", ESCAPE_JSON, TEMPLATE_FOR_OPEN, "");
}

static void json_that_breaks_is_told_with_its_place(void **state)
{
	(void)state;
	expect("{\n  \"g\": {{group}}\n}", ESCAPE_JSON, ALL,
	       "f:2:8: it makes no JSON: this is no value (when incidents open)\n");
	expect("{\"a\": 1,\n \"b\": 2,}", ESCAPE_JSON, ALL,
	       "f:2:9: it makes no JSON: a name in quotes is missing (when incidents open)\n");
	expect("{\"a\": \"{{group}}\"", ESCAPE_JSON, ALL,
	       "f:1:18: it makes no JSON: a comma or } is missing (when incidents open)\n");
	expect("[{{#incidents}}{{lag}},{{/incidents}}]", ESCAPE_JSON, ALL,
	       "f:1:38: it makes no JSON: a value is missing (when incidents open)\n");
	/* Only what is known of every incident may stand without quotes. */
	expect("{\"n\": {{#bad_partitions}}{{bad_partitions}}{{/bad_partitions}}}", ESCAPE_JSON,
	       ALL,
	       "f:1:6: it makes no JSON: a value is missing (of a cluster that is blind, without "
	       "labels and a page)\n");
	expect("{\"end\":{{^resolve}}0{{/resolve}}}", ESCAPE_JSON, ALL,
	       "f:1:33: it makes no JSON: a value is missing (when incidents end)\n");
	expect("", ESCAPE_JSON, ALL,
	       "f:1:1: it makes no JSON: a value is missing (when incidents open)\n");
	expect("[]", ESCAPE_JSON, ALL | TEMPLATE_AS_OBJECT,
	       "f:1:1: it makes no JSON: it has to be an object (when incidents open)\n");
}

static void a_form_is_one_line_of_ascii(void **state)
{
	static const char WHY[] = "f:1:3: it makes no form: a blank, the end of a line or a letter "
				  "beyond ASCII; in a form it is written as +, %0A or %C3%A4 (when "
				  "incidents open)\n";

	(void)state;
	expect("a={{text}}&b={{group}}&c=x+y\n", ESCAPE_FORM, ALL, "");
	expect("a= {{text}}", ESCAPE_FORM, ALL, WHY);
	expect("a=\n&b={{group}}", ESCAPE_FORM, ALL, WHY);
	expect("a=\xc3\xa4&b={{group}}", ESCAPE_FORM, ALL, WHY);
}

static void in_html_a_value_stands_where_its_escape_holds(void **state)
{
	(void)state;
	expect("<!-- < {{group}} --><p title='{{group}}'>1 &gt; {{text}}</p><br>", ESCAPE_HTML, ALL,
	       "");
	expect("<style>p > a {color: red}</style><script>a < b</script>{{text}}", ESCAPE_HTML, ALL,
	       "");
	expect("<a\n href={{link}}>x</a>", ESCAPE_HTML, ALL,
	       "f:2:7: in a tag a value has to stand in quotes\n");
	expect("<{{group}}>", ESCAPE_HTML, ALL, "f:1:2: in a tag a value has to stand in quotes\n");
	expect("<SCRIPT>x = '{{group}}'</SCRIPT>", ESCAPE_HTML, ALL,
	       "f:1:14: in a script or a style no value is safe\n");
	expect("<p title=\"{{group}}>x</p>", ESCAPE_HTML, ALL,
	       "f:1:26: a tag, a remark, a script or a style is not closed\n");
}

static void text_may_be_anything(void **state)
{
	(void)state;
	expect("{{text}} <{ \n", ESCAPE_TEXT, ALL, "");
	expect("https://h/{{group}}", ESCAPE_URL, ALL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_that_holds_passes),
		cmocka_unit_test(json_that_breaks_is_told_with_its_place),
		cmocka_unit_test(a_form_is_one_line_of_ascii),
		cmocka_unit_test(in_html_a_value_stands_where_its_escape_holds),
		cmocka_unit_test(text_may_be_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
