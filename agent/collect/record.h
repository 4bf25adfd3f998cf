/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * record - one record of __consumer_offsets: bytes -> what it says.
 *
 * Pure. Bytes come from a broker and are not trusted. Formats: the message definitions in
 * Apache Kafka's group-coordinator module, 3.9 to 4.4. The key's first field is the group's
 * name in every version known (0 to 24), so that even a record that is not understood tells
 * which group it speaks of. Strings are borrowed from the input; arrays live in the arena, and
 * only records of groups and members have them: a commit allocates nothing.
 */

#include "common/arena.h"
#include "common/base.h"

struct record_str {
	const char *data; /* not NUL-terminated; may hold any bytes; NULL where Kafka says null */
	uint32_t size;
};

/* Keys: 0, 1 commit; 2 classic group; consumer groups (KIP-848) 3 epoch, 4 topics (until 4.0),
 * 5 member, 6, 7 target assignment, 8 current assignment, 16 resolved pattern; share groups
 * 9 topics (3.9), 10 member, 11 epoch, 12, 13 target assignment, 14 current assignment, 15 state
 * of partitions; streams groups 17 epoch, 18 topics, 19 member, 20, 21 target assignment,
 * 22 current assignment, 23 topology, 24 topic ids. */
enum record_kind {
	RECORD_COMMIT,      /* 0, 1: group, topic, partition, offset, time_ms */
	RECORD_COMMIT_GONE, /* their tombstone: deleted, or expired */
	RECORD_GROUP,       /* 2: a classic group whole, with all its members */

	/* Tombstone of 2, 3, 11 or 17: the group no longer exists under this protocol. It may go
	 * on under another one: a classic group that becomes a KIP-848 group, or the other way
	 * round, is a tombstone of the old key followed by records of the new, and its commits
	 * live on. Commits have tombstones of their own, also when a group is deleted. */
	RECORD_GROUP_GONE,
	RECORD_EPOCH,           /* 3, 11, 17: a group of another protocol lives, at this epoch */
	RECORD_MEMBER,          /* 5, 10, 19: one member of such a group; its assignment is apart */
	RECORD_MEMBER_GONE,     /* their tombstone */
	RECORD_ASSIGNMENT,      /* 8, 14: what a member owns now, by topic id */
	RECORD_ASSIGNMENT_GONE, /* their tombstone */
	RECORD_TOPIC_IDS,       /* 4: names and ids of topics the group subscribes to */
	RECORD_OTHER,           /* any other key, and the tombstone of 4: only the group is told */
};

/* As in proto/wire.h, which this file does not include. */
enum record_protocol {
	RECORD_CLASSIC,
	RECORD_CONSUMER,
	RECORD_SHARE,
	RECORD_STREAMS,
};

struct record_assigned {
	struct record_str topic;   /* size 0 where only the id is known: RECORD_ASSIGNMENT */
	uint8_t topic_id[16];      /* zero where only the name is known: RECORD_GROUP */
	const int32_t *partitions; /* none in RECORD_TOPIC_IDS; as written, so maybe negative */
	size_t count;
};

struct record_member {
	struct record_str id;
	struct record_str client_id;
	struct record_str host;              /* as Kafka writes it, e.g. "/10.0.0.1" */
	const struct record_str *subscribed; /* topic names; empty if by pattern, and of streams */
	size_t subscribed_count;

	/* A topic is here twice when some of its partitions are about to be given up: those
	 * still are the member's. */
	const struct record_assigned *assigned;
	size_t assigned_count;
};

struct record {
	enum record_kind kind;
	enum record_protocol protocol; /* classic also for commits, which do not tell */
	int16_t key_version;
	int16_t value_version; /* -1: tombstone */
	struct record_str group;

	/* RECORD_COMMIT and _GONE */
	struct record_str topic;
	int32_t partition;    /* never negative */
	int64_t offset;       /* what the client sent: maybe negative, maybe past the log end */
	int64_t time_ms;      /* as the committer or broker wrote it */
	int32_t leader_epoch; /* -1: not said */
	bool has_topic_id;    /* value version 4, tag 0: Kafka 4.1 and later */
	uint8_t topic_id[16];

	/* RECORD_GROUP, _EPOCH, _MEMBER, _ASSIGNMENT and _TOPIC_IDS */
	struct record_str protocol_type;     /* "consumer", "connect" ...; classic only */
	int32_t generation;                  /* generation, or epoch of the group or the member */
	const struct record_member *members; /* one for _MEMBER, _ASSIGNMENT and their _GONE */
	size_t member_count;
	const struct record_assigned *topics; /* _TOPIC_IDS: name and id of each */
	size_t topic_count;
};

/* Decode one record. value is NULL for a tombstone. The arena is not reset here; it is used for
 * records of groups and members only.
 *
 * What clients write into a classic group of type "consumer" is theirs: a member whose
 * subscription or assignment does not parse has none, and the record is good. Bytes after the
 * last known field are passed over, as Kafka does.
 *
 * ERR_VERSION: a key or value version not known; ret_r->key_version, value_version and, for keys,
 * group where it could be read, are set, the rest is not. ERR_MALFORMED: cut or contradictory;
 * *ret_r is undefined. ERR_LIMIT: members or partitions do not fit the arena. */
MUST_CHECK int record_decode(const uint8_t *key, size_t key_size, const uint8_t *value,
			     size_t value_size, struct arena *a, struct record *ret_r);
