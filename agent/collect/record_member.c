/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/record_member.h"

#include "common/err.h"

#define FLEXIBLE_GROUP_VERSION 4

/* The least bytes that one element of an array takes: a count beyond what is left is refused. */
#define MIN_MEMBER 15
#define MIN_ASSIGNED_BY_NAME 6
#define MIN_ASSIGNED_BY_ID 18
#define MIN_TOPIC_ID 23
#define MIN_PARTITION_RACKS 6

static int result(const struct reader *r)
{
	return r->bad ? ERR_MALFORMED : ERR_OK;
}

static int read_strings(struct reader *r, struct arena *a, bool flexible,
			const struct record_str **ret_strings, size_t *ret_count)
{
	size_t count = reader_count(r, flexible, flexible ? 1 : 2);
	struct record_str *strings = arena_alloc(a, count * sizeof(*strings));

	if (strings == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++)
		strings[i] = reader_string(r, flexible, false);
	if (r->bad)
		return ERR_MALFORMED;
	*ret_strings = strings;
	*ret_count = count;
	return ERR_OK;
}

static int read_partitions(struct reader *r, struct arena *a, bool flexible,
			   struct record_assigned *ret_topic)
{
	size_t count = reader_count(r, flexible, sizeof(int32_t));
	int32_t *partitions = arena_alloc(a, count * sizeof(*partitions));

	if (partitions == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++)
		partitions[i] = reader_i32(r);
	ret_topic->partitions = partitions;
	ret_topic->count = count;
	return result(r);
}

static void read_id(struct reader *r, uint8_t ret_id[static 16])
{
	const uint8_t *id = reader_take(r, 16);

	if (id != NULL)
		memcpy(ret_id, id, 16);
}

/* --- classic groups: subscription and assignment are the clients' own bytes --- */

/* Later versions of both only add fields at the end, so that every version begins like this. */
static int read_subscription(struct record_str bytes, struct arena *a, struct record_member *ret_m)
{
	struct reader r = reader_of((const uint8_t *)bytes.data, bytes.size);

	reader_i16(&r);
	return read_strings(&r, a, false, &ret_m->subscribed, &ret_m->subscribed_count);
}

static int read_assignment(struct record_str bytes, struct arena *a, struct record_member *ret_m)
{
	struct reader r = reader_of((const uint8_t *)bytes.data, bytes.size);

	reader_i16(&r);
	size_t count = reader_count(&r, false, MIN_ASSIGNED_BY_NAME);
	struct record_assigned *topics = arena_alloc(a, count * sizeof(*topics));
	if (topics == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		topics[i] = (struct record_assigned){.topic = reader_string(&r, false, false)};
		int err = read_partitions(&r, a, false, &topics[i]);
		if (err < 0)
			return err;
	}
	if (r.bad)
		return ERR_MALFORMED;
	ret_m->assigned = topics;
	ret_m->assigned_count = count;
	return ERR_OK;
}

/* Bytes that do not parse are one client's doing and must not hide the rest of the group. */
static int read_protocol(struct record_str subscription, struct record_str assignment,
			 struct arena *a, struct record_member *ret_m)
{
	if (read_subscription(subscription, a, ret_m) == ERR_LIMIT ||
	    read_assignment(assignment, a, ret_m) == ERR_LIMIT)
		return ERR_LIMIT;
	return ERR_OK;
}

static int read_classic_member(struct reader *r, struct arena *a, const struct record *group,
			       struct record_member *ret_m)
{
	bool flexible = group->value_version >= FLEXIBLE_GROUP_VERSION;
	bool consumer = group->protocol_type.size == strlen("consumer") &&
			memcmp(group->protocol_type.data, "consumer", strlen("consumer")) == 0;

	*ret_m = (struct record_member){.id = reader_string(r, flexible, false)};
	if (group->value_version >= 3)
		reader_string(r, flexible, true); /* group.instance.id */
	ret_m->client_id = reader_string(r, flexible, false);
	ret_m->host = reader_string(r, flexible, false);
	if (group->value_version >= 1)
		reader_i32(r); /* rebalance timeout */
	reader_i32(r);         /* session timeout */
	struct record_str subscription = reader_bytes(r, flexible);
	struct record_str assignment = reader_bytes(r, flexible);
	if (flexible)
		reader_skip_tags(r);
	if (r->bad || !consumer)
		return result(r);
	return read_protocol(subscription, assignment, a, ret_m);
}

