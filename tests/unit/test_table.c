/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/err.h"
#include "table_feed.h"

static int setup(void **state)
{
	struct table *t = calloc(1, sizeof(*t));

	table_init(t, NULL, NULL);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct table *t = *state;

	table_free(t);
	free(t);
	return 0;
}

static void end_pass(struct table *t)
{
	table_sent(t);
	table_saved(t);
}

static void a_commit_makes_a_group_without_members(void **state)
{
	struct table *t = *state;

	feed_commit(t, "g", "orders", 3, 41, 10000);
	const struct commit *e = feed_find(t, "g", "orders", 3);
	assert_non_null(e);
	assert_int_equal(e->offset, 41);
	assert_int_equal(e->time_ms, 9000);
	assert_int_equal(e->arrival_ms, 10000);
	assert_int_equal(feed_find_group(t, "g")->protocol, WIRE_PROTOCOL_NONE);
	assert_int_equal(feed_find_group(t, "g")->commits, 1);
}

static void a_repeated_commit_is_news_although_the_offset_is_the_same(void **state)
{
	struct table *t = *state;

	feed_commit(t, "g", "orders", 0, 41, 10000);
	end_pass(t);
	assert_int_equal(feed_find(t, "g", "orders", 0)->flags, COMMIT_ALIVE);
	feed_commit(t, "g", "orders", 0, 41, 15000);
	assert_true(feed_find(t, "g", "orders", 0)->flags & COMMIT_UNSENT);
	assert_int_equal(feed_find(t, "g", "orders", 0)->arrival_ms, 15000);
}

static void a_simple_group_ends_with_its_last_commit(void **state)
{
	struct table *t = *state;

	feed_commit(t, "g", "orders", 0, 1, 1000);
	feed_commit(t, "g", "orders", 1, 1, 1000);
	end_pass(t);
	feed_commit_gone(t, "g", "orders", 0);
	assert_false(feed_find_group(t, "g")->gone);
	feed_commit_gone(t, "g", "orders", 1);
	assert_true(feed_find_group(t, "g")->gone);
	assert_int_equal(t->commits.count, 2); /* kept until told and saved */
	end_pass(t);
	assert_int_equal(t->commits.count, 0);
	assert_null(feed_find_group(t, "g"));
}

static void tombstones_are_taken_in_the_order_of_the_stream(void **state)
{
	struct table *t = *state;

	feed_commit(t, "g", "orders", 0, 5, 1000);
	feed_commit_gone(t, "g", "orders", 0);
	feed_commit(t, "g", "orders", 0, 2, 2000);
	assert_false(feed_find_group(t, "g")->gone);
	assert_int_equal(feed_find_group(t, "g")->commits, 1);
	assert_int_equal(feed_find(t, "g", "orders", 0)->offset, 2);
	end_pass(t);
	assert_int_equal(feed_find(t, "g", "orders", 0)->flags, COMMIT_ALIVE);
}

static void a_tombstone_of_what_is_not_known_adds_no_name(void **state)
{
	struct table *t = *state;

	feed_commit_gone(t, "g", "orders", 0);
	feed_group_gone(t, RECORD_CLASSIC, "g");
	assert_int_equal(t->names.used, 0);
	assert_int_equal(t->topics.names.used, 0);
}

static void a_classic_group_is_as_its_last_record_says(void **state)
{
	struct table *t = *state;

	feed_group(t, "g", "m1", "orders");
	struct group *g = feed_find_group(t, "g");
	assert_int_equal(g->protocol, WIRE_PROTOCOL_CLASSIC);
	assert_int_equal(g->state, WIRE_GROUP_STABLE);
	assert_int_equal(g->generation, 7);
	assert_int_equal(g->members.count, 1);
	feed_group(t, "g", NULL, NULL);
	assert_int_equal(g->state, WIRE_GROUP_EMPTY);
	assert_int_equal(g->members.count, 0);
}

static void a_deleted_group_is_gone_when_its_commits_are(void **state)
{
	struct table *t = *state;

	feed_group(t, "g", "m1", "orders");
	feed_commit(t, "g", "orders", 0, 5, 1000);
	end_pass(t);
	feed_commit_gone(t, "g", "orders", 0);
	assert_false(feed_find_group(t, "g")->gone);
	feed_group_gone(t, RECORD_CLASSIC, "g");
	assert_true(feed_find_group(t, "g")->gone);
	end_pass(t);
	assert_null(feed_find_group(t, "g"));
}

