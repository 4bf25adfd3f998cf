/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * past - what has been: since when a group is what it is, what happened to it, and how far it was
 * behind. Part of the store and used like store.h, inside its transactions.
 */

#include "aggregator/judge/lag_history.h"
#include "aggregator/store/store.h"

/* --- since when --- */

struct past_standing {
	int64_t since_ms; /* pass at which the group's status was first published */
	int64_t first_ms; /* pass at which the group was first judged */
	uint32_t status;  /* enum status, of groups */
	uint32_t reserved;
};

bool past_get_standing(struct store_txn *t, uint32_t cluster, uint32_t group,
		       struct past_standing *ret_v);
void past_put_standing(struct store_txn *t, uint32_t cluster, uint32_t group,
		       const struct past_standing *v);

/* Walk a cluster's in the order of the groups' numbers; as store_next_group(). */
bool past_next_standing(struct store_txn *t, bool first, uint32_t cluster, uint32_t *ret_group,
			struct past_standing *ret_v);

/* The group's standing and its events. */
void past_del_group(struct store_txn *t, uint32_t cluster, uint32_t group);

/* --- the oldest message of a log whose start has moved --- */

struct past_oldest {
	int64_t start;    /* the log start it is known for */
	int64_t at_ms;    /* when that message came; 0: not known */
	uint64_t earlier; /* 1: it came then or earlier */
};

bool past_get_oldest(struct store_txn *t, struct store_log_key k, struct past_oldest *ret_v);
void past_put_oldest(struct store_txn *t, struct store_log_key k, const struct past_oldest *v);

/* --- what happened --- */

enum past_kind {
	PAST_STATUS,    /* the published status changed */
	PAST_LOSS,      /* messages were deleted before they were read */
	PAST_RECREATED, /* the topic was recreated */
};

#define PAST_EVENTS 200             /* kept of each group */
#define PAST_EVENTS_MS 2592000000LL /* and for 30 days */

/* Numbers that are not known are TRACK_UNKNOWN; of a group they are those of its worst partition.
 */
struct past_event {
	int64_t at_ms; /* the pass */
	uint8_t kind;  /* enum past_kind */
	uint8_t from, to;
	uint8_t reason;
	uint8_t rule;      /* 0 for a group */
	bool of_group;     /* the group as a whole; topic is "" */
	int32_t partition; /* -1 for a group */
	uint32_t changed;  /* of a group: partitions whose status changed in that pass */
	int64_t committed, end, lag, lost, time_lag_ms, limit_ms, elapsed_ms;
	const char *topic;    /* borrowed */
	const char *sentence; /* borrowed */
};

typedef void past_on_event(void *arg, const struct past_event *e);

/* Add an event with a number of its own among those of its group and pass. */
void past_add_event(struct store_txn *t, uint32_t cluster, uint32_t group, uint32_t number,
		    const struct past_event *e);

/* Forget what is beyond the limits above. */
void past_trim_events(struct store_txn *t, uint32_t cluster, uint32_t group, int64_t now_ms);

/* Call on_event for up to max events that are older than before_ms, the newest first. */
void past_each_event(struct store_txn *t, uint32_t cluster, uint32_t group, int64_t before_ms,
		     size_t max, past_on_event *on_event, void *arg);

/* --- how far behind: the bins of lag_history.h --- */

struct past_bin {
	uint32_t cluster, level, bin;
};

void past_put_lag(struct store_txn *t, struct past_bin b, const struct lag_id *first,
		  const void *data, size_t size);

/* The block of a bin that would hold an id. False: there is no such bin. *ret_data is borrowed
 * until the next write or the end of the transaction. */
bool past_find_lag(struct store_txn *t, struct past_bin b, const struct lag_id *id,
		   const uint8_t **ret_data, size_t *ret_size);

/* Walk the blocks of a bin in order. */
bool past_next_lag(struct store_txn *t, bool first, struct past_bin b, const uint8_t **ret_data,
		   size_t *ret_size);

/* Remove a bin. */
void past_del_lag(struct store_txn *t, struct past_bin b);

/* Remove bins of the level before this one, at most max blocks. */
void past_expire_lag(struct store_txn *t, struct past_bin before, size_t max);
