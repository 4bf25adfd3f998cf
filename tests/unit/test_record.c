/* SPDX-License-Identifier: Apache-2.0 */
/* Replays __consumer_offsets as real brokers wrote it (data/offsets-*.hex, made by
 * tests/kafka/record_fixtures.py), whole and damaged. */
#include "agent/collect/record.h"

#include "common/err.h"
#include "tests/unit/record_bytes.h"

#include <stdio.h>

#define MAX_RECORDS 256
#define KINDS (RECORD_OTHER + 1)
#define NEW_KIP848 "offsets-3.9.2-preview.hex"
#define OLD "offsets-3.9.2.hex"
#define OLD_UNCOMMITTED "offsets-3.9.2-uncommitted.hex"
#define NEW "offsets-4.4.0.hex"
#define NEW_UNCOMMITTED "offsets-4.4.0-uncommitted.hex"

struct row {
	int partition;
	long offset;
	uint8_t *key; /* owned, exactly key_size bytes so that a read beyond them is seen */
	size_t key_size;
	uint8_t *value; /* owned; NULL: tombstone */
	size_t value_size;
	struct record record;
};

struct log {
	struct row rows[MAX_RECORDS];
	size_t count;
	struct arena arena;
};

/* --- reading the recordings --- */

static uint8_t *from_hex(const char *hex, size_t *ret_size)
{
	size_t size = strlen(hex) / 2;
	uint8_t *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++) {
		unsigned byte = 0;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	*ret_size = size;
	return bytes;
}

static FILE *open_data(const char *name)
{
	char path[4096];
	const char *slash = strrchr(__FILE__, '/');
	int dir = slash == NULL ? 0 : (int)(slash - __FILE__) + 1;

	snprintf(path, sizeof(path), "%.*sdata/%s", dir, __FILE__, name);
	return fopen(path, "r");
}

static void log_free(struct log **log)
{
	for (size_t i = 0; i < (*log)->count; i++) {
		free((*log)->rows[i].key);
		free((*log)->rows[i].value);
	}
	arena_free(&(*log)->arena);
	free(*log);
}

/* All records of a recording, decoded, in the order of partition and offset. */
static struct log *replay(const char *name)
{
	static char key[4096];
	static char value[16384];
	struct log *log = calloc(1, sizeof(*log));
	FILE *f = open_data(name);

	assert_non_null(log);
	assert_non_null(f);
	arena_init(&log->arena, 1 << 20);
	for (struct row *row = log->rows; log->count < MAX_RECORDS; row++, log->count++) {
		if (fscanf(f, "%d %ld %4095s %16383s", &row->partition, &row->offset, key, value) !=
		    4)
			break;
		row->key = from_hex(key, &row->key_size);
		if (strcmp(value, "-") != 0)
			row->value = from_hex(value, &row->value_size);
		assert_int_equal(record_decode(row->key, row->key_size, row->value, row->value_size,
					       &log->arena, &row->record),
				 ERR_OK);
	}
	fclose(f);
	return log;
}

static bool starts(struct record_str s, const char *text)
{
	return s.size > strlen(text) && memcmp(s.data, text, strlen(text)) == 0;
}

static size_t count(const struct log *log, enum record_kind kind, const char *group)
{
	size_t n = 0;

	for (size_t i = 0; i < log->count; i++) {
		const struct record *r = &log->rows[i].record;
		n += r->kind == kind && (group == NULL || is(r->group, group));
	}
	return n;
}

/* The nth record of this kind and group, counted from 0. */
static const struct row *nth_row(const struct log *log, enum record_kind kind, const char *group,
				 size_t n)
{
	for (size_t i = 0; i < log->count; i++) {
		const struct record *r = &log->rows[i].record;
		if (r->kind == kind && is(r->group, group) && n-- == 0)
			return &log->rows[i];
	}
	fail_msg("no such record of %s", group);
	abort();
}

static const struct record *nth(const struct log *log, enum record_kind kind, const char *group,
				size_t n)
{
	return &nth_row(log, kind, group, n)->record;
}

