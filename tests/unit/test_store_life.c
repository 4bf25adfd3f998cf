/* SPDX-License-Identifier: Apache-2.0 */

/* The store over its life: growing, old and new layouts, damage, copies. */

#include "aggregator/store/store_priv.h" /* first: it is the only one that knows LMDB */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aggregator/store/copy.h"
#include "aggregator/store/names.h"
#include "aggregator/store/verify.h"
#include "common/err.h"
#include "temp.h"

#define LIMIT ((size_t)512 << 20)

static struct store *open_store(const char *dir, size_t limit)
{
	char why[512] = "";
	struct store *st = NULL;
	int err = store_open(dir, limit, why, &st);

	if (err != ERR_OK)
		print_message("%s\n", why);
	assert_int_equal(err, ERR_OK);
	return st;
}

static void put_commits(struct store_txn *t, uint32_t group, int32_t count)
{
	const struct commit_track c = {.version = TRACK_VERSION, .offset = group};

	for (int32_t p = 0; p < count; p++)
		store_put_commit(t, (struct store_commit_key){1, group, 3, p}, &c);
}

/* --- growing --- */

struct readers {
	struct store *store;
	atomic_bool stop;
	atomic_uint rounds;
};

/* Every record that is there says what its key does. */
static void *read_all(void *arg)
{
	struct readers *r = arg;

	while (!atomic_load(&r->stop)) {
		struct store_txn t = store_begin(r->store, false);
		struct store_range range = {.cluster = 1};
		struct store_commit_key k;
		struct commit_track c;

		for (bool first = true; store_next_commit(&t, first, range, &k, &c); first = false)
			if (c.offset != k.group)
				abort();
		if (t.err != ERR_OK)
			abort();
		store_abort(&t);
		atomic_fetch_add(&r->rounds, 1);
	}
	return NULL;
}

static void the_map_grows_under_readers(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct readers r = {.store = open_store(dir.dir, LIMIT)};
	pthread_t threads[2];
	unsigned grown = 0;

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &r), 0);
	for (uint32_t group = 1; group <= 40;) {
		struct store_txn t = store_begin(r.store, true);

		put_commits(&t, group, 10000);
		int err = store_commit(&t);
		if (err == ERR_FULL) {
			assert_int_equal(store_grow(r.store), ERR_OK);
			grown++;
			continue;
		}
		assert_int_equal(err, ERR_OK);
		group++;
	}
	atomic_store(&r.stop, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true(grown >= 2);
	assert_true(atomic_load(&r.rounds) > 0);
	store_close(&r.store);

	/* What it has grown to is there at once after a restart. */
	struct store *st = open_store(dir.dir, LIMIT);
	struct store_txn t = store_begin(st, true);
	put_commits(&t, 41, 10000);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);
	temp_remove(&dir);
}

/* At its limit deleting makes room: what was refused goes in then, in small steps. */
static void at_its_limit_removing_makes_room(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct store *st = open_store(dir.dir, (size_t)16 << 20);
	uint32_t full_at = 1;
	uint64_t used = 0;
	uint64_t limit = 0;

	for (;; full_at++) {
		struct store_txn t = store_begin(st, true);

		put_commits(&t, full_at, 1000);
		if (store_commit(&t) == ERR_FULL)
			break;
	}
	assert_int_equal(store_grow(st), ERR_FULL);
	store_usage(st, &used, &limit);
	assert_int_equal(limit, 16 << 20);
	assert_true(used > limit / 2);
	for (uint32_t group = 1; group <= full_at / 2; group++) {
		struct store_txn t = store_begin(st, true);

		store_del_group(&t, 1, group);
		assert_int_equal(store_commit(&t), ERR_OK);
	}
	uint64_t now = 0;
	store_usage(st, &now, &limit);
	assert_true(now < used * 2 / 3);
	struct store_txn t = store_begin(st, true);
	put_commits(&t, full_at, 1000);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);
	temp_remove(&dir);
}

static void a_full_store_opens(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct store *st = open_store(dir.dir, (size_t)4 << 20);

	for (uint32_t group = 1;; group++) {
		struct store_txn t = store_begin(st, true);

		put_commits(&t, group, 100);
		if (store_commit(&t) == ERR_FULL)
			break;
	}
	store_close(&st);
	st = open_store(dir.dir, (size_t)4 << 20);
	store_close(&st);
	st = open_store(dir.dir, (size_t)64 << 20);
	struct store_txn t = store_begin(st, true);
	put_commits(&t, 999, 1000);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);
	temp_remove(&dir);
}

