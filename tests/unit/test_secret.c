/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/secret.h"
#include "temp.h"

static char path[128];

static const char *read_back(const char *text, mode_t mode, char *line, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	return secret_read(path, line, size);
}

static void the_first_line_is_the_secret(void **state)
{
	(void)state;
	char line[8];

	assert_null(read_back("abc", 0600, line, sizeof(line)));
	assert_string_equal(line, "abc");
	assert_null(read_back("a b\r\nrest of it", 0640, line, sizeof(line)));
	assert_string_equal(line, "a b");
	assert_null(read_back("abcdef\n", 0400, line, sizeof(line)));
	assert_string_equal(line, "abcdef");
}

static void what_is_no_secret_is_refused(void **state)
{
	(void)state;
	char line[8];

	assert_string_equal(read_back("abc", 0644, line, sizeof(line)),
			    "others may read or write it; expects a mode such as 0640");
	assert_string_equal(read_back("\nabc", 0600, line, sizeof(line)),
			    "its first line is empty");
	assert_string_equal(read_back("", 0600, line, sizeof(line)), "its first line is empty");
	assert_string_equal(read_back("abcdefg", 0600, line, sizeof(line)),
			    "its first line is too long");
	assert_string_equal(secret_read("/dev", line, sizeof(line)), "not a regular file");
	remove(path);
	assert_string_equal(secret_read(path, line, sizeof(line)), "No such file or directory");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_string_equal(secret_read(path, line, sizeof(line)), "not a regular file");
}

static void only_the_same_is_the_same(void **state)
{
	(void)state;
	assert_true(secret_same("abc", "abc"));
	assert_false(secret_same("abd", "abc"));
	assert_false(secret_same("bbc", "abc"));
	assert_false(secret_same("ab", "abc"));
	assert_false(secret_same("abcd", "abc"));
	assert_false(secret_same("", "abc"));
	assert_false(secret_same("a", "aa"));
	assert_false(secret_same("aa", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_is_the_secret),
		cmocka_unit_test(what_is_no_secret_is_refused),
		cmocka_unit_test(only_the_same_is_the_same),
	};
	struct temp temp = temp_make();

	snprintf(path, sizeof(path), "%s/secret", temp.dir);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	temp_remove(&temp);
	return failed;
}
