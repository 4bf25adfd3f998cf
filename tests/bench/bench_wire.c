/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and decodes a batch of 10,000 commit rows (100 groups, each on a topic of 100 partitions)
 * and one of 10,000 log rows (100 topics of 100 partitions), then puts them into frames with zstd
 * and takes them out again. Prints bytes a row and rows a second of each step. */
#include "proto/frame.h"
#include "proto/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"

#define ROWS 10000
#define PARTITIONS 100
#define TOPICS (ROWS / PARTITIONS)
#define ROUNDS 200
#define NOW_MS 1700000000000

static struct wire_commit_row commits[ROWS];
static struct wire_log_row logs[ROWS];
static char names[2 * TOPICS][32];
static const char *name_list[2 * TOPICS];

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fill(void)
{
	for (unsigned i = 0; i < TOPICS; i++) {
		snprintf(names[2 * i], sizeof(names[0]), "team-%u.consumer-group-%u", i % 7, i);
		snprintf(names[2 * i + 1], sizeof(names[0]), "team-%u.topic-%u", i % 7, i);
		name_list[2 * i] = names[2 * i];
		name_list[2 * i + 1] = names[2 * i + 1];
	}
	for (unsigned i = 0; i < ROWS; i++) {
		unsigned at = i / PARTITIONS;
		int64_t arrival = NOW_MS - rand() % 10000;
		int64_t start = rand() % 1000000000;

		commits[i] = (struct wire_commit_row){.group = 2 * at,
						      .topic = 2 * at + 1,
						      .partition = (int32_t)(i % PARTITIONS),
						      .offset = start + rand() % 1000000,
						      .time_ms = arrival - rand() % 20,
						      .arrival_ms = arrival};
		logs[i] = (struct wire_log_row){.topic = 2 * at + 1,
						.partition = (int32_t)(i % PARTITIONS),
						.start = start,
						.end = start + rand() % 1000000,
						.stable = WIRE_UNKNOWN,
						.epoch = rand() % 20};
	}
}

static void say(const char *what, double seconds)
{
	printf("  %-28s %7.1f M rows/s\n", what, 1e-6 * ROWS * ROUNDS / seconds);
}

static void run(const char *what, const struct wire_batch *in)
{
	CLEANUP(buf_free) struct buf body = {0};
	CLEANUP(buf_free) struct buf framed = {0};
	CLEANUP(arena_free) struct arena a = {0};
	struct wire_batch m;
	struct frame f = {0};
	double t[5];

	arena_init(&a, WIRE_ARENA_BYTES);
	t[0] = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		buf_reset(&body);
		wire_put_batch(&body, in);
	}
	t[1] = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		buf_reset(&framed);
		frame_put(&framed, FRAME_BATCH, body.data, body.size, true);
	}
	t[2] = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		arena_reset(&a);
		int err = frame_get((uint8_t *)framed.data, framed.size, WIRE_BODY_MAX, &a, &f);
		assert(err == ERR_OK);
	}
	t[3] = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		arena_reset(&a);
		int err = wire_get_batch((uint8_t *)body.data, body.size, &a, &m);
		assert(err == ERR_OK);
	}
	t[4] = now_s();
	printf("%d %s rows: %.1f bytes a row, %.1f with zstd, %zu bytes of arena\n", ROWS, what,
	       (double)body.size / ROWS, (double)framed.size / ROWS, a.used);
	say("encode", t[1] - t[0]);
	say("frame with zstd", t[2] - t[1]);
	say("unframe", t[3] - t[2]);
	say("decode", t[4] - t[3]);
}

int main(void)
{
	struct wire_batch m = {.agent = "dc1-prod-a",
			       .seq = 1,
			       .cluster = "Seoul-1",
			       .pass = 1,
			       .pass_at_ms = NOW_MS,
			       .names = name_list,
			       .name_count = 2 * TOPICS};
	struct wire_batch c = m, l = m;

	fill();
	c.commits = commits;
	c.commit_count = ROWS;
	l.logs = logs;
	l.log_count = ROWS;
	run("commit", &c);
	run("log", &l);
	return 0;
}
