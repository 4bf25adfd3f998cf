/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "proto/wire.h"

/* Fields of warren.proto that cases below append by hand. */
enum { AGENT = 1, NAMES = 15 };

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, WIRE_ARENA_BYTES);
	srand(7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static int get(const struct buf *b, struct wire_batch *ret_m)
{
	arena_reset(&arena);
	return wire_get_batch((const uint8_t *)b->data, b->size, &arena, ret_m);
}

/* ---------------------------------------------------------------- batches to send */

static const char *name_list[] = {"payments", "orders", "c-1", "\xff\xfe not utf-8", ""};
static const struct wire_log_row log_rows[] = {
	{1, 0, 0, 100, WIRE_UNKNOWN, 3},
	{1, 1, 50, 1000000000000, 999999999990, WIRE_UNKNOWN},
	{1, 2, WIRE_UNKNOWN, WIRE_UNKNOWN, WIRE_UNKNOWN, WIRE_UNKNOWN},
	{3, 0, 10, 20, 25, 0}, /* the stable offset was read after the end */
	{1, WIRE_PARTITION_MAX, 0, INT64_MAX, INT64_MAX, INT32_MAX},
};
static const struct wire_commit_row commit_rows[] = {
	{0, 1, 0, 90, 1700000000000, 1700000000500},
	{0, 1, 1, WIRE_UNKNOWN, WIRE_UNKNOWN, 1700000000500},
	{4, 3, 7, INT64_MAX, 0, 1700000009999}, /* later than the pass began */
	{0, 1, 3, 0, 1700000000500, 1700000000500},
};
static const uint32_t subscribed[] = {1, 3};
static const struct wire_partition assigned[] = {{1, 0}, {3, 7}};
static const struct wire_member members[] = {
	{"c-1-uuid", "c-1", "/10.0.0.1", subscribed, 2, assigned, 2},
	{"c-2-uuid", "", "", NULL, 0, NULL, 0},
};
static const struct wire_group group_list[] = {
	{0, WIRE_PROTOCOL_CLASSIC, WIRE_GROUP_STABLE, 12, members, 2},
	{4, WIRE_PROTOCOL_NONE, WIRE_GROUP_EMPTY, WIRE_UNKNOWN, NULL, 0},
};
static const uint32_t gone_groups[] = {0, 4};
static const uint32_t gone_topics[] = {3};
static const struct wire_gone_commit gone_commits[] = {{0, 1, 0}, {4, 3, 99}};
static const struct wire_probe_row probe_rows[] = {
	{1, 0, 90, 100, WIRE_PROBE_RECORD, 1700000000999},
	{1, 1, 90, 90, WIRE_PROBE_NOTHING, WIRE_UNKNOWN},
	{3, 7, 0, INT64_MAX, WIRE_PROBE_UNKNOWN, WIRE_UNKNOWN},
	{3, 8, 5, 6, WIRE_PROBE_RECORD, 1700000001000}, /* at the time of the pass */
	{1, 9, 5, 6, WIRE_PROBE_RECORD, INT64_MAX},     /* its producer's clock is wrong */
	{1, 9, 5, 6, WIRE_PROBE_RECORD, 0},
};

static const struct wire_batch whole = {
	.agent = "dc1-prod-a",
	.epoch = UINT64_MAX,
	.seq = 42,
	.instance = 0x1122334455667788,
	.floor_seq = 40,
	.sent_ms = 1700000000123,
	.sent_steady_ms = 1700000000456,
	.spool_batches = 7,
	.spool_bytes = 4096,
	.cluster = "Seoul-1",
	.environment = "PROD",
	.pass = 17,
	.pass_at_ms = 1700000001000,
	.interval_ms = 10000,
	.flags = WIRE_PASS_FULL | WIRE_PASS_LAST,
	.report = {.state = WIRE_AGENT_RUNNING,
		   .records = 5,
		   .problem = "none",
		   .source = "offsets-topic",
		   .servers = "k1:9092,k2:9092",
		   .lag = WIRE_UNKNOWN,
		   .dropped = UINT64_MAX,
		   .probes = 20},
	.names = name_list,
	.name_count = ARRAY_LEN(name_list),
	.logs = log_rows,
	.log_count = ARRAY_LEN(log_rows),
	.commits = commit_rows,
	.commit_count = ARRAY_LEN(commit_rows),
	.groups = group_list,
	.group_count = ARRAY_LEN(group_list),
	.gone_groups = gone_groups,
	.gone_group_count = ARRAY_LEN(gone_groups),
	.gone_topics = gone_topics,
	.gone_topic_count = ARRAY_LEN(gone_topics),
	.gone_commits = gone_commits,
	.gone_commit_count = ARRAY_LEN(gone_commits),
	.probes = probe_rows,
	.probe_count = ARRAY_LEN(probe_rows),
};

/* ---------------------------------------------------------------- comparing */

static void assert_same_head(const struct wire_batch *a, const struct wire_batch *b)
{
	assert_string_equal(a->agent, b->agent);
	assert_true(a->epoch == b->epoch && a->seq == b->seq && a->instance == b->instance);
	assert_true(a->floor_seq == b->floor_seq && a->pass == b->pass);
	assert_true(a->sent_ms == b->sent_ms && a->sent_steady_ms == b->sent_steady_ms);
	assert_true(a->spool_batches == b->spool_batches && a->spool_bytes == b->spool_bytes);
	assert_string_equal(a->cluster, b->cluster);
	assert_string_equal(a->environment, b->environment);
	assert_true(a->pass_at_ms == b->pass_at_ms && a->interval_ms == b->interval_ms);
	assert_int_equal(a->flags, b->flags);
}

static void assert_same_report(const struct wire_report *a, const struct wire_report *b)
{
	assert_int_equal(a->state, b->state);
	assert_true(a->read == b->read && a->to_read == b->to_read && a->records == b->records);
	assert_true(a->unknown == b->unknown && a->malformed == b->malformed);
	assert_true(a->skipped == b->skipped && a->log_failed == b->log_failed);
	assert_string_equal(a->problem, b->problem);
	assert_string_equal(a->source, b->source);
	assert_string_equal(a->servers, b->servers);
	assert_true(a->lag == b->lag && a->spool_bytes == b->spool_bytes);
	assert_true(a->spool_batches == b->spool_batches && a->dropped == b->dropped);
	assert_int_equal(a->probes, b->probes);
}

static void assert_same_logs(const struct wire_batch *a, const struct wire_batch *b)
{
	assert_int_equal(a->log_count, b->log_count);
	for (size_t i = 0; i < a->log_count; i++) {
		const struct wire_log_row *x = &a->logs[i], *y = &b->logs[i];

		assert_true(x->topic == y->topic && x->partition == y->partition);
		assert_true(x->start == y->start && x->end == y->end && x->stable == y->stable);
		assert_int_equal(x->epoch, y->epoch);
	}
}

static void assert_same_commits(const struct wire_batch *a, const struct wire_batch *b)
{
	assert_int_equal(a->commit_count, b->commit_count);
	for (size_t i = 0; i < a->commit_count; i++) {
		const struct wire_commit_row *x = &a->commits[i], *y = &b->commits[i];

		assert_true(x->group == y->group && x->topic == y->topic);
		assert_true(x->partition == y->partition && x->offset == y->offset);
		assert_true(x->time_ms == y->time_ms && x->arrival_ms == y->arrival_ms);
	}
}

static void assert_same_list(const void *a, size_t na, const void *b, size_t nb, size_t size)
{
	assert_int_equal(na, nb);
	if (na > 0)
		assert_memory_equal(a, b, na * size);
}

static void assert_same_member(const struct wire_member *a, const struct wire_member *b)
{
	assert_string_equal(a->id, b->id);
	assert_string_equal(a->client_id, b->client_id);
	assert_string_equal(a->host, b->host);
	assert_same_list(a->subscribed, a->subscribed_count, b->subscribed, b->subscribed_count,
			 sizeof(*a->subscribed));
	assert_same_list(a->assigned, a->assigned_count, b->assigned, b->assigned_count,
			 sizeof(*a->assigned));
}

static void assert_same_groups(const struct wire_batch *a, const struct wire_batch *b)
{
	assert_int_equal(a->group_count, b->group_count);
	for (size_t i = 0; i < a->group_count; i++) {
		const struct wire_group *x = &a->groups[i], *y = &b->groups[i];

		assert_true(x->name == y->name && x->protocol == y->protocol);
		assert_true(x->state == y->state && x->generation == y->generation);
		assert_int_equal(x->member_count, y->member_count);
		for (size_t k = 0; k < x->member_count; k++)
			assert_same_member(&x->members[k], &y->members[k]);
	}
}

static void assert_same_answers(const struct wire_batch *a, const struct wire_batch *b)
{
	assert_int_equal(a->probe_count, b->probe_count);
	for (size_t i = 0; i < a->probe_count; i++) {
		const struct wire_probe_row *x = &a->probes[i], *y = &b->probes[i];

		assert_true(x->topic == y->topic && x->partition == y->partition);
		assert_true(x->offset == y->offset && x->end == y->end);
		assert_true(x->answer == y->answer && x->time_ms == y->time_ms);
	}
}

static void assert_same_batch(const struct wire_batch *a, const struct wire_batch *b)
{
	assert_same_head(a, b);
	assert_same_report(&a->report, &b->report);
	assert_int_equal(a->name_count, b->name_count);
	for (size_t i = 0; i < a->name_count; i++)
		assert_string_equal(a->names[i], b->names[i]);
	assert_same_logs(a, b);
	assert_same_commits(a, b);
	assert_same_groups(a, b);
	assert_same_list(a->gone_groups, a->gone_group_count, b->gone_groups, b->gone_group_count,
			 sizeof(*a->gone_groups));
	assert_same_list(a->gone_topics, a->gone_topic_count, b->gone_topics, b->gone_topic_count,
			 sizeof(*a->gone_topics));
	assert_same_list(a->gone_commits, a->gone_commit_count, b->gone_commits,
			 b->gone_commit_count, sizeof(*a->gone_commits));
	assert_same_answers(a, b);
}

/* ---------------------------------------------------------------- round trips */

static void a_whole_batch_comes_back(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_batch m;

	buf_puts(&b, "kept");
	wire_put_batch(&b, &whole);
	assert_int_equal(b.err, ERR_OK);
	assert_memory_equal(b.data, "kept", 4);
	memmove(b.data, b.data + 4, b.size - 4);
	b.size -= 4;
	assert_int_equal(get(&b, &m), ERR_OK);
	assert_same_batch(&whole, &m);
}

static void a_batch_with_nothing_but_a_report_comes_back(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_batch in = {.agent = "a", .cluster = "c", .seq = 1}, m;

	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_OK);
	assert_string_equal(m.environment, "");
	assert_string_equal(m.report.problem, "");
	assert_int_equal(m.name_count + m.log_count + m.commit_count + m.group_count, 0);
}

