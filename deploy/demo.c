/* SPDX-License-Identifier: Apache-2.0 */

/*
 * demo - four small Kafka clusters with producers and consumers of every temper, in one process.
 *
 * Prints "cluster NAME ENVIRONMENT BOOTSTRAP" for each cluster and then "ready"; works until
 * SIGINT or SIGTERM. Everything happens once a second, from one thread; chance has a fixed seed.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "deploy/mock.h"
#include "deploy/offsets.h"
#include "deploy/temper.h"

#define TOPICS_MAX 6
#define GROUPS_MAX 12
#define PARTITIONS_MAX 8
#define MEMBERS_MAX 4
#define NAME_MAX_BYTES 96

/* --- what there is --- */

struct topic_plan {
	const char *name;
	int32_t partitions;
	int at_start;   /* messages in each partition before the first second */
	int per_second; /* messages a second to each partition, half to one and a half times that */
	int in_burst;   /* the same in the first 10 s of each minute; 0: no bursts */
};

struct group_plan {
	const char *name;
	size_t topic; /* index */
	enum temper temper;
	uint32_t members;
};

struct cluster_plan {
	const char *name;
	const char *environment;
	int brokers;
	struct topic_plan topics[TOPICS_MAX]; /* up to the first without a name */
	struct group_plan groups[GROUPS_MAX];
};

static const struct cluster_plan plans[] = {
	{"dev-lab",
	 "DEV",
	 1,
	 {{"orders.placed", 2, 0, 3, 0}},
	 {{"order-fulfilment", 0, TEMPER_HEALTHY, 1}, {"checkout-debug", 0, TEMPER_STUCK, 1}}},
	{"qa-berlin",
	 "QA",
	 1,
	 {{"orders.placed", 3, 0, 4, 0}, {"mail.outgoing", 2, 0, 1, 30}},
	 {{"order-fulfilment", 0, TEMPER_HEALTHY, 2},
	  {"mail-sender", 1, TEMPER_BURSTY, 1},
	  {"regression-recorder", 0, TEMPER_HUNG, 1}}},
	{"stg-frankfurt",
	 "STG",
	 3,
	 {{"payments.authorized", 4, 0, 4, 0}, {"catalog.updates", 2, 0, 3, 0}},
	 {{"payments-settlement", 0, TEMPER_HEALTHY, 2},
	  {"fraud-scoring", 0, TEMPER_HEALTHY, 2},
	  {"search-indexer", 1, TEMPER_SLOW, 1},
	  {"warehouse-loader", 0, TEMPER_BATCH, 1}}},
	{"prod-seoul",
	 "PROD",
	 3,
	 {{"payments.authorized", 6, 0, 5, 0},
	  {"orders.placed", 4, 0, 5, 0},
	  {"clicks.web", 4, 0, 1, 40},
	  {"catalog.updates", 2, 0, 3, 0},
	  {"audit.yearly", 1, 500, 0, 0}},
	 {{"payments-settlement", 0, TEMPER_HEALTHY, 3},
	  {"order-fulfilment", 1, TEMPER_HEALTHY, 2},
	  {"click-sessions", 2, TEMPER_BURSTY, 2},
	  {"warehouse-loader", 0, TEMPER_BATCH, 2},
	  {"audit-archiver", 4, TEMPER_IDLE, 1},
	  {"search-indexer", 3, TEMPER_SLOW, 1},
	  {"fraud-scoring", 0, TEMPER_STUCK, 3},
	  {"stock-sync", 1, TEMPER_REWINDING, 2},
	  {"loyalty-points", 1, TEMPER_HUNG, 2},
	  {"invoice-mailer", 1, TEMPER_CRASHED, 2}}},
};

/* --- how it stands --- */

struct topic {
	const struct topic_plan *plan;
	int64_t ends[PARTITIONS_MAX]; /* log end offsets; set by mock_poll() */
};

struct group {
	const struct group_plan *plan;
	struct topic *topic;
	struct temper_reader readers[PARTITIONS_MAX];
};

struct cluster {
	const struct cluster_plan *plan;
	int number;
	struct mock *mock;
	struct topic topics[TOPICS_MAX];
	size_t topic_count;
	struct group groups[GROUPS_MAX];
	size_t group_count;
};

