/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * topics - the topics of one cluster: names, Kafka's ids, and what their logs hold.
 *
 * A topic is known because the brokers list it, or because a commit names it. Internal topics and
 * those that the rules exclude are known as well, marked hidden, so that the rules are applied
 * once a name. Not thread safe.
 */

#include "agent/collect/kafka.h"
#include "agent/collect/names.h"
#include "agent/config.h"
#include "common/base.h"

#define TOPICS_OFFSETS "__consumer_offsets"

struct topic_log {
	int64_t start;  /* log start offset, -1 unknown */
	int64_t end;    /* log end offset, -1 unknown */
	int64_t stable; /* last stable offset; -1 not asked */
	int32_t leader; /* broker id, -1 none */
	bool unsent;
};

struct topic {
	struct topic_log *logs; /* owned */
	int32_t log_count;
	uint32_t commits; /* that name it, tombstoned ones included */
	uint8_t id[16];   /* zero: unknown */
	bool hidden;
	bool listed;    /* by the brokers */
	bool before;    /* was listed before the list that is being taken over */
	bool gone;      /* no longer listed, and no pass has said so yet */
	bool unsaved;   /* name or id differ from the state on disk */
	bool forgotten; /* deleted there: keep.c */

	/* of the batch being built: pass.c */
	uint32_t mark, local;
};

struct topics {
	struct names names;
	struct topic *items; /* owned; by the number of the name */
	uint32_t cap;
	const struct agent_filter *rules; /* borrowed */
	uint32_t *by_id;                  /* owned; numbers sorted by id */
	uint32_t by_id_count;
	bool by_id_stale;
	uint64_t news; /* counts names and ids that became known */
	bool shrunk;   /* a topic came back with fewer partitions: only a full pass can tell */
};

/* rules may be NULL: all topics. */
void topics_init(struct topics *t, const struct agent_filter *rules);
void topics_free(struct topics *t);

/* The number of this name, added if it is new; NAMES_NONE if it cannot be a topic's name. */
uint32_t topics_intern(struct topics *t, const char *name, size_t size);

/* As loaded from the state: under this number. Returns false if that cannot be. */
bool topics_restore(struct topics *t, uint32_t n, const char *name, size_t size,
		    const uint8_t id[static 16]);

void topics_set_id(struct topics *t, uint32_t n, const uint8_t id[static 16]);

/* NAMES_NONE if no topic is known by it. */
uint32_t topics_by_id(struct topics *t, const uint8_t id[static 16]);

/* Take over what the brokers list: topics and partitions, which come, grow and go. */
void topics_update(struct topics *t, const struct kafka_topics *listed);

/* All partitions of visible topics, as a question for kafka_ranges(). Caller frees *ret_ranges;
 * the names in it are borrowed until the next topics_update(). Keeps extra places free at the end
 * for the caller's own. */
size_t topics_ranges(const struct topics *t, size_t extra, struct kafka_range **ret_ranges);

/* Take over the answers, which are in the order of the question. */
void topics_answers(struct topics *t, const struct kafka_range *ranges, size_t count);

/* The log of a partition that is listed and visible, or NULL. Borrowed until topics_update(). */
struct topic_log *topics_log(struct topics *t, const char *name, int32_t partition);

/* Take over its last stable offset; -1: no longer asked. */
void topics_stable(struct topic_log *log, int64_t stable);

/* Forget a topic that nothing refers to. */
void topics_remove(struct topics *t, uint32_t n);
