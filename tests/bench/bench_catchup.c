/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_catchup - an aggregator was away: how much an agent has kept by then, and how long until
 * the aggregator is at the present again.
 *
 *	bench_catchup URL [group-partitions] [passes] [seconds between them] [percent that move]
 *
 * Fills a spool as an agent does and ships it with the agent's own shipper to the aggregator at
 * URL, tcp://127.0.0.1:7701 say, which need not run before "waits" is printed. Its limits.new_names
 * must be above the number of groups. In each pass so many percent of the partitions have a new
 * log end and a new commit.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/ship/shipper.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/wire.h"
#include "tests/unit/temp.h"

#define PARTITIONS 100 /* of each group and topic */
#define TOPICS 10
#define ROWS 4096 /* in a batch, as in the agent's */
#define COMES 137 /* messages in each partition a pass */
#define DRAIN_MS 1000

struct options {
	const char *url;
	int groups, passes, percent;
	int64_t interval_ms;
};

struct feed {
	struct state *st;
	const char **names; /* groups, then topics */
	int64_t began_ms;   /* of the first pass */
	struct wire_commit_row commits[ROWS];
	struct wire_log_row logs[TOPICS * PARTITIONS];
	struct buf body;
};

static const char *text(const char *stem, int i)
{
	char *s = NULL;

	if (asprintf(&s, "%s-%04d", stem, i) < 0)
		abort();
	return s;
}

static void make_names(struct feed *f, const struct options *o)
{
	f->names = calloc((size_t)(o->groups + TOPICS), sizeof(*f->names));
	for (int i = 0; i < o->groups; i++)
		f->names[i] = text("payments-service-group", i);
	for (int i = 0; i < TOPICS; i++)
		f->names[o->groups + i] = text("orders.placed", i);
}

/* What every batch of a pass says. */
static struct wire_batch head_of(const struct feed *f, const struct options *o, int pass)
{
	return (struct wire_batch){
		.cluster = "catchup",
		.environment = "BENCH",
		.pass = (uint64_t)pass + 1,
		.pass_at_ms = f->began_ms + pass * o->interval_ms,
		.interval_ms = (uint32_t)o->interval_ms,
		.report = {.state = WIRE_AGENT_RUNNING},
		.names = f->names,
		.name_count = (size_t)(o->groups + TOPICS),
	};
}

static void append(struct feed *f, struct state_txn *t, const struct wire_batch *b)
{
	buf_reset(&f->body);
	wire_put_batch(&f->body, b);
	state_append(t, f->body.data, f->body.size);
}

static void append_logs(struct feed *f, struct state_txn *t, struct wire_batch b, int groups)
{
	for (int i = 0; i < TOPICS * PARTITIONS; i++)
		f->logs[i] = (struct wire_log_row){(uint32_t)(groups + i / PARTITIONS),
						   i % PARTITIONS,
						   0,
						   (int64_t)b.pass * COMES,
						   WIRE_UNKNOWN,
						   1};
	b.flags = WIRE_PASS_FIRST;
	b.logs = f->logs;
	b.log_count = ARRAY_LEN(f->logs);
	append(f, t, &b);
}

static void append_commits(struct feed *f, struct state_txn *t, struct wire_batch b,
			   const struct options *o)
{
	int count = o->groups * PARTITIONS * o->percent / 100;

	for (int from = 0; from < count; from += ROWS) {
		int rows = MIN(ROWS, count - from);

		for (int i = 0; i < rows; i++) {
			int at = from + i;
			int group = at / PARTITIONS;

			f->commits[i] = (struct wire_commit_row){
				(uint32_t)group,   (uint32_t)(o->groups + group % TOPICS),
				at % PARTITIONS,   (int64_t)b.pass * COMES - at % COMES,
				b.pass_at_ms - 40, b.pass_at_ms - 20,
			};
		}
		b.commits = f->commits;
		b.commit_count = (size_t)rows;
		b.flags = from + rows == count ? WIRE_PASS_LAST : 0;
		append(f, t, &b);
	}
}

/* All passes, up to now, each in a transaction as the agent's are. */
static void fill(struct feed *f, const struct options *o)
{
	int64_t began_us = clock_mono_us();
	struct state_spool s;

	f->began_ms = clock_wall_ms() - (o->passes - 1) * o->interval_ms;
	for (int pass = 0; pass < o->passes; pass++) {
		const struct wire_batch b = head_of(f, o, pass);
		struct state_txn t = state_begin(f->st);

		append_logs(f, &t, b, o->groups);
		append_commits(f, &t, b, o);
		if (state_commit(&t) != ERR_OK)
			abort();
	}
	state_spool(f->st, &s);
	printf("kept: %d passes of %d group-partitions in %llu batches, %.0f MiB, written in "
	       "%.1f s; waits\n",
	       o->passes, o->groups * PARTITIONS, (unsigned long long)s.batches,
	       (double)s.bytes / (1 << 20), (double)(clock_mono_us() - began_us) / 1e6);
	fflush(stdout);
}

/* Until the aggregator has all; how long that took is counted from its first acknowledgement. */
static void ship(struct feed *f, const struct options *o)
{
	static const char *const CLUSTERS[] = {"catchup"};
	const struct shipper_options options = {.agent = "catchup",
						.address = o->url,
						.clusters = CLUSTERS,
						.cluster_count = 1,
						.instance = 1};
	struct shipper *shipper = NULL;
	struct state_spool s;
	int64_t first_us = 0;

	if (shipper_start(&options, f->st, &shipper) != ERR_OK)
		exit(EXIT_FAILURE);
	do {
		usleep(10000);
		if (first_us == 0 && state_cursor(f->st, 0) > 0)
			first_us = clock_mono_us();
		state_spool(f->st, &s);
	} while (s.floor_seq < s.next_seq);
	double seconds = (double)(clock_mono_us() - first_us) / 1e6;
	double rows = (double)o->passes * o->groups * PARTITIONS * o->percent / 100;
	printf("at the present after %.1f s: %.1f passes/s, %.0f commit rows/s, %.0f times as fast "
	       "as time\n",
	       seconds, o->passes / seconds, rows / seconds,
	       (double)(o->passes * o->interval_ms) / 1000 / seconds);
	shipper_ask_stop(shipper, DRAIN_MS);
	if (!shipper_join(&shipper, 2 * DRAIN_MS))
		exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	const struct options o = {
		.url = argc > 1 ? argv[1] : "tcp://127.0.0.1:7701",
		.groups = (argc > 2 ? atoi(argv[2]) : 100000) / PARTITIONS,
		.passes = argc > 3 ? atoi(argv[3]) : 120,
		.interval_ms = (argc > 4 ? atoi(argv[4]) : 30) * (int64_t)1000,
		.percent = argc > 5 ? atoi(argv[5]) : 100,
	};
	const struct state_options options = {.spool_bytes = (int64_t)8 << 30,
					      .spool_age_ms = (int64_t)86400000,
					      .targets = &o.url,
					      .target_count = 1};
	struct temp dir = temp_make();
	struct feed *f = calloc(1, sizeof(*f));
	char why[512] = "";

	log_set_level(LOG_LEVEL_WARN);
	if (f == NULL || state_open(dir.dir, &options, why, &f->st) != ERR_OK) {
		fprintf(stderr, "cannot keep anything: %s\n", why);
		return EXIT_FAILURE;
	}
	make_names(f, &o);
	fill(f, &o);
	ship(f, &o);
	state_close(&f->st);
	temp_remove(&dir);
	return EXIT_SUCCESS;
}
