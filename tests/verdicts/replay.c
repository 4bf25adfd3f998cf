/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replays recorded cases through tracks and judge, pass by pass, and scores what would have been
 * published in every second against the truth.
 *
 *	replay FILE [--every N] [--from K] [--admin] [--show SCENARIO]
 *
 * --every N: a pass for every Nth recorded row, beginning with row K (--from). --admin: commits as
 *a source sees them that knows offsets only. --show: every pass of one scenario. Exit status 1 when
 * any second that counts is wrong.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge/judge.h"
#include "tests/verdicts/case.h"

#define BASE_MS INT64_C(1700000000000)
#define PARTS_MAX 16
#define PASSES_MAX 1024
#define ALARM (CASE_BIT(STATUS_WARN) | CASE_BIT(STATUS_ERR))

struct options {
	size_t every, from;
	bool admin;
	const char *show;
};

/* One group-partition while it is replayed. */
struct part {
	const struct case_series *series;
	struct log_track log;
	struct commit_track commit;
	size_t next_commit;
	bool present;
};

/* What is published from a time on. */
struct shown {
	int64_t at_ms;
	enum status group;
	enum status parts[PARTS_MAX];
};

struct run {
	struct part parts[PARTS_MAX];
	size_t part_count;
	struct cluster_track cluster;
	struct group_track group;
	struct history history[PARTS_MAX];
	struct shown shown[PASSES_MAX];
	size_t shown_count;
};

struct score {
	int64_t secs, right, wrong_alarm, missed, grade, absent, grace_wrong, kind, kind_of;
	char delays[64];
};

/* --- one pass --- */

static void apply_group(struct run *r, const struct case_row *row, int64_t at_ms)
{
	struct track_group_row g = {
		.protocol = TRACK_PROTOCOL_UNKNOWN,
		.state = (enum track_group_state)row->state,
		.generation = TRACK_UNKNOWN,
		.member_count = row->members > 0 ? (uint32_t)row->members : 0,
	};

	if (row->state != TRACK_GROUP_UNKNOWN)
		track_group_row(&r->group, at_ms, &g);
}

static void apply_log(struct run *r, size_t i, const struct case_row *row, int64_t at_ms)
{
	struct track_log_row l = {row->start, row->end, TRACK_UNKNOWN, TRACK_UNKNOWN};

	track_log_row(&r->parts[i].log, &r->cluster, at_ms, &l);
	if (row->end >= 0)
		history_add(&r->history[i], at_ms, row->end);
}

/* The last commit that had arrived; false: none, or deleted. */
static bool last_commit(struct part *p, int64_t now_ms, struct track_commit_row *ret_row)
{
	const struct case_series *s = p->series;

	while (p->next_commit < s->commit_count && s->commits[p->next_commit].at_ms <= now_ms)
		p->next_commit++;
	if (p->next_commit == 0 || s->commits[p->next_commit - 1].offset < 0)
		return false;
	ret_row->offset = s->commits[p->next_commit - 1].offset;
	ret_row->arrival_ms = BASE_MS + s->commits[p->next_commit - 1].at_ms;
	ret_row->time_ms = ret_row->arrival_ms;
	return true;
}

static bool admin_commit(const struct part *p, const struct case_row *row, int64_t at_ms,
			 struct track_commit_row *ret_row)
{
	bool moved = p->commit.version == 0 || p->commit.offset != row->committed;

	ret_row->offset = row->committed;
	ret_row->time_ms = TRACK_UNKNOWN;
	ret_row->arrival_ms = moved ? at_ms : p->commit.arrival_ms;
	return row->committed >= 0;
}

static void apply_commit(struct run *r, struct part *p, const struct case_row *row, int64_t at_ms,
			 bool admin)
{
	struct track_commit_row c = {TRACK_UNKNOWN, TRACK_UNKNOWN, 0};
	bool has =
		admin ? admin_commit(p, row, at_ms, &c) : last_commit(p, row->committed_at_ms, &c);
	bool stable = row->state == TRACK_GROUP_STABLE;

	bool was_committed = p->commit.version != 0 && p->commit.offset >= 0;
	if (!has && (was_committed || !row->assigned)) {
		if (was_committed)
			p->commit = (struct commit_track){0};
		p->present = p->commit.version != 0;
		return;
	}
	p->present = true;
	track_commit_row(&p->commit, &r->cluster, at_ms, &c);
	if (row->assigned)
		track_owner(&p->commit, TRACK_OWNER_PRESENT, TRACK_SUBSCRIPTION_UNKNOWN);
	else if (stable)
		track_owner(&p->commit, TRACK_OWNER_NONE, TRACK_SUBSCRIPTION_UNKNOWN);
}

static const struct case_row *row_at(const struct part *p, int64_t at_ms)
{
	for (size_t i = 0; i < p->series->row_count; i++) {
		if (p->series->rows[i].committed_at_ms == at_ms)
			return &p->series->rows[i];
	}
	return NULL;
}

