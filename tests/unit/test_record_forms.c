/* SPDX-License-Identifier: Apache-2.0 */
/* Records made by hand: versions that today's brokers no longer write, or do not write yet, and
 * contradictions. */
#include "agent/collect/record.h"

#include "common/err.h"
#include "tests/unit/record_bytes.h"

static struct bytes key_of(int version, const char *group)
{
	struct bytes b = {0};
	put16(&b, version);
	put_string(&b, false, group);
	return b;
}

static struct bytes commit_key(int version, int32_t partition)
{
	struct bytes b = key_of(version, "g");
	put_string(&b, false, "t");
	put32(&b, partition);
	return b;
}

/* A commit of offset 42 at time 1000 up to where version 4 has its tagged fields. */
static struct bytes commit_value(int version)
{
	struct bytes b = {0};
	put16(&b, version);
	put64(&b, 42);
	if (version >= 3)
		put32(&b, 7);
	put_string(&b, version >= 4, "metadata");
	put64(&b, 1000);
	if (version == 1)
		put64(&b, 2000);
	return b;
}

static int decode(const struct bytes *key, const struct bytes *value, struct arena *a,
		  struct record *ret_r)
{
	return record_decode(key->data, key->size, value->data, value->size, a, ret_r);
}

static void commits_of_every_version_are_read_without_memory(void **state)
{
	struct arena none = {0};
	struct record r;

	(void)state;
	for (int k = 0; k <= 1; k++) {
		for (int version = 0; version <= 4; version++) {
			struct bytes key = commit_key(k, 3);
			struct bytes value = commit_value(version);
			if (version == 4)
				put8(&value, 0);
			assert_int_equal(decode(&key, &value, &none, &r), ERR_OK);
			assert_int_equal(r.kind, RECORD_COMMIT);
			assert_true(is(r.group, "g"));
			assert_true(is(r.topic, "t"));
			assert_int_equal(r.partition, 3);
			assert_int_equal(r.offset, 42);
			assert_int_equal(r.time_ms, 1000);
			assert_int_equal(r.leader_epoch, version >= 3 ? 7 : -1);
			assert_false(r.has_topic_id);
			for (size_t cut = 0; cut < value.size; cut++)
				assert_int_equal(record_decode(key.data, key.size, value.data, cut,
							       &none, &r),
						 ERR_MALFORMED);
		}
	}
}

static void unknown_tagged_fields_are_passed_over(void **state)
{
	struct bytes key = commit_key(1, 0);
	struct bytes value = commit_value(4);
	struct arena none = {0};
	struct record r;

	(void)state;
	put8(&value, 2);
	put8(&value, 0);
	put8(&value, 16);
	put(&value, "0123456789abcdef", 16);
	put8(&value, 0x85); /* tag 133 */
	put8(&value, 0x01);
	put8(&value, 3);
	put(&value, "new", 3);
	assert_int_equal(decode(&key, &value, &none, &r), ERR_OK);
	assert_true(r.has_topic_id);
	assert_memory_equal(r.topic_id, "0123456789abcdef", 16);
}

static void a_zero_topic_id_is_none(void **state)
{
	struct bytes key = commit_key(1, 0);
	struct bytes value = commit_value(4);
	struct arena none = {0};
	struct record r;

	(void)state;
	put8(&value, 1);
	put8(&value, 0);
	put8(&value, 16);
	put64(&value, 0);
	put64(&value, 0);
	assert_int_equal(decode(&key, &value, &none, &r), ERR_OK);
	assert_false(r.has_topic_id);
}

/* Each: the bytes after the commit time of a value of version 4. */
static void contradictory_commits_are_refused(void **state)
{
	static const struct {
		const char *tags;
		size_t size;
	} cases[] = {
		{"\x01\x00\x0f"
		 "0123456789abcde",
		 18},                                /* id of 15 bytes */
		{"\x01\x00\x10", 3},                 /* id not there */
		{"\x02\x05\x00", 3},                 /* one of two tags */
		{"\x01\x05\xff\xff\xff\xff\x0f", 7}, /* a tag of 4 GB */
		{"\x80\x80\x80\x80\x10", 5},     /* a number of more than 32 bits, the low ones 0 */
		{"\x80\x80\x80\x80\x80\x00", 6}, /* a number of six bytes */
	};
	struct bytes key = commit_key(1, 0);
	struct arena none = {0};
	struct record r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes value = commit_value(4);
		put(&value, cases[i].tags, cases[i].size);
		assert_int_equal(decode(&key, &value, &none, &r), ERR_MALFORMED);
	}
	key = commit_key(1, -1);
	struct bytes value = commit_value(3);
	assert_int_equal(decode(&key, &value, &none, &r), ERR_MALFORMED);
}

