/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "agent/collect/kafka_probe.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define READ_MS 3000
#define DENIED_MS INT64_C(3600000) /* a topic that may not be read is left alone for */
#define OPEN_MS INT64_C(600000)    /* transactions are looked for after the last open one */
#define DENIED_MAX 64              /* topics; one more replaces the oldest */
#define OPEN_MAX 1000              /* partitions looked at; what comes beyond is not */
#define STABLE_MS 1000

enum place { PLACE_FREE, PLACE_ASKED, PLACE_READING, PLACE_ANSWERED };

struct item {
	enum place place;
	struct probe_answer a; /* the question, then its answer */
};

struct denied {
	char topic[WIRE_TOPIC_MAX + 1];
	int64_t until; /* monotonic; 0: unused */
};

struct open {
	char topic[WIRE_TOPIC_MAX + 1];
	int32_t partition;
	int64_t until; /* monotonic */
};

struct probe {
	const struct agent_cluster *conf;
	pthread_t thread;
	atomic_bool stop;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool started;
	struct kafka_probe *kafka; /* NULL until the first question */
	struct item *items;        /* probe_limit() places */
	struct open *open;         /* partitions where a transaction was met */
	uint32_t open_count, open_cap;

	/* the thread's own */
	struct denied denied[DENIED_MAX];
	struct kafka_peek *peeks; /* of the items being read, and which they are */
	size_t *reading;
	bool told; /* that it cannot be opened */
};

struct probe *probe_new(const struct agent_cluster *conf)
{
	struct probe *p = mem_zeroed(1, sizeof(*p));
	size_t places = conf->probe.enabled ? (size_t)conf->probe.per_pass : 0;

	p->conf = conf;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->items = mem_zeroed(places, sizeof(*p->items));
	p->peeks = mem_zeroed(places, sizeof(*p->peeks));
	p->reading = mem_zeroed(places, sizeof(*p->reading));
	return p;
}

uint32_t probe_limit(const struct probe *p)
{
	return p->conf->probe.enabled ? (uint32_t)p->conf->probe.per_pass : 0;
}

/* --- in the thread --- */

static bool is_denied(const struct probe *p, const char *topic)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < DENIED_MAX; i++)
		if (p->denied[i].until > now && strcmp(p->denied[i].topic, topic) == 0)
			return true;
	return false;
}

static void deny(struct probe *p, const char *topic)
{
	struct denied *oldest = &p->denied[0];

	if (is_denied(p, topic))
		return;
	for (size_t i = 1; i < DENIED_MAX; i++)
		if (p->denied[i].until < oldest->until)
			oldest = &p->denied[i];
	snprintf(oldest->topic, sizeof(oldest->topic), "%s", topic);
	oldest->until = clock_mono_ms() + DENIED_MS;
	log_info("topic may not be read: whether messages wait is not probed there",
		 "cluster=%s topic=%s", log_quote(p->conf->name), log_quote(topic));
}

/* Called with the lock held. */
static void note_open(struct probe *p, const struct probe_answer *a)
{
	for (uint32_t i = 0; i < p->open_count; i++)
		if (p->open[i].partition == a->partition && strcmp(p->open[i].topic, a->topic) == 0)
			return;
	if (p->open_count == OPEN_MAX)
		return;
	p->open = mem_reach(p->open, &p->open_cap, p->open_count, sizeof(*p->open));
	struct open *o = &p->open[p->open_count++];
	snprintf(o->topic, sizeof(o->topic), "%s", a->topic);
	o->partition = a->partition;
	o->until = clock_mono_ms() + OPEN_MS;
}

/* What reading has come to. Without an answer the place is free: it may be asked again. Called with
 * the lock held. */
static void conclude(struct probe *p, struct item *it, const struct kafka_peek *k)
{
	struct probe_answer *a = &it->a;
	bool denied = k->err == -EACCES;

	it->place = k->err == ERR_OK || denied ? PLACE_ANSWERED : PLACE_FREE;
	a->answer = WIRE_PROBE_UNKNOWN;
	a->time_ms = WIRE_UNKNOWN;
	if (k->err != ERR_OK)
		return;
	/* Reading committed transactions ends where one is open. */
	if (!k->found && k->at < a->end)
		note_open(p, a);
	if (k->found && k->at < a->end) {
		a->answer = WIRE_PROBE_RECORD;
		a->time_ms = k->time_ms;
	} else {
		a->answer = WIRE_PROBE_NOTHING;
		a->end = k->at;
	}
}

