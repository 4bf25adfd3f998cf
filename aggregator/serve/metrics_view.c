/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_view.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/exposition.h"
#include "common/err.h"

int metrics_view_begin(const struct view *v, struct metrics_view *ret_m)
{
	*ret_m = (struct metrics_view){.view = v};
	ret_m->ends = calloc(v->group_count + 1, sizeof(*ret_m->ends));
	if (ret_m->ends == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < v->group_count; i++) {
		exposition_label(&ret_m->labels, "cluster", v->cluster);
		exposition_label(&ret_m->labels, "consumer_group", v->groups[i].name);
		ret_m->ends[i] = ret_m->labels.size;
	}
	return ret_m->labels.err;
}

void metrics_view_free(struct metrics_view *m)
{
	buf_free(&m->labels);
	free(m->ends);
	m->ends = NULL;
}

static void put_group_labels(const struct metrics_view *m, size_t group, struct buf *out)
{
	size_t begin = group > 0 ? m->ends[group - 1] : 0;

	buf_put(out, m->labels.data + begin, m->ends[group] - begin);
}

static bool is_burrows(enum metrics_family family)
{
	return family < METRICS_BURROW_END;
}

/* --- of each group --- */

/* Returns false when there is nothing to say. */
typedef bool group_value(const struct view_group *g, int64_t *ret_value);

static bool group_lag(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX);
	return true;
}

static bool group_status(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->status;
	return g->status != STATUS_NOTFOUND;
}

static bool group_bad(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = (int64_t)g->bad_count;
	return true;
}

static bool group_lost(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->lost;
	return true;
}

static bool group_members(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->member_count;
	return true;
}

static bool group_partitions(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = (int64_t)g->partition_count;
	return true;
}

static bool group_margin(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->margin_ms;
	return g->margin_ms >= 0;
}

static bool group_stale(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->stale;
	return true;
}

static bool group_since(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->since_ms;
	return g->since_ms > 0;
}

static bool group_time_lag(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->time_lag_ms;
	return g->time_lag_ms >= 0;
}

/* A number for each group. */
static const struct {
	group_value *value;
	bool milliseconds;
} GROUP_VALUES[METRICS_VIEW_END] = {
	[METRICS_BURROW_LAG_TOTAL] = {group_lag, false},
	[METRICS_BURROW_STATUS] = {group_status, false},
	[METRICS_CONSUMER_BAD_PARTITIONS] = {group_bad, false},
	[METRICS_CONSUMER_LAG] = {group_lag, false},
	[METRICS_CONSUMER_LOST] = {group_lost, false},
	[METRICS_CONSUMER_MEMBERS] = {group_members, false},
	[METRICS_CONSUMER_PARTITIONS] = {group_partitions, false},
	[METRICS_CONSUMER_MARGIN] = {group_margin, true},
	[METRICS_CONSUMER_STALE] = {group_stale, false},
	[METRICS_CONSUMER_STATUS] = {group_status, false},
	[METRICS_CONSUMER_SINCE] = {group_since, true},
	[METRICS_CONSUMER_TIME_LAG] = {group_time_lag, true},
};

static void open_group(const struct metrics_view *m, enum metrics_family family, size_t group,
		       struct buf *out)
{
	exposition_open(out, metrics_table_row(family)->name);
	put_group_labels(m, group, out);
	if (!is_burrows(family))
		exposition_label(out, "environment", m->view->environment);
}

static void put_value(struct buf *out, int64_t value, bool milliseconds)
{
	if (milliseconds)
		exposition_ms(out, value);
	else
		exposition_int(out, value);
}

static void put_groups(const struct metrics_view *m, enum metrics_family family, struct buf *out)
{
	for (size_t i = 0; i < m->view->group_count; i++) {
		int64_t value = 0;

		if (!GROUP_VALUES[family].value(&m->view->groups[i], &value))
			continue;
		open_group(m, family, i, out);
		exposition_close(out);
		put_value(out, value, GROUP_VALUES[family].milliseconds);
	}
}

/* --- a word for each group, as a label: one sample, that of the word that holds --- */

static void put_words(const struct metrics_view *m, enum metrics_family family, struct buf *out)
{
	bool reasons = family == METRICS_CONSUMER_REASON;

	for (size_t i = 0; i < m->view->group_count; i++) {
		const struct view_group *g = &m->view->groups[i];
		const char *word = reasons ? reason_str(g->reason) : g->state;

		if (word[0] == '\0')
			continue;
		open_group(m, family, i, out);
		exposition_label(out, reasons ? "reason" : "state", word);
		exposition_close(out);
		exposition_int(out, 1);
	}
}

/* --- of each partition of each group --- */

typedef bool partition_value(const struct view_partition *p, int64_t *ret_value);

static bool current_offset(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = p->committed;
	return p->committed >= 0;
}

/* Burrow says 0 where it does not know. */
static bool burrow_lag(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = MAX(p->lag, (int64_t)0);
	return true;
}

static bool partition_status(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = p->status;
	return true;
}

static bool partition_lag(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = p->lag;
	return p->lag >= 0;
}

static bool partition_time_lag(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = p->time_lag_ms;
	return p->time_lag_ms >= 0;
}

