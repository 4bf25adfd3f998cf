/* SPDX-License-Identifier: Apache-2.0 */

/* wire_get - protobuf from a peer that may send anything -> the structs of wire.h, checked. */

#include "proto/wire_priv.h"

#include <string.h>

#include "common/err.h"

struct reader {
	struct arena *arena;
	int err; /* the first failure */
	const ProtobufCBinaryData *names;
	size_t name_count;
};

static void fail(struct reader *r, int err)
{
	if (r->err == ERR_OK)
		r->err = err;
}

static void require(struct reader *r, bool condition)
{
	if (!condition)
		fail(r, ERR_MALFORMED);
}

static void limit(struct reader *r, size_t value, size_t max)
{
	if (value > max)
		fail(r, ERR_LIMIT);
}

/* Memory for count things; NULL, and r->err set, if there is no room or r has failed. */
static void *room(struct reader *r, size_t count, size_t size)
{
	void *p = r->err == ERR_OK ? arena_alloc(r->arena, count * size) : NULL;

	if (p == NULL)
		fail(r, ERR_LIMIT);
	return p;
}

/* protobuf-c's allocator. One byte more than asked for, so that text() can end in place
 * what was sent as bytes. */
static void *reader_alloc(void *reader, size_t size)
{
	struct reader *r = reader;
	void *p = arena_alloc(r->arena, size + 1);

	if (p == NULL)
		fail(r, ERR_LIMIT);
	return p;
}

static void reader_free(void *reader, void *p)
{
	(void)reader;
	(void)p;
}

/* A message whose parts all lie in the arena, or NULL and r->err. protobuf-c counts before it
 * allocates, so a body of WIRE_BODY_MAX bytes takes what the arena has and no more. */
static void *unpack(struct reader *r, const ProtobufCMessageDescriptor *type, const uint8_t *data,
		    size_t size)
{
	ProtobufCAllocator allocator = {reader_alloc, reader_free, r};

	limit(r, size, WIRE_BODY_MAX);
	if (r->err != ERR_OK)
		return NULL;
	void *m = protobuf_c_message_unpack(type, &allocator, size, data);
	require(r, m != NULL);
	return m;
}

static const char *text(struct reader *r, ProtobufCBinaryData d, size_t min, size_t max)
{
	limit(r, d.len, max);
	require(r, d.len >= min);
	if (r->err != ERR_OK || d.len == 0)
		return "";
	require(r, memchr(d.data, '\0', d.len) == NULL);
	d.data[d.len] = '\0';
	return (const char *)d.data;
}

static const uint8_t *challenge(struct reader *r, ProtobufCBinaryData d)
{
	require(r, d.len == 0 || d.len == MAC_SIZE);
	return d.len == 0 ? NULL : d.data;
}

int wire_get_hello(const uint8_t *data, size_t size, struct arena *a, struct wire_hello *ret_m)
{
	struct reader r = {.arena = a};
	const Warren__Hello *h = unpack(&r, &warren__hello__descriptor, data, size);

	if (h == NULL)
		return r.err;
	limit(&r, h->n_clusters, WIRE_CLUSTERS_MAX);
	require(&r, h->version_min <= h->version_max);
	struct wire_hello m = {
		.agent = text(&r, h->agent, 1, WIRE_LABEL_MAX),
		.epoch = h->epoch,
		.instance = h->instance,
		.next_seq = h->next_seq,
		.version_min = h->version_min,
		.version_max = h->version_max,
		.features = h->features,
		.software = text(&r, h->software, 0, WIRE_TEXT_MAX),
		.config_hash = h->config_hash,
		.clusters = room(&r, h->n_clusters, sizeof(*m.clusters)),
		.cluster_count = h->n_clusters,
		.challenge = challenge(&r, h->challenge),
	};
	for (size_t i = 0; r.err == ERR_OK && i < m.cluster_count; i++)
		m.clusters[i] = text(&r, h->clusters[i], 1, WIRE_LABEL_MAX);
	if (r.err == ERR_OK)
		*ret_m = m;
	return r.err;
}

int wire_get_welcome(const uint8_t *data, size_t size, struct arena *a, struct wire_welcome *ret_m)
{
	struct reader r = {.arena = a};
	const Warren__Welcome *w = unpack(&r, &warren__welcome__descriptor, data, size);

	if (w == NULL)
		return r.err;
	require(&r, w->code == WIRE_OK || w->code == WIRE_RETRY || w->code == WIRE_REFUSED ||
			    w->code == WIRE_CHALLENGE);
	require(&r, (w->code == WIRE_CHALLENGE) == (w->challenge.len != 0));
	if (w->code == WIRE_OK) {
		require(&r, w->credit >= 1);
		require(&r, w->max_batch_bytes >= 1 && w->max_batch_bytes <= WIRE_BODY_MAX);
	}
	struct wire_welcome m = {
		.code = (enum wire_code)w->code,
		.reason = text(&r, w->reason, 0, WIRE_TEXT_MAX),
		.version = w->version,
		.features = w->features,
		.session = w->session,
		.applied_seq = w->applied_seq,
		.max_batch_bytes = w->max_batch_bytes,
		.credit = w->credit,
		.server_time_ms = w->server_time_ms,
		.challenge = challenge(&r, w->challenge),
	};
	if (r.err == ERR_OK)
		*ret_m = m;
	return r.err;
}