/* Mostly small numbers, sometimes any that is allowed. */
static int64_t random_offset(void)
{
	int64_t any = (int64_t)((uint64_t)rand() << 32 ^ (uint64_t)rand() << 1) & INT64_MAX;

	switch (rand() % 8) {
	case 0:
		return WIRE_UNKNOWN;
	case 1:
		return any;
	case 2:
		return INT64_MAX - rand() % 2 - 1;
	default:
		return rand() % 100000;
	}
}

static void random_answers(struct wire_probe_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct wire_probe_row){.topic = rand() % 2 ? 1 : 3,
						  .partition = rand() % (WIRE_PARTITION_MAX + 1),
						  .offset = random_offset(),
						  .answer = (enum wire_probe_answer)(rand() % 3),
						  .time_ms = random_offset()};
		rows[i].offset = MAX(rows[i].offset, 0);
		rows[i].end = rows[i].offset;
		rows[i].end += rand() % 2 ? INT64_MAX - rows[i].offset : 0;
	}
}

static void random_batch(struct wire_log_row *logs, struct wire_commit_row *commits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		logs[i] = (struct wire_log_row){.topic = rand() % 2 ? 1 : 3,
						.partition = rand() % (WIRE_PARTITION_MAX + 1),
						.start = random_offset(),
						.end = random_offset(),
						.stable = random_offset(),
						.epoch = rand() % 100 - 1};
		commits[i] = (struct wire_commit_row){.group = (uint32_t)rand() % 5,
						      .topic = rand() % 2 ? 1 : 3,
						      .partition = rand() % 1000,
						      .offset = random_offset(),
						      .time_ms = random_offset(),
						      .arrival_ms = random_offset()};
		commits[i].arrival_ms = MAX(commits[i].arrival_ms, 1);
	}
}

