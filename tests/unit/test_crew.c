/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/ingest/crew.h"
#include "common/err.h"

#define ROUNDS 20000

struct job {
	struct crew_piece piece;
	uint64_t in, out;
	unsigned done;
};

static void square(void *arg)
{
	struct job *j = arg;

	for (uint64_t i = 0; i < j->in % 64; i++) /* some take longer than others */
		j->out += j->in;
	j->done++;
}

/* As evaluate does: as many as fit are under way, each awaited before its place is used again. */
static void give_and_await(struct crew *c)
{
	struct job jobs[CREW_PIECES] = {0};
	uint64_t sum = 0;
	uint64_t expected = 0;

	for (uint64_t i = 0; i < ROUNDS + CREW_PIECES - 1; i++) {
		if (i < ROUNDS) {
			struct job *j = &jobs[i % CREW_PIECES];

			*j = (struct job){.piece = {.work = square, .arg = j}, .in = i};
			expected += i % 64 * i;
			crew_give(c, &j->piece);
		}
		if (i < CREW_PIECES - 1)
			continue;
		struct job *j = &jobs[(i - (CREW_PIECES - 1)) % CREW_PIECES];
		crew_await(c, &j->piece);
		assert_int_equal(j->done, 1);
		sum += j->out;
	}
	assert_true(sum == expected);
}

static void every_piece_is_done_once_and_is_whole_when_awaited(void **state)
{
	struct crew *c = NULL;

	(void)state;
	assert_int_equal(crew_start(&c), ERR_OK);
	give_and_await(c);
	give_and_await(c); /* after a rest, in which the crew may have fallen asleep */
	crew_stop(&c);
	assert_null(c);
}

static void without_a_crew_who_awaits_does_the_work(void **state)
{
	(void)state;
	give_and_await(NULL);
}

static void a_crew_with_nothing_to_do_stops(void **state)
{
	struct crew *c = NULL;

	(void)state;
	assert_int_equal(crew_start(&c), ERR_OK);
	crew_stop(&c);
	crew_stop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_piece_is_done_once_and_is_whole_when_awaited),
		cmocka_unit_test(without_a_crew_who_awaits_does_the_work),
		cmocka_unit_test(a_crew_with_nothing_to_do_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
