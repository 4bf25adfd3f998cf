/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of passes when an agent's clock is set back, or when they come late. */

#include "pass_feed.h"

#define HOUR INT64_C(3600000)

/* What the aggregator takes for the time of the last pass. */
static int64_t as_of(const struct feed *f)
{
	return f->view->as_of_ms;
}

static enum status status_of_readers(const struct feed *f)
{
	return feed_group(f)->status;
}

static void a_clock_set_back_freezes_nothing(void **state)
{
	struct feed *f = *state;

	feed_on(f, 60, 10, true, 0);
	f->at_ms -= HOUR;
	for (int i = 0; i < 60; i++) {
		int64_t before = as_of(f);

		feed_on(f, 1, 10, true, 0);
		assert_in_range(as_of(f) - before, 9 * f->interval_ms / 10, f->interval_ms);
		assert_int_equal(feed_group(f)->total_lag, 0);
		assert_int_equal(feed_group(f)->partitions[0].committed, f->committed[0]);
		assert_int_equal(status_of_readers(f), STATUS_OK);
	}
}

static void the_shift_shrinks_until_it_is_gone(void **state)
{
	struct feed *f = *state;

	feed_on(f, 10, 10, true, 0);
	f->at_ms -= HOUR;
	feed_on(f, 1, 10, true, 0);
	assert_true(as_of(f) > f->at_ms + HOUR - f->interval_ms);
	feed_on(f, 5 * 360, 10, true, 0);
	assert_in_range(as_of(f) - f->at_ms, HOUR / 2 - 60000, HOUR / 2 + 60000);
	feed_on(f, 5 * 360 + 20, 10, true, 0);
	assert_int_equal(as_of(f), f->at_ms);
}

static void a_consumer_that_stops_after_it_is_found(void **state)
{
	struct feed *f = *state;

	feed_on(f, 60, 10, true, 0);
	f->at_ms -= HOUR;
	feed_on(f, 10, 10, true, 0);
	feed_on(f, 60, 10, false, 0);
	assert_int_equal(status_of_readers(f), STATUS_ERR);
	feed_on(f, 10, 10, true, 0);
	assert_int_equal(status_of_readers(f), STATUS_OK);
}

/* The agent tells of old commits with every full pass, with times of before. */
static void old_commits_told_again_are_no_new_ones(void **state)
{
	struct feed *f = *state;
	static const char *names[] = {"orders", "readers"};
	int64_t seen_ms;

	feed_on(f, 60, 10, true, 0);
	seen_ms = f->at_ms - 2;
	f->at_ms -= HOUR;
	for (int i = 0; i < 90; i++) {
		struct cluster *c = NULL;
		const char *why = "";

		f->at_ms += f->interval_ms;
		f->pass++;
		const struct wire_log_row log = {0, 0, 0, f->ends[0] + 100 + i, -1, 1};
		const struct wire_commit_row old = {1, 0, 0, f->committed[0], seen_ms - 3, seen_ms};
		const struct wire_batch b = {.agent = "dc1-a",
					     .epoch = 1,
					     .seq = f->pass,
					     .cluster = "seoul",
					     .environment = "PROD",
					     .pass = f->pass,
					     .pass_at_ms = f->at_ms,
					     .interval_ms = (uint32_t)f->interval_ms,
					     .flags = WIRE_PASS_FIRST | WIRE_PASS_LAST,
					     .report = {.problem = "", .source = "", .servers = ""},
					     .names = names,
					     .name_count = 2,
					     .logs = &log,
					     .log_count = 1,
					     .commits = &old,
					     .commit_count = 1};
		struct store_txn t = store_begin(f->store, true);
		struct apply a = {.txn = &t,
				  .names = f->names,
				  .clusters = f->clusters,
				  .window_ms = RULES_DEFAULT.window_ms};
		assert_int_equal(apply_batch(&a, &b, "0.1.0", f->at_ms, &c, &why), ERR_OK);
		feed_judge(f, &t, 0);
		assert_int_equal(store_commit(&t), ERR_OK);
	}
	assert_int_equal(status_of_readers(f), STATUS_ERR); /* it has stopped */
}

/* From a state that was restored: numbered below what has been applied. */
static void a_pass_that_comes_late_changes_nothing(void **state)
{
	struct feed *f = *state;

	feed_on(f, 20, 10, true, 3);
	uint64_t pass = f->pass;
	int64_t at_ms = f->at_ms;
	f->pass = 4;
	f->at_ms -= 16 * f->interval_ms;
	f->gone = true;
	feed_pass(f);
	f->gone = false;
	assert_int_equal(as_of(f), at_ms);
	assert_non_null(feed_group(f));
	assert_int_equal(feed_group(f)->total_lag, 6);

	f->pass = pass;
	f->at_ms = at_ms;
	feed_on(f, 1, 10, true, 3);
	assert_int_equal(as_of(f), f->at_ms);
	assert_int_equal(feed_group(f)->total_lag, 6);
}

#define WITH_FEED(test) cmocka_unit_test_setup_teardown(test, feed_setup, feed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FEED(a_clock_set_back_freezes_nothing),
		WITH_FEED(the_shift_shrinks_until_it_is_gone),
		WITH_FEED(a_consumer_that_stops_after_it_is_found),
		WITH_FEED(old_commits_told_again_are_no_new_ones),
		WITH_FEED(a_pass_that_comes_late_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
