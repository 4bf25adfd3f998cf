/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0 1795372995000

static struct board *board;
static struct changes *changes;
static char found[16 * 1024]; /* of the last look, one a line */
static char data[16 * 1024];  /* of the last that was found */

static int setup(void **state)
{
	(void)state;
	board = board_new();
	changes = changes_new();
	assert_non_null(board);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	changes_free(&changes);
	assert_null(changes);
	changes_free(&changes);
	board_free(&board);
	return 0;
}

struct group {
	uint32_t id;
	const char *name;
	enum status status;
};

/* received_ms is as_of_ms. */
static struct view *make(const char *cluster, uint32_t id, int64_t as_of_ms,
			 const struct group *groups, size_t count)
{
	struct view *v = view_new();
	struct view_group *g = view_alloc(v, (count + 1) * sizeof(*g));

	for (size_t i = 0; i < count; i++)
		g[i] = (struct view_group){.id = groups[i].id,
					   .name = view_strdup(v, groups[i].name),
					   .status = groups[i].status,
					   .time_lag_ms = VIEW_UNKNOWN,
					   .state = "",
					   .protocol = ""};
	v->environment = "PROD";
	v->cluster = view_strdup(v, cluster);
	v->cluster_id = id;
	v->as_of_ms = v->received_ms = as_of_ms;
	v->groups = g;
	v->group_count = count;
	return v;
}

static void hang_up(const char *cluster, uint32_t id, int64_t as_of_ms, const struct group *groups,
		    size_t count)
{
	board_publish(board, make(cluster, id, as_of_ms, groups, count));
}

static void note(void *arg, const struct change *c)
{
	size_t *size = arg;

	*size += (size_t)snprintf(found + *size, sizeof(found) - *size, "%s %u %s/%s %s %lld\n",
				  c->event, c->cluster_id, c->environment, c->cluster, c->group,
				  (long long)(c->at_ms - T0));
	assert_null(strchr(c->data, '\n'));
	snprintf(data, sizeof(data), "%s", c->data);
}

static const char *look(void)
{
	size_t size = 0;

	found[0] = data[0] = '\0';
	changes_look(changes, board);
	changes_each(changes, note, &size);
	return found;
}

static void a_new_cluster_is_a_pass_and_no_change(void **state)
{
	const struct group groups[] = {{1, "a", STATUS_OK}, {2, "b", STATUS_ERR}};

	(void)state;
	assert_string_equal(look(), "");
	hang_up("one", 7, T0, groups, 2);
	assert_string_equal(look(), "pass 7 PROD/one  0\n");
	assert_string_equal(data, "{\"environment\":\"PROD\",\"cluster\":\"one\","
				  "\"as_of_ms\":1795372995000,"
				  "\"groups\":{\"ok\":1,\"warn\":0,\"err\":1}}");
	assert_string_equal(look(), ""); /* nothing new */
}

static void a_status_that_changed_is_told_before_its_pass(void **state)
{
	const struct group before[] = {{1, "a", STATUS_OK}, {2, "b", STATUS_ERR}};
	const struct group after[] = {{1, "a", STATUS_WARN}, {2, "b", STATUS_ERR}};

	(void)state;
	hang_up("one", 7, T0, before, 2);
	look();
	hang_up("one", 7, T0 + 10, after, 2);
	assert_string_equal(look(), "status 7 PROD/one a 10\npass 7 PROD/one  10\n");
	hang_up("one", 7, T0 + 20, after, 2);
	assert_string_equal(look(), "pass 7 PROD/one  20\n");
}

/* Views are sorted by name, changes are found by number, in any order of the two. */
static void groups_come_and_go(void **state)
{
	const struct group before[] = {{3, "a", STATUS_OK}, {2, "b", STATUS_WARN}, {9, "z", 0}};
	const struct group after[] = {
		{5, "aa", STATUS_OK}, {3, "a", STATUS_OK}, {1, "c", STATUS_OK}};

	(void)state;
	hang_up("one", 7, T0, before, 3);
	look();
	hang_up("one", 7, T0 + 10, after, 3);
	assert_string_equal(look(), "status 7 PROD/one c 10\n"
				    "status 7 PROD/one b 10\n"
				    "status 7 PROD/one aa 10\n"
				    "status 7 PROD/one z 10\n"
				    "pass 7 PROD/one  10\n");
	hang_up("one", 7, T0 + 20, NULL, 0);
	assert_string_equal(look(), "status 7 PROD/one c 20\n"
				    "status 7 PROD/one a 20\n"
				    "status 7 PROD/one aa 20\n"
				    "pass 7 PROD/one  20\n");
}

/* A group that was deleted and comes again has another number. */
static void a_group_that_was_away_is_new(void **state)
{
	const struct group before[] = {{1, "a", STATUS_ERR}};
	const struct group after[] = {{2, "a", STATUS_ERR}};

	(void)state;
	hang_up("one", 7, T0, before, 1);
	look();
	hang_up("one", 7, T0 + 10, after, 1);
	assert_string_equal(look(), "status 7 PROD/one a 10\nstatus 7 PROD/one a 10\n"
				    "pass 7 PROD/one  10\n");
}

