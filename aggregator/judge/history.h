/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * history - how the log end of one topic partition moved over the last 30 days, coarsely, so that
 * the age of any offset can be told. Four levels of fixed size, each stored as its own record:
 * the finest changes with every pass, the coarsest every two hours.
 *
 *	level 0  10 s bins, 15 minutes     level 2  10 min bins, 3 days
 *	level 1  1 min bins, 6 hours       level 3  2 h bins, 30 days
 *
 * A level is a plain value that starts zeroed; its first history_size(level) bytes are what has to
 * be stored. No clock, no memory of its own.
 */

#include "common/base.h"

#define HISTORY_LEVELS 4
#define HISTORY_BINS_MAX 432

struct history_level {
	int64_t bin; /* number of the newest closed bin: its end time divided by the bin's width */
	int64_t value;  /* the log end at that bin's end, as the codes tell it */
	uint16_t count; /* codes held; 0: empty */
	uint16_t head;  /* slot of the newest code */
	uint8_t version;
	uint8_t reserved[3];
	uint8_t codes[HISTORY_BINS_MAX]; /* ring: growth within each bin, newest at head */
};

_Static_assert(sizeof(struct history_level) == 456, "stored: no padding");

struct history {
	struct history_level levels[HISTORY_LEVELS];
};

/* Bytes of a level that have to be stored; the sum over all levels is below 1.5 KiB. */
size_t history_size(unsigned level);

/* Take in the log end at a time. Returns a bit mask (1 << level) of the levels that changed. A time
 * that is not later than what is known changes nothing. An end below what is known resets
 * everything: the topic was recreated or the log truncated. */
unsigned history_add(struct history *h, int64_t at_ms, int64_t end);

/* When the log end first passed offset (became greater), interpolated within one bin. Returns true
 * with the time; false, and the oldest time known (0: none) in *ret_at_ms, when the log end was
 * beyond offset in all of the history. */
bool history_passed(const struct history *h, int64_t offset, int64_t *ret_at_ms);

/* The same by the looks alone, between which the end grows evenly: what is most likely, where
 * history_passed() errs towards later. */
bool history_came(const struct history *h, int64_t offset, int64_t *ret_at_ms);

/* --- the log end over time --- */

/* Goes through the bins of one level, the oldest first. */
struct history_walk {
	const struct history_level *of; /* borrowed; NULL: it holds nothing */
	unsigned level;
	int64_t bin, end;
};

void history_walk_begin(struct history_walk *w, const struct history_level *l, unsigned level);

/* On to the bin that holds a time, which is not before the last: the log end as the first look in
 * that bin told it; the newest known for later bins. False when the level does not reach back so
 * far. */
bool history_walk_to(struct history_walk *w, int64_t at_ms, int64_t *ret_end);
