/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/collect/pass.h"
#include "common/err.h"
#include "record_bytes.h"
#include "table_feed.h"

#define BATCHES_MAX 256

struct fixture {
	struct table table;
	struct arena arena; /* of the batches decoded */
	struct wire_batch batches[BATCHES_MAX];
	size_t count;
	size_t largest; /* body, bytes */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	table_init(&f->table, NULL, NULL);
	arena_init(&f->arena, (size_t)256 << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	table_free(&f->table);
	arena_free(&f->arena);
	free(f);
	return 0;
}

/* As a receiver takes it; the sender's part goes first as the shipper does it. */
static void receive(void *arg, const void *body, size_t size)
{
	struct fixture *f = arg;
	CLEANUP(buf_free) struct buf whole = {0};
	struct wire_batch head = {
		.agent = "a", .epoch = 5, .seq = f->count + 1, .instance = 6, .floor_seq = 1};

	assert_true(f->count < BATCHES_MAX);
	assert_true(size < WIRE_BODY_MAX);
	f->largest = MAX(f->largest, size);
	wire_put_batch(&whole, &head);
	buf_put(&whole, body, size);
	uint8_t *kept = arena_alloc(&f->arena, whole.size);
	memcpy(kept, whole.data, whole.size);
	assert_int_equal(wire_get_batch(kept, whole.size, &f->arena, &f->batches[f->count++]),
			 ERR_OK);
}

static void pass(struct fixture *f, bool full)
{
	struct pass p = {.cluster = "Seoul-1",
			 .environment = "PROD",
			 .number = 3,
			 .at_ms = 100000,
			 .interval_ms = 10000,
			 .full = full,
			 .report = {.state = WIRE_AGENT_RUNNING, .records = 17, .lag = 4}};

	f->count = 0;
	f->largest = 0;
	arena_reset(&f->arena);
	pass_build(&f->table, &p, receive, f);
	table_sent(&f->table);
	table_saved(&f->table);
}

static void a_pass_without_news_is_one_empty_batch(void **state)
{
	struct fixture *f = *state;

	pass(f, false);
	const struct wire_batch *b = &f->batches[0];
	assert_int_equal(f->count, 1);
	assert_string_equal(b->cluster, "Seoul-1");
	assert_string_equal(b->environment, "PROD");
	assert_string_equal(b->agent, "a");
	assert_int_equal(b->epoch, 5);
	assert_int_equal(b->seq, 1);
	assert_int_equal(b->pass, 3);
	assert_int_equal(b->pass_at_ms, 100000);
	assert_int_equal(b->interval_ms, 10000);
	assert_int_equal(b->flags, WIRE_PASS_FIRST | WIRE_PASS_LAST);
	assert_int_equal(b->report.records, 17);
	assert_int_equal(b->report.state, WIRE_AGENT_RUNNING);
	assert_int_equal(b->report.lag, 4);
	assert_int_equal(b->name_count + b->log_count + b->commit_count + b->group_count, 0);
}

static void a_report_carries_no_pass(void **state)
{
	struct fixture *f = *state;
	struct pass p = {.cluster = "c",
			 .number = 9,
			 .at_ms = 5,
			 .full = true,
			 .report = {.state = WIRE_AGENT_BLIND, .problem = "k1 is down"}};

	pass_report(&p, receive, f);
	assert_int_equal(f->batches[0].pass, 0);
	assert_int_equal(f->batches[0].flags, 0);
	assert_int_equal(f->batches[0].report.state, WIRE_AGENT_BLIND);
	assert_string_equal(f->batches[0].report.problem, "k1 is down");
}

static void only_what_changed_is_told_and_a_full_pass_tells_all(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"orders", "payments"};

	feed_topics(&f->table, names, 2, 3);
	feed_ends(&f->table, 10);
	feed_commit(&f->table, "g", "orders", 0, 5, 99000);
	feed_commit(&f->table, "g", "orders", 1, 6, 99000);
	pass(f, false);
	assert_int_equal(f->batches[0].log_count, 6);
	assert_int_equal(f->batches[0].commit_count, 2);
	assert_int_equal(f->batches[0].group_count, 1);
	assert_int_equal(f->batches[0].groups[0].protocol, WIRE_PROTOCOL_NONE);

