/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* traffic - counts requests, and how long their answers took to make. Any thread may. */

#include "aggregator/serve/request.h"
#include "common/histogram.h"

/* What is asked, by the beginning of its path. */
enum traffic_kind {
	TRAFFIC_API,
	TRAFFIC_BURROW,
	TRAFFIC_METRICS,
	TRAFFIC_OTHER, /* the page, health, what does not exist */
	TRAFFIC_KINDS,
};

#define TRAFFIC_DIGITS 6 /* answers are counted by the first digit of their status, 1 to 5 */

struct traffic {
	struct histogram durations[TRAFFIC_KINDS];
	atomic_uint_fast64_t answers[TRAFFIC_DIGITS];
};

/* "api", "v3", "metrics" or "other". */
const char *traffic_kind_str(enum traffic_kind kind);

/* A request was answered with this status, after so long. */
void traffic_add(struct traffic *t, const struct request *rq, int status, int64_t us);

/* Requests answered since the start with a status of this first digit. */
uint64_t traffic_answers(const struct traffic *t, unsigned digit);
