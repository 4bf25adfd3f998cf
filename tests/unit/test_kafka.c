/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "agent/collect/kafka_probe.h"
#include "common/clock.h"
#include "common/err.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Three brokers with ids 1 to 3 inside this process, by the library's own mock cluster. */
struct fixture {
	rd_kafka_t *owner; /* of the cluster; it also produces the test's records */
	rd_kafka_mock_cluster_t *cluster;
	struct kafka *k;
};

#define OFFSETS_TOPIC "__consumer_offsets"
#define API_FETCH 1 /* Kafka's numbers of requests */
#define API_LIST_OFFSETS 2

static struct kafka *open_at(const char *servers)
{
	const struct kafka_property props[] = {{"bootstrap.servers", servers}};
	struct kafka *k = NULL;
	char why[512] = "";

	assert_int_equal(kafka_open(props, ARRAY_LEN(props), why, &k), ERR_OK);
	return k;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	rd_kafka_conf_set(conf, "test.mock.num.brokers", "3", text, sizeof(text));
	rd_kafka_conf_set(conf, "linger.ms", "5", text, sizeof(text));
	rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
	f->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	assert_non_null(f->owner);
	f->cluster = rd_kafka_handle_mock_cluster(f->owner);
	f->k = open_at(rd_kafka_mock_cluster_bootstraps(f->cluster));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kafka_close(&f->k);
	rd_kafka_destroy(f->owner);
	free(f);
	return 0;
}

/* The mock cluster chooses the leaders by chance. */
static void create(struct fixture *f, const char *topic, int partitions)
{
	assert_int_equal(rd_kafka_mock_topic_create(f->cluster, topic, partitions, 3), 0);
}

/* Each call may take the mock cluster a second. */
static void lead(struct fixture *f, const char *topic, int32_t partition, int32_t broker)
{
	rd_kafka_mock_partition_set_leader(f->cluster, topic, partition, broker);
}

static void produce(struct fixture *f, const char *topic, int32_t partition, int count)
{
	for (int i = 0; i < count; i++) {
		char key[16];
		int size = snprintf(key, sizeof(key), "k%d", i);
		bool tombstone = i % 3 == 2;
		rd_kafka_resp_err_t err = rd_kafka_producev(
			f->owner, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
			RD_KAFKA_V_KEY(key, (size_t)size),
			RD_KAFKA_V_VALUE(tombstone ? NULL : key, tombstone ? 0 : (size_t)size),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		assert_int_equal(err, 0);
	}
	assert_int_equal(rd_kafka_flush(f->owner, 10000), 0);
}

/* The ranges of all partitions of all topics, as a collector makes them. */
static struct kafka_range *ranges_of(const struct kafka_topics *t, size_t *ret_count)
{
	struct kafka_range *ranges;
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++)
		n += (size_t)t->topics[i].partition_count;
	ranges = calloc(n, sizeof(*ranges));
	n = 0;
	for (size_t i = 0; i < t->count; i++)
		for (int32_t p = 0; p < t->topics[i].partition_count; p++)
			ranges[n++] =
				(struct kafka_range){.topic = t->topics[i].name,
						     .partition = p,
						     .leader = t->topics[i].partitions[p].leader};
	*ret_count = n;
	return ranges;
}

static struct kafka_range *ranges_now(struct fixture *f, struct kafka_topics **ret_t,
				      size_t *ret_count)
{
	assert_int_equal(kafka_topics(f->k, 5000, ret_t), ERR_OK);
	return ranges_of(*ret_t, ret_count);
}

/* --- opening --- */

static int try_open(const char *name, const char *value, char why[static 512])
{
	const struct kafka_property props[] = {{"bootstrap.servers", "127.0.0.1:1"}, {name, value}};
	struct kafka *k = NULL;
	int err = kafka_open(props, 2, why, &k);

	kafka_close(&k);
	return err;
}