/* --- layouts --- */

static void put_raw(struct store_txn *t, enum table table, const char *key, const void *data,
		    size_t size)
{
	MDB_val k = lmdb_val(key, strlen(key));
	MDB_val v = lmdb_val(data, size);

	assert_true(store_check(t, mdb_put(t->txn, t->store->tables[table], &k, &v, 0)));
}

static void a_store_of_layout_1_is_brought_up_to_date(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct store *st = open_store(dir.dir, LIMIT);
	struct store_txn t = store_begin(st, true);
	const uint64_t session[5] = {77, 1000, 5, 6, 10};
	const int64_t burial = 1234;

	for (int i = 0; i < 300; i++) {
		char agent[32];

		snprintf(agent, sizeof(agent), "agent-%03d", i);
		put_raw(&t, SESSION, agent, session, sizeof(session));
		store_put_record(&t, BURIED, KEY(1, (uint32_t)i, 0), &burial, sizeof(burial));
	}
	/* Commits with paces as they were at first, and as they are since. */
	struct commit_track commit = {.version = TRACK_VERSION, .offset = 5, .pending_at_ms = 6};
	uint8_t old[440];
	window_add(&commit.offsets, 1000, 5, 100);
	window_add(&commit.offsets, 9000, 6, 100);
	memcpy(old, &commit, 216);
	memset(old + 216, 0xee, 56);
	memcpy(old + 272, &commit.offsets, sizeof(commit.offsets));
	store_put_record(&t, COMMIT, KEY(1, 2, 3, 4), old, sizeof(old));
	commit.commits.count = 7;
	store_put_commit(&t, (struct store_commit_key){1, 2, 3, 5}, &commit);
	store_put_meta(&t, "layout", 1);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);

	char why[512] = "";
	assert_int_equal(store_open_readonly(dir.dir, why, &st), ERR_NOT_FOUND);
	assert_non_null(strstr(why, "older version"));

	for (int again = 0; again < 2; again++) {
		st = open_store(dir.dir, LIMIT);
		t = store_begin(st, false);
		for (int i = 0; i < 300; i++) {
			struct store_session s;
			struct store_burial b;
			char agent[32];

			snprintf(agent, sizeof(agent), "agent-%03d", i);
			assert_true(store_get_session(&t, agent, &s));
			assert_int_equal(s.epoch, 77);
			assert_int_equal(s.applied_seq, 1000);
			assert_int_equal(s.instance, 5);
			assert_int_equal(s.session, 6);
			assert_int_equal(s.lost, 10);
			assert_int_equal(s.batches, 990);
			assert_true(s.seen_ms > 1700000000000);
			assert_true(store_get_buried(&t, 1, (uint32_t)i, 0, &b));
			assert_int_equal(b.at_ms, 1234);
			assert_int_equal(b.kept_ms, 1234);
		}
		struct commit_track now;
		assert_true(store_get_commit(&t, (struct store_commit_key){1, 2, 3, 5}, &now));
		assert_memory_equal(&now, &commit, sizeof(now));
		commit.commits.count = 0;
		assert_true(store_get_commit(&t, (struct store_commit_key){1, 2, 3, 4}, &now));
		assert_memory_equal(&now, &commit, sizeof(now));
		commit.commits.count = 7;
		assert_int_equal(store_get_meta(&t, "layout"), STORE_LAYOUT);
		store_abort(&t);
		store_close(&st);
	}
	temp_remove(&dir);
}

static void a_newer_layout_is_refused(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct store *st = open_store(dir.dir, LIMIT);
	struct store_txn t = store_begin(st, true);
	char why[512] = "";

	store_put_meta(&t, "layout", STORE_LAYOUT + 1);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);
	assert_int_equal(store_open(dir.dir, LIMIT, why, &st), ERR_VERSION);
	assert_non_null(strstr(why, "newer version"));
	assert_int_equal(store_open_readonly(dir.dir, why, &st), ERR_VERSION);
	temp_remove(&dir);
}

