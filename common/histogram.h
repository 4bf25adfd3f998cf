/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * histogram - how long something takes, counted in fixed steps from 250 us to 10 s. Adding is a few
 * atomic additions: any number of threads may, while others read.
 */

#include <stdatomic.h>

#include "common/base.h"

#define HISTOGRAM_BUCKETS 14 /* of which the last has no bound */

struct histogram {
	atomic_uint_fast64_t buckets[HISTOGRAM_BUCKETS]; /* each has its own times alone */
	atomic_uint_fast64_t sum_us;
};

/* What has been counted until now. */
struct histogram_counts {
	uint64_t below[HISTOGRAM_BUCKETS]; /* each with the ones before it; the last: all */
	uint64_t sum_us;
};

/* The greatest time that a bucket but the last has, in microseconds. */
int64_t histogram_bound_us(size_t bucket);

void histogram_add(struct histogram *h, int64_t us);

/* The same where one thread counts for itself. */
void histogram_count(struct histogram_counts *counts, int64_t us);

/* What is added meanwhile may be in it, or not. */
void histogram_read(const struct histogram *h, struct histogram_counts *ret_counts);
