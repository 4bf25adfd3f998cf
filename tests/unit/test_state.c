/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/state/state.h"
#include "common/bytes.h"
#include "common/err.h"
#include "temp.h"

static const char *const TARGETS[] = {"tcp://one:1", "tcp://two:1"};

struct fixture {
	struct temp temp;
	struct state *st;
	struct state_options options;
};

static void reopen(struct fixture *f)
{
	char why[512];

	state_close(&f->st);
	assert_int_equal(state_open(f->temp.dir, &f->options, why, &f->st), ERR_OK);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->temp = temp_make();
	f->options = (struct state_options){.spool_bytes = 16 << 20,
					    .spool_age_ms = 3600000,
					    .targets = TARGETS,
					    .target_count = 2};
	reopen(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	state_close(&f->st);
	temp_remove(&f->temp);
	free(f);
	return 0;
}

static struct state_spool spool(const struct fixture *f)
{
	struct state_spool s;

	state_spool(f->st, &s);
	return s;
}

static void append(struct fixture *f, const char *text)
{
	struct state_txn t = state_begin(f->st);

	state_append(&t, text, strlen(text));
	assert_int_equal(state_commit(&t), ERR_OK);
}

/* Append one batch in a transaction that fails, as on a full disk. */
static void append_failing(struct fixture *f, const void *data, size_t size)
{
	struct state_txn t = state_begin(f->st);

	state_append(&t, data, size);
	t.err = -ENOSPC;
	assert_int_equal(state_commit(&t), -ENOSPC);
}

static void check_fetch(struct fixture *f, uint64_t seq, uint64_t want_seq, const char *want)
{
	uint64_t got = 0;
	uint8_t *body = NULL;
	size_t size = 0;

	assert_int_equal(state_fetch(f->st, spool(f).epoch, seq, &got, &body, &size), ERR_OK);
	assert_int_equal(got, want_seq);
	assert_int_equal(size, strlen(want));
	assert_memory_equal(body, want, size);
	free(body);
}

static void check_nothing(struct fixture *f, uint64_t seq)
{
	uint64_t got = 0;
	uint8_t *body = NULL;
	size_t size = 0;

	assert_int_equal(state_fetch(f->st, spool(f).epoch, seq, &got, &body, &size),
			 ERR_NOT_FOUND);
}

static void batches_are_numbered_from_one_and_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch = spool(f).epoch;

	append(f, "first");
	append(f, "second");
	check_fetch(f, 1, 1, "first");
	check_fetch(f, 2, 2, "second");
	check_nothing(f, 3);
	reopen(f);
	assert_int_equal(spool(f).epoch, epoch);
	assert_int_equal(spool(f).next_seq, 3);
	assert_int_equal(spool(f).floor_seq, 1);
	assert_int_equal(spool(f).batches, 2);
	assert_int_equal(spool(f).bytes, 11);
	check_fetch(f, 1, 1, "first");
}

static void a_batch_leaves_when_every_target_has_it(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch = spool(f).epoch;

	append(f, "first");
	append(f, "second");
	state_acked(f->st, 0, epoch, 2);
	assert_int_equal(spool(f).floor_seq, 1);
	state_acked(f->st, 1, epoch, 1);
	assert_int_equal(spool(f).floor_seq, 2);
	check_fetch(f, 1, 2, "second");
	append(f, "third");
	assert_int_equal(spool(f).batches, 2);
	assert_int_equal(spool(f).dropped, 0);
	reopen(f);
	assert_int_equal(state_cursor(f->st, 0), 2);
	assert_int_equal(state_cursor(f->st, 1), 1);
	assert_int_equal(spool(f).floor_seq, 2);
	state_acked(f->st, 0, epoch + 1, 3); /* of another epoch: nothing */
	assert_int_equal(state_cursor(f->st, 0), 2);
}

static void the_oldest_are_dropped_over_the_limit_and_it_is_counted(void **state)
{
	struct fixture *f = *state;
	static char large[1 << 20];
	uint64_t breaks = spool(f).breaks;

	for (int i = 0; i < 20; i++) {
		struct state_txn t = state_begin(f->st);
		memset(large, 'a' + i, sizeof(large));
		state_append(&t, large, sizeof(large));
		assert_int_equal(state_commit(&t), ERR_OK);
	}
	assert_int_equal(spool(f).bytes, 16 << 20);
	assert_int_equal(spool(f).dropped, 4);
	assert_int_equal(spool(f).floor_seq, 5);
	assert_int_equal(spool(f).next_seq, 21);
	assert_true(spool(f).breaks > breaks);
	reopen(f);
	assert_int_equal(spool(f).dropped, 4);
	assert_int_equal(spool(f).floor_seq, 5);
}

