/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "aggregator/alert/zone_rule.h"
#include "common/buf.h"
#include "common/bytes.h"
#include "common/err.h"

#define HOUR INT64_C(3600)
#define FROM INT64_C(1577836800)  /* 2020-01-01 */
#define UNTIL INT64_C(2398377600) /* 2046-01-01 */

/* Summer time on both sides of the equator, that of half an hour, zones that gave it up, one whose
 * winter time is the exception, one whose change is a day before the Sunday, and without any. */
static const char *const ZONES[] = {
	"Europe/Berlin",       "Europe/London",     "Europe/Dublin",    "America/New_York",
	"America/Los_Angeles", "America/Nuuk",      "America/Santiago", "America/Sao_Paulo",
	"Australia/Lord_Howe", "Australia/Sydney",  "Asia/Kolkata",     "Asia/Jerusalem",
	"Asia/Seoul",          "Africa/Casablanca", "Pacific/Chatham",  "Etc/GMT+5",
};

/* What the C library makes of it, which reads rules too. */
static void the_time_is_that_of_the_c_library(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ZONES); i++) {
		struct zone *z = NULL;

		assert_int_equal(zone_new(ZONES[i], &z), ERR_OK);
		assert_int_equal(setenv("TZ", ZONES[i], 1), 0);
		tzset();
		for (int64_t s = FROM; s < UNTIL; s += 2 * HOUR) {
			const time_t at = (time_t)s;
			struct tm tm;

			assert_non_null(localtime_r(&at, &tm));
			if (zone_offset_s(z, s) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", ZONES[i], (long long)s,
					 zone_offset_s(z, s), tm.tm_gmtoff);
		}
		zone_free(&z);
	}
	unsetenv("TZ");
	tzset();
}

/* --- files as "zic -b slim" makes them: changes up to when the rule holds, and the rule --- */

struct change {
	int64_t at_s;
	uint8_t type;
};

static void put_head(struct buf *out, uint32_t times, uint32_t types)
{
	const uint32_t counts[] = {0, 0, 0, times, types, 4};

	buf_put(out, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		uint8_t bytes[4];

		put_be32(bytes, counts[i]);
		buf_put(out, bytes, sizeof(bytes));
	}
}

static void put_types(struct buf *out, const int32_t *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[6] = {0};

		put_be32(bytes, (uint32_t)offsets[i]);
		buf_put(out, bytes, sizeof(bytes));
	}
	buf_put(out, "ABC", 4);
}

/* Types: 0 an hour ahead of UTC, 1 two hours. */
static int make_zone(const struct change *changes, size_t count, const char *rule,
		     struct zone **ret_z)
{
	static const int32_t OFFSETS[] = {3600, 7200};
	CLEANUP(buf_free) struct buf file = {0};

	put_head(&file, 0, 1);
	put_types(&file, (const int32_t[]){0}, 1);
	put_head(&file, (uint32_t)count, 2);
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[8];

		put_be64(bytes, (uint64_t)changes[i].at_s);
		buf_put(&file, bytes, sizeof(bytes));
	}
	for (size_t i = 0; i < count; i++)
		buf_put(&file, &changes[i].type, 1);
	put_types(&file, OFFSETS, ARRAY_LEN(OFFSETS));
	buf_puts(&file, rule);
	return zone_parse(file.data, file.size, ret_z);
}

