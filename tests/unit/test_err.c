/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

static void every_code_has_its_own_text(void **state)
{
	(void)state;
	for (int a = ERR_NOT_FOUND; a <= ERR_TIMEOUT; a++) {
		assert_string_not_equal(err_str(a), "unknown error");
		for (int b = ERR_NOT_FOUND; b < a; b++)
			assert_string_not_equal(err_str(a), err_str(b));
	}
	assert_string_equal(err_str(ERR_OK), "success");
}

static void codes_of_ours_are_none_of_the_system(void **state)
{
	(void)state;
	assert_true(ERR_TIMEOUT < -EHWPOISON); /* the last errno of Linux */
}

static void system_errors_have_their_text(void **state)
{
	(void)state;
	assert_string_equal(err_str(-ENOENT), "No such file or directory");
	assert_string_equal(err_str(-EACCES), "Permission denied");
}

static void other_numbers_are_unknown_errors(void **state)
{
	(void)state;
	assert_string_equal(err_str(-999999), "unknown error");
	assert_string_equal(err_str(12345678), "unknown error");
	assert_string_equal(err_str(INT32_MIN + 1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_own_text),
		cmocka_unit_test(codes_of_ours_are_none_of_the_system),
		cmocka_unit_test(system_errors_have_their_text),
		cmocka_unit_test(other_numbers_are_unknown_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
