/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/recall.h"
#include "tests/unit/pass_feed.h"

/* What an evaluation writes down, as recall reads it. */

/* --- what is collected of a reading --- */

#define MAX_GOT 500

struct got {
	struct past_event events[MAX_GOT]; /* texts not valid any more */
	char sentences[MAX_GOT][400];
	struct story_lag lags[MAX_GOT];
	size_t count;
	int64_t step_ms;
};

static struct got got;

static void take_event(void *arg, const struct past_event *e)
{
	struct got *g = arg;

	assert_true(g->count < MAX_GOT);
	g->events[g->count] = *e;
	snprintf(g->sentences[g->count++], sizeof(g->sentences[0]), "%s", e->sentence);
}

static void take_lag(void *arg, const struct story_lag *l)
{
	struct got *g = arg;

	assert_true(g->count < MAX_GOT);
	g->lags[g->count++] = *l;
}

static void read_events(struct feed *f)
{
	const struct story_group g = feed_story(f);

	got.count = 0;
	assert_int_equal(recall_events(f->store, &g, INT64_MAX, MAX_GOT, take_event, &got), ERR_OK);
}

static void read_lag(struct feed *f, const char *topic, int32_t partition, int64_t back_ms,
		     int64_t step_ms)
{
	const struct story_group g = feed_story(f);
	const struct story_span span = {
		.topic_id =
			topic == NULL ? 0 : names_find(f->names, STORE_TOPIC, g.cluster_id, topic),
		.partition = partition,
		.from_ms = f->at_ms - back_ms,
		.to_ms = f->at_ms,
		.step_ms = step_ms,
		.offsets = true,
	};

	got.count = 0;
	assert_int_equal(recall_lag(f->store, &g, &span, take_lag, &got, &got.step_ms), ERR_OK);
}

/* --- events --- */

static void a_stop_and_its_end_are_told_with_their_numbers(void **state)
{
	struct feed *f = *state;

	feed_on(f, 30, 100, true, 3);
	read_events(f);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.events[0].from, STATUS_NOTFOUND);
	assert_int_equal(got.events[0].to, STATUS_OK);
	assert_non_null(strstr(got.sentences[0], "first seen"));

	feed_on(f, 30, 100, false, 0);
	assert_int_equal(feed_group(f)->status, STATUS_ERR);
	read_events(f);
	assert_int_equal(got.count, 4); /* two partitions and the group */
	assert_true(got.events[0].of_group);
	assert_int_equal(got.events[0].to, STATUS_ERR);
	assert_int_equal(got.events[0].changed, 2);
	assert_non_null(strstr(got.sentences[0], "2 of 2 partitions: STOP, first orders/0: no "
						 "commit has arrived"));
	for (size_t i = 1; i <= 2; i++) {
		const struct past_event *e = &got.events[i];

		assert_false(e->of_group);
		assert_int_equal(e->from, STATUS_OK);
		assert_int_equal(e->to, STATUS_STOP);
		assert_int_equal(e->reason, REASON_NO_COMMITS);
		assert_int_equal(e->rule, 6);
		assert_int_equal(e->at_ms, got.events[0].at_ms);
		assert_int_equal(e->committed, 2997);
		assert_int_equal(e->lag, e->end - e->committed);
		assert_true(e->time_lag_ms > e->limit_ms && e->elapsed_ms > e->limit_ms);
	}
	assert_int_equal(feed_group(f)->since_ms, got.events[0].at_ms);

	feed_on(f, 5, 100, true, 3);
	assert_int_equal(feed_group(f)->status, STATUS_OK);
	read_events(f);
	assert_int_equal(got.count, 7);
	assert_int_equal(got.events[0].to, STATUS_OK);
	assert_non_null(strstr(got.sentences[0], "all partitions (2) are OK, 6 messages wait"));
	assert_int_equal(feed_group(f)->since_ms, got.events[0].at_ms);
}

