/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * replay - plays one scenario of recorded cases through tracks and judge, pass by pass, as the live
 * system would have seen it.
 */

#include "aggregator/case.h"
#include "aggregator/judge/judge.h"

#define REPLAY_PARTS_MAX 64

/* The Unix time at which a case begins. */
#define REPLAY_BASE_MS INT64_C(1700000000000)

struct replay_options {
	size_t every; /* a pass for every so manyth row, from 1 */
	size_t from;  /* the row of the first pass */
	bool admin;   /* commits as a source sees them that knows offsets only */
};

/* What is published after a pass. */
struct replay_shown {
	int64_t at_ms; /* from the start of the case */
	enum status group;
	enum status parts[REPLAY_PARTS_MAX]; /* OK where it is not counted */
};

struct replay; /* one scenario */

/* series: the scenario's lines, borrowed. ERR_LIMIT: more than REPLAY_PARTS_MAX of them. */
MUST_CHECK int replay_new(const struct case_series *series, size_t count,
			  const struct replay_options *o, struct replay **ret_r);
void replay_free(struct replay **r);

/* Play all of it. on_part is called for each partition that is there in each pass, with what was
 * judged; what is published is in in->commit. NULL: nobody is told. */
void replay_run(struct replay *r,
		void (*on_part)(void *arg, size_t part, const struct judge_input *in,
				const struct verdict *v),
		void *arg);

/* What was published at a time. Valid until replay_free(). */
const struct replay_shown *replay_at(const struct replay *r, int64_t at_ms);
