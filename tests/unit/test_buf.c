/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"

static void it_grows_and_keeps_what_was_put(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};

	for (int i = 0; i < 1000; i++) {
		buf_puts(&b, "abc");
		buf_putc(&b, '-');
	}
	assert_int_equal(b.err, ERR_OK);
	assert_int_equal(b.size, 4000);
	for (size_t i = 0; i < b.size; i++)
		assert_int_equal(b.data[i], "abc-"[i % 4]);
}

static void an_empty_one_is_an_empty_string(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};

	assert_string_equal(buf_str(&b), "");
	assert_int_equal(b.size, 0);
	buf_put(&b, NULL, 0);
	assert_int_equal(b.err, ERR_OK);
}

static void numbers_are_written_in_full(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};

	buf_put_u64(&b, 0);
	buf_putc(&b, ' ');
	buf_put_u64(&b, UINT64_MAX);
	buf_putc(&b, ' ');
	buf_put_i64(&b, INT64_MIN);
	buf_putc(&b, ' ');
	buf_put_i64(&b, INT64_MAX);
	buf_putc(&b, ' ');
	buf_put_i64(&b, -7);
	assert_string_equal(buf_str(&b), "0 18446744073709551615 -9223372036854775808 "
					 "9223372036854775807 -7");
}

static void printf_writes_at_the_end(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};

	buf_puts(&b, "a=");
	buf_printf(&b, "%d,%s", 12, "x");
	buf_printf(&b, "%s", "");
	assert_string_equal(buf_str(&b), "a=12,x");
	assert_int_equal(b.size, 6);
}

static void the_limit_is_reached_but_not_passed(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {.limit = 4};

	buf_puts(&b, "abcd");
	assert_int_equal(b.err, ERR_OK);
	buf_putc(&b, 'e');
	assert_int_equal(b.err, ERR_LIMIT);
	assert_int_equal(b.size, 4);
}

static void an_error_sticks_until_reset(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {.limit = 4};

	buf_puts(&b, "abcde");
	buf_puts(&b, "x");
	assert_int_equal(b.err, ERR_LIMIT);
	assert_int_equal(b.size, 0);
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	buf_puts(&b, "x");
	assert_int_equal(b.err, ERR_OK);
	assert_int_equal(b.size, 1);
}

static void an_absurd_size_is_refused(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};

	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_int_equal(b.err, ERR_LIMIT);
}

static void freeing_keeps_the_limit(void **state)
{
	(void)state;
	struct buf b = {.limit = 9};

	buf_puts(&b, "abc");
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	assert_int_equal(b.limit, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_and_keeps_what_was_put),
		cmocka_unit_test(an_empty_one_is_an_empty_string),
		cmocka_unit_test(numbers_are_written_in_full),
		cmocka_unit_test(printf_writes_at_the_end),
		cmocka_unit_test(the_limit_is_reached_but_not_passed),
		cmocka_unit_test(an_error_sticks_until_reset),
		cmocka_unit_test(an_absurd_size_is_refused),
		cmocka_unit_test(freeing_keeps_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
