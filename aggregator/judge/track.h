/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * track - what is remembered of logs, commits, groups and clusters between two passes.
 *
 * The four structs are plain values of fixed size, little-endian as the machine, zeroed when new,
 * stored as their bytes. No function here reads a clock, a store or a configuration. All times are
 * the agent's, in ms of Unix time, and at_ms is always the time of a pass; 0 means "never".
 *
 * Order of use in one pass, by one thread:
 *	1. track_cluster_pass() once, before everything else of the pass
 *	2. track_log_row(), track_commit_row(), track_group_row() and track_owner() for rows that
 *	   came, in any order; a pass applied twice changes nothing
 *	3. for every group-partition of the cluster track_pass(), then, if track_wants_history(),
 *	   track_history(); then judge() of judge.h and track_publish()
 * An idle partition's track does not change in step 3, whatever the number of passes.
 */

#include "aggregator/judge/history.h"
#include "aggregator/judge/status.h"
#include "aggregator/judge/window.h"
#include "common/base.h"

#define TRACK_VERSION 1
#define TRACK_UNKNOWN (-1) /* an offset or time that is not known */
#define TRACK_GAPS 16
#define TRACK_PACES 3
#define TRACK_REBALANCES 8

/* A stretch of time in which the agent saw nothing. */
struct track_gap {
	int64_t from_ms; /* the last pass before it */
	int64_t to_ms;   /* the first pass after it */
};

/* One a cluster. */
struct cluster_track {
	uint8_t version;
	uint8_t reserved[3];
	uint32_t interval_ms;
	uint32_t passes;     /* passes applied, counted here; the first is 1 */
	uint32_t fresh_pass; /* the first pass after a gap as long as the window */
	int64_t window_ms;   /* the greatest window of any rule; tracks are kept for it */
	int64_t last_ms;     /* the last pass */
	int64_t before_ms;   /* the pass before it */
	int64_t first_ms;    /* the first pass ever */
	struct track_gap gaps[TRACK_GAPS]; /* oldest first, unused ones zero and last */
};

_Static_assert(sizeof(struct cluster_track) == 304, "stored: no padding");

/* One a topic partition. */
struct log_track {
	uint8_t version;
	uint8_t reserved[3];
	int32_t leader_epoch; /* TRACK_UNKNOWN */
	uint32_t generation;  /* how often the log was recreated or truncated */
	uint32_t reserved2;
	int64_t start;            /* log start offset, last known; TRACK_UNKNOWN: never known */
	int64_t end;              /* log end offset, last known; TRACK_UNKNOWN: never known */
	int64_t stable;           /* last stable offset; TRACK_UNKNOWN: not asked */
	int64_t row_at_ms;        /* pass of the last row; 0: none yet */
	int64_t start_moved_ms;   /* pass at which start last rose */
	int64_t end_moved_ms;     /* pass at which end last changed */
	int64_t recreated_ms;     /* pass at which generation last rose */
	int64_t unknown_since_ms; /* start and end cannot be asked since; 0: they can */
	struct track_gap unknown; /* the last stretch of that kind that has ended */
	struct window ends;
};

_Static_assert(sizeof(struct log_track) == 264, "stored: no padding");

/* As in proto/wire.h. */
enum track_protocol {
	TRACK_PROTOCOL_UNKNOWN,
	TRACK_PROTOCOL_CLASSIC,
	TRACK_PROTOCOL_CONSUMER,
	TRACK_PROTOCOL_SHARE,
	TRACK_PROTOCOL_STREAMS,
	TRACK_PROTOCOL_NONE,
};

enum track_group_state {
	TRACK_GROUP_UNKNOWN,
	TRACK_GROUP_EMPTY,
	TRACK_GROUP_STABLE,
	TRACK_GROUP_REBALANCING,
	TRACK_GROUP_DEAD,
};

/* One a group. */
struct group_track {
	uint8_t version;
	uint8_t protocol;    /* enum track_protocol */
	uint8_t state;       /* enum track_group_state */
	uint8_t had_members; /* 1: at some time */
	uint32_t member_count;
	int32_t generation; /* TRACK_UNKNOWN */
	uint32_t reserved;
	int64_t created_ms;      /* first seen */
	int64_t row_at_ms;       /* pass of the last row; 0: none: known by its commits only */
	int64_t members_lost_ms; /* when the last member went, last time; stays when they return */
	int64_t rebalanced_ms[TRACK_REBALANCES]; /* passes that saw a new generation, newest first
						  */
};

_Static_assert(sizeof(struct group_track) == 104, "stored: no padding");