static void a_cluster_that_is_gone_is_forgotten(void **state)
{
	const struct group before[] = {{1, "a", STATUS_OK}};
	const struct group after[] = {{1, "a", STATUS_ERR}};

	(void)state;
	hang_up("one", 7, T0, before, 1);
	look();
	board_remove(board, 7);
	assert_string_equal(look(), "");
	hang_up("one", 7, T0 + 10, after, 1);
	assert_string_equal(look(), "pass 7 PROD/one  10\n");
}

static void each_pass_is_told_by_the_latest_view(void **state)
{
	const struct group ok[] = {{1, "a", STATUS_OK}};
	const struct group bad[] = {{1, "a", STATUS_ERR}};

	(void)state;
	hang_up("two", 8, T0, ok, 1);
	hang_up("one", 7, T0, ok, 1);
	assert_string_equal(look(), "pass 7 PROD/one  0\npass 8 PROD/two  0\n");
	hang_up("two", 8, T0 + 10, bad, 1);
	hang_up("two", 8, T0 + 20, ok, 1);
	assert_string_equal(look(), "pass 8 PROD/two  20\n"); /* it was OK at both looks */
}

/* It need not be on the board yet when others are. */
static void what_was_known_before_is_compared_with(void **state)
{
	const struct group before[] = {{1, "a", STATUS_OK}, {2, "b", STATUS_ERR}};
	const struct group after[] = {{1, "a", STATUS_WARN}, {3, "c", STATUS_OK}};
	struct view *v = make("one", 7, T0, before, 2);

	(void)state;
	changes_know(changes, v);
	view_unref(&v);
	assert_int_equal(changes_told_ms(changes), T0);
	assert_string_equal(look(), "");
	hang_up("two", 8, T0, before, 2);
	assert_string_equal(look(), "pass 8 PROD/two  0\n");
	hang_up("one", 7, T0 + 10, after, 2);
	assert_string_equal(look(), "status 7 PROD/one a 10\n"
				    "status 7 PROD/one b 10\n"
				    "status 7 PROD/one c 10\n"
				    "pass 7 PROD/one  10\n");
	board_remove(board, 7);
	assert_string_equal(look(), "");
	hang_up("one", 7, T0 + 20, before, 2);
	assert_string_equal(look(), "pass 7 PROD/one  20\n"); /* it was gone since */
}

static void a_status_is_told_in_full(void **state)
{
	CLEANUP(buf_free) struct buf text = {0};

	(void)state;
	changes_put_status(&text, &(struct change_status){.environment = "PROD",
							  .cluster = "one",
							  .group = "a\n\"b\"",
							  .from = STATUS_NOTFOUND,
							  .to = STATUS_WARN,
							  .reason = "no_commits",
							  .sentence = "it does not commit",
							  .lag = 12,
							  .time_lag_ms = VIEW_UNKNOWN,
							  .as_of_ms = T0});
	assert_string_equal(buf_str(&text),
			    "{\"environment\":\"PROD\",\"cluster\":\"one\","
			    "\"group\":\"a\\n\\\"b\\\"\",\"from\":\"NOTFOUND\",\"to\":\"WARN\","
			    "\"reason\":\"no_commits\",\"sentence\":\"it does not commit\","
			    "\"lag\":12,\"time_lag_ms\":null,\"as_of_ms\":1795372995000}");
}

static void all_is_told_up_to_the_slowest_that_lives(void **state)
{
	(void)state;
	assert_int_equal(changes_told_ms(changes), 0);
	hang_up("new", 1, 0, NULL, 0); /* no pass yet */
	look();
	assert_int_equal(changes_told_ms(changes), 0);
	hang_up("one", 7, T0, NULL, 0);
	hang_up("two", 8, T0 + 5000, NULL, 0);
	look();
	assert_int_equal(changes_told_ms(changes), T0);
	hang_up("one", 7, T0 + 6000, NULL, 0);
	look();
	assert_int_equal(changes_told_ms(changes), T0 + 5000);
	/* Nothing is heard of the second for long: it holds nobody up. */
	hang_up("one", 7, T0 + 65000, NULL, 0);
	look();
	assert_int_equal(changes_told_ms(changes), T0 + 5000);
	hang_up("one", 7, T0 + 65001, NULL, 0);
	look();
	assert_int_equal(changes_told_ms(changes), T0 + 65001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_cluster_is_a_pass_and_no_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_status_that_changed_is_told_before_its_pass,
						setup, teardown),
		cmocka_unit_test_setup_teardown(groups_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(a_group_that_was_away_is_new, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cluster_that_is_gone_is_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_pass_is_told_by_the_latest_view, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_was_known_before_is_compared_with, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_status_is_told_in_full, setup, teardown),
		cmocka_unit_test_setup_teardown(all_is_told_up_to_the_slowest_that_lives, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