static bool is_partition(int64_t p)
{
	return p >= 0 && p <= WIRE_PARTITION_MAX;
}

static void get_probes(struct reader *r, const Warren__Ack *k, struct wire_ack *m)
{
	limit(r, k->n_probes, WIRE_PROBES_MAX);
	struct wire_probe *probes = room(r, k->n_probes, sizeof(*probes));
	for (size_t i = 0; r->err == ERR_OK && i < k->n_probes; i++) {
		const Warren__Probe *p = k->probes[i];

		probes[i] = (struct wire_probe){
			.topic = text(r, p->topic, 1, WIRE_TOPIC_MAX),
			.partition = p->partition,
			.offset = p->offset,
			.end = plus(p->offset, p->end),
		};
		require(r, is_partition(p->partition) && p->offset >= 0);
		require(r, probes[i].end >= p->offset);
	}
	m->probe_cluster = text(r, k->probe_cluster, k->n_probes > 0 ? 1 : 0, WIRE_LABEL_MAX);
	m->probe_environment = text(r, k->probe_environment, 0, WIRE_LABEL_MAX);
	m->probes = probes;
	m->probe_count = k->n_probes;
}

int wire_get_ack(const uint8_t *data, size_t size, struct arena *a, struct wire_ack *ret_m)
{
	struct reader r = {.arena = a};
	const Warren__Ack *k = unpack(&r, &warren__ack__descriptor, data, size);

	if (k == NULL)
		return r.err;
	require(&r, k->code <= WIRE_FENCED);
	struct wire_ack m = {
		.code = (enum wire_code)k->code,
		.seq = k->seq,
		.retry_ms = k->retry_ms,
		.reason = text(&r, k->reason, 0, WIRE_TEXT_MAX),
		.applied_seq = k->applied_seq,
	};
	get_probes(&r, k, &m);
	if (r.err == ERR_OK)
		*ret_m = m;
	return r.err;
}

static bool is_name(const struct reader *r, int64_t i)
{
	return i >= 0 && (uint64_t)i < r->name_count;
}

static bool is_topic(const struct reader *r, int64_t i)
{
	return is_name(r, i) && r->names[i].len >= 1 && r->names[i].len <= WIRE_TOPIC_MAX;
}

static void get_names(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	limit(r, b->n_names, WIRE_NAMES_MAX);
	m->names = room(r, b->n_names, sizeof(*m->names));
	m->name_count = b->n_names;
	for (size_t i = 0; r->err == ERR_OK && i < b->n_names; i++)
		m->names[i] = text(r, b->names[i], 0, WIRE_NAME_MAX);
	r->names = b->names;
	r->name_count = b->n_names;
}

static void get_logs(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	size_t n = b->n_log_topic;
	int64_t topic = 0, partition = 0;

	limit(r, n, WIRE_ROWS_MAX);
	require(r, b->n_log_partition == n && b->n_log_epoch == n);
	require(r, b->n_log_start == n && b->n_log_end == n && b->n_log_stable == n);
	struct wire_log_row *rows = room(r, n, sizeof(*rows));
	for (size_t i = 0; r->err == ERR_OK && i < n; i++) {
		int64_t stable = b->log_stable[i];

		topic += b->log_topic[i];
		partition += b->log_partition[i];
		require(r, is_topic(r, topic) && is_partition(partition));
		rows[i] = (struct wire_log_row){
			.topic = (uint32_t)topic,
			.partition = (int32_t)partition,
			.start = b->log_start[i],
			.end = plus(b->log_start[i], b->log_end[i]),
			.epoch = b->log_epoch[i],
		};
		rows[i].stable = stable == 0 ? WIRE_UNKNOWN
					     : minus(rows[i].end, stable > 0 ? stable - 1 : stable);
		require(r, rows[i].start >= WIRE_UNKNOWN && rows[i].end >= WIRE_UNKNOWN);
		require(r, rows[i].stable >= WIRE_UNKNOWN && rows[i].epoch >= WIRE_UNKNOWN);
	}
	m->logs = rows;
	m->log_count = n;
}