	feed_commit(&f->table, "g", "orders", 1, 6, 99500);
	feed_ends(&f->table, 10);
	pass(f, false);
	const struct wire_batch *b = &f->batches[0];
	assert_int_equal(b->log_count, 0);
	assert_int_equal(b->group_count, 0);
	assert_int_equal(b->commit_count, 1);
	assert_string_equal(b->names[b->commits[0].group], "g");
	assert_string_equal(b->names[b->commits[0].topic], "orders");
	assert_int_equal(b->commits[0].partition, 1);
	assert_int_equal(b->commits[0].offset, 6);
	assert_int_equal(b->commits[0].arrival_ms, 99500);
	assert_int_equal(b->commits[0].time_ms, 98500);

	pass(f, true);
	b = &f->batches[0];
	assert_int_equal(b->flags, WIRE_PASS_FLAGS);
	assert_int_equal(b->log_count, 6);
	assert_int_equal(b->commit_count, 2);
	assert_int_equal(b->group_count, 1);
}

static void what_is_gone_is_told_once_and_not_in_a_full_pass(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"orders", "payments"};

	feed_topics(&f->table, names, 2, 1);
	feed_commit(&f->table, "g", "orders", 0, 5, 99000);
	feed_commit(&f->table, "h", "orders", 0, 5, 99000);
	feed_commit(&f->table, "h", "payments", 0, 5, 99000);
	pass(f, false);
	feed_commit_gone(&f->table, "g", "orders", 0);
	feed_commit_gone(&f->table, "h", "payments", 0);
	feed_topics(&f->table, names, 1, 1);
	pass(f, false);
	const struct wire_batch *b = &f->batches[0];
	assert_int_equal(b->gone_commit_count, 2);
	assert_int_equal(b->gone_group_count, 1);
	assert_string_equal(b->names[b->gone_groups[0]], "g");
	assert_int_equal(b->gone_topic_count, 1);
	assert_string_equal(b->names[b->gone_topics[0]], "payments");
	assert_int_equal(b->group_count, 0);
	pass(f, true);
	b = &f->batches[0];
	assert_int_equal(b->gone_commit_count + b->gone_group_count + b->gone_topic_count, 0);
	assert_int_equal(b->commit_count, 1);
	assert_int_equal(b->group_count, 1);
}

static void stable_offsets_and_answers_go_with_the_pass(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"orders"};
	const struct probe_answer answers[] = {
		{"orders", 1, 90, 100, WIRE_PROBE_RECORD, 99000},
		{"deleted", 0, 1, 2, WIRE_PROBE_NOTHING, WIRE_UNKNOWN},
		{"__consumer_offsets", 0, 1, 2, WIRE_PROBE_NOTHING, WIRE_UNKNOWN},
		{"orders", 0, 7, 8, WIRE_PROBE_NOTHING, WIRE_UNKNOWN},
	};
	struct pass p = {.cluster = "c",
			 .number = 1,
			 .at_ms = 100000,
			 .answers = answers,
			 .answer_count = ARRAY_LEN(answers)};

	feed_topics(&f->table, names, 1, 2);
	feed_ends(&f->table, 100);
	topics_stable(topics_log(&f->table.topics, "orders", 1), 90);
	assert_null(topics_log(&f->table.topics, "orders", 2));
	assert_null(topics_log(&f->table.topics, "other", 0));
	pass_build(&f->table, &p, receive, f);
	const struct wire_batch *b = &f->batches[0];
	assert_int_equal(b->logs[0].stable, WIRE_UNKNOWN);
	assert_int_equal(b->logs[1].stable, 90);
	assert_int_equal(b->probe_count, 2);
	assert_string_equal(b->names[b->probes[0].topic], "orders");
	assert_int_equal(b->probes[0].partition, 1);
	assert_int_equal(b->probes[0].offset, 90);
	assert_int_equal(b->probes[0].answer, WIRE_PROBE_RECORD);
	assert_int_equal(b->probes[0].time_ms, 99000);
	assert_int_equal(b->probes[1].end, 8);
}

