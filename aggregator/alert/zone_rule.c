/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/zone_rule.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
#define HOUR_S 3600
#define TEXT_MAX 128
#define HOURS_MAX 167 /* a week, which is what RFC 8536 allows */

/* --- reading: a cursor over a text that ends with a NUL --- */

struct text {
	const char *at;
	bool bad;
};

static bool take(struct text *t, char c)
{
	if (*t->at != c)
		return false;
	t->at++;
	return true;
}

/* Digits as a number from min to max. */
static int take_number(struct text *t, int min, int max)
{
	size_t digits = strspn(t->at, "0123456789");
	int v = digits == 0 || digits > 3 ? -1 : (int)strtol(t->at, NULL, 10);

	t->bad = t->bad || v < min || v > max;
	t->at += digits;
	return v;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t take_clock(struct text *t)
{
	bool minus = take(t, '-');

	if (!minus)
		(void)take(t, '+');
	int32_t s = take_number(t, 0, HOURS_MAX) * HOUR_S;
	if (take(t, ':'))
		s += take_number(t, 0, 59) * 60;
	if (take(t, ':'))
		s += take_number(t, 0, 59);
	return minus ? -s : s;
}

/* The name of a time: letters, or anything in brackets. */
static void take_name(struct text *t)
{
	static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	bool brackets = take(t, '<');
	size_t size = brackets ? strcspn(t->at, ">") : strspn(t->at, LETTERS);

	t->bad = t->bad || size < 3;
	t->at += size;
	if (brackets && !take(t, '>'))
		t->bad = true;
}

static void take_day(struct text *t, struct zone_day *d)
{
	if (!take(t, ','))
		t->bad = true;
	if (take(t, 'M')) {
		d->form = ZONE_WEEKDAY;
		d->month = take_number(t, 1, 12);
		t->bad = t->bad || !take(t, '.');
		d->week = take_number(t, 1, 5);
		t->bad = t->bad || !take(t, '.');
		d->day = take_number(t, 0, 6);
	} else if (take(t, 'J')) {
		d->form = ZONE_NO_LEAP;
		d->day = take_number(t, 1, 365);
	} else {
		d->form = ZONE_FROM_ZERO;
		d->day = take_number(t, 0, 365);
	}
	d->second = take(t, '/') ? take_clock(t) : 2 * HOUR_S;
}

bool zone_rule_parse(const char *text, size_t size, struct zone_rule *ret_r)
{
	struct zone_rule r = {.summer = false};
	char whole[TEXT_MAX];

	if (size >= sizeof(whole))
		return false;
	memcpy(whole, text, size);
	whole[size] = '\0';
	struct text t = {whole, false};
	take_name(&t);
	r.standard_s = -take_clock(&t); /* what has to be added to get UTC */
	r.summer = *t.at != '\0';
	if (r.summer) {
		take_name(&t);
		r.summer_s = *t.at == ',' ? r.standard_s + HOUR_S : -take_clock(&t);
		take_day(&t, &r.begin);
		take_day(&t, &r.end);
	}
	if (t.bad || *t.at != '\0')
		return false;
	*ret_r = r;
	return true;
}

/* --- reckoning --- */

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970 to the first of January. */
static int64_t days_before(int64_t year)
{
	int64_t y = year - 1;

	return (year - 1970) * 365 + (y / 4 - y / 100 + y / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t year_of(int64_t days)
{
	int64_t year = 1970 + days / 366; /* never too late */

	while (days_before(year + 1) <= days)
		year++;
	return year;
}

/* Days from the first of January to the first of a month, from 1 on. */
static int days_to_month(int64_t year, int month)
{
	static const int DAYS[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

	return DAYS[month - 1] + (month > 2 && is_leap(year));
}

/* Days from the first of January. */
static int64_t day_in(const struct zone_day *d, int64_t year)
{
	if (d->form == ZONE_FROM_ZERO)
		return d->day;
	if (d->form == ZONE_NO_LEAP)
		return d->day - 1 + (d->day > 59 && is_leap(year));
	int64_t first = days_to_month(year, d->month);
	int64_t weekday = (days_before(year) + first + 4) % 7; /* 1970 began on a Thursday */
	int64_t day = (d->day - weekday + 7) % 7 + ((int64_t)d->week - 1) * 7;
	int64_t length = d->month == 12 ? 31 : days_to_month(year, d->month + 1) - first;

	return first + (day < length ? day : day - 7);
}

/* The Unix time of that day's change, made by clocks that are so far ahead of UTC. */
static int64_t change_s(const struct zone_day *d, int64_t year, int32_t ahead_s)
{
	return (days_before(year) + day_in(d, year)) * DAY_S + d->second - ahead_s;
}

int32_t zone_rule_offset_s(const struct zone_rule *r, int64_t unix_s)
{
	if (!r->summer || unix_s < 0)
		return r->standard_s;
	int64_t year = year_of((unix_s + r->standard_s) / DAY_S);
	int64_t begin = change_s(&r->begin, year, r->standard_s);
	int64_t end = change_s(&r->end, year, r->summer_s);
	/* South of the equator summer goes over the end of the year. */
	bool summer =
		begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;

	return summer ? r->summer_s : r->standard_s;
}