static void what_is_too_old_is_dropped(void **state)
{
	struct fixture *f = *state;

	append(f, "first");
	f->options.spool_age_ms = 1;
	struct timespec t = {.tv_nsec = 5000000};
	nanosleep(&t, NULL);
	reopen(f);
	assert_int_equal(spool(f).dropped, 1);
	assert_int_equal(spool(f).floor_seq, 2);
	check_nothing(f, 1);
}

static int count_record(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	int *count = arg;

	assert_int_equal(k.cluster, 1);
	assert_int_equal(k.a, ++*count);
	assert_int_equal(size, 1);
	assert_int_equal(data[0], k.a);
	return ERR_OK;
}

static void records_are_walked_in_order_and_by_cluster(void **state)
{
	struct fixture *f = *state;
	struct state_txn t = state_begin(f->st);
	int count = 0;

	for (uint32_t a = 9; a >= 1; a--) {
		uint8_t v = (uint8_t)a;
		state_put(&t, STATE_GROUP, (struct state_key){.cluster = 1, .a = a}, &v, 1);
		state_put(&t, STATE_GROUP, (struct state_key){.cluster = 2, .a = a}, &v, 1);
		state_put(&t, STATE_COMMIT, (struct state_key){.cluster = 1, .a = a}, &v, 1);
	}
	state_del(&t, STATE_GROUP, (struct state_key){.cluster = 1, .a = 9});
	state_del(&t, STATE_GROUP, (struct state_key){.cluster = 1, .a = 77});
	assert_int_equal(state_commit(&t), ERR_OK);
	assert_int_equal(state_walk(f->st, STATE_GROUP, 1, count_record, &count), ERR_OK);
	assert_int_equal(count, 8);
}

static void a_cluster_keeps_its_number(void **state)
{
	struct fixture *f = *state;
	uint32_t a = 0;
	uint32_t b = 0;
	uint32_t again = 0;

	assert_int_equal(state_cluster(f->st, "Seoul-1", &a), ERR_OK);
	assert_int_equal(state_cluster(f->st, "Busan", &b), ERR_OK);
	assert_int_not_equal(a, b);
	reopen(f);
	assert_int_equal(state_cluster(f->st, "Seoul-1", &again), ERR_OK);
	assert_int_equal(again, a);
}

static void while_the_disk_fails_batches_live_in_memory(void **state)
{
	struct fixture *f = *state;

	append(f, "first");
	append_failing(f, "second", 6);
	append_failing(f, "third", 5);
	assert_int_equal(spool(f).batches, 3);
	check_fetch(f, 2, 2, "second");
	check_fetch(f, 3, 3, "third");
	append(f, "fourth"); /* the disk takes batches again, and those as well */
	reopen(f);
	check_fetch(f, 1, 1, "first");
	check_fetch(f, 2, 2, "second");
	check_fetch(f, 3, 3, "third");
	check_fetch(f, 4, 4, "fourth");
	assert_int_equal(spool(f).dropped, 0);
}

static void memory_is_bounded_and_drops_the_oldest_on_disk_too(void **state)
{
	struct fixture *f = *state;
	static char large[1 << 20];

	append(f, "on disk");
	for (int i = 0; i < 70; i++)
		append_failing(f, large, sizeof(large));
	assert_true(spool(f).bytes <= STATE_MEMORY_MAX + 7);
	assert_int_equal(spool(f).dropped, 1 + 6);
	assert_int_equal(spool(f).floor_seq, 8);
	state_acked(f->st, 0, spool(f).epoch, 70);
	state_acked(f->st, 1, spool(f).epoch, 70);
	assert_int_equal(spool(f).floor_seq, 71);
	append(f, "last");
	append(f, "more");
	check_fetch(f, 72, 72, "last");
}

