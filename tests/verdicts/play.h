/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* play - one group-partition, played pass by pass by a test that sets what is seen. */

#include "aggregator/judge/judge.h"

#define PLAY_START_MS INT64_C(1700000000000)

struct play {
	int64_t now_ms;
	int64_t interval_ms;
	/* What the next pass sees. */
	int64_t start, end, stable;
	int64_t committed;  /* TRACK_UNKNOWN: none */
	int64_t arrival_ms; /* of the last commit; set by play_commit() */
	int64_t commit_time_ms;
	bool log_fails;
	bool has_group;
	struct track_group_row members;
	enum track_owner owner;
	enum track_subscription subscription;
	/* What is remembered. */
	struct cluster_track cluster;
	struct log_track log;
	struct group_track group;
	struct commit_track commit;
	struct rules rules;
	struct verdict verdict;
	bool changed; /* the last pass changed the commit track */
};

/* A partition with an empty log, no members and passes every interval_s seconds. */
static inline void play_init(struct play *p, int64_t interval_s)
{
	*p = (struct play){
		.now_ms = PLAY_START_MS,
		.interval_ms = interval_s * 1000,
		.stable = TRACK_UNKNOWN,
		.committed = TRACK_UNKNOWN,
		.rules = RULES_DEFAULT,
	};
}

/* A commit arrives one second before the next pass. */
static inline void play_commit(struct play *p, int64_t offset)
{
	p->committed = offset;
	p->arrival_ms = p->now_ms + p->interval_ms - 1000;
	p->commit_time_ms = p->arrival_ms;
}

static inline void play_members(struct play *p, uint32_t count, enum track_owner owner)
{
	p->has_group = true;
	p->members = (struct track_group_row){TRACK_PROTOCOL_CLASSIC,
					      count > 0 ? TRACK_GROUP_STABLE : TRACK_GROUP_EMPTY, 1,
					      count};
	p->owner = owner;
}

static inline void play_rows(struct play *p)
{
	struct track_log_row l = {p->start, p->end, p->stable, TRACK_UNKNOWN};
	struct track_commit_row c = {p->committed, p->commit_time_ms, p->arrival_ms};

	if (p->log_fails)
		l.start = l.end = TRACK_UNKNOWN;
	track_log_row(&p->log, &p->cluster, p->now_ms, &l);
	if (p->has_group)
		track_group_row(&p->group, p->now_ms, &p->members);
	if (p->committed >= 0 || p->owner == TRACK_OWNER_PRESENT)
		track_commit_row(&p->commit, &p->cluster, p->now_ms, &c);
	if (p->commit.version != 0)
		track_owner(&p->commit, p->owner, p->subscription);
}

static inline struct judge_input play_input(const struct play *p)
{
	return (struct judge_input){&p->commit,  &p->log,   p->has_group ? &p->group : NULL,
				    &p->cluster, &p->rules, p->now_ms};
}

/* One pass later. Returns what is published then. */
static inline enum status play_pass(struct play *p)
{
	p->now_ms += p->interval_ms;
	track_cluster_pass(&p->cluster, p->now_ms, (uint32_t)p->interval_ms, p->rules.window_ms);
	play_rows(p);
	if (p->commit.version == 0)
		return STATUS_NOTFOUND;
	struct judge_input in = play_input(p);
	p->changed = track_pass(&p->commit, &p->log, in.group, &p->cluster, p->now_ms);
	judge(&in, &p->verdict);
	p->changed |= track_publish(&p->commit, &p->verdict, &p->rules, p->now_ms);
	return (enum status)p->commit.status;
}

/* So many passes in which the log grows and, where reads, all but behind of it is committed. The
 * worst that was published in them. */
static inline enum status play_on(struct play *p, int passes, int64_t grows, bool reads,
				  int64_t behind)
{
	enum status worst = STATUS_NOTFOUND;

	for (int i = 0; i < passes; i++) {
		p->end += grows;
		if (reads)
			play_commit(p, p->end - behind);
		enum status s = play_pass(p);
		worst = s > worst ? s : worst;
	}
	return worst;
}