static void random_rows_come_back(void **state)
{
	(void)state;
	static struct wire_log_row logs[500];
	static struct wire_commit_row commits[500];
	static struct wire_probe_row answers[500];

	for (int round = 0; round < 200; round++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct wire_batch in = whole, m;

		in.logs = logs;
		in.commits = commits;
		in.log_count = in.commit_count = (size_t)rand() % ARRAY_LEN(logs);
		random_batch(logs, commits, in.log_count);
		in.probes = answers;
		in.probe_count = (size_t)rand() % ARRAY_LEN(answers);
		random_answers(answers, in.probe_count);
		wire_put_batch(&b, &in);
		assert_int_equal(get(&b, &m), ERR_OK);
		assert_same_batch(&in, &m);
	}
}

static void the_small_messages_come_back(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	const char *clusters[] = {"Seoul-1", "Seoul-2"};
	const uint8_t challenge[MAC_SIZE] = {0, 1, 2};
	struct wire_hello h = {"dc1", 1, 2, 3, 1, 4, 5, "0.1.0", clusters, 2, challenge, 77}, h2;
	struct wire_welcome w = {WIRE_OK, "ok", 1, 2, 3, UINT64_MAX, WIRE_BODY_MAX, 8, -5, NULL},
			    w2;
	struct wire_ack k = {WIRE_RETRY, 9, 5000, NULL, 8, NULL, NULL, NULL, 0}, k2;

	arena_reset(&arena);
	wire_put_hello(&b, &h);
	assert_int_equal(wire_get_hello((uint8_t *)b.data, b.size, &arena, &h2), ERR_OK);
	assert_string_equal(h2.agent, "dc1");
	assert_true(h2.epoch == 1 && h2.instance == 2 && h2.next_seq == 3);
	assert_true(h2.version_min == 1 && h2.version_max == 4 && h2.features == 5);
	assert_string_equal(h2.software, "0.1.0");
	assert_int_equal(h2.cluster_count, 2);
	assert_string_equal(h2.clusters[1], "Seoul-2");
	assert_memory_equal(h2.challenge, challenge, MAC_SIZE);
	assert_int_equal(h2.config_hash, 77);

	buf_reset(&b);
	h.challenge = NULL;
	wire_put_hello(&b, &h);
	assert_int_equal(wire_get_hello((uint8_t *)b.data, b.size, &arena, &h2), ERR_OK);
	assert_null(h2.challenge);

	buf_reset(&b);
	wire_put_welcome(&b, &w);
	assert_int_equal(wire_get_welcome((uint8_t *)b.data, b.size, &arena, &w2), ERR_OK);
	assert_string_equal(w2.reason, "ok");
	assert_true(w2.code == WIRE_OK && w2.version == 1 && w2.features == 2 && w2.session == 3);
	assert_true(w2.applied_seq == UINT64_MAX && w2.max_batch_bytes == WIRE_BODY_MAX);
	assert_true(w2.credit == 8 && w2.server_time_ms == -5);

	buf_reset(&b);
	wire_put_ack(&b, &k);
	assert_int_equal(wire_get_ack((uint8_t *)b.data, b.size, &arena, &k2), ERR_OK);
	assert_true(k2.code == WIRE_RETRY && k2.seq == 9 && k2.retry_ms == 5000);
	assert_string_equal(k2.reason, "");
	assert_int_equal(k2.applied_seq, 8);
	assert_int_equal(k2.probe_count, 0);
	assert_string_equal(k2.probe_cluster, "");
}

static const struct wire_probe questions[] = {
	{"orders", 0, 90, 100},
	{"payments", WIRE_PARTITION_MAX, 0, INT64_MAX},
	{"orders", 1, INT64_MAX, INT64_MAX},
};
static const struct wire_ack asking = {
	.seq = 9,
	.reason = "",
	.applied_seq = 9,
	.probe_cluster = "Seoul-1",
	.probe_environment = "PROD",
	.probes = questions,
	.probe_count = ARRAY_LEN(questions),
};

