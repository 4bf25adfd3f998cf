/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/story.h"

static int64_t value_at(const struct window *w, int64_t at_ms)
{
	int64_t value = TRACK_UNKNOWN;

	if (w == NULL || !window_value_at(w, at_ms, &value))
		return TRACK_UNKNOWN;
	return value;
}

static struct story_point point_at(const struct judge_input *in, int64_t at_ms)
{
	struct story_point p = {
		.at_ms = at_ms,
		.committed = value_at(&in->commit->offsets, at_ms),
		.end = value_at(in->log == NULL ? NULL : &in->log->ends, at_ms),
		.lag = TRACK_UNKNOWN,
	};

	if (p.committed >= 0 && p.end >= 0)
		p.lag = MAX(p.end - p.committed, (int64_t)0);
	return p;
}

static void reverse(struct story_point *points, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct story_point swap = points[i];

		points[i] = points[count - 1 - i];
		points[count - 1 - i] = swap;
	}
}

size_t story_points(const struct judge_input *in, struct story_point out[STORY_POINTS_MAX])
{
	int64_t from_ms = in->now_ms - in->rules->window_ms;
	struct window_cursor a = window_newest(&in->commit->offsets);
	struct window_cursor b = {.valid = false};
	size_t count = 0;

	if (in->log != NULL)
		b = window_newest(&in->log->ends);
	while ((a.valid || b.valid) && count < STORY_POINTS_MAX) {
		int64_t at_ms = MAX(a.valid ? a.point.at_ms : 0, b.valid ? b.point.at_ms : 0);

		out[count++] = point_at(in, at_ms);
		if (at_ms <= from_ms)
			break; /* what was so when the window began */
		if (a.valid && a.point.at_ms == at_ms)
			(void)window_older(&a);
		if (b.valid && b.point.at_ms == at_ms)
			(void)window_older(&b);
	}
	reverse(out, count);
	return count;
}

size_t story_gaps(const struct judge_input *in, struct track_gap out[TRACK_GAPS])
{
	int64_t from_ms = in->now_ms - in->rules->window_ms;
	size_t count = 0;

	for (size_t i = 0; i < TRACK_GAPS; i++)
		if (in->cluster->gaps[i].to_ms > from_ms)
			out[count++] = in->cluster->gaps[i];
	return count;
}
