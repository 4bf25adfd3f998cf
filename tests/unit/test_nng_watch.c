/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include "common/err.h"
#include "common/nng_watch.h"

#define SECOND 1000
#define LOOKS 200

/* The sockets of nng_watch, and ours below, are never given back. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libnng\nleak:nng_watch_new";
}

static void nap(void)
{
	struct timespec t = {.tv_nsec = 5000000};

	nanosleep(&t, NULL);
}

/* Look once a second, of a clock that runs faster; true: stuck at some look. */
static bool look(struct nng_watch *w, int64_t *now_ms, int looks)
{
	for (int i = 0; i < looks; i++) {
		if (nng_watch_stuck(w, *now_ms))
			return true;
		*now_ms += SECOND;
		nap();
	}
	return false;
}

static void what_works_is_not_taken_for_stuck(void **state)
{
	(void)state;
	struct nng_watch *w = NULL;
	int64_t now_ms = 1000000;

	assert_int_equal(nng_watch_new(&w), ERR_OK);
	assert_false(look(w, &now_ms, LOOKS));
	now_ms += 3600 * SECOND; /* the process was stopped for an hour */
	assert_false(look(w, &now_ms, LOOKS));
	nng_watch_free(&w);
	assert_null(w);
}

static atomic_bool blocking = true;
static atomic_bool blocked;

/* Called by the thread that takes connections apart. */
static void block(nng_pipe p, nng_pipe_ev event, void *arg)
{
	(void)p;
	(void)event;
	(void)arg;
	blocked = true;
	while (blocking)
		nap();
}

static void what_is_stuck_is_noticed(void **state)
{
	(void)state;
	struct nng_watch *w = NULL;
	nng_socket ends[2];
	nng_dialer dialer;
	int64_t now_ms = 1000000;

	assert_int_equal(nng_watch_new(&w), ERR_OK);
	assert_false(look(w, &now_ms, 10));
	assert_int_equal(nng_pair0_open(&ends[0]), 0);
	assert_int_equal(nng_pair0_open(&ends[1]), 0);
	assert_int_equal(nng_pipe_notify(ends[1], NNG_PIPE_EV_REM_POST, block, NULL), 0);
	assert_int_equal(nng_listen(ends[0], "inproc://test", NULL, 0), 0);
	assert_int_equal(nng_dial(ends[1], "inproc://test", &dialer, 0), 0);
	nng_dialer_close(dialer);
	for (int i = 0; i < 400 && !blocked; i++)
		nap();
	assert_true(blocked);
	assert_true(look(w, &now_ms, 12));
	blocking = false;
	for (int i = 0; i < 20; i++)
		nap();
	assert_false(look(w, &now_ms, 20));
	nng_watch_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_works_is_not_taken_for_stuck),
		cmocka_unit_test(what_is_stuck_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
