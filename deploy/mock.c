/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"

struct mock {
	rd_kafka_t *client; /* owns the brokers; also the producer; never NULL */
	rd_kafka_mock_cluster_t *cluster;
	int brokers;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void)client;
	(void)opaque;
	int64_t *end = message->_private;
	if (message->err == 0 && end != NULL)
		*end = MAX(*end, message->offset + 1);
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, char why[static 256])
{
	if (rd_kafka_conf_set(conf, name, value, why, 256) != RD_KAFKA_CONF_OK)
		return ERR_CONFIG;
	return 0;
}

static int configure(rd_kafka_conf_t *conf, int brokers, char why[static 256])
{
	char count[16];
	snprintf(count, sizeof(count), "%d", brokers);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	int err = set(conf, "test.mock.num.brokers", count, why);
	/* The library warns at each start that test.mock.num.brokers is a test's setting. */
	if (err == 0)
		err = set(conf, "log_level", "3", why);
	/* The records of one second of one partition go in one batch: the mock keeps batches. */
	if (err == 0)
		err = set(conf, "linger.ms", "100", why);
	return err;
}

static int start_client(int brokers, char why[static 256], rd_kafka_t **ret_client)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *client = NULL;
	int err = configure(conf, brokers, why);
	if (err == 0)
		client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, 256);
	if (client == NULL) {
		rd_kafka_conf_destroy(conf); /* rd_kafka_new() takes it only when it succeeds. */
		return err != 0 ? err : ERR_BROKER;
	}
	*ret_client = client;
	return 0;
}

int mock_open(int brokers, char why[static 256], struct mock **ret_m)
{
	rd_kafka_t *client = NULL;
	int err = start_client(brokers, why, &client);
	if (err != 0)
		return err;
	struct mock *m = calloc(1, sizeof(*m));
	if (m == NULL) {
		rd_kafka_destroy(client);
		return -ENOMEM;
	}
	m->client = client;
	m->cluster = rd_kafka_handle_mock_cluster(client);
	m->brokers = brokers;
	*ret_m = m;
	return 0;
}

void mock_close(struct mock **m)
{
	if (*m == NULL)
		return;
	rd_kafka_purge((*m)->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_destroy((*m)->client);
	free(*m);
	*m = NULL;
}

const char *mock_bootstrap(const struct mock *m)
{
	return rd_kafka_mock_cluster_bootstraps(m->cluster);
}

int mock_add_topic(struct mock *m, const char *name, int32_t partitions)
{
	return rd_kafka_mock_topic_create(m->cluster, name, partitions, m->brokers) == 0
		       ? 0
		       : ERR_BROKER;
}

/* The library takes void pointers, and with the copy flag only reads. */
int mock_send(struct mock *m, const struct mock_record *r, int64_t *ret_end)
{
	rd_kafka_resp_err_t err = rd_kafka_producev(
		m->client, RD_KAFKA_V_TOPIC(r->topic), RD_KAFKA_V_PARTITION(r->partition),
		RD_KAFKA_V_KEY((void *)(uintptr_t)r->key, r->key_size),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)r->value, r->value_size),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(ret_end),
		RD_KAFKA_V_END);
	return err == 0 ? 0 : ERR_BROKER;
}

void mock_poll(struct mock *m)
{
	rd_kafka_poll(m->client, 0);
}
