/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/traffic.h"

#include <string.h>

static const struct {
	const char *name, *path;
} KINDS[TRAFFIC_KINDS] = {
	[TRAFFIC_API] = {"api", "/api/"},
	[TRAFFIC_BURROW] = {"v3", "/v3/"},
	[TRAFFIC_METRICS] = {"metrics", "/metrics"},
	[TRAFFIC_OTHER] = {"other", ""},
};

const char *traffic_kind_str(enum traffic_kind kind)
{
	return KINDS[kind].name;
}

static enum traffic_kind kind_of(const char *target)
{
	enum traffic_kind kind = TRAFFIC_API;

	while (strncmp(target, KINDS[kind].path, strlen(KINDS[kind].path)) != 0)
		kind++;
	return kind;
}

void traffic_add(struct traffic *t, const struct request *rq, int status, int64_t us)
{
	int digit = MIN(MAX(status / 100, 0), TRAFFIC_DIGITS - 1);

	histogram_add(&t->durations[kind_of(rq->target)], us);
	atomic_fetch_add_explicit(&t->answers[digit], 1, memory_order_relaxed);
}

uint64_t traffic_answers(const struct traffic *t, unsigned digit)
{
	return atomic_load_explicit(&t->answers[digit], memory_order_relaxed);
}
