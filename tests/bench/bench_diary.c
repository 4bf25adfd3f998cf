/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_diary - what it costs to write down lag and events: milliseconds a pass, commit included,
 * and bytes of the store for each group-partition.
 *
 *	bench_diary [groups] [partitions of each] [passes] [pass every so many s]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/diary.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define START_MS INT64_C(1700000000000)

struct options {
	uint32_t groups;
	int32_t partitions;
	int passes;
	int64_t interval_ms;
};

enum load { IDLE, BUSY, CHANGING };

static const char *const LOADS[] = {"nothing waits anywhere", "messages wait everywhere",
				    "and every tenth pass every partition changes its status"};

static void tell_group(struct diary *d, const struct options *o, uint32_t group, int pass,
		       enum load load)
{
	static struct view_partition partitions[1000];
	struct view_group g = {.partitions = partitions,
			       .partition_count = (size_t)o->partitions,
			       .status = STATUS_OK,
			       .time_lag_ms = load == IDLE ? 0 : 1500 + pass};
	struct commit_track commit = {.offset = 1000000, .status = STATUS_OK};
	const struct cluster_track cluster = {.last_ms = START_MS};
	const struct judge_input in = {&commit, NULL, NULL, &cluster, &RULES_DEFAULT, START_MS};
	struct verdict v = {.counted = true, .reason = REASON_KEEPING_UP, .eta_ms = -1};
	struct diary_partition p = {
		.topic_id = 9, .topic = "orders.placed", .in = &in, .verdict = &v};
	bool bad = load == CHANGING && pass / 10 % 2 != 0;

	commit.status = bad ? STATUS_STOP : STATUS_OK;
	v.reason = bad ? REASON_NO_COMMITS : REASON_KEEPING_UP;
	p.before = load == CHANGING && pass % 10 == 0 ? (bad ? STATUS_OK : STATUS_STOP)
						      : (enum status)commit.status;
	g.status = bad ? STATUS_ERR : STATUS_OK;
	diary_begin_group(d, group);
	for (p.partition = 0; p.partition < o->partitions; p.partition++) {
		v.lag = load == IDLE ? 0 : 100 + (p.partition * 7919 + pass * 31) % 5000;
		v.time_lag_ms = v.lag;
		g.total_lag += (uint64_t)v.lag;
		partitions[p.partition].lag = v.lag;
		diary_partition(d, &p);
	}
	diary_end_group(d, &g);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void run(const struct options *o, enum load load)
{
	struct temp dir = temp_make();
	char why[512] = "";
	struct store *st = NULL;
	int64_t *us = calloc((size_t)o->passes, sizeof(*us));
	uint64_t before = 0;
	uint64_t after = 0;
	uint64_t limit = 0;

	if (us == NULL || store_open(dir.dir, (size_t)16 << 30, why, &st) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		exit(EXIT_FAILURE);
	}
	store_usage(st, &before, &limit);
	for (int pass = 0; pass < o->passes; pass++) {
		int64_t from_us = clock_mono_us();
		struct store_txn t = store_begin(st, true);
		struct diary *d = diary_begin(&t, 1, START_MS + pass * o->interval_ms, true);

		for (uint32_t g = 1; g <= o->groups; g++)
			tell_group(d, o, g, pass, load);
		diary_end(&d);
		if (store_commit(&t) != ERR_OK)
			exit(EXIT_FAILURE);
		us[pass] = clock_mono_us() - from_us;
	}
	store_usage(st, &after, &limit);
	int64_t sum = 0;
	for (int i = 1; i < o->passes; i++)
		sum += us[i];
	qsort(us, (size_t)o->passes, sizeof(*us), by_value);
	printf("%-56s %6.1f ms a pass, median %.1f, worst %.1f; %.0f bytes a group-partition\n",
	       LOADS[load], (double)sum / 1e3 / MAX(o->passes - 1, 1),
	       (double)us[o->passes / 2] / 1e3, (double)us[o->passes - 1] / 1e3,
	       (double)(after - before) / o->groups / o->partitions);
	store_close(&st);
	temp_remove(&dir);
	free(us);
}

int main(int argc, char **argv)
{
	const struct options o = {
		.groups = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000,
		.partitions = argc > 2 ? MIN(atoi(argv[2]), 1000) : 100,
		.passes = argc > 3 ? atoi(argv[3]) : 100,
		.interval_ms = argc > 4 ? atoi(argv[4]) * 1000 : 10000,
	};

	printf("%u groups of %d partitions, %d passes, one every %lld s\n", o.groups, o.partitions,
	       o.passes, (long long)o.interval_ms / 1000);
	for (enum load l = IDLE; l <= CHANGING; l++)
		run(&o, l);
	return 0;
}
