/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/outbox_row.h"
#include "aggregator/store/alert_store.h"
#include "common/err.h"
#include "temp.h"

#define T0 INT64_C(1767600000000)
#define DAY INT64_C(86400000)

struct bench {
	struct temp temp;
	struct store *store;
	struct outbox *outbox;
	struct store_txn t;
	int woken;
};

static void count_wake(void *arg)
{
	(*(int *)arg)++;
}

static void open_all(struct bench *b)
{
	const struct outbox_keep keep = {.sent_ms = 7 * DAY, .dead_ms = 30 * DAY};
	char why[512] = "";

	assert_int_equal(store_open(b->temp.dir, (size_t)256 << 20, why, &b->store), ERR_OK);
	assert_int_equal(outbox_new(&keep, &b->outbox), ERR_OK);
	outbox_wake_by(b->outbox, count_wake, &b->woken);
	b->t = store_begin(b->store, true);
	outbox_load(b->outbox, &b->t);
}

static void commit(struct bench *b)
{
	assert_int_equal(store_commit(&b->t), ERR_OK);
	outbox_end(b->outbox, true);
	b->t = store_begin(b->store, true);
}

/* As after kill -9: what was not committed is gone, what was taken too. */
static void kill_it(struct bench *b)
{
	store_abort(&b->t);
	outbox_free(&b->outbox);
	store_close(&b->store);
	open_all(b);
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->temp = temp_make();
	open_all(b);
	return b;
}

static void bench_free(struct bench *b)
{
	store_abort(&b->t);
	outbox_free(&b->outbox);
	store_close(&b->store);
	temp_remove(&b->temp);
	free(b);
}

static void add(struct bench *b, uint64_t key, uint64_t thread, enum message_kind kind,
		const char *receiver)
{
	char route[] = "r", none[] = "", to[64];
	struct message_incident one = {
		.incident = {
			.id = 1, .version = 1, .kind = INCIDENT_GROUP, .state = INCIDENT_OPEN}};
	const struct message m = {.key = key,
				  .thread = thread,
				  .kind = kind,
				  .at_ms = T0,
				  .route = route,
				  .receiver = to,
				  .group_by = none,
				  .url = none,
				  .incidents = &one,
				  .count = 1,
				  .total = 1};

	snprintf(to, sizeof(to), "%s", receiver);
	outbox_add(b->outbox, &b->t, &m, strcmp(receiver, "am") == 0);
}

static size_t take(struct bench *b, int64_t now_ms, struct outbox_item *ret_items)
{
	return outbox_take(b->outbox, now_ms, ret_items, 64);
}

static enum outbox_state state_of(struct bench *b, uint64_t id)
{
	struct outbox_row row;

	return outbox_read(&b->t, id, &row) && row.id == id ? (enum outbox_state)row.state : 0;
}

/* --- */

static void a_row_is_given_out_after_its_commit(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	add(b, 11, 1, MESSAGE_OPEN, "mail");
	assert_int_equal(take(b, T0, items), 0);
	b->woken = 0;
	commit(b);
	assert_int_equal(b->woken, 1);
	assert_int_equal(take(b, T0 - 1, items), 0);
	assert_int_equal(outbox_next_ms(b->outbox), T0);
	assert_int_equal(take(b, T0, items), 1);
	assert_int_equal(items[0].row.key, 11);
	assert_true(items[0].message.size > 0);
	assert_int_equal(take(b, T0, items + 1), 0);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0 + 5, "");
	assert_true(outbox_pending(b->outbox));
	outbox_settle(b->outbox, &b->t, T0 + 10);
	commit(b);
	assert_false(outbox_pending(b->outbox));
	assert_int_equal(state_of(b, 1), OUTBOX_SENT);
	bench_free(b);
}

