/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * trend - where the lag of one partition is going, from the windows of its log and its commits.
 *
 * Lag is looked at when commits come, never between them: a consumer that commits once a minute
 * does not fall behind for the rest of that minute.
 */

#include "aggregator/judge/track.h"

struct trend {
	bool known;        /* enough of the window is there to speak of a trend */
	bool growing;      /* lag and its age rise, beyond their noise */
	bool lasting;      /* lag is still higher than it was */
	bool rising;       /* and does so now, not after one burst some time ago */
	bool falling;      /* lag has been falling lately */
	int64_t behind_ms; /* age of the oldest unread message when the last commit came */
	double reads;      /* offsets a second, lately */
	double grows;      /* of the log end, a second, over the same time */
};

/* Look at the window from from_ms on. A group less than near_ms behind was close to the end. Both
 * windows in the tracks may be empty. */
void trend_of(const struct commit_track *t, const struct log_track *log,
	      const struct cluster_track *cluster, int64_t from_ms, int64_t near_ms,
	      struct trend *ret_t);
