/* SPDX-License-Identifier: Apache-2.0 */

/* How many judgements, and how many whole steps of a pass, one core makes in a second. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/verdicts/sim.h"

#define PARTS 4096
#define SECONDS 1.0
#define WARM_S 1500

static const struct sim_plan PLANS[] = {
	{.what = "caught up, idle", .produce = 20, .produce_until = 300, .commit_every = 3},
	{.what = "busy, lag of seconds", .produce = 200, .commit_every = 3},
	{.what = "behind, draining",
	 .produce = 100,
	 .backlog = 90000,
	 .read = 130,
	 .commit_every = 5},
	{.what = "falling behind", .produce = 30, .read = 20, .commit_every = 5},
	{.what = "stopped", .produce = 20, .commit_every = 3, .dead_from = 600},
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct judge_input input(const struct sim *s)
{
	return (struct judge_input){&s->commit,  &s->log,   &s->group,
				    &s->cluster, &s->rules, s->cluster.last_ms};
}

static void judge_rate(const struct sim *parts)
{
	double from = seconds();
	unsigned bad = 0;
	size_t calls = 0;
	struct verdict v;

	do {
		for (size_t i = 0; i < PARTS; i++) {
			struct judge_input in = input(&parts[i]);

			judge(&in, &v);
			bad += v.status != STATUS_OK;
		}
		calls += PARTS;
	} while (seconds() - from < SECONDS);
	double rate = (double)calls / (seconds() - from);
	printf("  judge %6.2f M/s (%u%% not OK)", rate / 1e6,
	       (unsigned)(100.0 * bad / (double)calls));
}

/* Join, judge and publish of a pass in which this partition's rows did not come. */
static void pass_rate(struct sim *parts)
{
	double from = seconds();
	size_t calls = 0;
	size_t changed = 0;

	do {
		for (size_t i = 0; i < PARTS; i++) {
			struct sim *s = &parts[i];
			struct judge_input in = input(s);
			struct verdict v;
			int64_t at_ms = s->cluster.last_ms;

			changed += track_pass(&s->commit, &s->log, &s->group, &s->cluster, at_ms);
			judge(&in, &v);
			changed += track_publish(&s->commit, &v, &s->rules, at_ms);
		}
		calls += PARTS;
	} while (seconds() - from < SECONDS);
	printf("  whole pass %6.2f M/s (%zu changed)", (double)calls / (seconds() - from) / 1e6,
	       changed);
}

/* Rows of log and commit applied, as in a pass that brings both. */
static void row_rate(struct sim *parts)
{
	double from = seconds();
	size_t calls = 0;

	do {
		for (size_t i = 0; i < PARTS; i++) {
			struct sim *s = &parts[i];
			int64_t at_ms = s->log.row_at_ms + 10000;
			struct track_log_row l = {0, s->log.end + 500, -1, -1};
			struct track_commit_row c = {s->commit.offset + 500, at_ms, at_ms};

			track_log_row(&s->log, &s->cluster, at_ms, &l);
			track_commit_row(&s->commit, &s->cluster, at_ms, &c);
			track_pass(&s->commit, &s->log, &s->group, &s->cluster, at_ms);
		}
		calls += PARTS;
	} while (seconds() - from < SECONDS);
	printf("  rows and join %6.2f M/s\n", (double)calls / (seconds() - from) / 1e6);
}

static void bench(const struct sim_plan *plans, size_t plan_count, const char *what)
{
	struct sim *parts = calloc(PARTS, sizeof(*parts));

	if (parts == NULL)
		exit(1);
	for (size_t i = 0; i < plan_count; i++) {
		sim_init(&parts[i], &plans[i], 10000, i + 1);
		while (sim_seconds(&parts[i]) < WARM_S)
			sim_pass(&parts[i]);
	}
	for (size_t i = plan_count; i < PARTS; i++)
		parts[i] = parts[i % plan_count];
	printf("%-22s", what);
	judge_rate(parts);
	pass_rate(parts);
	row_rate(parts);
	free(parts);
}

int main(void)
{
	printf("commit track %zu bytes, log track %zu, history %zu\n", sizeof(struct commit_track),
	       sizeof(struct log_track),
	       history_size(0) + history_size(1) + history_size(2) + history_size(3));
	for (size_t i = 0; i < ARRAY_LEN(PLANS); i++)
		bench(&PLANS[i], 1, PLANS[i].what);
	bench(PLANS, ARRAY_LEN(PLANS), "mixed");
	return 0;
}