/* The last commit for this group and partition, as a reader of the whole topic would keep it. */
static const struct record *commit(const struct log *log, const char *group, const char *topic,
				   int32_t partition)
{
	const struct record *last = NULL;

	for (size_t i = 0; i < log->count; i++) {
		const struct record *r = &log->rows[i].record;
		if ((r->kind == RECORD_COMMIT || r->kind == RECORD_COMMIT_GONE) &&
		    is(r->group, group) && is(r->topic, topic) && r->partition == partition)
			last = r->kind == RECORD_COMMIT ? r : NULL;
	}
	return last;
}

/* The id of a topic, as commits tell it. */
static const uint8_t *topic_id(const struct log *log, const char *topic)
{
	for (size_t i = 0; i < log->count; i++) {
		const struct record *r = &log->rows[i].record;
		if (r->has_topic_id && is(r->topic, topic))
			return r->topic_id;
	}
	fail_msg("no id of %s", topic);
	abort();
}

static const struct record_member *member(const struct record *r, const char *client_id)
{
	for (size_t i = 0; i < r->member_count; i++)
		if (is(r->members[i].client_id, client_id))
			return &r->members[i];
	fail_msg("no member %s", client_id);
	abort();
}

/* Partitions of one topic that a member owns, as a bit mask. */
static unsigned owned(const struct record_member *m, const char *topic, const uint8_t *id)
{
	unsigned mask = 0;

	for (size_t i = 0; i < m->assigned_count; i++) {
		const struct record_assigned *t = &m->assigned[i];
		if (topic != NULL ? !is(t->topic, topic) : memcmp(t->topic_id, id, 16) != 0)
			continue;
		for (size_t k = 0; k < t->count; k++)
			mask |= 1u << t->partitions[k];
	}
	return mask;
}

/* --- what the brokers wrote --- */

static void every_record_of_real_brokers_is_understood(void **state)
{
	static const struct {
		const char *name;
		size_t kinds[KINDS];
	} cases[] = {
		{OLD, {22, 10, 7, 2, 0, 0, 0, 0, 0, 0, 0}},
		{OLD_UNCOMMITTED, {23, 10, 7, 2, 0, 0, 0, 0, 0, 0, 0}},
		{NEW_KIP848, {10, 5, 0, 1, 4, 2, 2, 2, 2, 4, 8}},
		{NEW, {33, 15, 12, 6, 22, 10, 10, 20, 8, 0, 65}},
		{NEW_UNCOMMITTED, {34, 15, 12, 6, 22, 10, 10, 20, 8, 0, 65}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(log_free) struct log *log = replay(cases[i].name);
		size_t total = 0;
		for (int kind = 0; kind < KINDS; kind++) {
			assert_int_equal(count(log, (enum record_kind)kind, NULL),
					 cases[i].kinds[kind]);
			total += cases[i].kinds[kind];
		}
		assert_int_equal(log->count, total);
	}
}

static void every_record_names_its_group(void **state)
{
	static const char *const groups[] = {
		"classic",        "connect-workers", "consumed",       "deleted-classic",
		"deleted-modern", "deleted-shared",  "deleted-simple", "deleted-streaming",
		"grüppe/日本 %",  "loses-offset",    "loses-topic",    "modern",
		"moving",         "shared",          "simple",         "streaming",
		"txn-committed",
	};
	CLEANUP(log_free) struct log *log = replay(NEW);

	(void)state;
	for (size_t i = 0; i < log->count; i++) {
		bool known = false;
		for (size_t k = 0; k < ARRAY_LEN(groups); k++)
			known |= is(log->rows[i].record.group, groups[k]);
		assert_true(known);
	}
}

static void a_commit_says_offset_time_and_epoch(void **state)
{
	static const char *const names[] = {OLD, NEW};
	static const int64_t times[] = {1795573080952, 1795573102784};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(log_free) struct log *log = replay(names[i]);
		const struct record *r = commit(log, "simple", "orders", 0);
		assert_int_equal(r->offset, 5);
		assert_int_equal(r->leader_epoch, -1);
		assert_int_equal(r->key_version, 1);
		r = commit(log, "consumed", "orders", 3);
		assert_int_equal(r->offset, 5);
		assert_int_equal(r->leader_epoch, 0);
		assert_int_equal(commit(log, "grüppe/日本 %", "payments", 0)->offset, 1);

		/* 300 bytes of metadata lie between the offset and the time. */
		const struct row *row = nth_row(log, RECORD_COMMIT, "simple", 1);
		assert_true(row->value_size > 300);
		assert_int_equal(row->record.offset, 7);
		assert_int_equal(row->record.time_ms, times[i]);
	}
}

