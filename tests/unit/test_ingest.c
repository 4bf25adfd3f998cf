/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/ingest/apply.h"
#include "aggregator/ingest/evaluate.h"
#include "aggregator/ingest/members.h"
#include "aggregator/ingest/points.h"
#include "aggregator/ingest/session.h"
#include "common/err.h"
#include "temp.h"

/* A stream of passes, as batches already decoded, through apply and evaluate to the view. */

#define T0 1700000000000
#define STEP 10000

struct fixture {
	struct temp temp;
	struct store *store;
	struct evaluate_room *room;
	struct names *names;
	struct clusters *clusters;
	struct store_txn txn;
	struct rules_memo *rules;
	struct view *view;
	uint64_t pass;
};

static void load(struct fixture *f)
{
	char why[512] = "";

	assert_int_equal(store_open(f->temp.dir, (size_t)64 << 20, why, &f->store), ERR_OK);
	struct store_txn t = store_begin(f->store, false);
	assert_int_equal(names_load(&t, &f->names), ERR_OK);
	assert_int_equal(clusters_load(&t, f->names, &f->clusters), ERR_OK);
	store_abort(&t);
	assert_int_equal(evaluate_room_new(true, &f->room), ERR_OK);
}

static void unload(struct fixture *f)
{
	evaluate_room_free(&f->room);
	names_free(&f->names);
	clusters_free(&f->clusters);
	store_close(&f->store);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->temp = temp_make();
	const struct rules_base base = {.values = RULES_DEFAULT};
	struct rules_set *set = rules_new("", 0, &base, NULL, 0);
	f->rules = rules_memo_new(set);
	rules_unref(&set);
	load(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	view_unref(&f->view);
	rules_memo_free(&f->rules);
	unload(f);
	temp_remove(&f->temp);
	free(f);
	return 0;
}

static const char *NAMES[] = {"orders", "readers", "payments", "others", "m-1", "cli", "/10.0.0.7"};
enum name { ORDERS, READERS, PAYMENTS, OTHERS };

static struct wire_batch new_pass(struct fixture *f, uint32_t flags)
{
	f->pass++;
	return (struct wire_batch){
		.agent = "dc1-a",
		.epoch = 1,
		.seq = f->pass,
		.cluster = "seoul",
		.environment = "PROD",
		.pass = f->pass,
		.pass_at_ms = T0 + (int64_t)f->pass * STEP,
		.interval_ms = STEP,
		.flags = flags | WIRE_PASS_FIRST | WIRE_PASS_LAST,
		.report = {.state = WIRE_AGENT_RUNNING,
			   .problem = "",
			   .source = "offsets-topic",
			   .servers = "k1:9092"},
		.names = NAMES,
		.name_count = ARRAY_LEN(NAMES),
	};
}

/* Apply the batch and, if it ends a pass, judge; the view is then in f. */
static int feed(struct fixture *f, const struct wire_batch *b)
{
	struct cluster *c = NULL;
	const char *why = "";

	f->txn = store_begin(f->store, true);
	struct apply a = {&f->txn, f->names, f->clusters, RULES_DEFAULT.window_ms};
	int err = apply_batch(&a, b, "0.1.0", T0, &c, &why);
	if (err == ERR_OK && c->due) {
		struct evaluate e = {f->room, &f->txn, f->names, f->rules, c, 0};

		c->due = false;
		view_unref(&f->view);
		f->view = evaluate_cluster(&e);
	}
	assert_int_equal(store_commit(&f->txn), ERR_OK);
	return err;
}

static struct wire_commit_row commit_of(const struct wire_batch *b, uint32_t group, uint32_t topic,
					int32_t partition, int64_t offset)
{
	return (struct wire_commit_row){
		group, topic, partition, offset, b->pass_at_ms - 5, b->pass_at_ms - 2};
}

/* A full pass with two topics and two groups. */
static void feed_full(struct fixture *f)
{
	struct wire_batch b = new_pass(f, WIRE_PASS_FULL);
	const struct wire_log_row logs[] = {
		{ORDERS, 0, 0, 100, -1, 3}, {ORDERS, 1, 5, 50, -1, 3}, {PAYMENTS, 0, 0, 7, -1, 3}};
	const struct wire_commit_row commits[] = {commit_of(&b, READERS, ORDERS, 0, 90),
						  commit_of(&b, READERS, ORDERS, 1, 50),
						  commit_of(&b, OTHERS, PAYMENTS, 0, 0)};

	b.logs = logs;
	b.log_count = ARRAY_LEN(logs);
	b.commits = commits;
	b.commit_count = ARRAY_LEN(commits);
	assert_int_equal(feed(f, &b), ERR_OK);
}

static void a_pass_becomes_a_view(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	assert_string_equal(f->view->cluster, "seoul");
	assert_string_equal(f->view->environment, "PROD");
	assert_string_equal(f->view->servers, "k1:9092");
	assert_int_equal(f->view->as_of_ms, T0 + STEP);
	assert_int_equal(f->view->topic_count, 2);
	assert_string_equal(f->view->topics[0].name, "orders");
	assert_int_equal(f->view->topics[0].partition_count, 2);
	assert_int_equal(f->view->topics[0].ends[1], 50);
	assert_int_equal(f->view->group_count, 2);

	const struct view_group *g = view_find_group(f->view, "readers");
	assert_non_null(g);
	assert_int_equal(g->partition_count, 2);
	assert_int_equal(g->total_lag, 10);
	assert_int_equal(g->max_lag, 0);
	assert_int_equal(g->status, STATUS_OK);
	assert_int_equal(g->partitions[0].committed, 90);
	assert_int_equal(g->partitions[0].lag, 10);
	assert_int_equal(g->partitions[1].lag, 0);
	assert_true(g->partitions[0].has_offsets);
	assert_int_equal(g->partitions[0].end.offset, 90);
	assert_int_equal(g->partitions[0].end.time_ms, T0 + STEP - 5);
	assert_int_equal(g->partitions[0].end.observed_ms, T0 + STEP - 2);
}

static void what_is_not_sent_is_as_before(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	const struct wire_log_row logs[] = {{ORDERS, 0, 0, 130, -1, 3}};

	b.logs = logs;
	b.log_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_int_equal(g->partitions[0].lag, 40);
	assert_int_equal(g->partitions[1].lag, 0);
	assert_int_equal(f->view->group_count, 2);
}

static void a_full_pass_removes_what_it_does_not_name(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct wire_batch b = new_pass(f, WIRE_PASS_FULL);
	const struct wire_log_row logs[] = {{ORDERS, 0, 0, 130, -1, 3}};
	const struct wire_commit_row commits[] = {commit_of(&b, READERS, ORDERS, 0, 95)};

	b.logs = logs;
	b.log_count = 1;
	b.commits = commits;
	b.commit_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(f->view->group_count, 1);
	assert_int_equal(f->view->groups[0].partition_count, 1);
	assert_int_equal(f->view->topic_count, 1);
	assert_int_equal(f->view->topics[0].partition_count, 1);
}

static void half_a_full_pass_removes_nothing(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct wire_batch b = new_pass(f, WIRE_PASS_FULL);
	b.flags = WIRE_PASS_FULL | WIRE_PASS_LAST; /* its first batch was lost */
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(f->view->group_count, 2);
	assert_int_equal(f->view->topic_count, 2);
}

/* Case M of the wrong verdicts: with its topic a partition leaves group, view and metrics. */
static void what_is_gone_is_gone_in_the_same_pass(void **state)
{
	struct fixture *f = *state;
	const uint32_t groups[] = {OTHERS};
	const uint32_t topics[] = {PAYMENTS};
	const struct wire_gone_commit commits[] = {{READERS, ORDERS, 1}};

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	b.gone_groups = groups;
	b.gone_group_count = 1;
	b.gone_topics = topics;
	b.gone_topic_count = 1;
	b.gone_commits = commits;
	b.gone_commit_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(f->view->group_count, 1);
	assert_int_equal(f->view->groups[0].partition_count, 1);
	assert_int_equal(f->view->topic_count, 1);
}

/* With case Q of the wrong verdicts: a group known by membership only is present, and stays. */
static void members_give_owners_and_known_groups(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	const uint32_t subscribed[] = {ORDERS};
	const struct wire_partition assigned[] = {{ORDERS, 0}, {ORDERS, 1}};
	const struct wire_member members[] = {
		{"m-1", "cli", "/10.0.0.7", subscribed, 1, assigned, 2}};
	const struct wire_group groups[] = {
		{READERS, WIRE_PROTOCOL_CLASSIC, WIRE_GROUP_STABLE, 4, members, 1},
		{ORDERS, WIRE_PROTOCOL_CONSUMER, WIRE_GROUP_EMPTY, 1, NULL, 0}};

	b.groups = groups;
	b.group_count = 2;
	assert_int_equal(feed(f, &b), ERR_OK);
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_string_equal(g->partitions[0].owner, "/10.0.0.7");
	assert_string_equal(g->partitions[1].client_id, "cli");
	assert_string_equal(g->state, "Stable");
	assert_int_equal(g->member_count, 1);
	const struct view_group *empty = view_find_group(f->view, "orders");
	assert_non_null(empty); /* known by membership only, and of a topic's name */
	assert_int_equal(empty->partition_count, 0);
	assert_int_equal(empty->status, STATUS_OK);
}

static void an_owned_partition_without_a_commit_is_shown(void **state)
{
	struct fixture *f = *state;
	const struct wire_partition assigned[] = {{PAYMENTS, 0}};
	const struct wire_member members[] = {{"m-1", "cli", "/10.0.0.7", NULL, 0, assigned, 1}};
	const struct wire_group groups[] = {
		{READERS, WIRE_PROTOCOL_CLASSIC, WIRE_GROUP_STABLE, 4, members, 1}};

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	b.groups = groups;
	b.group_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	b = new_pass(f, 0);
	assert_int_equal(feed(f, &b), ERR_OK);
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_int_equal(g->partition_count, 3);
	assert_string_equal(g->partitions[2].topic, "payments");
	assert_int_equal(g->partitions[2].committed, VIEW_UNKNOWN);

	/* Given back without ever having committed, it is no part of the group any more. */
	const struct wire_group left[] = {
		{READERS, WIRE_PROTOCOL_CLASSIC, WIRE_GROUP_EMPTY, 5, NULL, 0}};
	b = new_pass(f, 0);
	b.groups = left;
	b.group_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(view_find_group(f->view, "readers")->partition_count, 2);
}

static void a_dead_consumer_is_found_and_recovers(void **state)
{
	struct fixture *f = *state;
	int64_t end = 100;
	size_t passes = 0;

	feed_full(f);
	for (; passes < 60 && view_find_group(f->view, "readers")->status != STATUS_ERR; passes++) {
		struct wire_batch b = new_pass(f, 0);
		const struct wire_log_row logs[] = {{ORDERS, 0, 0, end += 50, -1, 3}};

		b.logs = logs;
		b.log_count = 1;
		assert_int_equal(feed(f, &b), ERR_OK);
	}
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_int_equal(g->status, STATUS_ERR);
	assert_int_equal(g->partitions[0].status, STATUS_STOP);
	assert_in_range(passes, 12, 15); /* two minutes while its pace is not known, and 3 passes */
	assert_int_equal(view_find_group(f->view, "others")->status, STATUS_ERR);

	for (int i = 0; i < 3; i++) {
		struct wire_batch b = new_pass(f, 0);
		const struct wire_commit_row commits[] = {
			commit_of(&b, READERS, ORDERS, 0, end - 1)};

		b.commits = commits;
		b.commit_count = 1;
		assert_int_equal(feed(f, &b), ERR_OK);
	}
	assert_int_equal(view_find_group(f->view, "readers")->status, STATUS_OK);
}

static void a_restart_changes_nothing(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	assert_int_equal(feed(f, &b), ERR_OK);
	int64_t lag = (int64_t)view_find_group(f->view, "readers")->total_lag;
	unload(f);
	load(f);
	assert_int_equal(clusters_count(f->clusters), 1);
	struct cluster *c = clusters_at(f->clusters, 0);
	assert_true(c->due);
	assert_string_equal(c->name, "seoul");
	assert_string_equal(c->origin.environment, "PROD");
	b = new_pass(f, 0);
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(view_find_group(f->view, "readers")->total_lag, lag);
}

/* Case O of the wrong verdicts: what was deleted is gone, not shown until a cache expires. */
static void a_buried_group_stays_away_until_it_commits(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	uint32_t id = view_find_group(f->view, "readers")->id;
	int64_t arrival_ms = T0 + STEP - 2;
	f->txn = store_begin(f->store, true);
	struct apply a = {&f->txn, f->names, f->clusters, RULES_DEFAULT.window_ms};
	apply_bury(&a, clusters_at(f->clusters, 0), id, 0);
	assert_int_equal(store_commit(&f->txn), ERR_OK);

	struct wire_batch b = new_pass(f, 0);
	struct wire_commit_row commits[] = {commit_of(&b, READERS, ORDERS, 0, 90)};
	commits[0].arrival_ms = arrival_ms; /* the old commit, sent again */
	b.commits = commits;
	b.commit_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_null(view_find_group(f->view, "readers"));

	b = new_pass(f, 0);
	commits[0].arrival_ms = b.pass_at_ms;
	b.commits = commits;
	b.commit_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_non_null(view_find_group(f->view, "readers"));
}

/* Case N of the wrong verdicts: an expired group leaves views, and so metrics, in the same pass. */
static void an_expired_group_is_gone_until_it_commits(void **state)
{
	struct fixture *f = *state;
	const int64_t days_ms = INT64_C(8) * 24 * 3600 * 1000;

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	b.pass_at_ms += days_ms;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(f->view->group_count, 0);
	assert_int_equal(f->view->topic_count, 2);

	b = new_pass(f, 0);
	b.pass_at_ms += days_ms;
	const struct wire_commit_row commits[] = {commit_of(&b, READERS, ORDERS, 0, 91)};
	b.commits = commits;
	b.commit_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_non_null(view_find_group(f->view, "readers"));
	assert_null(view_find_group(f->view, "others"));
}

static void a_silent_agent_leaves_the_last_verdict(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct cluster *c = clusters_at(f->clusters, 0);
	assert_false(evaluate_blind(c, 3 * STEP));
	assert_true(evaluate_blind(c, 3 * STEP + 1));
	f->txn = store_begin(f->store, true);
	struct evaluate e = {f->room, &f->txn, f->names, f->rules, c, (int64_t)3600 * 1000};
	view_unref(&f->view);
	f->view = evaluate_cluster(&e);
	assert_int_equal(store_commit(&f->txn), ERR_OK);
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_int_equal(g->status, STATUS_OK);
	assert_true(g->stale);
	assert_int_equal(f->view->group_count, 2);
}

/* A pass that was sent so long after it was made. */
static void feed_late(struct fixture *f, int64_t late_ms)
{
	struct wire_batch b = new_pass(f, 0);

	b.sent_steady_ms = b.pass_at_ms + late_ms;
	assert_int_equal(feed(f, &b), ERR_OK);
}

static void an_agent_that_catches_up_shows_what_is_old(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	assert_false(f->view->stale);
	feed_late(f, (int64_t)3600 * 1000);
	assert_true(f->view->stale);
	assert_true(view_find_group(f->view, "readers")->stale);
	feed_late(f, 3 * STEP);
	assert_false(f->view->stale);
	assert_false(view_find_group(f->view, "readers")->stale);
}

/* The rule of a set for one group, and one of its partitions or "*". */
static struct rules_entry rule_for(const char *group, const char *partition)
{
	return (struct rules_entry){.patterns = {[RULES_GROUP] = group,
						 [RULES_TOPIC] = "*",
						 [RULES_PARTITION] = partition,
						 [RULES_CLUSTER] = "seo*",
						 [RULES_ENVIRONMENT] = "PROD"}};
}

static void judge_by(struct fixture *f, const struct rules_entry *entries, size_t count)
{
	const struct rules_base base = {.values = RULES_DEFAULT};
	struct rules_set *set = rules_new("", 1, &base, entries, count);

	rules_memo_free(&f->rules);
	f->rules = rules_memo_new(set);
	rules_unref(&set);
}

static void rules_hold_where_they_match(void **state)
{
	struct fixture *f = *state;
	struct rules_entry entries[] = {rule_for("readers", "1"), rule_for("oth*", "*")};

	entries[0].values.ignore = true;
	entries[0].given = 1u << RULES_IGNORE;
	entries[1].values.expire_group_ms = (int64_t)3600 * 1000;
	entries[1].given = 1u << RULES_EXPIRE_GROUP;
	judge_by(f, entries, 2);
	feed_full(f);
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_true(g->partitions[0].counted);
	assert_false(g->partitions[1].counted);
	assert_int_equal(g->partitions[1].reason, REASON_IGNORED);
	assert_non_null(view_find_group(f->view, "others"));

	f->pass += 400;
	struct wire_batch b = new_pass(f, 0);
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_non_null(view_find_group(f->view, "readers"));
	assert_null(view_find_group(f->view, "others"));
}

static void another_agent_may_not_report_the_same_cluster(void **state)
{
	struct fixture *f = *state;

	feed_full(f);
	struct wire_batch b = new_pass(f, 0);
	b.agent = "dc2-b";
	assert_int_equal(feed(f, &b), ERR_CONFIG);
	b.environment = "QA";
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(clusters_count(f->clusters), 2);
}

static void a_subscription_by_pattern_leaves_topics_unknown(void **state)
{
	(void)state;
	const uint32_t subscribed[] = {0};
	const uint32_t topics[] = {5};
	const struct wire_member members[] = {{"m-1", "c", "h", subscribed, 1, NULL, 0},
					      {"m-2", "c", "h", NULL, 0, NULL, 0}};
	struct wire_group g = {.members = members, .member_count = 1};
	struct buf packed = {0};
	struct members m;

	members_pack(&packed, &g, topics);
	assert_int_equal(members_unpack((uint8_t *)packed.data, packed.size, &m), ERR_OK);
	assert_true(members_subscribed(&m, 5));
	members_free(&m);
	buf_reset(&packed);
	g.member_count = 2;
	members_pack(&packed, &g, topics);
	assert_int_equal(members_unpack((uint8_t *)packed.data, packed.size, &m), ERR_OK);
	assert_int_equal(m.topic_count, 0);
	assert_int_equal(m.count, 2);
	members_free(&m);
	for (size_t cut = 0; cut < packed.size; cut++)
		assert_int_equal(members_unpack((uint8_t *)packed.data, cut, &m), ERR_MALFORMED);
	buf_free(&packed);
}

struct got {
	size_t calls, points;
	struct view_offset last;
};

static void take_points(void *arg, const struct view_partition *p, const struct view_offset *points,
			size_t count)
{
	struct got *got = arg;

	got->calls++;
	if (p->partition == 0 && count != 0) {
		got->points = count;
		got->last = points[count - 1];
	}
}

/* A pass with nothing new but these answers. */
static void feed_answers(struct fixture *f, const struct wire_probe_row *rows, size_t count)
{
	struct wire_batch b = new_pass(f, 0);

	b.probes = rows;
	b.probe_count = count;
	assert_int_equal(feed(f, &b), ERR_OK);
}

/* Two groups stand at one place, a third further on; none of them reads. */
static void feed_standing(struct fixture *f)
{
	struct wire_batch b = new_pass(f, WIRE_PASS_FULL);
	const struct wire_log_row logs[] = {{ORDERS, 0, 0, 100, -1, 3}};
	const struct wire_commit_row commits[] = {commit_of(&b, READERS, ORDERS, 0, 90),
						  commit_of(&b, OTHERS, ORDERS, 0, 90),
						  commit_of(&b, PAYMENTS, ORDERS, 0, 95)};

	b.logs = logs;
	b.log_count = ARRAY_LEN(logs);
	b.commits = commits;
	b.commit_count = ARRAY_LEN(commits);
	assert_int_equal(feed(f, &b), ERR_OK);
	clusters_at(f->clusters, 0)->probe_limit = 20;
	for (int i = 0; i < 3; i++)
		feed_answers(f, NULL, 0);
}

static uint64_t lag_of(const struct fixture *f, const char *group)
{
	return view_find_group(f->view, group)->total_lag;
}

static void groups_at_one_place_are_asked_once_and_all_take_the_answer(void **state)
{
	struct fixture *f = *state;
	const struct probes_wish *list = NULL;
	const struct wire_probe_row nothing = {ORDERS, 0, 90, 100, WIRE_PROBE_NOTHING, -1};
	const struct wire_probe_row strange = {OTHERS, 0, 90, 100, WIRE_PROBE_NOTHING, -1};

	feed_standing(f);
	struct cluster *c = clusters_at(f->clusters, 0);
	assert_int_equal(probes_take(c->probes, &list), 2);
	assert_int_equal(list[0].place.offset + list[1].place.offset, 90 + 95);
	assert_int_equal(list[0].end, 100);
	feed_answers(f, &strange, 1); /* a topic that nobody knows */
	assert_int_equal(lag_of(f, "readers"), 10);
	feed_answers(f, &nothing, 1);
	assert_int_equal(lag_of(f, "readers"), 0);
	assert_int_equal(lag_of(f, "others"), 0);
	assert_int_equal(lag_of(f, "payments"), 5);
	assert_int_equal(view_find_group(f->view, "readers")->time_lag_ms, 0);
	assert_int_equal(probes_take(c->probes, &list), 0);

	/* The log has grown, by what has not been read. */
	struct wire_batch b = new_pass(f, 0);
	const struct wire_log_row logs[] = {{ORDERS, 0, 0, 103, -1, 3}};
	b.logs = logs;
	b.log_count = 1;
	assert_int_equal(feed(f, &b), ERR_OK);
	assert_int_equal(lag_of(f, "readers"), 13);
	feed_answers(f, NULL, 0);
	feed_answers(f, NULL, 0);
	assert_int_equal(probes_take(c->probes, &list), 2);
	assert_int_equal(list[0].end, 103);
}

static void who_stands_before_a_record_stops_exactly_as_long_as_it_waits(void **state)
{
	struct fixture *f = *state;
	const struct probes_wish *list = NULL;

	feed_standing(f);
	struct cluster *c = clusters_at(f->clusters, 0);
	assert_int_equal(probes_take(c->probes, &list), 2);
	assert_true(view_find_group(f->view, "readers")->time_lag_at_least);
	const struct wire_probe_row record = {ORDERS, 0, 90, 100, WIRE_PROBE_RECORD, T0 - 1000000};
	feed_answers(f, &record, 1);
	const struct view_group *g = view_find_group(f->view, "readers");
	assert_false(g->time_lag_at_least);
	assert_int_equal(g->time_lag_ms, f->view->as_of_ms - (T0 - 1000000));
	for (int i = 0; i < 20; i++)
		feed_answers(f, NULL, 0);
	assert_int_equal(view_find_group(f->view, "readers")->status, STATUS_ERR);
}

static void an_agent_that_does_not_probe_is_asked_nothing(void **state)
{
	struct fixture *f = *state;
	const struct probes_wish *list = NULL;

	feed_standing(f);
	clusters_at(f->clusters, 0)->probe_limit = 0;
	feed_answers(f, NULL, 0);
	assert_int_equal(probes_take(clusters_at(f->clusters, 0)->probes, &list), 0);
}

static void points_are_the_latest_commits(void **state)
{
	struct fixture *f = *state;
	struct got got = {0};

	feed_full(f);
	for (int64_t offset = 91; offset <= 99; offset++) {
		struct wire_batch b = new_pass(f, 0);
		const struct wire_commit_row commits[] = {
			commit_of(&b, READERS, ORDERS, 0, offset)};

		b.commits = commits;
		b.commit_count = 1;
		assert_int_equal(feed(f, &b), ERR_OK);
	}
	assert_int_equal(points_read(f->store, f->view, view_find_group(f->view, "readers"), 4,
				     take_points, &got),
			 ERR_OK);
	assert_int_equal(got.calls, 2);
	assert_int_equal(got.points, 4);
	assert_int_equal(got.last.offset, 99);
	assert_int_equal(got.last.lag, 1);
	assert_int_equal(got.last.observed_ms, T0 + 10 * STEP - 2);
}

static struct wire_hello hello_of(uint64_t epoch, uint64_t instance)
{
	return (struct wire_hello){
		.agent = "dc1-a",
		.epoch = epoch,
		.instance = instance,
		.next_seq = 1,
		.version_min = 1,
		.version_max = 1,
		.software = "0.1.0",
	};
}

static void batches_are_taken_once_and_in_order(void **state)
{
	struct fixture *f = *state;
	struct sessions *s = sessions_new();
	struct wire_hello h = hello_of(7, 1);
	struct wire_welcome w;
	struct wire_batch b = {
		.agent = "dc1-a", .epoch = 7, .instance = 1, .seq = 1, .floor_seq = 1};
	uint64_t lost = 0;
	struct store_txn t = store_begin(f->store, true);

	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_HELLO);
	sessions_hello(s, &t, &h, 0, &w);
	assert_int_equal(w.code, WIRE_OK);
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_NOW);
	session_applied(s, &t, &b);
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_DUPLICATE);
	b.seq = 3;
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_LATER);
	b.floor_seq = 3; /* the agent dropped number 2 */
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_NOW);
	assert_int_equal(lost, 1);
	session_applied(s, &t, &b);

	/* A restart of the agent fences what is left of the earlier instance. */
	h = hello_of(7, 2);
	h.next_seq = 4;
	sessions_hello(s, &t, &h, 0, &w);
	assert_int_equal(w.code, WIRE_OK);
	assert_int_equal(w.applied_seq, 3);
	b.seq = 4;
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_FENCED);

	/* An old copy of its state is told how far it is behind, and takes nothing over. */
	h = hello_of(7, 9);
	h.next_seq = 3;
	sessions_hello(s, &t, &h, 0, &w);
	assert_int_equal(w.code, WIRE_OK);
	assert_int_equal(w.applied_seq, 3);
	b.instance = 9;
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_FENCED);
	b.instance = 2;
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_NOW);

	/* Another machine under the same name has another epoch. */
	h = hello_of(8, 3);
	sessions_hello(s, &t, &h, 10, &w);
	assert_int_equal(w.code, WIRE_REFUSED);
	sessions_hello(s, &t, &h, 40000, &w);
	assert_int_equal(w.code, WIRE_OK);
	assert_int_equal(w.applied_seq, 0);

	/* Epochs that were left are remembered. */
	h = hello_of(7, 4);
	h.next_seq = 2;
	sessions_hello(s, &t, &h, 80000, &w);
	assert_int_equal(w.code, WIRE_OK);
	assert_int_equal(w.applied_seq, 3);
	h = hello_of(8, 3);

	/* The numbers are in the store. */
	sessions_reload(s, &t);
	sessions_hello(s, &t, &h, 40000, &w);
	b = (struct wire_batch){.agent = "dc1-a", .epoch = 8, .instance = 3, .seq = 1};
	assert_int_equal(session_turn(s, &b, 0, &lost), SESSION_NOW);
	h.version_min = 2;
	h.version_max = 9;
	sessions_hello(s, &t, &h, 40000, &w);
	assert_int_equal(w.code, WIRE_REFUSED);
	assert_true(session_features(s, "dc1-a") == (h.features & WIRE_FEATURES));
	assert_true(session_features(s, "other") == 0);
	sessions_free(&s);
	store_abort(&t);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void invented_agents_are_refused_beyond_a_number_and_known_ones_are_not(void **state)
{
	struct fixture *f = *state;
	struct sessions *s = sessions_new();
	struct store_txn t = store_begin(f->store, true);
	struct wire_hello h = {.version_min = WIRE_VERSION,
			       .version_max = WIRE_VERSION,
			       .epoch = 1,
			       .instance = 1,
			       .software = "test"};
	struct wire_welcome w;
	char name[32];
	size_t known = 0;

	for (; known < 100000; known++) {
		snprintf(name, sizeof(name), "agent-%zu", known);
		h.agent = name;
		sessions_hello(s, &t, &h, 1000, &w);
		if (w.code != WIRE_OK)
			break;
	}
	assert_in_range(known, 1000, 10000);
	assert_int_equal(w.code, WIRE_REFUSED);
	assert_non_null(strstr(w.reason, "too many agents"));
	h.agent = "agent-7";
	sessions_hello(s, &t, &h, 1000, &w);
	assert_int_equal(w.code, WIRE_OK);

	/* Those that have been silent for hours make room, and may come back. */
	h.agent = name;
	sessions_hello(s, &t, &h, 1000 + 3 * 3600000, &w);
	assert_int_equal(w.code, WIRE_OK);
	h.agent = "agent-8";
	sessions_hello(s, &t, &h, 1000 + 3 * 3600000, &w);
	assert_int_equal(w.code, WIRE_OK);
	assert_int_equal(w.session, 1);
	store_abort(&t);
	sessions_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_pass_becomes_a_view),
		WITH_STORE(what_is_not_sent_is_as_before),
		WITH_STORE(a_full_pass_removes_what_it_does_not_name),
		WITH_STORE(half_a_full_pass_removes_nothing),
		WITH_STORE(what_is_gone_is_gone_in_the_same_pass),
		WITH_STORE(members_give_owners_and_known_groups),
		WITH_STORE(an_owned_partition_without_a_commit_is_shown),
		WITH_STORE(a_dead_consumer_is_found_and_recovers),
		WITH_STORE(a_restart_changes_nothing),
		WITH_STORE(a_buried_group_stays_away_until_it_commits),
		WITH_STORE(an_expired_group_is_gone_until_it_commits),
		WITH_STORE(a_silent_agent_leaves_the_last_verdict),
		WITH_STORE(an_agent_that_catches_up_shows_what_is_old),
		WITH_STORE(rules_hold_where_they_match),
		WITH_STORE(another_agent_may_not_report_the_same_cluster),
		cmocka_unit_test(a_subscription_by_pattern_leaves_topics_unknown),
		WITH_STORE(groups_at_one_place_are_asked_once_and_all_take_the_answer),
		WITH_STORE(who_stands_before_a_record_stops_exactly_as_long_as_it_waits),
		WITH_STORE(an_agent_that_does_not_probe_is_asked_nothing),
		WITH_STORE(points_are_the_latest_commits),
		WITH_STORE(batches_are_taken_once_and_in_order),
		WITH_STORE(invented_agents_are_refused_beyond_a_number_and_known_ones_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
