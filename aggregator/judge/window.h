/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * window - how one number (a log end, a committed offset) moved over the last minutes.
 *
 * A window is a plain value of fixed size and holds changes only: between two points the number
 * stood still, or crept by less than is worth a point. It reads no clock and owns no memory, so
 * that it can lie inside a stored record. Newest point first: most questions end there.
 */

#include "common/base.h"

#define WINDOW_BYTES 148

/* A window holds no more points than this: each but the newest takes two bytes. */
#define WINDOW_POINTS_MAX (WINDOW_BYTES / 2 + 1)

struct window {
	int64_t at_ms;               /* of the newest point; 0: the window is empty */
	int64_t value;               /* of the newest point */
	uint16_t used;               /* bytes used below */
	uint16_t count;              /* points, the newest included */
	uint8_t bytes[WINDOW_BYTES]; /* older points, see window.c */
};

struct window_point {
	int64_t at_ms; /* older points are exact to 10 ms */
	int64_t value; /* always exact */
};

/* Walks from the newest point to the oldest. */
struct window_cursor {
	struct window_point point;
	const struct window *window; /* borrowed */
	uint16_t next;               /* byte at which the next older point begins */
	bool valid;
};

/* Take in a new newest point. A value equal to the newest changes nothing, nor does a time that is
 * not later. Three points within gap_ms become two, so that points are about gap_ms / 2 to gap_ms
 * apart and the span covered does not depend on how often somebody looks. Oldest points go when
 * there is no room. */
void window_add(struct window *w, int64_t at_ms, int64_t value, int64_t gap_ms);

/* Forget all points. */
void window_clear(struct window *w);

/* The newest point; not valid for an empty window. */
struct window_cursor window_newest(const struct window *w);

/* To the next older point; false, and not valid, when there is none. Never reads outside the
 * window, whatever its bytes are. */
bool window_older(struct window_cursor *c);

/* All points at or after from_ms, the newest first. Returns how many. */
size_t window_points(const struct window *w, int64_t from_ms,
		     struct window_point ret_points[static WINDOW_POINTS_MAX]);

/* The newest point at or before a time; the oldest, if all are later. The window is not empty. */
struct window_point window_back(const struct window *w, int64_t at_ms);

/* The value at a time, as a step function. False when the window does not reach back so far. */
bool window_value_at(const struct window *w, int64_t at_ms, int64_t *ret_value);

/* Between two neighbouring points, before.value <= base < after.value: the time at which the value
 * rose above base. See window_passed(). */
int64_t window_between(struct window_point before, struct window_point after, int64_t base,
		       int64_t gap_ms, int64_t step_ms);

/* When the value last rose above base, interpolated: between two points at most gap_ms apart over
 * the time between them, otherwise over the last step_ms before the later one, because the value
 * stood still until then. The newest value must be above base. False, and the time of the oldest
 * point, when it was above base in the whole window. */
bool window_passed(const struct window *w, int64_t base, int64_t gap_ms, int64_t step_ms,
		   int64_t *ret_at_ms);
