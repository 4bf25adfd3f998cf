/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/glob.h"

static const struct {
	const char *pattern;
	const char *name;
	bool match;
} CASES[] = {
	{"", "", true},
	{"", "a", false},
	{"a", "", false},
	{"*", "", true},
	{"*", "anything/at all", true},
	{"?", "", false},
	{"?", "a", true},
	{"?", "ab", false},
	{"abc", "abc", true},
	{"abc", "ab", false},
	{"ab", "abc", false},
	{"a*c", "ac", true},
	{"a*c", "abbbc", true},
	{"a*c", "abcd", false},
	{"*abc", "ababc", true},
	{"a*b*c", "axxbyyc", true},
	{"a*b*c", "axxcyyb", false},
	{"**", "x", true},
	{"a**", "a", true},
	{"*?", "", false},
	{"*?", "xy", true},
	{"console-consumer-*", "console-consumer-123", true},
	{"__*", "__consumer_offsets", true},
	{"__*", "_x", false},
	{"[a-c]x", "bx", true},
	{"[a-c]x", "dx", false},
	{"[!a-c]x", "dx", true},
	{"[!a-c]x", "bx", false},
	{"[!a]", "", false},
	{"[abc-]", "-", true},
	{"[a-]", "-", true},
	{"[-a]", "-", true},
	{"[]a]", "]", true},
	{"[!]a]", "]", false},
	{"[!]a]", "x", true},
	{"[a\\]b]", "]", true},
	{"[\\!a]", "!", true},
	{"[c-a]", "b", false},
	{"[abc", "[abc", true},
	{"[abc", "a", false},
	{"[", "[", true},
	{"[]", "[]", true},
	{"[!", "[!", true},
	{"*[0-9]", "run-7", true},
	{"*[0-9]", "run-x", false},
	{"\\*", "*", true},
	{"\\*", "a", false},
	{"\\?x", "?x", true},
	{"\\[a]", "[a]", true},
	{"\\\\", "\\", true},
	{"a\\", "a\\", true},
	{"?", "\xc3\xa9", true}, /* one character, two bytes */
	{"?", "\xff", true},     /* a byte that is no character */
	{"??", "\xc3\xa9", false},
	{"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
	{"[a-z]", "\xc3\xa9", false},
	{"*\xc3\xa9", "caf\xc3\xa9", true},
	{"\xff*", "\xff\xfe", true},
	{"A", "a", false},
};

static void patterns_match_whole_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		if (glob_match(CASES[i].pattern, CASES[i].name) != CASES[i].match)
			fail_msg("pattern '%s' name '%s': expected %d", CASES[i].pattern,
				 CASES[i].name, CASES[i].match);
	}
}

static void many_stars_cost_little(void **state)
{
	(void)state;
	char name[4001];
	char pattern[401];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + sizeof(pattern) - 3, "*b", 3);
	int64_t start_ms = clock_mono_ms();
	assert_false(glob_match(pattern, name));
	assert_true(clock_mono_ms() - start_ms < 1000);
}

static void deny_wins_over_allow(void **state)
{
	(void)state;
	char prod[] = "prod-*";
	char tmp[] = "*-tmp";
	char *allow[] = {prod};
	char *deny[] = {tmp};

	assert_true(glob_allowed(allow, 1, deny, 1, "prod-a"));
	assert_false(glob_allowed(allow, 1, deny, 1, "prod-tmp"));
	assert_false(glob_allowed(allow, 1, deny, 1, "test-a"));
}

static void an_empty_allow_list_allows_all(void **state)
{
	(void)state;
	char tmp[] = "*-tmp";
	char *deny[] = {tmp};

	assert_true(glob_allowed(NULL, 0, NULL, 0, "x"));
	assert_true(glob_allowed(NULL, 0, deny, 1, "x"));
	assert_false(glob_allowed(NULL, 0, deny, 1, "x-tmp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_whole_names),
		cmocka_unit_test(many_stars_cost_little),
		cmocka_unit_test(deny_wins_over_allow),
		cmocka_unit_test(an_empty_allow_list_allows_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
