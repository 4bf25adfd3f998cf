/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <pthread.h>

static struct view *named(const char *cluster, uint32_t id)
{
	struct view *v = view_new();

	assert_non_null(v);
	v->cluster = view_strdup(v, cluster);
	v->cluster_id = id;
	return v;
}

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	struct view *v = view_new();
	char *last = NULL;

	(void)state;
	for (size_t size = 0; size < 200000; size = size * 2 + 1) {
		char *p = view_alloc(v, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_ptr_not_equal(p, last);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		last = p;
	}
	assert_string_equal(view_strdup(v, "text"), "text");
	view_unref(&v);
	assert_null(v);
	view_unref(&v);
}

static void views_have_numbers_of_their_own(void **state)
{
	struct view *a = view_new();
	struct view *b = view_new();

	(void)state;
	assert_int_not_equal(a->serial, b->serial);
	view_unref(&a);
	view_unref(&b);
}

static void a_view_lives_as_long_as_someone_holds_it(void **state)
{
	struct board *b = board_new();

	(void)state;
	board_publish(b, named("c", 1));
	struct view *held = board_get(b, "c");
	board_publish(b, named("c", 1));
	struct view *next = board_get(b, "c");
	assert_ptr_not_equal(held, next);
	board_free(&b);
	assert_string_equal(held->cluster, "c");
	view_unref(&held);
	view_unref(&next);
	board_free(&b);
}

static void the_board_is_sorted_and_counts_its_changes(void **state)
{
	struct board *b = board_new();
	struct view **all = NULL;

	(void)state;
	uint64_t serial = board_serial(b);
	assert_int_equal(board_all(b, &all), 0);
	free(all);
	board_publish(b, named("m", 1));
	board_publish(b, named("z", 2));
	board_publish(b, named("a", 3));
	assert_int_not_equal(board_serial(b), serial);
	assert_int_equal(board_all(b, &all), 3);
	assert_string_equal(all[0]->cluster, "a");
	assert_string_equal(all[1]->cluster, "m");
	assert_string_equal(all[2]->cluster, "z");
	for (size_t i = 0; i < 3; i++)
		view_unref(&all[i]);
	free(all);

	serial = board_serial(b);
	board_remove(b, 9);
	assert_int_equal(board_serial(b), serial);
	board_remove(b, 1);
	assert_int_not_equal(board_serial(b), serial);
	assert_null(board_get(b, "m"));
	board_free(&b);
}

static void names_differ_in_case_only_when_nothing_is_exact_and_one_is_alike(void **state)
{
	struct board *b = board_new();

	(void)state;
	board_publish(b, named("Seoul", 1));
	struct view *v = board_get(b, "sEOUL");
	assert_int_equal(v->cluster_id, 1);
	view_unref(&v);
	board_publish(b, named("SEOUL", 2));
	v = board_get(b, "SEOUL");
	assert_int_equal(v->cluster_id, 2);
	view_unref(&v);
	assert_null(board_get(b, "seoul"));
	assert_null(board_get(b, "Seou"));
	board_free(&b);
}

static void groups_and_topics_are_found_by_name(void **state)
{
	struct view *v = fixture_local();
	struct view *none = view_new();
	size_t first = 9;

	(void)state;
	for (size_t i = 0; i < v->group_count; i++)
		assert_ptr_equal(view_find_group(v, v->groups[i].name), &v->groups[i]);
	assert_null(view_find_group(v, "gg"));
	assert_null(view_find_group(v, ""));
	assert_ptr_equal(view_find_topic(v, "u"), &v->topics[1]);
	assert_null(view_find_topic(v, "U"));
	assert_null(view_find_group(none, "g"));
	assert_null(view_find_topic(none, "t"));
	assert_int_equal(view_group_topic(view_find_group(v, "g"), "t", &first), 3);
	assert_int_equal(first, 0);
	assert_int_equal(view_group_topic(view_find_group(v, "g"), "a", &first), 0);
	assert_int_equal(view_group_topic(view_find_group(v, "g"), "z", &first), 0);
	view_unref(&v);
	view_unref(&none);
}

/* --- taking out --- */

#define GROUPS 5

/* Groups 1 to 5, each with two partitions of each of the topics a, b and c, their lag the sum of
 * the group's number and the place, those of b stopped. */
static struct view *many(void)
{
	static const char *const NAMES[GROUPS] = {"g1", "g2", "g3", "g4", "g5"};
	static const char *const TOPICS[] = {"a", "b", "c"};
	struct view *v = named("c", 1);
	struct view_group *g = view_alloc(v, GROUPS * sizeof(*g));