static bool apply_rows(struct run *r, int64_t row_ms, const struct options *o)
{
	int64_t at_ms = BASE_MS + row_ms;
	bool dead = false;

	for (size_t i = 0; i < r->part_count; i++) {
		struct part *p = &r->parts[i];
		const struct case_row *row = row_at(p, row_ms);

		if (row == NULL)
			continue;
		apply_group(r, row, at_ms);
		dead = row->state == TRACK_GROUP_DEAD;
		if (row->end < 0 && row->committed < 0) {
			p->present = false; /* the topic is gone */
			p->commit = (struct commit_track){0};
			continue;
		}
		apply_log(r, i, row, at_ms);
		apply_commit(r, p, row, at_ms, o->admin);
	}
	return !dead && r->group.version != 0;
}

static void judge_part(struct run *r, size_t i, int64_t at_ms, struct verdict *ret_v)
{
	struct part *p = &r->parts[i];
	struct judge_input in = {&p->commit,  &p->log,        &r->group,
				 &r->cluster, &RULES_DEFAULT, at_ms};

	track_pass(&p->commit, &p->log, &r->group, &r->cluster, at_ms);
	if (track_wants_history(&p->commit))
		track_history(&p->commit, &r->history[i]);
	judge(&in, ret_v);
	track_publish(&p->commit, ret_v, &RULES_DEFAULT, at_ms);
}

static void show(const struct run *r, size_t i, int64_t at_ms, const struct verdict *v)
{
	const struct part *p = &r->parts[i];
	struct judge_input in = {&p->commit,  &p->log,        &r->group,
				 &r->cluster, &RULES_DEFAULT, at_ms};
	struct buf out = {0};

	explain(&in, v, &out);
	printf("%7.1f s %s %-6s (judged %s, rule %d, %s) lag %" PRId64 " %s\n",
	       (double)(at_ms - BASE_MS) / 1000, p->series->name,
	       status_str((enum status)p->commit.status), status_str(v->status), v->rule,
	       reason_str(v->reason), v->lag, buf_str(&out));
	buf_free(&out);
}

static void run_pass(struct run *r, const struct case_row *row, const struct options *o)
{
	int64_t at_ms = BASE_MS + row->committed_at_ms;
	struct shown *s = &r->shown[r->shown_count++];
	enum status worst = STATUS_OK;
	bool known = apply_rows(r, row->committed_at_ms, o);

	s->at_ms = row->end_at_ms;
	for (size_t i = 0; i < r->part_count; i++) {
		struct verdict v;

		s->parts[i] = STATUS_OK;
		if (!r->parts[i].present)
			continue;
		judge_part(r, i, at_ms, &v);
		if (o->show != NULL && strcmp(o->show, r->parts[i].series->scenario) == 0)
			show(r, i, at_ms, &v);
		if (v.counted)
			s->parts[i] = (enum status)r->parts[i].commit.status;
		worst = MAX(worst, s->parts[i]);
		known = true;
	}
	s->group = known ? status_of_group(worst) : STATUS_NOTFOUND;
}

/* --- the score, second by second --- */

static const struct shown *shown_at(const struct run *r, int64_t at_ms)
{
	static const struct shown NOTHING = {.group = STATUS_NOTFOUND};
	const struct shown *s = &NOTHING;

	for (size_t i = 0; i < r->shown_count && r->shown[i].at_ms <= at_ms; i++)
		s = &r->shown[i];
	return s;
}

static unsigned want_of(const struct case_phase *ph, const char *name)
{
	for (size_t i = 0; i < ph->part_count; i++) {
		if (strcmp(ph->parts[i].name, name) == 0)
			return ph->parts[i].right;
	}
	return CASE_BIT(STATUS_OK);
}

static bool parts_right(const struct run *r, const struct case_phase *ph, const struct shown *s)
{
	for (size_t i = 0; i < r->part_count; i++) {
		if ((CASE_BIT(s->parts[i]) & want_of(ph, r->parts[i].series->name)) == 0)
			return false;
	}
	return true;
}

static void score_wrong(const struct case_phase *ph, unsigned got, struct score *sc)
{
	bool due = (ph->right & (CASE_BIT(STATUS_OK) | CASE_BIT(STATUS_NOTFOUND))) == 0;
	bool quiet = (ph->right & ALARM) == 0;

	if (quiet && (got & ALARM) != 0)
		sc->wrong_alarm++;
	else if (due && (got & ALARM) == 0)
		sc->missed++;
	else if ((got & ALARM) != 0)
		sc->grade++;
	else
		sc->absent++;
}

