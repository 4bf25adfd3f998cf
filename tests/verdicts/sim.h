/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim - one partition, its producer and its consumer, played through tracks and judge in steps of
 * 100 ms. What the consumer does is known, so what the judge should say is, too.
 */

#include "aggregator/judge/judge.h"

#define SIM_START_MS INT64_C(1700000000000)

/* Times in seconds, rates in messages a second, 0: not used. */
struct sim_plan {
	const char *what;
	double produce;                       /* steady rate */
	double burst, burst_every, burst_for; /* more for burst_for out of every burst_every */
	double produce_until;
	double one_every;    /* a single message every so many seconds */
	double marker_every; /* transactions: ten messages and a marker that nobody reads */
	double backlog;      /* messages there before the consumer first comes */
	double read;         /* most it can read; 0: no limit */
	double read_from_s, read_then; /* and from then on */
	double commit_every;
	bool commit_same;            /* commits also when nothing moved */
	double work_every, work_for; /* reads only in the first work_for of every work_every */
	double hold;                 /* messages kept in hand */
	double pause_at, pause_every,
		pause_for;           /* neither reads nor commits: once, or again and again */
	bool pause_leaves;           /* and has left the group meanwhile */
	double stuck_from, stuck_to; /* commits, but reads nothing */
	double dead_from, dead_to;
	bool dead_hangs;              /* stays a member */
	double blind_from, blind_for; /* no passes */
	double jitter_every, jitter;  /* commits so many messages back */
	double rewind_at, rewind_to;  /* share of what was read */
	bool no_members;              /* assign(): never a member */
	bool admin;                   /* the source shows moves only */
};

struct sim {
	const struct sim_plan *plan;
	uint64_t seed;
	int64_t now_ms; /* since SIM_START_MS */
	double produced;
	int64_t end;
	int64_t markers_end; /* log end after the last marker */
	double position;
	int64_t committed; /* TRACK_UNKNOWN */
	int64_t committed_ms;
	int64_t next_commit_ms;
	int64_t next_pass_ms;
	int64_t interval_ms;
	int64_t skew_ms;  /* of the broker's clock */
	int64_t shift_ms; /* of all times */
	bool reverse;     /* rows of a pass in another order */
	bool twice;       /* every pass applied twice */
	bool reload;      /* all state through bytes between two passes */
	struct cluster_track cluster;
	struct log_track log;
	struct group_track group;
	struct commit_track commit;
	struct history history;
	struct rules rules;
	struct verdict verdict;
};

/* Begin a plan; the seed moves the passes. */
void sim_init(struct sim *s, const struct sim_plan *plan, int64_t interval_ms, uint64_t seed);

/* Play on until the next pass has been judged and published. */
void sim_pass(struct sim *s);

/* What is published. */
enum status sim_status(const struct sim *s);
enum reason sim_reason(const struct sim *s);

/* Seconds since the start. */
double sim_seconds(const struct sim *s);

/* Does the consumer live and work at this moment, by its plan? */
bool sim_is_away(const struct sim *s);

/* Repeatable randomness. */
uint64_t sim_random(uint64_t *seed);
