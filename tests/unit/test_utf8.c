/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base.h"
#include "common/utf8.h"

static const struct {
	const char *bytes;
	size_t length;
	uint32_t ch;
} CASES[] = {
	{"a", 1, 'a'},
	{"\x7f", 1, 0x7f},
	{"\xc2\x80", 2, 0x80},
	{"\xdf\xbf", 2, 0x7ff},
	{"\xe0\xa0\x80", 3, 0x800},
	{"\xe2\x82\xac", 3, 0x20ac},
	{"\xed\x9f\xbf", 3, 0xd7ff},
	{"\xee\x80\x80", 3, 0xe000},
	{"\xf0\x90\x80\x80", 4, 0x10000},
	{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	{"\x80", 0, 0},             /* a continuation alone */
	{"\xc1\xbf", 0, 0},         /* overlong */
	{"\xe0\x9f\xbf", 0, 0},     /* overlong */
	{"\xf0\x8f\xbf\xbf", 0, 0}, /* overlong */
	{"\xed\xa0\x80", 0, 0},     /* a surrogate */
	{"\xf4\x90\x80\x80", 0, 0}, /* beyond Unicode */
	{"\xf5\x80\x80\x80", 0, 0}, /* beyond Unicode */
	{"\xff", 0, 0},
	{"\xe2\x82", 0, 0},  /* cut short */
	{"\xe2\x82x", 0, 0}, /* broken off */
};

static void only_shortest_forms_are_characters(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		uint32_t ch = 0;

		assert_int_equal(utf8_decode(CASES[i].bytes, strlen(CASES[i].bytes), &ch),
				 CASES[i].length);
		assert_int_equal(ch, CASES[i].ch);
		assert_int_equal(utf8_valid(CASES[i].bytes, strlen(CASES[i].bytes)),
				 CASES[i].length > 0);
	}
}

static void every_character_is_read_back(void **state)
{
	(void)state;
	for (uint32_t ch = 0x10000; ch <= 0x10ffff; ch += 0x101) {
		char s[4] = {(char)(0xf0 | ch >> 18), (char)(0x80 | (ch >> 12 & 0x3f)),
			     (char)(0x80 | (ch >> 6 & 0x3f)), (char)(0x80 | (ch & 0x3f))};
		uint32_t read = 0;

		assert_int_equal(utf8_decode(s, 4, &read), 4);
		assert_int_equal(read, ch);
	}
}

static void nothing_is_valid_and_no_character(void **state)
{
	(void)state;
	uint32_t ch = 7;

	assert_true(utf8_valid("", 0));
	assert_int_equal(utf8_decode("", 0, &ch), 0);
	assert_int_equal(ch, 7);
	assert_false(utf8_valid("ab\xff", 3));
	assert_true(utf8_valid("ab\xff", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_shortest_forms_are_characters),
		cmocka_unit_test(every_character_is_read_back),
		cmocka_unit_test(nothing_is_valid_and_no_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