static uint32_t chance(void)
{
	static uint32_t state = 20240607;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* --- producers --- */

static int send_messages(struct cluster *c, struct topic *t, int32_t partition, int count)
{
	for (int i = 0; i < count; i++) {
		char value[32];
		int size = snprintf(value, sizeof(value), "{\"n\":%" PRIu32 "}", chance());
		struct mock_record r = {.topic = t->plan->name,
					.partition = partition,
					.value = value,
					.value_size = (size_t)size};
		int err = mock_send(c->mock, &r, &t->ends[partition]);
		if (err != 0)
			return err;
	}
	return 0;
}

static int arrivals(const struct topic_plan *plan, int second)
{
	if (second == 0)
		return plan->at_start;
	bool burst = plan->in_burst > 0 && second % 60 < 10;
	int base = burst ? plan->in_burst : plan->per_second;
	return (base * (50 + (int)(chance() % 101)) + 50) / 100;
}

static int produce(struct cluster *c, struct topic *t, int second)
{
	for (int32_t p = 0; p < t->plan->partitions; p++) {
		int err = send_messages(c, t, p, arrivals(t->plan, second));
		if (err != 0)
			return err;
	}
	return 0;
}

/* --- consumers --- */

static int send_record(struct cluster *c, const char *group, struct buf *key, struct buf *value)
{
	if (key->err != 0 || value->err != 0)
		return -ENOMEM;
	struct mock_record r = {.topic = OFFSETS_TOPIC,
				.partition = offsets_partition(group),
				.key = key->data,
				.key_size = key->size,
				.value = value->data,
				.value_size = value->size};
	return mock_send(c->mock, &r, NULL);
}

static int commit(struct cluster *c, const struct group *g, int32_t partition)
{
	CLEANUP(buf_free) struct buf key = {0};
	CLEANUP(buf_free) struct buf value = {0};
	offsets_put_commit_key(&key, g->plan->name, g->topic->plan->name, partition);
	offsets_put_commit(&value, g->readers[partition].position, clock_wall_ms());
	return send_record(c, g->plan->name, &key, &value);
}

struct member_names {
	char client_id[NAME_MAX_BYTES];
	char id[NAME_MAX_BYTES + 16];
	char host[32];
	int32_t partitions[PARTITIONS_MAX];
};

/* The member at this index, with every n-th partition; names holds what it points to. */
static struct offsets_member describe(const struct cluster *c, const struct group *g,
				      uint32_t index, struct member_names *names)
{
	snprintf(names->client_id, sizeof(names->client_id), "%s-%" PRIu32, g->plan->name,
		 index + 1);
	snprintf(names->id, sizeof(names->id), "%.*s-%08" PRIx32, NAME_MAX_BYTES - 1,
		 names->client_id, chance());
	snprintf(names->host, sizeof(names->host), "/10.%d.%d.%" PRIu32, 20 + c->number,
		 (int)(g - c->groups) + 1, 11 + index);
	struct offsets_member m = {.id = names->id,
				   .client_id = names->client_id,
				   .host = names->host,
				   .partitions = names->partitions};
	for (uint32_t p = index; p < (uint32_t)g->topic->plan->partitions; p += g->plan->members)
		names->partitions[m.partition_count++] = (int32_t)p;
	return m;
}

/* Write the group as its coordinator would after a rebalance with this many members. */
static int write_group(struct cluster *c, const struct group *g, int32_t generation,
		       uint32_t member_count)
{
	struct member_names names[MEMBERS_MAX];
	struct offsets_member members[MEMBERS_MAX];
	for (uint32_t i = 0; i < member_count; i++)
		members[i] = describe(c, g, i, &names[i]);
	struct offsets_group group = {.topic = g->topic->plan->name,
				      .generation = generation,
				      .changed_at_ms = clock_wall_ms(),
				      .members = members,
				      .member_count = member_count};
	CLEANUP(buf_free) struct buf key = {0};
	CLEANUP(buf_free) struct buf value = {0};
	offsets_put_group_key(&key, g->plan->name);
	offsets_put_group(&value, &group);
	return send_record(c, g->plan->name, &key, &value);
}

static int consume(struct cluster *c, struct group *g, int second)
{
	enum temper temper = g->plan->temper;
	bool commits = temper_commits(temper, second, (int)(g - c->groups));
	if (temper_leaves(temper, second))
		return write_group(c, g, 2, 0);
	for (int32_t p = 0; p < g->topic->plan->partitions; p++) {
		temper_read(temper, &g->readers[p], p, g->topic->ends[p], second, chance());
		int err = commits ? commit(c, g, p) : 0;
		if (err != 0)
			return err;
	}
	return 0;
}

/* --- clusters --- */

static int add_topics(struct cluster *c)
{
	int err = mock_add_topic(c->mock, OFFSETS_TOPIC, OFFSETS_PARTITIONS);
	for (size_t i = 0; err == 0 && i < TOPICS_MAX && c->plan->topics[i].name != NULL; i++) {
		c->topics[i].plan = &c->plan->topics[i];
		c->topic_count = i + 1;
		err = mock_add_topic(c->mock, c->plan->topics[i].name,
				     c->plan->topics[i].partitions);
	}
	return err;
}

static int add_groups(struct cluster *c)
{
	int err = 0;
	for (size_t i = 0; err == 0 && i < GROUPS_MAX && c->plan->groups[i].name != NULL; i++) {
		struct group *g = &c->groups[i];
		g->plan = &c->plan->groups[i];
		g->topic = &c->topics[g->plan->topic];
		c->group_count = i + 1;
		err = write_group(c, g, 1, g->plan->members);
	}
	return err;
}

static int start(struct cluster *c, int number)
{
	char why[256] = "";
	c->plan = &plans[number];
	c->number = number;
	int err = mock_open(c->plan->brokers, why, &c->mock);
	if (err == 0)
		err = add_topics(c);
	if (err == 0)
		err = add_groups(c);
	if (err != 0) {
		log_error("cannot start cluster", "cluster=%s err=%s why=%s", c->plan->name,
			  log_quote(err_str(err)), log_quote(why));
		return err;
	}
	printf("cluster %s %s %s\n", c->plan->name, c->plan->environment, mock_bootstrap(c->mock));
	return 0;
}

/* Consumers first: they read what the brokers have acknowledged until now. */
static int step(struct cluster *c, int second)
{
	int err = 0;
	mock_poll(c->mock);
	for (size_t i = 0; err == 0 && i < c->group_count; i++)
		err = consume(c, &c->groups[i], second);
	for (size_t i = 0; err == 0 && i < c->topic_count; i++)
		err = produce(c, &c->topics[i], second);
	if (err != 0)
		log_error("cannot produce", "cluster=%s err=%s", c->plan->name,
			  log_quote(err_str(err)));
	return err;
}

/* --- the program --- */

/* Wait for the time at_ms of the monotonic clock. True when a signal says to end. */
static bool wait_until(int64_t at_ms, const sigset_t *signals)
{
	int64_t left_ms = MAX(0, at_ms - clock_mono_ms());
	struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
	return sigtimedwait(signals, NULL, &left) > 0;
}

static int run(struct cluster *clusters, size_t count, const sigset_t *signals)
{
	int64_t started_ms = clock_mono_ms();
	int second = 0;
	int err = 0;
	while (err == 0 && !wait_until(started_ms + second * INT64_C(1000), signals)) {
		for (size_t i = 0; err == 0 && i < count; i++)
			err = step(&clusters[i], second);
		second++;
	}
	return err;
}

int main(void)
{
	static struct cluster clusters[ARRAY_LEN(plans)];
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	/* Before the library's threads start, which inherit it. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	int err = 0;
	for (size_t i = 0; err == 0 && i < ARRAY_LEN(plans); i++)
		err = start(&clusters[i], (int)i);
	if (err == 0) {
		puts("ready");
		fflush(stdout);
		err = run(clusters, ARRAY_LEN(clusters), &signals);
	}
	for (size_t i = 0; i < ARRAY_LEN(clusters); i++)
		mock_close(&clusters[i].mock);
	return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