static void a_group_that_changes_its_protocol_keeps_its_commits(void **state)
{
	struct table *t = *state;

	feed_group(t, "g", "m1", "orders");
	feed_commit(t, "g", "orders", 0, 5, 1000);
	feed_group_gone(t, RECORD_CLASSIC, "g");
	feed_member(t, RECORD_MEMBER, "g", "m1");
	const struct group *g = feed_find_group(t, "g");
	assert_false(g->gone);
	assert_int_equal(g->protocol, WIRE_PROTOCOL_CONSUMER);
	assert_int_equal(g->commits, 1);
	/* The end of the old protocol, read late, does not touch the new one. */
	feed_group_gone(t, RECORD_CLASSIC, "g");
	assert_int_equal(g->protocol, WIRE_PROTOCOL_CONSUMER);
}

static void a_new_protocol_group_is_merged_of_its_records(void **state)
{
	struct table *t = *state;
	struct record epoch = feed_record(RECORD_EPOCH, RECORD_CONSUMER, "g");
	struct members_assigned a;
	size_t at = 0;

	epoch.generation = 12;
	table_apply(t, &epoch, 0);
	feed_assignment(t, "g", "m1", 9); /* before who it is: compaction may turn them round */
	feed_member(t, RECORD_MEMBER, "g", "m1");
	feed_member(t, RECORD_MEMBER, "g", "m2");
	const struct group *g = feed_find_group(t, "g");
	assert_int_equal(g->generation, 12);
	assert_int_equal(g->members.count, 2);
	assert_string_equal(members_about(g->members.items[0]).client_id, "client");
	assert_true(members_next_assigned(g->members.items[0], &at, &a));
	assert_int_equal(a.count, 1);
	assert_int_equal(a.topic_id[15], 9);

	feed_member(t, RECORD_ASSIGNMENT_GONE, "g", "m1");
	at = 0;
	assert_false(members_next_assigned(g->members.items[0], &at, &a));
	assert_string_equal(members_about(g->members.items[0]).client_id, "client");
	feed_member(t, RECORD_MEMBER_GONE, "g", "m1");
	feed_member(t, RECORD_MEMBER_GONE, "g", "m2");
	assert_int_equal(g->members.count, 0);
	assert_int_equal(g->state, WIRE_GROUP_EMPTY);
	feed_member(t, RECORD_ASSIGNMENT_GONE, "g", "m3"); /* adds nobody */
	assert_int_equal(g->members.count, 0);
	feed_group_gone(t, RECORD_CONSUMER, "g");
	assert_true(g->gone);
}