static struct bytes subscription(int version)
{
	struct bytes b = {0};
	put16(&b, version);
	put32(&b, 2);
	put_string(&b, false, "t1");
	put_string(&b, false, "t2");
	put32(&b, -1);
	return b;
}

static struct bytes assignment(int version)
{
	struct bytes b = {0};
	put16(&b, version);
	put32(&b, 1);
	put_string(&b, false, "t1");
	put32(&b, 2);
	put32(&b, 4);
	put32(&b, 9);
	put32(&b, -1);
	return b;
}

static void assert_owns_4_and_9(const struct record_member *m)
{
	assert_int_equal(m->assigned_count, 1);
	assert_true(is(m->assigned[0].topic, "t1"));
	assert_int_equal(m->assigned[0].count, 2);
	assert_int_equal(m->assigned[0].partitions[0], 4);
	assert_int_equal(m->assigned[0].partitions[1], 9);
}

static void put_member(struct bytes *b, int version, const char *id, const struct bytes *sub,
		       const struct bytes *assigned)
{
	bool flexible = version >= 4;

	put_string(b, flexible, id);
	if (version >= 3)
		put_null(b, flexible);
	put_string(b, flexible, "client");
	put_string(b, flexible, "/10.0.0.1");
	if (version >= 1)
		put32(b, 60000);
	put32(b, 45000);
	put_bytes(b, flexible, sub);
	put_bytes(b, flexible, assigned);
	if (flexible)
		put8(b, 0);
}

static void put_group_head(struct bytes *b, int version, const char *type, uint8_t members)
{
	bool flexible = version >= 4;

	put16(b, version);
	put_string(b, flexible, type);
	put32(b, 12);
	put_string(b, flexible, "range");
	put_null(b, flexible);
	if (version >= 2)
		put64(b, 1234);
	if (flexible)
		put8(b, members + 1u);
	else
		put32(b, members);
}

static void classic_groups_of_every_version_are_read(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 4096);
	for (int version = 0; version <= 4; version++) {
		struct bytes key = key_of(2, "g");
		struct bytes sub = subscription(version);
		struct bytes own = assignment(version);
		struct bytes value = {0};
		struct record r;
		arena_reset(&a);
		put_group_head(&value, version, "consumer", 2);
		put_member(&value, version, "m1", &sub, &own);
		put_member(&value, version, "m2", &sub, &own);
		if (version == 4)
			put8(&value, 0);
		assert_int_equal(decode(&key, &value, &a, &r), ERR_OK);
		assert_int_equal(r.kind, RECORD_GROUP);
		assert_int_equal(r.generation, 12);
		assert_int_equal(r.member_count, 2);
		const struct record_member *m = &r.members[1];
		assert_true(is(m->id, "m2"));
		assert_true(is(m->client_id, "client"));
		assert_true(is(m->host, "/10.0.0.1"));
		assert_int_equal(m->subscribed_count, 2);
		assert_true(is(m->subscribed[1], "t2"));
		assert_owns_4_and_9(m);
		for (size_t cut = 0; cut < value.size; cut++)
			assert_int_equal(decode_exact(key.data, key.size, value.data, cut, &a),
					 ERR_MALFORMED);
	}
	arena_free(&a);
}

static void only_consumers_have_assignments_that_are_read(void **state)
{
	struct bytes key = key_of(2, "g");
	struct bytes sub = subscription(3);
	struct bytes own = assignment(3);
	struct bytes value = {0};
	struct record r;
	struct arena a;

	(void)state;
	arena_init(&a, 4096);
	put_group_head(&value, 3, "connects", 1);
	put_member(&value, 3, "m", &sub, &own);
	assert_int_equal(decode(&key, &value, &a, &r), ERR_OK);
	assert_int_equal(r.member_count, 1);
	assert_int_equal(r.members[0].subscribed_count, 0);
	assert_int_equal(r.members[0].assigned_count, 0);
	arena_free(&a);
}

