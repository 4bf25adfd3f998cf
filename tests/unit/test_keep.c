/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/collect/keep.h"
#include "common/err.h"
#include "table_feed.h"
#include "temp.h"

struct fixture {
	struct temp temp;
	struct state *st;
	struct table table;
	struct keep keep;
	struct agent_filter groups, topics;
};

static void open_state(struct fixture *f)
{
	struct state_options options = {.spool_bytes = 16 << 20, .spool_age_ms = 3600000};
	char why[512];

	assert_int_equal(state_open(f->temp.dir, &options, why, &f->st), ERR_OK);
	assert_int_equal(state_cluster(f->st, "c", &f->keep.cluster), ERR_OK);
	table_init(&f->table, &f->groups, &f->topics);
	f->keep.rules = keep_rules(&f->groups, &f->topics);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->temp = temp_make();
	open_state(f);
	*state = f;
	return 0;
}

static void close_state(struct fixture *f)
{
	table_free(&f->table);
	keep_free(&f->keep);
	state_close(&f->st);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_state(f);
	temp_remove(&f->temp);
	free(f);
	return 0;
}

static void save(struct fixture *f)
{
	struct state_txn t = state_begin(f->st);

	f->keep.pass++;
	keep_save(&f->keep, &t, &f->table);
	assert_int_equal(state_commit(&t), ERR_OK);
	table_sent(&f->table);
	table_saved(&f->table);
}

static void restart(struct fixture *f)
{
	const char *what = "";

	close_state(f);
	open_state(f);
	assert_int_equal(keep_load(&f->keep, f->st, &f->table, &what), ERR_OK);
}

static void set_positions(struct fixture *f, int32_t count, int64_t first)
{
	f->keep.positions = realloc(f->keep.positions, (size_t)count * sizeof(int64_t));
	f->keep.position_count = count;
	for (int32_t p = 0; p < count; p++)
		f->keep.positions[p] = first + p;
}

static void a_restart_knows_everything_again(void **state)
{
	struct fixture *f = *state;

	feed_group(&f->table, "g", "m1", "orders");
	feed_commit(&f->table, "g", "orders", 0, 41, 5000);
	feed_commit(&f->table, "h", "orders", 1, 42, 6000);
	feed_topic_id(&f->table, "g", "orders", 9);
	set_positions(f, 50, 1000);
	save(f);
	restart(f);
	assert_int_equal(f->keep.pass, 1);
	assert_int_equal(f->keep.position_count, 50);
	assert_int_equal(f->keep.positions[49], 1049);
	const struct commit *e = feed_find(&f->table, "g", "orders", 0);
	assert_int_equal(e->offset, 41);
	assert_int_equal(e->time_ms, 4000);
	assert_int_equal(e->arrival_ms, 5000);
	assert_int_equal(e->epoch, -1);
	const struct group *g = feed_find_group(&f->table, "g");
	assert_int_equal(g->protocol, WIRE_PROTOCOL_CLASSIC);
	assert_int_equal(g->state, WIRE_GROUP_STABLE);
	assert_int_equal(g->generation, 7);
	assert_int_equal(g->members.count, 1);
	assert_int_equal(g->commits, 1);
	assert_int_equal(feed_find_group(&f->table, "h")->protocol, WIRE_PROTOCOL_NONE);
	uint8_t id[16];
	memset(id, 9, sizeof(id));
	assert_int_not_equal(topics_by_id(&f->table.topics, id), NAMES_NONE);
}

static void what_is_gone_stays_gone(void **state)
{
	struct fixture *f = *state;

	feed_commit(&f->table, "g", "orders", 0, 41, 5000);
	feed_commit(&f->table, "h", "orders", 1, 42, 6000);
	save(f);
	feed_commit_gone(&f->table, "g", "orders", 0);
	save(f);
	restart(f);
	assert_null(feed_find_group(&f->table, "g"));
	assert_int_equal(f->table.commits.count, 1);
	/* The number of a name that is gone may be another's. */
	feed_commit(&f->table, "k", "payments", 5, 1, 7000);
	save(f);
	restart(f);
	assert_int_equal(feed_find(&f->table, "k", "payments", 5)->offset, 1);
	assert_int_equal(feed_find(&f->table, "h", "orders", 1)->offset, 42);
}

