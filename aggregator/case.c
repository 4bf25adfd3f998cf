/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/case.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge/track.h"
#include "common/err.h"
#include "common/mem.h"

/* What a row may hold. */
enum column { AT, END_AT, COMMITTED, START, END, STABLE, ASSIGNED, STATE, MEMBERS, COLUMNS };

static const char *const COLUMN_NAMES[COLUMNS] = {"t_committed_ms", "t_end_ms", "committed",
						  "start",          "end",      "lso",
						  "assigned",       "state",    "members"};

#define TIME_MAX INT64_C(100000000000) /* three years: arithmetic stays far from its limits */

struct reader {
	const char *path;
	unsigned line;
	struct buf *errors; /* the first mistake */
	bool bad;
	int columns[COLUMNS]; /* where each is in a row; -1: not there */
};

static void complain(struct reader *r, const char *what, const char *detail)
{
	if (!r->bad)
		buf_printf(r->errors, "%s:%u: %s%s\n", r->path, r->line, what, detail);
	r->bad = true;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void copy_name(struct reader *r, char out[static CASE_NAME_MAX], const char *name)
{
	out[0] = '\0';
	if (name == NULL)
		complain(r, "a name is missing", "");
	else if (strlen(name) >= CASE_NAME_MAX)
		complain(r, "too long a name: ", name);
	else
		memcpy(out, name, strlen(name) + 1);
}

/* --- the truth --- */

static unsigned bit_of(struct reader *r, const char *word)
{
	for (unsigned s = STATUS_NOTFOUND; s <= STATUS_REWIND; s++)
		if (word != NULL && strcmp(word, status_str((enum status)s)) == 0)
			return CASE_BIT(s);
	complain(r, "no such status: ", word == NULL ? "" : word);
	return 0;
}

static unsigned set_of(struct reader *r, const json_t *words)
{
	unsigned set = 0;

	for (size_t i = 0; i < json_array_size(words); i++)
		set |= bit_of(r, json_string_value(json_array_get(words, i)));
	return set;
}

static int64_t time_of(struct reader *r, const json_t *v)
{
	int64_t ms = json_integer_value(v);

	if (json_is_integer(v) && ms >= 0 && ms <= TIME_MAX)
		return ms;
	complain(r, "a time is missing or out of range", "");
	return 0;
}

static void read_parts(struct reader *r, json_t *parts, struct case_phase *ret_p)
{
	const char *name = NULL;
	json_t *words = NULL;

	ret_p->has_parts = json_is_object(parts);
	json_object_foreach(parts, name, words)
	{
		if (ret_p->part_count == CASE_PARTS_MAX) {
			complain(r, "too many parts in phase ", ret_p->name);
			return;
		}
		struct case_part *part = &ret_p->parts[ret_p->part_count++];
		copy_name(r, part->name, name);
		part->right = set_of(r, words);
	}
}

static void read_phases(struct reader *r, const json_t *phases, struct case_series *s)
{
	size_t count = json_array_size(phases);

	if (count > CASE_PHASES_MAX) {
		complain(r, "too many phases", "");
		return;
	}
	s->phases = mem_zeroed(count, sizeof(*s->phases));
	s->phase_count = count;
	for (size_t i = 0; i < count; i++) {
		const json_t *o = json_array_get(phases, i);
		struct case_phase *p = &s->phases[i];

		copy_name(r, p->name, text_of(o, "name"));
		p->from_ms = time_of(r, json_object_get(o, "from_ms"));
		p->to_ms = time_of(r, json_object_get(o, "to_ms"));
		p->grace_ms = time_of(r, json_object_get(o, "grace_ms"));
		p->right = set_of(r, json_object_get(o, "group"));
		p->grace_right = set_of(r, json_object_get(o, "grace_ok"));
		p->scored = json_is_true(json_object_get(o, "scored"));
		read_parts(r, json_object_get(o, "parts"), p);
	}
}

/* --- what was seen --- */

static void read_columns(struct reader *r, const json_t *names)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		r->columns[c] = -1;
		for (size_t i = 0; i < json_array_size(names); i++) {
			const char *name = json_string_value(json_array_get(names, i));

			if (name != NULL && strcmp(name, COLUMN_NAMES[c]) == 0)
				r->columns[c] = (int)i;
		}
	}
	if (r->columns[AT] < 0)
		complain(r, "columns must name t_committed_ms", "");
}

static const json_t *cell(const struct reader *r, const json_t *row, enum column c)
{
	return r->columns[c] < 0 ? NULL : json_array_get(row, (size_t)r->columns[c]);
}

static int64_t number_of(const json_t *v)
{
	int64_t n = json_is_integer(v) ? json_integer_value(v) : CASE_NONE;

	return MAX(n, (int64_t)CASE_NONE);
}