static void what_was_confirmed_and_settled_never_comes_again(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	for (uint64_t k = 1; k <= 10; k++)
		add(b, k, k, MESSAGE_OPEN, "mail");
	commit(b);
	assert_int_equal(take(b, T0, items), 10);
	for (int k = 0; k < 4; k++)
		outbox_done(b->outbox, &items[k], OUTBOX_SENT, T0, "");
	outbox_settle(b->outbox, &b->t, T0);
	commit(b);
	/* Two more were confirmed, and nothing tells of it when the power goes. */
	outbox_done(b->outbox, &items[4], OUTBOX_SENT, T0, "");
	outbox_done(b->outbox, &items[5], OUTBOX_SENT, T0, "");
	outbox_settle(b->outbox, &b->t, T0);
	for (int k = 6; k < 10; k++)
		buf_free(&items[k].message);
	kill_it(b);
	size_t count = take(b, T0, items);

	assert_int_equal(count, 6);
	for (size_t k = 0; k < count; k++) {
		assert_int_equal(items[k].row.key, k + 5);
		outbox_done(b->outbox, &items[k], OUTBOX_SENT, T0, "");
	}
	/* New ids go on where the old ones ended. */
	add(b, 99, 99, MESSAGE_OPEN, "mail");
	commit(b);
	assert_int_equal(state_of(b, 11), OUTBOX_WAITING);
	bench_free(b);
}

static void a_failed_transaction_forgets_what_it_added_alone(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	add(b, 1, 1, MESSAGE_OPEN, "mail");
	add(b, 2, 2, MESSAGE_OPEN, "mail");
	commit(b);
	assert_int_equal(outbox_take(b->outbox, T0, items, 1), 1);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	assert_int_equal(outbox_take(b->outbox, T0, items, 1), 1);
	outbox_settle(b->outbox, &b->t, T0);
	add(b, 3, 3, MESSAGE_OPEN, "mail");
	store_abort(&b->t);
	outbox_end(b->outbox, false);
	b->t = store_begin(b->store, true);
	outbox_load(b->outbox, &b->t);
	/* The second is still out, the first is confirmed, the third never was. */
	assert_int_equal(take(b, T0, items + 1), 0);
	assert_true(outbox_pending(b->outbox));
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	outbox_settle(b->outbox, &b->t, T0);
	commit(b);
	assert_int_equal(state_of(b, 1), OUTBOX_SENT);
	assert_int_equal(state_of(b, 2), OUTBOX_SENT);
	assert_int_equal(state_of(b, 3), 0);
	bench_free(b);
}

static void of_one_thread_the_next_waits_for_the_one_before(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	add(b, 1, 1, MESSAGE_OPEN, "mail");
	add(b, 2, 1, MESSAGE_RESOLVE, "mail");
	add(b, 3, 1, MESSAGE_RESOLVE, "boss");
	commit(b);
	assert_int_equal(take(b, T0, items), 2);
	assert_int_equal(items[1].row.key, 3);
	outbox_done(b->outbox, &items[0], OUTBOX_WAITING, T0 + 60000, "451 not now");
	outbox_done(b->outbox, &items[1], OUTBOX_SENT, T0, "");
	assert_int_equal(take(b, T0 + 59999, items), 0);
	assert_int_equal(outbox_next_ms(b->outbox), T0 + 60000);
	outbox_settle(b->outbox, &b->t, T0);
	commit(b);
	kill_it(b);
	assert_int_equal(take(b, T0 + 60000, items), 1);
	assert_int_equal(items[0].row.attempts, 1);
	assert_string_equal(items[0].row.error, "451 not now");
	outbox_done(b->outbox, &items[0], OUTBOX_DEAD, T0 + 60000, "550 no");
	assert_int_equal(take(b, T0 + 60000, items), 1);
	assert_int_equal(items[0].row.kind, MESSAGE_RESOLVE);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0 + 60000, "");
	outbox_settle(b->outbox, &b->t, T0);
	assert_int_equal(state_of(b, 1), OUTBOX_DEAD);
	bench_free(b);
}

static void one_receiver_does_not_take_all_the_room(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	for (uint64_t k = 1; k <= 100; k++)
		add(b, k, k, MESSAGE_OPEN, "slow");
	add(b, 101, 101, MESSAGE_OPEN, "mail");
	commit(b);
	size_t count = take(b, T0, items);

	assert_int_equal(count, OUTBOX_OUT_MAX + 1);
	assert_int_equal(items[count - 1].row.key, 101);
	assert_int_equal(outbox_next_ms(b->outbox), INT64_MAX);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	assert_int_equal(take(b, T0, items), 1);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	for (size_t k = 1; k < count; k++)
		outbox_done(b->outbox, &items[k], OUTBOX_SENT, T0, "");
	bench_free(b);
}

