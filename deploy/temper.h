/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * temper - how the demo's consumers behave: pure, one partition and one second at a time.
 */

#include "common/base.h"

enum temper {
	TEMPER_HEALTHY,   /* reads all but the last few messages */
	TEMPER_BURSTY,    /* slower than its bursts, faster than what comes on average */
	TEMPER_BATCH,     /* reads everything, commits every 30 s only */
	TEMPER_IDLE,      /* has read everything, nothing new comes, commits go on */
	TEMPER_SLOW,      /* reads a fifth of what comes */
	TEMPER_STUCK,     /* commits the same offset of its first partition for ever */
	TEMPER_REWINDING, /* goes back to its first message every 30 s */
	TEMPER_HUNG,      /* stays a member but reads and commits nothing more */
	TEMPER_CRASHED,   /* reads and commits nothing more, and its members leave */
	TEMPER_COUNT,
};

/* One partition as its consumer sees it. Starts zeroed. */
struct temper_reader {
	int64_t position; /* the next offset it would read, and what it would commit */
	int64_t seen_end; /* log end at the last call */
	int64_t carry;    /* hundredths of a message still to be read, below 100 */
};

/* Read for one second. end: the log end now. second: since the start of the demo. */
void temper_read(enum temper t, struct temper_reader *r, int32_t partition, int64_t end, int second,
		 uint32_t random);

/* Whether a consumer commits in this second. phase keeps groups from committing all at once. */
bool temper_commits(enum temper t, int second, int phase);

/* Whether this is the second in which the members leave the group. */
bool temper_leaves(enum temper t, int second);