static void a_bad_property_is_named(void **state)
{
	static const char *const rows[][2] = {
		{"no.such.property", "1"},
		{"socket.timeout.ms", "soon"},
		{"compression.type", "gzip"},
		{"acks", "all"},
		{"linger.ms", "5"},
		{"group.id", "g"},
		{"enable.auto.commit", "true"},
		{"isolation.level", "read_committed"},
		{"security.protocol", "tls"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[512] = "";
		assert_int_equal(try_open(rows[i][0], rows[i][1], why), ERR_CONFIG);
		assert_non_null(strstr(why, rows[i][0]));
	}
}

static void a_missing_certificate_is_named(void **state)
{
	const struct kafka_property props[] = {{"bootstrap.servers", "127.0.0.1:1"},
					       {"security.protocol", "ssl"},
					       {"ssl.ca.location", "/nonexistent.pem"}};
	struct kafka *k = NULL;
	char why[512] = "";

	(void)state;
	assert_int_equal(kafka_open(props, 3, why, &k), ERR_CONFIG);
	assert_non_null(strstr(why, "ssl.ca.location"));
	assert_null(k);
}

static void servers_must_be_given(void **state)
{
	const struct kafka_property props[] = {{"client.id", "x"}};
	struct kafka *k = NULL;
	char why[512] = "";

	(void)state;
	assert_int_equal(kafka_open(props, 1, why, &k), ERR_CONFIG);
	assert_non_null(strstr(why, "bootstrap.servers"));
}

static void a_property_of_consumers_and_of_topics_is_passed_through(void **state)
{
	char why[512] = "";

	(void)state;
	assert_int_equal(try_open("fetch.min.bytes", "10", why), ERR_OK);
	assert_int_equal(try_open("client.id", "mine", why), ERR_OK);
	assert_int_equal(try_open("consume.callback.max.messages", "10", why), ERR_OK);
}

static void without_any_broker_calls_end_in_time_and_the_problem_is_told(void **state)
{
	struct kafka *k = open_at("127.0.0.1:1");
	struct kafka_topics *t = NULL;
	struct kafka_range r = {.topic = "a", .partition = 0, .leader = 1};
	int64_t begin_ms = clock_mono_ms();
	int64_t positions[] = {-1};

	(void)state;
	assert_true(kafka_topics(k, 600, &t) < 0);
	assert_null(t);
	assert_int_equal(kafka_ranges(k, &r, 1, 600), 1);
	assert_true(r.err < 0);
	assert_int_equal(kafka_read_from(k, positions, 1), ERR_OK);
	assert_int_equal(kafka_read(k, 200, NULL, NULL), 0);
	assert_true(clock_mono_ms() - begin_ms < 2500);
	assert_non_null(strstr(kafka_problem(k), "127.0.0.1:1: "));

	begin_ms = clock_mono_ms();
	kafka_close(&k);
	assert_true(clock_mono_ms() - begin_ms < 3000);
}

/* --- topics and ranges --- */

static void topics_are_sorted_and_have_leaders(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL;

	create(f, "zebra", 3);
	create(f, "apple", 2);
	lead(f, "apple", 0, 1);
	lead(f, "apple", 1, -1);
	lead(f, "zebra", 2, 3);
	assert_int_equal(kafka_topics(f->k, 5000, &t), ERR_OK);
	assert_int_equal(t->count, 2);
	assert_string_equal(t->topics[0].name, "apple");
	assert_string_equal(t->topics[1].name, "zebra");
	assert_int_equal(t->topics[0].partition_count, 2);
	assert_int_equal(t->topics[0].partitions[0].leader, 1);
	assert_int_equal(t->topics[0].partitions[1].leader, -1);
	assert_int_equal(t->topics[1].partitions[2].leader, 3);
	assert_string_not_equal(t->cluster_id, "");
	assert_string_equal(kafka_problem(f->k), "1 partitions have no leader");
	kafka_topics_free(&t);
	assert_null(t);
}

static void a_topic_in_trouble_leaves_the_others_alone(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL;

	create(f, "a", 1);
	create(f, "b", 1);
	rd_kafka_mock_topic_set_error(f->cluster, "a", RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
	assert_int_equal(kafka_topics(f->k, 5000, &t), ERR_OK);
	assert_int_equal(t->count, 2);
	assert_int_equal(t->topics[0].err, ERR_BROKER);
	assert_int_equal(t->topics[1].err, ERR_OK);
	kafka_topics_free(&t);
}

static void ranges_tell_start_and_end(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL;
	size_t count = 0;

	create(f, "full", 3);
	create(f, "large", 1700); /* more than one chunk for each leader */
	produce(f, "full", 1, 7);
	struct kafka_range *r = ranges_now(f, &t, &count);
	assert_int_equal(count, 1703);
	assert_int_equal(kafka_ranges(f->k, r, count, 10000), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(r[i].err, ERR_OK);
		assert_int_equal(r[i].start, 0);
		assert_int_equal(r[i].end, i == 1 ? 7 : 0);
	}
	free(r);
	kafka_topics_free(&t);
}

static void no_ranges_are_no_failure(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(kafka_ranges(f->k, NULL, 0, 1000), 0);
}

static void a_dead_leader_costs_its_own_partitions_and_one_timeout(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL, *again = NULL;
	size_t count = 0, on_dead = 0;

	create(f, "large", 3300);
	struct kafka_range *r = ranges_now(f, &t, &count);
	assert_int_equal(kafka_ranges(f->k, r, count, 10000), 0);
	for (size_t i = 0; i < count; i++)
		on_dead += r[i].leader == 2;
	assert_in_range(on_dead, 500, count - 500);

	rd_kafka_mock_broker_set_down(f->cluster, 2);
	int64_t begin_ms = clock_mono_ms();
	assert_int_equal(kafka_ranges(f->k, r, count, 1500), on_dead);
	int64_t took_ms = clock_mono_ms() - begin_ms;
	assert_in_range(took_ms, 0, 2500);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(r[i].err, r[i].leader == 2 ? ERR_TIMEOUT : ERR_OK);
	assert_non_null(strstr(kafka_problem(f->k), "1 of 3 brokers in trouble: 127.0.0.1:"));

	/* A down broker does not keep the topics from being listed. */
	assert_int_equal(kafka_topics(f->k, 3000, &again), ERR_OK);
	kafka_topics_free(&again);

	rd_kafka_mock_broker_set_up(f->cluster, 2);
	for (int i = 0; i < 20 && kafka_ranges(f->k, r, count, 1000) > 0; i++)
		;
	assert_int_equal(kafka_ranges(f->k, r, count, 1000), 0);
	assert_string_equal(kafka_problem(f->k), "");
	free(r);
	kafka_topics_free(&t);
}

static void a_partition_without_a_leader_fails_at_once(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL;
	size_t count = 0;

	create(f, "a", 3);
	lead(f, "a", 1, -1);
	struct kafka_range *r = ranges_now(f, &t, &count);
	int64_t begin_ms = clock_mono_ms();
	assert_int_equal(kafka_ranges(f->k, r, count, 5000), 1);
	assert_in_range(clock_mono_ms() - begin_ms, 0, 1000);
	assert_int_equal(r[1].err, ERR_BROKER);
	assert_int_equal(r[1].end, -1);
	assert_int_equal(r[2].end, 0);
	free(r);
	kafka_topics_free(&t);
}

static void a_leader_that_moved_is_found(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL;
	size_t count = 0;

	create(f, "a", 600);
	produce(f, "a", 0, 5);
	struct kafka_range *r = ranges_now(f, &t, &count);
	assert_int_equal(kafka_ranges(f->k, r, count, 5000), 0);
	for (int32_t p = 0; p < 3; p++)
		lead(f, "a", p, r[p].leader % 3 + 1);
	assert_int_equal(kafka_ranges(f->k, r, count, 5000), 0);
	assert_int_equal(r[0].end, 5);
	free(r);
	kafka_topics_free(&t);
}

static void an_unknown_topic_does_not_spoil_its_chunk(void **state)
{
	struct fixture *f = *state;
	struct kafka_topics *t = NULL, *again = NULL;
	size_t count = 0;

	create(f, "a", 30);
	create(f, "gone", 1);
	struct kafka_range *r = ranges_now(f, &t, &count);
	rd_kafka_mock_topic_set_error(f->cluster, "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	assert_int_equal(kafka_topics(f->k, 3000, &again), ERR_OK);
	kafka_topics_free(&again);
	r[7].partition = 1000; /* and no such partition either */
	assert_int_equal(kafka_ranges(f->k, r, count, 5000), 2);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(r[i].err, i == 30 || i == 7 ? ERR_NOT_FOUND : ERR_OK);
	free(r);
	kafka_topics_free(&t);
}

/* The library drops all answers of a call when one partition has an error. */
static void a_spoiled_chunk_is_asked_again_in_parts(void **state)
{
	struct fixture *f = *state;
	const int broken = RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR;
	struct kafka_topics *t = NULL;
	size_t count = 0;

	create(f, "a", 300);
	struct kafka_range *r = ranges_now(f, &t, &count);
	rd_kafka_mock_push_request_errors(f->cluster, API_LIST_OFFSETS, 5, broken, broken, broken,
					  broken, broken);
	assert_int_equal(kafka_ranges(f->k, r, count, 5000), 0);

	/* One that stays broken costs an error each, not the rest of the time. */
	for (int i = 0; i < 500; i++)
		rd_kafka_mock_push_request_errors(f->cluster, API_LIST_OFFSETS, 4, broken, broken,
						  broken, broken);
	assert_int_equal(kafka_ranges(f->k, r, count, 5000), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(r[i].err, ERR_BROKER);
	free(r);
	kafka_topics_free(&t);
}

/* --- reading --- */

struct seen {
	int records, tombstones;
	int64_t last[8];
	bool in_order;
};

static void see(void *arg, const struct kafka_record *r)
{
	struct seen *s = arg;

	s->records++;
	s->tombstones += r->value == NULL;
	s->in_order = s->in_order && r->offset > s->last[r->partition];
	s->last[r->partition] = r->offset;
	assert_true(r->key_size > 1 && r->key[0] == 'k');
}

static struct seen fresh(void)
{
	struct seen s = {.in_order = true};

	for (size_t i = 0; i < ARRAY_LEN(s.last); i++)
		s.last[i] = -1;
	return s;
}

static void read_until_caught_up(struct kafka *k, int32_t partitions, struct seen *s)
{
	int64_t until_ms = clock_mono_ms() + 10000;
	int32_t done = 0;

	while (done < partitions && clock_mono_ms() < until_ms) {
		assert_true(kafka_read(k, 200, see, s) >= 0);
		for (done = 0; done < partitions && kafka_read_caught_up(k, done);)
			done++;
	}
	assert_int_equal(done, partitions);
}

static void the_topic_is_read_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct seen s = fresh();

	create(f, OFFSETS_TOPIC, 4);
	for (int32_t p = 0; p < 3; p++)
		produce(f, OFFSETS_TOPIC, p, 3000);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){-1, 1000, -1, -1}, 4), ERR_OK);
	assert_int_equal(kafka_read_position(f->k, 0), -1);
	assert_int_equal(kafka_read_position(f->k, 1), 1000);
	assert_false(kafka_read_caught_up(f->k, 0));
	read_until_caught_up(f->k, 4, &s);
	assert_int_equal(s.records, 8000);
	assert_int_equal(s.tombstones, 1000 + 667 + 1000);
	assert_true(s.in_order);
	assert_int_equal(kafka_read_position(f->k, 0), 3000);
	assert_int_equal(kafka_read_position(f->k, 3), 0);
	assert_int_equal(kafka_read_position(f->k, 4), -1);
	assert_int_equal(kafka_read(f->k, 100, see, &s), 0);
}

