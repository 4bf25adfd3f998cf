/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* table_feed - records for a table, in a line each. */

#include <string.h>

#include "agent/collect/table.h"

static inline struct record_str feed_str(const char *s)
{
	return (struct record_str){.data = s, .size = (uint32_t)strlen(s)};
}

static inline struct record feed_record(enum record_kind kind, enum record_protocol protocol,
					const char *group)
{
	return (struct record){.kind = kind,
			       .protocol = protocol,
			       .group = feed_str(group),
			       .leader_epoch = -1,
			       .generation = -1};
}

/* A commit one second before its arrival. */
static inline void feed_commit(struct table *t, const char *group, const char *topic,
			       int32_t partition, int64_t offset, int64_t arrival_ms)
{
	struct record r = feed_record(RECORD_COMMIT, RECORD_CLASSIC, group);

	r.topic = feed_str(topic);
	r.partition = partition;
	r.offset = offset;
	r.time_ms = arrival_ms - 1000;
	table_apply(t, &r, arrival_ms);
}

static inline void feed_commit_gone(struct table *t, const char *group, const char *topic,
				    int32_t partition)
{
	struct record r = feed_record(RECORD_COMMIT_GONE, RECORD_CLASSIC, group);

	r.topic = feed_str(topic);
	r.partition = partition;
	table_apply(t, &r, 0);
}

static inline void feed_group_gone(struct table *t, enum record_protocol protocol,
				   const char *group)
{
	struct record r = feed_record(RECORD_GROUP_GONE, protocol, group);
	table_apply(t, &r, 0);
}

/* A classic group of one member that reads partitions 0 and 1 of a topic; id NULL: of none. */
static inline void feed_group(struct table *t, const char *group, const char *id, const char *topic)
{
	static const int32_t PARTITIONS[] = {0, 1};
	struct record_str subscribed = id == NULL ? (struct record_str){0} : feed_str(topic);
	struct record_assigned assigned = {
		.topic = subscribed, .partitions = PARTITIONS, .count = 2};
	struct record_member member = {.id = feed_str(id == NULL ? "" : id),
				       .client_id = feed_str("client"),
				       .host = feed_str("/10.0.0.1"),
				       .subscribed = &subscribed,
				       .subscribed_count = 1,
				       .assigned = &assigned,
				       .assigned_count = 1};
	struct record r = feed_record(RECORD_GROUP, RECORD_CLASSIC, group);

	r.generation = 7;
	r.members = &member;
	r.member_count = id != NULL;
	table_apply(t, &r, 0);
}

static inline void feed_member(struct table *t, enum record_kind kind, const char *group,
			       const char *id)
{
	struct record_member member = {.id = feed_str(id), .client_id = feed_str("client")};
	struct record r = feed_record(kind, RECORD_CONSUMER, group);

	r.members = &member;
	r.member_count = 1;
	table_apply(t, &r, 0);
}

/* The member owns partition 3 of the topic with this id (16 times the same byte). */
static inline void feed_assignment(struct table *t, const char *group, const char *id,
				   uint8_t topic_id)
{
	static const int32_t PARTITIONS[] = {3};
	struct record_assigned assigned = {.partitions = PARTITIONS, .count = 1};
	struct record_member member = {
		.id = feed_str(id), .assigned = &assigned, .assigned_count = 1};
	struct record r = feed_record(RECORD_ASSIGNMENT, RECORD_CONSUMER, group);

	memset(assigned.topic_id, topic_id, sizeof(assigned.topic_id));
	r.members = &member;
	r.member_count = 1;
	table_apply(t, &r, 0);
}

static inline void feed_topic_id(struct table *t, const char *group, const char *topic,
				 uint8_t topic_id)
{
	struct record_assigned one = {.topic = feed_str(topic)};
	struct record r = feed_record(RECORD_TOPIC_IDS, RECORD_CONSUMER, group);

	memset(one.topic_id, topic_id, sizeof(one.topic_id));
	r.topics = &one;
	r.topic_count = 1;
	table_apply(t, &r, 0);
}

/* Topics as the brokers list them: names in order, all of the same number of partitions. */
static inline void feed_topics(struct table *t, const char **names, size_t count,
			       int32_t partitions)
{
	struct kafka_partition parts[64] = {0};
	struct kafka_topic topics[64];
	struct kafka_topics all = {.topics = topics, .count = count};

	for (size_t i = 0; i < count; i++)
		topics[i] = (struct kafka_topic){
			.name = names[i], .partitions = parts, .partition_count = partitions};
	topics_update(&t->topics, &all);
}

/* Every log asked for starts at 0 and ends at end; -1: it does not answer. */
static inline size_t feed_ends(struct table *t, int64_t end)
{
	struct kafka_range *ranges = NULL;
	size_t count = topics_ranges(&t->topics, 0, &ranges);

	for (size_t i = 0; i < count; i++) {
		ranges[i].start = 0;
		ranges[i].end = end;
		ranges[i].err = end < 0 ? -1 : 0;
	}
	topics_answers(&t->topics, ranges, count);
	free(ranges);
	return count;
}

static inline struct group *feed_find_group(struct table *t, const char *name)
{
	uint32_t n = names_find(&t->names, name, strlen(name));
	return n == NAMES_NONE ? NULL : &t->groups[n];
}

static inline struct commit *feed_find(struct table *t, const char *group, const char *topic,
				       uint32_t partition)
{
	uint32_t g = names_find(&t->names, group, strlen(group));
	uint32_t n = names_find(&t->topics.names, topic, strlen(topic));
	return commits_find(&t->commits, g, n, partition);
}
