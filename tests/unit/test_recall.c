/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/recall.h"
#include "tests/unit/pass_feed.h"

/* Offsets, lag, time lag and status over time, as they are told of what the store keeps. */

#define MAX_GOT 1000

struct got {
	struct story_lag lags[MAX_GOT];
	size_t count;
	int64_t step_ms;
};

static struct got got;

static void take(void *arg, const struct story_lag *l)
{
	struct got *g = arg;

	assert_true(g->count < MAX_GOT);
	g->lags[g->count++] = *l;
}

static void recall(struct feed *f, const struct story_span *span)
{
	const struct story_group g = feed_story(f);

	got.count = 0;
	assert_int_equal(recall_lag(f->store, &g, span, take, &got, &got.step_ms), ERR_OK);
}

static struct story_span back(const struct feed *f, int64_t back_ms)
{
	return (struct story_span){
		.from_ms = f->at_ms - back_ms, .to_ms = f->at_ms, .offsets = true};
}

static void recall_group(struct feed *f, int64_t back_ms)
{
	const struct story_span span = back(f, back_ms);

	recall(f, &span);
}

static void recall_partition(struct feed *f, int32_t partition, int64_t back_ms)
{
	struct story_span span = back(f, back_ms);

	span.topic_id = names_find(f->names, STORE_TOPIC, f->view->cluster_id, "orders");
	span.partition = partition;
	recall(f, &span);
}

/* How many bytes of the log there were at a time, if it grows evenly from the start on. */
static int64_t grown(int64_t at_ms, int64_t per_pass)
{
	return (at_ms - FEED_START_MS) / 10000 * per_pass;
}

/* The sums of two logs that grow by 100 a pass, of which all but 50 each is read: both within what
 * came in a bin, and their difference exact. */
static void check_sums(void)
{
	size_t known = 0;

	for (size_t i = 0; i < got.count; i++) {
		const struct story_lag *l = &got.lags[i];

		if (l->end < 0)
			continue;
		known++;
		assert_int_equal(l->end - l->committed, 100);
		assert_true(labs(l->end - 2 * grown(l->at_ms, 100)) <=
			    2 * grown(FEED_START_MS + got.step_ms, 100));
		assert_true(i == 0 || got.lags[i - 1].end <= l->end);
	}
	assert_true(known + 2 >= got.count);
}

static void a_group_has_the_sums_of_its_offsets_on_every_level(void **state)
{
	struct feed *f = *state;
	static const int64_t BACK_MS[] = {600000, 3 * 3600000, 20 * 3600000, 10 * 86400000LL};
	static const int64_t STEP_MS[] = {10000, 60000, 600000, 7200000};

	feed_on(f, 360 * 3, 100, true, 50);
	for (size_t i = 0; i < ARRAY_LEN(BACK_MS); i++) {
		recall_group(f, BACK_MS[i]);
		assert_int_equal(got.step_ms, STEP_MS[i]);
		assert_in_range(got.count, 2, 200);
		check_sums();
	}
}

static void offsets_are_read_only_if_they_are_asked_for(void **state)
{
	struct feed *f = *state;

	feed_on(f, 60, 100, true, 50);
	struct story_span span = back(f, 600000);
	span.offsets = false;
	recall(f, &span);
	assert_int_equal(got.lags[got.count - 1].lag, 100);
	assert_int_equal(got.lags[got.count - 1].end, TRACK_UNKNOWN);
	assert_int_equal(got.lags[got.count - 1].committed, TRACK_UNKNOWN);
}

/* The reader stands still while the log grows. */
static void the_committed_offset_of_a_dead_group_stays(void **state)
{
	struct feed *f = *state;

	feed_on(f, 60, 100, true, 0);
	feed_on(f, 120, 100, false, 0);
	recall_group(f, 3600000);
	for (size_t i = got.count - 18; i < got.count; i++) {
		int64_t behind = 2 * grown(got.lags[i].at_ms, 100) - 12000;

		assert_true(labs(got.lags[i].committed - 12000) <= 2 * 600 / 8 + 1);
		assert_true(labs(got.lags[i].end - got.lags[i].committed - behind) <= 2 * 600);
	}
}

static void a_step_has_the_offsets_of_its_greatest_lag(void **state)
{
	struct feed *f = *state;

	feed_on(f, 61, 100, true, 50);
	feed_on(f, 1, 4000, true, 4050); /* a peak of ten seconds */
	feed_on(f, 28, 100, true, 50);
	struct story_span span = back(f, 600000);
	span.step_ms = 3600000;
	recall(f, &span); /* on the level of ten minutes, whose bins know their first pass */
	assert_int_equal(got.step_ms, 3600000);
	assert_int_equal(got.lags[got.count - 1].lag, lag_decode(lag_encode(8100)));

	recall_group(f, 600000);
	int64_t most = 0;
	for (size_t i = 0; i < got.count; i++)
		most = MAX(most, got.lags[i].end - got.lags[i].committed);
	assert_int_equal(most, 8100);
}

