/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/recall_sums.h"

#include <stdlib.h>

#include "common/mem.h"

/* One partition, as it is in the bin at hand. */
struct part {
	struct lag_id id;
	int64_t first_ms; /* the pass that saw it first */
	struct history_level history;
	struct history_walk walk; /* of history */
	int64_t end, lag;         /* as known last */
};

struct sums {
	struct store_txn *txn;
	const struct story_group *group;
	const struct recall_bins *bins;
	int64_t width_ms;
	struct recall_sum *list;
	struct part *parts; /* in rising order of their ids */
	size_t count, cap;
	int64_t lag; /* of the group, where that of its partitions is not kept */
};

static bool of_groups_only(const struct sums *s)
{
	return s->bins->level == 0;
}

static void add_part(struct sums *s, const struct store_commit_key *k, const struct commit_track *t)
{
	const struct store_log_key log = {k->cluster, k->topic, k->partition};
	struct history h;

	if (t->offset < 0)
		return; /* nothing has been committed */
	s->parts = mem_grow(s->parts, s->count, &s->cap, sizeof(*s->parts));
	store_get_history(s->txn, log, &h);
	s->parts[s->count++] = (struct part){
		.id = {k->group, k->topic, k->partition},
		.first_ms = t->first_seen_ms,
		.history = h.levels[s->bins->level],
		.end = TRACK_UNKNOWN,
		.lag = of_groups_only(s) ? 0 : TRACK_UNKNOWN,
	};
}

/* --- lags --- */

/* Of the partitions before the one with this id nothing is told in a bin: they have no lag. */
static struct part *skip_idle(struct part *at, const struct part *end, const struct lag_id *id)
{
	for (; at < end && (id == NULL || lag_id_compare(&at->id, id) < 0); at++)
		at->lag = 0;
	return at;
}

/* What one block tells of the partitions from at on; returns where the next block goes on. */
static struct part *read_block(const struct sums *s, unsigned level, const void *data, size_t size,
			       struct part *at)
{
	const struct part *end = s->parts + s->count;
	struct lag_reader r;
	struct lag_id id;
	struct lag_sample sample;

	lag_reader_begin(&r, level, data, size);
	while (at < end && lag_reader_next(&r, &id, &sample)) {
		at = skip_idle(at, end, &id);
		if (at == end || lag_id_compare(&at->id, &id) != 0)
			continue;
		if (sample.lag != LAG_UNKNOWN)
			at->lag = lag_decode(sample.lag);
		at++;
	}
	return at;
}

/* The lags of a bin; they stay as they are if it was not seen. */
static void read_lags(struct sums *s, int64_t at_ms)
{
	unsigned level = s->bins->level + LAG_GROUP_LEVELS - 1; /* of partitions, as wide */
	struct past_bin b = {s->group->cluster_id, level, lag_bin(level, at_ms)};
	const struct part *end = s->parts + s->count;
	struct part *at = s->parts;
	const uint8_t *data = NULL;
	size_t size = 0;
	bool more = past_find_lag(s->txn, b, &at->id, &data, &size);

	if (!more)
		return;
	for (; more && at < end; more = past_next_lag(s->txn, false, b, &data, &size))
		at = read_block(s, level, data, size, at);
	(void)skip_idle(at, end, NULL);
}

/* The same of the group as a whole. */
static void read_group_lag(struct sums *s, int64_t at_ms)
{
	unsigned level = s->bins->level;
	struct past_bin b = {s->group->cluster_id, level, lag_bin(level, at_ms)};
	const struct lag_id id = {.group = s->group->group_id};
	const uint8_t *data = NULL;
	size_t size = 0;

	if (!past_find_lag(s->txn, b, &id, &data, &size))
		return;
	int64_t lag = lag_decode(lag_find(level, data, size, &id).lag);
	s->lag = MAX(lag, (int64_t)0);
}

/* --- sums --- */

static struct recall_sum sum_bin(struct sums *s, int64_t at_ms)
{
	struct recall_sum sum = {TRACK_UNKNOWN, TRACK_UNKNOWN};
	int64_t lag = s->lag;

	for (struct part *p = s->parts; p < s->parts + s->count; p++) {
		bool known = history_walk_to(&p->walk, at_ms, &p->end);

		if (!known || p->lag < 0 || p->first_ms >= at_ms + s->width_ms)
			continue;
		sum.end = MAX(sum.end, (int64_t)0) + p->end;
		lag += MIN(p->lag, p->end);
	}
	if (sum.end >= 0)
		sum.committed = MAX(sum.end - lag, (int64_t)0);
	return sum;
}

static void sum_bins(struct sums *s)
{
	for (struct part *p = s->parts; p < s->parts + s->count; p++)
		history_walk_begin(&p->walk, &p->history, s->bins->level);
	for (size_t i = 0; s->count != 0 && i < s->bins->count; i++) {
		int64_t at_ms = s->bins->from_ms + (int64_t)i * s->width_ms;

		if (of_groups_only(s))
			read_group_lag(s, at_ms);
		else
			read_lags(s, at_ms);
		s->list[i] = sum_bin(s, at_ms);
	}
}

/* --- partitions --- */

static void add_one(struct sums *s, const struct story_span *span)
{
	const struct store_commit_key k = {s->group->cluster_id, s->group->group_id, span->topic_id,
					   span->partition};
	struct commit_track t;

	if (store_get_commit(s->txn, k, &t))
		add_part(s, &k, &t);
}

/* False: there are more than are summed. */
static bool add_all(struct sums *s)
{
	struct store_range range = {s->group->cluster_id, s->group->group_id};
	struct store_commit_key k;
	struct commit_track t;
	size_t seen = 0;

	for (bool first = true; store_next_commit(s->txn, first, range, &k, &t); first = false) {
		if (++seen > RECALL_SUMS_PARTITIONS)
			return false;
		add_part(s, &k, &t);
	}
	return true;
}

struct recall_sum *recall_sums(struct store_txn *t, const struct story_group *g,
			       const struct story_span *span, const struct recall_bins *bins)
{
	struct sums s = {
		.txn = t,
		.group = g,
		.bins = bins,
		.width_ms = lag_level(bins->level).width_ms,
		.list = mem_resize(NULL, bins->count, sizeof(*s.list)),
	};

	for (size_t i = 0; i < bins->count; i++)
		s.list[i] = (struct recall_sum){TRACK_UNKNOWN, TRACK_UNKNOWN};
	if (span->topic_id != 0)
		add_one(&s, span);
	else if (!add_all(&s))
		s.count = 0;
	sum_bins(&s);
	free(s.parts);
	return s.list;
}