enum track_owner {
	TRACK_OWNER_UNKNOWN, /* members and assignments are not known */
	TRACK_OWNER_NONE,    /* members are known, none has this partition */
	TRACK_OWNER_PRESENT,
};

enum track_subscription {
	TRACK_SUBSCRIPTION_UNKNOWN, /* e.g. a pattern, or the source does not tell */
	TRACK_SUBSCRIPTION_NO,      /* no member subscribes to the topic */
	TRACK_SUBSCRIPTION_YES,
};

/* The longest intervals of late, from which the usual pace is told; see pace.h. */
struct track_pace {
	uint32_t longest_ms[TRACK_PACES]; /* falling; top bit: an alarm was up when it ended */
	uint32_t earlier_ms[TRACK_PACES]; /* the same of the period before */
	uint32_t since_s;                 /* begin of the period, or last counted while few are */
	uint16_t count;                   /* intervals in the period; stops at 1000 */
	uint16_t earlier_count;
};

enum track_probe {
	TRACK_PROBE_NONE,    /* not asked */
	TRACK_PROBE_UNKNOWN, /* asked, no answer */
	TRACK_PROBE_RECORD,  /* the first unread record was found */
	TRACK_PROBE_NOTHING, /* no record between the committed offset and probe_end */
};

/* One a group and topic partition. */
struct commit_track {
	uint8_t version;
	uint8_t flags;         /* TRACK_* bits below */
	uint8_t owner;         /* enum track_owner */
	uint8_t subscription;  /* enum track_subscription */
	uint8_t status;        /* published: enum status */
	uint8_t reason;        /* published: enum reason */
	uint8_t pending;       /* enum status that has been seen, but not yet long enough */
	uint8_t pending_count; /* passes for which it has */
	uint8_t probe;         /* enum track_probe, for this offset */
	uint8_t rewind_rises;  /* rises of the offset since the rewind, stops at 255 */
	uint8_t after_err;     /* 1: before what is published stood STOP, STALL or REWIND */
	uint8_t reserved;
	uint32_t first_pass;  /* cluster_track.passes when first seen */
	uint32_t generation;  /* log_track.generation that the offset belongs to */
	uint32_t beyond_pass; /* pass since which the offset is beyond the end; 0: it is not */

	int64_t offset;        /* committed offset; TRACK_UNKNOWN: owned but never committed */
	int64_t time_ms;       /* the commit's own timestamp: shown, never compared */
	int64_t arrival_ms;    /* when the agent saw the last commit; 0: never */
	int64_t row_at_ms;     /* pass of the last row */
	int64_t joined_at_ms;  /* pass at which that row was joined with the log */
	int64_t before_offset; /* of the commit before, for the joining */
	int64_t before_arrival_ms;

	int64_t first_seen_ms;
	int64_t highest;          /* greatest offset since the last accepted reset */
	int64_t progress_ms;      /* arrival of the last commit that passed it */
	int64_t progress_at_ms;   /* the pass that saw it */
	int64_t owned_since_ms;   /* 0: not owned */
	int64_t owned_end;        /* log end at that moment; TRACK_UNKNOWN */
	int64_t unowned_since_ms; /* a stable group with members has given it to nobody since; or 0
				   */
	int64_t oldest_ms;        /* when the oldest unread message came; 0: nothing waits */
	int64_t clear_end;        /* log end up to which nothing waited; while a group without
				     a commit is away the end when it left; TRACK_UNKNOWN */
	int64_t rewind_from, rewind_to;
	int64_t rewind_at_ms;  /* 0: none, or made good, or accepted */
	int64_t lost;          /* messages deleted unread, last time */
	int64_t lost_at_ms;    /* the pass that saw it; 0: never, or read on since */
	int64_t probe_end;     /* up to where the probe has read */
	int64_t since_ms;      /* when the published status began */
	int64_t pending_at_ms; /* pass of the last publishing */

	struct track_pace commits;  /* time between commits while messages waited */
	struct track_pace progress; /* time between progress while messages waited */
	struct window offsets;
};

_Static_assert(sizeof(struct commit_track) == 448, "stored: no padding");

/* bits of commit_track.flags */
#define TRACK_WAITED (1u << 0)   /* messages waited when last compared */
#define TRACK_AT_LEAST (1u << 1) /* oldest_ms is an upper bound: the message may be older */
#define TRACK_WANTS_HISTORY (1u << 2)
#define TRACK_EXACT (1u << 3)      /* oldest_ms was read by the probe */
#define TRACK_MOVES_ONLY (1u << 4) /* the source does not show commits of an unmoved offset */
#define TRACK_LOSS_SEEN (1u << 5)  /* an operator has acknowledged the loss */
#define TRACK_ABANDONED (1u << 6)  /* the group has left the topic */
#define TRACK_UNREADABLE (1u << 7) /* what is unread belongs to an open transaction */

