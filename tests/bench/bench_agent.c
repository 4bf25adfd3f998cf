/* SPDX-License-Identifier: Apache-2.0 */
/* What one cluster of 100,000 partitions of groups costs the agent: memory, the rate at which
 * decoded commits are applied, and the time of a pass in which every row has changed, from the
 * table into a synced transaction of the state. Two shapes: ten groups on each topic, and one,
 * which is the worst for memory because every commit has a log of its own. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/collect/keep.h"
#include "agent/collect/pass.h"
#include "common/err.h"

#define PLACES 100000u
#define PARTITIONS 100u
#define ROUNDS 10u

struct shape {
	const char *what;
	unsigned int groups_per_topic;
};

struct sent {
	struct state_txn *txn; /* NULL: only count */
	size_t batches, bytes;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct record_str str(const char *s)
{
	return (struct record_str){.data = s, .size = (uint32_t)strlen(s)};
}

/* A commit of every place, as a stream in no order of places. */
static void apply_all(struct table *t, const struct shape *shape, int64_t offset)
{
	for (unsigned int i = 0; i < PLACES; i++) {
		unsigned int place = (unsigned int)((uint64_t)i * 7919 % PLACES);
		char group[32];
		char topic[32];
		unsigned int g = place / PARTITIONS;
		snprintf(group, sizeof(group), "consumer-group-%u", g);
		snprintf(topic, sizeof(topic), "topic-of-events-%u", g / shape->groups_per_topic);
		struct record r = {.kind = RECORD_COMMIT,
				   .group = str(group),
				   .topic = str(topic),
				   .partition = (int32_t)(place % PARTITIONS),
				   .offset = offset + place,
				   .time_ms = 1700000000000 + offset,
				   .leader_epoch = 5};
		table_apply(t, &r, 1700000000100 + offset);
	}
}

/* One member of ten owns ten partitions. */
static void apply_members(struct table *t, const struct shape *shape)
{
	static int32_t partitions[PARTITIONS];
	struct record_member members[10];
	struct record_assigned assigned[10];
	char ids[10][80];
	char group[32];
	char topic[32];

	for (unsigned int p = 0; p < PARTITIONS; p++)
		partitions[p] = (int32_t)p;
	for (unsigned int g = 0; g < PLACES / PARTITIONS; g++) {
		snprintf(group, sizeof(group), "consumer-group-%u", g);
		snprintf(topic, sizeof(topic), "topic-of-events-%u", g / shape->groups_per_topic);
		struct record_str name = str(topic);
		for (int m = 0; m < 10; m++) {
			snprintf(ids[m], sizeof(ids[m]),
				 "consumer-%d-01234567-89ab-cdef-0123-456789abcdef", m);
			assigned[m] = (struct record_assigned){
				.topic = name, .partitions = partitions + m * 10, .count = 10};
			members[m] = (struct record_member){.id = str(ids[m]),
							    .client_id = str("consumer"),
							    .host = str("/10.0.0.1"),
							    .subscribed = &name,
							    .subscribed_count = 1,
							    .assigned = &assigned[m],
							    .assigned_count = 1};
		}
		struct record r = {.kind = RECORD_GROUP,
				   .group = str(group),
				   .generation = 3,
				   .members = members,
				   .member_count = 10};
		table_apply(t, &r, 0);
	}
}

/* All topics with their partitions, and every log end moved. */
static void update_logs(struct table *t, const struct shape *shape, int64_t end)
{
	static struct kafka_partition parts[PARTITIONS];
	static struct kafka_topic topics[PLACES / PARTITIONS];
	static char names[PLACES / PARTITIONS][32];
	size_t count = PLACES / PARTITIONS / shape->groups_per_topic;
	struct kafka_range *ranges = NULL;

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "topic-of-events-%zu", i);
		topics[i] = (struct kafka_topic){.name = names[i],
						 .partitions = parts,
						 .partition_count = (int32_t)PARTITIONS};
	}
	topics_update(&t->topics, &(struct kafka_topics){.topics = topics, .count = count});
	size_t n = topics_ranges(&t->topics, 0, &ranges);
	for (size_t i = 0; i < n; i++) {
		ranges[i].start = 0;
		ranges[i].end = end + (int64_t)i;
	}
	topics_answers(&t->topics, ranges, n);
	free(ranges);
}

static void emit(void *arg, const void *body, size_t size)
{
	struct sent *s = arg;

	s->batches++;
	s->bytes += size;
	if (s->txn != NULL)
		state_append(s->txn, body, size);
}

static void time_build(struct table *t)
{
	struct pass p = {.cluster = "c", .number = 1, .at_ms = 1700000010000, .full = true};
	struct sent sent = {0};
	double begun = now_s();

	for (unsigned int i = 0; i < ROUNDS; i++)
		pass_build(t, &p, emit, &sent);
	printf("  full pass built in        %8.1f ms, %zu batches, %.1f bytes a commit\n",
	       (now_s() - begun) / ROUNDS * 1e3, sent.batches / ROUNDS,
	       (double)sent.bytes / ROUNDS / PLACES);
}

static void time_saved_passes(struct table *t, const struct shape *shape, const char *dir)
{
	struct state_options options = {.spool_bytes = 64 << 20, .spool_age_ms = 60000};
	struct state *st = NULL;
	struct keep keep = {0};
	char why[512];
	double total = 0;

	if (state_open(dir, &options, why, &st) != ERR_OK ||
	    state_cluster(st, "c", &keep.cluster) != ERR_OK)
		abort();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		apply_all(t, shape, 1000 * (i + 2));
		update_logs(t, shape, 2000 * (i + 2));
		double begun = now_s();
		struct state_txn txn = state_begin(st);
		struct sent sent = {.txn = &txn};
		struct pass p = {.cluster = "c", .number = i, .at_ms = 1700000010000};
		pass_build(t, &p, emit, &sent);
		keep_save(&keep, &txn, t);
		if (state_commit(&txn) != ERR_OK)
			abort();
		table_sent(t);
		table_saved(t);
		total += now_s() - begun;
	}
	printf("  pass of 100,000 changes,\n  built, saved and synced in%8.1f ms\n",
	       total / ROUNDS * 1e3);
	keep_free(&keep);
	state_close(&st);
}

static void run(const struct shape *shape, const char *dir)
{
	struct table t;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

	printf("%s:\n", shape->what);
	table_init(&t, NULL, NULL);
	double begun = now_s();
	apply_all(&t, shape, 1000);
	double first = now_s() - begun;
	begun = now_s();
	apply_all(&t, shape, 2000);
	printf("  commits applied, new      %8.2f M/s, known %.2f M/s\n", PLACES / first / 1e6,
	       PLACES / (now_s() - begun) / 1e6);
	update_logs(&t, shape, 2000);
	printf("  memory a place            %8.1f bytes",
	       (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / PLACES);
	apply_members(&t, shape);
	printf(", with members and their partitions %.1f\n",
	       (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / PLACES);
	time_build(&t);
	time_saved_passes(&t, shape, dir);
	table_free(&t);
}

int main(void)
{
	static const struct shape SHAPES[] = {
		{"1000 groups, 100 topics of 100 partitions", 10},
		{"1000 groups, 1000 topics of 100 partitions", 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
		char dir[] = "/tmp/warren-bench-XXXXXX";
		char command[64];
		if (mkdtemp(dir) == NULL)
			abort();
		run(&SHAPES[i], dir);
		snprintf(command, sizeof(command), "rm -r %s", dir);
		if (system(command) != 0)
			return 1;
	}
	return 0;
}