static void data_loss_is_told_once(void **state)
{
	struct feed *f = *state;
	size_t losses = 0;

	feed_on(f, 10, 100, true, 3);
	feed_on(f, 5, 100, false, 0);
	for (int i = 0; i < 5; i++) {
		f->starts[0] = f->ends[0] - 50;
		feed_on(f, 1, 100, false, 0);
	}
	read_events(f);
	for (size_t i = 0; i < got.count; i++)
		losses += got.events[i].kind == PAST_LOSS;
	assert_int_equal(losses, 1);
	assert_true(feed_group(f)->lost > 0);
	assert_int_equal(feed_group(f)->margin_ms, 0);
	assert_true(feed_group(f)->partitions[0].lost_at_ms > FEED_START_MS);
	assert_int_equal(feed_group(f)->partitions[1].lost_at_ms, 0);
}

static void events_are_bounded_and_the_oldest_go(void **state)
{
	struct feed *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct past_event e = {.topic = "orders", .sentence = "it changed", .partition = 1};
	const struct story_group g = {.cluster_id = 1, .group_id = 7};

	for (uint32_t i = 0; i < PAST_EVENTS + 50; i++) {
		e.at_ms = FEED_START_MS + i / 2;
		past_add_event(&t, 1, i % 2 == 0 ? 7 : 8, i, &e);
	}
	for (uint32_t i = 0; i < PAST_EVENTS; i++) {
		e.at_ms = FEED_START_MS + 1000 + i;
		past_add_event(&t, 1, 7, i, &e);
	}
	past_trim_events(&t, 1, 7, e.at_ms);
	assert_int_equal(store_commit(&t), ERR_OK);
	got.count = 0;
	assert_int_equal(recall_events(f->store, &g, INT64_MAX, MAX_GOT, take_event, &got), ERR_OK);
	assert_int_equal(got.count, PAST_EVENTS);
	assert_int_equal(got.events[0].at_ms, e.at_ms);
	assert_int_equal(got.events[PAST_EVENTS - 1].at_ms, FEED_START_MS + 1000);
	assert_string_equal(got.sentences[0], "it changed");
	got.count = 0;
	assert_int_equal(recall_events(f->store, &g, FEED_START_MS + 1010, 3, take_event, &got),
			 ERR_OK);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.events[0].at_ms, FEED_START_MS + 1009);

	t = store_begin(f->store, true);
	past_trim_events(&t, 1, 7, e.at_ms + PAST_EVENTS_MS - 9);
	assert_int_equal(store_commit(&t), ERR_OK);
	got.count = 0;
	assert_int_equal(recall_events(f->store, &g, INT64_MAX, MAX_GOT, take_event, &got), ERR_OK);
	assert_int_equal(got.count, 10);
	/* Those of the group beside it are still there. */
	const struct story_group other = {.cluster_id = 1, .group_id = 8};
	got.count = 0;
	assert_int_equal(recall_events(f->store, &other, INT64_MAX, MAX_GOT, take_event, &got),
			 ERR_OK);
	assert_int_equal(got.count, (PAST_EVENTS + 50) / 2);
}

static void a_blind_time_writes_nothing(void **state)
{
	struct feed *f = *state;

	feed_on(f, 30, 100, true, 3);
	int64_t since_ms = feed_group(f)->since_ms;
	struct store_txn t = store_begin(f->store, true);
	feed_judge(f, &t, 3600000);
	assert_int_equal(store_commit(&t), ERR_OK);
	assert_int_equal(feed_group(f)->since_ms, since_ms);
	read_events(f);
	assert_int_equal(got.count, 1);
}

static void a_group_that_goes_takes_its_past_along(void **state)
{
	struct feed *f = *state;

	feed_on(f, 30, 100, true, 3);
	feed_on(f, 30, 100, false, 0);
	const struct story_group before = feed_story(f);
	f->gone = true;
	feed_on(f, 1, 100, false, 0);
	assert_null(feed_group(f));
	got.count = 0;
	assert_int_equal(recall_events(f->store, &before, INT64_MAX, MAX_GOT, take_event, &got),
			 ERR_OK);
	assert_int_equal(got.count, 0);
	const struct story_span span = {.from_ms = FEED_START_MS, .to_ms = f->at_ms};
	assert_int_equal(recall_lag(f->store, &before, &span, take_lag, &got, &got.step_ms),
			 ERR_OK);
	assert_int_equal(got.count, 0);

	/* One of its name is another group, which begins anew. */
	f->gone = false;
	feed_on(f, 3, 100, true, 3);
	read_events(f);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.events[0].from, STATUS_NOTFOUND);
}

