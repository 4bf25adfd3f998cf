/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"

#define LOOK_MS 100 /* whether to stop */

struct kafka_probe {
	rd_kafka_t *rk; /* read_committed */
};

/* One read record and what the library has fetched beside it are all that is wanted. */
static int configure(rd_kafka_conf_t *conf, int64_t max_bytes, char why[static 512])
{
	char bytes[24];
	const struct kafka_property wanted[] = {
		{"isolation.level", "read_committed"},
		{"fetch.message.max.bytes", bytes},
		{"queued.min.messages", "1"},
		{"queued.max.messages.kbytes", "1"},
	};

	snprintf(bytes, sizeof(bytes), "%lld", (long long)max_bytes);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (rd_kafka_conf_set(conf, wanted[i].name, wanted[i].value, why, 512) !=
		    RD_KAFKA_CONF_OK)
			return ERR_CONFIG;
	return ERR_OK;
}

int kafka_probe_open(const struct kafka_property *props, size_t count, int64_t max_bytes,
		     char why[static 512], struct kafka_probe **ret_p)
{
	rd_kafka_conf_t *conf = NULL;
	int err = kafka_conf_new(props, count, why, &conf);

	if (err != ERR_OK)
		return err;
	err = configure(conf, max_bytes, why);
	rd_kafka_t *rk = err == ERR_OK ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, 512) : NULL;
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return err == ERR_OK ? ERR_CONFIG : err;
	}
	struct kafka_probe *p = calloc(1, sizeof(*p));
	if (p == NULL)
		abort();
	p->rk = rk;
	*ret_p = p;
	return ERR_OK;
}

void kafka_probe_close(struct kafka_probe **p)
{
	if (*p == NULL)
		return;
	kafka_handle_destroy(&(*p)->rk);
	free(*p);
	*p = NULL;
}

/* --- records --- */

struct reading {
	struct kafka_probe *p;
	rd_kafka_queue_t *queue;
	struct kafka_peek *peeks;
	rd_kafka_topic_t **topics; /* NULL where nothing is being read */
	size_t count;
	size_t left; /* without an answer */
};

static void start(struct reading *r, size_t i)
{
	struct kafka_peek *k = &r->peeks[i];

	k->found = false;
	k->at = k->time_ms = -1;
	k->err = ERR_TIMEOUT;
	r->topics[i] = rd_kafka_topic_new(r->p->rk, k->topic, NULL);
	if (r->topics[i] != NULL &&
	    rd_kafka_consume_start_queue(r->topics[i], k->partition, k->offset, r->queue) == 0) {
		r->left++;
		return;
	}
	k->err = ERR_BROKER;
	if (r->topics[i] != NULL)
		rd_kafka_topic_destroy(r->topics[i]);
	r->topics[i] = NULL;
}

static void stop(struct reading *r, size_t i)
{
	if (r->topics[i] == NULL)
		return;
	(void)rd_kafka_consume_stop(r->topics[i], r->peeks[i].partition);
	rd_kafka_topic_destroy(r->topics[i]);
	r->topics[i] = NULL;
	r->left--;
}

/* True: this is the answer. What passes by itself, such as a leader that moves, is none. An offset
 * that is not in the log makes the library begin at the first record there is. */
static bool take(struct kafka_peek *k, const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t type;
	int err = kafka_translate(m->err);

	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		k->at = m->offset;
		k->err = m->offset >= k->offset ? ERR_OK : ERR_BROKER;
		return true;
	}
	if (err != ERR_OK) {
		k->err = err;
		return err == -EACCES || err == ERR_NOT_FOUND;
	}
	if (m->offset < k->offset)
		return false;
	k->found = true;
	k->at = m->offset;
	k->time_ms = MAX(rd_kafka_message_timestamp(m, &type), (int64_t)-1);
	k->err = ERR_OK;
	return true;
}

static void deliver(struct reading *r, const rd_kafka_message_t *m)
{
	const char *topic = m->rkt == NULL ? "" : rd_kafka_topic_name(m->rkt);

	for (size_t i = 0; i < r->count; i++) {
		struct kafka_peek *k = &r->peeks[i];

		if (r->topics[i] == NULL || k->partition != m->partition ||
		    strcmp(k->topic, topic) != 0)
			continue;
		if (take(k, m))
			stop(r, i);
		return;
	}
}

void kafka_probe_read(struct kafka_probe *p, struct kafka_peek *peeks, size_t count, int timeout_ms,
		      const atomic_bool *stop_asked)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	struct reading r = {
		.p = p,
		.queue = rd_kafka_queue_new(p->rk),
		.peeks = peeks,
		.topics = calloc(count + 1, sizeof(rd_kafka_topic_t *)),
		.count = count,
	};

	if (r.topics == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		start(&r, i);
	while (r.left > 0 && !atomic_load(stop_asked)) {
		int64_t left_ms = deadline_ms - clock_mono_ms();
		if (left_ms <= 0)
			break;
		rd_kafka_message_t *m =
			rd_kafka_consume_queue(r.queue, (int)MIN(left_ms, (int64_t)LOOK_MS));
		if (m == NULL)
			continue;
		deliver(&r, m);
		rd_kafka_message_destroy(m);
	}
	for (size_t i = 0; i < count; i++)
		stop(&r, i);
	rd_kafka_queue_destroy(r.queue);
	rd_kafka_poll(p->rk, 0);
	free(r.topics);
}

/* --- last stable offsets --- */

/* All of them in one request a leader. The library drops every answer when one is an error. */
static int ask(struct kafka_probe *p, struct kafka_range *ranges, size_t count, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_mono_ms();
	if (left_ms <= 0)
		return ERR_TIMEOUT;

	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, ranges[i].topic, ranges[i].partition)
			->offset = RD_KAFKA_OFFSET_END;
	int err = kafka_translate(rd_kafka_offsets_for_times(p->rk, list, (int)left_ms));
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_topic_partition_t *answer = &list->elems[i];

		ranges[i].err = err != ERR_OK ? err : kafka_translate(answer->err);
		if (ranges[i].err == ERR_OK && answer->offset < 0)
			ranges[i].err = ERR_BROKER;
		if (ranges[i].err == ERR_OK)
			ranges[i].end = answer->offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return err;
}

void kafka_probe_stable(struct kafka_probe *p, struct kafka_range *ranges, size_t count,
			int timeout_ms)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;

	for (size_t i = 0; i < count; i++) {
		ranges[i].end = -1;
		ranges[i].err = ERR_TIMEOUT;
	}
	if (count == 0 || ask(p, ranges, count, deadline_ms) == ERR_OK)
		return;
	for (size_t i = 0; i < count; i++)
		(void)ask(p, &ranges[i], 1, deadline_ms);
}