static void get_commits(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	size_t n = b->n_commit_group;
	int64_t group = 0, topic = 0, partition = 0;

	limit(r, n, WIRE_ROWS_MAX);
	require(r, b->n_commit_topic == n && b->n_commit_partition == n);
	require(r, b->n_commit_offset == n && b->n_commit_time_ms == n);
	require(r, b->n_commit_arrival_ms == n);
	struct wire_commit_row *rows = room(r, n, sizeof(*rows));
	for (size_t i = 0; r->err == ERR_OK && i < n; i++) {
		int64_t time = b->commit_time_ms[i];
		int64_t arrival = minus(b->pass_at_ms, b->commit_arrival_ms[i]);

		group += b->commit_group[i];
		topic += b->commit_topic[i];
		partition += b->commit_partition[i];
		require(r, is_name(r, group) && is_topic(r, topic) && is_partition(partition));
		rows[i] = (struct wire_commit_row){
			.group = (uint32_t)group,
			.topic = (uint32_t)topic,
			.partition = (int32_t)partition,
			.offset = b->commit_offset[i],
			.time_ms = time == 0 ? WIRE_UNKNOWN
					     : plus(arrival, time > 0 ? time - 1 : time),
			.arrival_ms = arrival,
		};
		require(r, rows[i].offset >= WIRE_UNKNOWN && arrival >= 0);
		require(r, rows[i].time_ms >= WIRE_UNKNOWN);
	}
	m->commits = rows;
	m->commit_count = n;
}

/* Indexes as they came, if all of them are names, or topics. */
static const uint32_t *get_list(struct reader *r, const uint32_t *list, size_t n, bool topics)
{
	limit(r, n, WIRE_NAMES_MAX);
	for (size_t i = 0; r->err == ERR_OK && i < n; i++)
		require(r, topics ? is_topic(r, list[i]) : is_name(r, list[i]));
	return list;
}

static void get_member(struct reader *r, const Warren__Member *from, struct wire_member *m)
{
	size_t n = from->n_topic;

	limit(r, n, WIRE_ROWS_MAX);
	require(r, from->n_partition == n);
	struct wire_partition *assigned = room(r, n, sizeof(*assigned));
	for (size_t i = 0; r->err == ERR_OK && i < n; i++) {
		require(r, is_topic(r, from->topic[i]) && is_partition(from->partition[i]));
		assigned[i] = (struct wire_partition){from->topic[i], from->partition[i]};
	}
	*m = (struct wire_member){
		.id = text(r, from->id, 0, WIRE_NAME_MAX),
		.client_id = text(r, from->client_id, 0, WIRE_NAME_MAX),
		.host = text(r, from->host, 0, WIRE_NAME_MAX),
		.subscribed = get_list(r, from->subscribed, from->n_subscribed, true),
		.subscribed_count = from->n_subscribed,
		.assigned = assigned,
		.assigned_count = n,
	};
}

static void get_group(struct reader *r, const Warren__Group *from, struct wire_group *g)
{
	struct wire_member *members = room(r, from->n_members, sizeof(*members));

	require(r, is_name(r, from->name) && from->generation >= WIRE_UNKNOWN);
	require(r, from->protocol <= WIRE_PROTOCOL_NONE && from->state <= WIRE_GROUP_DEAD);
	for (size_t i = 0; r->err == ERR_OK && i < from->n_members; i++)
		get_member(r, from->members[i], &members[i]);
	*g = (struct wire_group){
		.name = from->name,
		.protocol = (enum wire_protocol)from->protocol,
		.state = (enum wire_group_state)from->state,
		.generation = from->generation,
		.members = members,
		.member_count = from->n_members,
	};
}

static void get_groups(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	limit(r, b->n_groups, WIRE_NAMES_MAX);
	struct wire_group *groups = room(r, b->n_groups, sizeof(*groups));
	for (size_t i = 0; r->err == ERR_OK && i < b->n_groups; i++)
		get_group(r, b->groups[i], &groups[i]);
	m->groups = groups;
	m->group_count = b->n_groups;
}

static void get_gone(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	size_t n = b->n_gone_commit_group;

	m->gone_groups = get_list(r, b->gone_group, b->n_gone_group, false);
	m->gone_group_count = b->n_gone_group;
	m->gone_topics = get_list(r, b->gone_topic, b->n_gone_topic, true);
	m->gone_topic_count = b->n_gone_topic;

	limit(r, n, WIRE_ROWS_MAX);
	require(r, b->n_gone_commit_topic == n && b->n_gone_commit_partition == n);
	struct wire_gone_commit *rows = room(r, n, sizeof(*rows));
	for (size_t i = 0; r->err == ERR_OK && i < n; i++) {
		rows[i] =
			(struct wire_gone_commit){b->gone_commit_group[i], b->gone_commit_topic[i],
						  b->gone_commit_partition[i]};
		require(r, is_name(r, rows[i].group) && is_topic(r, rows[i].topic));
		require(r, is_partition(rows[i].partition));
	}
	m->gone_commits = rows;
	m->gone_commit_count = n;
}

