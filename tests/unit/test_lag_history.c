/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/lag_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GROUPS 0     /* a level of groups */
#define PARTITIONS 4 /* and one of partitions */
#define BLOCKS_MAX 1000

/* What a writer puts. */
struct bin {
	struct lag_id first[BLOCKS_MAX];
	uint8_t *data[BLOCKS_MAX];
	size_t size[BLOCKS_MAX];
	size_t count;
};

static void put(void *arg, const struct lag_id *first, const uint8_t *data, size_t size)
{
	struct bin *b = arg;

	assert_in_range(size, 0, LAG_BLOCK_MAX);
	assert_true(b->count < BLOCKS_MAX);
	b->first[b->count] = *first;
	b->data[b->count] = malloc(size + 1); /* its own, so that reading beyond it is seen */
	memcpy(b->data[b->count], data, size);
	b->size[b->count++] = size;
}

static void release(struct bin *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->data[i]);
	b->count = 0;
}

/* The block that would hold an id: the last that begins with it or before. */
static size_t block_of(const struct bin *b, const struct lag_id *id)
{
	size_t i = b->count - 1;

	while (i > 0 && lag_id_compare(&b->first[i], id) > 0)
		i--;
	return i;
}

static struct lag_sample find(const struct bin *b, unsigned level, struct lag_id id)
{
	size_t i = block_of(b, &id);

	return lag_find(level, b->data[i], b->size[i], &id);
}

static struct lag_sample of_lag(int64_t lag)
{
	return (struct lag_sample){.lag = lag_encode(lag)};
}

static void codes_are_exact_when_small_and_close_when_large(void **state)
{
	(void)state;
	for (int64_t v = -1; v < 4096; v++)
		assert_int_equal(lag_decode(lag_encode(v)), v);
	for (int64_t v = 4096; v < INT64_C(4000000000000); v += v / 7 + 13) {
		int64_t back = lag_decode(lag_encode(v));

		assert_true(back <= v && v - back < v / 2000);
	}
	assert_int_equal(lag_decode(lag_encode(INT64_MAX)), lag_decode(LAG_UNKNOWN - 1));
	assert_true(lag_decode(LAG_UNKNOWN - 1) > INT64_C(4000000000000));
}

static void codes_rise_with_the_numbers(void **state)
{
	(void)state;
	for (unsigned c = 1; c < LAG_UNKNOWN; c++) {
		assert_true(lag_decode((uint16_t)c) > lag_decode((uint16_t)(c - 1)));
		assert_int_equal(lag_encode(lag_decode((uint16_t)c)), c);
	}
}

static void the_worse_of_two_is_taken_number_by_number(void **state)
{
	struct lag_sample a = {5, 3, 100, STATUS_OK, true};
	const struct lag_sample b = {4, 9, LAG_UNKNOWN, STATUS_ERR, false};
	const struct lag_sample c = {6, 1, 200, STATUS_WARN, false};

	(void)state;
	lag_worse(&a, &b);
	assert_memory_equal(&a, (&(struct lag_sample){5, 9, 100, STATUS_ERR, true}), sizeof(a));
	lag_worse(&a, &c);
	assert_memory_equal(&a, (&(struct lag_sample){6, 9, 200, STATUS_ERR, false}), sizeof(a));
}

static void an_empty_bin_is_one_empty_block(void **state)
{
	struct bin b = {.count = 0};
	struct lag_writer w;

	(void)state;
	lag_writer_begin(&w, PARTITIONS, put, &b);
	lag_writer_add(&w, &(struct lag_id){1, 2, 3}, &(struct lag_sample){.lag = 0});
	lag_writer_end(&w);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.size[0], 0);
	assert_int_equal(find(&b, PARTITIONS, (struct lag_id){1, 2, 3}).lag, 0);
	release(&b);
}

static void a_group_keeps_all_of_its_numbers(void **state)
{
	const struct lag_sample s = {lag_encode(123456), lag_encode(100000), lag_encode(61500),
				     STATUS_ERR, true};
	struct bin b = {.count = 0};
	struct lag_writer w;

	(void)state;
	lag_writer_begin(&w, GROUPS, put, &b);
	lag_writer_add(&w, &(struct lag_id){7, 0, 0}, &s);
	lag_writer_add(&w, &(struct lag_id){9, 0, 0}, &(struct lag_sample){.status = STATUS_WARN});
	lag_writer_end(&w);
	struct lag_sample got = find(&b, GROUPS, (struct lag_id){7, 0, 0});
	assert_memory_equal(&got, &s, sizeof(s));
	assert_int_equal(find(&b, GROUPS, (struct lag_id){8, 0, 0}).status, STATUS_OK);
	assert_int_equal(find(&b, GROUPS, (struct lag_id){9, 0, 0}).status, STATUS_WARN);
	assert_int_equal(find(&b, GROUPS, (struct lag_id){10, 0, 0}).status, STATUS_OK);
	release(&b);
}

