/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/collect/kafka_probe.h"
#include "agent/collect/sampler.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "record_bytes.h"
#include "table_feed.h"

/* In place of kafka*.c: a cluster that lives in this file and does what a test sets. */
static struct {
	int topics_err;
	int groups_err;
	int read_err;
	int32_t offsets_partitions; /* 0: no __consumer_offsets */
	bool logs_fail;
	int32_t orders_partitions;
	int64_t commit_time_ms; /* of the commits in the topic */
	int64_t records[8];     /* records in each of its partitions, each a commit */
	int64_t next[8];
	bool eof[8];
	int32_t reading;
	unsigned int listings;
	const char *problem;
	int64_t admin_offset;
} cluster;

struct kafka {
	int unused;
};

int kafka_open(const struct kafka_property *props, size_t count, char why[static 512],
	       struct kafka **ret_k)
{
	(void)props;
	(void)count;
	(void)why;
	*ret_k = calloc(1, sizeof(**ret_k));
	return ERR_OK;
}

void kafka_close(struct kafka **k)
{
	free(*k);
	*k = NULL;
}

const char *kafka_problem(struct kafka *k)
{
	(void)k;
	return cluster.problem;
}

static void fill_topic(struct kafka_topic *t, const char *name, int32_t count)
{
	*t = (struct kafka_topic){.name = name, .partition_count = count};
	t->partitions = calloc((size_t)count, sizeof(*t->partitions));
}

int kafka_topics(struct kafka *k, int timeout_ms, struct kafka_topics **ret_t)
{
	(void)k;
	(void)timeout_ms;
	cluster.listings++;
	if (cluster.topics_err != ERR_OK)
		return cluster.topics_err;
	struct kafka_topics *t = calloc(1, sizeof(*t));
	t->topics = calloc(2, sizeof(*t->topics));
	if (cluster.offsets_partitions > 0)
		fill_topic(&t->topics[t->count++], TOPICS_OFFSETS, cluster.offsets_partitions);
	fill_topic(&t->topics[t->count++], "orders", cluster.orders_partitions);
	*ret_t = t;
	return ERR_OK;
}

void kafka_topics_free(struct kafka_topics **t)
{
	if (*t == NULL)
		return;
	for (size_t i = 0; i < (*t)->count; i++)
		free((*t)->topics[i].partitions);
	free((*t)->topics);
	free(*t);
	*t = NULL;
}

size_t kafka_ranges(struct kafka *k, struct kafka_range *ranges, size_t count, int timeout_ms)
{
	size_t failed = 0;

	(void)k;
	(void)timeout_ms;
	for (size_t i = 0; i < count; i++) {
		bool own = strcmp(ranges[i].topic, TOPICS_OFFSETS) == 0;
		ranges[i].err = cluster.logs_fail || ranges[i].leader < 0 ? ERR_TIMEOUT : ERR_OK;
		failed += ranges[i].err != ERR_OK;
		ranges[i].start = 0;
		ranges[i].end = own ? cluster.records[ranges[i].partition] : 500;
	}
	return failed;
}

int kafka_read_from(struct kafka *k, const int64_t *positions, int32_t count)
{
	(void)k;
	for (int32_t p = 0; p < count; p++) {
		if (p >= cluster.reading || positions[p] != cluster.next[p])
			cluster.eof[p] = false;
		cluster.next[p] = MAX(positions[p], 0);
	}
	cluster.reading = count;
	return ERR_OK;
}

static void give(int32_t p, void (*on_record)(void *arg, const struct kafka_record *r), void *arg)
{
	struct bytes key = {0};
	struct bytes value = {0};

	put16(&key, 1);
	put_string(&key, false, "g");
	put_string(&key, false, "orders");
	put32(&key, p);
	put16(&value, 3);
	put64(&value, 100 + cluster.next[p]);
	put32(&value, -1);
	put_string(&value, false, "");
	put64(&value, cluster.commit_time_ms);
	struct kafka_record r = {.partition = p,
				 .offset = cluster.next[p]++,
				 .key = key.data,
				 .key_size = key.size,
				 .value = value.data,
				 .value_size = value.size};
	on_record(arg, &r);
}