	for (uint32_t i = 0; i < GROUPS; i++) {
		struct view_partition *p = view_alloc(v, 6 * sizeof(*p));

		for (int k = 0; k < 6; k++)
			fixture_partition(&p[k], TOPICS[k / 2], k % 2,
					  k / 2 == 1 ? STATUS_STOP : STATUS_OK, (int64_t)i + 1 + k);
		g[i] = (struct view_group){.name = NAMES[i],
					   .id = i + 1,
					   .status = STATUS_ERR,
					   .complete = 1,
					   .partitions = p,
					   .partition_count = 6};
	}
	v->groups = g;
	v->group_count = GROUPS;
	return v;
}

static void a_dropped_group_is_gone_and_the_others_are_as_they_were(void **state)
{
	struct board *b = board_new();

	(void)state;
	board_publish(b, many());
	struct view *before = board_get(b, "c");
	board_drop_group(b, 1, 2, NULL);
	board_drop_group(b, 1, 5, NULL);
	board_drop_group(b, 1, 77, NULL);
	board_drop_group(b, 77, 1, NULL);
	struct view *after = board_get(b, "c");
	assert_int_not_equal(after->serial, before->serial);
	assert_int_equal(before->group_count, 5);
	assert_int_equal(after->group_count, 3);
	assert_null(view_find_group(after, "g2"));
	assert_ptr_equal(view_find_group(after, "g4")->partitions,
			 view_find_group(before, "g4")->partitions);
	view_unref(&before);
	board_free(&b);
	assert_int_equal(view_find_group(after, "g3")->partitions[5].lag, 8);
	view_unref(&after);
}

static void a_group_without_a_topic_is_summed_up_again(void **state)
{
	struct board *b = board_new();

	(void)state;
	board_publish(b, many());
	board_drop_group(b, 1, 3, "b");
	board_drop_group(b, 1, 1, "c");
	board_drop_group(b, 1, 3, "nope");
	board_drop_group(b, 1, 2, NULL);
	struct view *v = board_get(b, "c");
	const struct view_group *g = view_find_group(v, "g3");
	assert_int_equal(g->partition_count, 4);
	assert_int_equal(g->status, STATUS_OK);
	assert_int_equal(g->total_lag, 3 + 4 + 7 + 8);
	assert_int_equal(g->max_lag, 3);
	assert_string_equal(g->partitions[2].topic, "c");
	g = view_find_group(v, "g1");
	assert_int_equal(g->partition_count, 4);
	assert_int_equal(g->status, STATUS_ERR);
	assert_int_equal(g->total_lag, 1 + 2 + 3 + 4);
	view_unref(&v);

	board_drop_group(b, 1, 3, "a");
	board_drop_group(b, 1, 3, "c"); /* the last */
	v = board_get(b, "c");
	assert_null(view_find_group(v, "g3"));
	assert_int_equal(v->group_count, 3);
	view_unref(&v);
	board_free(&b);
}

static void *read_all_the_time(void *arg)
{
	struct board *b = arg;

	for (int i = 0; i < 20000; i++) {
		struct view *v = board_get(b, "c");

		assert_true(v->group_count <= GROUPS);
		for (size_t k = 0; k < v->group_count; k++)
			assert_int_equal(v->groups[k].partitions[0].lag, (int64_t)v->groups[k].id);
		view_unref(&v);
	}
	return NULL;
}

static void readers_and_the_writer_do_not_disturb_each_other(void **state)
{
	struct board *b = board_new();
	pthread_t readers[2];

	(void)state;
	board_publish(b, many());
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, b), 0);
	for (int i = 0; i < 500; i++) {
		board_publish(b, many());
		board_drop_group(b, 1, 1 + (uint32_t)i % GROUPS, i % 2 == 0 ? NULL : "b");
	}
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		pthread_join(readers[i], NULL);
	board_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(views_have_numbers_of_their_own),
		cmocka_unit_test(a_view_lives_as_long_as_someone_holds_it),
		cmocka_unit_test(the_board_is_sorted_and_counts_its_changes),
		cmocka_unit_test(names_differ_in_case_only_when_nothing_is_exact_and_one_is_alike),
		cmocka_unit_test(groups_and_topics_are_found_by_name),
		cmocka_unit_test(a_dropped_group_is_gone_and_the_others_are_as_they_were),
		cmocka_unit_test(a_group_without_a_topic_is_summed_up_again),
		cmocka_unit_test(readers_and_the_writer_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