static void score_second(const struct run *r, const struct case_phase *ph, unsigned before,
			 int64_t at_ms, struct score *sc)
{
	const struct shown *s = shown_at(r, at_ms);
	unsigned got = CASE_BIT(s->group);
	bool good = (got & ph->right) != 0;

	if (at_ms - ph->from_ms <= ph->grace_ms) {
		bool quiet = (ph->right & ALARM) == 0;

		sc->grace_wrong += (got & ALARM) != 0 && quiet &&
				   (got & (ph->right | before | ph->grace_right)) == 0;
		return;
	}
	sc->secs++;
	sc->right += good;
	if (!good)
		score_wrong(ph, got, sc);
	if (good && ph->has_parts) {
		sc->kind_of++;
		sc->kind += parts_right(r, ph, s);
	}
}

static void note_delay(const struct run *r, const struct case_phase *ph, struct score *sc)
{
	size_t used = strlen(sc->delays);

	for (int64_t at_ms = ph->from_ms; at_ms <= ph->to_ms; at_ms += 1000) {
		if ((CASE_BIT(shown_at(r, at_ms)->group) & ph->right) != 0) {
			snprintf(sc->delays + used, sizeof(sc->delays) - used, " %" PRId64,
				 (at_ms - ph->from_ms) / 1000);
			return;
		}
	}
	snprintf(sc->delays + used, sizeof(sc->delays) - used, " -");
}

static struct score score_run(const struct run *r)
{
	const struct case_series *s = r->parts[0].series;
	struct score sc = {0};
	unsigned before = 0;

	for (size_t i = 0; i < s->phase_count; i++) {
		const struct case_phase *ph = &s->phases[i];

		if (ph->scored) {
			for (int64_t at_ms = ph->from_ms + 1000; at_ms <= ph->to_ms; at_ms += 1000)
				score_second(r, ph, before, at_ms, &sc);
			note_delay(r, ph, &sc);
		}
		before = ph->right;
	}
	return sc;
}

/* --- all scenarios --- */

static const struct case_series *longest(const struct run *r)
{
	const struct case_series *s = r->parts[0].series;

	for (size_t i = 1; i < r->part_count; i++) {
		if (r->parts[i].series->row_count > s->row_count)
			s = r->parts[i].series;
	}
	return s;
}

static void replay(struct run *r, const struct options *o)
{
	const struct case_series *s = longest(r);
	int64_t step_ms =
		s->row_count < 2 ? 1000 : s->rows[1].committed_at_ms - s->rows[0].committed_at_ms;
	uint32_t interval_ms = (uint32_t)((size_t)step_ms * o->every);

	for (size_t i = o->from; i < s->row_count && r->shown_count < PASSES_MAX; i += o->every) {
		track_cluster_pass(&r->cluster, BASE_MS + s->rows[i].committed_at_ms, interval_ms,
				   RULES_DEFAULT.window_ms);
		run_pass(r, &s->rows[i], o);
	}
}

static bool print_score(const char *name, const struct score *sc)
{
	bool right = sc->right == sc->secs && sc->grace_wrong == 0 && sc->kind == sc->kind_of;

	printf("%-26s %5.1f%% of %4" PRId64 " s  false %3" PRId64 "+%-3" PRId64 " missed %3" PRId64
	       " grade %" PRId64 " absent %" PRId64 " kind %" PRId64 "/%" PRId64 " delay%s%s\n",
	       name, sc->secs == 0 ? 100.0 : 100.0 * (double)sc->right / (double)sc->secs, sc->secs,
	       sc->wrong_alarm, sc->grace_wrong, sc->missed, sc->grade, sc->absent, sc->kind,
	       sc->kind_of, sc->delays, right ? "" : "  WRONG");
	return right;
}

static struct options parse(int argc, char **argv)
{
	struct options o = {.every = 1};

	for (int i = 2; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--admin") == 0)
			o.admin = true;
		else if (strcmp(argv[i], "--every") == 0)
			o.every = (size_t)MAX(atoi(value), 1);
		else if (strcmp(argv[i], "--from") == 0)
			o.from = (size_t)MAX(atoi(value), 0);
		else if (strcmp(argv[i], "--show") == 0)
			o.show = value;
	}
	return o;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: replay FILE [--every N] [--from K] [--admin] "
				"[--show SCENARIO]\n");
		return 2;
	}
	struct options o = parse(argc, argv);
	struct cases c = cases_load(argv[1]);
	struct run *r = calloc(1, sizeof(*r));
	size_t scenarios = 0;
	size_t right = 0;

	for (size_t i = 0; r != NULL && i < c.count; scenarios++) {
		*r = (struct run){0};
		const char *name = c.series[i].scenario;
		while (i < c.count && strcmp(c.series[i].scenario, name) == 0 &&
		       r->part_count < PARTS_MAX)
			r->parts[r->part_count++].series = &c.series[i++];
		replay(r, &o);
		struct score sc = score_run(r);
		right += print_score(name, &sc);
	}
	printf("%zu of %zu scenarios right in every second\n", right, scenarios);
	free(r);
	cases_free(&c);
	return right == scenarios ? 0 : 1;
}