static void a_partition_whose_leader_is_away_counts_with_what_was_known(void **state)
{
	struct feed *f = *state;

	feed_on(f, 180, 100, true, 50);
	int64_t end = f->ends[0];
	f->ends[0] = f->starts[0] = TRACK_UNKNOWN;
	f->commits = false;
	for (int i = 0; i < 30; i++)
		feed_pass(f);
	f->ends[0] = end;
	f->starts[0] = 0;
	feed_on(f, 30, 100, true, 50);
	recall_group(f, 3000000);
	for (size_t i = 2; i < got.count; i++)
		assert_true(got.lags[i].end >= got.lags[i - 1].end &&
			    got.lags[i].committed >= got.lags[i - 1].committed);
}

/* --- many partitions, as the store has them --- */

#define GROUPS 3
#define PARTS 1000
#define MINUTES 20
#define TOPIC 9

/* Growth of less than 16 in a minute, and lags of less than 4096, are kept exactly. */
static int64_t end_at(int partition, int minute)
{
	return 5000 + 100 * partition + partition % 16 * minute;
}

static int64_t lag_at(int group, int partition, int minute)
{
	return (partition * group + minute) % 7 == 0 ? 0 : (partition + group + minute) % 3000;
}

static int64_t minute_ms(int minute)
{
	return (FEED_START_MS / 60000 + minute) * 60000;
}

static void put_partition(struct store_txn *t, int group, int partition)
{
	const struct store_commit_key k = {1, (uint32_t)group, TOPIC, partition};
	const struct commit_track commit = {
		.version = TRACK_VERSION, .offset = 1, .first_seen_ms = minute_ms(0)};
	struct history h = {0};

	for (int m = 0; m < MINUTES; m++)
		(void)history_add(&h, minute_ms(m), end_at(partition, m));
	store_put_commit(t, k, &commit);
	store_put_history(t, (struct store_log_key){1, TOPIC, partition}, &h, 15);
}

struct bin {
	struct store_txn *txn;
	struct past_bin at;
	size_t blocks;
};

static void put_block(void *arg, const struct lag_id *first, const uint8_t *data, size_t size)
{
	struct bin *b = arg;

	past_put_lag(b->txn, b->at, first, data, size);
	b->blocks++;
}

/* The lags of all in one minute; returns how many blocks they fill. */
static size_t put_minute(struct store_txn *t, int minute)
{
	unsigned level = LAG_GROUP_LEVELS;
	struct bin b = {t, {1, level, lag_bin(level, minute_ms(minute))}, 0};
	struct lag_writer w;

	lag_writer_begin(&w, level, put_block, &b);
	for (int g = 1; g <= GROUPS; g++) {
		for (int p = 0; p < PARTS; p++) {
			const struct lag_id id = {(uint32_t)g, TOPIC, p};
			const struct lag_sample s = {.lag = lag_encode(lag_at(g, p, minute))};

			lag_writer_add(&w, &id, &s);
		}
	}
	lag_writer_end(&w);
	return b.blocks;
}

static void put_all(struct store *st)
{
	const struct past_standing standing = {.first_ms = minute_ms(0)};
	const struct cluster_track cluster = {
		.version = TRACK_VERSION, .interval_ms = 60000, .last_ms = minute_ms(MINUTES - 1)};
	const uint32_t level = 1; /* of groups, as wide */
	struct store_txn t = store_begin(st, true);

	store_put_cluster(&t, 1, &cluster);
	for (int g = 1; g <= GROUPS; g++) {
		past_put_standing(&t, 1, (uint32_t)g, &standing);
		for (int p = 0; p < PARTS; p++)
			put_partition(&t, g, p);
	}
	for (int m = 0; m < MINUTES; m++) {
		struct bin b = {&t, {1, level, lag_bin(level, minute_ms(m))}, 0};
		struct lag_writer w;

		assert_true(put_minute(&t, m) > 2 * GROUPS); /* also in the middle of a group */
		lag_writer_begin(&w, level, put_block, &b);
		lag_writer_end(&w);
	}
	assert_int_equal(store_commit(&t), ERR_OK);
}

static void sums_are_those_of_each_partition(void **state)
{
	struct feed *f = *state;
	const struct story_span span = {.from_ms = minute_ms(0),
					.to_ms = minute_ms(MINUTES),
					.step_ms = 60000,
					.offsets = true};

	put_all(f->store);
	for (uint32_t g = 1; g <= GROUPS; g++) {
		const struct story_group group = {.cluster_id = 1, .group_id = g};

		got.count = 0;
		assert_int_equal(recall_lag(f->store, &group, &span, take, &got, &got.step_ms),
				 ERR_OK);
		assert_int_equal(got.count, MINUTES);
		for (int m = 0; m < MINUTES; m++) {
			int64_t end = 0;
			int64_t lag = 0;

			for (int p = 0; p < PARTS; p++) {
				end += end_at(p, m);
				lag += lag_at((int)g, p, m);
			}
			assert_int_equal(got.lags[m].end, end);
			assert_int_equal(got.lags[m].committed, end - lag);
		}
	}
}

