/* SPDX-License-Identifier: Apache-2.0 */

/* wire_put - the structs of wire.h -> protobuf. */

#include "proto/wire_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* The structs of protobuf-c know no const; packing only reads what they point to. */
static void *unconst(const void *p)
{
	union {
		const void *from;
		void *to;
	} u = {.from = p};

	return u.to;
}

/* s as bytes, at most max of them, not cut inside a UTF-8 sequence. */
static ProtobufCBinaryData bytes_of(const char *s, size_t max)
{
	size_t len = s == NULL ? 0 : strlen(s);

	if (len > max) {
		len = max;
		while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
	}
	return (ProtobufCBinaryData){.len = len, .data = unconst(s)};
}

static ProtobufCBinaryData challenge_of(const uint8_t *bytes)
{
	return (ProtobufCBinaryData){.len = bytes == NULL ? 0 : MAC_SIZE, .data = unconst(bytes)};
}

static void pack(struct buf *out, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	char *at = size > 0 ? buf_reserve(out, size) : NULL; /* 0: all is as by default */

	if (at != NULL)
		out->size += protobuf_c_message_pack(m, (uint8_t *)at);
}

void wire_put_hello(struct buf *out, const struct wire_hello *m)
{
	Warren__Hello h = WARREN__HELLO__INIT;
	ProtobufCBinaryData clusters[WIRE_CLUSTERS_MAX];

	assert(m->cluster_count <= WIRE_CLUSTERS_MAX);
	for (size_t i = 0; i < m->cluster_count; i++)
		clusters[i] = bytes_of(m->clusters[i], WIRE_LABEL_MAX);
	h.agent = bytes_of(m->agent, WIRE_LABEL_MAX);
	h.epoch = m->epoch;
	h.instance = m->instance;
	h.next_seq = m->next_seq;
	h.version_min = m->version_min;
	h.version_max = m->version_max;
	h.features = m->features;
	h.software = bytes_of(m->software, WIRE_TEXT_MAX);
	h.config_hash = m->config_hash;
	h.n_clusters = m->cluster_count;
	h.clusters = clusters;
	h.challenge = challenge_of(m->challenge);
	pack(out, &h.base);
}

void wire_put_welcome(struct buf *out, const struct wire_welcome *m)
{
	Warren__Welcome w = WARREN__WELCOME__INIT;

	w.code = m->code;
	w.reason = bytes_of(m->reason, WIRE_TEXT_MAX);
	w.version = m->version;
	w.features = m->features;
	w.session = m->session;
	w.applied_seq = m->applied_seq;
	w.max_batch_bytes = m->max_batch_bytes;
	w.credit = m->credit;
	w.server_time_ms = m->server_time_ms;
	w.challenge = challenge_of(m->challenge);
	pack(out, &w.base);
}

static void fill_probes(Warren__Ack *k, const struct wire_ack *m, Warren__Probe *probes,
			Warren__Probe **list)
{
	for (size_t i = 0; i < m->probe_count; i++) {
		const struct wire_probe *p = &m->probes[i];

		warren__probe__init(&probes[i]);
		probes[i].topic = bytes_of(p->topic, WIRE_TOPIC_MAX);
		probes[i].partition = p->partition;
		probes[i].offset = p->offset;
		probes[i].end = minus(p->end, p->offset);
		list[i] = &probes[i];
	}
	k->probe_cluster = bytes_of(m->probe_cluster, WIRE_LABEL_MAX);
	k->probe_environment = bytes_of(m->probe_environment, WIRE_LABEL_MAX);
	k->n_probes = m->probe_count;
	k->probes = list;
}

void wire_put_ack(struct buf *out, const struct wire_ack *m)
{
	Warren__Ack k = WARREN__ACK__INIT;
	Warren__Probe probes[WIRE_PROBES_MAX];
	Warren__Probe *list[WIRE_PROBES_MAX];

	assert(m->probe_count <= WIRE_PROBES_MAX);
	k.code = m->code;
	k.seq = m->seq;
	k.retry_ms = m->retry_ms;
	k.reason = bytes_of(m->reason, WIRE_TEXT_MAX);
	k.applied_seq = m->applied_seq;
	if (m->probe_count > 0)
		fill_probes(&k, m, probes, list);
	pack(out, &k.base);
}

/* What the columns and the structs of one batch need while it is packed: an upper bound,
 * with the padding of each piece taken from the arena. */
static size_t scratch_size(const struct wire_batch *m)
{
	enum { PIECES = 32, PAD = 16, LOG = 3 * 4 + 3 * 8, COMMIT = 3 * 4 + 3 * 8, GONE = 3 * 4 };
	enum { PROBE = 3 * 4 + 3 * 8 };
	size_t size = PIECES * PAD;

	size += m->name_count * sizeof(ProtobufCBinaryData);
	size += m->log_count * LOG + m->commit_count * COMMIT + m->gone_commit_count * GONE;
	size += m->probe_count * PROBE;
	size += m->group_count * (sizeof(Warren__Group) + sizeof(Warren__Group *));
	for (size_t i = 0; i < m->group_count; i++) {
		const struct wire_group *g = &m->groups[i];

		size += 2 * PAD;
		size += g->member_count * (sizeof(Warren__Member) + sizeof(Warren__Member *));
		for (size_t k = 0; k < g->member_count; k++)
			size += 2 * PAD + g->members[k].assigned_count * 2 * 4;
	}
	return size;
}