static void a_topic_that_nothing_names_is_forgotten_on_disk_too(void **state)
{
	struct fixture *f = *state;

	feed_commit(&f->table, "g", "orders", 0, 41, 5000);
	save(f);
	feed_commit_gone(&f->table, "g", "orders", 0);
	for (int i = 0; i < 3; i++)
		save(f);
	assert_int_equal(f->table.topics.names.used, 0);
	restart(f);
	assert_int_equal(f->table.topics.names.used, 0);
}

static void other_rules_read_all_anew_and_drop_what_they_exclude(void **state)
{
	struct fixture *f = *state;
	char *deny[] = {(char[]){"g*"}};

	feed_commit(&f->table, "g", "orders", 0, 41, 5000);
	feed_commit(&f->table, "h", "orders", 1, 42, 6000);
	set_positions(f, 3, 10);
	save(f);
	f->groups.deny = (struct conf_list){deny, 1};
	restart(f);
	assert_int_equal(f->keep.position_count, 0);
	assert_false(feed_find(&f->table, "g", "orders", 0)->flags & COMMIT_ALIVE);
	save(f);
	assert_int_equal(f->table.commits.count, 1);
	f->groups.deny = (struct conf_list){0};
	restart(f);
	assert_null(feed_find_group(&f->table, "g"));
	assert_int_equal(f->table.commits.count, 1);
}

static void damage_is_noticed(void **state)
{
	struct fixture *f = *state;
	const char *what = "";
	struct state_txn t = state_begin(f->st);

	state_put(&t, STATE_COMMIT, (struct state_key){.cluster = f->keep.cluster}, "x", 1);
	assert_int_equal(state_commit(&t), ERR_OK);
	assert_int_equal(keep_load(&f->keep, f->st, &f->table, &what), ERR_MALFORMED);
	assert_string_equal(what, "commits");
}

static void a_random_life_is_the_same_after_any_restart(void **state)
{
	struct fixture *f = *state;
	unsigned int seed = 11;
	static int64_t want[5][4][8];

	memset(want, 0xff, sizeof(want));
	for (int step = 1; step < 3000; step++) {
		char group[16];
		char topic[16];
		int g = rand_r(&seed) % 5;
		int n = rand_r(&seed) % 4;
		int p = rand_r(&seed) % 8;
		snprintf(group, sizeof(group), "g%d", g);
		snprintf(topic, sizeof(topic), "t%d", n);
		if (rand_r(&seed) % 2 == 0) {
			feed_commit(&f->table, group, topic, p, step, step);
			want[g][n][p] = step;
		} else {
			feed_commit_gone(&f->table, group, topic, p);
			want[g][n][p] = -1;
		}
		if (rand_r(&seed) % 20 == 0)
			save(f);
		if (rand_r(&seed) % 300 == 0) {
			save(f);
			restart(f);
		}
	}
	save(f);
	restart(f);
	uint32_t alive = 0;
	for (int i = 0; i < 5 * 4 * 8; i++) {
		char group[16];
		char topic[16];
		snprintf(group, sizeof(group), "g%d", i / 32);
		snprintf(topic, sizeof(topic), "t%d", i / 8 % 4);
		const struct commit *e = feed_find(&f->table, group, topic, (uint32_t)(i % 8));
		int64_t offset = want[i / 32][i / 8 % 4][i % 8];
		assert_int_equal(e != NULL, offset >= 0);
		if (e != NULL)
			assert_int_equal(e->offset, offset);
		alive += offset >= 0;
	}
	assert_int_equal(f->table.commits.count, alive);
}

int main(void)
{
#define WITH_STATE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_STATE(a_restart_knows_everything_again),
		WITH_STATE(what_is_gone_stays_gone),
		WITH_STATE(a_topic_that_nothing_names_is_forgotten_on_disk_too),
		WITH_STATE(other_rules_read_all_anew_and_drop_what_they_exclude),
		WITH_STATE(damage_is_noticed),
		WITH_STATE(a_random_life_is_the_same_after_any_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
