/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/reaper.h"

#include "aggregator/store/past.h"
#include "pass_feed.h"

#define DAY INT64_C(86400000)
#define UP (2 * (int64_t)REAPER_PATIENCE_MS)

/* Whole rounds; the numbers of clusters that went are returned, the last of them. */
static uint32_t reap(struct feed *f, struct reaper *r, int64_t now_ms, int64_t up_ms)
{
	uint64_t until = reaper_rounds(r) + 2;
	uint32_t gone = 0;

	while (reaper_rounds(r) < until) {
		struct store_txn t = store_begin(f->store, true);
		const struct reaper_step s = {&t, f->names, f->clusters, now_ms, up_ms};
		uint32_t one = reaper_step(r, &s);

		gone = one != 0 ? one : gone;
		assert_int_equal(store_commit(&t), ERR_OK);
	}
	return gone;
}

static size_t name_count;

static void count_name(void *arg, const struct store_name *n)
{
	(void)arg;
	(void)n;
	name_count++;
}

static size_t count_names(struct feed *f)
{
	struct store_txn t = store_begin(f->store, false);

	name_count = 0;
	assert_int_equal(store_each_name(&t, count_name, NULL), ERR_OK);
	store_abort(&t);
	return name_count;
}

/* What a watched cluster looks like is not changed by any number of rounds. */
static void what_is_of_use_stays(void **state)
{
	struct feed *f = *state;
	struct reaper *r = reaper_new(30 * DAY);

	f->has_members = true;
	feed_on(f, 5, 10, true, 3);
	size_t names = count_names(f);
	assert_int_equal(reap(f, r, f->at_ms, UP), 0);
	assert_int_equal(count_names(f), names);
	feed_on(f, 1, 10, true, 3);
	assert_non_null(feed_group(f));
	assert_int_equal(feed_group(f)->partition_count, 2);
	reaper_free(&r);
}

/* A pass of one group and one topic of these names, complete: what it does not name is gone. */
static void feed_names(struct feed *f, const char *topic, const char *group)
{
	const char *names[] = {topic, group};
	struct cluster *c = NULL;
	const char *why = "";

	f->at_ms += f->interval_ms;
	f->pass++;
	const struct wire_log_row log = {0, 0, 0, 10 * (int64_t)f->pass, -1, 1};
	const struct wire_commit_row commit = {
		1, 0, 0, 9 * (int64_t)f->pass, f->at_ms - 5, f->at_ms - 2};
	const struct wire_batch b = {
		.agent = "dc1-a",
		.epoch = 1,
		.seq = f->pass,
		.cluster = "seoul",
		.environment = "PROD",
		.pass = f->pass,
		.pass_at_ms = f->at_ms,
		.interval_ms = (uint32_t)f->interval_ms,
		.flags = WIRE_PASS_FULL | WIRE_PASS_FIRST | WIRE_PASS_LAST,
		.report = {.state = WIRE_AGENT_RUNNING, .problem = "", .source = "", .servers = ""},
		.names = names,
		.name_count = 2,
		.logs = &log,
		.log_count = topic != NULL,
		.commits = &commit,
		.commit_count = group != NULL,
	};
	struct store_txn t = store_begin(f->store, true);
	struct apply a = {.txn = &t,
			  .names = f->names,
			  .clusters = f->clusters,
			  .window_ms = RULES_DEFAULT.window_ms};
	assert_int_equal(apply_batch(&a, &b, "0.1.0", f->at_ms, &c, &why), ERR_OK);
	feed_judge(f, &t, 0);
	assert_int_equal(store_commit(&t), ERR_OK);
}

static uint64_t used(struct feed *f)
{
	uint64_t bytes = 0;
	uint64_t limit = 0;

	store_usage(f->store, &bytes, &limit);
	return bytes;
}

