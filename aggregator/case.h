/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * case - recorded cases: how group-partitions moved, pass by pass, and what is true of them.
 *
 * A file has one JSON object a line, each one group-partition; lines of one scenario follow each
 * other:
 *
 *	scenario, topic, partition	names
 *	columns		the names of what a row of series holds: t_committed_ms, t_end_ms,
 *committed, start, end, lso, assigned, state, members; null is not known series		the
 *rows, times in ms from the start commits		[ms, offset] of every commit that arrived; a
 *null offset is a tombstone
 *	phases		the truth, may be missing: name, from_ms, to_ms, grace_ms; group, the right
 *			statuses of the group; grace_ok, those right in the grace time too; scored;
 *parts, the right statuses by topic/partition where they are not OK
 */

#include "common/base.h"
#include "common/buf.h"

#define CASE_NONE (-1)
#define CASE_NAME_MAX 320 /* a topic and its partition */
#define CASE_PARTS_MAX 16
#define CASE_PHASES_MAX 16
#define CASE_LINE_MAX ((size_t)64 << 20)
#define CASE_LINES_MAX 100000
#define CASE_ROWS_MAX 1000000

/* Bits of status sets: 1 << enum status. */
#define CASE_BIT(status) (1u << (status))

struct case_part {
	char name[CASE_NAME_MAX]; /* "topic/partition" */
	unsigned right;
};

struct case_phase {
	char name[CASE_NAME_MAX];
	int64_t from_ms, to_ms, grace_ms;
	unsigned right;
	unsigned grace_right;
	bool scored;
	bool has_parts;
	struct case_part parts[CASE_PARTS_MAX];
	size_t part_count;
};

struct case_row {
	int64_t committed_at_ms; /* when the committed offset was asked: the time of the pass */
	int64_t end_at_ms;
	int64_t committed, start, end, stable;
	bool assigned;
	int state; /* enum track_group_state */
	int64_t members;
};

struct case_commit {
	int64_t at_ms;
	int64_t offset; /* CASE_NONE: a tombstone */
};

struct case_series {
	char scenario[CASE_NAME_MAX];
	char name[CASE_NAME_MAX]; /* "topic/partition" */
	struct case_phase *phases;
	size_t phase_count;
	struct case_row *rows;
	size_t row_count;
	struct case_commit *commits;
	size_t commit_count;
};

struct cases {
	struct case_series *series;
	size_t count;
};

/* Read a file. Caller frees *ret_c with cases_free(). ERR_MALFORMED or -errno, and one "file:line:
 * what" in errors. */
MUST_CHECK int cases_load(const char *path, struct cases *ret_c, struct buf *errors);
void cases_free(struct cases *c);
