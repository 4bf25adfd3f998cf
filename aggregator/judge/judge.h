/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * judge - facts of one partition of one group -> what its state is, and why.
 *
 * Pure: no clock, no store, no configuration, no memory between two calls. Any thread. The same
 * code answers the live system, tests and recorded cases. Nine rules, in order, in judge.c; the
 * words for people are in explain.
 */

#include "aggregator/judge/status.h"
#include "aggregator/judge/track.h"
#include "common/buf.h"

/* What a rules file can say of a partition. */
struct rules {
	int64_t allowed_lag;          /* messages; lag up to this counts as none; 0 */
	int64_t max_time_lag_ms;      /* 0: no bound */
	int64_t window_ms;            /* 10 min */
	int64_t stop_after_min_ms;    /* 60 s */
	int64_t stop_after_max_ms;    /* 1 h */
	int64_t warn_after_ms;        /* 60 s */
	int64_t maintenance_until_ms; /* 0: none */
	int64_t expire_group_ms;      /* 7 d; not the judge's: how long a silent group is kept */
	uint32_t raise_after;         /* passes, at least 1; 2 */
	uint32_t clear_after;         /* 2 */
	bool ignore;                  /* shown, not counted */
	uint8_t reserved[7];          /* no padding: equal rules are equal bytes */
	const char *maintenance_why;  /* borrowed; NULL: not said */
	const char *maintenance_by;   /* who declared it, borrowed; NULL: the rules file does */
};

extern const struct rules RULES_DEFAULT;

struct judge_input {
	const struct commit_track *commit;
	const struct log_track *log;     /* NULL: the topic is not known */
	const struct group_track *group; /* NULL: known by its commits only */
	const struct cluster_track *cluster;
	const struct rules *rules;
	int64_t now_ms; /* time of the last pass; later, when none came: the agent is blind */
};

struct verdict {
	enum status status; /* OK, WARN, STOP, STALL or REWIND */
	enum reason reason;
	uint8_t rule; /* 1..9 of the rules in judge.c; 0: ignored */
	bool counted; /* false: does not make the group bad */
	bool hold;    /* not enough is seen: what is published stands */
	bool time_lag_at_least;
	float complete;      /* 0..1: share of the window seen */
	int64_t lag;         /* TRACK_UNKNOWN */
	int64_t lost;        /* messages deleted unread that the group has not passed yet */
	int64_t time_lag_ms; /* how long the oldest unread message has waited; TRACK_UNKNOWN */
	int64_t eta_ms;      /* until caught up; TRACK_UNKNOWN */
	int64_t limit_ms;    /* the time the deciding rule allows; 0: it has none */
	int64_t elapsed_ms;  /* and how long it has been so, blind time not counted */
};

/* Decide. ret_v is set in full. */
void judge(const struct judge_input *in, struct verdict *ret_v);

/* One sentence in plain words with the numbers, and what would clear it. */
void explain(const struct judge_input *in, const struct verdict *v, struct buf *out);

/* The numbers that explain() writes, for those who keep them and write later. */
struct explain_facts {
	enum reason reason;
	bool time_lag_at_least;
	bool ignored; /* REASON_IGNORED: by a rule; false: by maintenance */
	float complete;
	int64_t committed, log_start, log_end, lag, lost;
	int64_t time_lag_ms, elapsed_ms, limit_ms, eta_ms;
	int64_t usual_ms;  /* usual pause between commits */
	int64_t unseen_ms; /* for how long nothing has been seen */
	int64_t rewind_from, rewind_to;
	int64_t window_ms;
	int64_t maintenance_ms;      /* for how much longer */
	const char *maintenance_why; /* borrowed; "": not said */
};

void explain_gather(const struct judge_input *in, const struct verdict *v,
		    struct explain_facts *ret_f);
void explain_facts(const struct explain_facts *f, struct buf *out);

/* Whether the sentence of a reason needs nothing but offsets, lags and the window. */
bool explain_is_plain(enum reason reason);

/* A group none of whose partitions is in trouble. unknown: of how many the lag is not known. */
void explain_quiet_group(size_t partitions, size_t unknown, uint64_t total_lag, struct buf *out);

/* As explain() writes them: 12904 as "12,904", 250000 as "4 min 10 s", the two greatest units. */
void explain_count(struct buf *out, int64_t n);
void explain_time(struct buf *out, int64_t ms);

/* True: reading one record at the committed offset could change this verdict. That one was found
 * before is no reason against it: compaction may remove it unread. */
bool judge_wants_probe(const struct judge_input *in, const struct verdict *v);

/* The times without a commit, and without progress, after which this partition is called. */
int64_t judge_stop_after_ms(const struct commit_track *t, const struct rules *r);
int64_t judge_stall_after_ms(const struct commit_track *t, const struct rules *r);
