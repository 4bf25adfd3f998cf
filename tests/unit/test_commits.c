/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/collect/commits.h"

#define GROUPS 7
#define TOPICS 11
#define PARTITIONS 60

struct model {
	bool there;
	int64_t offset;
};

static void check_all(const struct commits *c, struct model (*m)[TOPICS][PARTITIONS])
{
	uint32_t count = 0;

	for (uint32_t g = 0; g < GROUPS; g++) {
		for (uint32_t i = 0; i < TOPICS * PARTITIONS; i++) {
			const struct model *want = &m[g][i / PARTITIONS][i % PARTITIONS];
			struct commit *e = commits_find(c, g, i / PARTITIONS, i % PARTITIONS);
			assert_int_equal(e != NULL, want->there);
			if (e != NULL)
				assert_int_equal(e->offset, want->offset);
			count += want->there;
		}
	}
	assert_int_equal(c->count, count);
}

static void random_adds_and_removes_are_as_a_plain_array(void **state)
{
	static struct model m[GROUPS][TOPICS][PARTITIONS];
	struct commits c = {0};
	unsigned int seed = 42;
	(void)state;

	for (int step = 0; step < 60000; step++) {
		uint32_t g = (uint32_t)rand_r(&seed) % GROUPS;
		uint32_t t = (uint32_t)rand_r(&seed) % TOPICS;
		uint32_t p = (uint32_t)rand_r(&seed) % PARTITIONS;
		if (rand_r(&seed) % 3 != 0) {
			struct commit *e = commits_add(&c, g, t, p);
			assert_non_null(e);
			e->offset = step;
			m[g][t][p] = (struct model){true, step};
		} else if (c.count > 0) {
			uint32_t i = (uint32_t)rand_r(&seed) % c.count;
			struct commit e = *commits_at(&c, i);
			commits_remove(&c, i);
			m[e.group][e.topic][e.partition].there = false;
		}
		if (step % 10000 == 0)
			check_all(&c, m);
	}
	check_all(&c, m);
	while (c.count > 0)
		commits_remove(&c, c.count / 2);
	commits_free(&c);
}

static void sorted_is_by_group_topic_and_partition_and_by_flag(void **state)
{
	struct commits c = {0};
	uint32_t count = 0;
	(void)state;

	for (uint32_t i = 0; i < 3000; i++) {
		struct commit *e = commits_add(&c, i * 7 % 5, i * 13 % 11, i * 101 % 997);
		e->flags = i % 2 == 0 ? COMMIT_ALIVE : COMMIT_UNSENT;
	}
	uint32_t *order = commits_sorted(&c, COMMIT_ALIVE, &count);
	assert_true(count > 1000);
	for (uint32_t i = 0; i < count; i++) {
		const struct commit *b = commits_at(&c, order[i]);
		assert_true(b->flags & COMMIT_ALIVE);
		if (i == 0)
			continue;
		const struct commit *a = commits_at(&c, order[i - 1]);
		assert_true(a->group < b->group ||
			    (a->group == b->group &&
			     (a->topic < b->topic ||
			      (a->topic == b->topic && a->partition < b->partition))));
	}
	free(order);
	commits_free(&c);
}

static void a_hundred_thousand_take_less_than_fifty_bytes_each(void **state)
{
	struct commits c = {0};
	(void)state;

	for (uint32_t i = 0; i < 100000; i++)
		assert_non_null(commits_add(&c, i / 100, i / 100 % 10, i % 100));
	assert_true(commits_memory(&c) / 100000 < 50);
	commits_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_adds_and_removes_are_as_a_plain_array),
		cmocka_unit_test(sorted_is_by_group_topic_and_partition_and_by_flag),
		cmocka_unit_test(a_hundred_thousand_take_less_than_fifty_bytes_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
