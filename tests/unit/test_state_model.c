/* SPDX-License-Identifier: Apache-2.0 */

/* The spool against a model of it: random actions, after each of which both say the same. A failure
 * shows the seed; WARREN_SEED runs one again, WARREN_LONG more of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/state/state.h"
#include "common/clock.h"
#include "common/err.h"
#include "temp.h"

#define TARGETS 2
#define BODY_MAX 4000
#define KEPT_MAX 100000 /* batches of one epoch */

struct model {
	uint64_t seed;
	struct temp temp;
	struct state *st;
	struct state_options options;

	uint64_t epoch, floor, next, dropped;
	uint64_t acked[TARGETS];
	uint32_t *bodies; /* by number: what the batch says */
	uint32_t made;    /* bodies so far */
};

static uint64_t draw(struct model *m, uint64_t below)
{
	m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (m->seed >> 33) % below;
}

static void open_it(struct model *m)
{
	char why[512];

	assert_int_equal(state_open(m->temp.dir, &m->options, why, &m->st), ERR_OK);
}

static size_t body_of(uint32_t n, uint8_t body[static BODY_MAX])
{
	size_t size = 4 + n * UINT64_C(2654435761) % (BODY_MAX - 4);

	memset(body, (int)(n & 0xff), size);
	memcpy(body, &n, sizeof(n));
	return size;
}

static uint64_t all_have(const struct model *m)
{
	return MIN(m->acked[0], m->acked[1]);
}

/* --- the two side by side --- */

/* After a transaction: what every target has is gone, and what there was no room for, counted. */
static void settle(struct model *m)
{
	struct state_spool s;
	uint64_t floor = MAX(m->floor, all_have(m) + 1);

	state_spool(m->st, &s);
	assert_int_equal(s.epoch, m->epoch);
	assert_int_equal(s.next_seq, m->next);
	assert_true(s.floor_seq >= floor);
	assert_int_equal(s.dropped - m->dropped, s.floor_seq - floor);
	assert_int_equal(s.batches, s.next_seq - s.floor_seq);
	assert_true(s.bytes <= (uint64_t)m->options.spool_bytes);
	m->floor = s.floor_seq;
	m->dropped = s.dropped;
}

static void check_cursors(struct model *m)
{
	for (size_t i = 0; i < TARGETS; i++)
		assert_int_equal(state_cursor(m->st, i), m->acked[i]);
}

/* --- actions --- */

static void append(struct model *m)
{
	uint8_t body[BODY_MAX];
	struct state_txn t = state_begin(m->st);

	for (uint64_t n = draw(m, 6) + 1; n > 0; n--) {
		size_t size = body_of(m->made, body);

		assert_true(m->next < KEPT_MAX);
		m->bodies[m->next++] = m->made++;
		state_append(&t, body, size);
	}
	assert_int_equal(state_commit(&t), ERR_OK);
	settle(m);
}

static void fetch(struct model *m)
{
	uint8_t want[BODY_MAX];
	uint64_t from = draw(m, m->next + 2);
	uint64_t seq = 0;
	uint8_t *body = NULL;
	size_t size = 0;

	uint64_t first = MAX(MAX(from, m->floor), all_have(m) + 1);
	int err = state_fetch(m->st, m->epoch, from, &seq, &body, &size);
	if (first >= m->next) {
		assert_int_equal(err, ERR_NOT_FOUND);
		return;
	}
	assert_int_equal(err, ERR_OK);
	assert_int_equal(seq, first);
	assert_int_equal(size, body_of(m->bodies[seq], want));
	assert_memory_equal(body, want, size);
	free(body);
}

static void ack(struct model *m)
{
	size_t target = draw(m, TARGETS);
	uint64_t seq = m->acked[target] + draw(m, m->next - m->acked[target]);

	state_acked(m->st, target, m->epoch, seq);
	m->acked[target] = seq;
	check_cursors(m);
}

static void ack_of_another_epoch(struct model *m)
{
	state_acked(m->st, draw(m, TARGETS), m->epoch + 1, m->next + 5);
	check_cursors(m);
}

static void reopen(struct model *m)
{
	state_close(&m->st);
	open_it(m);
	check_cursors(m);
	settle(m);
}

/* What is kept gets new numbers; who had some of it has it still. */
static void leave_epoch(struct model *m)
{
	struct state_spool s;

	append(m); /* what is acknowledged is gone before */
	uint64_t kept = m->next - m->floor;
	memmove(m->bodies + 1, m->bodies + m->floor, kept * sizeof(*m->bodies));
	state_new_epoch(m->st, m->epoch + 1); /* of another: nothing happens */
	state_new_epoch(m->st, m->epoch);
	state_spool(m->st, &s);
	assert_int_not_equal(s.epoch, m->epoch);
	m->epoch = s.epoch;
	for (size_t i = 0; i < TARGETS; i++)
		m->acked[i] -= MIN(m->acked[i], m->floor - 1);
	m->floor = 1;
	m->next = kept + 1;
	m->dropped = s.dropped;
	check_cursors(m);
	settle(m);
}

static void step(struct model *m)
{
	switch (draw(m, 40)) {
	case 0:
		reopen(m);
		break;
	case 1:
		leave_epoch(m);
		break;
	case 2:
		ack_of_another_epoch(m);
		break;
	case 3 ... 12:
		append(m);
		break;
	case 13 ... 22:
		ack(m);
		break;
	default:
		fetch(m);
	}
}

static void spool_and_model_say_the_same(void **state)
{
	static const char *const NAMES[] = {"tcp://one:1", "tcp://two:1"};
	const char *given = getenv("WARREN_SEED");
	int steps = getenv("WARREN_LONG") != NULL ? 60000 : 3000;
	struct state_spool s;
	struct model m = {.seed = given != NULL ? strtoull(given, NULL, 10)
						: (uint64_t)clock_wall_ms(),
			  .temp = temp_make(),
			  .options = {.spool_bytes = 150000,
				      .spool_age_ms = 3600000,
				      .targets = NAMES,
				      .target_count = TARGETS}};

	(void)state;
	print_message("WARREN_SEED=%llu\n", (unsigned long long)m.seed);
	m.bodies = calloc(KEPT_MAX, sizeof(*m.bodies));
	assert_non_null(m.bodies);
	open_it(&m);
	state_spool(m.st, &s);
	m.epoch = s.epoch;
	m.floor = s.floor_seq;
	m.next = s.next_seq;
	for (int i = 0; i < steps; i++) {
		if (m.next > KEPT_MAX / 2)
			leave_epoch(&m);
		step(&m);
	}
	state_close(&m.st);
	temp_remove(&m.temp);
	free(m.bodies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(spool_and_model_say_the_same)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
