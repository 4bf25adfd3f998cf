/* SPDX-License-Identifier: Apache-2.0 */
#include "common/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void times_of_rfc_3339_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} TIMES[] = {
		{"2026-12-01T06:00:00Z", 1796104800000},
		{"2026-12-01T15:00:00+09:00", 1796104800000},
		{"2026-12-01T00:30:00-05:30", 1796104800000},
		{"2026-12-01T06:00:00.5Z", 1796104800500},
		{"2026-12-01T06:00:00.123456789Z", 1796104800123},
		{"2026-12-01T06:00:00.007+00:00", 1796104800007},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"1970-01-01T00:00:01Z", 1000},
		{"9999-12-31T23:59:59Z", 253402300799000},
	};

	for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
		int64_t ms = 0;

		assert_true(date_parse(TIMES[i].text, &ms));
		assert_true(ms == TIMES[i].ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const TEXTS[] = {
		"",
		"now",
		"2026",
		"2026-12-01",
		"2026-12-01T06:00Z",
		"2026-12-01T06:00:00",
		"2026-12-01T06:00:00.Z",
		"2026-12-01T06:00:00z",
		"2026-12-01 06:00:00Z",
		"2026-12-01T06:00:00Z ",
		"2026-12-01T06:00:00+9:00",
		"2026-12-01T06:00:00+24:00",
		"2026-02-29T06:00:00Z",
		"2026-13-01T06:00:00Z",
		"2026-12-01T24:00:00Z",
		"2026-12-01T06:60:00Z",
		"1969-12-31T23:59:59Z",
		"+026-12-01T06:00:00Z",
	};

	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		int64_t ms = 7;

		assert_false(date_parse(TEXTS[i], &ms));
		assert_true(ms == 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_of_rfc_3339_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
