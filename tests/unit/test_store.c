/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/store/names.h"
#include "common/err.h"
#include "temp.h"

#define MAP ((size_t)64 << 20)

struct fixture {
	struct temp temp;
	struct store *store;
};

static struct store *open_store(const char *dir)
{
	char why[512] = "";
	struct store *st = NULL;

	assert_int_equal(store_open(dir, MAP, why, &st), ERR_OK);
	return st;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->temp = temp_make();
	f->store = open_store(f->temp.dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	temp_remove(&f->temp);
	free(f);
	return 0;
}

static void put_commit(struct store_txn *t, uint32_t group, uint32_t topic, int32_t partition,
		       int64_t offset)
{
	struct commit_track c = {.offset = offset};

	store_put_commit(t, (struct store_commit_key){1, group, topic, partition}, &c);
}

static void what_was_committed_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct commit_track c = {.offset = 41};
	struct log_track l = {.end = 42};
	struct store_commit_key ck = {1, 2, 3, 4};
	struct store_log_key lk = {1, 3, 4};

	store_put_commit(&t, ck, &c);
	store_put_log(&t, lk, &l);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&f->store);
	f->store = open_store(f->temp.dir);

	t = store_begin(f->store, false);
	c.offset = l.end = 0;
	assert_true(store_get_commit(&t, ck, &c));
	assert_true(store_get_log(&t, lk, &l));
	assert_int_equal(c.offset, 41);
	assert_int_equal(l.end, 42);
	assert_false(store_get_commit(&t, (struct store_commit_key){1, 2, 3, 5}, &c));
	assert_int_equal(t.err, ERR_OK);
	store_abort(&t);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct commit_track c;

	put_commit(&t, 2, 3, 4, 1);
	store_abort(&t);
	t = store_begin(f->store, false);
	assert_false(store_get_commit(&t, (struct store_commit_key){1, 2, 3, 4}, &c));
	store_abort(&t);
}

static void a_walk_sees_one_range_in_order(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct store_commit_key k;
	struct commit_track c;
	int32_t next = 0;
	size_t all = 0;

	for (int32_t p = 299; p >= 0; p--) {
		put_commit(&t, 2, 7, p, p);
		put_commit(&t, 3, 7, p, p);
	}
	for (bool first = true; store_next_commit(&t, first, (struct store_range){1, 2}, &k, &c);
	     first = false) {
		assert_int_equal(k.group, 2);
		assert_int_equal(k.partition, next++);
		assert_int_equal(c.offset, k.partition);
	}
	assert_int_equal(next, 300);
	for (bool first = true;
	     store_next_commit(&t, first, (struct store_range){.cluster = 1}, &k, &c);
	     first = false)
		all++;
	assert_int_equal(all, 600);
	assert_int_equal(store_commit(&t), ERR_OK);
}

static void entries_may_be_removed_or_overwritten_during_a_walk(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct store_range range = {.cluster = 1};
	struct store_commit_key k;
	struct commit_track c;
	size_t seen = 0;

	for (int32_t p = 0; p < 1000; p++)
		put_commit(&t, 2, 7, p, p);
	for (bool first = true; store_next_commit(&t, first, range, &k, &c); first = false) {
		seen++;
		if (k.partition % 3 == 0) {
			store_del_commit(&t, k);
		} else {
			c.offset = -5;
			store_put_commit(&t, k, &c);
		}
	}
	assert_int_equal(seen, 1000);
	seen = 0;
	for (bool first = true; store_next_commit(&t, first, range, &k, &c); first = false) {
		assert_int_not_equal(k.partition % 3, 0);
		assert_int_equal(c.offset, -5);
		seen++;
	}
	assert_int_equal(seen, 666);
	assert_int_equal(store_commit(&t), ERR_OK);
}

#define PLACES 300

