/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/points.h"

#include "aggregator/ingest/picture.h"
#include "common/err.h"

/* The points of one partition into out, oldest first; returns how many. The newest is the last
 * commit itself, which may repeat an offset and is then no change of the window. */
static size_t collect(const struct commit_track *t, const struct log_track *log, size_t max,
		      struct view_offset *out)
{
	struct view_offset newest_first[POINTS_MAX];
	size_t count = 0;
	struct window_cursor c = window_newest(&t->offsets);

	for (bool more = c.valid; more && count < max; more = window_older(&c)) {
		int64_t end = 0;
		struct track_edge edge = {c.point.value, c.point.at_ms, TRACK_UNKNOWN};

		if (log != NULL && window_value_at(&log->ends, edge.at_ms, &end))
			edge.lag = MAX(end - edge.offset, (int64_t)0);
		newest_first[count++] = picture_offset(t, &edge);
	}
	for (size_t i = 0; i < count; i++)
		out[i] = newest_first[count - 1 - i];
	if (count != 0) {
		out[count - 1].time_ms = t->time_ms == TRACK_UNKNOWN ? t->arrival_ms : t->time_ms;
		out[count - 1].observed_ms = t->arrival_ms;
	}
	return count;
}

int points_read(struct store *st, const struct view *v, const struct view_group *g,
		uint32_t max_points,
		void (*emit)(void *arg, const struct view_partition *p,
			     const struct view_offset *points, size_t count),
		void *arg)
{
	struct store_txn t = store_begin(st, false);
	struct view_offset points[POINTS_MAX];

	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];
		struct store_log_key l = {v->cluster_id, p->topic_id, p->partition};
		struct store_commit_key k = {v->cluster_id, g->id, p->topic_id, p->partition};
		struct commit_track commit;
		struct log_track log;
		size_t count = 0;

		if (store_get_commit(&t, k, &commit)) {
			bool has_log = store_get_log(&t, l, &log);
			count = collect(&commit, has_log ? &log : NULL,
					MIN(max_points, (uint32_t)POINTS_MAX), points);
		}
		emit(arg, p, points, count);
	}
	int err = t.err;
	store_abort(&t);
	return err;
}