static void *take(struct arena *a, size_t count, size_t size)
{
	void *p = arena_alloc(a, count * size);

	assert(p != NULL); /* or scratch_size() counts wrong */
	return p;
}

/* A column of a value that may be unknown: 0 if it is, else the difference made not zero. */
static int64_t known(int64_t value, int64_t difference)
{
	if (value == WIRE_UNKNOWN)
		return 0;
	return difference >= 0 ? plus(difference, 1) : difference;
}

static void fill_logs(Warren__Batch *b, const struct wire_batch *m, struct arena *a)
{
	size_t n = m->log_count;
	struct wire_log_row last = {0};

	b->n_log_topic = b->n_log_partition = b->n_log_epoch = n;
	b->n_log_start = b->n_log_end = b->n_log_stable = n;
	b->log_topic = take(a, n, sizeof(int32_t));
	b->log_partition = take(a, n, sizeof(int32_t));
	b->log_start = take(a, n, sizeof(int64_t));
	b->log_end = take(a, n, sizeof(int64_t));
	b->log_stable = take(a, n, sizeof(int64_t));
	b->log_epoch = take(a, n, sizeof(int32_t));
	for (size_t i = 0; i < n; i++) {
		const struct wire_log_row *r = &m->logs[i];

		b->log_topic[i] = (int32_t)(r->topic - last.topic);
		b->log_partition[i] = r->partition - last.partition;
		b->log_start[i] = r->start;
		b->log_end[i] = minus(r->end, r->start);
		b->log_stable[i] = known(r->stable, minus(r->end, r->stable));
		b->log_epoch[i] = r->epoch;
		last = *r;
	}
}

static void fill_commits(Warren__Batch *b, const struct wire_batch *m, struct arena *a)
{
	size_t n = m->commit_count;
	struct wire_commit_row last = {0};

	b->n_commit_group = b->n_commit_topic = b->n_commit_partition = n;
	b->n_commit_offset = b->n_commit_time_ms = b->n_commit_arrival_ms = n;
	b->commit_group = take(a, n, sizeof(int32_t));
	b->commit_topic = take(a, n, sizeof(int32_t));
	b->commit_partition = take(a, n, sizeof(int32_t));
	b->commit_offset = take(a, n, sizeof(int64_t));
	b->commit_time_ms = take(a, n, sizeof(int64_t));
	b->commit_arrival_ms = take(a, n, sizeof(int64_t));
	for (size_t i = 0; i < n; i++) {
		const struct wire_commit_row *r = &m->commits[i];

		b->commit_group[i] = (int32_t)(r->group - last.group);
		b->commit_topic[i] = (int32_t)(r->topic - last.topic);
		b->commit_partition[i] = r->partition - last.partition;
		b->commit_offset[i] = r->offset;
		b->commit_time_ms[i] = known(r->time_ms, minus(r->time_ms, r->arrival_ms));
		b->commit_arrival_ms[i] = minus(m->pass_at_ms, r->arrival_ms);
		last = *r;
	}
}

static void fill_member(Warren__Member *to, const struct wire_member *m, struct arena *a)
{
	size_t n = m->assigned_count;

	warren__member__init(to);
	to->id = bytes_of(m->id, WIRE_NAME_MAX);
	to->client_id = bytes_of(m->client_id, WIRE_NAME_MAX);
	to->host = bytes_of(m->host, WIRE_NAME_MAX);
	to->n_subscribed = m->subscribed_count;
	to->subscribed = unconst(m->subscribed);
	to->n_topic = to->n_partition = n;
	to->topic = take(a, n, sizeof(uint32_t));
	to->partition = take(a, n, sizeof(int32_t));
	for (size_t i = 0; i < n; i++) {
		to->topic[i] = m->assigned[i].topic;
		to->partition[i] = m->assigned[i].partition;
	}
}

static void fill_group(Warren__Group *to, const struct wire_group *g, struct arena *a)
{
	Warren__Member *members = take(a, g->member_count, sizeof(*members));

	warren__group__init(to);
	to->name = g->name;
	to->protocol = g->protocol;
	to->state = g->state;
	to->generation = g->generation;
	to->n_members = g->member_count;
	to->members = take(a, g->member_count, sizeof(Warren__Member *));
	for (size_t i = 0; i < g->member_count; i++) {
		fill_member(&members[i], &g->members[i], a);
		to->members[i] = &members[i];
	}
}

static void fill_groups(Warren__Batch *b, const struct wire_batch *m, struct arena *a)
{
	Warren__Group *groups = take(a, m->group_count, sizeof(*groups));

	b->n_groups = m->group_count;
	b->groups = take(a, m->group_count, sizeof(Warren__Group *));
	for (size_t i = 0; i < m->group_count; i++) {
		fill_group(&groups[i], &m->groups[i], a);
		b->groups[i] = &groups[i];
	}
}

