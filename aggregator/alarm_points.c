/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alarm_points.h"

#include "aggregator/ingest/recall.h"
#include "common/err.h"

struct points {
	struct picture_point *list;
	size_t count, max;
};

static void take(void *arg, const struct story_lag *l)
{
	struct points *p = arg;

	if (p->count < p->max)
		p->list[p->count++] = (struct picture_point){l->at_ms, l->seen ? l->lag : -1};
}

size_t alarm_points(void *arg, const struct incident *i, int64_t from_ms, int64_t to_ms,
		    struct picture_point *ret_points, size_t max)
{
	const struct story_group g = {.environment = i->environment,
				      .cluster = i->cluster,
				      .name = i->group,
				      .cluster_id = i->cluster_id,
				      .group_id = i->group_id};
	const struct story_span span = {
		.from_ms = from_ms, .to_ms = to_ms, .step_ms = (to_ms - from_ms) / (int64_t)max};
	struct points p = {ret_points, 0, max};
	int64_t step_ms = 0;

	return recall_lag(arg, &g, &span, take, &p, &step_ms) == ERR_OK ? p.count : 0;
}
