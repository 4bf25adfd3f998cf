/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base.h"
#include "common/buf.h"
#include "deploy/offsets.h"
#include "deploy/temper.h"

static void assert_bytes(const struct buf *b, const char *expected, size_t size)
{
	assert_int_equal(b->err, 0);
	assert_int_equal(b->size, size);
	assert_memory_equal(b->data, expected, size);
}

static void a_commit_has_kafkas_bytes(void **state)
{
	(void)state;
	static const char key[] = "\0\1"
				  "\0\1g"
				  "\0\2to"
				  "\0\0\0\7";
	static const char value[] = "\0\3"
				    "\0\0\0\0\0\0\1\0"
				    "\377\377\377\377"
				    "\0\0"
				    "\0\0\0\0\0\0\0\11";
	CLEANUP(buf_free) struct buf b = {0};
	offsets_put_commit_key(&b, "g", "to", 7);
	assert_bytes(&b, key, sizeof(key) - 1);
	buf_reset(&b);
	offsets_put_commit(&b, 256, 9);
	assert_bytes(&b, value, sizeof(value) - 1);
}

static void a_group_has_kafkas_bytes(void **state)
{
	(void)state;
	static const char value[] = "\0\3"
				    "\0\10consumer"
				    "\0\0\0\1"
				    "\0\5range"
				    "\0\1m"
				    "\0\0\0\0\0\0\0\5"
				    "\0\0\0\1"
				    "\0\1m\377\377\0\1c\0\1h"
				    "\0\4\223\340\0\0\257\310"
				    "\0\0\0\15\0\0\0\0\0\1\0\1t\377\377\377\377"
				    "\0\0\0\0";
	static const char tail[] = "\0\0\0\25\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\3\377\377\377\377";
	const struct offsets_member m = {.id = "m",
					 .client_id = "c",
					 .host = "h",
					 .partitions = (const int32_t[]){3},
					 .partition_count = 1};
	const struct offsets_group g = {.topic = "t",
					.generation = 1,
					.changed_at_ms = 5,
					.members = &m,
					.member_count = 1};
	CLEANUP(buf_free) struct buf b = {0};
	offsets_put_group(&b, &g);
	size_t head = sizeof(value) - 1 - 4; /* its last four bytes are where the tail begins */
	assert_int_equal(b.size, head + sizeof(tail) - 1);
	assert_memory_equal(b.data, value, head);
	assert_memory_equal(b.data + head, tail, sizeof(tail) - 1);
}

/* The results of Kafka's Utils.abs(name.hashCode()) % 50. */
static void groups_are_where_kafka_puts_them(void **state)
{
	(void)state;
	assert_int_equal(offsets_partition("payments-settlement"), 3);
	assert_int_equal(offsets_partition("order-fulfilment"), 39);
}

/* Let a consumer read 10 messages a second for that long; what it would commit. */
static int64_t read_for(enum temper t, int seconds, int32_t partition)
{
	struct temper_reader r = {0};
	for (int s = 0; s < seconds; s++)
		temper_read(t, &r, partition, s * INT64_C(10), s, (uint32_t)s * 7);
	return r.position;
}

static void a_healthy_consumer_stays_close(void **state)
{
	(void)state;
	for (int s = 2; s < 200; s++)
		assert_in_range(read_for(TEMPER_HEALTHY, s, 0), (s - 1) * 10 - 2, (s - 1) * 10);
}

static void a_slow_consumer_reads_a_fifth(void **state)
{
	(void)state;
	assert_int_equal(read_for(TEMPER_SLOW, 101, 0), 200);
}

static void a_stuck_consumer_sticks_to_its_first_partition(void **state)
{
	(void)state;
	assert_true(temper_commits(TEMPER_STUCK, 1000, 0));
	assert_int_equal(read_for(TEMPER_STUCK, 1000, 0), read_for(TEMPER_STUCK, 50, 0));
	assert_in_range(read_for(TEMPER_STUCK, 1000, 1), 9988, 9990);
}

static void a_rewinding_consumer_never_passes_where_it_was_first(void **state)
{
	(void)state;
	int64_t first = read_for(TEMPER_REWINDING, 45, 0);
	assert_int_equal(read_for(TEMPER_REWINDING, 46, 0), 0);
	for (int s = 46; s < 300; s++)
		assert_true(read_for(TEMPER_REWINDING, s, 0) < first);
}

static void the_dead_commit_no_more(void **state)
{
	(void)state;
	for (int s = 50; s < 300; s++) {
		assert_false(temper_commits(TEMPER_HUNG, s, s));
		assert_false(temper_commits(TEMPER_CRASHED, s, s));
		assert_false(temper_leaves(TEMPER_HUNG, s));
	}
	assert_true(temper_leaves(TEMPER_CRASHED, 40));
	assert_int_equal(read_for(TEMPER_HUNG, 300, 1), read_for(TEMPER_HUNG, 50, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_has_kafkas_bytes),
		cmocka_unit_test(a_group_has_kafkas_bytes),
		cmocka_unit_test(groups_are_where_kafka_puts_them),
		cmocka_unit_test(a_healthy_consumer_stays_close),
		cmocka_unit_test(a_slow_consumer_reads_a_fifth),
		cmocka_unit_test(a_stuck_consumer_sticks_to_its_first_partition),
		cmocka_unit_test(a_rewinding_consumer_never_passes_where_it_was_first),
		cmocka_unit_test(the_dead_commit_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
