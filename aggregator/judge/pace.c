/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/pace.h"

#include <string.h>

#define PERIOD_MS INT64_C(3600000)
#define PERIOD_TIMES 10 /* a period is at least so many times the longest interval in it */
#define COUNT_STOP 1000
#define ALARMED (UINT32_C(1) << 31)

/* Quick events in a row are one piece of evidence while the pace is not known. */
#define APART_S 8

/* Each twentieth interval may be longer than the usual one; only the first two such are kept. */
#define COUNT_A_SHARE 20

static uint32_t length_ms(uint32_t entry)
{
	return entry & ~ALARMED;
}

static void insert(uint32_t list[static TRACK_PACES], uint32_t entry)
{
	for (size_t i = 0; i < TRACK_PACES; i++) {
		uint32_t other = list[i];

		if (length_ms(entry) <= length_ms(other))
			continue;
		list[i] = entry;
		entry = other;
	}
}

/* The longest of this period become those of the one before. */
static void turn(struct track_pace *p, int64_t at_ms)
{
	memcpy(p->earlier_ms, p->longest_ms, sizeof(p->earlier_ms));
	memset(p->longest_ms, 0, sizeof(p->longest_ms));
	p->earlier_count = p->count;
	p->count = 0;
	p->since_s = (uint32_t)(at_ms / 1000);
}

void pace_add(struct track_pace *p, int64_t interval_ms, int64_t at_ms, bool alarmed)
{
	uint32_t ms = (uint32_t)MIN(MAX(interval_ms, (int64_t)0), (int64_t)(ALARMED - 1));
	int64_t period_ms = MAX((int64_t)length_ms(p->longest_ms[0]) * PERIOD_TIMES, PERIOD_MS);

	if (at_ms - (int64_t)p->since_s * 1000 > period_ms)
		turn(p, at_ms);
	insert(p->longest_ms, alarmed ? ms | ALARMED : ms);
	if (!pace_known(p)) {
		if (p->count > 0 && at_ms / 1000 - (int64_t)p->since_s < APART_S)
			return;
		p->since_s = (uint32_t)(at_ms / 1000);
	}
	p->count = (uint16_t)MIN(p->count + 1, COUNT_STOP);
}

uint32_t pace_count(const struct track_pace *p)
{
	return (uint32_t)p->count + p->earlier_count;
}

bool pace_known(const struct track_pace *p)
{
	return pace_count(p) >= PACE_KNOWN;
}

int64_t pace_usual_ms(const struct track_pace *p)
{
	uint32_t all[TRACK_PACES];
	uint32_t skip = MIN((pace_count(p) - 1) / COUNT_A_SHARE, (uint32_t)TRACK_PACES - 1);

	memcpy(all, p->longest_ms, sizeof(all));
	for (size_t i = 0; i < TRACK_PACES; i++)
		insert(all, p->earlier_ms[i]);
	if (!pace_known(p))
		return length_ms(all[0]);
	if (skip == 0 && (all[0] & ALARMED) != 0)
		skip = 1;
	return length_ms(all[skip]);
}