/* --- damage --- */

struct found {
	char text[4096];
	size_t sessions;
};

static void on_fault(void *arg, const char *text)
{
	struct found *f = arg;
	size_t used = strlen(f->text);

	snprintf(f->text + used, sizeof(f->text) - used, "%s\n", text);
}

static void on_table(void *arg, const char *name, uint64_t records, uint64_t bytes)
{
	(void)arg;
	(void)name;
	assert_true(records != 0 || bytes == 0);
}

static void on_session(void *arg, const char *agent, const struct store_session *s)
{
	(void)agent;
	(void)s;
	((struct found *)arg)->sessions++;
}

static bool is_whole(const uint8_t *data, size_t size)
{
	return size == 2 && memcmp(data, "ok", 2) == 0;
}

static bool is_whole_alert(enum alert_table table, const uint8_t *data, size_t size)
{
	(void)table;
	return is_whole(data, size);
}

static uint64_t check(struct store *st, struct found *f)
{
	const struct verify_options o = {
		.members_ok = is_whole,
		.origin_ok = is_whole,
		.on_fault = on_fault,
		.on_table = on_table,
		.on_session = on_session,
		.arg = f,
		.incident_ok = is_whole,
		.step_ok = is_whole,
		.alert_ok = is_whole_alert,
	};
	int err = ERR_OK;

	*f = (struct found){.sessions = 0};
	uint64_t faults = verify(st, &o, &err);
	assert_int_equal(err, ERR_OK);
	return faults;
}

static void verify_finds_what_cannot_be(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct store *st = open_store(dir.dir, LIMIT);
	struct store_txn t = store_begin(st, true);
	struct found f;
	struct names *n = NULL;

	assert_int_equal(names_load(&t, &n), ERR_OK);
	uint32_t c = names_intern(n, &t, STORE_CLUSTER, 0, "PROD/seoul");
	uint32_t g = names_intern(n, &t, STORE_GROUP, c, "readers");
	uint32_t topic = names_intern(n, &t, STORE_TOPIC, c, "orders");
	struct commit_track commit = {.version = TRACK_VERSION, .offset = 5};
	struct log_track log = {.version = TRACK_VERSION, .end = 9};
	struct group_track group = {.version = TRACK_VERSION};
	struct store_session session = {.applied_seq = 10, .batches = 7, .lost = 3};
	struct history h = {0};
	window_add(&commit.offsets, 1000, 5, 100);
	window_add(&commit.offsets, 9000, 6, 100);
	store_put_commit(&t, (struct store_commit_key){c, g, topic, 0}, &commit);
	store_put_log(&t, (struct store_log_key){c, topic, 0}, &log);
	store_put_history(&t, (struct store_log_key){c, topic, 0}, &h, 15);
	store_put_group(&t, c, g, &group);
	store_put_members(&t, c, g, "ok", 2);
	store_put_origin(&t, c, "ok", 2);
	store_put_session(&t, "dc1-a", &session);
	alert_store_put_incident(&t, (struct alert_place){1000, 77}, "ok", 2);
	alert_store_put_step(&t, 77, 1, "ok", 2);
	alert_store_put_trouble(&t, c, g, 77);
	alert_store_put(&t, ALERT_SILENCE, 5, "ok", 2);
	alert_store_put(&t, ALERT_OUTBOX, 6, "ok", 2);
	assert_int_equal(store_commit(&t), ERR_OK);
	assert_int_equal(check(st, &f), 0);
	assert_string_equal(f.text, "");
	assert_int_equal(f.sessions, 1);

	t = store_begin(st, true);
	commit.offsets.count = 9;
	store_put_commit(&t, (struct store_commit_key){c, g, topic, 1}, &commit);
	commit.offsets.count = 2;
	commit.status = 99;
	store_put_commit(&t, (struct store_commit_key){c, g, topic, 2}, &commit);
	commit.status = 0;
	store_put_commit(&t, (struct store_commit_key){c, g + 50, topic, 3}, &commit);
	store_put_record(&t, LOG, KEY(c, topic, 7), "short", 5);
	store_put_history(&t, (struct store_log_key){c, topic, 8}, &h, 1);
	store_put_members(&t, c, g, "no", 2);
	session.batches++;
	store_put_session(&t, "dc1-b", &session);
	store_put_record(&t, LAG, KEY(c, 1, 2, 3, 4, 5), "\xff\xff", 2);
	store_put_record(&t, EVENT, KEY(c, g, 0, 0, 0), "x", 1);
	alert_store_put_incident(&t, (struct alert_place){1001, 78}, "no", 2);
	alert_store_put_incident(&t, (struct alert_place){1002, 77}, "ok", 2);
	alert_store_put_step(&t, 79, 1, "ok", 2);
	alert_store_put_trouble(&t, c, g + 1, 79);
	alert_store_put(&t, ALERT_NOTIFY, 6, "no", 2);
	assert_int_equal(store_commit(&t), ERR_OK);
	assert_int_equal(check(st, &f), 14);
	static const char *const SAID[] = {"its window is damaged",
					   "no such status",
					   "its group has no name",
					   "not of the size",
					   "its log is not there",
					   "members 1/2: damaged",
					   "batches applied and lost are not all",
					   "lag 1/1/2/3/4/5: damaged",
					   "event 1/2/0/0/0: damaged",
					   "incident 0/1001/0/78: damaged",
					   "incident 0/1000/0/77: is not found by its id",
					   "timeline 0/79/1: its incident is not there",
					   "trouble 1/3: its incident is not there",
					   "notify 0/6: damaged"};
	for (size_t i = 0; i < ARRAY_LEN(SAID); i++)
		assert_non_null(strstr(f.text, SAID[i]));
	names_free(&n);
	store_close(&st);
	temp_remove(&dir);
}

