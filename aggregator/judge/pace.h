/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pace - the usual time between two events of one consumer, learned from the longest ones of late.
 *
 * An interval is kept for an hour at least, so that quick ones cannot push a long one out. A single
 * long one among many is taken for a mishap, not for a habit.
 */

#include "aggregator/judge/track.h"

/* Intervals from which on the pace is known. */
#define PACE_KNOWN 5

/* Learn one interval that ended at at_ms. */
void pace_add(struct track_pace *p, int64_t interval_ms, int64_t at_ms);

bool pace_known(const struct track_pace *p);

/* The usual interval: while the pace is not known the longest seen, then the second longest, and
 * from 60 intervals on the third. 0: none seen. */
int64_t pace_usual_ms(const struct track_pace *p);
