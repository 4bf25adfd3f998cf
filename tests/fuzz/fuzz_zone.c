/* SPDX-License-Identifier: Apache-2.0 */

/* fuzz_zone - files of time zones, and the rules at their ends. */

#include <assert.h>

#include "aggregator/alert/zone.h"
#include "aggregator/alert/zone_rule.h"
#include "common/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t TIMES[] = {0, 1000000000, 1800000000, 4000000000};
	struct zone *z = NULL;
	struct zone_rule r;
	int weekday = 0;
	int minute = 0;

	if (zone_parse(data, size, &z) == 0) {
		for (size_t i = 0; i < ARRAY_LEN(TIMES); i++)
			zone_local(z, TIMES[i] * 1000, &weekday, &minute);
	}
	zone_free(&z);
	if (size > 0 && zone_rule_parse((const char *)data, size, &r)) {
		for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
			int32_t offset = zone_rule_offset_s(&r, TIMES[i]);

			assert(offset == r.standard_s || (r.summer && offset == r.summer_s));
		}
	}
	return 0;
}