static void a_commit_of_kafka_4_has_the_topic_id(void **state)
{
	CLEANUP(log_free) struct log *old = replay(OLD);
	CLEANUP(log_free) struct log *new = replay(NEW);
	const struct record *orders = commit(new, "simple", "orders", 0);
	const struct record *payments = commit(new, "classic", "payments", 0);

	(void)state;
	assert_int_equal(orders->value_version, 4);
	assert_true(orders->has_topic_id);
	assert_true(payments->has_topic_id);
	assert_memory_equal(orders->topic_id, commit(new, "modern", "orders", 3)->topic_id, 16);
	assert_memory_not_equal(orders->topic_id, payments->topic_id, 16);

	assert_int_equal(commit(old, "simple", "orders", 0)->value_version, 3);
	assert_false(commit(old, "simple", "orders", 0)->has_topic_id);
}

static void only_a_reader_of_the_uncommitted_sees_aborted_commits(void **state)
{
	CLEANUP(log_free) struct log *committed = replay(NEW);
	CLEANUP(log_free) struct log *all = replay(NEW_UNCOMMITTED);

	(void)state;
	assert_int_equal(commit(committed, "txn-committed", "orders", 3)->offset, 8);
	assert_null(commit(committed, "txn-aborted", "orders", 3));
	assert_int_equal(commit(all, "txn-aborted", "orders", 3)->offset, 8);
}

static void tombstones_tell_what_is_gone(void **state)
{
	static const char *const names[] = {OLD, NEW};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(log_free) struct log *log = replay(names[i]);
		const struct record *r = nth(log, RECORD_COMMIT_GONE, "loses-offset", 0);
		assert_true(is(r->topic, "orders"));
		assert_int_equal(r->partition, 2);
		assert_int_equal(r->value_version, -1);
		assert_int_equal(count(log, RECORD_COMMIT_GONE, "loses-offset"), 1);
		assert_int_equal(commit(log, "loses-offset", "payments", 0)->offset, 6);
		assert_int_equal(count(log, RECORD_COMMIT_GONE, "loses-topic"), 2);
		assert_int_equal(count(log, RECORD_COMMIT_GONE, "deleted-classic"), 5);
		assert_int_equal(count(log, RECORD_GROUP_GONE, "deleted-classic"), 1);
		assert_int_equal(count(log, RECORD_COMMIT_GONE, "deleted-simple"), 2);
	}
}

/* Kafka 3.9 writes none for a group that never had a generation; the commits' must do. */
static void a_deleted_simple_group_may_have_no_tombstone_of_its_own(void **state)
{
	CLEANUP(log_free) struct log *old = replay(OLD);
	CLEANUP(log_free) struct log *new = replay(NEW);

	(void)state;
	assert_int_equal(count(old, RECORD_GROUP_GONE, "deleted-simple"), 0);
	assert_int_equal(count(new, RECORD_GROUP_GONE, "deleted-simple"), 1);
}

static void a_classic_group_has_members_with_their_partitions(void **state)
{
	static const char *const names[] = {OLD, NEW};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(log_free) struct log *log = replay(names[i]);
		const struct record *r =
			nth(log, RECORD_GROUP, "classic", count(log, RECORD_GROUP, "classic") - 1);
		assert_int_equal(r->protocol, RECORD_CLASSIC);
		assert_true(is(r->protocol_type, "consumer"));
		assert_int_equal(r->generation, 2);
		assert_int_equal(r->member_count, 2);

		const struct record_member *a = member(r, "app-a");
		const struct record_member *b = member(r, "app-b");
		assert_true(starts(a->id, "app-a-"));
		assert_true(is(a->host, "/127.0.0.1"));
		assert_int_equal(a->subscribed_count, 2);
		assert_true(is(a->subscribed[0], "orders"));
		assert_true(is(a->subscribed[1], "payments"));
		assert_int_equal(owned(a, "orders", NULL), 0x3);
		assert_int_equal(owned(a, "payments", NULL), 0x1);
		assert_int_equal(owned(b, "orders", NULL), 0xc);
		assert_int_equal(owned(b, "payments", NULL), 0);
	}
}

