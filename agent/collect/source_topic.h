/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * source_topic - commits and groups out of __consumer_offsets, into a table.
 *
 * Knows how far each partition has been read. Owned by the collector's thread.
 */

#include "agent/collect/kafka.h"
#include "agent/collect/keep.h"
#include "agent/collect/table.h"
#include "common/arena.h"

struct source_part {
	int64_t from;       /* where reading began; -1: at the first record there was */
	int64_t high;       /* all records below this offset have been read at some time */
	int64_t start, end; /* of the partition's log; -1 unknown */
};

struct source_topic {
	struct kafka *kafka; /* borrowed, as is the rest */
	struct table *table;
	struct keep *keep;         /* positions */
	struct source_part *parts; /* owned */
	int32_t count;             /* 0: not reading */
	bool caught_up;            /* has read every partition to its end once */
	int64_t moved_mono;        /* when the last record came */
	uint64_t records, unknown, malformed;
	uint64_t told_versions; /* key versions whose unknown value versions have been logged */
	struct arena arena;
};

void source_topic_init(struct source_topic *s, struct kafka *k, struct table *t, struct keep *keep);
void source_topic_free(struct source_topic *s);

/* Read this many partitions, from the kept positions on. Called again when there are more. */
MUST_CHECK int source_topic_follow(struct source_topic *s, int32_t count);

/* Take what comes within timeout_ms. As kafka_read(). */
MUST_CHECK int source_topic_read(struct source_topic *s, int timeout_ms);

/* Put where reading stands into s->keep. */
void source_topic_note(struct source_topic *s);

/* The ranges of its own partitions: a question for kafka_ranges(), s->count of them; and the
 * answers. leaders are those of the topic, count of them. Returns how many gave no answer. */
void source_topic_ask(const struct source_topic *s, const struct kafka_topic *topic,
		      struct kafka_range *ranges);
int32_t source_topic_answers(struct source_topic *s, const struct kafka_range *ranges);

/* Records read, and that there are to read, since reading began; records not yet read, -1 where
 * that is not known. */
struct source_progress {
	uint64_t read, to_read;
	int64_t lag;
};
struct source_progress source_topic_progress(const struct source_topic *s);