static void what_the_list_does_not_hold_the_rule_does(void **state)
{
	static const struct change LIST[] = {{828234000, 1}, {846378000, 0}}; /* of 1996 */
	struct zone *z = NULL;

	(void)state;
	assert_int_equal(make_zone(LIST, 2, "\nCET-1CEST,M3.5.0,M10.5.0/3\n", &z), ERR_OK);
	assert_int_equal(zone_offset_s(z, 828234000 - 1), 3600);
	assert_int_equal(zone_offset_s(z, 828234000), 7200);
	assert_int_equal(zone_offset_s(z, 846378000), 3600);
	assert_int_equal(zone_offset_s(z, 1774746000 - 1), 3600); /* 2026-03-29 01:00 UTC */
	assert_int_equal(zone_offset_s(z, 1774746000), 7200);
	assert_int_equal(zone_offset_s(z, 1792890000 - 1), 7200); /* 2026-10-25 */
	assert_int_equal(zone_offset_s(z, 1792890000), 3600);
	zone_free(&z);
	assert_int_equal(make_zone(NULL, 0, "\n<-03>3\n", &z), ERR_OK);
	assert_int_equal(zone_offset_s(z, 1792890000), -3 * HOUR);
	zone_free(&z);
	/* Where there is none, the last change holds for ever. */
	assert_int_equal(make_zone(LIST, 1, "\n\n", &z), ERR_OK);
	assert_int_equal(zone_offset_s(z, 1792890000), 7200);
	zone_free(&z);
}

static void damage_is_refused(void **state)
{
	static const char *const RULES[] = {
		"",
		"\n",
		"\nCET-1CEST,M3.5.0,M10.5.0/3",
		"\nCET-1CEST\n",
		"\nCET-1CEST,M3.5.0\n",
		"\nCET-1CEST,M13.5.0,M10.5.0\n",
		"\nCET-1CEST,M3.6.0,M10.5.0\n",
		"\nCET-1CEST,M3.5.7,M10.5.0\n",
		"\nCET-1CEST,J0,J365\n",
		"\nCET-200\n",
		"\nCE-1\n",
		"\n<CET-1\n",
		"\nCET-1 \n",
		"\n1\n",
	};
	struct zone *z = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(RULES); i++) {
		if (make_zone(NULL, 0, RULES[i], &z) != ERR_MALFORMED)
			fail_msg("%s", RULES[i]);
	}
	assert_int_equal(zone_parse("TZif", 4, &z), ERR_MALFORMED);
	assert_int_equal(zone_new("Europe/Nowhere", &z), ERR_NOT_FOUND);
	assert_int_equal(zone_new("../../etc/passwd", &z), ERR_NOT_FOUND);
	assert_int_equal(zone_new("/etc/localtime", &z), ERR_NOT_FOUND);
}

/* --- rules that no zone of today has --- */

static int32_t offset(const char *rule, int64_t at_s)
{
	struct zone_rule r;

	assert_true(zone_rule_parse(rule, strlen(rule), &r));
	return zone_rule_offset_s(&r, at_s);
}

static void days_are_counted_in_all_three_ways(void **state)
{
	const int64_t march_2024 = 1709251200; /* the first, 00:00 UTC; 2024 is a leap year */
	const int64_t march_2025 = 1740787200;

	(void)state;
	/* J60 is always the first of March, 60 the 61st day of the year. */
	for (int side = -1; side <= 0; side++) {
		assert_int_equal(offset("AAA0BBB,J60/0,J300", march_2024 + side), side ? 0 : 3600);
		assert_int_equal(offset("AAA0BBB,J60/0,J300", march_2025 + side), side ? 0 : 3600);
		assert_int_equal(offset("AAA0BBB,60/0,300", march_2024 + side), side ? 0 : 3600);
		assert_int_equal(offset("AAA0BBB,60/0,300", march_2025 + 86400 + side),
				 side ? 0 : 3600);
	}
	/* Summer for ever, as RFC 8536 writes it; and a change a day before the Sunday. */
	for (int64_t s = FROM; s < FROM + 366 * 24 * HOUR; s += HOUR)
		assert_int_equal(offset("XXX3EDT4,0/0,J365/23", s), -4 * HOUR);
	assert_int_equal(offset("AAA-2BBB,M3.4.4/50,M10.5.0", 1774656000 - 1), 7200);
	assert_int_equal(offset("AAA-2BBB,M3.4.4/50,M10.5.0", 1774656000), 10800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_is_that_of_the_c_library),
		cmocka_unit_test(what_the_list_does_not_hold_the_rule_does),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(days_are_counted_in_all_three_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
