/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pass - a table's news, or all of it, as encoded batches.
 *
 * Rows are sorted by group, topic and partition, which packs well. The batches lack what only the
 * sender knows: agent, epoch, seq, instance, floor_seq. Changes in the table nothing but what the
 * builder itself notes there; that a pass was sent is table_sent()'s to say.
 */

#include "agent/collect/probe.h"
#include "agent/collect/table.h"
#include "proto/wire.h"

#define PASS_BODY_TARGET (64u << 10) /* bytes a batch should have encoded, roughly */

struct pass {
	const char *cluster;
	const char *environment;
	uint64_t number;
	int64_t at_ms;
	uint32_t interval_ms;
	bool full;
	struct wire_report report;
	const struct probe_answer *answers; /* at most WIRE_PROBES_MAX; those about topics that are
					     * not known any more are left out */
	size_t answer_count;
};

/* Build the batches of a pass, one at least, and hand each to emit, encoded. */
void pass_build(struct table *t, const struct pass *p,
		void (*emit)(void *arg, const void *body, size_t size), void *arg);

/* A batch that carries nothing but p->report. */
void pass_report(const struct pass *p, void (*emit)(void *arg, const void *body, size_t size),
		 void *arg);