/* --- lag over time --- */

static void the_lag_of_a_group_is_kept_finely_and_coarsely(void **state)
{
	struct feed *f = *state;

	feed_on(f, 360, 100, true, 50);
	feed_on(f, 1, 4000, true, 4050); /* a peak of ten seconds */
	feed_on(f, 30, 100, true, 50);
	read_lag(f, NULL, 0, 600000, 0);
	assert_int_equal(got.step_ms, 10000);
	assert_int_equal(got.count, 61);
	assert_int_equal(got.lags[60].lag, 100);
	assert_int_equal(got.lags[60].max, 50);
	assert_int_equal(got.lags[30].lag, lag_decode(lag_encode(8100)));
	assert_int_equal(got.lags[29].lag, 100);

	/* In the coarser levels the peak is what is seen. */
	read_lag(f, NULL, 0, 3600000, 0);
	assert_int_equal(got.step_ms, 60000);
	size_t peaks = 0;
	for (size_t i = 0; i < got.count; i++) {
		assert_true(got.lags[i].seen);
		assert_int_equal(got.lags[i].status, STATUS_OK);
		peaks += got.lags[i].lag > 100;
	}
	assert_int_equal(peaks, 1);
	read_lag(f, NULL, 0, 3600000, 1200000);
	assert_int_equal(got.step_ms, 1200000);
	assert_in_range(got.count, 3, 4);
	read_lag(f, NULL, 0, INT64_C(20) * 86400000, 0);
	assert_int_equal(got.step_ms, 7200000);
	assert_in_range(got.count, 1, 2); /* nothing from before it was seen */
}

static void the_lag_of_a_partition_gives_its_committed_offset(void **state)
{
	struct feed *f = *state;

	feed_on(f, 180, 100, true, 70);
	read_lag(f, "orders", 1, 1200000, 0);
	assert_int_equal(got.step_ms, 60000);
	assert_in_range(got.count, 20, 21);
	for (size_t i = 0; i < got.count; i++) {
		assert_int_equal(got.lags[i].lag, 70);
		assert_int_equal(got.lags[i].end - got.lags[i].committed, 70);
		/* Rounding of the history of ends: an eighth of what came in a minute. */
		int64_t passes = (got.lags[i].at_ms - FEED_START_MS) / 10000;
		assert_true(labs(got.lags[i].end - passes * 100) <= 300);
	}
	read_lag(f, "payments", 1, 1200000, 0); /* it reads no such topic: that is the group */
	assert_int_equal(got.lags[0].lag, 140);
}

static void an_idle_group_is_zero_and_a_blind_time_is_a_hole(void **state)
{
	struct feed *f = *state;

	feed_on(f, 30, 0, true, 0);
	f->at_ms += 300000;
	feed_on(f, 10, 100, true, 5);
	read_lag(f, NULL, 0, 600000, 0);
	size_t holes = 0;
	size_t zeros = 0;
	for (size_t i = 0; i < got.count; i++) {
		holes += !got.lags[i].seen;
		zeros += got.lags[i].seen && got.lags[i].lag == 0;
	}
	assert_in_range(holes, 27, 30);
	assert_in_range(zeros, 20, 26);
	assert_int_equal(got.lags[got.count - 1].lag, 10);
}

static void passes_that_are_slower_than_a_bin_leave_no_holes(void **state)
{
	struct feed *f = *state;

	f->interval_ms = 30000;
	feed_on(f, 20, 100, true, 5);
	read_lag(f, NULL, 0, 300000, 0);
	assert_int_equal(got.step_ms, 10000);
	for (size_t i = 3; i < got.count; i++)
		assert_true(got.lags[i].seen);
}