static void a_record_is_handed_over_at_once(void **state)
{
	struct fixture *f = *state;
	struct seen s = fresh();

	create(f, OFFSETS_TOPIC, 2);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){-1, -1}, 2), ERR_OK);
	read_until_caught_up(f->k, 2, &s);
	produce(f, OFFSETS_TOPIC, 1, 1);
	int64_t begin_ms = clock_mono_ms();
	while (s.records == 0 && clock_mono_ms() - begin_ms < 5000)
		assert_true(kafka_read(f->k, 5000, see, &s) >= 0);
	assert_int_equal(s.records, 1);
	assert_in_range(clock_mono_ms() - begin_ms, 0, 2000);
}

static void a_second_assignment_keeps_positions(void **state)
{
	struct fixture *f = *state;
	struct seen s = fresh();

	create(f, OFFSETS_TOPIC, 4);
	for (int32_t p = 0; p < 4; p++)
		produce(f, OFFSETS_TOPIC, p, 100);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){-1, -1}, 2), ERR_OK);
	read_until_caught_up(f->k, 2, &s);
	assert_int_equal(s.records, 200);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){100, 100, -1, -1}, 4), ERR_OK);
	assert_true(kafka_read_caught_up(f->k, 0));
	assert_false(kafka_read_caught_up(f->k, 2));
	read_until_caught_up(f->k, 4, &s);
	assert_int_equal(s.records, 400);
	assert_true(s.in_order);

	/* Going back is possible, too. */
	s = fresh();
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){90, 100, 100, 100}, 4), ERR_OK);
	assert_false(kafka_read_caught_up(f->k, 0));
	read_until_caught_up(f->k, 4, &s);
	assert_int_equal(s.records, 10);
}