static void names_that_cannot_be_are_counted_and_skipped(void **state)
{
	struct table *t = *state;
	struct record r = feed_record(RECORD_COMMIT, RECORD_CLASSIC, "g");
	char longest[WIRE_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	feed_commit(t, longest, "orders", 0, 1, 1000);
	longest[WIRE_NAME_MAX] = '\0';
	feed_commit(t, longest, "orders", 0, 1, 1000);
	assert_int_equal(t->skipped, 1);

	r.topic = (struct record_str){.data = "a\0b", .size = 3};
	table_apply(t, &r, 0);
	r.topic = feed_str("orders");
	r.group = (struct record_str){.data = "a\0b", .size = 3};
	table_apply(t, &r, 0);
	assert_int_equal(t->skipped, 3);
	feed_commit(t, "g", "orders", WIRE_PARTITION_MAX + 1, 1, 1000);
	feed_commit(t, "g", "orders", 0, -5, 1000);
	assert_int_equal(t->skipped, 5);
	feed_commit(t, "g", "orders", WIRE_PARTITION_MAX, 1, 1000);
	assert_int_equal(t->commits.count, 2);
}

static void what_the_rules_exclude_is_not_kept(void **state)
{
	char *group_deny[] = {(char[]){"console-*"}};
	char *topic_deny[] = {(char[]){"__*"}};
	struct agent_filter groups = {.deny = {group_deny, 1}};
	struct agent_filter topics = {.deny = {topic_deny, 1}};
	struct table t;
	(void)state;

	table_init(&t, &groups, &topics);
	feed_commit(&t, "console-1", "orders", 0, 1, 1000);
	feed_commit(&t, "g", "__internal", 0, 1, 1000);
	feed_group(&t, "console-1", "m", "orders");
	assert_int_equal(t.commits.count, 0);
	assert_int_equal(feed_find_group(&t, "console-1")->members.count, 0);
	feed_group_gone(&t, RECORD_CLASSIC, "console-1");
	assert_null(feed_find_group(&t, "console-1"));
	table_free(&t);
}

static void the_offsets_topic_is_never_asked_for(void **state)
{
	struct table *t = *state;
	const char *names[] = {TOPICS_OFFSETS, "orders"};

	feed_topics(t, names, 2, 5);
	assert_int_equal(feed_ends(t, 10), 5);
}

static void a_failed_partition_is_told_once(void **state)
{
	struct table *t = *state;
	const char *names[] = {"orders"};

	feed_topics(t, names, 1, 1);
	feed_ends(t, 10);
	end_pass(t);
	const struct topic_log *log = &t->topics.items[0].logs[0];
	feed_ends(t, 10);
	assert_false(log->unsent);
	feed_ends(t, -1);
	assert_true(log->unsent);
	assert_int_equal(log->end, WIRE_UNKNOWN);
	end_pass(t);
	feed_ends(t, -1);
	assert_false(log->unsent);
}

static void a_topic_that_goes_is_told_and_forgotten_with_its_last_commit(void **state)
{
	struct table *t = *state;
	const char *names[] = {"orders", "payments"};

	feed_topics(t, names, 2, 3);
	feed_commit(t, "g", "orders", 0, 1, 1000);
	end_pass(t);
	feed_topics(t, names + 1, 1, 3);
	assert_true(t->topics.items[0].gone);
	assert_int_equal(feed_ends(t, 5), 3);
	end_pass(t);
	assert_false(t->topics.items[0].gone);
	assert_string_equal(names_text(&t->topics.names, 0), "orders");
	feed_commit_gone(t, "g", "orders", 0);
	end_pass(t);
	t->topics.items[0].forgotten = true; /* as keep.c does when it deletes the name */
	end_pass(t);
	assert_null(names_text(&t->topics.names, 0));
}

static void a_topic_that_comes_back_smaller_needs_a_full_pass(void **state)
{
	struct table *t = *state;
	const char *names[] = {"orders"};

	feed_topics(t, names, 1, 4);
	assert_false(t->topics.shrunk);
	feed_topics(t, names, 1, 2);
	assert_true(t->topics.shrunk);
}

static void a_topic_is_found_by_its_id_and_not_by_an_old_one(void **state)
{
	struct table *t = *state;
	uint8_t id[16];

	for (uint8_t i = 1; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "t%d", i);
		feed_topic_id(t, "g", name, i);
	}
	memset(id, 55, sizeof(id));
	assert_string_equal(names_text(&t->topics.names, topics_by_id(&t->topics, id)), "t55");
	feed_topic_id(t, "g", "t55", 200); /* recreated */
	assert_int_equal(topics_by_id(&t->topics, id), NAMES_NONE);
}

/* --- the Admin API --- */

static void admin_pass(struct table *t, const char *group, int64_t offset, int64_t at_ms)
{
	struct kafka_group_offset o = {.topic = "orders", .partition = 0, .offset = offset};
	struct kafka_group g = {.name = group,
				.state = WIRE_GROUP_STABLE,
				.offsets = &o,
				.offset_count = offset >= 0};

	table_admin_begin(t);
	assert_true(table_admin_listed(t, group));
	table_admin_group(t, &g, at_ms);
	table_admin_end(t, false);
}

static void by_admin_a_commit_arrives_when_its_offset_moves(void **state)
{
	struct table *t = *state;

	admin_pass(t, "g", 5, 1000);
	assert_int_equal(feed_find(t, "g", "orders", 0)->arrival_ms, 1000);
	assert_int_equal(feed_find(t, "g", "orders", 0)->time_ms, WIRE_UNKNOWN);
	end_pass(t);
	admin_pass(t, "g", 5, 2000);
	assert_int_equal(feed_find(t, "g", "orders", 0)->arrival_ms, 1000);
	assert_false(feed_find(t, "g", "orders", 0)->flags & COMMIT_UNSENT);
	admin_pass(t, "g", 6, 3000);
	assert_int_equal(feed_find(t, "g", "orders", 0)->arrival_ms, 3000);
	admin_pass(t, "g", -1, 4000);
	assert_false(feed_find(t, "g", "orders", 0)->flags & COMMIT_ALIVE);
}

