/* SPDX-License-Identifier: Apache-2.0 */
/* How a shipper and an aggregator meet: numbers, proof, refusal, new identities. */
#include "shipper_fixture.h"

/* Cut the connection, or make it and be greeted. */
static void turn(bool up)
{
	bool seen = false;

	set_up(up);
	while (!seen) {
		nap();
		pthread_mutex_lock(&peer_lock);
		seen = peer.told_up == up && (!up || peer.hello_seen);
		pthread_mutex_unlock(&peer_lock);
	}
}

/* Greeted so often, and then no more for a while. */
static bool greeted_just(unsigned int times)
{
	for (int i = 0; i < 10000 && hellos() < times; i++)
		nap();
	for (int i = 0; i < 50; i++)
		nap();
	return hellos() == times;
}

static void a_new_connection_is_greeted_and_nothing_is_lost(void **state)
{
	struct fixture *f = *state;

	append(f, 100);
	start(f);
	for (int i = 0; i < 5; i++) {
		turn(false);
		append(f, 5);
		turn(true);
	}
	assert_true(wait_for(125));
	assert_true(wait_for_cursor(f, 125));
	assert_true(hellos() >= 5);
}

static void what_was_acknowledged_before_a_restart_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	append(f, 30);
	peer.applied = 20; /* the aggregator says where it stands */
	start(f);
	assert_true(wait_for(10));
	assert_true(wait_for_cursor(f, 30));
	assert_int_equal(peer.got[20], 0);
	assert_int_equal(peer.got[21], 1);
}

static void an_aggregator_that_lacks_what_is_no_more_gets_a_full_pass(void **state)
{
	struct fixture *f = *state;
	struct state_spool s;

	append(f, 10);
	state_spool(f->st, &s);
	state_acked(f->st, 0, s.epoch, 8);
	uint64_t breaks = s.breaks;
	start(f);
	assert_true(wait_for(2));
	state_spool(f->st, &s);
	assert_true(s.breaks > breaks);
	assert_int_equal(peer.got[9], 1);
	assert_int_equal(peer.got[8], 0);
}

static void numbers_used_by_somebody_else_begin_a_new_epoch(void **state)
{
	struct fixture *f = *state;
	struct state_spool s;

	append(f, 5);
	state_spool(f->st, &s);
	uint64_t epoch = s.epoch;
	peer.applied = 6;
	start(f);
	for (int i = 0; i < 20000 && s.epoch == epoch; i++) {
		nap();
		state_spool(f->st, &s);
		pthread_mutex_lock(&peer_lock);
		if (s.epoch != epoch)
			peer.applied = 0;
		pthread_mutex_unlock(&peer_lock);
	}
	assert_int_not_equal(s.epoch, epoch);
	assert_true(wait_for(5));
	assert_int_equal(peer.last_epoch, s.epoch);
	assert_int_equal(peer.got[1], 1);
}

static void an_agent_that_does_not_probe_says_so(void **state)
{
	struct fixture *f = *state;

	peer.asks = true;
	append(f, 5);
	start(f);
	assert_true(wait_for(5));
	assert_true(wait_for_cursor(f, 5));
	pthread_mutex_lock(&peer_lock);
	assert_int_equal(peer.asked, 0);
	assert_false(peer.last_hello.features & WIRE_FEATURE_PROBE);
	pthread_mutex_unlock(&peer_lock);
}

static void a_refused_agent_keeps_its_batches(void **state)
{
	struct fixture *f = *state;
	struct state_spool s;

	peer.hello_code = WIRE_REFUSED;
	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	append(f, 5);
	start(f);
	assert_true(greeted_just(1));
	assert_int_equal(peer.count, 0);
	state_spool(f->st, &s);
	assert_int_equal(s.floor_seq, 1);
}

static void an_aggregator_that_asks_is_given_proof(void **state)
{
	struct fixture *f = *state;

	mac_random(&peer.key);
	peer.challenging = true;
	f->identity = (struct identity){.keyed = true, .key = peer.key};
	append(f, 20);
	start(f);
	assert_true(wait_for(20));
	turn(false); /* a challenge is for one connection */
	set_up(true);
	append(f, 20);
	assert_true(wait_for(40));
	assert_true(wait_for_cursor(f, 40));
	assert_int_equal(peer.unproved, 0);
	assert_true(peer.challenges >= 1);
}

static void an_agent_without_the_right_key_keeps_its_batches(void **state)
{
	struct fixture *f = *state;

	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	mac_random(&peer.key);
	peer.challenging = true;
	f->identity.keyed = true;
	append(f, 5);
	start(f);
	assert_true(greeted_just(4)); /* then it waits */
	assert_int_equal(peer.count, 0);
}

static void an_agent_without_a_key_does_not_ask_again_and_again(void **state)
{
	struct fixture *f = *state;

	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	peer.challenging = true;
	append(f, 5);
	start(f);
	assert_true(greeted_just(1));
	assert_int_equal(peer.count, 0);
}

static void a_new_identity_is_shown_when_nothing_is_under_way(void **state)
{
	struct fixture *f = *state;
	static char none[] = "";
	/* The shipper holds on to it until it is stopped, after this. */
	static struct cert cert = {.ca = none, .chain = none, .key = none, .references = 10};
	const struct identity fresh = {.cert = &cert, .keyed = true, .key = {{1}}};

	append(f, 50);
	start(f);
	for (int i = 0; i < 3; i++) {
		shipper_renew(f->shipper, &fresh);
		append(f, 50);
		assert_true(wait_for(50 * (uint64_t)(i + 2)));
	}
	assert_true(wait_for_cursor(f, 200));
	assert_in_range(peer.renewed, 1, 3);
	assert_int_equal(peer.renewed_flying, 0);
	assert_int_equal(peer.duplicates, 0);
}

int main(void)
{
#define WITH_STATE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_STATE(a_new_connection_is_greeted_and_nothing_is_lost),
		WITH_STATE(what_was_acknowledged_before_a_restart_is_not_sent_again),
		WITH_STATE(an_aggregator_that_lacks_what_is_no_more_gets_a_full_pass),
		WITH_STATE(numbers_used_by_somebody_else_begin_a_new_epoch),
		WITH_STATE(an_agent_that_does_not_probe_says_so),
		WITH_STATE(a_refused_agent_keeps_its_batches),
		WITH_STATE(an_aggregator_that_asks_is_given_proof),
		WITH_STATE(an_agent_without_the_right_key_keeps_its_batches),
		WITH_STATE(an_agent_without_a_key_does_not_ask_again_and_again),
		WITH_STATE(a_new_identity_is_shown_when_nothing_is_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