static void a_file_cut_short_is_refused(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	struct store *st = open_store(dir.dir, LIMIT);
	struct store_txn t = store_begin(st, true);
	char path[128];
	char why[512] = "";

	put_commits(&t, 1, 1000);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);
	snprintf(path, sizeof(path), "%s/data.mdb", dir.dir);
	assert_int_equal(truncate(path, 65536), 0);
	assert_int_equal(store_open(dir.dir, LIMIT, why, &st), ERR_MALFORMED);
	assert_non_null(strstr(why, "cut short"));
	assert_int_equal(store_open_readonly(dir.dir, why, &st), ERR_MALFORMED);
	temp_remove(&dir);
}

/* --- copies --- */

static void a_copy_is_as_the_store_was(void **state)
{
	(void)state;
	struct temp dir = temp_make();
	char from[128];
	char copy[128];
	char to[128];
	char why[512] = "";
	struct store *st = NULL;
	struct commit_track c;

	snprintf(from, sizeof(from), "%s/from", dir.dir);
	snprintf(copy, sizeof(copy), "%s/copy", dir.dir);
	snprintf(to, sizeof(to), "%s/to", dir.dir);
	st = open_store(from, LIMIT);
	struct store_txn t = store_begin(st, true);
	put_commits(&t, 7, 5000);
	assert_int_equal(store_commit(&t), ERR_OK);
	store_close(&st);

	assert_int_equal(copy_out(from, copy, why), ERR_OK);
	assert_int_equal(copy_out(from, copy, why), -EEXIST);
	assert_int_equal(copy_in(copy, from, why), -EEXIST);
	assert_non_null(strstr(why, "is there already"));
	st = open_store(from, LIMIT);
	assert_int_equal(copy_in(copy, from, why), -EBUSY);
	store_close(&st);
	assert_int_equal(copy_in(from + 1, to, why), -ENOENT);
	assert_int_equal(copy_in(copy, to, why), ERR_OK);

	st = open_store(to, LIMIT);
	t = store_begin(st, false);
	assert_true(store_get_commit(&t, (struct store_commit_key){1, 7, 3, 4999}, &c));
	assert_int_equal(c.offset, 7);
	store_abort(&t);
	store_close(&st);
	temp_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_grows_under_readers),
		cmocka_unit_test(at_its_limit_removing_makes_room),
		cmocka_unit_test(a_full_store_opens),
		cmocka_unit_test(a_store_of_layout_1_is_brought_up_to_date),
		cmocka_unit_test(a_newer_layout_is_refused),
		cmocka_unit_test(verify_finds_what_cannot_be),
		cmocka_unit_test(a_file_cut_short_is_refused),
		cmocka_unit_test(a_copy_is_as_the_store_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