static void an_offset_out_of_range_starts_that_partition_again(void **state)
{
	struct fixture *f = *state;
	struct seen s = fresh();

	create(f, OFFSETS_TOPIC, 2);
	produce(f, OFFSETS_TOPIC, 0, 50);
	produce(f, OFFSETS_TOPIC, 1, 50);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){5000, 40}, 2), ERR_OK);
	read_until_caught_up(f->k, 2, &s);
	assert_int_equal(s.records, 60);
	assert_int_equal(kafka_read_position(f->k, 0), 50);
}

static int read_error(struct kafka *k)
{
	struct seen s = fresh();
	int err = 0;

	for (int i = 0; i < 30 && err >= 0; i++)
		err = kafka_read(k, 200, see, &s);
	return err;
}

static void a_topic_that_may_not_be_read_is_told_each_time(void **state)
{
	struct fixture *f = *state;
	const int refused = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;

	create(f, OFFSETS_TOPIC, 2);
	for (int i = 0; i < 10; i++)
		rd_kafka_mock_push_request_errors(f->cluster, API_FETCH, 3, refused, refused,
						  refused);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){-1, -1}, 2), ERR_OK);
	assert_int_equal(read_error(f->k), -EACCES);
	assert_int_equal(kafka_read(f->k, 50, see, NULL), -EACCES);
	assert_non_null(strstr(kafka_problem(f->k), OFFSETS_TOPIC));
}

