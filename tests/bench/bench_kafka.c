/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How fast the agent asks for log offsets and reads __consumer_offsets, against the library's mock
 * cluster in this very process: the brokers' work is in the figures, which are lower bounds.
 */

#include "agent/collect/kafka.h"
#include "common/clock.h"
#include "common/err.h"

#include <assert.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS 10
#define PARTITIONS 2000
#define OFFSETS_PARTITIONS 50
#define RECORDS 500000

static void measure_ranges(struct kafka *k, int timeout_ms, const char *what)
{
	struct kafka_topics *t = NULL;
	struct kafka_range *r = calloc((size_t)TOPICS * PARTITIONS, sizeof(*r));
	size_t n = 0;
	int64_t begin_ms = clock_mono_ms();

	assert(r != NULL);
	if (kafka_topics(k, 5000, &t) != ERR_OK)
		exit(1);
	int64_t topics_ms = clock_mono_ms() - begin_ms;
	for (size_t i = 0; i < t->count; i++)
		for (int32_t p = 0; p < PARTITIONS && t->topics[i].partition_count == PARTITIONS;
		     p++)
			r[n++] = (struct kafka_range){.topic = t->topics[i].name,
						      .partition = p,
						      .leader = t->topics[i].partitions[p].leader};
	begin_ms = clock_mono_ms();
	size_t failed = kafka_ranges(k, r, n, timeout_ms);
	printf("%s: topics in %lld ms; start and end of %zu partitions in %lld ms, %zu failed\n",
	       what, (long long)topics_ms, n, (long long)(clock_mono_ms() - begin_ms), failed);
	free(r);
	kafka_topics_free(&t);
}

/* Keys and values as long as those of real commits. */
static void fill(rd_kafka_t *producer)
{
	char key[55] = "key", value[32] = "value";

	for (int i = 0; i < RECORDS; i++) {
		snprintf(key + 3, sizeof(key) - 3, "%d", i);
		while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("__consumer_offsets"),
					 RD_KAFKA_V_PARTITION(i % OFFSETS_PARTITIONS),
					 RD_KAFKA_V_KEY(key, sizeof(key)),
					 RD_KAFKA_V_VALUE(value, sizeof(value)),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
			rd_kafka_poll(producer, 20);
	}
	rd_kafka_flush(producer, 60000);
}

static void count_bytes(void *arg, const struct kafka_record *r)
{
	*(size_t *)arg += r->key_size + r->value_size;
}

static bool caught_up(const struct kafka *k)
{
	for (int32_t p = 0; p < OFFSETS_PARTITIONS; p++)
		if (!kafka_read_caught_up(k, p))
			return false;
	return true;
}

static void measure_read(struct kafka *k)
{
	int64_t positions[OFFSETS_PARTITIONS];
	size_t bytes = 0;
	int64_t records = 0;

	memset(positions, 0xff, sizeof(positions));
	int64_t begin_ms = clock_mono_ms();
	int n = kafka_read_from(k, positions, OFFSETS_PARTITIONS);
	while (n >= 0 && !caught_up(k) && clock_mono_ms() - begin_ms < 60000) {
		n = kafka_read(k, 500, count_bytes, &bytes);
		records += n;
	}
	int64_t took_ms = clock_mono_ms() - begin_ms;
	printf("read %lld records, %zu bytes in %lld ms: %.0f records/s\n", (long long)records,
	       bytes, (long long)took_ms, 1000.0 * (double)records / (double)took_ms);
}

static rd_kafka_t *start_cluster(void)
{
	static const char *const settings[][2] = {{"test.mock.num.brokers", "3"},
						  {"linger.ms", "50"},
						  {"log_level", "0"},
						  {"queue.buffering.max.messages", "1000000"}};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof(text));
	return rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
}

int main(void)
{
	rd_kafka_t *owner = start_cluster();
	rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(owner);
	const struct kafka_property props[] = {
		{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster)}};
	struct kafka *k = NULL;
	char why[512], name[32];

	for (int i = 0; i < TOPICS; i++) {
		snprintf(name, sizeof(name), "topic-%03d", i);
		rd_kafka_mock_topic_create(cluster, name, PARTITIONS, 3);
	}
	rd_kafka_mock_topic_create(cluster, "__consumer_offsets", OFFSETS_PARTITIONS, 3);
	if (kafka_open(props, 1, why, &k) != ERR_OK)
		return 1;
	measure_ranges(k, 10000, "first time");
	measure_ranges(k, 10000, "again");
	fill(owner);
	measure_read(k);
	rd_kafka_mock_broker_set_down(cluster, 2);
	measure_ranges(k, 2000, "one of three brokers down, time-out 2000 ms");
	kafka_close(&k);
	rd_kafka_destroy(owner);
	return 0;
}