/* The least that each array's element can take, alone at the end of the value. */
static void the_smallest_members_and_topics_are_read(void **state)
{
	struct bytes group = key_of(2, "g");
	struct bytes ids = key_of(4, "g");
	struct bytes member = key_of(14, "g");
	struct bytes value = {0};
	struct record r;
	struct arena a;

	(void)state;
	arena_init(&a, 4096);
	put_group_head(&value, 4, "consumer", 1);
	put(&value, "\1\0\1\1\0\0\0\0\0\0\0\0\1\1\0", 15);
	put8(&value, 0);
	assert_int_equal(decode(&group, &value, &a, &r), ERR_OK);
	assert_int_equal(r.member_count, 1);

	value = (struct bytes){.data = {0, 0, 2}, .size = 3 + 16 + 1 + 4};
	value.data[19] = 1;
	put(&value, "\1\0\0", 3);
	assert_int_equal(decode(&ids, &value, &a, &r), ERR_OK);
	assert_int_equal(r.topic_count, 1);

	put_string(&member, false, "m");
	value = (struct bytes){.size = 2 + 4 + 4 + 1};
	put8(&value, 2);
	put64(&value, 1);
	put64(&value, 2);
	put(&value, "\1\0\0", 3);
	assert_int_equal(decode(&member, &value, &a, &r), ERR_OK);
	assert_int_equal(r.members[0].assigned_count, 1);
	assert_int_equal(r.members[0].assigned[0].count, 0);
	arena_free(&a);
}

static void one_odd_client_does_not_hide_the_others(void **state)
{
	struct bytes key = key_of(2, "g");
	struct bytes sub = subscription(3);
	struct bytes own = assignment(3);
	struct bytes odd = {.data = {0, 0, 0x7f, 0xff, 0xff, 0xff, 1}, .size = 7};
	struct bytes empty = {0};
	struct bytes value = {0};
	struct record r;
	struct arena a;

	(void)state;
	arena_init(&a, 4096);
	put_group_head(&value, 3, "consumer", 3);
	put_member(&value, 3, "odd", &odd, &odd);
	put_member(&value, 3, "joining", &sub, &empty);
	put_member(&value, 3, "good", &sub, &own);
	assert_int_equal(decode(&key, &value, &a, &r), ERR_OK);
	assert_int_equal(r.member_count, 3);
	assert_int_equal(r.members[0].subscribed_count, 0);
	assert_int_equal(r.members[0].assigned_count, 0);
	assert_int_equal(r.members[1].subscribed_count, 2);
	assert_int_equal(r.members[1].assigned_count, 0);
	assert_owns_4_and_9(&r.members[2]);
	arena_free(&a);
}

static void racks_of_partitions_are_passed_over(void **state)
{
	struct bytes key = key_of(4, "g");
	struct bytes value = {0};
	struct record r;
	struct arena a;

	(void)state;
	arena_init(&a, 1024);
	put16(&value, 0);
	put8(&value, 2);
	put(&value, "0123456789abcdef", 16);
	put_string(&value, true, "t1");
	put32(&value, 1);
	put8(&value, 2);
	put32(&value, 0);
	put8(&value, 3);
	put_string(&value, true, "rack-a");
	put_string(&value, true, "rack-b");
	put8(&value, 0);
	put8(&value, 0);
	put8(&value, 0);
	assert_int_equal(decode(&key, &value, &a, &r), ERR_OK);
	assert_int_equal(r.topic_count, 1);
	assert_true(is(r.topics[0].topic, "t1"));
	assert_memory_equal(r.topics[0].topic_id, "0123456789abcdef", 16);
	for (size_t cut = 0; cut < value.size; cut++)
		assert_int_equal(decode_exact(key.data, key.size, value.data, cut, &a),
				 ERR_MALFORMED);
	arena_free(&a);
}

