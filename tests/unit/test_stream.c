/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/stream.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aggregator/serve/ring.h"
#include "common/clock.h"
#include "common/err.h"

#define WAIT_MS 30000
#define FIRST "retry: 2000\n\n"

static const struct access EVERYBODY = {.name = "", .role = ACCESS_READ};
static struct board *board;
static struct stream *stream;
static struct stream_reader *reader;
static char text[256 * 1024]; /* what the last reading gave */

static int setup(void **state)
{
	(void)state;
	board = board_new();
	assert_non_null(board);
	assert_int_equal(stream_new(board, &stream), ERR_OK);
	assert_int_equal(stream_start(stream, true), ERR_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_reader_free(&reader);
	stream_stop(&stream);
	assert_null(stream);
	stream_stop(&stream);
	board_free(&board);
	return 0;
}

static void tell_at(int64_t at_ms, const char *cluster, const char *group, int n)
{
	char data[32];

	snprintf(data, sizeof(data), "{\"n\":%d}", n);
	stream_tell(stream, &(struct stream_event){.at_ms = at_ms,
						   .event = "incident",
						   .environment = "PROD",
						   .cluster = cluster,
						   .group = group,
						   .data = data});
}

static void tell(int n)
{
	tell_at(clock_wall_ms(), "one", "g", n);
}

static struct stream_reader *join(const struct stream_wish *wish)
{
	struct stream_reader *r = NULL;

	assert_int_equal(stream_open(stream, wish, &r), ERR_OK);
	return r;
}

static struct stream_reader *join_after(const char *last_id)
{
	return join(&(struct stream_wish){.who = &EVERYBODY, .last_id = last_id});
}

/* All that there is, in pieces of some bytes. */
static const char *read_in(struct stream_reader *r, size_t piece)
{
	size_t size = 0;
	ptrdiff_t got = 0;

	do {
		assert_true(size + piece < sizeof(text));
		got = stream_read(r, text + size, piece);
		size += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	text[size] = '\0';
	return text;
}

static const char *read_all(struct stream_reader *r)
{
	return read_in(r, 8192);
}

static int count(const char *part)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		n++;
	return n;
}

/* The numbers n of what was read, with blanks between. */
static const char *numbers(void)
{
	static char list[4096];
	size_t size = 0;

	list[0] = '\0';
	for (const char *at = text; (at = strstr(at, "{\"n\":")) != NULL; at++)
		size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%d",
					 size == 0 ? "" : " ", atoi(at + 5));
	return list;
}

/* The id of the nth event that was read, from 0 on. */
static const char *id_of(int n)
{
	static char id[64];
	const char *at = text;

	for (int i = 0; i <= n; i++) {
		at = strstr(at, "id: ");
		assert_non_null(at);
		at += 4;
	}
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(at, "\n"), at);
	return id;
}

static void events_come_in_order_to_who_is_there(void **state)
{
	(void)state;
	tell(1);
	reader = join_after(NULL);
	assert_string_equal(read_all(reader), FIRST);
	assert_string_equal(read_all(reader), "");
	tell(2);
	tell(3);
	read_all(reader);
	assert_string_equal(numbers(), "2 3");
	assert_int_equal(count("event: incident\ndata: {\"n\":2}\n\n"), 1);
	assert_string_equal(read_all(reader), "");
}

static void a_small_buffer_is_enough(void **state)
{
	(void)state;
	reader = join_after(NULL);
	tell(1);
	tell(2);
	read_in(reader, 1);
	assert_string_equal(numbers(), "1 2");
	assert_memory_equal(text, FIRST, sizeof(FIRST) - 1);
}

static void who_comes_back_goes_on_after_his_last(void **state)
{
	char last[64];

	(void)state;
	reader = join_after(NULL);
	tell(1);
	tell(2);
	read_all(reader);
	snprintf(last, sizeof(last), "%s", id_of(0));
	stream_reader_free(&reader);
	tell(3);
	reader = join_after(last);
	read_all(reader);
	assert_string_equal(numbers(), "2 3");
	assert_int_equal(count("event: reset"), 0);
	snprintf(last, sizeof(last), "%s", id_of(1));
	stream_reader_free(&reader);
	reader = join_after(last);
	assert_string_equal(read_all(reader), FIRST); /* nothing was missed */
}

