/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

static struct store_key commit_key(struct store_commit_key k)
{
	return KEY(k.cluster, k.group, k.topic, (uint32_t)k.partition);
}

static struct store_key log_key(struct store_log_key k)
{
	return KEY(k.cluster, k.topic, (uint32_t)k.partition);
}

/* --- partitions --- */

bool store_get_commit(struct store_txn *t, struct store_commit_key k, struct commit_track *ret_v)
{
	return store_cursor_get(t, COMMIT, commit_key(k), ret_v, sizeof(*ret_v));
}

void store_put_commit(struct store_txn *t, struct store_commit_key k, const struct commit_track *v)
{
	store_cursor_put(t, COMMIT, commit_key(k), v, sizeof(*v));
}

void store_del_commit(struct store_txn *t, struct store_commit_key k)
{
	store_del_record(t, COMMIT, commit_key(k));
}

bool store_next_commit(struct store_txn *t, bool first, struct store_range range,
		       struct store_commit_key *ret_k, struct commit_track *ret_v)
{
	struct store_key prefix =
		range.group == 0 ? KEY(range.cluster) : KEY(range.cluster, range.group);
	MDB_cursor *c = t->walker;
	struct store_key at;

	if (c == NULL && t->err == ERR_OK &&
	    store_check(t, mdb_cursor_open(t->txn, t->store->tables[COMMIT], &c)))
		t->walker = c;
	if (!store_walk_cursor(t, c, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_k = (struct store_commit_key){
		.cluster = range.cluster,
		.group = get_be32(at.bytes + 4),
		.topic = get_be32(at.bytes + 8),
		.partition = (int32_t)get_be32(at.bytes + 12),
	};
	return true;
}

bool store_get_log(struct store_txn *t, struct store_log_key k, struct log_track *ret_v)
{
	return store_cursor_get(t, LOG, log_key(k), ret_v, sizeof(*ret_v));
}

void store_put_log(struct store_txn *t, struct store_log_key k, const struct log_track *v)
{
	store_cursor_put(t, LOG, log_key(k), v, sizeof(*v));
}

void store_del_log(struct store_txn *t, struct store_log_key k)
{
	store_del_record(t, LOG, log_key(k));
	store_del_record(t, OLDEST, log_key(k));
	for (uint32_t i = 0; i < HISTORY_LEVELS; i++)
		store_del_record(t, HISTORY, KEY(k.cluster, k.topic, (uint32_t)k.partition, i));
}

bool store_next_log(struct store_txn *t, bool first, uint32_t cluster, struct store_log_key *ret_k,
		    struct log_track *ret_v)
{
	struct store_key prefix = KEY(cluster);
	struct store_key at;

	if (!store_walk(t, LOG, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_k = (struct store_log_key){
		.cluster = cluster,
		.topic = get_be32(at.bytes + 4),
		.partition = (int32_t)get_be32(at.bytes + 8),
	};
	return true;
}

void store_get_history(struct store_txn *t, struct store_log_key k, struct history *ret_v)
{
	*ret_v = (struct history){0};
	for (uint32_t i = 0; i < HISTORY_LEVELS; i++)
		store_cursor_get(t, HISTORY, KEY(k.cluster, k.topic, (uint32_t)k.partition, i),
				 &ret_v->levels[i], history_size(i));
}

void store_put_history(struct store_txn *t, struct store_log_key k, const struct history *v,
		       unsigned levels)
{
	for (uint32_t i = 0; i < HISTORY_LEVELS; i++)
		if (levels & (1u << i))
			store_cursor_put(t, HISTORY,
					 KEY(k.cluster, k.topic, (uint32_t)k.partition, i),
					 &v->levels[i], history_size(i));
}

/* --- groups and clusters --- */

bool store_get_group(struct store_txn *t, uint32_t cluster, uint32_t group,
		     struct group_track *ret_v)
{
	return store_get_record(t, GROUP, KEY(cluster, group), ret_v, sizeof(*ret_v));
}

void store_put_group(struct store_txn *t, uint32_t cluster, uint32_t group,
		     const struct group_track *v)
{
	store_put_record(t, GROUP, KEY(cluster, group), v, sizeof(*v));
}

bool store_next_group(struct store_txn *t, bool first, uint32_t cluster, uint32_t *ret_group,
		      struct group_track *ret_v)
{
	struct store_key prefix = KEY(cluster);
	struct store_key at;

	if (!store_walk(t, GROUP, first, &prefix, &at, ret_v, sizeof(*ret_v)))
		return false;
	*ret_group = get_be32(at.bytes + 4);
	return true;
}

bool store_get_members(struct store_txn *t, uint32_t cluster, uint32_t group,
		       const uint8_t **ret_data, size_t *ret_size)
{
	return store_get_bytes(t, MEMBERS, KEY(cluster, group), ret_data, ret_size);
}

void store_put_members(struct store_txn *t, uint32_t cluster, uint32_t group, const void *data,
		       size_t size)
{
	store_put_record(t, MEMBERS, KEY(cluster, group), data, size);
}

void store_del_group(struct store_txn *t, uint32_t cluster, uint32_t group)
{
	struct store_range range = {.cluster = cluster, .group = group};
	struct store_commit_key k;
	struct commit_track c;

	for (bool first = true; store_next_commit(t, first, range, &k, &c); first = false)
		store_del_commit(t, k);
	store_del_record(t, GROUP, KEY(cluster, group));
	store_del_record(t, MEMBERS, KEY(cluster, group));
}

bool store_get_cluster(struct store_txn *t, uint32_t cluster, struct cluster_track *ret_v)
{
	return store_get_record(t, CLUSTER, KEY(cluster), ret_v, sizeof(*ret_v));
}

void store_put_cluster(struct store_txn *t, uint32_t cluster, const struct cluster_track *v)
{
	store_put_record(t, CLUSTER, KEY(cluster), v, sizeof(*v));
}

bool store_get_origin(struct store_txn *t, uint32_t cluster, const uint8_t **ret_data,
		      size_t *ret_size)
{
	return store_get_bytes(t, ORIGIN, KEY(cluster), ret_data, ret_size);
}

void store_put_origin(struct store_txn *t, uint32_t cluster, const void *data, size_t size)
{
	store_put_record(t, ORIGIN, KEY(cluster), data, size);
}

bool store_get_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic,
		      struct store_burial *ret_b)
{
	return store_get_record(t, BURIED, KEY(cluster, group, topic), ret_b, sizeof(*ret_b));
}

void store_put_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic,
		      const struct store_burial *b)
{
	store_put_record(t, BURIED, KEY(cluster, group, topic), b, sizeof(*b));
}

void store_del_buried(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t topic)
{
	store_del_record(t, BURIED, KEY(cluster, group, topic));
}