static void a_topic_that_comes_later_is_read(void **state)
{
	struct fixture *f = *state;
	struct seen s = fresh();

	create(f, OFFSETS_TOPIC, 2);
	produce(f, OFFSETS_TOPIC, 0, 9);
	rd_kafka_mock_topic_set_error(f->cluster, OFFSETS_TOPIC,
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){-1, -1}, 2), ERR_OK);
	assert_int_equal(read_error(f->k), ERR_NOT_FOUND);
	rd_kafka_mock_topic_set_error(f->cluster, OFFSETS_TOPIC, RD_KAFKA_RESP_ERR_NO_ERROR);
	/* Nobody has to start again. */
	int64_t until_ms = clock_mono_ms() + 10000;
	while (s.records < 9 && clock_mono_ms() < until_ms)
		(void)(kafka_read(f->k, 200, see, &s) < 0);
	read_until_caught_up(f->k, 2, &s);
	assert_int_equal(s.records, 9);
}

static void reading_survives_a_broker_that_goes_and_comes(void **state)
{
	struct fixture *f = *state;
	struct seen s = fresh();

	create(f, OFFSETS_TOPIC, 3);
	for (int32_t p = 0; p < 3; p++)
		lead(f, OFFSETS_TOPIC, p, p + 1);
	for (int32_t p = 0; p < 3; p++)
		produce(f, OFFSETS_TOPIC, p, 10);
	assert_int_equal(kafka_read_from(f->k, (int64_t[]){-1, -1, -1}, 3), ERR_OK);
	read_until_caught_up(f->k, 3, &s);
	rd_kafka_mock_broker_set_down(f->cluster, 2);
	assert_int_equal(kafka_read(f->k, 300, see, &s), 0);
	produce(f, OFFSETS_TOPIC, 0, 10);
	int64_t until_ms = clock_mono_ms() + 5000;
	while (s.records < 40 && clock_mono_ms() < until_ms)
		assert_true(kafka_read(f->k, 200, see, &s) >= 0);
	rd_kafka_mock_broker_set_up(f->cluster, 2);
	produce(f, OFFSETS_TOPIC, 1, 10);
	until_ms = clock_mono_ms() + 15000;
	while (s.records < 50 && clock_mono_ms() < until_ms)
		assert_true(kafka_read(f->k, 200, see, &s) >= 0);
	assert_int_equal(s.records, 50);
	assert_true(s.in_order);
}

