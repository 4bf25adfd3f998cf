/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/verdicts/case.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge/track.h"

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "cases: %s: %s\n", what, detail);
	exit(2);
}

static void *grow(void *p, size_t count, size_t size)
{
	void *q = reallocarray(p, count, size);

	if (q == NULL)
		fail("no memory", "");
	return q;
}

static void copy_name(char out[static CASE_NAME_MAX], const char *name)
{
	if (name == NULL || strlen(name) >= CASE_NAME_MAX)
		fail("bad name", name == NULL ? "none" : name);
	memcpy(out, name, strlen(name) + 1);
}

static unsigned bit_of(const char *word)
{
	for (unsigned s = STATUS_NOTFOUND; s <= STATUS_REWIND; s++) {
		if (word != NULL && strcmp(word, status_str((enum status)s)) == 0)
			return CASE_BIT(s);
	}
	fail("unknown status", word == NULL ? "none" : word);
	return 0;
}

static unsigned set_of(const json_t *words)
{
	unsigned set = 0;

	for (size_t i = 0; i < json_array_size(words); i++)
		set |= bit_of(json_string_value(json_array_get(words, i)));
	return set;
}

static void read_parts(json_t *parts, struct case_phase *ret_p)
{
	const char *name = NULL;
	json_t *words = NULL;

	ret_p->has_parts = json_is_object(parts);
	json_object_foreach(parts, name, words)
	{
		if (ret_p->part_count == CASE_PARTS_MAX)
			fail("too many parts", ret_p->name);
		struct case_part *part = &ret_p->parts[ret_p->part_count++];

		copy_name(part->name, name);
		part->right = set_of(words);
	}
}

static void read_phases(const json_t *phases, struct case_series *s)
{
	s->phase_count = json_array_size(phases);
	if (s->phase_count > CASE_PHASES_MAX)
		fail("too many phases", s->name);
	for (size_t i = 0; i < s->phase_count; i++) {
		const json_t *o = json_array_get(phases, i);
		struct case_phase *p = &s->phases[i];

		copy_name(p->name, json_string_value(json_object_get(o, "name")));
		p->from_ms = json_integer_value(json_object_get(o, "from_ms"));
		p->to_ms = json_integer_value(json_object_get(o, "to_ms"));
		p->grace_ms = json_integer_value(json_object_get(o, "grace_ms"));
		p->right = set_of(json_object_get(o, "group"));
		p->grace_right = set_of(json_object_get(o, "grace_ok"));
		p->scored = json_is_true(json_object_get(o, "scored"));
		read_parts(json_object_get(o, "parts"), p);
	}
}

static int64_t number_at(const json_t *row, size_t i)
{
	const json_t *v = json_array_get(row, i);

	return json_is_integer(v) ? json_integer_value(v) : CASE_NONE;
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

static void read_rows(const json_t *rows, struct case_series *s)
{
	s->row_count = json_array_size(rows);
	s->rows = grow(NULL, s->row_count + 1, sizeof(*s->rows));
	for (size_t i = 0; i < s->row_count; i++) {
		const json_t *row = json_array_get(rows, i);

		s->rows[i] = (struct case_row){
			.committed_at_ms = number_at(row, 0),
			.end_at_ms = number_at(row, 1),
			.committed = number_at(row, 2),
			.start = number_at(row, 3),
			.end = number_at(row, 4),
			.stable = number_at(row, 5),
			.assigned = number_at(row, 6) == 1,
			.state = state_of(json_string_value(json_array_get(row, 7))),
			.members = number_at(row, 8),
		};
	}
}

static void read_commits(const json_t *commits, struct case_series *s)
{
	s->commit_count = json_array_size(commits);
	s->commits = grow(NULL, s->commit_count + 1, sizeof(*s->commits));
	for (size_t i = 0; i < s->commit_count; i++) {
		const json_t *c = json_array_get(commits, i);

		s->commits[i] = (struct case_commit){number_at(c, 0), number_at(c, 1)};
	}
}

static void read_line(const char *line, struct case_series *s)
{
	json_error_t err;
	json_t *o = json_loads(line, 0, &err);
	char name[CASE_NAME_MAX * 2];

	if (o == NULL)
		fail("not JSON", err.text);
	copy_name(s->scenario, json_string_value(json_object_get(o, "scenario")));
	snprintf(name, sizeof(name), "%s/%d", json_string_value(json_object_get(o, "topic")),
		 (int)json_integer_value(json_object_get(o, "partition")));
	copy_name(s->name, name);
	read_phases(json_object_get(o, "phases"), s);
	read_rows(json_object_get(o, "series"), s);
	read_commits(json_object_get(o, "commits"), s);
	json_decref(o);
}

struct cases cases_load(const char *path)
{
	struct cases c = {0};
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (f == NULL)
		fail("cannot open", path);
	while (getline(&line, &size, f) > 0) {
		c.series = grow(c.series, c.count + 1, sizeof(*c.series));
		c.series[c.count] = (struct case_series){0};
		read_line(line, &c.series[c.count++]);
	}
	free(line);
	fclose(f);
	return c;
}

void cases_free(struct cases *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->series[i].rows);
		free(c->series[i].commits);
	}
	free(c->series);
	*c = (struct cases){0};
}
