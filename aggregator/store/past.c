/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/past.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

#define PART 4 /* bytes of a number in a key */

/* --- since when --- */

bool past_get_standing(struct store_txn *t, uint32_t cluster, uint32_t group,
		       struct past_standing *ret_v)
{
	return store_cursor_get(t, STANDING, KEY(cluster, group), ret_v, sizeof(*ret_v));
}

void past_put_standing(struct store_txn *t, uint32_t cluster, uint32_t group,
		       const struct past_standing *v)
{
	store_cursor_put(t, STANDING, KEY(cluster, group), v, sizeof(*v));
}

bool past_next_standing(struct store_txn *t, bool first, uint32_t cluster, uint32_t *ret_group,
			struct past_standing *ret_v)
{
	struct store_key prefix = KEY(cluster);
	struct store_key at;

	if (!store_walk(t, STANDING, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_group = get_be32(at.bytes + PART);
	return true;
}

/* --- the oldest message --- */

bool past_get_oldest(struct store_txn *t, struct store_log_key k, struct past_oldest *ret_v)
{
	return store_cursor_get(t, OLDEST, KEY(k.cluster, k.topic, (uint32_t)k.partition), ret_v,
				sizeof(*ret_v));
}

void past_put_oldest(struct store_txn *t, struct store_log_key k, const struct past_oldest *v)
{
	store_cursor_put(t, OLDEST, KEY(k.cluster, k.topic, (uint32_t)k.partition), v, sizeof(*v));
}

/* --- what happened --- */

/*
 * An event's bytes: the numbers in the order of the struct, then the topic's name and the sentence
 * in whole, each with its NUL. Offsets and times are big-endian, as the keys are.
 */
#define NUMBERS 7
#define EVENT_HEAD (1 + 5 + 4 + 4 + NUMBERS * 8) /* version and so on, see put_event() */
#define EVENT_VERSION 1
#define EVENT_TEXT_MAX 4096 /* longer sentences are cut */

static struct store_key event_key(uint32_t cluster, uint32_t group, int64_t at_ms, uint32_t number)
{
	return KEY(cluster, group, (uint32_t)((uint64_t)at_ms >> 32), (uint32_t)at_ms, number);
}

static int64_t event_time(const MDB_val *key)
{
	return (int64_t)get_be64((const uint8_t *)key->mv_data + 2 * PART);
}

static void put_event(uint8_t *to, const struct past_event *e)
{
	const int64_t numbers[NUMBERS] = {e->committed,   e->end,      e->lag,       e->lost,
					  e->time_lag_ms, e->limit_ms, e->elapsed_ms};
	const uint8_t head[] = {EVENT_VERSION, e->kind,   e->from,
				e->to,         e->reason, (uint8_t)(e->rule | e->of_group << 7)};

	memcpy(to, head, sizeof(head));
	put_be32(to + 6, (uint32_t)e->partition);
	put_be32(to + 10, e->changed);
	for (size_t i = 0; i < NUMBERS; i++)
		put_be64(to + 14 + i * 8, (uint64_t)numbers[i]);
}

_Static_assert(EVENT_HEAD == 14 + NUMBERS * 8, "as put_event() has it");

void past_add_event(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t number,
		    const struct past_event *e)
{
	uint8_t bytes[EVENT_HEAD + EVENT_TEXT_MAX + 2];
	size_t topic = MIN(strlen(e->topic), (size_t)EVENT_TEXT_MAX / 4);
	size_t sentence = MIN(strlen(e->sentence), EVENT_TEXT_MAX - topic);

	put_event(bytes, e);
	memcpy(bytes + EVENT_HEAD, e->topic, topic);
	bytes[EVENT_HEAD + topic] = '\0';
	memcpy(bytes + EVENT_HEAD + topic + 1, e->sentence, sentence);
	bytes[EVENT_HEAD + topic + 1 + sentence] = '\0';
	store_put_record(t, EVENT, event_key(cluster, group, e->at_ms, number), bytes,
			 EVENT_HEAD + topic + sentence + 2);
}

/* The texts of the result are in the bytes. */
static bool get_event(const MDB_val *key, const MDB_val *v, struct past_event *ret_e)
{
	const uint8_t *at = v->mv_data;
	int64_t numbers[NUMBERS];

	if (v->mv_size < EVENT_HEAD + 2 || at[0] != EVENT_VERSION || at[v->mv_size - 1] != '\0')
		return false;
	const char *topic = (const char *)at + EVENT_HEAD;
	size_t size = strlen(topic) + 1;
	if (size == v->mv_size - EVENT_HEAD)
		return false; /* the sentence is missing */
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = (int64_t)get_be64(at + 14 + i * 8);
	*ret_e = (struct past_event){
		.at_ms = event_time(key),
		.kind = at[1],
		.from = at[2],
		.to = at[3],
		.reason = at[4],
		.rule = at[5] & 0x7f,
		.of_group = at[5] >> 7,
		.partition = (int32_t)get_be32(at + 6),
		.changed = get_be32(at + 10),
		.committed = numbers[0],
		.end = numbers[1],
		.lag = numbers[2],
		.lost = numbers[3],
		.time_lag_ms = numbers[4],
		.limit_ms = numbers[5],
		.elapsed_ms = numbers[6],
		.topic = topic,
		.sentence = topic + size,
	};
	return true;
}

bool past_is_event(const MDB_val *v)
{
	const uint8_t no_key[4 * PART] = {0};
	const MDB_val key = lmdb_val(no_key, sizeof(no_key));
	struct past_event e;

	return get_event(&key, v, &e);
}

static bool begins_with(const MDB_val *key, const struct store_key *prefix)
{
	return key->mv_size >= prefix->size &&
	       memcmp(key->mv_data, prefix->bytes, prefix->size) == 0;
}

/* A cursor of its own for a while; NULL on failure. */
static MDB_cursor *open_cursor(struct store_txn *t, enum table table)
{
	MDB_cursor *c = NULL;

	if (t->err == ERR_OK)
		store_check(t, mdb_cursor_open(t->txn, t->store->tables[table], &c));
	return c;
}

/* Set t->err unless there was just nothing more. */
static void note(struct store_txn *t, int rc)
{
	if (rc != MDB_NOTFOUND)
		store_check(t, rc);
}

void past_each_event(struct store_txn *t, uint32_t cluster, uint32_t group, int64_t before_ms,
		     size_t max, past_on_event *on_event, void *arg)
{
	MDB_cursor *c = open_cursor(t, EVENT);
	struct store_key prefix = KEY(cluster, group);
	struct store_key from = event_key(cluster, group, before_ms, 0);
	MDB_val key = {from.size, from.bytes};
	MDB_val v;
	struct past_event e;

	if (c == NULL)
		return;
	/* The first that is not older, or the end of the table: the one before it is wanted. */
	int rc = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
	rc = mdb_cursor_get(c, &key, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	while (rc == MDB_SUCCESS && begins_with(&key, &prefix) && max > 0) {
		if (!get_event(&key, &v, &e)) {
			rc = MDB_CORRUPTED;
			break;
		}
		on_event(arg, &e);
		max--;
		rc = mdb_cursor_get(c, &key, &v, MDB_PREV);
	}
	mdb_cursor_close(c);
	note(t, rc);
}

/* Remove the first entries that begin with prefix while keep says no, at most max. */
static void del_first(struct store_txn *t, enum table table, const struct store_key *prefix,
		      bool (*keep)(const void *arg, const MDB_val *key), const void *arg,
		      size_t max)
{
	MDB_cursor *c = open_cursor(t, table);
	MDB_val key = {prefix->size, (void *)(uintptr_t)prefix->bytes};
	MDB_val v;

	if (c == NULL)
		return;
	int rc = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
	while (rc == MDB_SUCCESS && max > 0 && begins_with(&key, prefix) && !keep(arg, &key)) {
		max--;
		rc = mdb_cursor_del(c, 0);
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_get(c, &key, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	note(t, rc);
}

static bool keep_none(const void *arg, const MDB_val *key)
{
	(void)arg;
	(void)key;
	return false;
}

static bool keep_later(const void *arg, const MDB_val *key)
{
	return event_time(key) >= *(const int64_t *)arg;
}

static size_t count_events(struct store_txn *t, const struct store_key *prefix)
{
	MDB_cursor *c = open_cursor(t, EVENT);
	MDB_val key = {prefix->size, (void *)(uintptr_t)prefix->bytes};
	MDB_val v;
	size_t count = 0;

	if (c == NULL)
		return 0;
	int rc = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
	for (; rc == MDB_SUCCESS && begins_with(&key, prefix);
	     rc = mdb_cursor_get(c, &key, &v, MDB_NEXT))
		count++;
	mdb_cursor_close(c);
	note(t, rc);
	return count;
}

void past_trim_events(struct store_txn *t, uint32_t cluster, uint32_t group, int64_t now_ms)
{
	struct store_key prefix = KEY(cluster, group);
	int64_t from_ms = now_ms - PAST_EVENTS_MS;
	size_t count = count_events(t, &prefix);

	if (count > PAST_EVENTS)
		del_first(t, EVENT, &prefix, keep_none, NULL, count - PAST_EVENTS);
	del_first(t, EVENT, &prefix, keep_later, &from_ms, SIZE_MAX);
}

void past_del_group(struct store_txn *t, uint32_t cluster, uint32_t group)
{
	struct store_key prefix = KEY(cluster, group);

	store_del_record(t, STANDING, prefix);
	del_first(t, EVENT, &prefix, keep_none, NULL, SIZE_MAX);
}

/* --- how far behind --- */

static struct store_key lag_key(struct past_bin b, const struct lag_id *id)
{
	return KEY(b.cluster, b.level, b.bin, id->group, id->topic, (uint32_t)id->partition);
}

void past_put_lag(struct store_txn *t, struct past_bin b, const struct lag_id *first,
		  const void *data, size_t size)
{
	store_cursor_put(t, LAG, lag_key(b, first), data, size);
}

bool past_find_lag(struct store_txn *t, struct past_bin b, const struct lag_id *id,
		   const uint8_t **ret_data, size_t *ret_size)
{
	MDB_cursor *c = t->err == ERR_OK ? store_cursor(t, LAG) : NULL;
	struct store_key prefix = KEY(b.cluster, b.level, b.bin);
	struct store_key want = lag_key(b, id);
	MDB_val key = {want.size, want.bytes};
	MDB_val v;

	if (c == NULL)
		return false;
	int rc = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(c, &key, &v, MDB_LAST);
	else if (rc == MDB_SUCCESS &&
		 (key.mv_size != want.size || memcmp(key.mv_data, want.bytes, want.size) != 0))
		rc = mdb_cursor_get(c, &key, &v, MDB_PREV);
	note(t, rc);
	if (rc != MDB_SUCCESS || !begins_with(&key, &prefix))
		return false;
	*ret_data = v.mv_data;
	*ret_size = v.mv_size;
	return true;
}

bool past_next_lag(struct store_txn *t, bool first, struct past_bin b, const uint8_t **ret_data,
		   size_t *ret_size)
{
	MDB_cursor *c = t->err == ERR_OK ? store_cursor(t, LAG) : NULL;
	struct store_key prefix = KEY(b.cluster, b.level, b.bin);
	MDB_val key = {prefix.size, prefix.bytes};
	MDB_val v;

	if (c == NULL)
		return false;
	int rc = mdb_cursor_get(c, &key, &v, first ? MDB_SET_RANGE : MDB_NEXT);
	note(t, rc);
	if (rc != MDB_SUCCESS || !begins_with(&key, &prefix))
		return false;
	*ret_data = v.mv_data;
	*ret_size = v.mv_size;
	return true;
}

void past_del_lag(struct store_txn *t, struct past_bin b)
{
	struct store_key prefix = KEY(b.cluster, b.level, b.bin);

	del_first(t, LAG, &prefix, keep_none, NULL, SIZE_MAX);
}

static bool keep_from_bin(const void *arg, const MDB_val *key)
{
	const uint8_t *at = key->mv_data;

	return get_be32(at + 2 * PART) >= ((const struct past_bin *)arg)->bin;
}

void past_expire_lag(struct store_txn *t, struct past_bin before, size_t max)
{
	struct store_key prefix = KEY(before.cluster, before.level);

	del_first(t, LAG, &prefix, keep_from_bin, &before, max);
}