static void ids_that_are_none_of_ours_begin_anew(void **state)
{
	static const char *const WRONG[] = {
		"",
		"1",
		"x",
		"-",
		"--",
		"1-2",
		"1-2-",
		"1-2-3x",
		"0-1-0",
		"1-1-0",
		"1-1--5",
		"ffffffffffffffffffff-1-1",
		"1-2-3",
		"1 2 3",
		"1-2-3-4",
		"\xff\xff",
		"1-99999999999999999999-5",
	};
	char id[64];

	(void)state;
	tell(1);
	for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
		reader = join_after(WRONG[i]);
		read_all(reader);
		assert_int_equal(count("event: reset\ndata: {}\n\n"), 1);
		assert_string_equal(numbers(), "");
		snprintf(id, sizeof(id), "%s", id_of(0));
		stream_reader_free(&reader);
		/* He is told of what comes after it, and that once. */
		reader = join_after(id);
		assert_string_equal(read_all(reader), FIRST);
		stream_reader_free(&reader);
	}
}

/* Numbers beyond what was told, up to those that overflow. */
static void numbers_that_were_not_given_begin_anew(void **state)
{
	static const char *const NUMBERS[] = {"3", "1000000", "9223372036854775807",
					      "18446744073709551615", "99999999999999999999"};
	char id[128];

	(void)state;
	reader = join_after(NULL);
	tell(1);
	read_all(reader);
	char *started = strdup(id_of(0));
	assert_non_null(started);
	*strchr(started, '-') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++) {
		snprintf(id, sizeof(id), "%s-%s-1", started, NUMBERS[i]);
		stream_reader_free(&reader);
		reader = join_after(id);
		read_all(reader);
		assert_int_equal(count("event: reset"), 1);
		tell((int)i + 10);
		read_all(reader);
		assert_int_equal(count("event: incident"), 1);
	}
	free(started);
}

static void a_slow_reader_is_told_so_and_holds_nobody_up(void **state)
{
	struct stream_reader *slow = join_after(NULL);
	char id[64];

	(void)state;
	reader = join_after(NULL);
	tell(0);
	read_all(reader);
	snprintf(id, sizeof(id), "%s", id_of(0));
	for (int i = 1; i <= RING_EVENTS; i++) {
		tell(i);
		if (i % 1000 == 0)
			read_all(reader);
	}
	read_all(reader);
	assert_int_equal(count("event: reset"), 0);
	read_all(slow);
	assert_int_equal(count("event: reset"), 1);
	assert_string_equal(numbers(), "");
	tell(-1);
	read_all(slow);
	assert_string_equal(numbers(), "-1");
	stream_reader_free(&slow);
	/* The same for who comes back too late. */
	slow = join_after(id);
	read_all(slow);
	assert_int_equal(count("event: reset"), 1);
	stream_reader_free(&slow);
}

static void each_gets_what_he_wants_and_may_see(void **state)
{
	char pattern[] = "PROD/t*";
	char *const patterns[] = {pattern};
	const struct access some = {
		.role = ACCESS_READ, .clusters = patterns, .cluster_count = 1, .scope = 1};
	const struct {
		struct stream_wish wish;
		const char *numbers;
	} CASES[] = {
		{{.who = &EVERYBODY}, "1 2 3"},
		{{.who = &EVERYBODY, .cluster = "t*"}, "2 3"},
		{{.who = &EVERYBODY, .env = "QA"}, ""},
		{{.who = &EVERYBODY, .env = "P*", .group = "a"}, "1 3"}, /* 3 is of the cluster */
		{{.who = &some}, "2 3"},
		{{.who = &some, .cluster = "one"}, ""},
		{{.who = &some, .group = "a"}, "3"},
	};
	char id[64];

	(void)state;
	reader = join_after(NULL);
	tell(0);
	read_all(reader);
	snprintf(id, sizeof(id), "%s", id_of(0));
	tell_at(1, "one", "a", 1);
	tell_at(1, "two", "b", 2);
	tell_at(1, "two", "", 3);
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct stream_wish wish = CASES[i].wish;

		wish.last_id = id;
		stream_reader_free(&reader);
		reader = join(&wish);
		read_all(reader);
		assert_string_equal(numbers(), CASES[i].numbers);
	}
}

static void there_is_room_for_so_many(void **state)
{
	struct stream_reader *all[STREAM_READERS];
	struct stream_reader *over = NULL;
	struct stream_wish wish = {.who = &EVERYBODY};

	(void)state;
	for (size_t i = 0; i < STREAM_READERS; i++) {
		wish.from[15] = (uint8_t)(i / STREAM_READERS_OF_ONE);
		all[i] = join(&wish);
		if (i + 1 == STREAM_READERS_OF_ONE)
			assert_int_equal(stream_open(stream, &wish, &over), ERR_LIMIT);
	}
	wish.from[15] = 99;
	assert_int_equal(stream_open(stream, &wish, &over), ERR_LIMIT);
	assert_null(over);
	stream_reader_free(&all[7]);
	all[7] = join(&wish);
	for (size_t i = 0; i < STREAM_READERS; i++)
		stream_reader_free(&all[i]);
}

