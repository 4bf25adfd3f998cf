/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/ingest/guard.h"
#include "common/err.h"
#include "common/log.h"

#define T0 1000000
#define EPOCH 7
#define INSTANCE 8
#define SESSION 9

/* Two agents with keys, and two listeners: the first for all clusters, the second for DEV. */
struct fixture {
	struct guard *guard;
	struct guard_agent agents[2];
	struct arena arena;
	struct buf frame; /* as sent last */
	struct frame f;
	struct wire_hello hello;
	struct wire_batch batch;
	uint8_t challenge[MAC_SIZE];
};

static char *PROD[] = {(char[]){"PROD/*"}, (char[]){"STG/seoul-?"}};
static char *ALL[] = {(char[]){"*"}};
static char *DEV[] = {(char[]){"DEV/*"}};

static void start(struct fixture *f, size_t agents, int64_t new_names)
{
	struct guard_options o = {
		.agents = f->agents, .agent_count = agents, .new_names = new_names};

	o.scopes[1] = (struct guard_scope){DEV, 1};
	guard_free(&f->guard);
	f->guard = guard_new(&o);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->agents[0] = (struct guard_agent){.name = "prod-a", .scope = {PROD, ARRAY_LEN(PROD)}};
	f->agents[1] = (struct guard_agent){.name = "all-b", .scope = {ALL, 1}};
	mac_random(&f->agents[0].key);
	mac_random(&f->agents[1].key);
	arena_init(&f->arena, WIRE_ARENA_BYTES);
	start(f, 2, 1000);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	guard_free(&f->guard);
	arena_free(&f->arena);
	buf_free(&f->frame);
	free(f);
	return 0;
}

static struct ingest_message from(uint32_t connection, unsigned int listener)
{
	return (struct ingest_message){
		.connection = connection, .listener = listener, .remote = "10.0.0.7:1"};
}

/* Put a frame around a body, sealed with a key if there is one, and take it apart. */
static void send_frame(struct fixture *f, enum frame_type type, const struct buf *body,
		       const struct mac_key *key, const struct frame_context *context)
{
	buf_reset(&f->frame);
	arena_reset(&f->arena);
	frame_put(&f->frame, type, body->data, body->size, true);
	if (key != NULL)
		frame_seal(&f->frame, key, context);
	assert_int_equal(frame_get((const uint8_t *)f->frame.data, f->frame.size, WIRE_BODY_MAX,
				   &f->arena, &f->f),
			 ERR_OK);
}

/* An agent's hello, with the challenge it was given, if any. */
static void make_hello(struct fixture *f, const char *agent, const uint8_t *challenge,
		       const struct mac_key *key)
{
	CLEANUP(buf_free) struct buf body = {0};
	const struct wire_hello h = {.agent = agent,
				     .epoch = EPOCH,
				     .instance = INSTANCE,
				     .version_min = 1,
				     .version_max = 1,
				     .challenge = challenge};

	wire_put_hello(&body, &h);
	send_frame(f, FRAME_HELLO, &body, key, &(struct frame_context){0});
	assert_int_equal(wire_get_hello(f->f.body, f->f.size, &f->arena, &f->hello), ERR_OK);
}

static enum guard_answer say_hello(struct fixture *f, struct ingest_message m, int64_t now_ms)
{
	const uint8_t *challenge = NULL;
	const char *why = NULL;
	enum guard_answer answer =
		guard_hello(f->guard, &m, &f->f, &f->hello, now_ms, &challenge, &why);

	assert_int_equal(why != NULL, answer == GUARD_REFUSE);
	assert_int_equal(challenge != NULL, answer == GUARD_ASK);
	if (answer == GUARD_ASK)
		memcpy(f->challenge, challenge, MAC_SIZE);
	return answer;
}

static void make_batch(struct fixture *f, const char *agent, uint64_t seq,
		       const struct mac_key *key, uint64_t session)
{
	CLEANUP(buf_free) struct buf body = {0};
	const struct wire_batch b = {.agent = agent,
				     .epoch = EPOCH,
				     .instance = INSTANCE,
				     .seq = seq,
				     .cluster = "seoul-1",
				     .environment = "PROD"};
	const struct frame_context context = {session, INSTANCE, EPOCH, seq};

	wire_put_batch(&body, &b);
	send_frame(f, FRAME_BATCH, &body, key, &context);
	assert_int_equal(wire_get_batch(f->f.body, f->f.size, &f->arena, &f->batch), ERR_OK);
}