static void partitions_in_a_row_take_two_bytes_each(void **state)
{
	struct bin b = {.count = 0};
	struct lag_writer w;
	size_t size = 0;

	(void)state;
	lag_writer_begin(&w, PARTITIONS, put, &b);
	for (int32_t p = 0; p < 10000; p++)
		lag_writer_add(&w, &(struct lag_id){70, 80, p}, &(struct lag_sample){.lag = 1});
	lag_writer_end(&w);
	for (size_t i = 0; i < b.count; i++)
		size += b.size[i];
	assert_true(size < 10000 * 2 + 10000 / 20);
	release(&b);
}

/* Ids that rise by chance: often the next partition, else the next topic or group. */
static struct lag_id next_id(struct lag_id id, unsigned *seed)
{
	int chance = rand_r(seed) % 100;

	if (chance < 80)
		id.partition += 1 + (chance < 10) * (rand_r(seed) % 1000);
	else if (chance < 95)
		id = (struct lag_id){id.group, id.topic + 1 + (uint32_t)rand_r(seed) % 200,
				     chance % 3};
	else
		id = (struct lag_id){id.group + 1 + (uint32_t)rand_r(seed) % 70000,
				     1 + (uint32_t)rand_r(seed) % 70000, 0};
	return id;
}

static void what_is_written_is_read(void **state)
{
	static struct lag_id ids[3000];
	unsigned seed = 4711;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 30; round++) {
		unsigned level = round % 2 == 0 ? PARTITIONS : GROUPS;
		struct bin b = {.count = 0};
		struct lag_writer w;
		struct lag_id id = {1, 1, 0};

		lag_writer_begin(&w, level, put, &b);
		for (size_t i = 0; i < 3000; i++) {
			struct lag_sample s = of_lag(i % 5 == 0 ? 0 : (int64_t)i * 977);

			ids[i] = id;
			lag_writer_add(&w, &id, &s);
			id = next_id(id, &seed);
		}
		lag_writer_end(&w);
		for (size_t i = 0; i < 3000; i++) {
			int64_t lag = i % 5 == 0 ? 0 : (int64_t)i * 977;

			assert_int_equal(find(&b, level, ids[i]).lag, lag_encode(lag));
		}
		size_t i = 0;
		for (size_t k = 0; k < b.count; k++) {
			struct lag_reader r;
			struct lag_sample s;

			lag_reader_begin(&r, level, b.data[k], b.size[k]);
			for (; lag_reader_next(&r, &id, &s); i++) {
				i += i % 5 == 0;
				assert_int_equal(lag_id_compare(&id, &ids[i]), 0);
				assert_int_equal(s.lag, lag_encode((int64_t)i * 977));
			}
		}
		assert_int_equal(i, 3000);
		release(&b);
	}
}

static void any_bytes_are_read_without_harm(void **state)
{
	unsigned seed = 99;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)rand_r(&seed) % 60;
		uint8_t *data = malloc(size + 1);
		struct lag_id id = {(uint32_t)rand_r(&seed) % 300, (uint32_t)rand_r(&seed) % 300,
				    rand_r(&seed) % 300};
		struct lag_sample s;
		struct lag_reader r;

		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)(rand_r(&seed) >> 7 & (round % 2 == 0 ? 0xff : 0x83));
		unsigned level = (unsigned)round % LAG_LEVELS;
		(void)lag_find(level, data, size, &id);
		lag_reader_begin(&r, level, data, size);
		while (lag_reader_next(&r, &id, &s))
			assert_true(id.partition >= 0);
		free(data);
	}
}

static void levels_reach_back_as_said(void **state)
{
	(void)state;
	assert_int_equal(lag_level(0).width_ms * lag_level(0).bins, 15 * 60 * 1000);
	for (unsigned i = 1; i < LAG_GROUP_LEVELS; i++) {
		assert_int_equal(lag_level(i).width_ms, lag_level(i + 3).width_ms);
		assert_int_equal(lag_level(i).bins, lag_level(i + 3).bins);
	}
	assert_int_equal(lag_level(3).width_ms * lag_level(3).bins, INT64_C(30) * 86400000);
	assert_int_equal(lag_bin(1, 119999), 1);
	assert_int_equal(lag_bin(1, 120000), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_exact_when_small_and_close_when_large),
		cmocka_unit_test(codes_rise_with_the_numbers),
		cmocka_unit_test(the_worse_of_two_is_taken_number_by_number),
		cmocka_unit_test(an_empty_bin_is_one_empty_block),
		cmocka_unit_test(a_group_keeps_all_of_its_numbers),
		cmocka_unit_test(partitions_in_a_row_take_two_bytes_each),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(any_bytes_are_read_without_harm),
		cmocka_unit_test(levels_reach_back_as_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
