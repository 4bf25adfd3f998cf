/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sampler - one cluster, sampled: keeps the table up to date between the passes and completes it
 * at each. Has no thread and no state of its own: the collector and --once are built on it.
 */

#include "agent/collect/kafka.h"
#include "agent/collect/keep.h"
#include "agent/collect/probe.h"
#include "agent/collect/progress.h"
#include "agent/collect/source_admin.h"
#include "agent/collect/source_topic.h"
#include "agent/collect/table.h"
#include "agent/config.h"
#include "proto/wire.h"

enum sample {
	SAMPLE_COMPLETE,    /* the table is what the cluster was at at_ms */
	SAMPLE_CATCHING_UP, /* __consumer_offsets has not been read to its end yet */
	SAMPLE_BLIND,       /* the cluster did not answer: the table says nothing of this moment */
};

struct sampler {
	const struct agent_cluster *conf; /* borrowed */
	struct probe *probe;              /* borrowed; NULL: nothing is known of transactions */
	struct kafka *kafka;
	struct table table;
	struct keep keep;
	struct source_topic topic;
	struct source_admin admin;
	struct kafka_topics *topics; /* as last listed; NULL: never yet */
	struct progress progress;
	int64_t listed_mono; /* when the topics were last listed, and what that took */
	int64_t listing_ms;
	uint64_t news_listed; /* topics.news at that time */
	size_t failed;        /* partitions that gave no answer in this pass */
	int32_t unread;       /* partitions of __consumer_offsets that gave none */
	bool use_admin;
	bool denied;   /* __consumer_offsets may not be read, and no other source is allowed */
	bool missing;  /* there is no __consumer_offsets: no group has ever committed */
	int64_t at_ms; /* of the last sample, see steady.h */
	char problem[768];
	char servers[1024];
};

/* Connects lazily. ERR_CONFIG: a property that librdkafka refuses; why says which. */
MUST_CHECK int sampler_open(struct sampler *s, const struct agent_cluster *conf,
			    char why[static 512]);

/* Accepts a zeroed struct. */
void sampler_close(struct sampler *s);

/* Read what comes, or just wait, for timeout_ms at most. True: __consumer_offsets has just been
 * read to its end, so that a first sample may be taken. */
bool sampler_wait(struct sampler *s, int timeout_ms);

/* Take a sample: what is committed is what the table holds now, then the logs are asked. Takes
 * about timeout_ms at most. */
enum sample sampler_take(struct sampler *s, int timeout_ms);

/* What there is to say about the last sample; strings are borrowed from s. */
void sampler_report(const struct sampler *s, enum sample sample, struct wire_report *ret_r);
