/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/story.h"

/* Points that are close stand for all that was between them: a line. Between others the value
 * stood still. */
static int64_t between(struct window_point before, struct window_point after, int64_t at_ms,
		       int64_t gap_ms)
{
	double part = (double)(at_ms - before.at_ms) / (double)(after.at_ms - before.at_ms);

	if (after.at_ms - before.at_ms > gap_ms)
		return before.value;
	return before.value + (int64_t)(part * (double)(after.value - before.value));
}

static int64_t value_at(const struct window *w, int64_t at_ms, int64_t gap_ms)
{
	struct window_cursor c = window_newest(w);
	struct window_point after = c.point;

	if (!c.valid)
		return TRACK_UNKNOWN;
	if (at_ms >= after.at_ms)
		return after.value;
	while (window_older(&c)) {
		if (c.point.at_ms <= at_ms)
			return between(c.point, after, at_ms, gap_ms);
		after = c.point;
	}
	return TRACK_UNKNOWN;
}

static struct story_point point_at(const struct judge_input *in, int64_t at_ms)
{
	int64_t gap_ms = track_gap_ms(in->cluster);
	struct story_point p = {
		.at_ms = at_ms,
		.committed = value_at(&in->commit->offsets, at_ms, gap_ms),
		.end = TRACK_UNKNOWN,
		.lag = TRACK_UNKNOWN,
	};

	if (in->log != NULL)
		p.end = value_at(&in->log->ends, at_ms, gap_ms);
	/* Log ends are known as of passes. A commit between two tells of more, unless the offset
	 * is one that the log does not have. */
	if (p.end >= 0 && p.end < p.committed && in->commit->beyond_pass == 0)
		p.end = p.committed;
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
