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
	bool worse;        /* lag and its age grow; while a warning is up: they still do */
	int64_t behind_ms; /* age of the oldest unread message when the last commit came */
	double reads;      /* offsets a second, lately */
	double grows;      /* of the log end, a second, over the same time */
};

/* Look at the window from from_ms on. A lag whose age is far below warn_after_ms is not looked at
 * closely. Both windows in the tracks may be empty. */
void trend_of(const struct commit_track *t, const struct log_track *log,
	      const struct cluster_track *cluster, int64_t from_ms, int64_t warn_after_ms,
	      struct trend *ret_t);