int kafka_read(struct kafka *k, int timeout_ms,
	       void (*on_record)(void *arg, const struct kafka_record *r), void *arg)
{
	int count = 0;

	(void)k;
	(void)timeout_ms;
	if (cluster.read_err != ERR_OK)
		return cluster.read_err;
	for (int32_t p = 0; p < cluster.reading; p++) {
		if (cluster.next[p] < cluster.records[p]) {
			give(p, on_record, arg);
			count++;
		} else {
			cluster.eof[p] = true;
		}
	}
	return count;
}

int64_t kafka_read_position(const struct kafka *k, int32_t partition)
{
	(void)k;
	return partition < cluster.reading ? cluster.next[partition] : -1;
}

bool kafka_read_caught_up(const struct kafka *k, int32_t partition)
{
	(void)k;
	return cluster.eof[partition];
}

int kafka_groups(struct kafka *k, int timeout_ms, bool (*wanted)(void *arg, const char *group),
		 void (*on_group)(void *arg, const struct kafka_group *g), void *arg,
		 size_t *ret_failed, bool *ret_partial)
{
	struct kafka_group_offset o = {
		.topic = "orders", .partition = 1, .offset = cluster.admin_offset};
	struct kafka_group g = {
		.name = "g", .state = WIRE_GROUP_STABLE, .offsets = &o, .offset_count = 1};

	(void)k;
	(void)timeout_ms;
	if (cluster.groups_err != ERR_OK)
		return cluster.groups_err;
	if (wanted(arg, "g"))
		on_group(arg, &g);
	*ret_failed = 0;
	*ret_partial = false;
	return ERR_OK;
}

int kafka_describe(struct kafka *k, const char *const *groups, size_t count, int timeout_ms,
		   void (*on_group)(void *arg, const struct kafka_description *d), void *arg)
{
	struct kafka_member m = {.id = "m1", .client_id = "c", .host = "/h"};
	struct kafka_description d = {
		.group = "g", .state = WIRE_GROUP_STABLE, .members = &m, .member_count = 1};

	(void)k;
	(void)timeout_ms;
	assert_int_equal(count, 1);
	assert_string_equal(groups[0], "g");
	on_group(arg, &d);
	return ERR_OK;
}

int kafka_probe_open(const struct kafka_property *props, size_t count, int64_t max_bytes,
		     char why[static 512], struct kafka_probe **ret_p)
{
	(void)props;
	(void)count;
	(void)max_bytes;
	(void)why;
	*ret_p = calloc(1, 1);
	return ERR_OK;
}

void kafka_probe_close(struct kafka_probe **p)
{
	free(*p);
	*p = NULL;
}

/* Reading committed records ends at 400: beyond it a transaction is open. */
void kafka_probe_read(struct kafka_probe *p, struct kafka_peek *peeks, size_t count, int timeout_ms,
		      const atomic_bool *stop)
{
	(void)p;
	(void)timeout_ms;
	(void)stop;
	for (size_t i = 0; i < count; i++) {
		peeks[i].at = 400;
		peeks[i].err = ERR_OK;
	}
}

void kafka_probe_stable(struct kafka_probe *p, struct kafka_range *ranges, size_t count,
			int timeout_ms)
{
	(void)p;
	(void)timeout_ms;
	for (size_t i = 0; i < count; i++) {
		ranges[i].end = 400;
		ranges[i].err = ERR_OK;
	}
}

/* --- the tests --- */