/* --- groups --- */

static bool want_all(void *arg, const char *group)
{
	(void)arg;
	(void)group;
	return true;
}

/* There only under the address sanitizer. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void groups_end_in_time_where_nobody_answers(void **state)
{
	struct fixture *f = *state;
	size_t failed = 0;
	bool partial = false;
	int64_t begin_ms = clock_mono_ms();

	/* The library loses a queue of its own with each handle that is closed over requests, or
	 * that is refused one. */
	if (__lsan_disable != NULL)
		__lsan_disable();
	/* The mock cluster does not know this request at all. */
	assert_true(kafka_groups(f->k, 2000, want_all, NULL, NULL, &failed, &partial) < 0);
	assert_in_range(clock_mono_ms() - begin_ms, 0, 2500);

	struct kafka *k = open_at("127.0.0.1:1");
	const char *const names[] = {"a", "b"};
	begin_ms = clock_mono_ms();
	assert_true(kafka_groups(k, 1000, want_all, NULL, NULL, &failed, &partial) < 0);
	assert_true(kafka_describe(k, names, 2, 1000, NULL, NULL) < 0);
	assert_in_range(clock_mono_ms() - begin_ms, 0, 3000);
	begin_ms = clock_mono_ms();
	kafka_close(&k);
	assert_in_range(clock_mono_ms() - begin_ms, 0, 3000);
	if (__lsan_enable != NULL)
		__lsan_enable();
}

struct landed {
	size_t answers, nothing;
	int err;
};

/* The one request about a group that the mock cluster knows. */
static void send_offsets(struct kafka_flight *f, size_t i, uint64_t id)
{
	char name[16];

	snprintf(name, sizeof(name), "g%zu", i);
	rd_kafka_ListConsumerGroupOffsets_t *request =
		rd_kafka_ListConsumerGroupOffsets_new(name, NULL);
	rd_kafka_AdminOptions_t *o = kafka_admin_options(
		&f->k->admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, KAFKA_ADMIN_NEVER_MS, id);
	rd_kafka_ListConsumerGroupOffsets(f->k->admin.rk, &request, 1, o, f->k->admin.queue);
	rd_kafka_AdminOptions_destroy(o);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
}

static void land(struct kafka_flight *f, size_t i, rd_kafka_event_t *e)
{
	struct landed *l = f->arg;

	(void)i;
	if (e == NULL)
		l->nothing++;
	else
		l->answers++;
	if (e != NULL && rd_kafka_event_error(e) != 0)
		l->err = kafka_admin_error(&f->k->admin, rd_kafka_event_error(e));
}

static struct landed fly(struct fixture *f, size_t count, int request_ms)
{
	struct landed landed = {0};

	assert_int_equal(kafka_admin_open(f->k), ERR_OK);
	struct kafka_flight flight = kafka_admin_flight(f->k, clock_mono_ms() + 5000);
	flight.request_ms = request_ms;
	flight.send = send_offsets;
	flight.land = land;
	flight.arg = &landed;
	kafka_admin_fly(&flight, count);
	return landed;
}