int record_member_group(struct reader *r, struct arena *a, struct record *ret_r)
{
	bool flexible = ret_r->value_version >= FLEXIBLE_GROUP_VERSION;

	ret_r->protocol_type = reader_string(r, flexible, true);
	ret_r->generation = reader_i32(r);
	reader_string(r, flexible, true); /* assignor */
	reader_string(r, flexible, true); /* leader */
	if (ret_r->value_version >= 2)
		reader_i64(r); /* time of the last change of state */

	size_t count = reader_count(r, flexible, MIN_MEMBER);
	struct record_member *members = arena_alloc(a, count * sizeof(*members));
	if (members == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		int err = read_classic_member(r, a, ret_r, &members[i]);
		if (err < 0)
			return err;
	}
	if (flexible)
		reader_skip_tags(r);
	ret_r->members = members;
	ret_r->member_count = count;
	return result(r);
}

/* --- groups of the other protocols: one record a member and a matter --- */

int record_member_identity(struct reader *r, struct arena *a, enum record_protocol protocol,
			   struct record_member *ret_m)
{
	if (protocol != RECORD_SHARE)
		reader_string(r, true, true); /* group.instance.id */
	reader_string(r, true, true);         /* rack */
	ret_m->client_id = reader_string(r, true, false);
	ret_m->host = reader_string(r, true, false);
	if (protocol == RECORD_STREAMS)
		return result(r); /* the topics are the topology's, not the member's */

	int err = read_strings(r, a, true, &ret_m->subscribed, &ret_m->subscribed_count);
	if (err < 0)
		return err;
	if (protocol == RECORD_CONSUMER) {
		reader_string(r, true, true); /* pattern of topics */
		reader_i32(r);                /* rebalance timeout */
		reader_string(r, true, true); /* assignor */
	}
	reader_skip_tags(r);
	return result(r);
}

static int read_assigned_ids(struct reader *r, struct arena *a, struct record_assigned **ret_topics,
			     size_t *ret_count)
{
	size_t count = reader_count(r, true, MIN_ASSIGNED_BY_ID);
	struct record_assigned *topics = arena_alloc(a, count * sizeof(*topics));

	if (topics == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		topics[i] = (struct record_assigned){0};
		read_id(r, topics[i].topic_id);
		int err = read_partitions(r, a, true, &topics[i]);
		if (err < 0)
			return err;
		reader_skip_tags(r);
	}
	*ret_topics = topics;
	*ret_count = count;
	return result(r);
}

/* Partitions to be revoked are the member's until it has let go of them. */
static int add_pending(struct reader *r, struct arena *a, struct record_assigned **topics,
		       size_t *count)
{
	struct record_assigned *pending = NULL;
	size_t pending_count = 0;

	int err = read_assigned_ids(r, a, &pending, &pending_count);
	if (err < 0 || pending_count == 0)
		return err;
	struct record_assigned *both = arena_alloc(a, (*count + pending_count) * sizeof(*both));
	if (both == NULL)
		return ERR_LIMIT;
	memcpy(both, *topics, *count * sizeof(*both));
	memcpy(both + *count, pending, pending_count * sizeof(*both));
	*topics = both;
	*count += pending_count;
	return ERR_OK;
}

int record_member_assignment(struct reader *r, struct arena *a, enum record_protocol protocol,
			     int32_t *ret_epoch, struct record_member *ret_m)
{
	struct record_assigned *topics = NULL;
	size_t count = 0;

	*ret_epoch = reader_i32(r);
	reader_i32(r); /* epoch before */
	reader_i8(r);  /* state */
	int err = read_assigned_ids(r, a, &topics, &count);
	if (err == ERR_OK && protocol == RECORD_CONSUMER)
		err = add_pending(r, a, &topics, &count);
	if (err < 0)
		return err;
	reader_skip_tags(r);
	ret_m->assigned = topics;
	ret_m->assigned_count = count;
	return result(r);
}

static void skip_racks(struct reader *r)
{
	for (size_t left = reader_count(r, true, MIN_PARTITION_RACKS); left > 0; left--) {
		reader_i32(r);
		for (size_t racks = reader_count(r, true, 1); racks > 0 && !r->bad; racks--)
			reader_string(r, true, false);
		reader_skip_tags(r);
		if (r->bad)
			return;
	}
}

int record_member_topic_ids(struct reader *r, struct arena *a, struct record *ret_r)
{
	size_t count = reader_count(r, true, MIN_TOPIC_ID);
	struct record_assigned *topics = arena_alloc(a, count * sizeof(*topics));

	if (topics == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count && !r->bad; i++) {
		topics[i] = (struct record_assigned){0};
		read_id(r, topics[i].topic_id);
		topics[i].topic = reader_string(r, true, false);
		reader_i32(r); /* partition count */
		skip_racks(r);
		reader_skip_tags(r);
	}
	reader_skip_tags(r);
	ret_r->topics = topics;
	ret_r->topic_count = count;
	return result(r);
}
