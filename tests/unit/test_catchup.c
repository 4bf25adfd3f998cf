/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An aggregator that was away, from an agent's spool to what readers see and people are told: the
 * past goes by, and is not taken for the present.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/ship/shipper.h"
#include "agent/steady.h"
#include "aggregator/alarm.h"
#include "aggregator/alert/delivery.h"
#include "aggregator/alert/receiver.h"
#include "aggregator/config.h"
#include "aggregator/ingest/guard.h"
#include "aggregator/ingest/link.h"
#include "aggregator/ingest/writer.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "temp.h"

#define PATIENCE_MS 60000
#define NAP_MS 5
#define MINUTE_MS ((int64_t)60000)
#define PASSES 60 /* one a minute */
#define WELL_UNTIL 30
#define HALF 45
#define COMES 100 /* messages a pass */

struct fixture {
	struct temp agent_dir, aggregator_dir;
	char url[64];
	int64_t began_ms; /* the first pass */
	struct state *state;
	struct shipper *shipper;

	struct aggregator_config *config;
	struct receivers *receivers;
	struct alert *alert;
	struct writer_hook hook;
	struct store *store;
	struct board *board;
	struct guard *guard;
	struct rules_set *rules;
	struct ingest_link *link;
	struct writer *writer;
};

/* --- the aggregator --- */

/* Who is told is told at once; that nobody listens there does not matter. */
static const char CONFIG[] =
	"data_dir: /tmp/x\n"
	"alert:\n"
	"  receivers: [{name: pager, type: webhook, url: 'http://127.0.0.1:9/'}]\n"
	"  route: {receiver: pager, wait: 0s}\n";

static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void start_alert(struct fixture *f)
{
	CLEANUP(buf_free) struct buf errors = {0};

	assert_int_equal(
		aggregator_config_parse("a.yaml", CONFIG, sizeof(CONFIG) - 1, &f->config, &errors),
		ERR_OK);
	assert_int_equal(receivers_load(&f->config->alert, &errors, &f->receivers), ERR_OK);
	const struct alert_options o = {
		.config = &f->config->alert, .receivers = f->receivers, .store = f->store};
	assert_int_equal(alert_start(&o, &f->alert), ERR_OK);
	f->hook = alarm_hook(f->alert);
}

/* Somebody else may take the port in between. */
static void start_link(struct fixture *f)
{
	CLEANUP(buf_free) struct buf why = {0};
	const struct ingest_listen listen = {f->url, NULL};
	const struct ingest_link_limits limits = {.bytes = 16u << 20,
						  .messages = 1000,
						  .connections = 10,
						  .idle_ms = PATIENCE_MS,
						  .busy = "",
						  .busy_size = 0};
	int err = -EADDRINUSE;

	for (int i = 0; err == -EADDRINUSE && i < 10; i++) {
		snprintf(f->url, sizeof(f->url), "tcp://127.0.0.1:%d", free_port());
		err = ingest_link_open(&listen, 1, &limits, &why, &f->link);
	}
	assert_int_equal(err, ERR_OK);
}

static void start_aggregator(struct fixture *f)
{
	char why_store[512] = "";
	const struct rules_base base = {.values = RULES_DEFAULT};
	const struct guard_options guard = {.new_names = 1000};

	assert_int_equal(store_open(f->aggregator_dir.dir, (size_t)64 << 20, why_store, &f->store),
			 ERR_OK);
	start_alert(f);
	f->board = board_new();
	f->guard = guard_new(&guard);
	f->rules = rules_new("", 0, &base, NULL, 0);
	start_link(f);
	const struct writer_options o = {.store = f->store,
					 .board = f->board,
					 .link = f->link,
					 .guard = f->guard,
					 .rules = f->rules,
					 .hook = &f->hook,
					 .expire_cluster_ms = INT64_MAX};
	assert_int_equal(writer_start(&o, &f->writer), ERR_OK);
}

static void stop_aggregator(struct fixture *f)
{
	writer_stop(&f->writer);
	ingest_link_close(f->link);
	alert_stop(&f->alert);
	receivers_free(&f->receivers);
	aggregator_config_free(&f->config);
	rules_unref(&f->rules);
	guard_free(&f->guard);
	board_free(&f->board);
	store_close(&f->store);
}

/* --- the agent --- */

static void start_agent(struct fixture *f)
{
	static const char *const CLUSTERS[] = {"seoul"};
	static const char *const TARGETS[] = {"aggregator"};
	const struct state_options kept = {.spool_bytes = 16 << 20,
					   .spool_age_ms = PASSES * 2 * MINUTE_MS,
					   .targets = TARGETS,
					   .target_count = 1};
	const struct shipper_options o = {.agent = "agent-1",
					  .address = f->url,
					  .clusters = CLUSTERS,
					  .cluster_count = 1,
					  .instance = 1};
	char why[512] = "";

	assert_int_equal(state_open(f->agent_dir.dir, &kept, why, &f->state), ERR_OK);
	assert_int_equal(shipper_start(&o, f->state, &f->shipper), ERR_OK);
}

