/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * case - the recorded cases: series of group-partitions from a real broker, with the truth.
 *
 * One line of the file is one group-partition; lines of one scenario follow each other. Missing
 * numbers are CASE_NONE. Arrays belong to the case; case_free() gives all back.
 */

#include "common/base.h"

#define CASE_NONE (-1)
#define CASE_NAME_MAX 96
#define CASE_PARTS_MAX 16
#define CASE_PHASES_MAX 16

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
	struct case_phase phases[CASE_PHASES_MAX];
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

/* Read a file of cases. Ends the program with a message when it cannot. */
struct cases cases_load(const char *path);
void cases_free(struct cases *c);
