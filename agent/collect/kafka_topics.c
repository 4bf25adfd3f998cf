/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library looks every answered partition up in a list: calls get slower than linear. */
#define CHUNK_PARTITIONS 500
/* Leaders asked side by side. A thread that waits for a dead one costs nothing else. */
#define THREADS_MAX 16
/* How often a leader's chunks are halved in a sweep to find the partitions that spoil them. */
#define SPLITS_MAX 64
/* Beyond any real topic; keeps a broken answer from asking for gigabytes. */
#define PARTITIONS_MAX 1000000

/* --- topics --- */

int kafka_metadata(rd_kafka_t *rk, rd_kafka_topic_t *topic, int timeout_ms,
		   const struct rd_kafka_metadata **ret_md)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int all = topic == NULL;
	int err = kafka_translate(rd_kafka_metadata(rk, all, topic, ret_md, timeout_ms / 2));

	int64_t left_ms = deadline_ms - clock_mono_ms();
	if (err != ERR_OK && left_ms > 0)
		err = kafka_translate(rd_kafka_metadata(rk, all, topic, ret_md, (int)left_ms));
	return err;
}

/* One more than the highest partition number; 0 for a topic that makes no sense. */
static int32_t partition_count(const struct rd_kafka_metadata_topic *t)
{
	int32_t count = 0;

	for (int i = 0; i < t->partition_cnt; i++) {
		int32_t id = t->partitions[i].id;
		if (id < 0 || id >= PARTITIONS_MAX)
			return 0;
		count = MAX(count, id + 1);
	}
	return count;
}

static void copy_topic(const struct rd_kafka_metadata_topic *from, struct kafka_partition *room,
		       char *name, struct kafka_topic *ret_to)
{
	*ret_to = (struct kafka_topic){
		.name = name, .partitions = room, .partition_count = partition_count(from)};
	memcpy(name, from->topic, strlen(from->topic) + 1);
	if (from->err != RD_KAFKA_RESP_ERR_NO_ERROR || from->partition_cnt == 0)
		ret_to->err = ERR_BROKER;
	for (int32_t i = 0; i < ret_to->partition_count; i++)
		room[i].leader = -1;
	for (int i = 0; i < from->partition_cnt && ret_to->partition_count > 0; i++)
		room[from->partitions[i].id].leader = from->partitions[i].leader;
}

static int by_name(const void *a, const void *b)
{
	const struct kafka_topic *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* All of it in one block: the struct, the topics, their partitions, their names. */
static struct kafka_topics *copy_topics(const struct rd_kafka_metadata *md)
{
	size_t count = (size_t)md->topic_cnt, partitions = 0, chars = 0;

	for (size_t i = 0; i < count; i++) {
		partitions += (size_t)partition_count(&md->topics[i]);
		chars += strlen(md->topics[i].topic) + 1;
	}
	struct kafka_topics *all =
		calloc(1, sizeof(*all) + count * sizeof(*all->topics) +
				  partitions * sizeof(struct kafka_partition) + chars);
	if (all == NULL)
		return NULL;
	all->count = count;
	all->topics = (struct kafka_topic *)(all + 1);

	struct kafka_partition *room = (struct kafka_partition *)(all->topics + count);
	char *name = (char *)(room + partitions);
	for (size_t i = 0; i < count; i++) {
		copy_topic(&md->topics[i], room, name, &all->topics[i]);
		room += all->topics[i].partition_count;
		name += strlen(name) + 1;
	}
	qsort(all->topics, count, sizeof(*all->topics), by_name);
	return all;
}

static void note_leaderless(struct kafka *k, const struct kafka_topics *all)
{
	size_t count = 0;
	char text[64];

	for (size_t i = 0; i < all->count; i++)
		for (int32_t p = 0; p < all->topics[i].partition_count; p++)
			count += all->topics[i].partitions[p].leader < 0;
	snprintf(text, sizeof(text), "%zu partitions have no leader", count);
	if (count > 0)
		kafka_note(k, "", text);
}

int kafka_topics(struct kafka *k, int timeout_ms, struct kafka_topics **ret_t)
{
	const struct rd_kafka_metadata *md = NULL;
	int err = kafka_metadata(k->plain, NULL, timeout_ms, &md);

	kafka_serve(k);
	if (err != ERR_OK)
		return err;
	kafka_count_brokers(k, md->broker_cnt);

	struct kafka_topics *all = copy_topics(md);
	rd_kafka_metadata_destroy(md);
	if (all == NULL)
		return -ENOMEM;

	note_leaderless(k, all);
	char *id = rd_kafka_clusterid(k->plain, 0);
	if (id != NULL) {
		strncpy(all->cluster_id, id, sizeof(all->cluster_id) - 1);
		rd_kafka_mem_free(k->plain, id);
	}
	*ret_t = all;
	return ERR_OK;
}

void kafka_topics_free(struct kafka_topics **t)
{
	free(*t);
	*t = NULL;
}

/* --- log start and log end --- */

/* The ranges of one leader: order[first .. first + count - 1] of the sweep. */
struct lane {
	size_t first, count;
	int err;    /* not ERR_OK: the leader is not asked any more */
	int splits; /* used of SPLITS_MAX */
};

struct sweep {
	struct kafka *k;
	int64_t deadline_ms;
	struct kafka_range **order; /* sorted by leader, else as given */
	struct lane *lanes;
	size_t lane_count;
	_Atomic size_t next_lane;
	pthread_mutex_t refresh_lock;
	bool refreshed;
};

static void fail(struct kafka_range **rows, size_t count, int err)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i]->err == ERR_OK)
			rows[i]->err = err;
}