static void every_request_lands(void **state)
{
	struct fixture *f = *state;
	struct landed landed = fly(f, 150, 4000);

	assert_int_equal(landed.answers, 150);
	assert_int_equal(landed.nothing, 0);
	assert_int_equal(f->k->admin.abandoned, 0);
}

static void late_answers_are_known_and_dropped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fly(f, 5, 4000).answers, 5);
	for (int32_t b = 1; b <= 3; b++)
		rd_kafka_mock_broker_set_rtt(f->cluster, b, 1200);
	int64_t begin_ms = clock_mono_ms();
	assert_int_equal(fly(f, 5, 300).nothing, 5);
	assert_in_range(clock_mono_ms() - begin_ms, 290, 1150);
	assert_int_equal(f->k->admin.abandoned, 5);
	assert_int_equal(fly(f, 1, 4000).answers, 1);
	assert_int_equal(f->k->admin.abandoned, 0);
}

static void a_handle_that_asks_the_wrong_coordinator_is_replaced(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fly(f, 1, 4000).answers, 1);
	assert_false(f->k->admin.stale);
	uint64_t id = f->k->admin.latest_id;
	assert_int_equal(kafka_admin_error(&f->k->admin, RD_KAFKA_RESP_ERR_NOT_COORDINATOR),
			 ERR_BROKER);
	assert_true(f->k->admin.stale);
	assert_int_equal(fly(f, 1, 4000).answers, 1);
	assert_false(f->k->admin.stale);
	assert_true(f->k->admin.latest_id > id);
}

/* --- errors --- */

/* --- single records --- */

static struct kafka_probe *open_probe(struct fixture *f)
{
	const struct kafka_property props[] = {
		{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(f->cluster)}};
	struct kafka_probe *p = NULL;
	char why[512] = "";

	assert_int_equal(kafka_probe_open(props, 1, 1 << 20, why, &p), ERR_OK);
	return p;
}

static void the_first_unread_record_is_found_or_the_end(void **state)
{
	struct fixture *f = *state;
	struct kafka_probe *p = open_probe(f);
	const atomic_bool stop = false;
	struct kafka_peek peeks[] = {
		{.topic = "a", .partition = 0, .offset = 3},
		{.topic = "a", .partition = 1, .offset = 0},
		{.topic = "b", .partition = 0, .offset = 2},
		{.topic = "b", .partition = 0, .offset = 0},
	};

	create(f, "a", 2);
	create(f, "b", 1);
	produce(f, "a", 0, 5);
	produce(f, "b", 0, 2);
	for (int round = 0; round < 2; round++) {
		kafka_probe_read(p, peeks, 3, 10000, &stop);
		assert_int_equal(peeks[0].err, ERR_OK);
		assert_true(peeks[0].found);
		assert_int_equal(peeks[0].at, 3);
		assert_true(peeks[0].time_ms > 1600000000000);
		assert_int_equal(peeks[1].err, ERR_OK);
		assert_false(peeks[1].found);
		assert_int_equal(peeks[1].at, 0);
		assert_int_equal(peeks[2].err, ERR_OK);
		assert_false(peeks[2].found);
		assert_int_equal(peeks[2].at, 2);
	}
	/* The same partition once more, further back. */
	kafka_probe_read(p, &peeks[3], 1, 10000, &stop);
	assert_true(peeks[3].found);
	assert_int_equal(peeks[3].at, 0);
	kafka_probe_close(&p);
}

static void what_gives_no_answer_takes_its_time_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct kafka_probe *p = open_probe(f);
	const atomic_bool go_on = false, stop = true;
	struct kafka_peek peeks[] = {
		{.topic = "a", .partition = 0, .offset = 1},
		{.topic = "a", .partition = 77, .offset = 1},
	};

	create(f, "a", 1);
	produce(f, "a", 0, 5);
	int64_t begun = clock_mono_ms();
	kafka_probe_read(p, peeks, 2, 1500, &go_on);
	assert_true(clock_mono_ms() - begun < 3000);
	assert_int_equal(peeks[0].err, ERR_OK);
	assert_true(peeks[1].err == ERR_TIMEOUT || peeks[1].err == ERR_NOT_FOUND);
	begun = clock_mono_ms();
	kafka_probe_read(p, &peeks[1], 1, 10000, &stop);
	assert_true(clock_mono_ms() - begun < 2000);
	assert_int_equal(peeks[1].err, ERR_TIMEOUT);
	kafka_probe_close(&p);
}

