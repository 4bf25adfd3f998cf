/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/pace.h"

#define FORGET_MS (3600 * 1000)
#define FORGET_TIMES 10 /* an interval is kept for at least so many times its own length */
#define COUNT_MANY 60
#define COUNT_STOP 1000

/* The slot that the new interval may take; TRACK_PACES: none. */
static size_t slot_for(const struct track_pace *p, uint32_t interval_ms, int64_t at_ms)
{
	for (size_t i = 0; i < TRACK_PACES; i++) {
		int64_t keep_ms = MAX((int64_t)p->longest_ms[i] * FORGET_TIMES, (int64_t)FORGET_MS);

		if (p->seen_s[i] == 0 || at_ms - (int64_t)p->seen_s[i] * 1000 > keep_ms)
			return i;
	}
	return interval_ms > p->longest_ms[TRACK_PACES - 1] ? TRACK_PACES - 1 : TRACK_PACES;
}

static void swap(struct track_pace *p, size_t a, size_t b)
{
	uint32_t ms = p->longest_ms[a];
	uint32_t s = p->seen_s[a];

	p->longest_ms[a] = p->longest_ms[b];
	p->seen_s[a] = p->seen_s[b];
	p->longest_ms[b] = ms;
	p->seen_s[b] = s;
}

void pace_add(struct track_pace *p, int64_t interval_ms, int64_t at_ms)
{
	uint32_t ms = (uint32_t)MIN(MAX(interval_ms, (int64_t)0), (int64_t)UINT32_MAX);
	size_t i = slot_for(p, ms, at_ms);

	p->count = MIN(p->count + 1, (uint32_t)COUNT_STOP);
	if (i == TRACK_PACES)
		return;
	p->longest_ms[i] = ms;
	p->seen_s[i] = (uint32_t)(at_ms / 1000);
	for (; i > 0 && p->longest_ms[i] > p->longest_ms[i - 1]; i--)
		swap(p, i, i - 1);
	for (; i + 1 < TRACK_PACES && p->longest_ms[i] < p->longest_ms[i + 1]; i++)
		swap(p, i, i + 1);
}

bool pace_known(const struct track_pace *p)
{
	return p->count >= PACE_KNOWN;
}

int64_t pace_usual_ms(const struct track_pace *p)
{
	if (!pace_known(p))
		return p->longest_ms[0];
	return p->longest_ms[p->count < COUNT_MANY ? 1 : 2];
}
