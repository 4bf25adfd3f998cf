/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * lag_history - how far groups and their partitions were behind over the last 30 days, as blocks of
 * bytes. Time is cut into bins, on several levels; a bin holds all groups of a cluster, or all
 *their partitions, in blocks in rising order, so that a pass appends a few blocks however many it
 *saw.
 *
 *	groups      10 s bins for 15 min, 1 min for 6 h, 10 min for 3 days, 2 h for 30 days
 *	partitions                        1 min for 6 h, 10 min for 3 days, 2 h for 30 days
 *
 * A bin of groups holds the worst that was seen in it; one of partitions what its first pass saw.
 * Who waits for nothing is left out: missing in a bin that is there is OK with no lag, a bin that
 *is not there has not been seen. No clock, no store, no memory of its own.
 */

#include "aggregator/judge/status.h"
#include "common/base.h"

#define LAG_LEVELS 7
#define LAG_GROUP_LEVELS 4 /* levels below this are of groups */
#define LAG_BLOCK_MAX 984  /* four fit a page of the store, which then fills its pages best */
#define LAG_UNKNOWN 0xffff /* a code */

struct lag_level {
	int64_t width_ms;
	uint32_t bins; /* kept */
};

/* What a level is; level is below LAG_LEVELS. */
struct lag_level lag_level(unsigned level);
uint32_t lag_bin(unsigned level, int64_t at_ms);

/* Whose lag it is; topic and partition are 0 for a group. Ordered by group, topic, partition. */
struct lag_id {
	uint32_t group, topic;
	int32_t partition;
};

int lag_id_compare(const struct lag_id *a, const struct lag_id *b);

struct lag_sample {
	uint16_t lag; /* code of a partition's lag, or the sum of a group's */
	/* of groups only: */
	uint16_t max;  /* code of the greatest lag of a partition */
	uint16_t time; /* code of the time lag in ms */
	uint8_t status;
	bool at_least; /* the time lag is a lower bound */
};

/* A number as a code: exact below 4096, above it rounded down by less than 0.05 %; numbers above
 * 4.3e12 become that. Codes rise with the numbers. -1 is LAG_UNKNOWN, and back. */
uint16_t lag_encode(int64_t value);
int64_t lag_decode(uint16_t code);

/* True: nothing to keep. */
bool lag_idle(const struct lag_sample *s);

/* Make into the worse of both; an unknown number is less than any other. */
void lag_worse(struct lag_sample *into, const struct lag_sample *other);

/* --- writing a bin --- */

/* Takes a finished block; first is the id it begins with, {0} for the first block of a bin. */
typedef void lag_put(void *arg, const struct lag_id *first, const uint8_t *data, size_t size);

struct lag_writer {
	unsigned level;
	lag_put *put;
	void *arg;
	struct lag_id first, last; /* of the block under way; last is {0} when it is empty */
	size_t run;                /* where its last run's count is; 0: no run */
	size_t size;
	size_t blocks; /* put */
	uint8_t data[LAG_BLOCK_MAX];
};

void lag_writer_begin(struct lag_writer *w, unsigned level, lag_put *put, void *arg);

/* Ids must rise. Who is idle is left out here. */
void lag_writer_add(struct lag_writer *w, const struct lag_id *id, const struct lag_sample *s);

/* Puts the last block; an empty one if nothing was added. */
void lag_writer_end(struct lag_writer *w);

/* --- reading a block --- */

struct lag_reader {
	unsigned level;
	const uint8_t *at, *end; /* borrowed */
	struct lag_id id;
	unsigned left; /* of the run at hand */
};

void lag_reader_begin(struct lag_reader *r, unsigned level, const void *data, size_t size);

/* False at the end, and at bytes that no writer wrote. */
bool lag_reader_next(struct lag_reader *r, struct lag_id *ret_id, struct lag_sample *ret_s);

/* The sample of one id in the block that would hold it; an idle one if it is not there. */
struct lag_sample lag_find(unsigned level, const void *data, size_t size, const struct lag_id *id);