/* Twenty groups a day, each with a topic of its own, come and go for a year. */
static void a_year_of_groups_that_come_and_go_leaves_nothing(void **state)
{
	struct feed *f = *state;
	struct reaper *r = reaper_new(30 * DAY);
	uint64_t settled = 0;
	size_t most = 0;

	f->interval_ms = DAY / 20;
	for (int day = 0; day < 365; day++) {
		for (int i = 0; i < 20; i++) {
			char topic[64];
			char group[64];

			snprintf(topic, sizeof(topic), "console-%d-%d-topic", day, i);
			snprintf(group, sizeof(group), "console-%d-%d", day, i);
			feed_names(f, topic, group);
		}
		if (day % 5 == 4)
			reap(f, r, f->at_ms, UP);
		if (day >= 70)
			most = MAX(most, count_names(f));
		if (day == 70)
			settled = used(f);
	}
	print_message("names at most %zu, %llu KiB after 70 days, %llu KiB after a year\n", most,
		      (unsigned long long)settled >> 10, (unsigned long long)used(f) >> 10);
	assert_true(most <= 5 * 20 * 2 + 10);
	assert_true(used(f) < settled + settled / 4);
	reaper_free(&r);
}

static uint32_t bury(struct feed *f)
{
	struct store_txn t = store_begin(f->store, true);
	struct apply a = {.txn = &t, .names = f->names, .clusters = f->clusters};
	struct cluster *c = clusters_at(f->clusters, 0);
	uint32_t group = names_find(f->names, STORE_GROUP, c->id, "readers");

	apply_bury(&a, c, group, 0);
	assert_int_equal(store_commit(&t), ERR_OK);
	return group;
}

static bool is_buried(struct feed *f, uint32_t group)
{
	struct store_txn t = store_begin(f->store, false);
	struct store_burial b;
	bool is = store_get_buried(&t, clusters_at(f->clusters, 0)->id, group, 0, &b);

	store_abort(&t);
	return is;
}

static void a_burial_lasts_as_long_as_it_is_of_use(void **state)
{
	struct feed *f = *state;
	struct reaper *r = reaper_new(30 * DAY);

	f->interval_ms = 30 * 60 * 1000;
	feed_on(f, 2, 10, true, 3);
	uint32_t group = bury(f);

	/* Kafka has its old commits for 40 days, and every full pass tells of them. */
	f->commits = true;
	int64_t buried_at = f->at_ms;
	for (int day = 0; day < 40; day++) {
		f->at_ms += DAY;
		f->pass++;
		struct store_txn t = store_begin(f->store, true);
		struct apply a = {.txn = &t,
				  .names = f->names,
				  .clusters = f->clusters,
				  .window_ms = RULES_DEFAULT.window_ms};
		const char *names[] = {"orders", "readers"};
		const struct wire_commit_row old = {1, 0, 0, 5, buried_at - 10, buried_at - 9};
		const struct wire_batch b = {.agent = "dc1-a",
					     .epoch = 1,
					     .seq = f->pass,
					     .cluster = "seoul",
					     .environment = "PROD",
					     .pass = f->pass,
					     .pass_at_ms = f->at_ms,
					     .interval_ms = 10000,
					     .flags = WIRE_PASS_FIRST | WIRE_PASS_LAST,
					     .report = {.problem = "", .source = "", .servers = ""},
					     .names = names,
					     .name_count = 2,
					     .commits = &old,
					     .commit_count = 1};
		struct cluster *c = NULL;
		const char *why = "";
		assert_int_equal(apply_batch(&a, &b, "0.1.0", f->at_ms, &c, &why), ERR_OK);
		feed_judge(f, &t, 0);
		assert_int_equal(store_commit(&t), ERR_OK);
		assert_null(feed_group(f));
		reap(f, r, f->at_ms, UP);
	}
	assert_true(is_buried(f, group));

	/* Then Kafka forgets them: 30 days later so is the burial, and the name. */
	f->commits = false;
	f->interval_ms = DAY;
	feed_on(f, 32, 0, false, 0);
	reap(f, r, f->at_ms, UP);
	assert_false(is_buried(f, group));
	assert_int_equal(
		names_find(f->names, STORE_GROUP, clusters_at(f->clusters, 0)->id, "readers"), 0);
	reaper_free(&r);
}

