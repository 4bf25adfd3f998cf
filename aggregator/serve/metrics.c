/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api_outbox.h"
#include "aggregator/serve/exposition.h"
#include "aggregator/serve/metrics_incidents.h"
#include "aggregator/serve/openmetrics.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/wire.h"

#define RENDERED_MAX ((size_t)1 << 30) /* bytes; a partition of a group takes about 400 */

/* Renderings that are kept, each of the clusters that some see: see struct access. */
#define SCOPES 8

struct rendering {
	struct body *body; /* NULL: none */
	uint64_t serial;   /* the board's when body was rendered */
	uint32_t scope;
	uint64_t used; /* the turn in which it was asked for last */
};

struct metrics {
	pthread_mutex_t mtx;
	struct rendering kept[SCOPES]; /* under mtx */
	uint64_t turn;                 /* under mtx */
};

/* The views of a board, held while they are rendered. */
struct views {
	struct view **all;
	size_t count;
};

struct metrics *metrics_new(void)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m != NULL)
		pthread_mutex_init(&m->mtx, NULL);
	return m;
}

void metrics_free(struct metrics **m)
{
	struct metrics *gone = *m;

	*m = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < SCOPES; i++)
		body_unref(&gone->kept[i].body);
	pthread_mutex_destroy(&gone->mtx);
	free(gone);
}

static void release(struct views *v)
{
	for (size_t i = 0; i < v->count; i++)
		view_unref(&v->all[i]);
	free(v->all);
}

/* --- families with a sample for each partition of each group --- */

/* A value's function returns false when there is nothing to say. */
struct partition_family {
	const char *name, *help;
	bool (*value)(const struct view_partition *p, int64_t *ret_value);
};

static bool current_offset(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = p->committed;
	return p->committed >= 0;
}

static bool partition_lag(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = MAX(p->lag, (int64_t)0);
	return true;
}

static bool partition_status(const struct view_partition *p, int64_t *ret_value)
{
	*ret_value = p->status;
	return true;
}

/* The families are in the order of their names, as client libraries write them. */
static const struct partition_family OFFSET = {
	"burrow_kafka_consumer_current_offset",
	"Latest offset that Burrow is storing for this partition", current_offset};
static const struct partition_family LAG = {
	"burrow_kafka_consumer_partition_lag",
	"Number of messages the consumer group is behind by for a partition as reported by Burrow",
	partition_lag};
static const struct partition_family STATUS = {
	"burrow_kafka_topic_partition_status",
	"The status of topic partition. It is calculated from the highest status for the "
	"individual partitions. Statuses are an index list from OK, WARN, STOP, STALL, REWIND",
	partition_status};

/* What a group's samples have before the partition's number, and a topic's after it. */
struct frame {
	struct buf before, after;
	const char *topic; /* of after */
};

static void begin_group(struct frame *f, const char *family, const struct view *v,
			const struct view_group *g)
{
	buf_reset(&f->before);
	buf_puts(&f->before, family);
	buf_putc(&f->before, '{');
	exposition_label(&f->before, "cluster", v->cluster);
	exposition_label(&f->before, "consumer_group", g->name);
	buf_puts(&f->before, "partition=\"");
	f->topic = NULL;
}

static void begin_topic(struct frame *f, const char *topic)
{
	if (f->topic != NULL && strcmp(f->topic, topic) == 0)
		return;
	buf_reset(&f->after);
	buf_puts(&f->after, "\",topic=\"");
	exposition_escaped(&f->after, topic);
	buf_puts(&f->after, "\"} ");
	f->topic = topic;
}

static void put_partitions(struct buf *b, struct frame *f, const struct partition_family *family,
			   const struct view_group *g)
{
	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];
		int64_t value = 0;

		if (!family->value(p, &value))
			continue;
		begin_topic(f, p->topic);
		buf_put(b, f->before.data, f->before.size);
		buf_put_i64(b, p->partition);
		buf_put(b, f->after.data, f->after.size);
		buf_put_i64(b, value);
		buf_putc(b, '\n');
	}
}