static void by_admin_a_group_is_gone_only_when_a_whole_list_lacks_it(void **state)
{
	struct table *t = *state;

	admin_pass(t, "g", 5, 1000);
	end_pass(t);
	table_admin_begin(t);
	table_admin_end(t, true);
	assert_false(feed_find_group(t, "g")->gone);
	table_admin_begin(t);
	assert_true(table_admin_listed(t, "g")); /* but its offsets are not told */
	table_admin_end(t, false);
	assert_int_equal(feed_find_group(t, "g")->commits, 1);
	table_admin_begin(t);
	table_admin_end(t, false);
	assert_true(feed_find_group(t, "g")->gone);
	end_pass(t);
	assert_int_equal(t->commits.count, 0);
	assert_null(feed_find_group(t, "g"));
}

static void by_admin_members_are_news_only_when_they_differ(void **state)
{
	struct table *t = *state;
	struct kafka_group_offset o = {.topic = "orders", .partition = 2};
	struct kafka_member m = {.id = "m",
				 .client_id = "c",
				 .host = "/10.0.0.1",
				 .assigned = &o,
				 .assigned_count = 1};
	struct kafka_description d = {
		.group = "g", .state = WIRE_GROUP_STABLE, .members = &m, .member_count = 1};

	admin_pass(t, "g", 5, 1000);
	table_admin_members(t, &d);
	assert_int_equal(feed_find_group(t, "g")->members.count, 1);
	end_pass(t);
	table_admin_members(t, &d);
	assert_false(feed_find_group(t, "g")->unsent);
	m.id = "n";
	table_admin_members(t, &d);
	assert_true(feed_find_group(t, "g")->unsent);
}

/* --- members as bytes --- */

static void members_survive_packing_and_damage_is_refused(void **state)
{
	struct table *t = *state;
	struct members back = {0};
	CLEANUP(buf_free) struct buf out = {0};

	feed_group(t, "g", "m1", "orders");
	feed_member(t, RECORD_MEMBER, "h", "m2");
	feed_assignment(t, "h", "m2", 4);
	for (uint32_t n = 0; n < 2; n++) {
		const struct members *m = &t->groups[n].members;
		buf_reset(&out);
		members_pack(m, &out);
		const uint8_t *data = (const uint8_t *)out.data;
		assert_int_equal(members_unpack(&back, data, out.size), ERR_OK);
		assert_int_equal(back.count, 1);
		assert_int_equal(back.items[0]->about_size, m->items[0]->about_size);
		assert_memory_equal(back.items[0]->bytes, m->items[0]->bytes,
				    m->items[0]->about_size + m->items[0]->assigned_size);
		for (size_t size = 0; size < out.size; size++) {
			uint8_t *cut = malloc(size + 1);
			memcpy(cut, data, size);
			assert_int_equal(members_unpack(&back, cut, size), ERR_MALFORMED);
			free(cut);
		}
	}
	members_free(&back);
}

int main(void)
{
#define WITH_TABLE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_TABLE(a_commit_makes_a_group_without_members),
		WITH_TABLE(a_repeated_commit_is_news_although_the_offset_is_the_same),
		WITH_TABLE(a_simple_group_ends_with_its_last_commit),
		WITH_TABLE(tombstones_are_taken_in_the_order_of_the_stream),
		WITH_TABLE(a_tombstone_of_what_is_not_known_adds_no_name),
		WITH_TABLE(a_classic_group_is_as_its_last_record_says),
		WITH_TABLE(a_deleted_group_is_gone_when_its_commits_are),
		WITH_TABLE(a_group_that_changes_its_protocol_keeps_its_commits),
		WITH_TABLE(a_new_protocol_group_is_merged_of_its_records),
		WITH_TABLE(names_that_cannot_be_are_counted_and_skipped),
		cmocka_unit_test(what_the_rules_exclude_is_not_kept),
		WITH_TABLE(the_offsets_topic_is_never_asked_for),
		WITH_TABLE(a_failed_partition_is_told_once),
		WITH_TABLE(a_topic_that_goes_is_told_and_forgotten_with_its_last_commit),
		WITH_TABLE(a_topic_that_comes_back_smaller_needs_a_full_pass),
		WITH_TABLE(a_topic_is_found_by_its_id_and_not_by_an_old_one),
		WITH_TABLE(by_admin_a_commit_arrives_when_its_offset_moves),
		WITH_TABLE(by_admin_a_group_is_gone_only_when_a_whole_list_lacks_it),
		WITH_TABLE(by_admin_members_are_news_only_when_they_differ),
		WITH_TABLE(members_survive_packing_and_damage_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
