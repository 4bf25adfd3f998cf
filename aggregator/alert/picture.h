/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* picture - how far a group was behind, as a small PNG for mails. */

#include "common/buf.h"

struct picture_point {
	int64_t at_ms;
	int64_t lag; /* below 0: not known */
};

#define PICTURE_WIDTH 480
#define PICTURE_HEIGHT 120

/* Append the PNG of the points between two times, which rise by time. Appends nothing when no lag
 * is known. */
void picture_put(struct buf *out, const struct picture_point *points, size_t count, int64_t from_ms,
		 int64_t to_ms);