static void get_answers(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	size_t n = b->n_probe_topic;
	int64_t topic = 0, partition = 0;

	limit(r, n, WIRE_PROBES_MAX);
	require(r, b->n_probe_partition == n && b->n_probe_offset == n);
	require(r, b->n_probe_end == n && b->n_probe_answer == n && b->n_probe_time_ms == n);
	struct wire_probe_row *rows = room(r, n, sizeof(*rows));
	for (size_t i = 0; r->err == ERR_OK && i < n; i++) {
		int64_t time = b->probe_time_ms[i];

		topic += b->probe_topic[i];
		partition += b->probe_partition[i];
		require(r, is_topic(r, topic) && is_partition(partition));
		require(r, b->probe_answer[i] <= WIRE_PROBE_RECORD);
		rows[i] = (struct wire_probe_row){
			.topic = (uint32_t)topic,
			.partition = (int32_t)partition,
			.offset = b->probe_offset[i],
			.end = plus(b->probe_offset[i], b->probe_end[i]),
			.answer = (enum wire_probe_answer)b->probe_answer[i],
			.time_ms = time == 0 ? WIRE_UNKNOWN
					     : minus(b->pass_at_ms, time > 0 ? time - 1 : time),
		};
		require(r, rows[i].offset >= 0 && rows[i].end >= rows[i].offset);
		require(r, rows[i].time_ms >= WIRE_UNKNOWN);
	}
	m->probes = rows;
	m->probe_count = n;
}

static void get_report(struct reader *r, const Warren__Report *from, struct wire_report *m)
{
	require(r, from != NULL);
	if (r->err != ERR_OK)
		return;
	require(r, from->state <= WIRE_AGENT_BLIND && from->lag >= WIRE_UNKNOWN);
	*m = (struct wire_report){
		.state = (enum wire_agent_state)from->state,
		.read = from->read,
		.to_read = from->to_read,
		.records = from->records,
		.unknown = from->unknown,
		.malformed = from->malformed,
		.skipped = from->skipped,
		.log_failed = from->log_failed,
		.problem = text(r, from->problem, 0, WIRE_TEXT_MAX),
		.source = text(r, from->source, 0, WIRE_TEXT_MAX),
		.servers = text(r, from->servers, 0, WIRE_TEXT_MAX),
		.lag = from->lag,
		.spool_bytes = from->spool_bytes,
		.spool_batches = from->spool_batches,
		.dropped = from->dropped,
		.probes = from->probes,
	};
}

static void get_head(struct reader *r, const Warren__Batch *b, struct wire_batch *m)
{
	*m = (struct wire_batch){
		.agent = text(r, b->agent, 1, WIRE_LABEL_MAX),
		.epoch = b->epoch,
		.seq = b->seq,
		.instance = b->instance,
		.floor_seq = b->floor_seq,
		.sent_ms = MAX(b->sent_ms, (int64_t)0),
		.sent_steady_ms = MAX(b->sent_steady_ms, (int64_t)0),
		.spool_batches = b->spool_batches_now,
		.spool_bytes = b->spool_bytes_now,
		.cluster = text(r, b->cluster, 1, WIRE_LABEL_MAX),
		.environment = text(r, b->environment, 0, WIRE_LABEL_MAX),
		.pass = b->pass,
		.pass_at_ms = b->pass_at_ms,
		.interval_ms = b->interval_ms,
		.flags = b->flags,
	};
	require(r, b->seq >= 1 && b->floor_seq <= b->seq);
	require(r, b->pass_at_ms >= 0 && (b->flags & ~WIRE_PASS_FLAGS) == 0);
}

/* A batch outside any pass carries a report and nothing else. */
static bool is_consistent(const struct wire_batch *m)
{
	size_t rows = m->log_count + m->commit_count + m->group_count + m->gone_group_count +
		      m->gone_topic_count + m->gone_commit_count + m->probe_count;

	return m->pass > 0 || (rows == 0 && m->flags == 0);
}

int wire_get_batch(const uint8_t *data, size_t size, struct arena *a, struct wire_batch *ret_m)
{
	struct reader r = {.arena = a};
	const Warren__Batch *b = unpack(&r, &warren__batch__descriptor, data, size);
	struct wire_batch m;

	if (b == NULL)
		return r.err;
	get_head(&r, b, &m);
	get_report(&r, b->report, &m.report);
	get_names(&r, b, &m);
	get_logs(&r, b, &m);
	get_commits(&r, b, &m);
	get_groups(&r, b, &m);
	get_gone(&r, b, &m);
	get_answers(&r, b, &m);
	require(&r, is_consistent(&m));
	if (r.err == ERR_OK)
		*ret_m = m;
	return r.err;
}