/* A limit on the size of files is to LMDB what a full disk is. */
static void a_full_disk_loses_nothing_and_is_left_without_a_restart(void **state)
{
	struct fixture *f = *state;
	static char large[1 << 20] = "large";
	struct rlimit before;

	append(f, "first");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	struct rlimit small = {.rlim_cur = 256 << 10, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++) {
		struct state_txn t = state_begin(f->st);
		state_append(&t, large, sizeof(large));
		assert_int_not_equal(state_commit(&t), ERR_OK);
	}
	assert_int_equal(spool(f).batches, 4);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	append(f, "last");
	reopen(f);
	assert_int_equal(spool(f).batches, 5);
	assert_int_equal(spool(f).dropped, 0);
	check_fetch(f, 1, 1, "first");
	check_fetch(f, 5, 5, "last");
}

/* In place of the C library's, for LMDB: a small write is that of its own head. */
static bool head_fails;

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	if (head_fails && size < 4096) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, data, size, at);
}

static void a_failure_that_lmdb_does_not_survive_is_survived(void **state)
{
	struct fixture *f = *state;
	uint32_t id = 0;

	append(f, "first");
	head_fails = true;
	for (int i = 0; i < 3; i++) {
		struct state_txn t = state_begin(f->st);
		state_append(&t, "kept", 4);
		assert_int_not_equal(state_commit(&t), ERR_OK);
		check_fetch(f, 2, 2, "kept");
	}
	head_fails = false;
	append(f, "last");
	assert_int_equal(spool(f).batches, 5);
	assert_int_equal(spool(f).bytes, 5 + 3 * 4 + 4);
	check_fetch(f, 1, 1, "first");
	assert_int_equal(state_cluster(f->st, "Seoul-1", &id), ERR_OK);
	reopen(f);
	assert_int_equal(spool(f).batches, 5);
	assert_int_equal(spool(f).bytes, 5 + 3 * 4 + 4);
	check_fetch(f, 4, 4, "kept");
	check_fetch(f, 5, 5, "last");
}

static void a_new_epoch_numbers_from_one_what_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch = spool(f).epoch;
	uint64_t breaks = spool(f).breaks;
	uint64_t got = 0;
	uint8_t *body = NULL;
	size_t size = 0;

	append(f, "first");
	append(f, "second");
	append(f, "third");
	state_acked(f->st, 0, epoch, 2);
	state_acked(f->st, 1, epoch, 1);
	state_new_epoch(f->st, epoch);
	assert_int_not_equal(spool(f).epoch, epoch);
	assert_true(spool(f).breaks > breaks);
	assert_int_equal(spool(f).floor_seq, 1);
	assert_int_equal(spool(f).next_seq, 3);
	assert_int_equal(state_cursor(f->st, 0), 1);
	assert_int_equal(state_cursor(f->st, 1), 0);
	check_fetch(f, 1, 1, "second");
	assert_int_equal(state_fetch(f->st, epoch, 1, &got, &body, &size), ERR_VERSION);
	uint64_t now = spool(f).epoch;
	state_new_epoch(f->st, epoch); /* somebody else noticed as well */
	assert_int_equal(spool(f).epoch, now);
	reopen(f);
	assert_int_equal(spool(f).epoch, now);
	check_fetch(f, 2, 2, "third");
}

static void a_second_agent_is_refused(void **state)
{
	struct fixture *f = *state;
	struct state *other = NULL;
	char why[512];

	assert_int_equal(state_open(f->temp.dir, &f->options, why, &other), -EBUSY);
	assert_non_null(strstr(why, "another agent"));
	assert_null(other);
}

static void damage(const struct fixture *f, off_t at, const void *bytes, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/data.mdb", f->temp.dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
	close(fd);
}

static void a_foreign_or_damaged_file_is_refused_with_its_name(void **state)
{
	struct fixture *f = *state;
	static const char text[16384] = "this is not a data base at all";
	char path[128];
	char why[512];

	append(f, "first");
	state_close(&f->st);
	damage(f, 0, text, sizeof(text));
	assert_int_equal(state_open(f->temp.dir, &f->options, why, &f->st), ERR_MALFORMED);
	snprintf(path, sizeof(path), "%s/data.mdb", f->temp.dir);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "move the directory away"));
}

static void a_file_cut_short_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[128];
	char why[512];

	append(f, "first");
	state_close(&f->st);
	snprintf(path, sizeof(path), "%s/data.mdb", f->temp.dir);
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(state_open(f->temp.dir, &f->options, why, &f->st), ERR_MALFORMED);
	assert_non_null(strstr(why, path));
}