static int put_and_get_ack(const struct wire_ack *in, struct wire_ack *ret_k)
{
	static struct buf b; /* what is decoded may point into it */

	buf_reset(&b);
	wire_put_ack(&b, in);
	arena_reset(&arena);
	return wire_get_ack((const uint8_t *)b.data, b.size, &arena, ret_k);
}

static void a_challenge_comes_with_the_code_that_needs_it(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	const uint8_t challenge[MAC_SIZE] = {9, 8, 7};
	struct wire_welcome w = {.code = WIRE_CHALLENGE, .challenge = challenge}, w2;

	arena_reset(&arena);
	wire_put_welcome(&b, &w);
	assert_int_equal(wire_get_welcome((uint8_t *)b.data, b.size, &arena, &w2), ERR_OK);
	assert_int_equal(w2.code, WIRE_CHALLENGE);
	assert_memory_equal(w2.challenge, challenge, MAC_SIZE);
	/* Cut by a byte: the length before it is right, the challenge is not. */
	b.data[b.size - MAC_SIZE - 1] = MAC_SIZE - 1;
	assert_int_equal(wire_get_welcome((uint8_t *)b.data, b.size - 1, &arena, &w2),
			 ERR_MALFORMED);

	w.challenge = NULL;
	buf_reset(&b);
	wire_put_welcome(&b, &w);
	assert_int_equal(wire_get_welcome((uint8_t *)b.data, b.size, &arena, &w2), ERR_MALFORMED);
	w = (struct wire_welcome){.code = WIRE_RETRY, .challenge = challenge};
	buf_reset(&b);
	wire_put_welcome(&b, &w);
	assert_int_equal(wire_get_welcome((uint8_t *)b.data, b.size, &arena, &w2), ERR_MALFORMED);
}

static void probes_come_with_an_ack(void **state)
{
	struct wire_ack k;

	(void)state;
	assert_int_equal(put_and_get_ack(&asking, &k), ERR_OK);
	assert_true(k.code == WIRE_OK && k.seq == 9 && k.applied_seq == 9);
	assert_string_equal(k.probe_cluster, "Seoul-1");
	assert_string_equal(k.probe_environment, "PROD");
	assert_int_equal(k.probe_count, ARRAY_LEN(questions));
	for (size_t i = 0; i < k.probe_count; i++) {
		assert_string_equal(k.probes[i].topic, questions[i].topic);
		assert_int_equal(k.probes[i].partition, questions[i].partition);
		assert_true(k.probes[i].offset == questions[i].offset);
		assert_true(k.probes[i].end == questions[i].end);
	}
}

static void a_probe_that_cannot_be_is_refused(void **state)
{
	static char topic[WIRE_TOPIC_MAX + 2];
	const struct {
		struct wire_probe probe;
		const char *cluster;
	} rows[] = {
		{{"", 0, 1, 2}, "c"},
		{{"t", -1, 1, 2}, "c"},
		{{"t", WIRE_PARTITION_MAX + 1, 1, 2}, "c"},
		{{"t", 0, -1, 2}, "c"},
		{{"t", 0, 3, 2}, "c"},
		{{"t", 0, INT64_MAX, INT64_MIN}, "c"},
		{{"t", 0, 1, 2}, ""},
	};
	struct wire_ack in = asking, k;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		in.probes = &rows[i].probe;
		in.probe_count = 1;
		in.probe_cluster = rows[i].cluster;
		assert_int_equal(put_and_get_ack(&in, &k), ERR_MALFORMED);
	}
	/* What is sent is cut to the limit; what is received must keep it. */
	memset(topic, 't', WIRE_TOPIC_MAX + 1);
	struct wire_probe one = {topic, 0, 1, 2};
	in.probes = &one;
	in.probe_cluster = "c";
	assert_int_equal(put_and_get_ack(&in, &k), ERR_OK);
	assert_int_equal(strlen(k.probes[0].topic), WIRE_TOPIC_MAX);
}

static void an_empty_body_is_a_message_of_zeros(void **state)
{
	(void)state;
	struct wire_ack k;
	struct wire_hello h;
	struct wire_welcome w;
	struct wire_batch m;

	CLEANUP(buf_free) struct buf b = {0};
	struct wire_ack zeros = {.code = WIRE_OK};

	wire_put_ack(&b, &zeros);
	assert_int_equal(b.size, 0);
	assert_int_equal(b.err, ERR_OK);
	arena_reset(&arena);
	assert_int_equal(wire_get_ack((const uint8_t *)"", 0, &arena, &k), ERR_OK);
	assert_true(k.code == WIRE_OK && k.seq == 0);
	assert_int_equal(wire_get_hello((const uint8_t *)"", 0, &arena, &h), ERR_MALFORMED);
	assert_int_equal(wire_get_welcome((const uint8_t *)"", 0, &arena, &w), ERR_MALFORMED);
	assert_int_equal(wire_get_batch((const uint8_t *)"", 0, &arena, &m), ERR_MALFORMED);
}

static void words_that_are_too_long_are_cut_between_characters(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	char words[2 * WIRE_TEXT_MAX];
	struct wire_batch in = whole, m;

	for (size_t i = 0; i < sizeof(words); i += 2)
		memcpy(words + i, "\xc3\xa9", 2);
	words[sizeof(words) - 1] = '\0';
	in.report.problem = words;
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_OK);
	assert_int_equal(strlen(m.report.problem), WIRE_TEXT_MAX - 1);
}

/* ---------------------------------------------------------------- refusals */