struct fixture {
	struct agent_cluster conf;
	struct sampler s;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static char name[] = "c";
	char why[512];

	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	memset(&cluster, 0, sizeof(cluster));
	cluster.problem = "";
	cluster.offsets_partitions = 2;
	cluster.orders_partitions = 3;
	cluster.commit_time_ms = 5000;
	f->conf = (struct agent_cluster){.name = name, .sample_interval_ms = 10000};
	assert_int_equal(sampler_open(&f->s, &f->conf, why), ERR_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sampler_close(&f->s);
	free(f);
	return 0;
}

static enum sample sample(struct fixture *f)
{
	return sampler_take(&f->s, 1000);
}

/* Read to the end of the topic; how many calls that took. */
static int catch_up(struct fixture *f)
{
	int calls = 1;

	while (!sampler_wait(&f->s, 1) && calls < 100)
		calls++;
	return calls;
}

static void the_topic_is_read_to_its_end_before_the_first_pass(void **state)
{
	struct fixture *f = *state;
	struct wire_report r;

	cluster.records[0] = 5;
	cluster.records[1] = 9;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	sampler_wait(&f->s, 1);
	sampler_report(&f->s, SAMPLE_CATCHING_UP, &r);
	assert_int_equal(r.state, WIRE_AGENT_CATCHING_UP);
	assert_int_equal(r.to_read, 14);
	assert_int_equal(r.read, 2);
	assert_int_equal(r.lag, 12);
	assert_int_equal(catch_up(f), 9);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	sampler_report(&f->s, SAMPLE_COMPLETE, &r);
	assert_int_equal(r.records, 14);
	assert_int_equal(r.lag, 0);
	assert_string_equal(r.source, "offsets-topic");
	assert_string_equal(r.problem, "");
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 1)->offset, 108);
	assert_int_equal(f->s.table.topics.items[1].logs[2].end, 500);
}

static void old_commits_arrived_when_they_were_made_and_new_ones_now(void **state)
{
	struct fixture *f = *state;

	cluster.records[0] = 1;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 0)->arrival_ms, 5000);
	int64_t now = clock_wall_ms();
	cluster.records[0] = 2;
	sampler_wait(&f->s, 1);
	assert_true(feed_find(&f->s.table, "g", "orders", 0)->arrival_ms >= now);
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 0)->time_ms, 5000);
}

static void a_topic_that_begins_again_tells_nothing_twice(void **state)
{
	struct fixture *f = *state;

	cluster.records[0] = 4;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	table_sent(&f->s.table);
	cluster.next[0] = 0; /* as after an offset out of range */
	for (int i = 0; i < 4; i++)
		sampler_wait(&f->s, 1);
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 0)->offset, 103);
	assert_false(feed_find(&f->s.table, "g", "orders", 0)->flags & COMMIT_UNSENT);
}

static void reading_goes_on_where_it_was_kept(void **state)
{
	struct fixture *f = *state;

	f->s.keep.positions = calloc(2, sizeof(int64_t));
	f->s.keep.positions[0] = 3;
	f->s.keep.positions[1] = -1;
	f->s.keep.position_count = 2;
	cluster.records[0] = 5;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	assert_int_equal(f->s.topic.records, 2);
	source_topic_note(&f->s.topic);
	assert_int_equal(f->s.keep.positions[0], 5);
}

static void more_partitions_are_followed_and_the_others_go_on(void **state)
{
	struct fixture *f = *state;

	cluster.records[0] = 5;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	cluster.offsets_partitions = 4;
	cluster.records[3] = 2;
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(cluster.reading, 4);
	assert_int_equal(cluster.next[0], 5);
	sampler_wait(&f->s, 1);
	sampler_wait(&f->s, 1);
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 3)->offset, 101);
	assert_int_equal(f->s.topic.records, 7);
}

static void without_the_topic_logs_are_watched_until_it_appears(void **state)
{
	struct fixture *f = *state;

	cluster.offsets_partitions = 0;
	cluster.read_err = ERR_NOT_FOUND;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	sampler_wait(&f->s, 1);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(f->s.table.topics.items[0].logs[0].end, 500);

	cluster.offsets_partitions = 2;
	cluster.records[1] = 1;
	cluster.read_err = ERR_OK;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(f->s.table.commits.count, 1);
}

static void auto_asks_the_admin_api_where_the_topic_is_closed(void **state)
{
	struct fixture *f = *state;
	struct wire_report r;

	cluster.offsets_partitions = 0; /* not even listed */
	cluster.read_err = -EACCES;
	cluster.admin_offset = 44;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	sampler_wait(&f->s, 1);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	sampler_report(&f->s, SAMPLE_COMPLETE, &r);
	assert_string_equal(r.source, "admin");
	assert_int_equal(r.lag, WIRE_UNKNOWN);
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 1)->offset, 44);
	assert_int_equal(feed_find_group(&f->s.table, "g")->members.count, 1);

	cluster.groups_err = ERR_TIMEOUT;
	assert_int_equal(sample(f), SAMPLE_BLIND);
	assert_int_equal(feed_find(&f->s.table, "g", "orders", 1)->offset, 44);
}