static void members_are_told_with_what_they_own(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"orders"};

	feed_topics(&f->table, names, 1, 2);
	feed_group(&f->table, "g", "m1", "orders");
	pass(f, false);
	const struct wire_batch *b = &f->batches[0];
	const struct wire_group *g = &b->groups[0];
	assert_int_equal(g->protocol, WIRE_PROTOCOL_CLASSIC);
	assert_int_equal(g->state, WIRE_GROUP_STABLE);
	assert_int_equal(g->generation, 7);
	assert_int_equal(g->member_count, 1);
	assert_string_equal(g->members[0].id, "m1");
	assert_string_equal(g->members[0].client_id, "client");
	assert_string_equal(g->members[0].host, "/10.0.0.1");
	assert_int_equal(g->members[0].subscribed_count, 1);
	assert_string_equal(b->names[g->members[0].subscribed[0]], "orders");
	assert_int_equal(g->members[0].assigned_count, 2);
	assert_int_equal(g->members[0].assigned[1].partition, 1);
}

static void an_assignment_waits_until_its_topic_is_known(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"orders"};

	feed_topics(&f->table, names, 1, 4);
	feed_member(&f->table, RECORD_MEMBER, "g", "m1");
	feed_assignment(&f->table, "g", "m1", 9);
	pass(f, false);
	assert_int_equal(f->batches[0].groups[0].members[0].assigned_count, 0);
	pass(f, false);
	assert_int_equal(f->batches[0].group_count, 0);

	feed_topic_id(&f->table, "g", "orders", 9);
	pass(f, false);
	const struct wire_batch *b = &f->batches[0];
	assert_int_equal(b->group_count, 1);
	assert_int_equal(b->groups[0].members[0].assigned_count, 1);
	assert_int_equal(b->groups[0].members[0].assigned[0].partition, 3);
	assert_string_equal(b->names[b->groups[0].members[0].assigned[0].topic], "orders");
}

static void a_large_pass_is_cut_into_batches_of_about_the_target(void **state)
{
	struct fixture *f = *state;
	size_t commits = 0;
	size_t firsts = 0;
	size_t lasts = 0;

	for (int i = 0; i < 50000; i++) {
		char group[32];
		snprintf(group, sizeof(group), "group-%d", i / 100);
		feed_commit(&f->table, group, i % 2 == 0 ? "orders" : "payments", i % 100,
			    i * 1000ll, 95000 + i % 5000);
	}
	pass(f, true);
	assert_true(f->count > 5);
	assert_true(f->largest < PASS_BODY_TARGET * 5 / 4);
	for (size_t i = 0; i < f->count; i++) {
		const struct wire_batch *b = &f->batches[i];
		commits += b->commit_count;
		firsts += (b->flags & WIRE_PASS_FIRST) != 0;
		lasts += (b->flags & WIRE_PASS_LAST) != 0;
		assert_true(b->flags & WIRE_PASS_FULL);
		assert_int_equal(b->pass, 3);
		for (size_t j = 1; j < b->commit_count; j++)
			assert_true(b->commits[j].group >= b->commits[j - 1].group);
	}
	assert_int_equal(commits, 50000);
	assert_int_equal(firsts, 1);
	assert_int_equal(lasts, 1);
	assert_true(f->batches[0].flags & WIRE_PASS_FIRST);
	assert_true(f->batches[f->count - 1].flags & WIRE_PASS_LAST);
}

static void the_worst_rows_still_fit_a_body(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 9000; i++) {
		char group[600];
		memset(group, 'g', sizeof(group));
		snprintf(group + 500, 100, "%d", i);
		feed_commit(&f->table, group, "t", (i * 7919) % WIRE_PARTITION_MAX, INT64_MAX - i,
			    i);
	}
	pass(f, true); /* receive() looks at the size */
	assert_true(f->count > 60 / 2);
}