static struct wire_log_row one_log = {1, 0, 0, 1, 1, 0};
static struct wire_commit_row one_commit = {0, 1, 0, 1, 1, 1};
static struct wire_gone_commit one_gone = {0, 1, 0};
static struct wire_group one_group = {0, WIRE_PROTOCOL_CLASSIC, WIRE_GROUP_STABLE, 1, NULL, 0};
static struct wire_member one_member = {"i", "c", "h", NULL, 0, NULL, 0};
static struct wire_partition one_partition = {1, 0};
static struct wire_probe_row one_answer = {1, 0, 5, 6, WIRE_PROBE_RECORD, 1};
static uint32_t one_index = 1;
static char long_name[WIRE_NAME_MAX + 2];
static const char *long_names[] = {"g", "t", long_name};

/* A function that damages a batch, or one of the rows above that it is made of. */
#define BREAK(name, code)                                                                          \
	static void name(struct wire_batch *m)                                                     \
	{                                                                                          \
		(void)m;                                                                           \
		code                                                                               \
	}
BREAK(seq_zero, m->seq = 0; m->floor_seq = 0;)
BREAK(floor_above_seq, m->floor_seq = m->seq + 1;)
BREAK(no_agent, m->agent = "";)
BREAK(no_cluster, m->cluster = NULL;)
BREAK(time_negative, m->pass_at_ms = -1;)
BREAK(flag_unknown, m->flags = 8;)
BREAK(rows_without_pass, m->pass = 0; m->flags = 0;)
BREAK(state_unknown, m->report.state = (enum wire_agent_state)4;)
BREAK(lag_negative, m->report.lag = -2;)
BREAK(log_topic_high, one_log.topic = 5;)
BREAK(log_topic_empty, one_log.topic = 4;)
BREAK(log_topic_negative, one_log.topic = UINT32_MAX;)
BREAK(log_partition_negative, one_log.partition = -1;)
BREAK(log_partition_high, one_log.partition = WIRE_PARTITION_MAX + 1;)
BREAK(log_start_negative, one_log.start = -2;)
BREAK(log_end_negative, one_log.end = -2;)
BREAK(log_stable_negative, one_log.stable = -2;)
BREAK(log_epoch_negative, one_log.epoch = -2;)
BREAK(commit_group_high, one_commit.group = 5;)
BREAK(commit_topic_empty, one_commit.topic = 4;)
BREAK(commit_partition_negative, one_commit.partition = INT32_MIN;)
BREAK(commit_offset_negative, one_commit.offset = -2;)
BREAK(commit_time_negative, one_commit.time_ms = -2;)
BREAK(commit_arrival_unknown, one_commit.arrival_ms = WIRE_UNKNOWN;)
BREAK(group_name_high, one_group.name = 5;)
BREAK(group_protocol_unknown, one_group.protocol = (enum wire_protocol)6;)
BREAK(group_state_unknown, one_group.state = (enum wire_group_state)5;)
BREAK(group_generation_negative, one_group.generation = -2;)
BREAK(assigned_topic_high, one_partition.topic = 77;)
BREAK(assigned_partition_negative, one_partition.partition = -1;)
BREAK(subscribed_group, one_member.subscribed = &one_index; one_index = 4;)
BREAK(gone_group_high, m->gone_groups = &one_index; one_index = 5;)
BREAK(gone_topic_empty, m->gone_topics = &one_index; one_index = 4;)
BREAK(gone_commit_group, one_gone.group = 5;)
BREAK(gone_commit_topic, one_gone.topic = 4;)
BREAK(gone_commit_partition, one_gone.partition = -1;)
BREAK(answer_topic_high, one_answer.topic = 5;)
BREAK(answer_topic_empty, one_answer.topic = 4;)
BREAK(answer_partition_high, one_answer.partition = WIRE_PARTITION_MAX + 1;)
BREAK(answer_offset_unknown, one_answer.offset = WIRE_UNKNOWN;)
BREAK(answer_end_below_offset, one_answer.end = 4;)
BREAK(answer_unknown, one_answer.answer = (enum wire_probe_answer)3;)
BREAK(answer_time_negative, one_answer.time_ms = -2;)
BREAK(answers_without_pass, m->pass = 0; m->flags = 0; m->log_count = 0; m->commit_count = 0;
      m->group_count = 0; m->gone_group_count = 0; m->gone_topic_count = 0;
      m->gone_commit_count = 0;)
BREAK(name_too_long, memset(long_name, 'n', WIRE_NAME_MAX + 1); m->names = long_names;
      m->name_count = 3;)
BREAK(topic_too_long, memset(long_name, 0, sizeof(long_name));
      memset(long_name, 'n', WIRE_TOPIC_MAX + 1); m->names = long_names; m->name_count = 3;
      one_log.topic = 2;)
BREAK(nothing, )