static void wake(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void await_count(atomic_int *n, int wanted)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (atomic_load(n) < wanted && clock_mono_ms() < end)
		usleep(1000);
	assert_int_equal(atomic_load(n), wanted);
}

static void who_waits_is_woken_once(void **state)
{
	atomic_int woken = 0;
	char byte;

	(void)state;
	reader = join_after(NULL);
	read_all(reader);
	stream_await(reader, wake, &woken);
	assert_int_equal(woken, 0);
	tell(1);
	assert_int_equal(woken, 1);
	tell(2);
	assert_int_equal(woken, 1); /* he has not read yet */
	stream_await(reader, wake, &woken);
	assert_int_equal(woken, 2); /* there is something already */
	read_all(reader);
	stream_await(reader, wake, &woken);
	stream_close(stream);
	assert_int_equal(woken, 3);
	assert_true(stream_read(reader, &byte, 1) < 0);
	stream_await(reader, wake, &woken);
	assert_int_equal(woken, 4);
	struct stream_reader *late = NULL;
	assert_int_equal(stream_open(stream, &(struct stream_wish){.who = &EVERYBODY}, &late),
			 ERR_LIMIT);
}

/* --- with clusters --- */

static void hang_up(uint32_t id, int64_t as_of_ms)
{
	struct view *v = view_new();
	char name[32];

	snprintf(name, sizeof(name), "cluster-%" PRIu32, id);
	v->environment = "PROD";
	v->cluster = view_strdup(v, name);
	v->cluster_id = id;
	v->as_of_ms = v->received_ms = as_of_ms;
	board_publish(board, v);
}

/* Wait for the next event. */
static const char *read_next(void)
{
	atomic_int woken = 0;

	stream_await(reader, wake, &woken);
	await_count(&woken, 1);
	return read_all(reader);
}

static void a_pass_is_told_once_it_is_judged(void **state)
{
	int64_t now_ms = clock_wall_ms();

	(void)state;
	reader = join_after(NULL);
	read_all(reader);
	hang_up(1, now_ms);
	read_next();
	assert_int_equal(count("event: pass\n"), 1);
	assert_int_equal(count("\"cluster\":\"cluster-1\""), 1);
}

/* 300 clusters that are judged together: their events come together, and who is behind gets no more
 * than the latest of each. */
static void many_clusters_are_no_flood(void **state)
{
	int64_t now_ms = clock_wall_ms();
	struct stream_reader *slow = NULL;
	size_t bytes = 0;

	(void)state;
	reader = join_after(NULL);
	read_all(reader);
	slow = join_after(NULL);
	read_all(slow);
	for (int64_t pass = 0; pass < 3; pass++) {
		int passes = 0;

		for (uint32_t id = 1; id <= 300; id++)
			hang_up(id, now_ms + pass);
		while (passes < 300) {
			bytes += strlen(read_next());
			passes += count("event: pass\n");
		}
		assert_int_equal(passes, 300);
	}
	assert_true(bytes < (size_t)3 * 300 * 256);
	print_message("%zu bytes a pass and cluster\n", bytes / 900);
	read_all(slow);
	assert_int_equal(count("event: pass\n"), 300);
	stream_reader_free(&slow);
}

/* --- from another stream --- */

static int64_t began_ms; /* of the first pass of what follows */

/* Four things that happened, in no order. */
static void recall_some(void)
{
	static const int AT_S[] = {30, 10, 40, 20};

	for (size_t i = 0; i < ARRAY_LEN(AT_S); i++) {
		char data[32];

		snprintf(data, sizeof(data), "{\"n\":%d}", AT_S[i]);
		stream_recall(stream, &(struct stream_event){.at_ms = began_ms + AT_S[i] * 1000,
							     .event = "status",
							     .environment = "PROD",
							     .cluster = "one",
							     .group = "g",
							     .data = data});
	}
}

/* The last pass before the restart was 50 s after its first. */
static void know_cluster(void)
{
	static const struct view_group GROUP = {.id = 5, .name = "g", .status = STATUS_OK};
	const struct view v = {.environment = "PROD",
			       .cluster = "cluster-1",
			       .cluster_id = 1,
			       .as_of_ms = began_ms + 50000,
			       .received_ms = began_ms + 50000,
			       .groups = &GROUP,
			       .group_count = 1};

	stream_know(stream, &v);
}

/* The program starts anew: what it knows is of before. */
static void restart(bool any_cluster, bool complete)
{
	stream_reader_free(&reader);
	stream_stop(&stream);
	usleep(2000); /* the next has another begin */
	assert_int_equal(stream_new(board, &stream), ERR_OK);
	if (any_cluster)
		know_cluster();
	recall_some();
	assert_int_equal(stream_start(stream, complete), ERR_OK);
}

