/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_agents.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aggregator/serve/exposition.h"
#include "common/clock.h"
#include "proto/wire.h"

/* Where a number is not known there is no sample. */
struct number {
	int64_t value;
	bool known, milliseconds;
};

static struct number count_of(uint64_t value)
{
	return (struct number){(int64_t)MIN(value, (uint64_t)INT64_MAX), true, false};
}

static struct number time_of(int64_t ms)
{
	return (struct number){ms, ms > 0, true};
}

static void put_number(struct buf *b, struct number n)
{
	exposition_close(b);
	if (n.milliseconds)
		exposition_ms(b, n.value);
	else
		exposition_int(b, n.value);
}

/* --- of each cluster --- */

static struct number pass_age(const struct view *v)
{
	int64_t age_ms = MAX(clock_wall_ms() - v->received_ms, (int64_t)0);

	return (struct number){age_ms, v->received_ms > 0, true};
}

static struct number of_cluster(enum metrics_family family, const struct view *v)
{
	const struct view_agent *a = &v->agent;

	switch ((int)family) {
	case METRICS_PASS_AGE:
		return pass_age(v);
	case METRICS_PASS_INTERVAL:
		return time_of(v->interval_ms);
	case METRICS_PASS_TIMESTAMP:
		return time_of(v->as_of_ms);
	case METRICS_AGENT_LAST_SEEN:
		return time_of(a->last_seen_ms);
	case METRICS_AGENT_MALFORMED:
		return count_of(a->malformed);
	case METRICS_AGENT_PROBLEM:
		return count_of(a->problem[0] != '\0');
	case METRICS_AGENT_RECORDS:
		return count_of(a->records);
	case METRICS_AGENT_UNKNOWN:
		return count_of(a->unknown);
	case METRICS_AGENT_UNREAD:
		return (struct number){a->reader_lag, a->reader_lag >= 0, false};
	case METRICS_AGENT_UNREACHED:
		return count_of(a->log_failed);
	default:
		return (struct number){.known = false};
	}
}

static void open_cluster(struct buf *b, enum metrics_family family, const struct view *v)
{
	exposition_open(b, metrics_table_row(family)->name);
	exposition_label(b, "agent", v->agent.name);
	exposition_label(b, "cluster", v->cluster);
	exposition_label(b, "environment", v->environment);
}

static void put_states(struct buf *b, const struct view *v)
{
	static const char *const STATES[] = {
		[WIRE_AGENT_STARTING] = "starting",
		[WIRE_AGENT_CATCHING_UP] = "catching_up",
		[WIRE_AGENT_RUNNING] = "running",
		[WIRE_AGENT_BLIND] = "blind",
	};

	for (int i = 0; i < (int)ARRAY_LEN(STATES); i++) {
		open_cluster(b, METRICS_AGENT_STATE, v);
		exposition_label(b, "state", STATES[i]);
		put_number(b, count_of(v->agent.state == i));
	}
}

static void put_cluster(struct buf *b, enum metrics_family family, const struct view *v)
{
	if (family == METRICS_AGENT_STATE) {
		put_states(b, v);
		return;
	}
	struct number n = of_cluster(family, v);

	if (!n.known)
		return;
	open_cluster(b, family, v);
	put_number(b, n);
}

void metrics_agents_clusters(struct metrics_text *t, struct view *const *views, size_t count)
{
	for (enum metrics_family f = METRICS_VIEW_END; f < METRICS_AGENT_CLUSTER_END; f++) {
		struct buf *b = metrics_text_family(t, f);

		for (size_t i = 0; i < count; i++)
			put_cluster(b, f, views[i]);
	}
}

/* --- of each agent --- */

static struct number of_link(enum metrics_family family, const struct server_agent *a)
{
	switch ((int)family) {
	case METRICS_AGENT_BATCHES:
		return count_of(a->batches);
	case METRICS_AGENT_CONNECTS:
		return count_of(a->hellos);
	case METRICS_AGENT_DUPLICATES:
		return count_of(a->duplicates);
	case METRICS_AGENT_MESSAGE:
		return time_of(a->seen_ms);
	case METRICS_AGENT_REJECTED:
		return count_of(a->rejected);
	case METRICS_AGENT_SKEW:
		return (struct number){a->skew_ms, a->skew_known, true};
	case METRICS_AGENT_SPOOL_AGE:
		return (struct number){a->spool_age_ms, a->spool_age_ms >= 0, true};
	case METRICS_AGENT_SPOOL_BATCHES:
		return count_of(a->spool_batches);
	case METRICS_AGENT_SPOOL_BYTES:
		return count_of(a->spool_bytes);
	default:
		return (struct number){.known = false};
	}
}

/* What put_link() is called with. */
struct links {
	struct buf *out;
	enum metrics_family family;
};

static void put_info(struct buf *b, const struct server_agent *a)
{
	char hash[24] = "";

	if (a->config_hash != 0)
		snprintf(hash, sizeof(hash), "%016" PRIx64, a->config_hash);
	exposition_label(b, "config_hash", hash);
	exposition_label(b, "version", a->software);
	put_number(b, count_of(1));
}

static void put_link(void *arg, const struct server_agent *a)
{
	const struct links *l = arg;
	bool info = l->family == METRICS_AGENT_INFO;
	struct number n = of_link(l->family, a);

	if (!info && !n.known)
		return;
	exposition_open(l->out, metrics_table_row(l->family)->name);
	exposition_label(l->out, "agent", a->name);
	if (info)
		put_info(l->out, a);
	else
		put_number(l->out, n);
}

/* An agent reports this with each of its clusters: the view that was heard of last has it, or, if
 * an earlier one is of the same agent, it has been told already: NULL. */
static const struct view *last_heard(struct view *const *views, size_t count, size_t at)
{
	const struct view *last = views[at];

	for (size_t i = 0; i < count; i++) {
		if (strcmp(views[i]->agent.name, views[at]->agent.name) != 0)
			continue;
		if (i < at)
			return NULL;
		if (views[i]->agent.last_seen_ms > last->agent.last_seen_ms)
			last = views[i];
	}
	return last;
}

static void put_dropped(struct buf *b, struct view *const *views, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct view *v = last_heard(views, count, i);

		if (v == NULL)
			continue;
		exposition_open(b, metrics_table_row(METRICS_AGENT_DROPPED)->name);
		exposition_label(b, "agent", v->agent.name);
		put_number(b, count_of(v->agent.dropped));
	}
}

void metrics_agents_links(struct metrics_text *t, const struct server_calls *calls,
			  struct view *const *views, size_t count)
{
	for (enum metrics_family f = METRICS_AGENT_CLUSTER_END; f < METRICS_AGENT_END; f++) {
		struct links l = {metrics_text_family(t, f), f};

		if (f == METRICS_AGENT_DROPPED)
			put_dropped(l.out, views, count);
		else if (calls->agents != NULL)
			calls->agents(calls->arg, put_link, &l);
	}
}
