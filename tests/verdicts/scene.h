/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * scene - one group of several members and partitions on a made-up broker, seen by a made-up agent
 * and judged pass by pass; a script drives it and says, phase by phase, which statuses are right.
 * Every second outside the grace of its phase is compared with that, as the live bench does.
 */

#include "aggregator/judge/judge.h"

#define SCENE_START_MS INT64_C(1700000000000)
#define SCENE_PARTS 4
#define SCENE_APPS 4

/* Sets of statuses that are right. */
#define SCENE_OK (1u << STATUS_OK)
#define SCENE_WARN (1u << STATUS_WARN)
#define SCENE_ERR (1u << STATUS_ERR)
#define SCENE_GONE (1u << STATUS_NOTFOUND)
#define SCENE_ALARM (SCENE_WARN | SCENE_ERR)
#define SCENE_ANY (SCENE_OK | SCENE_ALARM | SCENE_GONE)

/* The end of a feed's transactions. */
enum scene_txn {
	SCENE_NO_TXN,
	SCENE_COMMITS,
	SCENE_ABORTS,
};

/* A topic partition with its producer and what was committed for it. Times in ms of the scene. */
struct scene_part {
	int topic;
	bool exists;
	bool silent;                          /* the agent cannot ask for it */
	double rate;                          /* messages a second */
	double wave, wave_s;                  /* and a sine on top: height, period */
	double every_s, burst;                /* and so many at once */
	enum scene_txn txn;                   /* every burst is a transaction with a marker */
	bool open;                            /* a transaction that does not end */
	int64_t poison;                       /* readers get so far and no further; 0: none */
	double debt;                          /* produced, but less than a message */
	int64_t start, end, stable, readable; /* readable: end of the last readable record */
	int64_t committed, committed_ms;      /* TRACK_UNKNOWN */
	double position;                      /* of the member that reads it */
	int owner;                            /* index of an app; -1 */
	struct log_track log;
	struct history history;
	struct commit_track commit;
	struct verdict verdict;
	int64_t wish_offset, wish_end; /* what the probe was asked for; TRACK_UNKNOWN */
};

/* How a consumer application works. Times in seconds; 0: no limit, or not used. */
struct scene_plan {
	unsigned topics; /* bit mask of those it subscribes to; 0: topic 0 */
	double rate;
	double commit_every;
	double work_every, work_for; /* reads only in the first work_for of every work_every */
	double hold;                 /* messages kept in hand */
	double batch;                /* commits whole batches of so many only */
	bool commit_same;            /* commits what did not move as well */
	bool latest;                 /* auto.offset.reset */
	bool simple;                 /* assign(): reads all, never a member */
	bool is_static;              /* stays a member while it restarts */
	bool never_commits;
};

struct scene_app {
	struct scene_plan plan;
	bool runs, member, hangs;
	unsigned stuck; /* bit mask of partitions it does not process */
	int64_t begun_ms, next_commit_ms;
	int64_t expires_ms; /* when the coordinator misses it; 0: it does not */
	double budget;
};

struct scene_phase {
	const char *name;
	unsigned right, before;
	unsigned bad_parts; /* those that may alarm; others may not */
	int64_t from_ms;
	double grace_s;
};

struct scene {
	/* set by whoever runs it */
	int64_t interval_ms;
	uint64_t seed;
	bool show;
	/* set by the script */
	bool no_probe;          /* it may not read the topics */
	bool new_protocol;      /* KIP-848 */
	bool hides_topics;      /* subscriptions are not known */
	bool assigns_to_nobody; /* a broken assignor */
	double blind_s;         /* no passes for so long from now on */
	/* the rest is its own */
	int64_t now_ms, next_pass_ms, rebalanced_ms;
	bool rebalancing, visible;
	int32_t generation;
	struct scene_part parts[SCENE_PARTS];
	struct scene_app apps[SCENE_APPS];
	struct cluster_track cluster;
	struct group_track group;
	struct rules rules;
	enum status status;
	struct scene_phase phase;
	int64_t seconds, wrong, wrong_in_grace;
	char first_wrong[160];
};

void scene_begin(struct scene *c);

/* A topic of so many partitions; returns the index of the first one. */
int scene_topic(struct scene *c, int topic, int partitions);

struct scene_app *scene_app(struct scene *c, struct scene_plan plan);

enum scene_stop {
	SCENE_CLEAN, /* commits and leaves */
	SCENE_LEAVE, /* leaves without a commit */
	SCENE_CRASH, /* says nothing: stays a member until the session ends */
};

void scene_stop(struct scene *c, struct scene_app *a, enum scene_stop how);

/* The same application again, from what is committed. */
void scene_restart(struct scene *c, struct scene_app *a);
void scene_subscribe(struct scene *c, struct scene_app *a, unsigned topics);

/* Somebody commits from outside. */
void scene_commit(struct scene *c, int part, int64_t offset);
void scene_delete_topic(struct scene *c, int topic);
void scene_delete_group(struct scene *c);

/* Seconds that a monitor may take: at the start, to find death, growth, recovery. */
double scene_grace_start(const struct scene *c);
double scene_grace_death(const struct scene *c);
double scene_grace_growth(const struct scene *c);
double scene_grace_recovery(const struct scene *c);

/* From now on these are right. bad_parts: bit mask of partitions that are the cause; 0: any. */
void scene_phase(struct scene *c, const char *name, unsigned right, double grace_s,
		 unsigned bad_parts);
void scene_play(struct scene *c, double seconds);