static const char *after_ms(int64_t told_ms)
{
	char id[64];

	snprintf(id, sizeof(id), "abc-17-%" PRIx64, (uint64_t)told_ms);
	stream_reader_free(&reader);
	reader = join_after(id);
	read_all(reader);
	return numbers();
}

static void who_comes_from_before_a_restart_goes_on_by_time(void **state)
{
	(void)state;
	began_ms = clock_wall_ms() - 60000;
	restart(true, true);
	int64_t since_ms = stream_since_ms(stream);
	assert_true(since_ms < began_ms);
	assert_string_equal(after_ms(began_ms), "10 20 30 40");
	assert_string_equal(after_ms(began_ms + 10000), "20 30 40");
	assert_string_equal(after_ms(began_ms + 39999), "40");
	assert_string_equal(after_ms(began_ms + 50000), "");
	assert_string_equal(after_ms(since_ms - 1), "10 20 30 40");
	assert_int_equal(count("event: reset"), 0);
	assert_string_equal(after_ms(since_ms - 2), ""); /* he may have missed something */
	assert_int_equal(count("event: reset"), 1);
}

/* Also from between what is told of before the start, and by what was told after it. */
static void ids_outlive_restarts(void **state)
{
	char id[64];
	char last[64];

	(void)state;
	began_ms = clock_wall_ms() - 60000;
	restart(true, true);
	after_ms(began_ms);
	snprintf(id, sizeof(id), "%s", id_of(1));
	tell(50);
	read_all(reader);
	snprintf(last, sizeof(last), "%s", id_of(0));
	restart(true, true);
	reader = join_after(id);
	read_all(reader);
	assert_string_equal(numbers(), "20 30 40"); /* that of the id may come again */
	stream_reader_free(&reader);
	reader = join_after(last);
	read_all(reader);
	assert_string_equal(numbers(), "");
	assert_int_equal(count("event: reset"), 0);
}

static void what_is_not_known_is_not_gone_on_with(void **state)
{
	(void)state;
	began_ms = clock_wall_ms() - 60000;
	restart(false, true); /* no cluster: what its passes told is not known */
	assert_string_equal(after_ms(began_ms), "");
	assert_int_equal(count("event: reset"), 1);
	restart(true, false); /* the store could not be read to its end */
	assert_string_equal(after_ms(began_ms), "");
	assert_int_equal(count("event: reset"), 1);
}

/* What changed while the program was away shows in the first pass after it. */
static void the_first_pass_after_a_restart_is_compared_with_the_last_before(void **state)
{
	int passes = 0;

	(void)state;
	began_ms = clock_wall_ms() - 60000;
	restart(true, true);
	after_ms(began_ms + 50000);
	hang_up(1, began_ms + 60000); /* without the group */
	while (passes == 0) {
		read_next();
		passes = count("event: pass\n");
	}
	assert_int_equal(count("\"from\":\"OK\",\"to\":\"NOTFOUND\""), 1);
}

/* What is asked for next by who has heard a "pass": nothing of that pass. */
static void a_pass_says_up_to_when_all_was_told(void **state)
{
	int64_t now_ms = clock_wall_ms() - 100000;
	char id[64];

	(void)state;
	reader = join_after(NULL);
	read_all(reader);
	hang_up(1, now_ms);
	hang_up(2, now_ms + 3000);
	read_next();
	hang_up(1, now_ms + 10000);
	read_next();
	snprintf(id, sizeof(id), "-%" PRIx64, (uint64_t)now_ms);
	assert_string_equal(strrchr(id_of(0), '-'), id); /* as of the look before */
	tell(1);
	read_all(reader);
	snprintf(id, sizeof(id), "-%" PRIx64, (uint64_t)now_ms + 3000);
	assert_string_equal(strrchr(id_of(0), '-'), id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_come_in_order_to_who_is_there),
		TEST(a_small_buffer_is_enough),
		TEST(who_comes_back_goes_on_after_his_last),
		TEST(ids_that_are_none_of_ours_begin_anew),
		TEST(numbers_that_were_not_given_begin_anew),
		TEST(a_slow_reader_is_told_so_and_holds_nobody_up),
		TEST(each_gets_what_he_wants_and_may_see),
		TEST(there_is_room_for_so_many),
		TEST(who_waits_is_woken_once),
		TEST(a_pass_is_told_once_it_is_judged),
		TEST(many_clusters_are_no_flood),
		TEST(who_comes_from_before_a_restart_goes_on_by_time),
		TEST(ids_outlive_restarts),
		TEST(what_is_not_known_is_not_gone_on_with),
		TEST(the_first_pass_after_a_restart_is_compared_with_the_last_before),
		TEST(a_pass_says_up_to_when_all_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
