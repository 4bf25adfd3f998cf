/* SPDX-License-Identifier: Apache-2.0 */
#include "common/histogram.h"

static const int64_t BOUNDS_US[HISTOGRAM_BUCKETS - 1] = {
	250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 2500000, 10000000};

int64_t histogram_bound_us(size_t bucket)
{
	return BOUNDS_US[bucket];
}

static size_t bucket_of(int64_t us)
{
	size_t bucket = 0;

	while (bucket < ARRAY_LEN(BOUNDS_US) && us > BOUNDS_US[bucket])
		bucket++;
	return bucket;
}

void histogram_add(struct histogram *h, int64_t us)
{
	atomic_fetch_add_explicit(&h->buckets[bucket_of(us)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, (uint64_t)MAX(us, (int64_t)0), memory_order_relaxed);
}

void histogram_count(struct histogram_counts *counts, int64_t us)
{
	for (size_t i = bucket_of(us); i < HISTOGRAM_BUCKETS; i++)
		counts->below[i]++;
	counts->sum_us += (uint64_t)MAX(us, (int64_t)0);
}

void histogram_read(const struct histogram *h, struct histogram_counts *ret_counts)
{
	uint64_t below = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		ret_counts->below[i] = below;
	}
	ret_counts->sum_us = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}
