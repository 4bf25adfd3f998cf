/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * part - one partition of one group on its way through a judging: what is known of it is gathered,
 * it is judged, and what needs the store is done at the end.
 */

#include "aggregator/ingest/members.h"
#include "aggregator/ingest/probes.h"
#include "aggregator/judge/judge.h"
#include "aggregator/store/store.h"

struct part {
	/* set by who gathers */
	struct store_commit_key key;
	struct commit_track track;
	struct log_track log;
	bool has_log;
	const struct group_track *group; /* NULL: none */
	const struct cluster_track *cluster;
	const struct rules *rules;
	int64_t silent_ms;               /* as struct evaluate's */
	const struct members_one *owner; /* NULL: none */
	bool changed;                    /* the track */

	/* found out */
	enum status before; /* published before */
	bool lost;          /* messages have been lost since the pass before */
	struct verdict verdict;
};

/* Join the pass. When the agent is blind there is none, and nothing changes. */
void part_join(struct part *p, struct store_txn *t);

/* True: to judge it may take long, since much of its window is looked at. */
bool part_is_long(const struct part *p);

/* Judge. Any thread. */
void part_judge(struct part *p);

/* Take what a probe has found, or wish for one, and publish. */
void part_publish(struct part *p, struct probes *probes);

/* As the judge takes it; borrowed from p. */
struct judge_input part_input(const struct part *p);
