/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/diary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"

/* Blocks of bins that have grown too old, removed in a pass: more than ever come in one. */
#define EXPIRE_BLOCKS 5000

#define PARTITION_LEVELS (LAG_LEVELS - LAG_GROUP_LEVELS)

struct entry {
	struct lag_id id;
	struct lag_sample sample;
};

struct entries {
	struct entry *list;
	size_t count, cap;
};

/* The partition by which a change of its group is explained: the first of the worst. */
struct worst {
	char topic[256];
	int32_t partition;
	struct judge_input in; /* of the copies below */
	struct verdict verdict;
	struct commit_track commit;
	struct log_track log;
	size_t count; /* as bad as it, it included */
};

/* A bin that is being written. */
struct target {
	struct diary *diary;
	struct lag_writer writer;
	bool opens; /* this pass is the first of its bin */
};

struct diary {
	struct store_txn *txn;
	uint32_t cluster;
	int64_t at_ms;
	bool write;
	struct entries groups; /* of this pass */
	uint32_t *told;        /* numbers of groups */
	size_t told_count, told_cap;
	struct target targets[LAG_LEVELS];
	struct buf text;

	/* the group at hand */
	uint32_t group;
	uint32_t events;  /* written */
	uint32_t changed; /* partitions whose status changed */
	struct worst worst;
};

/* --- bins --- */

static struct past_bin bin_of(const struct diary *d, unsigned level)
{
	return (struct past_bin){d->cluster, level, lag_bin(level, d->at_ms)};
}

static void put_block(void *arg, const struct lag_id *first, const uint8_t *data, size_t size)
{
	const struct target *t = arg;

	past_put_lag(t->diary->txn, bin_of(t->diary, t->writer.level), first, data, size);
}

static void begin_bin(struct diary *d, unsigned level)
{
	d->targets[level].diary = d;
	lag_writer_begin(&d->targets[level].writer, level, put_block, &d->targets[level]);
}

static void open_partition_bins(struct diary *d)
{
	const struct lag_id first = {0};
	const uint8_t *data = NULL;
	size_t size = 0;

	for (unsigned i = LAG_GROUP_LEVELS; i < LAG_LEVELS; i++) {
		begin_bin(d, i);
		d->targets[i].opens = !past_find_lag(d->txn, bin_of(d, i), &first, &data, &size);
	}
}

static void close_partition_bins(struct diary *d)
{
	for (unsigned i = LAG_GROUP_LEVELS; i < LAG_LEVELS; i++)
		if (d->targets[i].opens)
			lag_writer_end(&d->targets[i].writer);
}

static void add_partition_lag(struct diary *d, const struct diary_partition *p)
{
	const struct lag_sample s = {.lag = lag_encode(p->verdict->lag)};
	const struct lag_id id = {d->group, p->topic_id, p->partition};

	for (unsigned i = LAG_GROUP_LEVELS; i < LAG_LEVELS; i++)
		if (d->targets[i].opens)
			lag_writer_add(&d->targets[i].writer, &id, &s);
}

static void add_entry(struct entries *e, const struct lag_id *id, const struct lag_sample *s)
{
	e->list = mem_grow(e->list, e->count, &e->cap, sizeof(*e->list));
	e->list[e->count++] = (struct entry){*id, *s};
}

/* What the bin holds already; false: it is not there. */
static bool read_bin(struct diary *d, unsigned level, struct entries *out)
{
	const uint8_t *data = NULL;
	size_t size = 0;
	bool any = false;

	for (bool more = past_next_lag(d->txn, true, bin_of(d, level), &data, &size); more;
	     more = past_next_lag(d->txn, false, bin_of(d, level), &data, &size)) {
		struct lag_reader r;
		struct lag_id id;
		struct lag_sample s;

		any = true;
		lag_reader_begin(&r, level, data, size);
		while (lag_reader_next(&r, &id, &s))
			add_entry(out, &id, &s);
	}
	return any;
}

/* The worse of what was there and what this pass saw; false: nothing is worse than before. */
static bool merge(const struct entries *old, const struct entries *new, struct entries *out)
{
	size_t i = 0;
	size_t k = 0;
	bool changed = false;

	while (i < old->count || k < new->count) {
		const struct entry *a = i < old->count ? &old->list[i] : NULL;
		const struct entry *b = k < new->count ? &new->list[k] : NULL;
		int order = a == NULL ? 1 : b == NULL ? -1 : lag_id_compare(&a->id, &b->id);
		struct entry one = order <= 0 ? *a : *b;

		if (order == 0)
			lag_worse(&one.sample, &b->sample);
		changed |= order > 0 ||
			   (order == 0 && memcmp(&one.sample, &a->sample, sizeof(one.sample)) != 0);
		i += order <= 0;
		k += order >= 0;
		add_entry(out, &one.id, &one.sample);
	}
	return changed;
}