static void a_cluster_that_nobody_reports_is_forgotten(void **state)
{
	struct feed *f = *state;
	struct reaper *r = reaper_new(30 * DAY);

	f->has_members = true;
	feed_on(f, 5, 10, true, 3);
	uint32_t id = clusters_at(f->clusters, 0)->id;
	uint64_t full = used(f);

	assert_int_equal(reap(f, r, f->at_ms + 29 * DAY, UP), 0);
	assert_int_equal(reap(f, r, f->at_ms + 31 * DAY, REAPER_PATIENCE_MS - 1), 0);
	assert_int_equal(reap(f, r, f->at_ms + 31 * DAY, UP), id);
	assert_int_equal(clusters_count(f->clusters), 0);
	reap(f, r, f->at_ms + 31 * DAY, UP);
	assert_int_equal(count_names(f), 0);

	struct store_txn t = store_begin(f->store, false);
	struct store_commit_key k;
	struct commit_track c;
	struct cluster_track track;
	struct past_standing s;
	uint32_t group = 0;
	assert_false(store_next_commit(&t, true, (struct store_range){.cluster = id}, &k, &c));
	assert_false(store_get_cluster(&t, id, &track));
	assert_false(past_next_standing(&t, true, id, &group, &s));
	store_abort(&t);
	assert_true(used(f) <= full);

	/* It comes back as a new one. */
	feed_on(f, 1, 10, true, 3);
	assert_non_null(feed_group(f));
	assert_int_not_equal(f->view->cluster_id, id);
	reaper_free(&r);
}

static void agents_of_long_ago_are_forgotten(void **state)
{
	struct feed *f = *state;
	struct reaper *r = reaper_new(30 * DAY);
	struct store_session s = {.epoch = 1, .seen_ms = FEED_START_MS};
	struct store_txn t = store_begin(f->store, true);

	store_put_session(&t, "old", &s);
	s.seen_ms += 20 * DAY;
	store_put_session(&t, "new", &s);
	assert_int_equal(store_commit(&t), ERR_OK);
	reap(f, r, FEED_START_MS + 31 * DAY, 0);
	t = store_begin(f->store, false);
	assert_true(store_get_session(&t, "old", &s));
	store_abort(&t);
	reap(f, r, FEED_START_MS + 31 * DAY, UP);
	t = store_begin(f->store, false);
	assert_false(store_get_session(&t, "old", &s));
	assert_true(store_get_session(&t, "new", &s));
	store_abort(&t);
	reaper_free(&r);
}

/* A name of no use is used again while the round is under way. */
static void what_comes_back_in_the_middle_of_a_round_stays(void **state)
{
	struct feed *f = *state;
	struct reaper *r = reaper_new(30 * DAY);

	feed_names(f, "orders", "readers");
	feed_names(f, "orders", "others"); /* readers is gone, its name is not */
	for (int step = 0; step < 2; step++) {
		struct store_txn t = store_begin(f->store, true);
		const struct reaper_step s = {&t, f->names, f->clusters, f->at_ms, UP};

		assert_int_equal(reaper_step(r, &s), 0);
		assert_int_equal(store_commit(&t), ERR_OK);
	}
	feed_names(f, "orders", "readers");
	reap(f, r, f->at_ms, UP);
	feed_names(f, "orders", "readers");
	assert_int_equal(f->view->group_count, 1);
	assert_string_equal(f->view->groups[0].name, "readers");
	reaper_free(&r);
}

#define WITH_FEED(test) cmocka_unit_test_setup_teardown(test, feed_setup, feed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FEED(what_is_of_use_stays),
		WITH_FEED(a_year_of_groups_that_come_and_go_leaves_nothing),
		WITH_FEED(a_burial_lasts_as_long_as_it_is_of_use),
		WITH_FEED(a_cluster_that_nobody_reports_is_forgotten),
		WITH_FEED(agents_of_long_ago_are_forgotten),
		WITH_FEED(what_comes_back_in_the_middle_of_a_round_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