static const struct {
	const char *what;
	void (*damage)(struct wire_batch *m);
	int want;
} cases[] = {
	{"nothing", nothing, ERR_OK},
	{"seq 0", seq_zero, ERR_MALFORMED},
	{"floor above seq", floor_above_seq, ERR_MALFORMED},
	{"no agent", no_agent, ERR_MALFORMED},
	{"no cluster", no_cluster, ERR_MALFORMED},
	{"pass before 1970", time_negative, ERR_MALFORMED},
	{"unknown flag", flag_unknown, ERR_MALFORMED},
	{"rows outside a pass", rows_without_pass, ERR_MALFORMED},
	{"agent state", state_unknown, ERR_MALFORMED},
	{"agent lag", lag_negative, ERR_MALFORMED},
	{"log topic over the dictionary", log_topic_high, ERR_MALFORMED},
	{"log topic without a name", log_topic_empty, ERR_MALFORMED},
	{"log topic negative", log_topic_negative, ERR_MALFORMED},
	{"log partition negative", log_partition_negative, ERR_MALFORMED},
	{"log partition too high", log_partition_high, ERR_MALFORMED},
	{"log start", log_start_negative, ERR_MALFORMED},
	{"log end", log_end_negative, ERR_MALFORMED},
	{"log stable", log_stable_negative, ERR_MALFORMED},
	{"leader epoch", log_epoch_negative, ERR_MALFORMED},
	{"commit group", commit_group_high, ERR_MALFORMED},
	{"commit topic", commit_topic_empty, ERR_MALFORMED},
	{"commit partition", commit_partition_negative, ERR_MALFORMED},
	{"commit offset", commit_offset_negative, ERR_MALFORMED},
	{"commit time", commit_time_negative, ERR_MALFORMED},
	{"commit arrival", commit_arrival_unknown, ERR_MALFORMED},
	{"group name", group_name_high, ERR_MALFORMED},
	{"group protocol", group_protocol_unknown, ERR_MALFORMED},
	{"group state", group_state_unknown, ERR_MALFORMED},
	{"group generation", group_generation_negative, ERR_MALFORMED},
	{"assigned topic", assigned_topic_high, ERR_MALFORMED},
	{"assigned partition", assigned_partition_negative, ERR_MALFORMED},
	{"subscribed to what is no topic", subscribed_group, ERR_MALFORMED},
	{"gone group", gone_group_high, ERR_MALFORMED},
	{"gone topic", gone_topic_empty, ERR_MALFORMED},
	{"gone commit, group", gone_commit_group, ERR_MALFORMED},
	{"gone commit, topic", gone_commit_topic, ERR_MALFORMED},
	{"gone commit, partition", gone_commit_partition, ERR_MALFORMED},
	{"answer to a topic over the dictionary", answer_topic_high, ERR_MALFORMED},
	{"answer to a topic without a name", answer_topic_empty, ERR_MALFORMED},
	{"answer, partition", answer_partition_high, ERR_MALFORMED},
	{"answer, offset", answer_offset_unknown, ERR_MALFORMED},
	{"answer, end", answer_end_below_offset, ERR_MALFORMED},
	{"answer that is none", answer_unknown, ERR_MALFORMED},
	{"answer, time", answer_time_negative, ERR_MALFORMED},
	{"answers outside a pass", answers_without_pass, ERR_MALFORMED},
	{"name too long", name_too_long, ERR_LIMIT},
	{"topic too long", topic_too_long, ERR_MALFORMED},
};

/* A batch of one row of each kind, for a case to damage. */
static struct wire_batch small_batch(void)
{
	struct wire_batch m = whole;

	one_log = (struct wire_log_row){1, 0, 0, 1, 1, 0};
	one_commit = (struct wire_commit_row){0, 1, 0, 1, 1, 1};
	one_gone = (struct wire_gone_commit){0, 1, 0};
	one_partition = (struct wire_partition){1, 0};
	one_answer = (struct wire_probe_row){1, 0, 5, 6, WIRE_PROBE_RECORD, 1};
	one_index = 1;
	one_member = (struct wire_member){"i", "c", "h", &one_index, 1, &one_partition, 1};
	one_group = group_list[0];
	one_group.members = &one_member;
	one_group.member_count = 1;
	m.logs = &one_log;
	m.commits = &one_commit;
	m.groups = &one_group;
	m.gone_commits = &one_gone;
	m.probes = &one_answer;
	m.probe_count = 1;
	m.gone_groups = m.gone_topics = gone_topics;
	m.log_count = m.commit_count = m.group_count = m.gone_commit_count = 1;
	m.gone_group_count = m.gone_topic_count = 1;
	return m;
}

static void a_field_that_cannot_be_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct wire_batch in = small_batch(), m = {.seq = 77};

		cases[i].damage(&in);
		wire_put_batch(&b, &in);
		int err = get(&b, &m);
		if (err != cases[i].want)
			fail_msg("%s: %s", cases[i].what, err_str(err));
		assert_true(err == ERR_OK || m.seq == 77);
	}
}

/* One more field at the end of a message. */
static void put_field(struct buf *b, unsigned field, const void *data, size_t size)
{
	unsigned tag = field << 3 | 2;

	assert_true(size < 128);
	if (tag >= 128)
		buf_putc(b, (char)(tag | 128));
	buf_putc(b, (char)(tag >= 128 ? tag >> 7 : tag));
	buf_putc(b, (char)size);
	buf_put(b, data, size);
}

static void columns_of_different_length_are_refused(void **state)
{
	(void)state;
	/* log_topic .. log_epoch, commit_group .. commit_arrival_ms, gone_commit_*, probe_* */
	static const unsigned columns[] = {16, 17, 18, 19, 20, 21, 24, 25, 26, 27, 28,
					   29, 38, 39, 40, 44, 45, 46, 47, 48, 49};

	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct wire_batch in = small_batch(), m;

		wire_put_batch(&b, &in);
		put_field(&b, columns[i], "\0", 1);
		assert_int_equal(get(&b, &m), ERR_MALFORMED);
	}
}

static void a_nul_in_a_name_is_refused(void **state)
{
	(void)state;
	static const unsigned fields[] = {AGENT, 6, 7, NAMES};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		CLEANUP(buf_free) struct buf b = {0};
		struct wire_batch m;

		wire_put_batch(&b, &whole);
		put_field(&b, fields[i], "a\0b", 3);
		assert_int_equal(get(&b, &m), ERR_MALFORMED);
	}
}

