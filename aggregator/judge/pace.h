/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pace - the usual time between two events of one consumer: about the 95th percentile of late.
 *
 * The longest intervals are kept for one to two hours, so that quick ones cannot push a long one
 * out. One that made an alarm is a mishap until it happens again.
 */

#include "aggregator/judge/track.h"

/* Intervals from which on the pace is known. */
#define PACE_KNOWN 5

/* Learn one interval that ended at at_ms; alarmed: an alarm was up because of it. */
void pace_add(struct track_pace *p, int64_t interval_ms, int64_t at_ms, bool alarmed);

bool pace_known(const struct track_pace *p);

/* The usual interval; while the pace is not known, the longest one seen. 0: none seen. */
int64_t pace_usual_ms(const struct track_pace *p);

/* How many intervals it is taken from. */
uint32_t pace_count(const struct track_pace *p);