static bool take_batch(struct fixture *f, struct ingest_message m, uint64_t session)
{
	return guard_batch(f->guard, &m, &f->f, &f->batch, session);
}

static struct guard_stats stats(const struct fixture *f)
{
	struct guard_stats s;

	guard_stats(f->guard, &s);
	return s;
}

static void an_agent_proves_its_key_and_is_let_in(void **state)
{
	struct fixture *f = *state;

	make_hello(f, "prod-a", NULL, NULL);
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_ASK);
	make_hello(f, "prod-a", f->challenge, &f->agents[0].key);
	assert_int_equal(say_hello(f, from(1, 0), T0 + 29000), GUARD_WELCOME);
	assert_int_equal(stats(f).refused + stats(f).stale, 0);
}

static void a_wrong_key_or_an_unknown_name_is_refused(void **state)
{
	struct fixture *f = *state;

	make_hello(f, "prod-a", NULL, NULL);
	say_hello(f, from(1, 0), T0);
	make_hello(f, "prod-a", f->challenge, &f->agents[1].key);
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_REFUSE);
	make_hello(f, "prod-a", f->challenge, NULL);
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_REFUSE);
	make_hello(f, "all-b", f->challenge, &f->agents[0].key);
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_REFUSE);
	make_hello(f, "nobody", NULL, NULL);
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_REFUSE);
	assert_int_equal(stats(f).refused, 4);
}

static void a_recorded_hello_is_worth_nothing(void **state)
{
	struct fixture *f = *state;

	make_hello(f, "prod-a", NULL, NULL);
	say_hello(f, from(1, 0), T0);
	make_hello(f, "prod-a", f->challenge, &f->agents[0].key);
	assert_int_equal(say_hello(f, from(2, 0), T0), GUARD_ASK);         /* another connection */
	assert_int_equal(say_hello(f, from(1, 1), T0), GUARD_ASK);         /* another listener */
	assert_int_equal(say_hello(f, from(1, 0), T0 + 60000), GUARD_ASK); /* later */
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_WELCOME);
	struct guard *old = f->guard;
	f->guard = NULL;
	start(f, 2, 1000); /* after a restart */
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_ASK);
	guard_free(&old);
	assert_int_equal(stats(f).stale, 1);
}

static void a_batch_is_bound_to_its_session(void **state)
{
	struct fixture *f = *state;
	const struct mac_key *key = &f->agents[0].key;

	make_batch(f, "prod-a", 5, key, SESSION);
	assert_true(take_batch(f, from(1, 0), SESSION));
	assert_true(take_batch(f, from(2, 0), SESSION)); /* sent again on another connection */
	assert_false(take_batch(f, from(1, 0), SESSION + 1));
	assert_false(take_batch(f, from(1, 0), 0)); /* there is no session */
	f->batch.seq++;
	assert_false(take_batch(f, from(1, 0), SESSION));
	make_batch(f, "prod-a", 5, NULL, SESSION);
	assert_false(take_batch(f, from(1, 0), SESSION));
	make_batch(f, "all-b", 5, key, SESSION);
	assert_false(take_batch(f, from(1, 0), SESSION));
	make_batch(f, "nobody", 5, key, SESSION);
	assert_false(take_batch(f, from(1, 0), SESSION));
	assert_int_equal(stats(f).forged, 5);
}

static const char *may_speak(struct fixture *f, const char *agent, const char *environment,
			     const char *cluster, unsigned int listener)
{
	const struct ingest_message m = from(1, listener);
	const struct wire_batch b = {
		.agent = agent, .environment = environment, .cluster = cluster};

	return guard_cluster(f->guard, &m, &b);
}

static void an_agent_speaks_for_its_own_clusters_only(void **state)
{
	struct fixture *f = *state;

	assert_null(may_speak(f, "prod-a", "PROD", "seoul-1", 0));
	assert_null(may_speak(f, "prod-a", "STG", "seoul-2", 0));
	assert_non_null(may_speak(f, "prod-a", "STG", "seoul-22", 0));
	assert_non_null(may_speak(f, "prod-a", "DEV", "seoul-1", 0));
	assert_non_null(may_speak(f, "prod-a", "", "seoul-1", 0));
	assert_non_null(may_speak(f, "prod-a", "", "PROD/seoul-1", 0));
	assert_non_null(may_speak(f, "prod-a", "PROD", "a/b", 0));
	assert_non_null(may_speak(f, "all-b", "PROD/x", "y", 0));
	assert_null(may_speak(f, "all-b", "", "seoul-1", 0));
	assert_int_equal(stats(f).foreign, 6);
}