/* Take over the answers to those rows that were asked, which are those without an error. */
static void take(struct kafka_range **rows, size_t count, int64_t what,
		 const rd_kafka_topic_partition_list_t *list)
{
	const rd_kafka_topic_partition_t *answer = list->elems;

	for (size_t i = 0; i < count; i++) {
		struct kafka_range *r = rows[i];
		if (r->err != ERR_OK)
			continue;
		/* The request's own -1 or -2 is still there when nothing was answered. */
		if (answer->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			r->err = kafka_translate(answer->err);
		else if (answer->offset < 0)
			r->err = ERR_BROKER;
		else if (what == RD_KAFKA_OFFSET_BEGINNING)
			r->start = answer->offset;
		else
			r->end = answer->offset;
		answer++;
	}
}

static void free_list(rd_kafka_topic_partition_list_t **list)
{
	if (*list != NULL)
		rd_kafka_topic_partition_list_destroy(*list);
}

/* One call for the rows without an error. An error concerns the call as a whole: the library drops
 * all answers when it has met one partition with an error. */
static int ask(struct sweep *s, struct kafka_range **rows, size_t count, int64_t what)
{
	CLEANUP(free_list)
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	int64_t left_ms = s->deadline_ms - clock_mono_ms();

	for (size_t i = 0; i < count; i++)
		if (rows[i]->err == ERR_OK)
			rd_kafka_topic_partition_list_add(list, rows[i]->topic, rows[i]->partition)
				->offset = what;
	if (list->cnt == 0)
		return ERR_OK;
	if (left_ms <= 0)
		return ERR_TIMEOUT;

	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(s->k->plain, list, (int)left_ms);
	switch ((int)code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: /* all of them; each row says so */
		take(rows, count, what, list);
		return ERR_OK;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		return ERR_TIMEOUT;
	default:
		return kafka_translate(code);
	}
}

/* Renew the library's idea of the leaders, once a sweep whoever needs it; the others wait. */
static void refresh(struct sweep *s)
{
	const struct rd_kafka_metadata *md = NULL;

	pthread_mutex_lock(&s->refresh_lock);
	int64_t left_ms = s->deadline_ms - clock_mono_ms();
	if (!s->refreshed && left_ms > 0) {
		s->refreshed = true;
		if (kafka_metadata(s->k->plain, NULL, (int)left_ms, &md) == ERR_OK)
			rd_kafka_metadata_destroy(md);
	}
	pthread_mutex_unlock(&s->refresh_lock);
}

/* Ask, and when some partition spoils the call (a leader moved, a topic was deleted, a disk is
 * broken), ask again after a refresh, then the halves each. */
static void ask_until_clear(struct sweep *s, struct lane *l, struct kafka_range **rows,
			    size_t count, int64_t what)
{
	int err = ask(s, rows, count, what);

	if (err != ERR_OK && err != ERR_TIMEOUT) {
		refresh(s);
		err = ask(s, rows, count, what);
	}
	if (err == ERR_TIMEOUT)
		l->err = err;
	if (err == ERR_OK || err == ERR_TIMEOUT || count == 1 || l->splits == SPLITS_MAX) {
		fail(rows, count, err);
		return;
	}
	l->splits++;
	ask_until_clear(s, l, rows, count / 2, what);
	if (l->err == ERR_OK)
		ask_until_clear(s, l, rows + count / 2, count - count / 2, what);
	else
		fail(rows + count / 2, count - count / 2, l->err);
}

static void sweep_lane(struct sweep *s, struct lane *l)
{
	for (size_t done = 0; done < l->count; done += CHUNK_PARTITIONS) {
		struct kafka_range **rows = &s->order[l->first + done];
		size_t count = MIN(l->count - done, (size_t)CHUNK_PARTITIONS);

		if (l->err == ERR_OK)
			ask_until_clear(s, l, rows, count, RD_KAFKA_OFFSET_BEGINNING);
		if (l->err == ERR_OK)
			ask_until_clear(s, l, rows, count, RD_KAFKA_OFFSET_END);
		fail(rows, count, l->err);
	}
}

static void *sweep_lanes(void *arg)
{
	struct sweep *s = arg;

	for (;;) {
		size_t i = atomic_fetch_add(&s->next_lane, 1);
		if (i >= s->lane_count)
			return NULL;
		sweep_lane(s, &s->lanes[i]);
	}
}

/* Ranges lie in one array, so that the address keeps the given order among equals. */
static int by_leader(const void *a, const void *b)
{
	const struct kafka_range *x = *(struct kafka_range *const *)a;
	const struct kafka_range *y = *(struct kafka_range *const *)b;

	if (x->leader != y->leader)
		return x->leader < y->leader ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Fill order and lanes, which have room for all ranges. */
static void lay_lanes(struct sweep *s, struct kafka_range *ranges, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		ranges[i].start = -1;
		ranges[i].end = -1;
		ranges[i].err = ranges[i].leader < 0 ? ERR_BROKER : ERR_OK;
		if (ranges[i].leader >= 0)
			s->order[n++] = &ranges[i];
	}
	qsort(s->order, n, sizeof(struct kafka_range *), by_leader);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || s->order[i]->leader != s->order[i - 1]->leader)
			s->lanes[s->lane_count++] = (struct lane){.first = i};
		s->lanes[s->lane_count - 1].count++;
	}
}