static void write_bin(struct diary *d, unsigned level, const struct entries *e)
{
	begin_bin(d, level);
	for (size_t i = 0; i < e->count; i++)
		lag_writer_add(&d->targets[level].writer, &e->list[i].id, &e->list[i].sample);
	lag_writer_end(&d->targets[level].writer);
}

static void write_group_level(struct diary *d, unsigned level)
{
	struct entries old = {0};
	struct entries both = {0};

	if (!read_bin(d, level, &old)) {
		write_bin(d, level, &d->groups);
	} else if (merge(&old, &d->groups, &both)) {
		past_del_lag(d->txn, bin_of(d, level));
		write_bin(d, level, &both);
	}
	free(old.list);
	free(both.list);
}

static void expire_bins(struct diary *d)
{
	for (unsigned i = 0; i < LAG_LEVELS; i++) {
		struct past_bin before = bin_of(d, i);

		before.bin -= MIN(before.bin, lag_level(i).bins);
		past_expire_lag(d->txn, before, EXPIRE_BLOCKS);
	}
}

/* --- events --- */

static int64_t end_of(const struct log_track *log)
{
	return log == NULL ? TRACK_UNKNOWN : log->end;
}

/* With the numbers of one partition. */
static struct past_event event_of(const struct diary *d, const struct judge_input *in,
				  const struct verdict *v)
{
	return (struct past_event){
		.at_ms = d->at_ms,
		.reason = (uint8_t)in->commit->reason,
		.committed = in->commit->offset,
		.end = end_of(in->log),
		.lag = v->lag,
		.lost = v->lost,
		.time_lag_ms = v->time_lag_ms,
		.limit_ms = v->limit_ms,
		.elapsed_ms = v->elapsed_ms,
	};
}

static void add_event(struct diary *d, struct past_event *e)
{
	e->sentence = buf_str(&d->text);
	past_add_event(d->txn, d->cluster, d->group, d->events++, e);
	buf_reset(&d->text);
}

static void tell_partition(struct diary *d, const struct diary_partition *p, enum past_kind kind)
{
	struct past_event e = event_of(d, p->in, p->verdict);

	if (d->events >= DIARY_EVENTS)
		return;
	e.kind = (uint8_t)kind;
	e.from = (uint8_t)p->before;
	e.to = p->in->commit->status;
	e.rule = p->verdict->rule;
	e.topic = p->topic;
	e.partition = p->partition;
	if (kind == PAST_STATUS)
		explain(p->in, p->verdict, &d->text);
	else if (kind == PAST_LOSS)
		buf_printf(&d->text, "%" PRId64 " messages were deleted before they were read",
			   p->in->commit->lost);
	else
		buf_puts(&d->text, "the topic was recreated, or its log cut back");
	add_event(d, &e);
}

static bool recreated(const struct diary *d, const struct diary_partition *p)
{
	return p->in->log != NULL && p->in->log->recreated_ms == d->at_ms &&
	       p->before != STATUS_NOTFOUND;
}

static void tell_changes(struct diary *d, const struct diary_partition *p)
{
	enum status now = (enum status)p->in->commit->status;

	if (p->lost)
		tell_partition(d, p, PAST_LOSS);
	if (recreated(d, p))
		tell_partition(d, p, PAST_RECREATED);
	if (now == p->before || (p->before == STATUS_NOTFOUND && now == STATUS_OK))
		return;
	d->changed++;
	tell_partition(d, p, PAST_STATUS);
}

static void note_worst(struct diary *d, const struct diary_partition *p)
{
	struct worst *w = &d->worst;
	enum status now = (enum status)p->in->commit->status;

	if (!p->verdict->counted)
		return;
	w->count += w->count != 0 && now == (enum status)w->commit.status;
	if (w->count != 0 && now <= (enum status)w->commit.status)
		return;
	w->count = 1;
	w->partition = p->partition;
	w->verdict = *p->verdict;
	w->commit = *p->in->commit;
	w->in = *p->in;
	w->in.commit = &w->commit;
	if (p->in->log != NULL) {
		w->log = *p->in->log;
		w->in.log = &w->log;
	}
	strncpy(w->topic, p->topic, sizeof(w->topic) - 1);
}

