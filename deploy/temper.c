/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/temper.h"

#define NEVER (1 << 30)

struct habits {
	int commit_every; /* seconds */
	int reads_pct;    /* of what arrives */
	int most;         /* messages a second it can read from a partition */
	int unread;       /* messages at the end it may have in hand */
	int sticks_at;    /* seconds: its first partition stays where it is from then on */
	int ends_at;      /* reads and commits no more from then on */
	int leaves_at;    /* its members leave the group */
	int rewinds_from; /* goes back to offset 0 at this second ... */
	int rewinds_every;
};

/* A rewinding consumer must not pass in one round what it had read before the first: 45 s of
 * reading is more than 30 s, at any rate. Tempers that end commit often before, so that their
 * pace is known when they do. */
static const struct habits habits[TEMPER_COUNT] = {
	[TEMPER_HEALTHY] = {5, 100, NEVER, 2, NEVER, NEVER, NEVER, NEVER, 1},
	[TEMPER_BURSTY] = {5, 100, 10, 2, NEVER, NEVER, NEVER, NEVER, 1},
	[TEMPER_BATCH] = {30, 100, NEVER, 0, NEVER, NEVER, NEVER, NEVER, 1},
	[TEMPER_IDLE] = {5, 100, NEVER, 0, NEVER, NEVER, NEVER, NEVER, 1},
	[TEMPER_SLOW] = {5, 20, NEVER, 0, NEVER, NEVER, NEVER, NEVER, 1},
	[TEMPER_STUCK] = {4, 100, NEVER, 2, 50, NEVER, NEVER, NEVER, 1},
	[TEMPER_REWINDING] = {5, 80, NEVER, 0, NEVER, NEVER, NEVER, 45, 30},
	[TEMPER_HUNG] = {4, 100, NEVER, 2, NEVER, 50, NEVER, NEVER, 1},
	[TEMPER_CRASHED] = {3, 100, NEVER, 2, NEVER, 25, 40, NEVER, 1},
};

static bool rewinds(const struct habits *h, int second)
{
	return second >= h->rewinds_from && (second - h->rewinds_from) % h->rewinds_every == 0;
}

/* How far it gets this second: its share of what arrived, or all that is there but a few. */
static int64_t reach(const struct habits *h, struct temper_reader *r, int64_t end, uint32_t random)
{
	if (h->reads_pct == 100)
		return end - (int64_t)(random % (uint32_t)(h->unread + 1));
	int64_t hundredths = r->carry + (end - r->seen_end) * h->reads_pct;
	r->carry = hundredths % 100;
	return r->position + hundredths / 100;
}

void temper_read(enum temper t, struct temper_reader *r, int32_t partition, int64_t end, int second,
		 uint32_t random)
{
	const struct habits *h = &habits[t];
	bool stands = second >= h->ends_at || (second >= h->sticks_at && partition == 0);
	if (rewinds(h, second)) {
		r->position = 0;
	} else if (!stands) {
		int64_t to = MIN(reach(h, r, end, random), r->position + h->most);
		r->position = MAX(r->position, to);
	}
	r->seen_end = end;
}

bool temper_commits(enum temper t, int second, int phase)
{
	const struct habits *h = &habits[t];
	return second < h->ends_at && (second + phase) % h->commit_every == 0;
}

bool temper_leaves(enum temper t, int second)
{
	return second == habits[t].leaves_at;
}