static void an_empty_classic_group_has_no_members(void **state)
{
	CLEANUP(log_free) struct log *log = replay(OLD);
	const struct record *r = nth(log, RECORD_GROUP, "deleted-classic", 2);

	(void)state;
	assert_int_equal(r->generation, 3);
	assert_int_equal(r->member_count, 0);
	assert_true(is(r->protocol_type, "consumer"));
}

static void members_of_other_protocol_types_own_nothing(void **state)
{
	CLEANUP(log_free) struct log *log = replay(OLD);
	const struct record *r = nth(log, RECORD_GROUP, "connect-workers", 0);

	(void)state;
	assert_true(is(r->protocol_type, "connect"));
	assert_int_equal(r->member_count, 1);
	assert_true(is(r->members[0].client_id, "wire-client"));
	assert_int_equal(r->members[0].subscribed_count, 0);
	assert_int_equal(r->members[0].assigned_count, 0);
}

static void a_consumer_group_has_one_record_a_member(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW);
	const struct record *first = nth(log, RECORD_MEMBER, "modern", 0);
	const struct record *second = nth(log, RECORD_MEMBER, "modern", 1);

	(void)state;
	assert_int_equal(count(log, RECORD_MEMBER, "modern"), 2);
	assert_int_equal(first->protocol, RECORD_CONSUMER);
	assert_int_equal(first->member_count, 1);
	assert_true(is(first->members[0].client_id, "new-a"));
	assert_true(is(first->members[0].host, "/127.0.0.1"));
	assert_int_equal(first->members[0].subscribed_count, 2);
	assert_true(is(first->members[0].subscribed[1], "payments"));
	assert_true(is(second->members[0].client_id, "new-b"));

	assert_int_equal(nth(log, RECORD_EPOCH, "modern", 0)->generation, 2);
	assert_int_equal(nth(log, RECORD_EPOCH, "modern", 1)->generation, 3);

	const struct record *gone = nth(log, RECORD_MEMBER_GONE, "modern", 0);
	assert_int_equal(gone->member_count, 1);
	assert_int_equal(gone->members[0].id.size, second->members[0].id.size);
	assert_memory_equal(gone->members[0].id.data, second->members[0].id.data,
			    second->members[0].id.size);
	assert_int_equal(count(log, RECORD_ASSIGNMENT_GONE, "modern"), 2);
}

static void partitions_about_to_be_revoked_are_still_owned(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW);
	const uint8_t *orders = topic_id(log, "orders");
	const uint8_t *payments = topic_id(log, "payments");
	/* Alone; the other arrives with nothing; asked to give up; the other still waits; gave up;
	 * the other has them. */
	static const unsigned masks[] = {0xf, 0, 0xf, 0, 0x3, 0xc};

	(void)state;
	assert_int_equal(count(log, RECORD_ASSIGNMENT, "modern"), ARRAY_LEN(masks));
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		const struct record *r = nth(log, RECORD_ASSIGNMENT, "modern", i);
		assert_int_equal(owned(&r->members[0], NULL, orders), masks[i]);
		assert_int_equal(r->generation, i < 3 ? 2 : 3);
	}
	assert_int_equal(nth(log, RECORD_ASSIGNMENT, "modern", 2)->members[0].assigned_count, 3);
	assert_int_equal(owned(nth(log, RECORD_ASSIGNMENT, "modern", 4)->members, NULL, payments),
			 1);
}

static void kafka_3_9_tells_names_and_ids_of_topics(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW_KIP848);
	const struct record *ids = nth(log, RECORD_TOPIC_IDS, "modern", 0);
	const struct record *owner = nth(log, RECORD_ASSIGNMENT, "modern", 0);

	(void)state;
	assert_int_equal(ids->topic_count, 2);
	for (size_t i = 0; i < ids->topic_count; i++) {
		bool orders = is(ids->topics[i].topic, "orders");
		assert_true(orders || is(ids->topics[i].topic, "payments"));
		assert_int_equal(owned(&owner->members[0], NULL, ids->topics[i].topic_id),
				 orders ? 0xf : 0x1);
	}
	assert_int_equal(nth(log, RECORD_TOPIC_IDS, "modern", 1)->topic_count, 0);
}