static void put_group_sentence(struct diary *d, const struct view_group *g, enum status before)
{
	const struct worst *w = &d->worst;

	if (before == STATUS_NOTFOUND)
		buf_puts(&d->text, "first seen; ");
	if (g->status == STATUS_OK || w->count == 0) {
		explain_quiet_group(g->partition_count, g->unknown_count, g->total_lag, &d->text);
		return;
	}
	buf_printf(&d->text, "%zu of %zu partitions: %s, first %s/%" PRId32 ": ", w->count,
		   g->partition_count, status_str((enum status)w->commit.status), w->topic,
		   w->partition);
	explain(&w->in, &w->verdict, &d->text);
}

static void tell_group(struct diary *d, const struct view_group *g, enum status before)
{
	struct past_event e = {.committed = TRACK_UNKNOWN, .end = TRACK_UNKNOWN};

	if (d->worst.count != 0)
		e = event_of(d, &d->worst.in, &d->worst.verdict);
	e.at_ms = d->at_ms;
	e.kind = PAST_STATUS;
	e.from = (uint8_t)before;
	e.to = (uint8_t)g->status;
	e.reason = (uint8_t)g->reason;
	e.of_group = true;
	e.partition = -1;
	e.changed = d->changed;
	e.topic = "";
	e.lag = (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX);
	e.time_lag_ms = g->time_lag_ms;
	e.lost = g->lost;
	put_group_sentence(d, g, before);
	add_event(d, &e);
}

/* --- the evaluation --- */

struct diary *diary_begin(struct store_txn *t, uint32_t cluster, int64_t at_ms, bool write)
{
	struct diary *d = mem_zeroed(1, sizeof(*d));

	d->txn = t;
	d->cluster = cluster;
	d->at_ms = at_ms;
	d->write = write;
	if (write)
		open_partition_bins(d);
	return d;
}

void diary_begin_group(struct diary *d, uint32_t group)
{
	d->group = group;
	d->events = d->changed = 0;
	d->worst.count = 0;
	d->told = mem_grow(d->told, d->told_count, &d->told_cap, sizeof(*d->told));
	d->told[d->told_count++] = group;
}

void diary_partition(struct diary *d, const struct diary_partition *p)
{
	if (!d->write)
		return;
	add_partition_lag(d, p);
	note_worst(d, p);
	tell_changes(d, p);
}

static void add_group_lag(struct diary *d, const struct view_group *g)
{
	const struct lag_id id = {.group = d->group};
	const struct lag_sample s = {
		.lag = lag_encode((int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX)),
		.max = lag_encode(g->partition_count == 0
					  ? 0
					  : MAX(g->partitions[g->max_lag].lag, (int64_t)0)),
		.time = lag_encode(g->time_lag_ms),
		.status = (uint8_t)g->status,
		.at_least = g->time_lag_at_least,
	};

	if (!lag_idle(&s))
		add_entry(&d->groups, &id, &s);
}

void diary_end_group(struct diary *d, struct view_group *g)
{
	struct past_standing s = {.first_ms = d->at_ms};
	bool known = past_get_standing(d->txn, d->cluster, d->group, &s);
	enum status before = known ? (enum status)s.status : STATUS_NOTFOUND;

	if (d->write && g->partition_count != 0)
		add_group_lag(d, g);
	if (d->write && before != g->status) {
		s.status = g->status;
		s.since_ms = d->at_ms;
		past_put_standing(d->txn, d->cluster, d->group, &s);
	}
	if (d->write && (before != g->status || d->changed > DIARY_EVENTS))
		tell_group(d, g, before);
	if (d->events != 0)
		past_trim_events(d->txn, d->cluster, d->group, d->at_ms);
	g->since_ms = s.since_ms;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Groups that have a standing and were not told of are gone. */
static void forget_gone(struct diary *d)
{
	struct past_standing s;
	uint32_t group = 0;

	if (d->told_count > 1)
		qsort(d->told, d->told_count, sizeof(*d->told), by_number);
	for (bool first = true; past_next_standing(d->txn, first, d->cluster, &group, &s);
	     first = false)
		if (d->told_count == 0 ||
		    bsearch(&group, d->told, d->told_count, sizeof(*d->told), by_number) == NULL)
			past_del_group(d->txn, d->cluster, group);
}

void diary_end(struct diary **d)
{
	struct diary *done = *d;

	if (done->write) {
		close_partition_bins(done);
		for (unsigned i = 0; i < LAG_GROUP_LEVELS; i++)
			write_group_level(done, i);
		expire_bins(done);
		forget_gone(done);
		if (done->text.err != ERR_OK && done->txn->err == ERR_OK)
			done->txn->err = done->text.err;
	}
	buf_free(&done->text);
	free(done->groups.list);
	free(done->told);
	free(done);
	*d = NULL;
}
