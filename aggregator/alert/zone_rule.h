/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * zone_rule - the rule at the end of a zone's file, such as CET-1CEST,M3.5.0,M10.5.0/3: what holds
 * after the last change that the file lists. POSIX's TZ, with the hours of RFC 8536.
 */

#include "common/base.h"

/* A day of each year, and the second of it by the clocks that hold until then. */
struct zone_day {
	enum { ZONE_NO_LEAP, ZONE_FROM_ZERO, ZONE_WEEKDAY } form;
	int day;         /* 1 to 365 without 29 February; 0 to 365; 0 to 6 from Sunday on */
	int month, week; /* ZONE_WEEKDAY: 1 to 12; 1 to 5, the last */
	int32_t second;  /* may lie before the day, or after it */
};

struct zone_rule {
	int32_t standard_s; /* ahead of UTC */
	bool summer;        /* there is another time, and when: */
	int32_t summer_s;
	struct zone_day begin, end;
};

/* False: the text is no rule. */
bool zone_rule_parse(const char *text, size_t size, struct zone_rule *ret_r);

/* Seconds that its clocks are ahead of UTC at a Unix time. */
int32_t zone_rule_offset_s(const struct zone_rule *r, int64_t unix_s);