static void every_tombstone_is_understood(void **state)
{
	static const enum record_kind kinds[] = {
		[0] = RECORD_COMMIT_GONE, [1] = RECORD_COMMIT_GONE,  [2] = RECORD_GROUP_GONE,
		[3] = RECORD_GROUP_GONE,  [4] = RECORD_OTHER,        [5] = RECORD_MEMBER_GONE,
		[6] = RECORD_OTHER,       [7] = RECORD_OTHER,        [8] = RECORD_ASSIGNMENT_GONE,
		[9] = RECORD_OTHER,       [10] = RECORD_MEMBER_GONE, [11] = RECORD_GROUP_GONE,
		[12] = RECORD_OTHER,      [13] = RECORD_OTHER,       [14] = RECORD_ASSIGNMENT_GONE,
		[15] = RECORD_OTHER,      [16] = RECORD_OTHER,       [17] = RECORD_GROUP_GONE,
		[18] = RECORD_OTHER,      [19] = RECORD_MEMBER_GONE, [20] = RECORD_OTHER,
		[21] = RECORD_OTHER,      [22] = RECORD_OTHER,       [23] = RECORD_OTHER,
		[24] = RECORD_OTHER,
	};
	struct record r;
	struct arena a;

	(void)state;
	arena_init(&a, 128);
	for (int version = 0; version <= 24; version++) {
		struct bytes key = key_of(version, "g");
		put_string(&key, false, "topic or member");
		put32(&key, 3);
		arena_reset(&a);
		assert_int_equal(record_decode(key.data, key.size, NULL, 0, &a, &r), ERR_OK);
		assert_int_equal(r.kind, kinds[version]);
		assert_int_equal(r.key_version, version);
		assert_int_equal(r.value_version, -1);
		assert_true(is(r.group, "g"));
		if (r.kind == RECORD_MEMBER_GONE || r.kind == RECORD_ASSIGNMENT_GONE)
			assert_true(is(r.members[0].id, "topic or member"));
	}
	arena_free(&a);
}

static void unknown_versions_still_name_the_group(void **state)
{
	struct bytes value = commit_value(3);
	struct bytes key = key_of(25, "from-the-future");
	struct arena none = {0};
	struct record r;

	(void)state;
	assert_int_equal(decode(&key, &value, &none, &r), ERR_VERSION);
	assert_int_equal(r.key_version, 25);
	assert_int_equal(r.value_version, 3);
	assert_true(is(r.group, "from-the-future"));

	assert_int_equal(record_decode(key.data, key.size, NULL, 0, &none, &r), ERR_VERSION);
	assert_int_equal(r.value_version, -1);

	key.size = 4;
	assert_int_equal(decode(&key, &value, &none, &r), ERR_VERSION);
	assert_int_equal(r.group.size, 0);

	key = commit_key(1, 0);
	put_be16(value.data, 5);
	assert_int_equal(decode(&key, &value, &none, &r), ERR_VERSION);
	assert_int_equal(r.value_version, 5);
	assert_true(is(r.group, "g"));

	key = key_of(3, "g");
	put_be16(value.data, 1);
	assert_int_equal(decode(&key, &value, &none, &r), ERR_VERSION);
}

/* A count of elements that the bytes cannot hold takes no memory at all. */
static void a_huge_count_takes_nothing(void **state)
{
	struct bytes key = key_of(2, "g");
	struct bytes value = {0};
	struct record r;
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	put_group_head(&value, 3, "consumer", 0);
	put_be32(value.data + value.size - 4, INT32_MAX);
	assert_int_equal(decode(&key, &value, &a, &r), ERR_MALFORMED);
	assert_int_equal(a.used, 0);
	put_be32(value.data + value.size - 4, 0x80000000u);
	assert_int_equal(decode(&key, &value, &a, &r), ERR_MALFORMED);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_of_every_version_are_read_without_memory),
		cmocka_unit_test(unknown_tagged_fields_are_passed_over),
		cmocka_unit_test(a_zero_topic_id_is_none),
		cmocka_unit_test(contradictory_commits_are_refused),
		cmocka_unit_test(classic_groups_of_every_version_are_read),
		cmocka_unit_test(only_consumers_have_assignments_that_are_read),
		cmocka_unit_test(the_smallest_members_and_topics_are_read),
		cmocka_unit_test(one_odd_client_does_not_hide_the_others),
		cmocka_unit_test(racks_of_partitions_are_passed_over),
		cmocka_unit_test(every_tombstone_is_understood),
		cmocka_unit_test(unknown_versions_still_name_the_group),
		cmocka_unit_test(a_huge_count_takes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