static bool is_being_read(const struct probe *p, size_t count, const struct probe_answer *a)
{
	for (size_t i = 0; i < count; i++)
		if (p->peeks[i].partition == a->partition &&
		    strcmp(p->peeks[i].topic, a->topic) == 0)
			return true;
	return false;
}

/* What can be read side by side: one question of each topic partition. Those about topics that may
 * not be read are answered here. Called with the lock held. */
static size_t choose(struct probe *p)
{
	size_t count = 0;

	for (size_t i = 0; i < probe_limit(p); i++) {
		struct item *it = &p->items[i];
		if (it->place != PLACE_ASKED || is_being_read(p, count, &it->a))
			continue;
		if (is_denied(p, it->a.topic)) {
			conclude(p, it, &(struct kafka_peek){.err = -EACCES});
			continue;
		}
		it->place = PLACE_READING;
		p->reading[count] = i;
		p->peeks[count++] = (struct kafka_peek){
			.topic = it->a.topic, .partition = it->a.partition, .offset = it->a.offset};
	}
	return count;
}

static bool has_asked(const struct probe *p)
{
	for (size_t i = 0; i < probe_limit(p); i++)
		if (p->items[i].place == PLACE_ASKED)
			return true;
	return false;
}

static void open_kafka(struct probe *p)
{
	const struct conf_map *conf = &p->conf->kafka;
	CLEANUP(mem_free)
	struct kafka_property *props = mem_resize(NULL, conf->count, sizeof(*props));
	struct kafka_probe *kafka = NULL;
	char why[512] = "";

	for (size_t i = 0; i < conf->count; i++)
		props[i] = (struct kafka_property){conf->pairs[i].key, conf->pairs[i].value};
	int err = kafka_probe_open(props, conf->count, p->conf->probe.max_bytes, why, &kafka);
	if (err != ERR_OK && !p->told)
		log_warn("probes cannot be read", "cluster=%s why=%s", log_quote(p->conf->name),
			 log_quote(why));
	p->told = err != ERR_OK;
	pthread_mutex_lock(&p->lock);
	p->kafka = kafka;
	pthread_mutex_unlock(&p->lock);
}

static void answer_all(struct probe *p, size_t count)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < count; i++) {
		struct item *it = &p->items[p->reading[i]];
		if (p->peeks[i].err == -EACCES)
			deny(p, it->a.topic);
		conclude(p, it, &p->peeks[i]);
	}
	pthread_mutex_unlock(&p->lock);
}

static size_t wait_for_questions(struct probe *p)
{
	pthread_mutex_lock(&p->lock);
	while (!atomic_load(&p->stop) && !has_asked(p))
		pthread_cond_wait(&p->changed, &p->lock);
	size_t count = choose(p);
	pthread_mutex_unlock(&p->lock);
	return count;
}

static void *run(void *arg)
{
	struct probe *p = arg;

	while (!atomic_load(&p->stop)) {
		size_t count = wait_for_questions(p);
		if (count == 0)
			continue;
		if (p->kafka == NULL)
			open_kafka(p);
		for (size_t i = 0; i < count; i++)
			p->peeks[i].err = ERR_BROKER;
		if (p->kafka != NULL)
			kafka_probe_read(p->kafka, p->peeks, count, READ_MS, &p->stop);
		answer_all(p, count);
	}
	return NULL;
}

/* --- for the others --- */

static bool is_known(const struct probe *p, const struct wire_probe *q)
{
	for (size_t i = 0; i < probe_limit(p); i++) {
		const struct item *it = &p->items[i];
		if (it->place != PLACE_FREE && it->a.partition == q->partition &&
		    it->a.offset == q->offset && strcmp(it->a.topic, q->topic) == 0)
			return true;
	}
	return false;
}

static struct item *free_item(struct probe *p)
{
	for (size_t i = 0; i < probe_limit(p); i++)
		if (p->items[i].place == PLACE_FREE)
			return &p->items[i];
	return NULL;
}

