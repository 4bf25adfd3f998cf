/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_pass - what one pass of a cluster costs the writer, without a network: its batches applied,
 * then every group-partition read, judged and published, and the transaction committed.
 *
 *	bench_pass [groups] [partitions of each] [passes] [load: 0, 1 or 2; all]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/ingest/apply.h"
#include "aggregator/ingest/evaluate.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define T0_MS INT64_C(1700000000000)
#define STEP_MS 10000
#define TOPICS 10
#define ROWS 5000 /* in a batch */
#define MEMBERS 4 /* of a group */
#define RATE 137  /* messages a pass */
#define WARM 70   /* passes not counted */

enum load { QUIET, BUSY, BEHIND };

static const char *const LOADS[] = {"nothing changes", "all changes, lag of a pass",
				    "all changes, lag of 3 hours"};

struct bench {
	int groups, partitions, passes;
	enum load load;
	struct temp temp;
	struct store *store;
	struct evaluate_room *room;
	struct names *names;
	struct clusters *clusters;
	struct rules_memo *rules;
	struct board *board;
	struct store_txn txn;
	struct cluster *cluster;
	uint64_t pass;
	const char **texts; /* groups, topics, then a member's */
	struct wire_commit_row *commits;
	struct wire_log_row *logs;
};

/* Microseconds since the last call, of the clock and of this thread's processor. */
struct stretch {
	int64_t wall_us, cpu_us;
};

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct stretch lap(struct stretch *since)
{
	struct stretch now = {clock_mono_us(), cpu_us()};
	struct stretch done = {now.wall_us - since->wall_us, now.cpu_us - since->cpu_us};

	*since = now;
	return done;
}

static const char *text(const char *stem, int i)
{
	char *s = NULL;

	if (asprintf(&s, "%s-%04d", stem, i) < 0)
		abort();
	return s;
}

static void open_all(struct bench *b)
{
	char why[512] = "";
	const struct rules_base base = {.values = RULES_DEFAULT};
	struct rules_set *set = rules_new("", 0, &base, NULL, 0);

	b->temp = temp_make();
	b->board = board_new();
	b->rules = rules_memo_new(set);
	rules_unref(&set);
	if (store_open(b->temp.dir, (size_t)4 << 30, why, &b->store) != ERR_OK)
		abort();
	for (int i = 0; i < 5; i++) /* here nobody does a full transaction once more */
		if (store_grow(b->store) != ERR_OK)
			abort();
	if (evaluate_room_new(true, &b->room) != ERR_OK)
		abort();
	struct store_txn t = store_begin(b->store, false);
	if (names_load(&t, &b->names) != ERR_OK ||
	    clusters_load(&t, b->names, &b->clusters) != ERR_OK)
		abort();
	store_abort(&t);
	b->texts = calloc((size_t)b->groups + TOPICS + 1, sizeof(*b->texts));
	for (int i = 0; i < b->groups; i++)
		b->texts[i] = text("payments-service-group", i);
	for (int i = 0; i < TOPICS; i++)
		b->texts[b->groups + i] = text("orders.placed", i);
	b->commits = calloc((size_t)b->groups * (size_t)b->partitions, sizeof(*b->commits));
	b->logs = calloc((size_t)TOPICS * (size_t)b->partitions, sizeof(*b->logs));
}

static void close_all(struct bench *b)
{
	evaluate_room_free(&b->room);
	names_free(&b->names);
	clusters_free(&b->clusters);
	rules_memo_free(&b->rules);
	board_free(&b->board);
	store_close(&b->store);
	temp_remove(&b->temp);
	for (int i = 0; i < b->groups + TOPICS; i++)
		free((void *)(uintptr_t)b->texts[i]);
	free(b->texts);
	free(b->commits);
	free(b->logs);
}

static void make_rows(struct bench *b, int64_t now_ms)
{
	int64_t lag = b->load == BEHIND ? RATE * 3 * 360 : RATE;
	int64_t end = (int64_t)(b->load == QUIET ? 1 : b->pass) * RATE + RATE * 10000;

	for (int g = 0; g < b->groups; g++)
		for (int p = 0; p < b->partitions; p++)
			b->commits[g * b->partitions + p] = (struct wire_commit_row){
				(uint32_t)g, (uint32_t)(b->groups + g % TOPICS),
				p,           end - lag - p,
				now_ms - 40, now_ms - 20};
	for (int t = 0; t < TOPICS; t++)
		for (int p = 0; p < b->partitions; p++)
			b->logs[t * b->partitions + p] =
				(struct wire_log_row){(uint32_t)(b->groups + t), p, 0, end, -1, 1};
}

static void apply_one(struct bench *b, struct wire_batch *batch)
{
	struct apply a = {&b->txn, b->names, b->clusters, RULES_DEFAULT.window_ms};
	const char *why = "";

	if (apply_batch(&a, batch, "bench", T0_MS, &b->cluster, &why) != ERR_OK)
		abort();
}