static void a_listener_narrows_what_an_agent_may(void **state)
{
	struct fixture *f = *state;

	assert_null(may_speak(f, "all-b", "DEV", "lab", 1));
	assert_non_null(may_speak(f, "all-b", "PROD", "seoul-1", 1));
	assert_non_null(may_speak(f, "prod-a", "PROD", "seoul-1", 1));
	start(f, 0, 1000); /* whoever gets to the port */
	assert_null(may_speak(f, "anybody", "DEV", "lab", 1));
	assert_non_null(may_speak(f, "anybody", "PROD", "seoul-1", 1));
	assert_null(may_speak(f, "anybody", "PROD", "seoul-1", 0));
}

static void without_agents_no_key_is_asked_for(void **state)
{
	struct fixture *f = *state;

	start(f, 0, 1000);
	make_hello(f, "anybody", NULL, NULL);
	assert_int_equal(say_hello(f, from(1, 0), T0), GUARD_WELCOME);
	make_batch(f, "anybody", 1, NULL, SESSION);
	assert_true(take_batch(f, from(1, 0), SESSION));
	assert_false(take_batch(f, from(1, 0), 0));
}

static void the_certificate_has_the_agents_name(void **state)
{
	struct fixture *f = *state;
	struct ingest_message m = from(1, 0);

	strcpy(m.peer, "all-b");
	make_hello(f, "prod-a", NULL, NULL);
	assert_int_equal(say_hello(f, m, T0), GUARD_REFUSE);
	make_batch(f, "prod-a", 1, &f->agents[0].key, SESSION);
	assert_false(take_batch(f, m, SESSION));
	strcpy(m.peer, "prod-a");
	assert_true(take_batch(f, m, SESSION));
	make_hello(f, "prod-a", NULL, NULL);
	assert_int_equal(say_hello(f, m, T0), GUARD_ASK);
}

static void new_names_are_bounded_by_the_minute(void **state)
{
	struct fixture *f = *state;
	int64_t now = T0;

	assert_true(guard_names(f->guard, "prod-a", 600, now));
	guard_took_names(f->guard, "prod-a", 600);
	assert_true(guard_names(f->guard, "prod-a", 400, now));
	assert_false(guard_names(f->guard, "prod-a", 401, now));
	assert_true(guard_names(f->guard, "all-b", 1000, now)); /* each has its own */
	assert_true(guard_names(f->guard, "prod-a", 0, now));
	guard_took_names(f->guard, "prod-a", 400);
	assert_false(guard_names(f->guard, "prod-a", 1, now));
}

static void what_is_brought_comes_back_with_time(void **state)
{
	struct fixture *f = *state;
	int64_t now = INT64_MAX / 4;

	assert_true(guard_names(f->guard, "prod-a", 5000, now)); /* nothing for a while */
	guard_took_names(f->guard, "prod-a", 5000);
	assert_false(guard_names(f->guard, "prod-a", 1, now));
	assert_false(guard_names(f->guard, "prod-a", 1, now + 59));
	assert_true(guard_names(f->guard, "prod-a", 1, now + 60));
	assert_false(guard_names(f->guard, "prod-a", 501, now + 30000));
	assert_true(guard_names(f->guard, "prod-a", 500, now + 30000));
	assert_true(guard_names(f->guard, "prod-a", 1000, now + 60000));
	assert_int_equal(stats(f).delayed, 0);
	f->batch.agent = "prod-a";
	f->batch.cluster = "seoul";
	guard_put_off(f->guard, &(struct ingest_message){.remote = ""}, &f->batch);
	assert_int_equal(stats(f).delayed, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_agent_proves_its_key_and_is_let_in),
		TEST(a_wrong_key_or_an_unknown_name_is_refused),
		TEST(a_recorded_hello_is_worth_nothing),
		TEST(a_batch_is_bound_to_its_session),
		TEST(an_agent_speaks_for_its_own_clusters_only),
		TEST(a_listener_narrows_what_an_agent_may),
		TEST(without_agents_no_key_is_asked_for),
		TEST(the_certificate_has_the_agents_name),
		TEST(new_names_are_bounded_by_the_minute),
		TEST(what_is_brought_comes_back_with_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