/* The sizes of all bins of a level, in blocks. */
static size_t count_blocks(struct feed *f, unsigned level, size_t *ret_bins)
{
	struct store_txn t = store_begin(f->store, false);
	const uint8_t *data = NULL;
	size_t size = 0;
	size_t blocks = 0;

	*ret_bins = 0;
	for (int64_t at_ms = FEED_START_MS; at_ms <= f->at_ms; at_ms += lag_level(level).width_ms) {
		struct past_bin b = {f->view->cluster_id, level, lag_bin(level, at_ms)};
		size_t before = blocks;

		for (bool more = past_next_lag(&t, true, b, &data, &size); more;
		     more = past_next_lag(&t, false, b, &data, &size))
			blocks++;
		*ret_bins += blocks != before;
	}
	store_abort(&t);
	return blocks;
}

static void old_bins_go(void **state)
{
	struct feed *f = *state;
	size_t bins = 0;

	feed_on(f, 200, 100, true, 5);
	size_t blocks = count_blocks(f, 0, &bins);
	assert_int_equal(blocks, bins); /* one small block each */
	assert_in_range(bins, lag_level(0).bins, lag_level(0).bins + 1);
	f->at_ms += 86400000;
	feed_on(f, 1, 100, true, 5);
	count_blocks(f, 0, &bins);
	assert_int_equal(bins, 1);
	count_blocks(f, 1, &bins);
	assert_int_equal(bins, 1);
	count_blocks(f, 2, &bins);
	assert_in_range(bins, 4, 6);
}

static void a_restart_in_the_middle_of_a_bin_loses_nothing(void **state)
{
	struct feed *f = *state;

	feed_on(f, 30, 100, true, 5);
	feed_on(f, 1, 1000, true, 1000);
	feed_unload(f);
	feed_load(f);
	feed_on(f, 1, 100, true, 5);
	read_lag(f, NULL, 0, 600000, 600000);
	assert_int_equal(got.lags[got.count - 1].lag, 2000);
	read_events(f);
	assert_int_equal(got.count, 1);
}

/* --- margin --- */

static void the_margin_is_how_much_older_the_oldest_message_is(void **state)
{
	struct feed *f = *state;

	/* A log that keeps an hour: 360 passes of 100 messages. */
	for (int i = 0; i < 540; i++) {
		f->starts[0] = MAX(f->ends[0] - 36000, (int64_t)0);
		feed_on(f, 1, 100, true, 5);
	}
	assert_int_equal(feed_group(f)->partitions[1].margin_ms, VIEW_UNKNOWN);
	int64_t margin_ms = feed_group(f)->partitions[0].margin_ms;
	assert_in_range(margin_ms, 50 * 60000, 61 * 60000);

	/* The reader dies: forty minutes later twenty are left. */
	for (int i = 0; i < 240; i++) {
		f->starts[0] = f->ends[0] - 36000;
		feed_on(f, 1, 100, false, 0);
	}
	margin_ms = feed_group(f)->margin_ms;
	assert_in_range(margin_ms, 15 * 60000, 22 * 60000);
	assert_int_equal(feed_group(f)->lost, 0);
}

/* --- the judgement again --- */

static size_t told;

static void check_partition(void *arg, const struct story_partition *p)
{
	struct buf *text = arg;
	struct story_point points[STORY_POINTS_MAX];

	told++;
	assert_string_equal(p->topic, "orders");
	assert_int_equal(p->in->commit->status, STATUS_STOP);
	assert_int_equal(p->verdict->status, STATUS_STOP);
	assert_string_equal(p->member, "m-1");
	assert_string_equal(p->client, "cli");
	assert_string_equal(p->host, "/10.0.0.7");
	size_t count = story_points(p->in, points);
	assert_true(count > 10 && count < STORY_POINTS_MAX);
	assert_int_equal(points[count - 1].at_ms, p->in->now_ms);
	assert_int_equal(points[count - 1].lag, p->verdict->lag);
	for (size_t i = 1; i < count; i++)
		assert_true(points[i].at_ms > points[i - 1].at_ms);
	explain(p->in, p->verdict, text);
	rules_put_origin(p->set, p->rules, RULES_STOP_AFTER_MIN, text);
}

