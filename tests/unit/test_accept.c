/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/serve/accept.h"

static const struct {
	const char *header, *name;
	int weight;
} CASES[] = {
	{NULL, "gzip", ACCEPT_NOT_NAMED},
	{"", "gzip", ACCEPT_NOT_NAMED},
	{"gzip", "gzip", 1000},
	{"GZip", "gzip", 1000},
	{"deflate, gzip", "gzip", 1000},
	{"xgzip, gzipx", "gzip", ACCEPT_NOT_NAMED},
	{"gzip;q=0", "gzip", 0},
	{"gzip; q=0.000", "gzip", 0},
	{"gzip ;Q=0.001", "gzip", 1},
	{"gzip;q=0.5,br;q=1", "gzip", 500},
	{"gzip;q=1.000", "gzip", 1000},
	{"gzip;q=", "gzip", 0},
	{"gzip;q=x", "gzip", 0},
	{"gzip;q=.5", "gzip", 0},
	{"gzip;q=0.5555", "gzip", 555},
	{"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain", 500},
	{"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "*/*", 100},
	{"a/b;q=0.2, a/b;v=2;q=0.7, a/b;q=0.4", "a/b", 700},
	{"x/y;p=\"a, gzip;q=1\";q=0.3, gzip;q=0.1", "gzip", 100},
	{"x/y;p=\"\\\", gzip\", br", "gzip", ACCEPT_NOT_NAMED},
	{"x/y;p=\"\\", "gzip", ACCEPT_NOT_NAMED},
	{",,;;, ,gzip;", "gzip", 1000},
};

static void each_header_gives_its_weight(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		int weight = accept_weight(CASES[i].header, CASES[i].name);

		if (weight != CASES[i].weight)
			fail_msg("%s: %d for %s", CASES[i].header, weight, CASES[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_header_gives_its_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
