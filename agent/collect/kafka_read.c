/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC "__consumer_offsets"
#define MESSAGES_MAX 100000 /* in one call of kafka_read(): a tenth of a second's work */
#define LOOK_UP_MS 1000

static int open_reader(struct kafka *k)
{
	struct kafka_reader *r = &k->reader;
	char why[512];

	if (r->rk != NULL)
		return ERR_OK;
	int err = kafka_handle_new(k, "read_committed", why, &r->rk);
	if (err != ERR_OK) {
		kafka_note(k, "", why);
		return ERR_BROKER;
	}
	r->topic = rd_kafka_topic_new(r->rk, TOPIC, NULL);
	if (r->topic == NULL) {
		kafka_handle_destroy(&r->rk);
		return ERR_BROKER;
	}
	r->queue = rd_kafka_queue_new(r->rk);
	return ERR_OK;
}

void kafka_reader_close(struct kafka_reader *r)
{
	if (r->rk != NULL) {
		rd_kafka_queue_destroy(r->queue);
		rd_kafka_topic_destroy(r->topic);
		kafka_handle_destroy(&r->rk);
	}
	free(r->positions);
	*r = (struct kafka_reader){0};
}

static void stop(struct kafka_reader *r, int32_t partition)
{
	if (r->positions[partition].running)
		(void)rd_kafka_consume_stop(r->topic, partition);
	r->positions[partition].running = false;
}

/* Start one partition, unless it stands there already. */
static int start(struct kafka_reader *r, int32_t partition, int64_t offset)
{
	struct kafka_position *p = &r->positions[partition];

	if (p->running && p->next == offset)
		return ERR_OK;
	stop(r, partition);
	if (rd_kafka_consume_start_queue(r->topic, partition,
					 offset < 0 ? RD_KAFKA_OFFSET_BEGINNING : offset,
					 r->queue) != 0)
		return kafka_translate(rd_kafka_last_error());
	*p = (struct kafka_position){.next = offset < 0 ? -1 : offset, .running = true};
	r->heard = false;
	return ERR_OK;
}

int kafka_read_from(struct kafka *k, const int64_t *positions, int32_t count)
{
	struct kafka_reader *r = &k->reader;
	int err = open_reader(k);

	assert(count > 0);
	if (err != ERR_OK)
		return err;
	for (int32_t i = count; i < r->count; i++)
		stop(r, i);

	struct kafka_position *p = reallocarray(r->positions, (size_t)count, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	for (int32_t i = r->count; i < count; i++)
		p[i] = (struct kafka_position){.next = -1};
	r->positions = p;
	r->count = count;
	r->err = ERR_OK;
	for (int32_t i = 0; i < count && err == ERR_OK; i++)
		err = start(r, i, positions[i]);
	return err;
}

/* An error that the topic's reader meets does not stop the other partitions. The library says it
 * once, then goes on trying in silence. */
static void take_error(struct kafka *k, const rd_kafka_message_t *m)
{
	char text[256];
	int err = kafka_translate(m->err);

	snprintf(text, sizeof(text), TOPIC " partition %d: %s", m->partition,
		 rd_kafka_message_errstr(m));
	kafka_note(k, "", text);
	/* What passes by itself (a broker that is down, a leader that moves) is a trouble only. */
	if (err == -EACCES || err == ERR_NOT_FOUND ||
	    (err == ERR_BROKER && k->reader.err == ERR_OK &&
	     m->err != RD_KAFKA_RESP_ERR__TRANSPORT))
		k->reader.err = err;
}

/* true if it was a record. */
static bool take(struct kafka *k, const rd_kafka_message_t *m,
		 void (*on_record)(void *arg, const struct kafka_record *r), void *arg)
{
	struct kafka_reader *r = &k->reader;

	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		take_error(k, m);
		return false;
	}
	if (m->partition < 0 || m->partition >= r->count)
		return false;

	struct kafka_position *p = &r->positions[m->partition];
	r->err = ERR_OK;
	r->heard = true;
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		/* Beyond the last record there may be a transaction's marker. */
		p->next = m->offset;
		p->caught_up = true;
		return false;
	}
	p->next = m->offset + 1;
	on_record(arg, &(struct kafka_record){.partition = m->partition,
					      .offset = m->offset,
					      .key = m->key,
					      .key_size = m->key_len,
					      .value = m->payload,
					      .value_size = m->len});
	return true;
}

/* The library does not say by itself that the topic does not exist or may not be seen, and it looks
 * for it again only every few minutes. Asking makes it look, too. */
static void look_up(struct kafka_reader *r)
{
	const struct rd_kafka_metadata *md = NULL;
	int64_t now_ms = clock_mono_ms();

	if (r->heard || now_ms - r->looked_up_ms < LOOK_UP_MS)
		return;
	r->looked_up_ms = now_ms;
	if (rd_kafka_metadata(r->rk, 0, r->topic, &md, LOOK_UP_MS / 2) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	int err = md->topic_cnt == 1 ? kafka_translate(md->topics[0].err) : ERR_OK;
	if (err == ERR_NOT_FOUND || err == -EACCES)
		r->err = err;
	else if (r->err == ERR_NOT_FOUND)
		r->err = ERR_OK;
	rd_kafka_metadata_destroy(md);
}

/* One call of kafka_read(). */
struct delivery {
	struct kafka *k;
	void (*on_record)(void *arg, const struct kafka_record *r);
	void *arg;
	int messages, records;
};

static void deliver(rd_kafka_message_t *m, void *opaque)
{
	struct delivery *d = opaque;

	d->records += take(d->k, m, d->on_record, d->arg);
	if (++d->messages == MESSAGES_MAX)
		rd_kafka_yield(d->k->reader.rk);
}

/* The library's callback takes all that is there at once, where its other ways lock and unlock for
 * every message; and so the queue hardly ever is full, after which the library rests for a second.
 */
int kafka_read(struct kafka *k, int timeout_ms,
	       void (*on_record)(void *arg, const struct kafka_record *r), void *arg)
{
	struct delivery d = {.k = k, .on_record = on_record, .arg = arg};
	struct kafka_reader *r = &k->reader;

	assert(r->rk != NULL);
	kafka_serve(k);
	(void)rd_kafka_consume_callback_queue(r->queue, timeout_ms, deliver, &d);
	if (d.messages == 0)
		look_up(r);
	return d.records > 0 ? d.records : r->err;
}

int64_t kafka_read_position(const struct kafka *k, int32_t partition)
{
	assert(partition >= 0);
	return partition < k->reader.count ? k->reader.positions[partition].next : -1;
}

bool kafka_read_caught_up(const struct kafka *k, int32_t partition)
{
	assert(partition >= 0);
	return partition < k->reader.count && k->reader.positions[partition].caught_up;
}