static void stable_offsets_are_asked_with_one_that_fails(void **state)
{
	struct fixture *f = *state;
	struct kafka_probe *p = open_probe(f);
	struct kafka_range ranges[] = {{.topic = "a", .partition = 0},
				       {.topic = "a", .partition = 77},
				       {.topic = "a", .partition = 1}};

	create(f, "a", 2);
	produce(f, "a", 1, 5);
	kafka_probe_stable(p, ranges, 1, 5000);
	assert_int_equal(ranges[0].err, ERR_OK);
	kafka_probe_stable(p, ranges, 3, 5000);
	assert_int_equal(ranges[0].end, 0);
	assert_int_not_equal(ranges[1].err, ERR_OK);
	assert_int_equal(ranges[1].end, -1);
	assert_int_equal(ranges[2].err, ERR_OK);
	assert_int_equal(ranges[2].end, 5);
	kafka_probe_close(&p);
}

static void errors_are_translated(void **state)
{
	(void)state;
	assert_int_equal(kafka_translate(RD_KAFKA_RESP_ERR_NO_ERROR), ERR_OK);
	assert_int_equal(kafka_translate(RD_KAFKA_RESP_ERR__TIMED_OUT), ERR_TIMEOUT);
	assert_int_equal(kafka_translate(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), ERR_NOT_FOUND);
	assert_int_equal(kafka_translate(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED), -EACCES);
	assert_int_equal(kafka_translate(RD_KAFKA_RESP_ERR__TRANSPORT), ERR_BROKER);
}

#define ON_CLUSTER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_property_is_named),
		cmocka_unit_test(a_missing_certificate_is_named),
		cmocka_unit_test(servers_must_be_given),
		cmocka_unit_test(a_property_of_consumers_and_of_topics_is_passed_through),
		cmocka_unit_test(without_any_broker_calls_end_in_time_and_the_problem_is_told),
		ON_CLUSTER(topics_are_sorted_and_have_leaders),
		ON_CLUSTER(a_topic_in_trouble_leaves_the_others_alone),
		ON_CLUSTER(ranges_tell_start_and_end),
		ON_CLUSTER(no_ranges_are_no_failure),
		ON_CLUSTER(a_dead_leader_costs_its_own_partitions_and_one_timeout),
		ON_CLUSTER(a_partition_without_a_leader_fails_at_once),
		ON_CLUSTER(a_leader_that_moved_is_found),
		ON_CLUSTER(an_unknown_topic_does_not_spoil_its_chunk),
		ON_CLUSTER(a_spoiled_chunk_is_asked_again_in_parts),
		ON_CLUSTER(the_topic_is_read_to_its_end),
		ON_CLUSTER(a_record_is_handed_over_at_once),
		ON_CLUSTER(a_second_assignment_keeps_positions),
		ON_CLUSTER(an_offset_out_of_range_starts_that_partition_again),
		ON_CLUSTER(a_topic_that_may_not_be_read_is_told_each_time),
		ON_CLUSTER(a_topic_that_comes_later_is_read),
		ON_CLUSTER(reading_survives_a_broker_that_goes_and_comes),
		ON_CLUSTER(groups_end_in_time_where_nobody_answers),
		ON_CLUSTER(every_request_lands),
		ON_CLUSTER(late_answers_are_known_and_dropped),
		ON_CLUSTER(a_handle_that_asks_the_wrong_coordinator_is_replaced),
		ON_CLUSTER(the_first_unread_record_is_found_or_the_end),
		ON_CLUSTER(what_gives_no_answer_takes_its_time_and_no_more),
		ON_CLUSTER(stable_offsets_are_asked_with_one_that_fails),
		cmocka_unit_test(errors_are_translated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
