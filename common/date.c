/* SPDX-License-Identifier: Apache-2.0 */
#include "common/date.h"

#include <ctype.h>
#include <time.h>

static bool number(const char **at, size_t digits, int *ret)
{
	int n = 0;

	for (size_t i = 0; i < digits; i++, (*at)++) {
		if (!isdigit((unsigned char)**at))
			return false;
		n = n * 10 + (**at - '0');
	}
	*ret = n;
	return true;
}

static bool mark(const char **at, char c)
{
	return *(*at)++ == c;
}

/* ".5", or nothing. */
static bool fraction(const char **at, int *ret_ms)
{
	*ret_ms = 0;
	if (**at != '.')
		return true;
	(*at)++;
	if (!isdigit((unsigned char)**at))
		return false;
	for (int worth = 100; isdigit((unsigned char)**at); (*at)++, worth /= 10)
		*ret_ms += (**at - '0') * worth;
	return true;
}

/* "Z", "+09:00" or "-05:30": seconds east of Greenwich. */
static bool zone(const char *at, int *ret_east_s)
{
	int hours = 0;
	int minutes = 0;
	char sign = *at++;

	*ret_east_s = 0;
	if (sign == 'Z')
		return *at == '\0';
	if ((sign != '+' && sign != '-') || !number(&at, 2, &hours) || !mark(&at, ':') ||
	    !number(&at, 2, &minutes) || *at != '\0' || hours > 23 || minutes > 59)
		return false;
	*ret_east_s = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
	return true;
}

bool date_parse(const char *text, int64_t *ret_ms)
{
	const char *at = text;
	struct tm t = {0};
	int east_s = 0;
	int ms = 0;

	if (!number(&at, 4, &t.tm_year) || !mark(&at, '-') || !number(&at, 2, &t.tm_mon) ||
	    !mark(&at, '-') || !number(&at, 2, &t.tm_mday) || !mark(&at, 'T') ||
	    !number(&at, 2, &t.tm_hour) || !mark(&at, ':') || !number(&at, 2, &t.tm_min) ||
	    !mark(&at, ':') || !number(&at, 2, &t.tm_sec) || !fraction(&at, &ms) ||
	    !zone(at, &east_s))
		return false;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	const struct tm written = t;
	time_t s = timegm(&t); /* makes a day of the next month of what does not exist */
	if (t.tm_mon != written.tm_mon || t.tm_mday != written.tm_mday ||
	    t.tm_hour != written.tm_hour || t.tm_min != written.tm_min ||
	    t.tm_sec != written.tm_sec || s <= 0)
		return false;
	*ret_ms = ((int64_t)s - east_s) * 1000 + ms;
	return true;
}

void date_put(struct buf *out, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm t;
	char text[64];

	gmtime_r(&s, &t);
	if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t) > 0)
		buf_puts(out, text);
}