static void a_newer_repeat_takes_the_place_of_one_that_waits(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	add(b, 1, 1, MESSAGE_REPEAT, "am");
	add(b, 2, 1, MESSAGE_REPEAT, "am"); /* the other part of the same */
	commit(b);
	add(b, 3, 1, MESSAGE_REPEAT, "am");
	commit(b);
	assert_int_equal(state_of(b, 1), 0);
	assert_int_equal(take(b, T0, items), 1);
	assert_int_equal(items[0].row.key, 3);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	outbox_settle(b->outbox, &b->t, T0);
	assert_int_equal(state_of(b, 3), 0); /* not kept: there are too many of these */
	bench_free(b);
}

static void what_ended_is_kept_for_a_time(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	add(b, 1, 1, MESSAGE_OPEN, "mail");
	add(b, 2, 2, MESSAGE_OPEN, "mail");
	add(b, 3, 3, MESSAGE_OPEN, "mail");
	commit(b);
	assert_int_equal(take(b, T0, items), 3);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	outbox_done(b->outbox, &items[1], OUTBOX_DEAD, T0, "550");
	outbox_done(b->outbox, &items[2], OUTBOX_WAITING, T0 + 90 * DAY, "451");
	outbox_settle(b->outbox, &b->t, T0);
	outbox_settle(b->outbox, &b->t, T0 + 7 * DAY - 1);
	assert_int_equal(state_of(b, 1), OUTBOX_SENT);
	outbox_settle(b->outbox, &b->t, T0 + 8 * DAY);
	assert_int_equal(state_of(b, 1), 0);
	assert_int_equal(state_of(b, 2), OUTBOX_DEAD);
	outbox_settle(b->outbox, &b->t, T0 + 31 * DAY);
	assert_int_equal(state_of(b, 2), 0);
	assert_int_equal(state_of(b, 3), OUTBOX_WAITING);
	bench_free(b);
}

static void a_replica_that_does_not_send_holds_back(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];
	struct outbox_counts counts;

	(void)state;
	outbox_hold(b->outbox, true);
	add(b, 1, 1, MESSAGE_OPEN, "mail");
	add(b, 2, 2, MESSAGE_OPEN, "am");
	commit(b);
	assert_int_equal(take(b, T0, items), 1);
	assert_int_equal(items[0].row.key, 2);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	outbox_counts(b->outbox, &counts);
	assert_int_equal(counts.waiting, 1);
	assert_int_equal(counts.held, 1);
	outbox_leave(b->outbox, T0 - 1);
	outbox_hold(b->outbox, false);
	assert_int_equal(take(b, T0, items), 1);
	outbox_done(b->outbox, &items[0], OUTBOX_WAITING, T0, "503");
	outbox_hold(b->outbox, true);
	outbox_leave(b->outbox, T0);
	assert_int_equal(outbox_next_ms(b->outbox), INT64_MAX);
	outbox_settle(b->outbox, &b->t, T0);
	assert_int_equal(state_of(b, 1), OUTBOX_ELSEWHERE);
	bench_free(b);
}