static void stop_agent(struct fixture *f)
{
	shipper_ask_stop(f->shipper, 0);
	assert_true(shipper_join(&f->shipper, PATIENCE_MS));
	state_close(&f->state);
}

static int64_t pass_ms(const struct fixture *f, int pass)
{
	return f->began_ms + (pass - 1) * MINUTE_MS;
}

/* The log grows with each pass; the group reads all of it, or stands where it was. */
static void keep_pass(struct fixture *f, int pass, bool well)
{
	CLEANUP(buf_free) struct buf body = {0};
	const char *names[] = {"payments", "orders"};
	int64_t at_ms = pass_ms(f, pass);
	int64_t end = (int64_t)pass * COMES;
	const struct wire_log_row log = {1, 0, 0, end, WIRE_UNKNOWN, 1};
	const struct wire_commit_row commit = {0, 1, 0, end, at_ms - 40, at_ms - 20};
	const struct wire_batch b = {.cluster = "seoul",
				     .environment = "PROD",
				     .pass = (uint64_t)pass,
				     .pass_at_ms = at_ms,
				     .interval_ms = MINUTE_MS,
				     .flags = WIRE_PASS_FIRST | WIRE_PASS_LAST,
				     .report = {.state = WIRE_AGENT_RUNNING},
				     .names = names,
				     .name_count = ARRAY_LEN(names),
				     .logs = &log,
				     .log_count = 1,
				     .commits = &commit,
				     .commit_count = well};
	struct state_txn t = state_begin(f->state);

	wire_put_batch(&body, &b);
	state_append(&t, body.data, body.size);
	assert_int_equal(state_commit(&t), ERR_OK);
}

static void nap(void)
{
	const struct timespec t = {.tv_nsec = NAP_MS * 1000000};

	nanosleep(&t, NULL);
}

/* The view of that pass, once readers see it. */
static struct view *view_of(struct fixture *f, int pass)
{
	for (int i = 0; i < PATIENCE_MS / NAP_MS; i++) {
		struct view *v = board_get(f->board, "seoul");

		if (v != NULL && v->as_of_ms == pass_ms(f, pass))
			return v;
		view_unref(&v);
		nap();
	}
	fail_msg("the pass does not come");
	return NULL;
}

/* --- what is seen and told --- */

static void assert_seen(struct fixture *f, int pass, enum status status, bool stale)
{
	struct view *v = view_of(f, pass);
	const struct view_group *g = view_find_group(v, "payments");

	assert_non_null(g);
	assert_int_equal(g->status, status);
	assert_int_equal(g->stale, stale);
	assert_int_equal(v->stale, stale);
	view_unref(&v);
}

static unsigned open_incidents(struct fixture *f)
{
	CLEANUP(mem_free) struct incidents_count *counts = NULL;
	unsigned open = 0;

	for (size_t i = alert_counts(f->alert, &counts); i > 0; i--)
		open += counts[i - 1].counts[0][0] + counts[i - 1].counts[0][1];
	return open;
}

/* The messages are those that were decided in the same transaction, or before. */
static void assert_incidents(struct fixture *f, unsigned open, unsigned messages)
{
	struct outbox_counts c;
	bool sends = false;

	for (int i = 0; i < PATIENCE_MS / NAP_MS && open_incidents(f) != open; i++)
		nap();
	assert_int_equal(open_incidents(f), open);
	delivery_counts(f->alert, &c, &sends);
	assert_int_equal(c.waiting + c.sent + c.dead, messages);
}

/* An hour is kept; all but its last quarter comes: the group is ill by then. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->agent_dir = temp_make();
	f->aggregator_dir = temp_make();
	f->began_ms = steady_ms() - (PASSES - 1) * MINUTE_MS;
	start_aggregator(f);
	start_agent(f);
	for (int pass = 1; pass <= HALF; pass++)
		keep_pass(f, pass, pass <= WELL_UNTIL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stop_agent(f);
	stop_aggregator(f);
	temp_remove(&f->agent_dir);
	temp_remove(&f->aggregator_dir);
	free(f);
	return 0;
}

static void what_was_ill_and_is_well_again_nobody_is_told_of(void **state)
{
	struct fixture *f = *state;

	assert_seen(f, HALF, STATUS_ERR, true);
	assert_incidents(f, 1, 0);
	for (int pass = HALF + 1; pass <= PASSES; pass++)
		keep_pass(f, pass, true);
	assert_seen(f, PASSES, STATUS_OK, false);
	assert_incidents(f, 0, 0);
}

static void what_is_still_ill_is_told_of_at_the_present(void **state)
{
	struct fixture *f = *state;

	assert_seen(f, HALF, STATUS_ERR, true);
	assert_incidents(f, 1, 0);
	for (int pass = HALF + 1; pass <= PASSES; pass++)
		keep_pass(f, pass, false);
	assert_seen(f, PASSES, STATUS_ERR, false);
	assert_incidents(f, 1, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_ill_and_is_well_again_nobody_is_told_of),
		TEST(what_is_still_ill_is_told_of_at_the_present),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