/* --- one partition --- */

static void a_partition_tells_how_old_its_oldest_message_was(void **state)
{
	struct feed *f = *state;

	/* All but 300 is read: what came in the last 30 s. */
	feed_on(f, 360, 100, true, 300);
	recall_partition(f, 1, 1200000);
	assert_int_equal(got.step_ms, 60000);
	for (size_t i = 0; i < got.count; i++) {
		assert_int_equal(got.lags[i].lag, 300);
		assert_int_equal(got.lags[i].end - got.lags[i].committed, 300);
		assert_in_range(got.lags[i].time_lag_ms, 20000, 40000);
		assert_int_equal(got.lags[i].status, STATUS_OK);
	}
	/* And then nothing for 20 minutes. */
	feed_on(f, 120, 100, false, 0);
	recall_partition(f, 1, 600000);
	for (size_t i = 0; i < got.count; i++) {
		int64_t silent_ms = got.lags[i].at_ms - (FEED_START_MS + 3600000);

		assert_true(llabs(got.lags[i].time_lag_ms - silent_ms - 30000) <= 10000);
		assert_false(got.lags[i].at_least);
	}
}

static void a_partition_that_is_read_to_the_end_has_no_time_lag(void **state)
{
	struct feed *f = *state;

	feed_on(f, 60, 100, true, 0);
	recall_partition(f, 0, 300000);
	for (size_t i = 0; i < got.count; i++)
		assert_int_equal(got.lags[i].time_lag_ms, 0);
}

static void its_statuses_are_those_of_the_events(void **state)
{
	struct feed *f = *state;
	int64_t turns[2] = {0, 0};

	feed_on(f, 60, 100, true, 3);
	for (int i = 0; i < 60 && turns[0] == 0; i++) {
		feed_on(f, 1, 100, false, 0);
		if (feed_group(f)->partitions[0].status == STATUS_STOP)
			turns[0] = f->at_ms;
	}
	feed_on(f, 30, 100, false, 0);
	while (turns[1] == 0) {
		feed_on(f, 1, 100, true, 3);
		if (feed_group(f)->partitions[0].status == STATUS_OK)
			turns[1] = f->at_ms;
	}
	feed_on(f, 30, 100, true, 3);
	recall_partition(f, 0, 3600000);
	for (size_t i = 0; i < got.count; i++) {
		const struct story_lag *l = &got.lags[i];
		bool stopped = l->at_ms + got.step_ms > turns[0] && l->at_ms < turns[1];

		assert_int_equal(l->status, stopped ? STATUS_STOP : STATUS_OK);
	}
}

/* Of a group with more changes than events are kept of. */
static void what_is_forgotten_of_its_statuses_is_not_known(void **state)
{
	struct feed *f = *state;
	struct past_event e = {
		.topic = "other", .sentence = "", .from = STATUS_OK, .to = STATUS_OK};

	feed_on(f, 180, 100, true, 3);
	const struct story_group g = feed_story(f);
	struct store_txn t = store_begin(f->store, true);
	for (uint32_t i = 0; i < PAST_EVENTS; i++) {
		e.at_ms = f->at_ms - 600000 + i;
		past_add_event(&t, g.cluster_id, g.group_id, i, &e);
	}
	past_trim_events(&t, g.cluster_id, g.group_id, f->at_ms);
	assert_int_equal(store_commit(&t), ERR_OK);
	recall_partition(f, 0, 1200000);
	assert_int_equal(got.lags[0].status, STATUS_NOTFOUND);
	assert_int_equal(got.lags[got.count - 1].status, STATUS_OK);
}

/* --- what is asked --- */

static void a_span_of_ages_costs_no_more_than_what_is_kept(void **state)
{
	struct feed *f = *state;
	struct story_span span = {
		.to_ms = INT64_MAX / 4, .step_ms = INT64_MAX / 8, .offsets = true};

	feed_on(f, 30, 100, true, 50);
	recall(f, &span);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.lags[0].lag, 100);
	span.from_ms = f->at_ms + 1000;
	recall(f, &span);
	assert_true(got.count <= 1);
}

#define FED(test) cmocka_unit_test_setup_teardown(test, feed_setup, feed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FED(a_group_has_the_sums_of_its_offsets_on_every_level),
		FED(offsets_are_read_only_if_they_are_asked_for),
		FED(the_committed_offset_of_a_dead_group_stays),
		FED(a_step_has_the_offsets_of_its_greatest_lag),
		FED(a_partition_whose_leader_is_away_counts_with_what_was_known),
		FED(sums_are_those_of_each_partition),
		FED(a_partition_tells_how_old_its_oldest_message_was),
		FED(a_partition_that_is_read_to_the_end_has_no_time_lag),
		FED(its_statuses_are_those_of_the_events),
		FED(what_is_forgotten_of_its_statuses_is_not_known),
		FED(a_span_of_ages_costs_no_more_than_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