/* This thread works, too: without memory for another the sweep is slower, no more. */
static void run(struct sweep *s)
{
	pthread_t threads[THREADS_MAX];
	size_t started = 0;

	while (started + 1 < MIN(s->lane_count, (size_t)THREADS_MAX) &&
	       pthread_create(&threads[started], NULL, sweep_lanes, s) == 0)
		started++;
	sweep_lanes(s);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}

static size_t fail_all(struct kafka_range *ranges, size_t count, int err)
{
	for (size_t i = 0; i < count; i++) {
		ranges[i].start = -1;
		ranges[i].end = -1;
		ranges[i].err = err;
	}
	return count;
}

size_t kafka_ranges(struct kafka *k, struct kafka_range *ranges, size_t count, int timeout_ms)
{
	int64_t begin_ms = clock_mono_ms();
	struct sweep s = {.k = k,
			  .deadline_ms = begin_ms + timeout_ms,
			  .refresh_lock = PTHREAD_MUTEX_INITIALIZER,
			  .order = calloc(count + 1, sizeof(struct kafka_range *)),
			  .lanes = calloc(count + 1, sizeof(struct lane))};
	size_t failed = 0;

	if (s.order != NULL && s.lanes != NULL) {
		lay_lanes(&s, ranges, count);
		run(&s);
		for (size_t i = 0; i < count; i++)
			failed += ranges[i].err != ERR_OK;
	} else {
		failed = fail_all(ranges, count, -ENOMEM);
	}
	free(s.order);
	free(s.lanes);
	kafka_serve(k);
	if (failed == 0 && count > 0)
		kafka_forget(k, begin_ms);
	return failed;
}