static void fill_gone(Warren__Batch *b, const struct wire_batch *m, struct arena *a)
{
	size_t n = m->gone_commit_count;

	b->n_gone_group = m->gone_group_count;
	b->gone_group = unconst(m->gone_groups);
	b->n_gone_topic = m->gone_topic_count;
	b->gone_topic = unconst(m->gone_topics);
	b->n_gone_commit_group = b->n_gone_commit_topic = b->n_gone_commit_partition = n;
	b->gone_commit_group = take(a, n, sizeof(uint32_t));
	b->gone_commit_topic = take(a, n, sizeof(uint32_t));
	b->gone_commit_partition = take(a, n, sizeof(int32_t));
	for (size_t i = 0; i < n; i++) {
		b->gone_commit_group[i] = m->gone_commits[i].group;
		b->gone_commit_topic[i] = m->gone_commits[i].topic;
		b->gone_commit_partition[i] = m->gone_commits[i].partition;
	}
}

static void fill_answers(Warren__Batch *b, const struct wire_batch *m, struct arena *a)
{
	size_t n = m->probe_count;
	struct wire_probe_row last = {0};

	b->n_probe_topic = b->n_probe_partition = b->n_probe_answer = n;
	b->n_probe_offset = b->n_probe_end = b->n_probe_time_ms = n;
	b->probe_topic = take(a, n, sizeof(int32_t));
	b->probe_partition = take(a, n, sizeof(int32_t));
	b->probe_offset = take(a, n, sizeof(int64_t));
	b->probe_end = take(a, n, sizeof(int64_t));
	b->probe_answer = take(a, n, sizeof(uint32_t));
	b->probe_time_ms = take(a, n, sizeof(int64_t));
	for (size_t i = 0; i < n; i++) {
		const struct wire_probe_row *r = &m->probes[i];

		b->probe_topic[i] = (int32_t)(r->topic - last.topic);
		b->probe_partition[i] = r->partition - last.partition;
		b->probe_offset[i] = r->offset;
		b->probe_end[i] = minus(r->end, r->offset);
		b->probe_answer[i] = r->answer;
		b->probe_time_ms[i] = known(r->time_ms, minus(m->pass_at_ms, r->time_ms));
		last = *r;
	}
}

static void fill_report(Warren__Report *to, const struct wire_report *r)
{
	to->state = r->state;
	to->read = r->read;
	to->to_read = r->to_read;
	to->records = r->records;
	to->unknown = r->unknown;
	to->malformed = r->malformed;
	to->skipped = r->skipped;
	to->log_failed = r->log_failed;
	to->problem = bytes_of(r->problem, WIRE_TEXT_MAX);
	to->source = bytes_of(r->source, WIRE_TEXT_MAX);
	to->servers = bytes_of(r->servers, WIRE_TEXT_MAX);
	to->lag = r->lag;
	to->spool_bytes = r->spool_bytes;
	to->spool_batches = r->spool_batches;
	to->dropped = r->dropped;
	to->probes = r->probes;
}

static void fill_head(Warren__Batch *b, const struct wire_batch *m)
{
	b->agent = bytes_of(m->agent, WIRE_LABEL_MAX);
	b->epoch = m->epoch;
	b->seq = m->seq;
	b->instance = m->instance;
	b->floor_seq = m->floor_seq;
	b->sent_ms = m->sent_ms;
	b->sent_steady_ms = m->sent_steady_ms;
	b->spool_batches_now = m->spool_batches;
	b->spool_bytes_now = m->spool_bytes;
	b->cluster = bytes_of(m->cluster, WIRE_LABEL_MAX);
	b->environment = bytes_of(m->environment, WIRE_LABEL_MAX);
	b->pass = m->pass;
	b->pass_at_ms = m->pass_at_ms;
	b->interval_ms = m->interval_ms;
	b->flags = m->flags;
}

void wire_put_batch(struct buf *out, const struct wire_batch *m)
{
	Warren__Batch b = WARREN__BATCH__INIT;
	Warren__Report report = WARREN__REPORT__INIT;
	CLEANUP(arena_free) struct arena a = {.size = scratch_size(m)};

	a.base = malloc(a.size);
	if (a.base == NULL) {
		out->err = out->err != ERR_OK ? out->err : -ENOMEM;
		return;
	}
	fill_head(&b, m);
	fill_report(&report, &m->report);
	b.report = &report;
	b.n_names = m->name_count;
	b.names = take(&a, m->name_count, sizeof(*b.names));
	for (size_t i = 0; i < m->name_count; i++)
		b.names[i] = bytes_of(m->names[i], SIZE_MAX);
	fill_logs(&b, m, &a);
	fill_commits(&b, m, &a);
	fill_groups(&b, m, &a);
	fill_gone(&b, m, &a);
	fill_answers(&b, m, &a);
	pack(out, &b.base);
}
