/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void what_is_json_passes(void **state)
{
	static const char *const RIGHT[] = {
		"{}",
		" [ ] ",
		"\"\"",
		"0",
		"-0.5e+10",
		"12E3",
		"true",
		"[null, false]\n",
		"{\"a\":{\"b\":[1,\"\\u00e4\\n\\\"\\/\"]},\"\":{}}",
		"\"\xc3\xa4 \xf0\x9f\x94\xa5 \\uD83D\\udd25\"",
	};
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(RIGHT); i++) {
		const char *why = json_check(RIGHT[i], strlen(RIGHT[i]), &at);

		if (why != NULL)
			fail_msg("%s at %zu: %s", RIGHT[i], at, why);
	}
}

static void what_is_none_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} WRONG[] = {
		{"", 0, "a value is missing"},
		{"{", 1, "a name in quotes is missing"},
		{"{\"a\"}", 4, "a colon is missing"},
		{"{\"a\":}", 5, "a value is missing"},
		{"{\"a\":\n }", 5, "a value is missing"},
		{"{\"a\": b}", 6, "this is no value"},
		{"{\"a\":1,}", 7, "a name in quotes is missing"},
		{"{\"a\":1 \"b\":2}", 7, "a comma or } is missing"},
		{"[1,]", 3, "a value is missing"},
		{"[1 2]", 3, "a comma or ] is missing"},
		{"[1}", 2, "a comma or ] is missing"},
		{"{} {}", 3, "something follows after the end"},
		{"01", 1, "something follows after the end"},
		{"1.", 2, "a digit is missing"},
		{"-", 1, "a digit is missing"},
		{"\"a", 2, "a text is not closed"},
		{"\"a\nb\"", 2, "a text goes over the end of the line"},
		{"\"\\x\"", 2, "a backslash stands before what needs none"},
		{"\"\\u12g4\"", 5, "\\u needs four hexadecimal digits"},
		{"\"\\ud83d\"", 7, "half of a character"},
		{"\"\\udd25\\ud83d\"", 7, "half of a character"},
		{"\"\xff\"", 1, "this is not UTF-8"},
		{"nul", 0, "this is no value"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
		size_t at = 99;
		const char *why = json_check(WRONG[i].text, strlen(WRONG[i].text), &at);

		assert_non_null(why);
		assert_string_equal(why, WRONG[i].why);
		assert_int_equal(at, WRONG[i].at);
	}
}

static void depth_has_an_end_and_so_have_texts_with_nul(void **state)
{
	char deep[2 * JSON_CHECK_DEPTH_MAX + 2];
	size_t at = 0;

	(void)state;
	memset(deep, '[', JSON_CHECK_DEPTH_MAX + 1);
	memset(deep + JSON_CHECK_DEPTH_MAX + 1, ']', JSON_CHECK_DEPTH_MAX + 1);
	assert_null(json_check(deep + 1, 2 * JSON_CHECK_DEPTH_MAX, &at));
	assert_string_equal(json_check(deep, sizeof(deep), &at),
			    "too much is inside of each other");
	assert_non_null(json_check("1\0", 2, &at));
	assert_non_null(json_check("\"\0\"", 3, &at));
	assert_non_null(json_check("\"\\\0\"", 4, &at));
	assert_non_null(json_check("\"\\u\0\0\0\0\"", 8, &at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_passes),
		cmocka_unit_test(what_is_none_is_told_with_its_place),
		cmocka_unit_test(depth_has_an_end_and_so_have_texts_with_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