/* In the order of the log: gone as one kind of group, there as another, commits untouched. */
static void a_group_that_changes_protocol_keeps_its_commits(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW);
	const struct row *gone = nth_row(log, RECORD_GROUP_GONE, "moving", 0);
	const struct row *next = nth_row(log, RECORD_MEMBER, "moving", 0);

	(void)state;
	assert_int_equal(gone->record.protocol, RECORD_CLASSIC);
	assert_int_equal(next->record.protocol, RECORD_CONSUMER);
	assert_int_equal(next->partition, gone->partition);
	assert_int_equal(next->offset, gone->offset + 1);
	assert_true(is(next->record.members[0].client_id, "old-client"));
	assert_int_equal(commit(log, "moving", "orders", 0)->offset, 2);
	assert_int_equal(count(log, RECORD_COMMIT_GONE, "moving"), 0);
}

static void share_and_streams_groups_are_known(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW);
	const uint8_t *orders = topic_id(log, "orders");
	const struct record *r = nth(log, RECORD_MEMBER, "shared", 0);

	(void)state;
	assert_int_equal(r->protocol, RECORD_SHARE);
	assert_true(is(r->members[0].client_id, "share-client"));
	assert_int_equal(r->members[0].subscribed_count, 2);
	r = nth(log, RECORD_ASSIGNMENT, "shared", 1);
	assert_int_equal(owned(&r->members[0], NULL, orders), 0xf);
	assert_int_equal(nth(log, RECORD_EPOCH, "shared", 2)->generation, 4);
	assert_int_equal(nth(log, RECORD_GROUP_GONE, "deleted-shared", 0)->protocol, RECORD_SHARE);

	r = nth(log, RECORD_MEMBER, "streaming", 0);
	assert_int_equal(r->protocol, RECORD_STREAMS);
	assert_true(is(r->members[0].client_id, "streams-client"));
	assert_true(is(r->members[0].host, "/127.0.0.1"));
	assert_int_equal(nth(log, RECORD_EPOCH, "streaming", 1)->generation, 3);
	assert_int_equal(nth(log, RECORD_MEMBER_GONE, "streaming", 0)->member_count, 1);
	assert_int_equal(nth(log, RECORD_GROUP_GONE, "deleted-streaming", 0)->protocol,
			 RECORD_STREAMS);
}

/* --- damage --- */

/* The kinds whose value is read to its end. */
static bool whole_value_is_read(const struct record *r)
{
	switch (r->kind) {
	case RECORD_COMMIT:
	case RECORD_GROUP:
	case RECORD_ASSIGNMENT:
	case RECORD_TOPIC_IDS:
		return true;
	case RECORD_MEMBER:
		return r->protocol != RECORD_STREAMS;
	default:
		return false;
	}
}

static void cut_at_every_byte(const struct row *row, struct arena *a)
{
	size_t key_end =
		row->record.kind == RECORD_OTHER ? 4 + row->record.group.size : row->key_size;
	size_t value_end = whole_value_is_read(&row->record)  ? row->value_size
			   : row->record.kind == RECORD_EPOCH ? 6
							      : 2;

	for (size_t cut = 0; cut < row->key_size; cut++) {
		int err = decode_exact(row->key, cut, row->value, row->value_size, a);
		assert_int_equal(err, cut < key_end ? ERR_MALFORMED : ERR_OK);
	}
	for (size_t cut = 0; row->value != NULL && cut < row->value_size; cut++) {
		int err = decode_exact(row->key, row->key_size, row->value, cut, a);
		if (cut < value_end)
			assert_int_equal(err, ERR_MALFORMED);
		else
			assert_true(err == ERR_OK || err == ERR_MALFORMED);
	}
}

static void a_record_cut_anywhere_is_refused(void **state)
{
	static const char *const names[] = {OLD, NEW_KIP848, NEW};
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(log_free) struct log *log = replay(names[i]);
		for (size_t k = 0; k < log->count; k++)
			cut_at_every_byte(&log->rows[k], &a);
	}
	arena_free(&a);
}