static void add(struct probe *p, const struct wire_probe *q)
{
	struct item *it = is_known(p, q) ? NULL : free_item(p);

	if (it == NULL)
		return;
	it->place = PLACE_ASKED;
	it->a.partition = q->partition;
	it->a.offset = q->offset;
	it->a.end = q->end;
	snprintf(it->a.topic, sizeof(it->a.topic), "%s", q->topic);
}

void probe_ask(struct probe *p, const struct wire_probe *questions, size_t count)
{
	if (probe_limit(p) == 0)
		return;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < count; i++)
		add(p, &questions[i]);
	if (!p->started && !atomic_load(&p->stop))
		p->started = pthread_create(&p->thread, NULL, run, p) == 0;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

size_t probe_take(struct probe *p, struct probe_answer *ret_list, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < probe_limit(p) && count < max; i++) {
		struct item *it = &p->items[i];
		if (it->place != PLACE_ANSWERED)
			continue;
		ret_list[count++] = it->a;
		it->place = PLACE_FREE;
	}
	pthread_mutex_unlock(&p->lock);
	return count;
}

/* --- open transactions --- */

/* What a pass tells of the partition; returns until when to go on looking, 0: no longer. */
static int64_t tell_stable(struct topics *t, const struct open *o, const struct kafka_range *r)
{
	struct topic_log *log = topics_log(t, o->topic, o->partition);
	int64_t now = clock_mono_ms();

	if (log == NULL)
		return 0;
	if (now >= o->until) {
		topics_stable(log, WIRE_UNKNOWN);
		return 0;
	}
	if (r->err != ERR_OK)
		return o->until;
	topics_stable(log, r->end);
	return r->end < log->end ? now + OPEN_MS : o->until;
}

/* A copy of the list, so that nobody waits for the brokers. Caller frees it. */
static struct open *copy_open(struct probe *p, size_t *ret_count)
{
	pthread_mutex_lock(&p->lock);
	struct open *list = mem_resize(NULL, p->open_count, sizeof(*list));
	if (p->open_count > 0)
		memcpy(list, p->open, p->open_count * sizeof(*list));
	*ret_count = p->open_count;
	pthread_mutex_unlock(&p->lock);
	return list;
}

/* Only this thread takes entries off the list, so those copied are still its first ones. */
static void keep_open(struct probe *p, const struct open *list, size_t count)
{
	size_t kept = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->open_count; i++) {
		struct open o = p->open[i];
		if (i < count)
			o.until = list[i].until;
		if (o.until != 0)
			p->open[kept++] = o;
	}
	p->open_count = (uint32_t)kept;
	pthread_mutex_unlock(&p->lock);
}

void probe_stable(struct probe *p, struct topics *t, int timeout_ms)
{
	size_t count = 0;
	CLEANUP(mem_free) struct open *list = copy_open(p, &count);

	if (count == 0)
		return;
	CLEANUP(mem_free) struct kafka_range *ranges = mem_zeroed(count, sizeof(*ranges));
	for (size_t i = 0; i < count; i++) {
		ranges[i].topic = list[i].topic;
		ranges[i].partition = list[i].partition;
	}
	/* Where a transaction was met, the library is open. */
	kafka_probe_stable(p->kafka, ranges, count, MIN(timeout_ms, STABLE_MS));
	for (size_t i = 0; i < count; i++)
		list[i].until = tell_stable(t, &list[i], &ranges[i]);
	keep_open(p, list, count);
}

/* --- life --- */

void probe_ask_stop(struct probe *p)
{
	atomic_store(&p->stop, true);
	pthread_mutex_lock(&p->lock);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

bool probe_join(struct probe **p, int timeout_ms)
{
	struct probe *done = *p;

	if (done->started && !thread_join(done->thread, timeout_ms))
		return false;
	kafka_probe_close(&done->kafka);
	pthread_mutex_destroy(&done->lock);
	pthread_cond_destroy(&done->changed);
	free(done->open);
	free(done->items);
	free(done->peeks);
	free(done->reading);
	free(done);
	*p = NULL;
	return true;
}