static const struct {
	partition_value *value;
	bool milliseconds;
} PARTITION_VALUES[METRICS_VIEW_END] = {
	[METRICS_BURROW_OFFSET] = {current_offset, false},
	[METRICS_BURROW_PARTITION_LAG] = {burrow_lag, false},
	[METRICS_BURROW_PARTITION_STATUS] = {partition_status, false},
	[METRICS_PARTITION_LAG] = {partition_lag, false},
	[METRICS_PARTITION_TIME_LAG] = {partition_time_lag, true},
};

/* What the samples of a group have before the number of the partition, and those of a topic after
 * it. */
struct frame {
	struct buf before, after;
	const char *topic; /* of after */
};

static void begin_group(struct frame *f, const struct metrics_view *m, enum metrics_family family,
			size_t group)
{
	buf_reset(&f->before);
	open_group(m, family, group, &f->before);
	buf_puts(&f->before, "partition=\"");
	f->topic = NULL;
}

static void begin_topic(struct frame *f, const char *topic)
{
	if (f->topic != NULL && strcmp(f->topic, topic) == 0)
		return;
	buf_reset(&f->after);
	buf_puts(&f->after, "\",");
	exposition_label(&f->after, "topic", topic);
	exposition_close(&f->after);
	f->topic = topic;
}

static void put_of_group(struct frame *f, enum metrics_family family, const struct view_group *g,
			 struct buf *out)
{
	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];
		int64_t value = 0;

		if (!PARTITION_VALUES[family].value(p, &value))
			continue;
		begin_topic(f, p->topic);
		buf_put(out, f->before.data, f->before.size);
		buf_put_i64(out, p->partition);
		buf_put(out, f->after.data, f->after.size);
		put_value(out, value, PARTITION_VALUES[family].milliseconds);
	}
}

static void put_partitions(const struct metrics_view *m, enum metrics_family family,
			   struct buf *out)
{
	struct frame f = {.topic = NULL};

	for (size_t i = 0; i < m->view->group_count; i++) {
		begin_group(&f, m, family, i);
		put_of_group(&f, family, &m->view->groups[i], out);
	}
	if (f.before.err != ERR_OK || f.after.err != ERR_OK)
		out->err = -ENOMEM;
	buf_free(&f.before);
	buf_free(&f.after);
}

/* --- topics --- */

static void put_topic(const struct view *v, const struct view_topic *t, struct buf *out)
{
	for (int32_t i = 0; i < t->partition_count; i++) {
		exposition_open(out, metrics_table_row(METRICS_BURROW_TOPIC_OFFSET)->name);
		exposition_label(out, "cluster", v->cluster);
		buf_puts(out, "partition=\"");
		buf_put_i64(out, i);
		buf_puts(out, "\",");
		exposition_label(out, "topic", t->name);
		exposition_close(out);
		exposition_int(out, MAX(t->ends[i], (int64_t)0));
	}
}

static void put_topics(const struct view *v, struct buf *out)
{
	for (size_t i = 0; i < v->topic_count; i++)
		put_topic(v, &v->topics[i], out);
}

/* --- the cluster --- */

static void open_cluster(const struct view *v, enum metrics_family family, struct buf *out)
{
	exposition_open(out, metrics_table_row(family)->name);
	exposition_label(out, "cluster", v->cluster);
	exposition_label(out, "environment", v->environment);
}

static void put_cluster_groups(const struct view *v, struct buf *out)
{
	int64_t counts[STATUS_ERR + 1] = {0};

	for (size_t i = 0; i < v->group_count; i++)
		counts[MIN(v->groups[i].status, STATUS_ERR)]++;
	for (enum status s = STATUS_OK; s <= STATUS_ERR; s++) {
		open_cluster(v, METRICS_CLUSTER_GROUPS, out);
		exposition_label(out, "status", status_str(s));
		exposition_close(out);
		exposition_int(out, counts[s]);
	}
}

static int64_t cluster_lag(const struct view *v)
{
	uint64_t lag = 0;

	for (size_t i = 0; i < v->group_count; i++)
		lag += v->groups[i].total_lag;
	return (int64_t)MIN(lag, (uint64_t)INT64_MAX);
}

static void put_cluster(const struct view *v, enum metrics_family family, int64_t value,
			struct buf *out)
{
	open_cluster(v, family, out);
	exposition_close(out);
	exposition_int(out, value);
}

void metrics_view_put(const struct metrics_view *m, enum metrics_family family, struct buf *out)
{
	const struct view *v = m->view;

	if (GROUP_VALUES[family].value != NULL)
		put_groups(m, family, out);
	else if (PARTITION_VALUES[family].value != NULL)
		put_partitions(m, family, out);
	else if (family == METRICS_CONSUMER_REASON || family == METRICS_CONSUMER_STATE)
		put_words(m, family, out);
	else if (family == METRICS_BURROW_TOPIC_OFFSET)
		put_topics(v, out);
	else if (family == METRICS_CLUSTER_GROUPS)
		put_cluster_groups(v, out);
	else if (family == METRICS_CLUSTER_LAG)
		put_cluster(v, family, cluster_lag(v), out);
	else if (family == METRICS_CLUSTER_STALE)
		put_cluster(v, family, v->stale, out);
	else if (family == METRICS_CLUSTER_TOPICS)
		put_cluster(v, family, (int64_t)v->topic_count, out);
}
