/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * probes - which partitions of one cluster an agent is asked to read at, and what it has answered.
 *
 * Kept in memory only: after a restart a question may be asked again, which does no harm. A
 * question is a place, so groups that stand at the same offset share it and its answer. Owned by
 * the writer thread; all times are passes of the agent.
 */

#include "common/base.h"
#include "proto/wire.h"

struct probes_place {
	uint32_t topic; /* the store's number */
	int32_t partition;
	int64_t offset; /* committed offset */
};

struct probes_wish {
	struct probes_place place;
	uint32_t generation; /* of the log: in another one the same place is another */
	unsigned badness; /* enum status of the verdict, 0 to be asked last: the worst comes first,
			   */
	int64_t waits_ms; /* among equals the one that has waited longest */
	int64_t end;      /* log end as last known */
};

struct probes_answer {
	enum wire_probe_answer answer;
	int64_t end;     /* for WIRE_PROBE_NOTHING: no record lies before it */
	int64_t time_ms; /* of the record, or WIRE_UNKNOWN */
};

struct probes;

struct probes *probes_new(void);

/* Accepts a pointer to NULL. */
void probes_free(struct probes **p);

/* A pass is judged: forget what is chosen and not taken yet, and questions that are old. At most
 * limit, and never more than WIRE_PROBES_MAX, are chosen until the next call. */
void probes_begin(struct probes *p, int64_t now_ms, uint32_t interval_ms, size_t limit);

/* Choose this place if it is among the most urgent. Not if its answer still holds, nor before a
 * pause is over when it was asked in vain; the pause grows from time to time. */
void probes_wish(struct probes *p, const struct probes_wish *wish);

/* The wishes chosen, the most urgent first; they count as asked now. Borrowed until the next call
 * of probes_begin(). Returns how many. */
size_t probes_take(struct probes *p, const struct probes_wish **ret_list);

/* What an agent answers; ignored where nobody has asked. */
void probes_answer(struct probes *p, const struct probes_place *place,
		   const struct probes_answer *answer);

/* The answer for this place in this generation of the log, or NULL. Borrowed until the next call.
 */
const struct probes_answer *probes_find(const struct probes *p, const struct probes_place *place,
					uint32_t generation);