static void a_partition_is_judged_again_as_it_was(void **state)
{
	struct feed *f = *state;
	CLEANUP(buf_free) struct buf text = {0};
	struct story_filter all = {.partition = -1};
	struct story_filter one = {.topic = "orders", .partition = 1, .all = true};
	struct story_filter none = {.topic = "nothing", .partition = -1, .all = true};

	f->has_members = true;
	feed_on(f, 30, 100, true, 3);
	const struct story_group g = feed_story(f);
	told = 0;
	assert_int_equal(recall_partitions(f->store, &g, f->set, &all, check_partition, &text),
			 ERR_OK);
	assert_int_equal(told, 0);
	feed_on(f, 30, 100, false, 0);
	assert_int_equal(recall_partitions(f->store, &g, f->set, &all, check_partition, &text),
			 ERR_OK);
	assert_int_equal(told, 2);
	assert_non_null(strstr(buf_str(&text), "3,003 messages wait"));
	assert_non_null(strstr(buf_str(&text), "default"));
	assert_int_equal(recall_partitions(f->store, &g, f->set, &one, check_partition, &text),
			 ERR_OK);
	assert_int_equal(told, 3);
	assert_int_equal(recall_partitions(f->store, &g, f->set, &none, check_partition, &text),
			 ERR_OK);
	assert_int_equal(told, 3);
}

static void take_member(void *arg, const struct story_member *m)
{
	size_t *count = arg;

	(*count)++;
	assert_string_equal(m->id, "m-1");
	assert_int_equal(m->assigned_count, 2);
	assert_string_equal(m->assigned[0].topic, "orders");
	assert_string_equal(m->assigned[1].topic, "orders");
	assert_int_equal(m->assigned[1].partition, 1);
}

static void members_and_rebalances_are_told(void **state)
{
	struct feed *f = *state;
	size_t count = 0;

	f->has_members = true;
	for (int i = 0; i < 7; i++) {
		f->generation++;
		feed_on(f, 2, 100, true, 3);
	}
	const struct story_group g = feed_story(f);
	assert_int_equal(recall_members(f->store, &g, take_member, &count), ERR_OK);
	assert_int_equal(count, 1);
	assert_in_range(feed_group(f)->rebalances, 6, 8);
}

static void another_process_reads_while_it_is_written(void **state)
{
	struct feed *f = *state;
	char why[512] = "";
	struct store *second = NULL;

	feed_on(f, 30, 100, true, 3);
	assert_int_equal(store_open_readonly(f->temp.dir, why, &second), ERR_OK);
	feed_on(f, 30, 100, false, 0);
	struct store_txn t = store_begin(second, false);
	struct past_standing s;
	const struct story_group g = feed_story(f);
	assert_true(past_get_standing(&t, g.cluster_id, g.group_id, &s));
	assert_int_equal(s.status, STATUS_ERR);
	assert_int_equal(s.first_ms, FEED_START_MS + 10000);
	store_abort(&t);
	store_close(&second);
	struct temp empty = temp_make();
	assert_int_not_equal(store_open_readonly(empty.dir, why, &second), ERR_OK);
	assert_non_null(strstr(why, "data_dir"));
	temp_remove(&empty);
}

#define FED(test) cmocka_unit_test_setup_teardown(test, feed_setup, feed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FED(a_stop_and_its_end_are_told_with_their_numbers),
		FED(data_loss_is_told_once),
		FED(events_are_bounded_and_the_oldest_go),
		FED(a_blind_time_writes_nothing),
		FED(a_group_that_goes_takes_its_past_along),
		FED(the_lag_of_a_group_is_kept_finely_and_coarsely),
		FED(the_lag_of_a_partition_gives_its_committed_offset),
		FED(an_idle_group_is_zero_and_a_blind_time_is_a_hole),
		FED(passes_that_are_slower_than_a_bin_leave_no_holes),
		FED(old_bins_go),
		FED(a_restart_in_the_middle_of_a_bin_loses_nothing),
		FED(the_margin_is_how_much_older_the_oldest_message_is),
		FED(a_partition_is_judged_again_as_it_was),
		FED(members_and_rebalances_are_told),
		FED(another_process_reads_while_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
