/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * probe - what aggregators ask to be read in one cluster, and what was found there.
 *
 * Has a thread of its own, started with the first question, and reads through kafka_probe, so that
 * a pass never waits for it. Questions come from shippers, answers leave with the next pass. Where
 * a transaction was found open, it goes on telling the last stable offset with every pass.
 */

#include "agent/collect/topics.h"
#include "agent/config.h"
#include "proto/wire.h"

struct probe;

struct probe_answer {
	char topic[WIRE_TOPIC_MAX + 1];
	int32_t partition;
	int64_t offset; /* as asked */
	int64_t end;
	enum wire_probe_answer answer;
	int64_t time_ms; /* WIRE_UNKNOWN */
};

/* conf must outlive it. */
struct probe *probe_new(const struct agent_cluster *conf);

/* How many questions it takes between two passes; 0: it is switched off. */
uint32_t probe_limit(const struct probe *p);

/* Take over questions; those that find no room, or are being read, are dropped. Any thread. */
void probe_ask(struct probe *p, const struct wire_probe *questions, size_t count);

/* Give away the answers found, at most max, and so make room for questions. */
size_t probe_take(struct probe *p, struct probe_answer *ret_list, size_t max);

/* Have t know the last stable offset of partitions with an open transaction. The collector's
 * thread, at a pass, after the log ends were asked. Takes timeout_ms at most. */
void probe_stable(struct probe *p, struct topics *t, int timeout_ms);

/* Ask it to end soon; returns at once. */
void probe_ask_stop(struct probe *p);

/* Wait for its end and free it. False: it has not ended within timeout_ms, and lives on. */
bool probe_join(struct probe **p, int timeout_ms);