/* In the first pass: each group's members and what they own. */
static void apply_groups(struct bench *b, struct wire_batch batch)
{
	struct wire_partition *owned = calloc((size_t)b->partitions, sizeof(*owned));
	struct wire_member members[MEMBERS];
	int each = b->partitions / MEMBERS;

	for (int g = 0; g < b->groups; g++) {
		uint32_t topic = (uint32_t)(b->groups + g % TOPICS);

		for (int p = 0; p < b->partitions; p++)
			owned[p] = (struct wire_partition){topic, p};
		for (int m = 0; m < MEMBERS; m++)
			members[m] = (struct wire_member){
				"consumer-1-6f2b1c9e", "consumer-1", "/10.0.0.7", &topic, 1,
				owned + m * each,      (size_t)each};
		struct wire_group row = {
			(uint32_t)g, WIRE_PROTOCOL_CLASSIC, WIRE_GROUP_STABLE, 1, members, MEMBERS};
		batch.groups = &row;
		batch.group_count = 1;
		apply_one(b, &batch);
	}
	free(owned);
}

static void apply_pass(struct bench *b)
{
	size_t rows = (size_t)b->groups * (size_t)b->partitions;
	bool any = b->load != QUIET || b->pass == 1;
	struct wire_batch batch = {.agent = "bench",
				   .epoch = 1,
				   .cluster = "bench",
				   .environment = "BENCH",
				   .pass = b->pass,
				   .pass_at_ms = T0_MS + (int64_t)b->pass * STEP_MS,
				   .interval_ms = STEP_MS,
				   .flags = WIRE_PASS_FIRST,
				   .report = {.state = WIRE_AGENT_RUNNING,
					      .problem = "",
					      .source = "",
					      .servers = "k1:9092"},
				   .names = b->texts,
				   .name_count = (size_t)b->groups + TOPICS};

	batch.logs = b->logs;
	batch.log_count = any ? (size_t)TOPICS * (size_t)b->partitions : 0;
	apply_one(b, &batch);
	batch.log_count = batch.flags = 0;
	if (b->pass == 1)
		apply_groups(b, batch);
	for (size_t at = 0; any && at < rows; at += ROWS) {
		batch.commits = b->commits + at;
		batch.commit_count = MIN((size_t)ROWS, rows - at);
		apply_one(b, &batch);
	}
	batch.commit_count = 0;
	batch.flags = WIRE_PASS_LAST;
	apply_one(b, &batch);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum step { APPLY, JUDGE, COMMIT, STEPS };

static void run(struct bench *b)
{
	static const char *const NAMES[] = {"apply", "judge", "commit"};
	int64_t *us[STEPS][2];
	int count = 0;

	open_all(b);
	for (int i = 0; i < STEPS * 2; i++)
		us[i / 2][i % 2] = calloc((size_t)b->passes, sizeof(int64_t));
	for (b->pass = 1; count < b->passes; b->pass++) {
		struct stretch since;
		struct stretch took[STEPS];

		make_rows(b, T0_MS + (int64_t)b->pass * STEP_MS);
		(void)lap(&since);
		b->txn = store_begin(b->store, true);
		apply_pass(b);
		took[APPLY] = lap(&since);
		struct evaluate e = {b->room, &b->txn, b->names, b->rules, b->cluster, 0};
		struct view *v = evaluate_cluster(&e);
		took[JUDGE] = lap(&since);
		if (store_commit(&b->txn) != ERR_OK)
			abort();
		took[COMMIT] = lap(&since);
		board_publish(b->board, v);
		if (b->pass <= WARM)
			continue;
		for (int i = 0; i < STEPS; i++) {
			us[i][0][count] = took[i].wall_us;
			us[i][1][count] = took[i].cpu_us;
		}
		count++;
	}
	printf("%-28s", LOADS[b->load]);
	for (int i = 0; i < STEPS; i++) {
		for (int k = 0; k < 2; k++)
			qsort(us[i][k], (size_t)count, sizeof(int64_t), by_value);
		printf("  %s %6.1f ms (cpu %5.1f, worst %.1f)", NAMES[i],
		       (double)us[i][0][count / 2] / 1e3, (double)us[i][1][count / 2] / 1e3,
		       (double)us[i][0][count - 1] / 1e3);
	}
	printf("\n");
	for (int i = 0; i < STEPS * 2; i++)
		free(us[i / 2][i % 2]);
	close_all(b);
}

int main(int argc, char **argv)
{
	struct bench b = {
		.groups = argc > 1 ? atoi(argv[1]) : 1000,
		.partitions = argc > 2 ? atoi(argv[2]) : 100,
		.passes = argc > 3 ? atoi(argv[3]) : 20,
	};

	printf("%d groups of %d partitions; median of %d passes\n", b.groups, b.partitions,
	       b.passes);
	for (enum load l = QUIET; l <= BEHIND; l++) {
		b.load = l;
		if (argc <= 4 || (int)l == atoi(argv[4]))
			run(&b);
	}
	return 0;
}
