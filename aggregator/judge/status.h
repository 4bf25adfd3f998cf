/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * status - the words of a verdict: statuses, which are Burrow's, and reasons, which are ours.
 */

#include "common/base.h"

/* Rising badness, so that the worst of several is the largest. */
enum status {
	STATUS_NOTFOUND, /* groups only, on the wire only */
	STATUS_OK,
	STATUS_WARN,
	STATUS_ERR, /* groups only */
	STATUS_STOP,
	STATUS_STALL,
	STATUS_REWIND,
};

/* The rule that decided, in the words of the API. */
enum reason {
	REASON_NONE,
	REASON_NO_DATA,
	REASON_WARMING_UP,
	REASON_OFFSET_BEYOND_END,
	REASON_DATA_LOSS,
	REASON_CAUGHT_UP,
	REASON_OPEN_TRANSACTION,
	REASON_WENT_BACKWARDS,
	REASON_NO_COMMITS,      /* STOP */
	REASON_NO_MEMBERS,      /* STOP */
	REASON_NEVER_COMMITTED, /* STOP */
	REASON_UNASSIGNED,      /* STOP */
	REASON_UNOWNED,         /* WARN */
	REASON_ABANDONED,
	REASON_NO_PROGRESS,    /* STALL */
	REASON_REWIND_LOOP,    /* STALL */
	REASON_FALLING_BEHIND, /* WARN */
	REASON_TIME_LAG,       /* WARN */
	REASON_CATCHING_UP,
	REASON_KEEPING_UP,
	REASON_IGNORED, /* by rule or maintenance */
	REASON_COUNT,
};

/* "OK", "WARN", ... as on Burrow's wire; static. */
const char *status_str(enum status s);

/* Burrow's numbers in /metrics for partitions: 1 OK 2 WARN 4 STOP 5 STALL 6 REWIND. The enum's own.
 */

/* "caught_up", ... in lower case with underscores; static. */
const char *reason_str(enum reason r);

/* What a group is when its worst counted partition is this. */
enum status status_of_group(enum status worst_partition);