static void a_closed_topic_alone_makes_blind_until_it_is_opened(void **state)
{
	struct fixture *f = *state;
	struct wire_report r;

	f->conf.source = AGENT_SOURCE_OFFSETS_TOPIC;
	cluster.read_err = -EACCES;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	sampler_wait(&f->s, 1);
	assert_int_equal(sample(f), SAMPLE_BLIND);
	sampler_report(&f->s, SAMPLE_BLIND, &r);
	assert_int_equal(r.state, WIRE_AGENT_BLIND);
	assert_non_null(strstr(r.problem, "not authorised"));
	cluster.read_err = ERR_OK;
	cluster.records[0] = 1;
	catch_up(f);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
}

static void when_no_broker_answers_the_table_stays_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct wire_report r;

	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	cluster.logs_fail = true;
	assert_int_equal(sample(f), SAMPLE_BLIND);
	assert_int_equal(f->s.table.topics.items[1].logs[0].end, 500);
	cluster.topics_err = ERR_TIMEOUT;
	cluster.problem = "1 of 1 brokers down";
	assert_int_equal(sample(f), SAMPLE_BLIND);
	sampler_report(&f->s, SAMPLE_BLIND, &r);
	assert_string_equal(r.problem, "1 of 1 brokers down");
	cluster.problem = "";
	assert_int_equal(sample(f), SAMPLE_BLIND);
	sampler_report(&f->s, SAMPLE_BLIND, &r);
	assert_string_not_equal(r.problem, "");
}

static void a_costly_listing_waits_for_a_reason(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	cluster.records[0] = 1;
	catch_up(f);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	f->s.listing_ms = 2000; /* a fifth of the interval */
	unsigned int before = cluster.listings;
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(cluster.listings, before);
	feed_commit(&f->s.table, "g", "brand-new", 0, 1, 1);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(cluster.listings, before + 1);
}

static void where_a_transaction_was_met_the_stable_offset_is_asked(void **state)
{
	struct fixture *f = *state;
	const struct wire_probe question = {"orders", 1, 400, 500};
	struct probe_answer answer;

	f->conf.probe = (struct agent_probe){.enabled = true, .per_pass = 3};
	f->s.probe = probe_new(&f->conf);
	cluster.records[0] = 1;
	assert_int_equal(sample(f), SAMPLE_CATCHING_UP);
	catch_up(f);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(f->s.table.topics.items[1].logs[1].stable, WIRE_UNKNOWN);
	probe_ask(f->s.probe, &question, 1);
	while (probe_take(f->s.probe, &answer, 1) == 0)
		;
	table_sent(&f->s.table);
	assert_int_equal(sample(f), SAMPLE_COMPLETE);
	assert_int_equal(f->s.table.topics.items[1].logs[1].stable, 400);
	assert_true(f->s.table.topics.items[1].logs[1].unsent);
	assert_int_equal(f->s.table.topics.items[1].logs[0].stable, WIRE_UNKNOWN);
	probe_ask_stop(f->s.probe);
	assert_true(probe_join(&f->s.probe, 5000));
}

int main(void)
{
#define WITH_SAMPLER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_SAMPLER(the_topic_is_read_to_its_end_before_the_first_pass),
		WITH_SAMPLER(old_commits_arrived_when_they_were_made_and_new_ones_now),
		WITH_SAMPLER(a_topic_that_begins_again_tells_nothing_twice),
		WITH_SAMPLER(reading_goes_on_where_it_was_kept),
		WITH_SAMPLER(more_partitions_are_followed_and_the_others_go_on),
		WITH_SAMPLER(without_the_topic_logs_are_watched_until_it_appears),
		WITH_SAMPLER(auto_asks_the_admin_api_where_the_topic_is_closed),
		WITH_SAMPLER(a_closed_topic_alone_makes_blind_until_it_is_opened),
		WITH_SAMPLER(when_no_broker_answers_the_table_stays_as_it_was),
		WITH_SAMPLER(a_costly_listing_waits_for_a_reason),
		WITH_SAMPLER(where_a_transaction_was_met_the_stable_offset_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