/* Where the cursor stands, and what of that is left, differs from step to step. */
static void change_at_random(struct store_txn *t, int64_t offsets[static PLACES], unsigned *seed)
{
	struct commit_track c = {0};
	int32_t p = 0;

	for (int step = 0; step < 20000; step++) {
		/* Half of them are the next in order, which the store takes a shorter way to. */
		p = (rand_r(seed) % 2 == 0 ? p + 1 : rand_r(seed)) % PLACES;
		struct store_commit_key k = {1, 2, 7, p};

		switch (rand_r(seed) % 4) {
		case 0:
			store_del_commit(t, k);
			offsets[p] = -1;
			break;
		case 1:
			put_commit(t, 2, 7, p, step);
			offsets[p] = step;
			break;
		default:
			assert_int_equal(store_get_commit(t, k, &c), offsets[p] >= 0);
			if (offsets[p] >= 0)
				assert_int_equal(c.offset, offsets[p]);
		}
	}
}

static void random_changes_end_in_what_was_put_last(void **state)
{
	struct fixture *f = *state;
	struct store_range range = {.cluster = 1};
	struct store_commit_key k;
	struct commit_track c;
	int64_t offsets[PLACES];
	unsigned seed = 1;

	for (int32_t p = 0; p < PLACES; p++)
		offsets[p] = -1;
	for (int round = 0; round < 3; round++) {
		struct store_txn t = store_begin(f->store, true);
		int32_t next = 0;

		change_at_random(&t, offsets, &seed);
		for (bool first = true; store_next_commit(&t, first, range, &k, &c);
		     first = false) {
			while (next < PLACES && offsets[next] < 0)
				next++;
			assert_int_equal(k.partition, next);
			assert_int_equal(c.offset, offsets[next++]);
		}
		while (next < PLACES)
			assert_int_equal(offsets[next++], -1);
		assert_int_equal(store_commit(&t), ERR_OK);
	}
}

static void a_removed_group_takes_its_commits_along(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct group_track g = {.member_count = 3};
	struct commit_track c;
	const uint8_t *data = NULL;
	size_t size = 0;

	put_commit(&t, 2, 7, 0, 1);
	put_commit(&t, 3, 7, 0, 1);
	store_put_group(&t, 1, 2, &g);
	store_put_members(&t, 1, 2, "abc", 3);
	store_del_group(&t, 1, 2);
	assert_false(store_get_group(&t, 1, 2, &g));
	assert_false(store_get_members(&t, 1, 2, &data, &size));
	assert_false(store_get_commit(&t, (struct store_commit_key){1, 2, 7, 0}, &c));
	assert_true(store_get_commit(&t, (struct store_commit_key){1, 3, 7, 0}, &c));
	assert_int_equal(store_commit(&t), ERR_OK);
}

static void a_second_process_is_refused(void **state)
{
	struct fixture *f = *state;
	char why[512] = "";
	struct store *second = NULL;

	assert_int_equal(store_open(f->temp.dir, MAP, why, &second), -EBUSY);
	assert_non_null(strstr(why, "another aggregator"));
	assert_null(second);
}

static void a_full_map_is_an_error_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct temp small = temp_make();
	char why[512] = "";
	struct store *st = NULL;
	struct commit_track c = {.offset = 1};

	(void)f;
	assert_int_equal(store_open(small.dir, 1 << 20, why, &st), ERR_OK);
	struct store_txn t = store_begin(st, true);
	put_commit(&t, 1, 1, 1, 77);
	assert_int_equal(store_commit(&t), ERR_OK);
	t = store_begin(st, true);
	for (int32_t p = 0; p < 10000; p++)
		put_commit(&t, 2, 2, p, 1);
	assert_int_equal(store_commit(&t), ERR_FULL);
	t = store_begin(st, true);
	assert_true(store_get_commit(&t, (struct store_commit_key){1, 1, 1, 1}, &c));
	assert_int_equal(c.offset, 77);
	assert_false(store_get_commit(&t, (struct store_commit_key){1, 2, 2, 0}, &c));
	store_del_commit(&t, (struct store_commit_key){1, 1, 1, 1});
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);
	temp_remove(&small);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
	(void)state;
	struct temp bad = temp_make();
	char path[128];
	char why[512] = "";
	struct store *st = NULL;

	snprintf(path, sizeof(path), "%s/data.mdb", bad.dir);
	FILE *f = fopen(path, "w");
	for (int i = 0; i < 2000; i++)
		fputs("this is not LMDB", f);
	fclose(f);
	assert_int_not_equal(store_open(bad.dir, MAP, why, &st), ERR_OK);
	assert_non_null(strstr(why, "data.mdb"));
	temp_remove(&bad);
}

