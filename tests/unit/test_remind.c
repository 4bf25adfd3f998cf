/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/remind.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "aggregator/alert/receiver.h"
#include "aggregator/config.h"
#include "aggregator/ingest/cluster.h"
#include "aggregator/store/past.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define MAP ((size_t)64 << 20)
#define MINUTE_MS 60000

static struct temp temp;
static struct store *store;
static struct aggregator_config *config;
static struct receivers *receivers;
static struct alert *alert;
static struct board *board;
static struct stream *stream;
static int64_t last_ms; /* the last pass */
static uint32_t cluster;
static char text[64 * 1024]; /* what the reader got */

static int setup(void **state)
{
	static const char TEXT[] = "data_dir: x\nlisten: [tcp://127.0.0.1:1]\n";
	CLEANUP(buf_free) struct buf errors = {0};
	char why[512] = "";

	(void)state;
	temp = temp_make();
	board = board_new();
	last_ms = clock_wall_ms() - 5000;
	assert_non_null(board);
	assert_int_equal(store_open(temp.dir, MAP, why, &store), ERR_OK);
	assert_int_equal(aggregator_config_parse("c", TEXT, sizeof(TEXT) - 1, &config, &errors),
			 ERR_OK);
	assert_int_equal(receivers_load(&config->alert, &errors, &receivers), ERR_OK);
	const struct alert_options o = {
		.config = &config->alert, .receivers = receivers, .store = store};
	assert_int_equal(alert_start(&o, &alert), ERR_OK);
	assert_int_equal(stream_new(board, &stream), ERR_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_stop(&stream);
	alert_stop(&alert);
	receivers_free(&receivers);
	aggregator_config_free(&config);
	store_close(&store);
	board_free(&board);
	temp_remove(&temp);
	return 0;
}

/* --- what an earlier run has left --- */

static void leave_event(struct store_txn *t, uint32_t group, int64_t ago_ms, enum status from,
			enum status to, bool of_group)
{
	past_add_event(t, cluster, group, of_group,
		       &(struct past_event){.at_ms = last_ms - ago_ms,
					    .kind = PAST_STATUS,
					    .from = (uint8_t)from,
					    .to = (uint8_t)to,
					    .reason = REASON_NO_COMMITS,
					    .of_group = of_group,
					    .partition = of_group ? -1 : 0,
					    .lag = 7,
					    .time_lag_ms = VIEW_UNKNOWN,
					    .topic = "",
					    .sentence = "a sentence"});
}

static uint32_t leave_group(struct store_txn *t, struct names *names, const char *name,
			    int64_t since_ago_ms, enum status status)
{
	uint32_t group = names_intern(names, t, STORE_GROUP, cluster, name);

	past_put_standing(t, cluster, group,
			  &(struct past_standing){.since_ms = last_ms - since_ago_ms,
						  .first_ms = last_ms - since_ago_ms,
						  .status = status});
	return group;
}

static void leave_incident(struct store_txn *t, uint32_t group)
{
	const struct view_group g = {.name = "late",
				     .id = group,
				     .status = STATUS_ERR,
				     .since_ms = last_ms,
				     .state = "",
				     .protocol = ""};
	const struct view v = {.environment = "PROD",
			       .cluster = "one",
			       .cluster_id = cluster,
			       .as_of_ms = last_ms,
			       .received_ms = last_ms,
			       .groups = &g,
			       .group_count = 1};

	alert_load(alert, t);
	alert_judged(alert, t, &v, last_ms);
}

/* A cluster with a group that has changed lately, one that did so long ago, and an incident. */
static void leave(bool with_incident)
{
	struct store_txn t = store_begin(store, true);
	struct names *names = NULL;
	struct clusters *clusters = NULL;

	assert_int_equal(names_load(&t, &names), ERR_OK);
	assert_int_equal(clusters_load(&t, names, &clusters), ERR_OK);
	struct cluster *c = clusters_take(clusters, &t, names, "PROD", "one");
	assert_non_null(c);
	cluster = c->id;
	snprintf(c->origin.environment, sizeof(c->origin.environment), "PROD");
	c->track.last_ms = last_ms;
	c->origin.passed_ms = last_ms;
	clusters_store(c, &t);
	uint32_t late = leave_group(&t, names, "late", MINUTE_MS, STATUS_ERR);
	leave_event(&t, late, 2 * MINUTE_MS, STATUS_OK, STATUS_WARN, true);
	leave_event(&t, late, MINUTE_MS, STATUS_WARN, STATUS_ERR, true);
	leave_event(&t, late, MINUTE_MS, STATUS_OK, STATUS_STOP, false);
	leave_event(&t, late, 40 * MINUTE_MS, STATUS_NOTFOUND, STATUS_OK, true);
	uint32_t calm = leave_group(&t, names, "calm", 40 * MINUTE_MS, STATUS_OK);
	leave_event(&t, calm, 40 * MINUTE_MS, STATUS_NOTFOUND, STATUS_OK, true);
	if (with_incident)
		leave_incident(&t, late);
	assert_int_equal(store_commit(&t), ERR_OK);
	alert_end(alert, true);
	clusters_free(&clusters);
	names_free(&names);
}

/* --- what this run tells --- */

static const char *read_after(int64_t told_ms)
{
	static const struct access ALL = {.name = "", .role = ACCESS_READ};
	struct stream_reader *reader = NULL;
	char id[64];
	size_t size = 0;
	ptrdiff_t got = 0;

	snprintf(id, sizeof(id), "abc-1-%" PRIx64, (uint64_t)told_ms);
	assert_int_equal(
		stream_open(stream, &(struct stream_wish){.who = &ALL, .last_id = id}, &reader),
		ERR_OK);
	while ((got = stream_read(reader, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)got;
	text[size] = '\0';
	stream_reader_free(&reader);
	return text;
}

static int count(const char *part)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		n++;
	return n;
}

static void changes_of_groups_are_told_again(void **state)
{
	(void)state;
	leave(false);
	assert_int_equal(remind(store, alert, stream), ERR_OK);
	assert_int_equal(stream_since_ms(stream), last_ms - 15 * MINUTE_MS);
	assert_int_equal(stream_start(stream, true), ERR_OK);
	read_after(last_ms - 10 * MINUTE_MS);
	assert_int_equal(count("event: status"), 2);
	assert_true(strstr(text, "\"to\":\"WARN\"") < strstr(text, "\"to\":\"ERR\""));
	assert_non_null(strstr(text, "{\"environment\":\"PROD\",\"cluster\":\"one\","
				     "\"group\":\"late\",\"from\":\"WARN\",\"to\":\"ERR\","
				     "\"reason\":\"no_commits\",\"sentence\":\"a sentence\","
				     "\"lag\":7,\"time_lag_ms\":null,\"as_of_ms\":"));
	read_after(last_ms - 90000);
	assert_int_equal(count("event: status"), 1);
	read_after(last_ms);
	assert_int_equal(count("event:"), 0);
	read_after(last_ms - 30 * MINUTE_MS);
	assert_int_equal(count("event: reset"), 1);
}

static void incidents_are_told_again(void **state)
{
	(void)state;
	leave(true);
	assert_int_equal(remind(store, alert, stream), ERR_OK);
	assert_int_equal(stream_start(stream, true), ERR_OK);
	read_after(last_ms - 10 * MINUTE_MS);
	assert_int_equal(count("event: incident"), 1);
	assert_int_equal(count("\"state\":\"open\""), 1);
	assert_true(strstr(text, "event: status") < strstr(text, "event: incident"));
	read_after(last_ms);
	assert_int_equal(count("event:"), 0);
}

static void an_empty_store_tells_nothing(void **state)
{
	(void)state;
	assert_int_equal(remind(store, alert, stream), ERR_OK);
	assert_int_equal(stream_start(stream, true), ERR_OK);
	read_after(last_ms);
	assert_int_equal(count("event: reset"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_of_groups_are_told_again),
		TEST(incidents_are_told_again),
		TEST(an_empty_store_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