static void put_partition_family(struct buf *b, const struct partition_family *family,
				 const struct views *views)
{
	struct frame f = {.topic = NULL};

	exposition_family(b, family->name, "gauge", family->help);
	for (size_t i = 0; i < views->count; i++) {
		const struct view *v = views->all[i];

		for (size_t k = 0; k < v->group_count; k++) {
			begin_group(&f, family->name, v, &v->groups[k]);
			put_partitions(b, &f, family, &v->groups[k]);
		}
	}
	if (f.before.err != ERR_OK || f.after.err != ERR_OK)
		b->err = -ENOMEM;
	buf_free(&f.before);
	buf_free(&f.after);
}

/* --- families with a sample for each group --- */

struct group_family {
	const char *name, *help;
	bool environment; /* has this label; Burrow's have not */
	bool milliseconds;
	bool (*value)(const struct view_group *g, int64_t *ret_value);
};

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

static bool group_time_lag(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->time_lag_ms;
	return g->time_lag_ms >= 0;
}

static bool group_lost(const struct view_group *g, int64_t *ret_value)
{
	*ret_value = g->lost;
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

static const struct group_family GROUP_LAG = {
	.name = "burrow_kafka_consumer_lag_total",
	.help = "The sum of all partition current lag values for the group",
	.value = group_lag};
static const struct group_family GROUP_STATUS = {
	.name = "burrow_kafka_consumer_status",
	.help = "The status of the consumer group. It is calculated from the highest status for "
		"the individual partitions. Statuses are an index list from NOTFOUND, OK, WARN, "
		"or ERR",
	.value = group_status};
static const struct group_family GROUP_LOST = {
	.name = "warren_consumer_lost_messages",
	.help = "Messages that were deleted before the consumer group read them, and that it has "
		"not passed yet",
	.environment = true,
	.value = group_lost};
static const struct group_family GROUP_MARGIN = {
	.name = "warren_consumer_retention_margin_seconds",
	.help = "How long until messages that wait for the consumer group are deleted, where that "
		"can be told",
	.environment = true,
	.milliseconds = true,
	.value = group_margin};
static const struct group_family GROUP_STALE = {
	.name = "warren_consumer_stale",
	.help = "Whether the status of the consumer group is an older one that stands because "
		"the agent cannot see the cluster",
	.environment = true,
	.value = group_stale};
static const struct group_family GROUP_TIME_LAG = {
	.name = "warren_consumer_time_lag_seconds",
	.help = "How long the oldest unread message of the consumer group has been in its log",
	.environment = true,
	.milliseconds = true,
	.value = group_time_lag};

/* End a list of labels, and write the value. */
static void put_sample(struct buf *b, int64_t value, bool milliseconds)
{
	exposition_labels_end(b);
	if (milliseconds)
		exposition_seconds(b, value);
	else
		buf_put_i64(b, value);
	buf_putc(b, '\n');
}

static void put_group_family(struct buf *b, const struct group_family *family,
			     const struct views *views)
{
	exposition_family(b, family->name, "gauge", family->help);
	for (size_t i = 0; i < views->count; i++) {
		const struct view *v = views->all[i];

		for (size_t k = 0; k < v->group_count; k++) {
			int64_t value = 0;

			if (!family->value(&v->groups[k], &value))
				continue;
			buf_puts(b, family->name);
			buf_putc(b, '{');
			exposition_label(b, "cluster", v->cluster);
			exposition_label(b, "consumer_group", v->groups[k].name);
			if (family->environment)
				exposition_label(b, "environment", v->environment);
			put_sample(b, value, family->milliseconds);
		}
	}
}

/* --- topics --- */

static void put_topic(struct buf *b, const struct view *v, const struct view_topic *t)
{
	for (int32_t i = 0; i < t->partition_count; i++) {
		buf_puts(b, "burrow_kafka_topic_partition_offset{");
		exposition_label(b, "cluster", v->cluster);
		buf_puts(b, "partition=\"");
		buf_put_i64(b, i);
		buf_puts(b, "\",");
		exposition_label(b, "topic", t->name);
		put_sample(b, MAX(t->ends[i], (int64_t)0), false);
	}
}

static void put_topics(struct buf *b, const struct views *views)
{
	exposition_family(b, "burrow_kafka_topic_partition_offset", "gauge",
			  "Latest offset the topic that Burrow is storing for this partition");
	for (size_t i = 0; i < views->count; i++) {
		for (size_t k = 0; k < views->all[i]->topic_count; k++)
			put_topic(b, views->all[i], &views->all[i]->topics[k]);
	}
}

/* --- agents --- */

struct agent_family {
	const char *name, *type, *help;
	bool milliseconds;
	int64_t (*value)(const struct view *v, int64_t now_ms);
};

static int64_t agent_last_seen(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return v->agent.last_seen_ms;
}

static int64_t agent_problem(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return v->agent.problem[0] != '\0';
}

static int64_t agent_records(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return (int64_t)v->agent.records;
}

static int64_t agent_unknown(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return (int64_t)v->agent.unknown;
}

static int64_t agent_malformed(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return (int64_t)v->agent.malformed;
}

static int64_t agent_dropped(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return (int64_t)v->agent.dropped;
}

static int64_t agent_spooled(const struct view *v, int64_t now_ms)
{
	(void)now_ms;
	return (int64_t)v->agent.spool_batches;
}

static int64_t pass_age(const struct view *v, int64_t now_ms)
{
	return v->received_ms > 0 ? MAX(now_ms - v->received_ms, (int64_t)0) : VIEW_UNKNOWN;
}

/* A negative value is one that is not known, and is left out. */
static const struct agent_family AGENT_FAMILIES[] = {
	{"warren_agent_dropped_batches_total", "counter",
	 "Batches that the agent dropped because its spool was full or they were too old", false,
	 agent_dropped},
	{"warren_agent_last_seen_timestamp_seconds", "gauge",
	 "When this aggregator last heard of the agent", true, agent_last_seen},
	{"warren_agent_malformed_records_total", "counter",
	 "Records of the offsets topic that the agent could not decode", false, agent_malformed},
	{"warren_agent_problem", "gauge",
	 "Whether the agent reports a problem; the REST API says which", false, agent_problem},
	{"warren_agent_records_total", "counter",
	 "Records of the offsets topic that the agent has read", false, agent_records},
	{"warren_agent_spooled_batches", "gauge",
	 "Batches that wait in the agent's spool to be acknowledged", false, agent_spooled},
	{"warren_agent_unknown_records_total", "counter",
	 "Records of the offsets topic of a version that the agent does not know", false,
	 agent_unknown},
	{"warren_pass_age_seconds", "gauge",
	 "How long ago the last complete pass over the cluster arrived here", true, pass_age},
};

static void put_agent_labels(struct buf *b, const char *name, const struct view *v)
{
	buf_puts(b, name);
	buf_putc(b, '{');
	exposition_label(b, "agent", v->agent.name);
	exposition_label(b, "cluster", v->cluster);
	exposition_label(b, "environment", v->environment);
}

static void put_agent_family(struct buf *b, const struct agent_family *family,
			     const struct views *views, int64_t now_ms)
{
	exposition_family(b, family->name, family->type, family->help);
	for (size_t i = 0; i < views->count; i++) {
		int64_t value = family->value(views->all[i], now_ms);

		if (value < 0)
			continue;
		put_agent_labels(b, family->name, views->all[i]);
		put_sample(b, value, family->milliseconds);
	}
}

static void put_agent_states(struct buf *b, const struct views *views)
{
	static const char *const STATES[] = {
		[WIRE_AGENT_STARTING] = "starting",
		[WIRE_AGENT_CATCHING_UP] = "catching_up",
		[WIRE_AGENT_RUNNING] = "running",
		[WIRE_AGENT_BLIND] = "blind",
	};

	exposition_family(b, "warren_agent_state", "gauge",
			  "1 for the state that the agent is in, 0 for the others");
	for (size_t i = 0; i < views->count; i++) {
		for (int k = 0; k < (int)ARRAY_LEN(STATES); k++) {
			put_agent_labels(b, "warren_agent_state", views->all[i]);
			exposition_label(b, "state", STATES[k]);
			put_sample(b, views->all[i]->agent.state == k, false);
		}
	}
}

static void put_agents(struct buf *b, const struct views *views, int64_t now_ms)
{
	for (size_t i = 0; i < ARRAY_LEN(AGENT_FAMILIES); i++)
		put_agent_family(b, &AGENT_FAMILIES[i], views, now_ms);
	put_agent_states(b, views);
	exposition_family(b, "warren_build_info", "gauge",
			  "1, with the version of this aggregator as a label");
	buf_puts(b, "warren_build_info{");
	exposition_label(b, "version", WARREN_VERSION);
	put_sample(b, 1, false);
}

/* --- the whole --- */

static void put_of_partitions(struct buf *b, const struct views *views)
{
	put_partition_family(b, &OFFSET, views);
	put_partition_family(b, &LAG, views);
	put_partition_family(b, &STATUS, views);
}

static void put_of_groups(struct buf *b, const struct views *views)
{
	static const struct group_family *const FAMILIES[] = {&GROUP_LAG,   &GROUP_STATUS,
							      &GROUP_LOST,  &GROUP_MARGIN,
							      &GROUP_STALE, &GROUP_TIME_LAG};

	for (size_t i = 0; i < ARRAY_LEN(FAMILIES); i++)
		put_group_family(b, FAMILIES[i], views);
}

static struct body *render(const struct server_config *config, const struct views *views)
{
	CLEANUP(buf_free) struct buf b = {.limit = RENDERED_MAX};

	if (!config->no_metrics_of.groups)
		put_of_groups(&b, views);
	if (!config->no_metrics_of.partitions)
		put_of_partitions(&b, views);
	if (!config->no_metrics_of.topics)
		put_topics(&b, views);
	buf_puts(&b, OPENMETRICS_END);
	return body_new(&b);
}

/* The rendering of a scope, or the one that was asked for longest ago. Under mtx. */
static struct rendering *find_rendering(struct metrics *m, uint32_t scope)
{
	struct rendering *oldest = &m->kept[0];

	for (size_t i = 0; i < SCOPES; i++) {
		if (m->kept[i].body != NULL && m->kept[i].scope == scope)
			return &m->kept[i];
		if (m->kept[i].used < oldest->used)
			oldest = &m->kept[i];
	}
	return oldest;
}

/* The rendering of what a scope sees of the board as it was at serial or later. Those who ask while
 * it is made wait. */
static struct body *rendered(struct server *s, uint64_t serial, uint32_t scope,
			     const struct views *views)
{
	struct metrics *m = server_metrics(s);
	struct body *body = NULL;

	pthread_mutex_lock(&m->mtx);
	struct rendering *r = find_rendering(m, scope);
	if (r->body == NULL || r->scope != scope || r->serial < serial) {
		struct body *fresh = render(server_config(s), views);

		if (fresh != NULL) {
			body_unref(&r->body);
			*r = (struct rendering){.body = fresh, .serial = serial, .scope = scope};
		}
	}
	if (r->body != NULL && r->scope == scope && r->serial >= serial) {
		r->used = ++m->turn;
		body = body_ref(r->body);
	}
	pthread_mutex_unlock(&m->mtx);
	return body;
}

static void put_failures(struct buf *b, const struct auth *a)
{
	exposition_family(b, "warren_http_auth_failures_total", "counter",
			  "Requests that were refused for their credentials, or for want of them");
	for (int i = 0; i < AUTH_FAILURES; i++) {
		enum auth_failure f = (enum auth_failure)i;

		buf_puts(b, "warren_http_auth_failures_total{");
		exposition_label(b, "reason", auth_failure_str(f));
		put_sample(b, (int64_t)auth_failures(a, f), false);
	}
}

static void put_value(struct buf *b, const char *name, const char *type, const char *help,
		      uint64_t value)
{
	exposition_family(b, name, type, help);
	buf_puts(b, name);
	buf_putc(b, ' ');
	buf_put_u64(b, value);
	buf_putc(b, '\n');
}

static void put_number(struct buf *b, const char *name, const char *help, uint64_t value)
{
	put_value(b, name, "gauge", help, value);
}

struct count {
	const char *reason;
	uint64_t value;
};

static void put_reasons(struct buf *b, const char *name, const char *help,
			const struct count *reasons, size_t count)
{
	exposition_family(b, name, "counter", help);
	for (size_t i = 0; i < count; i++) {
		buf_puts(b, name);
		buf_putc(b, '{');
		exposition_label(b, "reason", reasons[i].reason);
		put_sample(b, (int64_t)reasons[i].value, false);
	}
}

static void put_answers(struct buf *b, struct server *s)
{
	exposition_family(b, "warren_http_responses_total", "counter",
			  "Requests answered over HTTP, by the first digit of their status");
	for (unsigned digit = 2; digit <= 5; digit++) {
		const char code[] = {(char)('0' + digit), 'x', 'x', '\0'};

		buf_puts(b, "warren_http_responses_total{");
		exposition_label(b, "code", code);
		put_sample(b, (int64_t)server_answered(s, digit), false);
	}
}

static void put_judging(struct buf *b, const struct server_ingest *in)
{
	put_value(b, "warren_judge_passes_total", "counter", "Passes judged", in->passes);
	exposition_family(b, "warren_judge_seconds_total", "counter", "Time that judging took");
	buf_puts(b, "warren_judge_seconds_total ");
	exposition_seconds(b, (int64_t)(in->judge_us / 1000));
	buf_putc(b, '\n');
	put_value(b, "warren_store_transactions_total", "counter",
		  "Transactions of the store that were committed", in->transactions);
}

static void put_ingest(struct buf *b, const struct server_calls *calls)
{
	struct server_ingest in = {0};

	if (calls->ingest == NULL)
		return;
	calls->ingest(calls->arg, &in);
	const struct count denied[] = {
		{"hello", in.hellos_refused},        {"stale_hello", in.hellos_stale},
		{"forged_batch", in.batches_forged}, {"foreign_cluster", in.batches_foreign},
		{"new_names", in.batches_delayed},
	};
	const struct count closed[] = {
		{"too_many", in.connections_refused},
		{"idle", in.connections_idle},
		{"silent", in.connections_silent},
	};

	put_judging(b, &in);
	put_number(b, "warren_ingest_connections", "Connections of agents", in.connections);
	put_value(b, "warren_ingest_batches_total", "counter", "Batches applied", in.batches);
	put_value(b, "warren_ingest_rows_total", "counter", "Rows in them", in.rows);
	put_value(b, "warren_ingest_duplicates_total", "counter",
		  "Batches that had been applied before", in.duplicates);
	put_value(b, "warren_ingest_rejected_total", "counter",
		  "Batches that were refused for good", in.rejected);
	put_value(b, "warren_ingest_lost_total", "counter",
		  "Batches that agents no longer had when it was their turn", in.lost);
	put_value(b, "warren_ingest_busy_total", "counter",
		  "Requests of agents put off for want of room", in.busy);
	put_reasons(b, "warren_ingest_denied_total", "What agents were not allowed", denied,
		    ARRAY_LEN(denied));
	put_reasons(b, "warren_ingest_closed_total", "Connections of agents that were closed",
		    closed, ARRAY_LEN(closed));
}

static void put_store(struct buf *b, const struct server_calls *calls)
{
	struct server_store s = {0};

	if (calls->store == NULL)
		return;
	calls->store(calls->arg, &s);
	put_number(b, "warren_store_degraded",
		   "Whether the store takes no writes at present, or not all", s.degraded);
	put_number(b, "warren_store_limit_bytes", "What the store may grow to: map_size", s.limit);
	put_number(b, "warren_store_used_bytes", "What the store holds, free pages not counted",
		   s.used);
}

void metrics_scrape(struct server *s, const struct request *rq, struct response *rs)
{
	/* First the serial: views that are newer than it do no harm, older ones would stay. */
	uint64_t serial = server_board_serial(s);
	CLEANUP(release) struct views views = {.count = 0};

	views.count = server_all_views(s, rq, &views.all);
	rs->type = "text/plain; version=0.0.4; charset=utf-8";
	put_agents(&rs->body, &views, clock_wall_ms());
	put_failures(&rs->body, server_config(s)->auth);
	put_answers(&rs->body, s);
	put_ingest(&rs->body, server_calls(s));
	put_store(&rs->body, server_calls(s));
	api_outbox_metrics(&rs->body, server_calls(s), rq->who);
	metrics_incidents(&rs->body, server_calls(s), rq->who);
	if (openmetrics_wanted(rq)) {
		rs->type = OPENMETRICS_TYPE;
		openmetrics_families(&rs->body);
	}
	rs->shared = rendered(s, serial, rq->who->scope, &views);
	if (rs->shared == NULL)
		server_refuse(s, rq, 503, "no memory to render the metrics", rs);
}