static int state_of(const char *word)
{
	if (word == NULL)
		return TRACK_GROUP_UNKNOWN;
	if (strcmp(word, "STABLE") == 0)
		return TRACK_GROUP_STABLE;
	if (strcmp(word, "EMPTY") == 0)
		return TRACK_GROUP_EMPTY;
	if (strcmp(word, "DEAD") == 0)
		return TRACK_GROUP_DEAD;
	return TRACK_GROUP_REBALANCING;
}

static struct case_row read_row(struct reader *r, const json_t *row)
{
	const json_t *end_at = cell(r, row, END_AT);
	int64_t at_ms = time_of(r, cell(r, row, AT));

	return (struct case_row){
		.committed_at_ms = at_ms,
		.end_at_ms = json_is_integer(end_at) ? time_of(r, end_at) : at_ms,
		.committed = number_of(cell(r, row, COMMITTED)),
		.start = number_of(cell(r, row, START)),
		.end = number_of(cell(r, row, END)),
		.stable = number_of(cell(r, row, STABLE)),
		.assigned = number_of(cell(r, row, ASSIGNED)) == 1,
		.state = state_of(json_string_value(cell(r, row, STATE))),
		.members = MIN(number_of(cell(r, row, MEMBERS)), (int64_t)INT32_MAX),
	};
}

static void read_rows(struct reader *r, const json_t *rows, struct case_series *s)
{
	size_t count = json_array_size(rows);

	if (count == 0 || count > CASE_ROWS_MAX) {
		complain(r, "series must have 1 to 1,000,000 rows", "");
		return;
	}
	s->rows = mem_zeroed(count, sizeof(*s->rows));
	for (size_t i = 0; i < count; i++) {
		s->rows[i] = read_row(r, json_array_get(rows, i));
		if (i > 0 && s->rows[i].committed_at_ms <= s->rows[i - 1].committed_at_ms)
			complain(r, "the times of series do not rise", "");
	}
	s->row_count = count;
}

static void read_commits(struct reader *r, const json_t *commits, struct case_series *s)
{
	size_t count = json_array_size(commits);

	if (count > CASE_ROWS_MAX) {
		complain(r, "too many commits", "");
		return;
	}
	s->commits = mem_zeroed(count, sizeof(*s->commits));
	s->commit_count = count;
	for (size_t i = 0; i < count; i++) {
		const json_t *c = json_array_get(commits, i);

		s->commits[i] = (struct case_commit){time_of(r, json_array_get(c, 0)),
						     number_of(json_array_get(c, 1))};
	}
}

/* --- the file --- */

static void read_object(struct reader *r, const json_t *o, struct case_series *s)
{
	char name[CASE_NAME_MAX * 2];
	const char *topic = text_of(o, "topic");

	copy_name(r, s->scenario, text_of(o, "scenario"));
	snprintf(name, sizeof(name), "%s/%" PRId64, topic == NULL ? "" : topic,
		 (int64_t)json_integer_value(json_object_get(o, "partition")));
	copy_name(r, s->name, topic == NULL ? NULL : name);
	read_phases(r, json_object_get(o, "phases"), s);
	read_columns(r, json_object_get(o, "columns"));
	read_rows(r, json_object_get(o, "series"), s);
	read_commits(r, json_object_get(o, "commits"), s);
}

static void read_line(struct reader *r, const char *line, size_t size, struct case_series *s)
{
	json_error_t err;
	json_t *o = json_loadb(line, size, 0, &err);

	if (json_is_object(o))
		read_object(r, o, s);
	else
		complain(r, "not a JSON object: ", o == NULL ? err.text : "");
	json_decref(o);
}

static void read_file(struct reader *r, FILE *f, struct cases *c)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t size = 0;

	while (!r->bad && (size = getline(&line, &cap, f)) > 0) {
		r->line++;
		if ((size_t)size > CASE_LINE_MAX || c->count == CASE_LINES_MAX) {
			complain(r, "the file is too large", "");
			break;
		}
		c->series = mem_resize(c->series, c->count + 1, sizeof(*c->series));
		c->series[c->count] = (struct case_series){.rows = NULL};
		read_line(r, line, (size_t)size, &c->series[c->count++]);
	}
	free(line);
	if (c->count == 0)
		complain(r, "there is no case in it", "");
}

int cases_load(const char *path, struct cases *ret_c, struct buf *errors)
{
	struct reader r = {.path = path, .errors = errors};
	struct cases c = {.series = NULL};
	FILE *f = fopen(path, "r");

	if (f == NULL) {
		int err = -errno;

		buf_printf(errors, "%s: %s\n", path, err_str(err));
		return err;
	}
	read_file(&r, f, &c);
	fclose(f);
	if (r.bad) {
		cases_free(&c);
		return ERR_MALFORMED;
	}
	*ret_c = c;
	return ERR_OK;
}

void cases_free(struct cases *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->series[i].phases);
		free(c->series[i].rows);
		free(c->series[i].commits);
	}
	free(c->series);
	*c = (struct cases){.series = NULL};
}