static void unknown_fields_are_passed_over(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_batch m;

	wire_put_batch(&b, &whole);
	put_field(&b, 500, "from a newer agent", 18);
	assert_int_equal(get(&b, &m), ERR_OK);
	assert_same_batch(&whole, &m);
}

static void a_cut_batch_is_never_taken_for_a_whole_one(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_batch m = {0};

	/* A cut between two fields is a shorter message, as protobuf goes: frame.c knows
	 * the size. What matters here is that nothing breaks. */
	wire_put_batch(&b, &whole);
	size_t size = b.size, refused = 0;
	for (b.size = 0; b.size < size; b.size++)
		refused += get(&b, &m) != ERR_OK;
	assert_true(refused > size * 9 / 10);
}

static void flipped_bits_never_break_the_decoder(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_batch m;

	wire_put_batch(&b, &whole);
	for (size_t i = 0; i < b.size * 8; i++) {
		b.data[i / 8] ^= (char)(1 << i % 8);
		(void)get(&b, &m);
		b.data[i / 8] ^= (char)(1 << i % 8);
	}
	assert_int_equal(get(&b, &m), ERR_OK);
}

/* ---------------------------------------------------------------- limits */

static void a_body_over_the_limit_is_not_looked_at(void **state)
{
	(void)state;
	static uint8_t body[WIRE_BODY_MAX + 1];
	struct wire_batch m;
	struct wire_ack k;

	arena_reset(&arena);
	assert_int_equal(wire_get_batch(body, sizeof(body), &arena, &m), ERR_LIMIT);
	assert_int_equal(wire_get_ack(body, sizeof(body), &arena, &k), ERR_LIMIT);
	assert_int_equal(arena.used, 0);
}

static void too_many_rows_names_or_clusters_are_refused(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = {0};
	size_t n = WIRE_ROWS_MAX + 1;
	struct wire_log_row *logs = calloc(n, sizeof(*logs));
	const char **names = calloc(n, sizeof(*names));
	struct wire_batch in = small_batch(), m;

	for (size_t i = 0; i < n; i++)
		logs[i] = (struct wire_log_row){.topic = 1};
	in.logs = logs;
	in.log_count = n;
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_LIMIT);
	in.log_count--;
	buf_reset(&b);
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_OK);

	for (size_t i = 0; i < n; i++)
		names[i] = "x";
	in.names = names;
	in.name_count = n;
	in.log_count = 0;
	buf_reset(&b);
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_LIMIT);
	in.name_count--;
	buf_reset(&b);
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_OK);
	free(logs);
	free(names);

	CLEANUP(buf_free) struct buf h = {0};
	struct wire_hello hello = {.agent = "a"}, h2;
	wire_put_hello(&h, &hello);
	for (int i = 0; i <= WIRE_CLUSTERS_MAX; i++)
		put_field(&h, 9, "c", 1);
	arena_reset(&arena);
	assert_int_equal(wire_get_hello((uint8_t *)h.data, h.size, &arena, &h2), ERR_LIMIT);
}

static void too_many_probes_or_answers_are_refused(void **state)
{
	static struct wire_probe_row answers[WIRE_PROBES_MAX + 1];
	static struct wire_probe probes[WIRE_PROBES_MAX];
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_batch in = small_batch(), m;
	struct wire_ack ack = asking, k;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		answers[i] = one_answer;
	in.probes = answers;
	in.probe_count = ARRAY_LEN(answers);
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_LIMIT);
	in.probe_count--;
	buf_reset(&b);
	wire_put_batch(&b, &in);
	assert_int_equal(get(&b, &m), ERR_OK);

	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probes[i] = questions[0];
	ack.probes = probes;
	ack.probe_count = ARRAY_LEN(probes);
	buf_reset(&b);
	wire_put_ack(&b, &ack);
	arena_reset(&arena);
	assert_int_equal(wire_get_ack((uint8_t *)b.data, b.size, &arena, &k), ERR_OK);
	put_field(&b, 8, "\x0a\x01t", 3);
	arena_reset(&arena);
	assert_int_equal(wire_get_ack((uint8_t *)b.data, b.size, &arena, &k), ERR_LIMIT);
}

/* The most a well-meant body can hold: all rows, and real members in what is left. */
static void the_arena_is_enough_for_the_largest_honest_body(void **state)
{
	(void)state;
	enum { ROWS = WIRE_ROWS_MAX, MEMBERS = 7500 };
	CLEANUP(buf_free) struct buf b = {0};
	struct wire_commit_row *commits = calloc(ROWS, sizeof(*commits));
	struct wire_member *many = calloc(MEMBERS, sizeof(*many));
	struct wire_group g = group_list[0];
	struct wire_batch in = small_batch(), m;

	for (size_t i = 0; i < ROWS; i++)
		commits[i] = (struct wire_commit_row){
			.topic = 1, .time_ms = in.pass_at_ms, .arrival_ms = in.pass_at_ms};
	for (size_t i = 0; i < MEMBERS; i++)
		many[i] = (struct wire_member){"consumer-1-0f2e4c6a-1111-4222-8333-944455556666",
					       "consumer-1",
					       "/10.1.2.3",
					       subscribed,
					       2,
					       assigned,
					       2};
	in.commits = commits;
	in.commit_count = ROWS;
	g.members = many;
	g.member_count = MEMBERS;
	in.groups = &g;
	in.log_count = in.gone_commit_count = 0;
	wire_put_batch(&b, &in);
	assert_true(b.size <= WIRE_BODY_MAX && b.size > WIRE_BODY_MAX * 9 / 10);
	assert_int_equal(get(&b, &m), ERR_OK);
	print_message("%zu bytes of body took %zu of arena\n", b.size, arena.used);
	free(commits);
	free(many);
}

