/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * kafka - one Kafka cluster, as far as the collector needs it. The only user of librdkafka.
 *
 * Every call has its own deadline, whatever the library does. A part that fails (a broker, a
 * partition, a group) is reported in its own row and leaves the others alone. Not thread safe:
 * one collector thread owns a struct kafka; the threads inside are kafka.c's own business.
 */

#include "common/base.h"

struct kafka;

struct kafka_property {
	const char *name;
	const char *value;
};

/* Connect lazily: succeeds with no broker up. Properties are librdkafka's, passed through as they
 * are, over defaults fit for a monitor (client.id, socket.keepalive.enable ...). On ERR_CONFIG why
 * says which property and what the library said. Caller owns *ret_k. */
MUST_CHECK int kafka_open(const struct kafka_property *props, size_t count, char why[static 512],
			  struct kafka **ret_k);
void kafka_close(struct kafka **k);

/* The latest trouble with brokers, in words, e.g. "2 of 3 brokers in trouble: k2:9092: Connection
 * refused"; "" when there is none. A trouble is forgotten a minute after it was last seen, or when
 * kafka_ranges() has had all its answers. Borrowed until the next call. */
const char *kafka_problem(struct kafka *k);

/* --- topics --- */

struct kafka_partition {
	int32_t leader; /* broker id; -1: none now */
};

struct kafka_topic {
	const char *name;
	struct kafka_partition *partitions;
	int32_t partition_count;
	int err; /* ERR_OK, or ERR_BROKER: what is known of it is stale */
};

struct kafka_topics {
	struct kafka_topic *topics; /* sorted by name; internal topics included */
	size_t count;
	char cluster_id[64]; /* "" where the library does not tell */
};

/* All topics and their leaders. Caller frees *ret_t with kafka_topics_free(). ERR_BROKER or
 * ERR_TIMEOUT when no broker answered. */
MUST_CHECK int kafka_topics(struct kafka *k, int timeout_ms, struct kafka_topics **ret_t);
void kafka_topics_free(struct kafka_topics **t);

/* --- log start and log end --- */

struct kafka_range {
	const char *topic; /* in: borrowed */
	int32_t partition; /* in */
	int32_t leader;    /* in: for grouping; -1 fails at once */
	int64_t start;     /* out: log start offset, -1 unknown */
	int64_t end;       /* out: log end offset (high watermark), -1 unknown */
	int err;           /* out */
};

/* Ask the leaders for all ranges, in chunks of 500 a call, several calls side by side, each leader
 * on its own: a leader that times out costs its own partitions and one timeout. The end is asked
 * after the start. Returns the number of ranges that failed. */
size_t kafka_ranges(struct kafka *k, struct kafka_range *ranges, size_t count, int timeout_ms);

/* --- the stream of __consumer_offsets --- */

struct kafka_record {
	int32_t partition;
	int64_t offset;
	const uint8_t *key;
	size_t key_size;
	const uint8_t *value; /* NULL: tombstone */
	size_t value_size;
};

/* Read partitions 0 .. count-1 from these offsets on (-1: from the first one there is), committed
 * transactions only. Replaces an earlier assignment; a partition given its present position goes on
 * as it is. An offset that is not in the log, now or later, starts that partition again from its
 * first record: offsets then go back. count > 0. ERR_BROKER if the library cannot start. */
MUST_CHECK int kafka_read_from(struct kafka *k, const int64_t *positions, int32_t count);

/* Hand what has arrived to on_record, in order within a partition, waiting at most timeout_ms for
 * the first. Returns how many records, 0 on timeout, or an error if the topic may not be read:
 * -EACCES not authorised, ERR_NOT_FOUND no such topic (yet), ERR_BROKER. An error is returned again
 * until something can be read; going on calling is all there is to do. Call kafka_read_from()
 * first. */
MUST_CHECK int kafka_read(struct kafka *k, int timeout_ms,
			  void (*on_record)(void *arg, const struct kafka_record *r), void *arg);

/* The next offset that would be read, -1 unknown; and whether the partition has been read to its
 * end at least once since kafka_read_from(). */
int64_t kafka_read_position(const struct kafka *k, int32_t partition);
bool kafka_read_caught_up(const struct kafka *k, int32_t partition);

/* --- groups by the Admin API --- */

struct kafka_group_offset {
	const char *topic;
	int32_t partition;
	int64_t offset; /* -1: none committed */
};

struct kafka_group {
	const char *name;
	int state;   /* enum wire_group_state's values */
	bool simple; /* never had a protocol: assign() only */
	int err;     /* of this group's offsets */
	const struct kafka_group_offset *offsets;
	size_t offset_count;
};

/* List the groups and fetch the offsets of those that wanted() accepts, at most 32 requests in
 * flight, each with its own deadline. on_group is called once a group, from this thread; its
 * argument is borrowed for the call. ret_failed counts groups without an answer. ERR_BROKER or
 * ERR_TIMEOUT when the groups could not be listed at all; a partial list (one broker down) is
 * reported by *ret_partial, and then a missing group is not a deleted one. Kafka hides groups that
 * may not be described, without a word. */
MUST_CHECK int kafka_groups(struct kafka *k, int timeout_ms,
			    bool (*wanted)(void *arg, const char *group),
			    void (*on_group)(void *arg, const struct kafka_group *g), void *arg,
			    size_t *ret_failed, bool *ret_partial);

struct kafka_description {
	const char *group;
	int state;
	const struct kafka_member *members;
	size_t member_count;
};

struct kafka_member {
	const char *id;
	const char *client_id;
	const char *host;
	const struct kafka_group_offset *assigned; /* offset unused */
	size_t assigned_count;
};

/* State and members of these groups, asked side by side like the offsets of kafka_groups(); groups
 * that do not answer are left out. Kafka describes only groups of the classic protocol: any other
 * has no members here and an unknown state (kafka_groups() knows it). ERR_TIMEOUT if no group
 * answered at all, ERR_BROKER if the library cannot start. For the admin source. */
MUST_CHECK int kafka_describe(struct kafka *k, const char *const *groups, size_t count,
			      int timeout_ms,
			      void (*on_group)(void *arg, const struct kafka_description *d),
			      void *arg);
