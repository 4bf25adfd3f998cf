/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * offsets - the records of __consumer_offsets, as a group coordinator of Kafka writes them.
 *
 * Pure: struct -> bytes, appended to a buf. For the demo, whose brokers are librdkafka's mock
 * brokers: these keep no such topic themselves.
 */

#include "common/base.h"
#include "common/buf.h"

#define OFFSETS_TOPIC "__consumer_offsets"
#define OFFSETS_PARTITIONS 50

struct offsets_member {
	const char *id;
	const char *client_id;
	const char *host;
	const int32_t *partitions; /* of the group's one topic, owned by this member */
	uint32_t partition_count;
};

struct offsets_group {
	const char *topic; /* every member subscribes to it */
	int32_t generation;
	int64_t changed_at_ms;
	const struct offsets_member *members;
	uint32_t member_count; /* 0: the group is empty */
};

/* The partition of __consumer_offsets that holds the records of this group. */
int32_t offsets_partition(const char *group);

/* Key version 1 and value version 3: one committed offset. */
void offsets_put_commit_key(struct buf *b, const char *group, const char *topic, int32_t partition);
void offsets_put_commit(struct buf *b, int64_t offset, int64_t now_ms);

/* Key version 2 and value version 3: a group of the classic protocol with all its members. */
void offsets_put_group_key(struct buf *b, const char *group);
void offsets_put_group(struct buf *b, const struct offsets_group *g);