static void history_levels_are_kept_apart(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct store_log_key k = {1, 2, 3};
	struct history h = {0};
	struct history got;

	h.levels[0].value = 10;
	h.levels[3].value = 13;
	store_put_history(&t, k, &h, 1u << 0 | 1u << 3);
	h.levels[0].value = 99;
	store_put_history(&t, k, &h, 1u << 3);
	store_get_history(&t, k, &got);
	assert_int_equal(got.levels[0].value, 10);
	assert_int_equal(got.levels[1].value, 0);
	assert_int_equal(got.levels[3].value, 13);
	store_del_log(&t, k);
	store_get_history(&t, k, &got);
	assert_int_equal(got.levels[3].value, 0);
	assert_int_equal(store_commit(&t), ERR_OK);
}

static void sessions_and_burials_are_kept(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct store_session s = {.epoch = 5, .applied_seq = 6};
	struct store_burial b;

	store_put_session(&t, "dc1-a", &s);
	store_put_buried(&t, 1, 2, 0, &(struct store_burial){1234, 1235});
	assert_int_equal(store_commit(&t), ERR_OK);
	t = store_begin(f->store, true);
	s = (struct store_session){0};
	assert_true(store_get_session(&t, "dc1-a", &s));
	assert_int_equal(s.applied_seq, 6);
	assert_false(store_get_session(&t, "dc1-b", &s));
	assert_true(store_get_buried(&t, 1, 2, 0, &b));
	assert_int_equal(b.at_ms, 1234);
	assert_int_equal(b.kept_ms, 1235);
	assert_false(store_get_buried(&t, 1, 2, 9, &b));
	store_del_buried(&t, 1, 2, 0);
	assert_false(store_get_buried(&t, 1, 2, 0, &b));
	store_abort(&t);
}

static void names_keep_their_numbers_and_numbers_are_not_used_twice(void **state)
{
	struct fixture *f = *state;
	struct store_txn t = store_begin(f->store, true);
	struct names *n = NULL;

	assert_int_equal(names_load(&t, &n), ERR_OK);
	uint32_t c = names_intern(n, &t, STORE_CLUSTER, 0, "PROD/seoul");
	uint32_t g = names_intern(n, &t, STORE_GROUP, c, "seoul");
	uint32_t topic = names_intern(n, &t, STORE_TOPIC, c, "seoul");
	assert_int_not_equal(g, topic);
	assert_int_equal(names_intern(n, &t, STORE_GROUP, c, "seoul"), g);
	assert_int_not_equal(names_intern(n, &t, STORE_GROUP, c + 100, "seoul"), g);
	names_drop(n, &t, g);
	assert_int_equal(names_find(n, STORE_GROUP, c, "seoul"), 0);
	assert_string_equal(names_text(n, g), "");
	uint32_t again = names_intern(n, &t, STORE_GROUP, c, "seoul");
	assert_true(again > topic);
	assert_int_equal(store_commit(&t), ERR_OK);
	names_free(&n);

	t = store_begin(f->store, false);
	assert_int_equal(names_load(&t, &n), ERR_OK);
	assert_int_equal(names_find(n, STORE_GROUP, c, "seoul"), again);
	assert_string_equal(names_text(n, topic), "seoul");
	uint32_t *clusters = NULL;
	assert_int_equal(names_clusters(n, &clusters), 1);
	assert_int_equal(clusters[0], c);
	free(clusters);
	names_free(&n);
	store_abort(&t);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(what_was_committed_is_there_after_reopening),
		WITH_STORE(an_aborted_transaction_leaves_nothing),
		WITH_STORE(a_walk_sees_one_range_in_order),
		WITH_STORE(entries_may_be_removed_or_overwritten_during_a_walk),
		WITH_STORE(random_changes_end_in_what_was_put_last),
		WITH_STORE(a_removed_group_takes_its_commits_along),
		WITH_STORE(a_second_process_is_refused),
		WITH_STORE(a_full_map_is_an_error_and_loses_nothing),
		WITH_STORE(a_file_that_is_no_store_is_refused),
		WITH_STORE(history_levels_are_kept_apart),
		WITH_STORE(sessions_and_burials_are_kept),
		WITH_STORE(names_keep_their_numbers_and_numbers_are_not_used_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