/* --- crashes --- */

/* A pass of the test: position, a record and a batch all say the same number. */
static void write_pass(struct state *st, uint64_t n)
{
	struct state_txn t = state_begin(st);
	static uint8_t body[3000];
	uint8_t raw[8];

	put_be64(raw, n);
	memcpy(body, raw, sizeof(raw));
	state_put(&t, STATE_POSITION, (struct state_key){.cluster = 1}, raw, sizeof(raw));
	for (uint32_t p = 0; p < 50; p++)
		state_put(&t, STATE_COMMIT, (struct state_key){.cluster = 1, .c = p}, raw,
			  sizeof(raw));
	state_append(&t, body, sizeof(body));
	if (state_commit(&t) != ERR_OK)
		_exit(1);
}

static void write_until_killed(const char *dir, const struct state_options *options, int fd)
{
	struct state *st = NULL;
	struct state_spool s;
	char why[512];

	if (state_open(dir, options, why, &st) != ERR_OK)
		_exit(1);
	for (;;) {
		state_spool(st, &s);
		write_pass(st, s.next_seq);
		if (write(fd, &s.next_seq, sizeof(s.next_seq)) != sizeof(s.next_seq))
			_exit(1);
	}
}

static int same_number(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	uint64_t *want = arg;
	(void)k;

	assert_int_equal(size, 8);
	assert_int_equal(get_be64(data), *want);
	return ERR_OK;
}

static void check_after_crash(struct fixture *f, uint64_t told)
{
	struct state_spool s = spool(f);
	uint64_t last = s.next_seq - 1;

	/* Nothing told is lost; at most one more was written than told. */
	assert_true(last == told || last == told + 1);
	assert_int_equal(state_walk(f->st, STATE_POSITION, 1, same_number, &last), ERR_OK);
	assert_int_equal(state_walk(f->st, STATE_COMMIT, 1, same_number, &last), ERR_OK);
	for (uint64_t seq = s.floor_seq; seq < s.next_seq; seq++) {
		uint64_t got = 0;
		uint8_t *body = NULL;
		size_t size = 0;
		assert_int_equal(state_fetch(f->st, s.epoch, seq, &got, &body, &size), ERR_OK);
		assert_int_equal(got, seq);
		assert_int_equal(get_be64(body), seq);
		free(body);
	}
}

static void after_kill_9_numbers_and_positions_agree(void **state)
{
	struct fixture *f = *state;
	uint64_t told = 0;

	state_close(&f->st);
	for (int round = 0; round < 8; round++) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		pid_t child = fork();
		if (child == 0)
			write_until_killed(f->temp.dir, &f->options, fds[1]);
		close(fds[1]);
		struct timespec t = {.tv_nsec = 60000000 + round * 7000000};
		nanosleep(&t, NULL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		for (uint64_t n = 0; read(fds[0], &n, sizeof(n)) == sizeof(n);)
			told = n;
		close(fds[0]);
		reopen(f);
		check_after_crash(f, told);
		told = spool(f).next_seq - 1;
		state_close(&f->st);
	}
	assert_true(told > 20);
}

int main(void)
{
#define WITH_STATE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_STATE(batches_are_numbered_from_one_and_stay),
		WITH_STATE(a_batch_leaves_when_every_target_has_it),
		WITH_STATE(the_oldest_are_dropped_over_the_limit_and_it_is_counted),
		WITH_STATE(what_is_too_old_is_dropped),
		WITH_STATE(records_are_walked_in_order_and_by_cluster),
		WITH_STATE(a_cluster_keeps_its_number),
		WITH_STATE(while_the_disk_fails_batches_live_in_memory),
		WITH_STATE(memory_is_bounded_and_drops_the_oldest_on_disk_too),
		WITH_STATE(a_full_disk_loses_nothing_and_is_left_without_a_restart),
		WITH_STATE(a_failure_that_lmdb_does_not_survive_is_survived),
		WITH_STATE(a_new_epoch_numbers_from_one_what_is_kept),
		WITH_STATE(a_second_agent_is_refused),
		WITH_STATE(a_foreign_or_damaged_file_is_refused_with_its_name),
		WITH_STATE(a_file_cut_short_is_refused),
		WITH_STATE(after_kill_9_numbers_and_positions_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
