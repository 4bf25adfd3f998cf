/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of batches between the spool and an aggregator. */
#include "shipper_fixture.h"

static void everything_arrives_once_and_leaves_the_spool(void **state)
{
	struct fixture *f = *state;
	struct state_spool s;

	append(f, 50);
	start(f);
	assert_true(wait_for(50));
	append(f, 10);
	assert_true(wait_for(60));
	assert_true(wait_for_cursor(f, 60));
	assert_int_equal(peer.duplicates, 0);
	assert_int_equal(hellos(), 1);
	assert_true(peer.flying_max <= 4);
	state_spool(f->st, &s);
	assert_int_equal(s.floor_seq, 61);
	assert_int_equal(peer.hello_epoch, s.epoch);
	assert_int_equal(peer.last_epoch, s.epoch);
}

static void answers_may_overtake_each_other(void **state)
{
	struct fixture *f = *state;

	peer.newest_first = true;
	peer.credit = 32;
	append(f, 200);
	start(f);
	assert_true(wait_for(200));
	assert_true(wait_for_cursor(f, 200));
	assert_true(peer.flying_max <= LINK_SLOTS);
}

static void not_now_is_sent_again(void **state)
{
	struct fixture *f = *state;

	peer.retries = 5;
	append(f, 20);
	start(f);
	assert_true(wait_for(20));
	assert_true(wait_for_cursor(f, 20));
	assert_int_equal(peer.duplicates, 0);
}

static void a_rejected_batch_is_passed_over_and_breaks_the_stream(void **state)
{
	struct fixture *f = *state;
	struct state_spool s;

	state_spool(f->st, &s);
	uint64_t breaks = s.breaks;
	peer.reject = 7;
	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	append(f, 20);
	start(f);
	assert_true(wait_for(19));
	assert_true(wait_for_cursor(f, 20));
	assert_int_equal(peer.got[7], 0);
	state_spool(f->st, &s);
	assert_true(s.breaks > breaks);
}

static void what_an_aggregator_asks_for_is_handed_on(void **state)
{
	struct fixture *f = *state;

	peer.asks = true;
	append(f, 5);
	f->probes = true;
	start(f);
	assert_true(wait_for(5));
	assert_true(wait_for_cursor(f, 5));
	pthread_mutex_lock(&peer_lock);
	assert_int_equal(peer.asked, 5);
	assert_true(peer.last_hello.features & WIRE_FEATURE_PROBE);
	pthread_mutex_unlock(&peer_lock);
}

static void at_the_end_what_is_there_is_delivered(void **state)
{
	struct fixture *f = *state;

	start(f);
	append(f, 40);
	for (int i = 0; i < 20000 && hellos() == 0; i++)
		nap();
	nap();
	shipper_ask_stop(f->shipper, 2000);
	assert_true(wait_for(40));
}

static void at_the_end_a_silent_aggregator_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	peer.silent = true;
	append(f, 40);
	start(f);
	int64_t begun = clock_mono_ms();
	shipper_ask_stop(f->shipper, 100);
	for (int i = 0; i < 300; i++)
		nap();
	assert_true(clock_mono_ms() - begun >= 300);
}

int main(void)
{
#define WITH_STATE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_STATE(everything_arrives_once_and_leaves_the_spool),
		WITH_STATE(answers_may_overtake_each_other),
		WITH_STATE(not_now_is_sent_again),
		WITH_STATE(a_rejected_batch_is_passed_over_and_breaks_the_stream),
		WITH_STATE(what_an_aggregator_asks_for_is_handed_on),
		WITH_STATE(at_the_end_what_is_there_is_delivered),
		WITH_STATE(at_the_end_a_silent_aggregator_is_not_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