/* Every byte of every array and string that a record leads to. */
static unsigned sum(const struct record_str s)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < s.size; i++)
		n += (unsigned char)s.data[i];
	return n;
}

static unsigned walk(const struct record *r)
{
	unsigned n = sum(r->group) + sum(r->topic) + sum(r->protocol_type);

	for (size_t i = 0; i < r->topic_count; i++)
		n += sum(r->topics[i].topic);
	for (size_t i = 0; i < r->member_count; i++) {
		const struct record_member *m = &r->members[i];
		n += sum(m->id) + sum(m->client_id) + sum(m->host);
		for (size_t k = 0; k < m->subscribed_count; k++)
			n += sum(m->subscribed[k]);
		for (size_t k = 0; k < m->assigned_count; k++)
			for (size_t j = 0; j < m->assigned[k].count; j++)
				n += (unsigned)m->assigned[k].partitions[j];
	}
	return n;
}

static void damage(uint8_t *bytes, size_t size, unsigned *seed)
{
	for (int hits = 1 + rand_r(seed) % 3; hits > 0 && size > 0; hits--)
		bytes[(size_t)rand_r(seed) % size] = (uint8_t)rand_r(seed);
}

static void random_damage_never_does_harm(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW);
	unsigned seed = 20240229;
	unsigned ignored = 0;
	struct arena a;

	(void)state;
	arena_init(&a, 2048);
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < log->count; i++) {
			struct row *row = &log->rows[i];
			struct record r;
			damage(row->key + 1, row->key_size - 1, &seed);
			damage(row->value, row->value_size, &seed);
			arena_reset(&a);
			int err = record_decode(row->key, row->key_size, row->value,
						row->value_size, &a, &r);
			assert_true(err == ERR_OK || err == ERR_MALFORMED || err == ERR_LIMIT ||
				    err == ERR_VERSION);
			assert_true(a.used <= a.size);
			if (err == ERR_OK)
				ignored += walk(&r);
		}
	}
	assert_true(ignored > 0);
	arena_free(&a);
}

static void what_does_not_fit_the_arena_is_refused(void **state)
{
	CLEANUP(log_free) struct log *log = replay(NEW);
	const struct row *rows[] = {nth_row(log, RECORD_GROUP, "classic", 2),
				    nth_row(log, RECORD_ASSIGNMENT, "modern", 2),
				    nth_row(log, RECORD_MEMBER, "modern", 0)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t size = 0;
		int err = ERR_LIMIT;
		for (; err == ERR_LIMIT; size++) {
			struct arena a;
			arena_init(&a, size);
			err = decode_exact(rows[i]->key, rows[i]->key_size, rows[i]->value,
					   rows[i]->value_size, &a);
			arena_free(&a);
		}
		assert_int_equal(err, ERR_OK);
		assert_in_range(size, 100, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_of_real_brokers_is_understood),
		cmocka_unit_test(every_record_names_its_group),
		cmocka_unit_test(a_commit_says_offset_time_and_epoch),
		cmocka_unit_test(a_commit_of_kafka_4_has_the_topic_id),
		cmocka_unit_test(only_a_reader_of_the_uncommitted_sees_aborted_commits),
		cmocka_unit_test(tombstones_tell_what_is_gone),
		cmocka_unit_test(a_deleted_simple_group_may_have_no_tombstone_of_its_own),
		cmocka_unit_test(a_classic_group_has_members_with_their_partitions),
		cmocka_unit_test(an_empty_classic_group_has_no_members),
		cmocka_unit_test(members_of_other_protocol_types_own_nothing),
		cmocka_unit_test(a_consumer_group_has_one_record_a_member),
		cmocka_unit_test(partitions_about_to_be_revoked_are_still_owned),
		cmocka_unit_test(kafka_3_9_tells_names_and_ids_of_topics),
		cmocka_unit_test(a_group_that_changes_protocol_keeps_its_commits),
		cmocka_unit_test(share_and_streams_groups_are_known),
		cmocka_unit_test(a_record_cut_anywhere_is_refused),
		cmocka_unit_test(random_damage_never_does_harm),
		cmocka_unit_test(what_does_not_fit_the_arena_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