/* --- step 1 --- */

/* A pass of this cluster has come. window_ms is the greatest window in use. Returns false, and
 * changes nothing, if it is not later than the last. */
bool track_cluster_pass(struct cluster_track *c, int64_t at_ms, uint32_t interval_ms,
			int64_t window_ms);

/* Milliseconds between two times in which the agent was blind. */
int64_t track_blind_ms(const struct cluster_track *c, int64_t from_ms, int64_t to_ms);

/* Milliseconds between two times in which this partition could be seen: blind time of the agent,
 * and time in which the log could not be asked, do not count. Never negative. log may be NULL. */
int64_t track_seen_ms(const struct cluster_track *c, const struct log_track *log, int64_t from_ms,
		      int64_t to_ms);

/* Points of a window closer than this are merged. */
int64_t track_gap_ms(const struct cluster_track *c);

/* --- step 2; true: the track changed --- */

struct track_log_row {
	int64_t start; /* TRACK_UNKNOWN with end: the partition could not be asked */
	int64_t end;
	int64_t stable; /* TRACK_UNKNOWN */
	int32_t leader_epoch;
};

bool track_log_row(struct log_track *l, const struct cluster_track *c, int64_t at_ms,
		   const struct track_log_row *row);

struct track_commit_row {
	int64_t offset;     /* TRACK_UNKNOWN: a member owns the partition, nothing is committed */
	int64_t time_ms;    /* TRACK_UNKNOWN: the source shows moves only (admin) */
	int64_t arrival_ms; /* agent's clock */
};

/* For a new track too. An owned partition without a commit gets a row with an unknown offset once.
 */
bool track_commit_row(struct commit_track *t, const struct cluster_track *c, int64_t at_ms,
		      const struct track_commit_row *row);

struct track_group_row {
	enum track_protocol protocol;
	enum track_group_state state;
	int32_t generation;
	uint32_t member_count;
};

bool track_group_row(struct group_track *g, int64_t at_ms, const struct track_group_row *row);

/* Who has this partition, and does a member subscribe to its topic: after every row of the group,
 * for all its partitions. */
bool track_owner(struct commit_track *t, enum track_owner owner,
		 enum track_subscription subscription);

/* True: nothing was ever committed here and nobody has it any more, so that it can be forgotten. A
 * group that lost its members without a first commit may come back for one. group is NULL for one
 * that has no members ever. */
bool track_is_over(const struct commit_track *t, const struct group_track *group);

/* The answer of a probe that read from offset to end. record_ms: the record's timestamp, for
 * TRACK_PROBE_RECORD. Ignored when the offset has moved on; the log may have. track_pass() then has
 * to join the pass once more. */
bool track_probe_answer(struct commit_track *t, const struct log_track *l, int64_t offset,
			int64_t end, enum track_probe answer, int64_t record_ms);

/* Whether a probe has found that no record lies between the committed offset and the log end. */
bool track_read_empty(const struct commit_track *t, const struct log_track *l);

/* An operator knows of the loss. */
bool track_acknowledge_loss(struct commit_track *t);

/* --- step 3; true: the track changed and has to be stored --- */

/* Join this pass. log is NULL while the topic is not known; group is NULL for a group known by its
 * commits only. at_ms is the cluster's last pass. */
bool track_pass(struct commit_track *t, const struct log_track *log,
		const struct group_track *group, const struct cluster_track *cluster,
		int64_t at_ms);

/* True: the oldest unread message is older than the log's window tells; load the history and call
 * track_history(). Without it its age stays a lower bound. */
bool track_wants_history(const struct commit_track *t);
bool track_history(struct commit_track *t, const struct history *h);

struct verdict; /* judge.h */
struct rules;

/* Publish a verdict: worse after rules->raise_after passes, better after rules->clear_after. The
 * published status, reason and since_ms are then in *t. */
bool track_publish(struct commit_track *t, const struct verdict *v, const struct rules *rules,
		   int64_t at_ms);

/* --- for those who show --- */

struct track_edge {
	int64_t offset;
	int64_t at_ms; /* pass that saw it */
	int64_t lag;   /* at that time; TRACK_UNKNOWN */
};

/* The oldest and the newest committed offset of the window; false if there is none. */
bool track_edges(const struct commit_track *t, const struct log_track *log, int64_t from_ms,
		 struct track_edge *ret_first, struct track_edge *ret_last);

/* Generations of the group that began at or after from_ms, at most TRACK_REBALANCES. */
unsigned track_rebalances(const struct group_track *g, int64_t from_ms);
