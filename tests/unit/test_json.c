/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "common/err.h"
#include "common/json.h"

static const struct {
	const char *text;
	const char *json;
} STRINGS[] = {
	{"", "\"\""},
	{"plain text 0", "\"plain text 0\""},
	{"a\"b\\c", "\"a\\\"b\\\\c\""},
	{"<a href=\"x\">&", "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\""},
	{"\n\r\t", "\"\\n\\r\\t\""},
	{"\b\f\x01\x1f", "\"\\u0008\\u000c\\u0001\\u001f\""},
	{"\x7f", "\"\x7f\""},
	{"/", "\"/\""},
	{"caf\xc3\xa9 \xed\x95\x9c\xea\xb5\xad \xf0\x9f\x90\xb0",
	 "\"caf\xc3\xa9 \xed\x95\x9c\xea\xb5\xad \xf0\x9f\x90\xb0\""},
	{"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\""},
	{"\xff", "\"\\ufffd\""},
	{"a\xc3", "\"a\\ufffd\""},
	{"\xe2\x82x", "\"\\ufffd\\ufffdx\""},
	{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	{"\xc0\x80", "\"\\ufffd\\ufffd\""},
	{"\xef\xbf\xbd", "\"\xef\xbf\xbd\""}, /* the replacement character itself */
};

static void strings_are_escaped_as_go_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(STRINGS); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct json j = {.out = &b};

		json_str(&j, STRINGS[i].text);
		assert_string_equal(buf_str(&b), STRINGS[i].json);
	}
}

static void names_are_escaped_like_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(STRINGS); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		CLEANUP(buf_free) struct buf want = {0};
		struct json j = {.out = &b};

		json_begin_object(&j);
		json_name(&j, STRINGS[i].text);
		json_int(&j, 1);
		json_name(&j, STRINGS[i].text);
		json_int(&j, 2);
		json_end_object(&j);
		buf_printf(&want, "{%s:1,%s:2}", STRINGS[i].json, STRINGS[i].json);
		assert_string_equal(buf_str(&b), buf_str(&want));
	}
}

static void a_text_may_hold_nuls(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct json j = {.out = &b};

	json_text(&j, "a\0b", 3);
	assert_string_equal(buf_str(&b), "\"a\\u0000b\"");
}

static void commas_go_where_they_belong(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct json j = {.out = &b};

	json_begin_object(&j);
	json_key(&j, "a");
	json_begin_array(&j);
	json_end_array(&j);
	json_key(&j, "b");
	json_begin_array(&j);
	json_int(&j, -1);
	json_uint(&j, 2);
	json_str(&j, "x");
	json_str(&j, NULL);
	json_bool(&j, true);
	json_null(&j);
	json_float32(&j, 0.5f);
	json_begin_object(&j);
	json_end_object(&j);
	json_begin_object(&j);
	json_name(&j, "c");
	json_bool(&j, false);
	json_key(&j, "d");
	json_null(&j);
	json_end_object(&j);
	json_begin_array(&j);
	json_end_array(&j);
	json_end_array(&j);
	json_name(&j, "e");
	json_float32(&j, 1);
	json_end_object(&j);
	assert_string_equal(buf_str(&b), "{\"a\":[],\"b\":[-1,2,\"x\",\"\",true,null,0.5,{},"
					 "{\"c\":false,\"d\":null},[]],\"e\":1}");
}

static void integers_are_exact_at_their_ends(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct json j = {.out = &b};

	json_begin_array(&j);
	json_int(&j, INT64_MIN);
	json_int(&j, INT64_MAX);
	json_uint(&j, UINT64_MAX);
	json_int(&j, 0);
	json_end_array(&j);
	assert_string_equal(buf_str(&b), "[-9223372036854775808,9223372036854775807,"
					 "18446744073709551615,0]");
}

static const struct {
	float v;
	const char *json;
} FLOATS[] = {
	{0, "0"},
	{1, "1"},
	{-1, "-1"},
	{-0.0f, "-0"},
	{10, "10"},
	{1.0f / 3, "0.33333334"},
	{2.0f / 3, "0.6666667"},
	{0.1f, "0.1"},
	{0.7f, "0.7"},
	{0.99f, "0.99"},
	{1.5f, "1.5"},
	{123.456f, "123.456"},
	{16777216, "16777216"},
	{16777220, "16777220"},
	{1e20f, "100000000000000000000"},
	{1e21f, "1e+21"},
	{3.4028235e38f, "3.4028235e+38"},
	{1e-6f, "0.000001"},
	{9e-7f, "9e-7"},
	{1.25e-9f, "1.25e-9"},
	{1e-45f, "1e-45"},
	{0.00012f, "0.00012"},
	{1234567.9f, "1234567.9"},
};

static void floats_have_their_shortest_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(FLOATS); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct json j = {.out = &b};

		json_float32(&j, FLOATS[i].v);
		assert_string_equal(buf_str(&b), FLOATS[i].json);
	}
}

static void every_float_reads_back_as_itself(void **state)
{
	(void)state;
	uint32_t seed = 12345;

	for (int i = 0; i < 20000; i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct json j = {.out = &b};
		float v = 0;

		seed = seed * 1664525u + 1013904223u;
		memcpy(&v, &seed, sizeof(v));
		json_float32(&j, v);
		if (isfinite(v))
			assert_true(strtof(buf_str(&b), NULL) == v);
		else
			assert_string_equal(buf_str(&b), "null");
	}
}

static void what_is_no_number_is_null(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct json j = {.out = &b};

	json_begin_array(&j);
	json_float32(&j, NAN);
	json_float32(&j, INFINITY);
	json_end_array(&j);
	assert_string_equal(buf_str(&b), "[null,null]");
}

static void a_full_buffer_is_noticed_at_the_end(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {.limit = 20};
	struct json j = {.out = &b};

	json_begin_array(&j);
	for (int i = 0; i < 100; i++) {
		json_str(&j, "abc");
		json_int(&j, i);
		json_begin_object(&j);
		json_key(&j, "k");
		json_name(&j, "n<");
		json_float32(&j, 0.25f);
		json_end_object(&j);
	}
	json_end_array(&j);
	assert_int_equal(b.err, ERR_LIMIT);
	assert_true(b.size <= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_as_go_does),
		cmocka_unit_test(names_are_escaped_like_strings),
		cmocka_unit_test(a_text_may_hold_nuls),
		cmocka_unit_test(commas_go_where_they_belong),
		cmocka_unit_test(integers_are_exact_at_their_ends),
		cmocka_unit_test(floats_have_their_shortest_form),
		cmocka_unit_test(every_float_reads_back_as_itself),
		cmocka_unit_test(what_is_no_number_is_null),
		cmocka_unit_test(a_full_buffer_is_noticed_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