/* Bodies that make a decoder allocate the most for each byte sent. */
static void a_hostile_body_ends_with_the_arena(void **state)
{
	(void)state;
	static uint8_t body[WIRE_BODY_MAX];
	static const struct {
		uint8_t pattern[8];
		size_t size;
		int want;
	} hostile[] = {
		{{0x7a, 0}, 2, ERR_LIMIT},             /* names, empty */
		{{0x82, 2, 0}, 3, ERR_LIMIT},          /* groups, empty */
		{{0x82, 2, 2, 0x2a, 0}, 5, ERR_LIMIT}, /* groups of one empty member */
		{{0x62, 0}, 2, ERR_LIMIT},             /* reports, to be merged */
		{{0xf2, 7, 0}, 3, ERR_LIMIT},          /* unknown fields */
		{{0x90, 1, 0}, 3, ERR_MALFORMED},      /* a column, not packed */
		{{0x92, 1, 1, 0}, 4, ERR_MALFORMED},   /* a column in small pieces */
		{{0x10, 0}, 2, ERR_LIMIT},             /* seq in the wrong type, again and again */
		{{0}, 1, ERR_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct wire_batch m;

		for (size_t k = 0; k < sizeof(body); k++)
			body[k] = hostile[i].pattern[k % hostile[i].size];
		size_t size = sizeof(body) / hostile[i].size * hostile[i].size;
		arena_reset(&arena);
		int err = wire_get_batch(body, size, &arena, &m);
		if (err != hostile[i].want)
			fail_msg("hostile body %zu: %s", i, err_str(err));
	}
}

/* ---------------------------------------------------------------- seeds for the fuzzer */

static void write_seed(const char *dir, const char *name, char kind, const struct buf *b)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (f == NULL || fputc(kind, f) == EOF || fwrite(b->data, 1, b->size, f) != b->size ||
	    fclose(f) != 0)
		abort();
}

/* The first byte says which decoder: see fuzz_wire.c. */
static int write_seeds(const char *dir)
{
	CLEANUP(buf_free) struct buf b = {0};
	const char *clusters[] = {"Seoul-1", "Seoul-2"};
	const uint8_t challenge[MAC_SIZE] = {1, 2, 3};
	struct wire_hello h = {"dc1", 1, 2, 3, 1, 1, 1, "0.1.0", clusters, 2, NULL, 0};
	struct wire_welcome w = {WIRE_OK, "ok", 1, 1, 3, 7, WIRE_BODY_MAX, 8, 1700000000000, NULL};
	struct wire_welcome ask = {.code = WIRE_CHALLENGE, .challenge = challenge};
	struct wire_ack k = {WIRE_RETRY, 9, 5000, "busy", 8, NULL, NULL, NULL, 0};
	struct wire_batch small = small_batch();

	wire_put_hello(&b, &h);
	write_seed(dir, "hello", 0, &b);
	buf_reset(&b);
	wire_put_welcome(&b, &w);
	write_seed(dir, "welcome", 1, &b);
	buf_reset(&b);
	wire_put_welcome(&b, &ask);
	write_seed(dir, "challenge", 1, &b);
	buf_reset(&b);
	h.challenge = challenge;
	wire_put_hello(&b, &h);
	write_seed(dir, "proof", 0, &b);
	buf_reset(&b);
	wire_put_ack(&b, &k);
	write_seed(dir, "ack", 2, &b);
	buf_reset(&b);
	wire_put_ack(&b, &asking);
	write_seed(dir, "asking", 2, &b);
	buf_reset(&b);
	wire_put_batch(&b, &whole);
	write_seed(dir, "batch", 3, &b);
	buf_reset(&b);
	wire_put_batch(&b, &small);
	write_seed(dir, "small", 3, &b);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_batch_comes_back),
		cmocka_unit_test(a_batch_with_nothing_but_a_report_comes_back),
		cmocka_unit_test(random_rows_come_back),
		cmocka_unit_test(the_small_messages_come_back),
		cmocka_unit_test(a_challenge_comes_with_the_code_that_needs_it),
		cmocka_unit_test(probes_come_with_an_ack),
		cmocka_unit_test(a_probe_that_cannot_be_is_refused),
		cmocka_unit_test(an_empty_body_is_a_message_of_zeros),
		cmocka_unit_test(words_that_are_too_long_are_cut_between_characters),
		cmocka_unit_test(a_field_that_cannot_be_is_refused),
		cmocka_unit_test(columns_of_different_length_are_refused),
		cmocka_unit_test(a_nul_in_a_name_is_refused),
		cmocka_unit_test(unknown_fields_are_passed_over),
		cmocka_unit_test(a_cut_batch_is_never_taken_for_a_whole_one),
		cmocka_unit_test(flipped_bits_never_break_the_decoder),
		cmocka_unit_test(a_body_over_the_limit_is_not_looked_at),
		cmocka_unit_test(too_many_rows_names_or_clusters_are_refused),
		cmocka_unit_test(too_many_probes_or_answers_are_refused),
		cmocka_unit_test(the_arena_is_enough_for_the_largest_honest_body),
		cmocka_unit_test(a_hostile_body_ends_with_the_arena),
	};

	if (argc == 3 && strcmp(argv[1], "--write-seeds") == 0)
		return write_seeds(argv[2]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