static void a_dead_message_can_be_put_back(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];

	(void)state;
	add(b, 11, 1, MESSAGE_OPEN, "mail");
	add(b, 12, 1, MESSAGE_RESOLVE, "mail");
	commit(b);
	assert_int_equal(outbox_retry(b->outbox, &b->t, 1, T0), ERR_NOT_FOUND);
	assert_int_equal(take(b, T0, items), 1);
	outbox_done(b->outbox, &items[0], OUTBOX_DEAD, T0, "403");
	outbox_settle(b->outbox, &b->t, T0);
	commit(b);
	assert_int_equal(outbox_retry(b->outbox, &b->t, 9, T0), ERR_NOT_FOUND);
	assert_int_equal(outbox_retry(b->outbox, &b->t, 1, T0 + DAY), ERR_OK);
	assert_int_equal(outbox_retry(b->outbox, &b->t, 1, T0 + DAY), ERR_NOT_FOUND);
	commit(b);
	assert_int_equal(state_of(b, 1), 0);
	assert_int_equal(state_of(b, 3), OUTBOX_WAITING);
	kill_it(b);

	/* It has lost its turn: what came after it in its thread goes first. */
	assert_int_equal(take(b, T0 + DAY, items), 1);
	assert_int_equal(items[0].row.key, 12);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0 + DAY, "");
	assert_int_equal(take(b, T0 + DAY, items), 1);
	assert_int_equal(items[0].row.key, 11);
	assert_int_equal(items[0].row.attempts, 0);
	assert_string_equal(items[0].row.error, "");
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0 + DAY, "");
	bench_free(b);
}

static void errors_are_cut_between_characters(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];
	struct outbox_row row;
	char error[400];

	(void)state;
	memset(error, 'x', sizeof(error));
	memcpy(error + 158, "ä", 2);
	error[399] = '\0';
	add(b, 1, 1, MESSAGE_OPEN, "mail");
	commit(b);
	assert_int_equal(take(b, T0, items), 1);
	outbox_done(b->outbox, &items[0], OUTBOX_DEAD, T0, error);
	outbox_settle(b->outbox, &b->t, T0);
	assert_true(outbox_read(&b->t, 0, &row));
	assert_int_equal(strlen(row.error), 158);
	bench_free(b);
}

/* The row's bytes, up to the next write. */
static const uint8_t *bytes_of(struct bench *b, uint64_t id, size_t *ret_size)
{
	const uint8_t *data = NULL;

	assert_true(alert_store_get(&b->t, ALERT_OUTBOX, id, &data, ret_size));
	return data;
}

static void a_row_is_whole_or_it_is_not(void **state)
{
	struct bench *b = bench_new();
	struct outbox_item items[64];
	uint8_t copy[4096];
	size_t size = 0;

	(void)state;
	add(b, 1, 1, MESSAGE_OPEN, "mail");
	commit(b);
	const uint8_t *data = bytes_of(b, 1, &size);
	assert_true(size < sizeof(copy) && outbox_row_is_whole(data, size));
	memcpy(copy, data, size);
	for (size_t cut = 0; cut < size; cut++)
		assert_false(outbox_row_is_whole(copy, cut));
	assert_false(outbox_row_is_whole(copy, size + 1));
	copy[offsetof(struct outbox_row, key)] ^= 1;
	assert_false(outbox_row_is_whole(copy, size));
	copy[offsetof(struct outbox_row, key)] ^= 1;
	copy[offsetof(struct outbox_row, state)] = OUTBOX_ELSEWHERE + 1;
	assert_false(outbox_row_is_whole(copy, size));

	assert_int_equal(take(b, T0, items), 1);
	outbox_done(b->outbox, &items[0], OUTBOX_SENT, T0, "");
	outbox_settle(b->outbox, &b->t, T0);
	data = bytes_of(b, 1, &size);
	assert_true(outbox_row_is_whole(data, size));
	memcpy(copy, data, size);
	assert_false(outbox_row_is_whole(copy, size + 1));
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_whole_or_it_is_not),
		cmocka_unit_test(a_row_is_given_out_after_its_commit),
		cmocka_unit_test(what_was_confirmed_and_settled_never_comes_again),
		cmocka_unit_test(a_failed_transaction_forgets_what_it_added_alone),
		cmocka_unit_test(of_one_thread_the_next_waits_for_the_one_before),
		cmocka_unit_test(one_receiver_does_not_take_all_the_room),
		cmocka_unit_test(a_newer_repeat_takes_the_place_of_one_that_waits),
		cmocka_unit_test(what_ended_is_kept_for_a_time),
		cmocka_unit_test(a_replica_that_does_not_send_holds_back),
		cmocka_unit_test(a_dead_message_can_be_put_back),
		cmocka_unit_test(errors_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