static void a_group_too_large_for_a_batch_loses_members(void **state)
{
	struct fixture *f = *state;
	static int32_t partitions[100];
	struct record_assigned assigned = {
		.topic = feed_str("orders"), .partitions = partitions, .count = 100};
	static struct record_member members[3000];
	static char ids[3000][16];
	struct record r = feed_record(RECORD_GROUP, RECORD_CLASSIC, "g");
	const char *names[] = {"orders"};

	for (int i = 0; i < 100; i++)
		partitions[i] = 900000 + i;
	for (int i = 0; i < 3000; i++) {
		snprintf(ids[i], sizeof(ids[i]), "m%d", i);
		members[i] = (struct record_member){
			.id = feed_str(ids[i]), .assigned = &assigned, .assigned_count = 1};
	}
	r.members = members;
	r.member_count = 3000;
	feed_topics(&f->table, names, 1, 1);
	table_apply(&f->table, &r, 0);
	feed_commit(&f->table, "g", "orders", 0, 5, 99000);
	pass(f, true);
	size_t told = 0;
	for (size_t i = 0; i < f->count; i++) {
		if (f->batches[i].group_count > 0)
			told = f->batches[i].groups[0].member_count;
	}
	assert_true(told > 500 && told < 3000);
	assert_int_equal(f->table.skipped, 3000 - told);
}

/* Kafka 4.1's bytes of a commit and of a classic group, through decoder, table and pass. */
static void bytes_of_the_topic_become_rows(void **state)
{
	struct fixture *f = *state;
	struct bytes key = {0};
	struct bytes value = {0};
	struct arena arena;
	struct record r;

	put16(&key, 1);
	put_string(&key, false, "billing");
	put_string(&key, false, "orders");
	put32(&key, 3);
	put16(&value, 3);
	put64(&value, 12345); /* offset */
	put32(&value, 7);     /* leader epoch */
	put_string(&value, false, "");
	put64(&value, 98000); /* commit time */
	arena_init(&arena, 1 << 16);
	assert_int_equal(record_decode(key.data, key.size, value.data, value.size, &arena, &r),
			 ERR_OK);
	table_apply(&f->table, &r, 99000);
	pass(f, false);
	const struct wire_batch *b = &f->batches[0];
	assert_int_equal(b->commit_count, 1);
	assert_string_equal(b->names[b->commits[0].group], "billing");
	assert_string_equal(b->names[b->commits[0].topic], "orders");
	assert_int_equal(b->commits[0].partition, 3);
	assert_int_equal(b->commits[0].offset, 12345);
	assert_int_equal(b->commits[0].time_ms, 98000);
	assert_int_equal(b->commits[0].arrival_ms, 99000);

	assert_int_equal(record_decode(key.data, key.size, NULL, 0, &arena, &r), ERR_OK);
	table_apply(&f->table, &r, 99500);
	pass(f, false);
	assert_int_equal(f->batches[0].gone_commit_count, 1);
	assert_int_equal(f->batches[0].gone_group_count, 1);
	arena_free(&arena);
}

int main(void)
{
#define WITH_TABLE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_TABLE(a_pass_without_news_is_one_empty_batch),
		WITH_TABLE(a_report_carries_no_pass),
		WITH_TABLE(only_what_changed_is_told_and_a_full_pass_tells_all),
		WITH_TABLE(what_is_gone_is_told_once_and_not_in_a_full_pass),
		WITH_TABLE(stable_offsets_and_answers_go_with_the_pass),
		WITH_TABLE(members_are_told_with_what_they_own),
		WITH_TABLE(an_assignment_waits_until_its_topic_is_known),
		WITH_TABLE(a_large_pass_is_cut_into_batches_of_about_the_target),
		WITH_TABLE(the_worst_rows_still_fit_a_body),
		WITH_TABLE(a_group_too_large_for_a_batch_loses_members),
		WITH_TABLE(bytes_of_the_topic_become_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
