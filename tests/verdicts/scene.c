/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/verdicts/scene.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STEP_MS 100
#define STEP_S 0.1
#define JOIN_MS 3000      /* a rebalance of the classic protocol */
#define RECONCILE_MS 1000 /* and of the new one */
#define SESSION_MS 45000  /* until a silent member is missed */
#define RESET_MS 300      /* between two polls nothing is committed */

static uint64_t draw(struct scene *c)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return c->seed;
}

static int64_t wall(int64_t ms)
{
	return SCENE_START_MS + ms;
}

void scene_begin(struct scene *c)
{
	c->seed = c->seed * 2654435761u + 88172645463325252u;
	c->next_pass_ms = (int64_t)(draw(c) % (uint64_t)c->interval_ms);
	c->rules = RULES_DEFAULT;
	c->status = STATUS_NOTFOUND;
	for (int i = 0; i < SCENE_PARTS; i++)
		c->parts[i].owner = -1;
}

int scene_topic(struct scene *c, int topic, int partitions)
{
	int first = 0;

	while (first < SCENE_PARTS && c->parts[first].exists)
		first++;
	for (int i = first; i < first + partitions && i < SCENE_PARTS; i++) {
		c->parts[i] = (struct scene_part){
			.topic = topic,
			.exists = true,
			.stable = TRACK_UNKNOWN,
			.committed = TRACK_UNKNOWN,
			.owner = -1,
			.wish_offset = TRACK_UNKNOWN,
		};
	}
	c->rebalancing = true;
	c->rebalanced_ms = c->now_ms + RECONCILE_MS;
	return first;
}

/* --- the group --- */

static void rebalance(struct scene *c)
{
	c->rebalancing = true;
	c->rebalanced_ms = c->now_ms + (c->new_protocol ? RECONCILE_MS : JOIN_MS);
	c->generation++;
	for (int i = 0; i < SCENE_PARTS && !c->new_protocol; i++) {
		int owner = c->parts[i].owner;

		if (owner >= 0 && !c->apps[owner].plan.simple)
			c->parts[i].owner = -1;
	}
}

static unsigned topics_of(const struct scene_app *a)
{
	return a->plan.topics == 0 ? 1 : a->plan.topics;
}

static bool may_own(const struct scene *c, int app, const struct scene_part *p)
{
	const struct scene_app *a = &c->apps[app];

	return (a->member || (a->plan.simple && a->runs)) && p->exists &&
	       (topics_of(a) & (1u << p->topic)) != 0;
}

/* Where a new owner begins. */
static void take_over(struct scene *c, struct scene_part *p, int app)
{
	p->owner = app;
	if (p->committed >= 0)
		p->position = (double)p->committed;
	else
		p->position = c->apps[app].plan.latest ? (double)p->end : (double)p->start;
}

static void assign(struct scene *c)
{
	int next = 0;

	c->rebalancing = false;
	for (int i = 0; i < SCENE_PARTS; i++) {
		struct scene_part *p = &c->parts[i];
		bool keeps = p->owner >= 0 && may_own(c, p->owner, p) && c->new_protocol;

		for (int k = 0; k < SCENE_APPS && !keeps; k++, next++) {
			if (!may_own(c, next % SCENE_APPS, p) || c->assigns_to_nobody)
				continue;
			if (p->owner != next % SCENE_APPS)
				take_over(c, p, next % SCENE_APPS);
			keeps = true;
		}
		if (!keeps)
			p->owner = -1;
	}
}

struct scene_app *scene_app(struct scene *c, struct scene_plan plan)
{
	int i = 0;

	while (i + 1 < SCENE_APPS && (c->apps[i].runs || c->apps[i].member))
		i++;
	c->apps[i] = (struct scene_app){.plan = plan};
	scene_restart(c, &c->apps[i]);
	return &c->apps[i];
}

void scene_restart(struct scene *c, struct scene_app *a)
{
	bool known = a->member;
	int index = (int)(a - c->apps);

	a->runs = true;
	a->member = !a->plan.simple;
	a->hangs = false;
	a->stuck = 0;
	a->expires_ms = 0;
	a->begun_ms = c->now_ms;
	a->next_commit_ms = c->now_ms + (int64_t)(a->plan.commit_every * 1000);
	for (int i = 0; i < SCENE_PARTS; i++) {
		if (c->parts[i].owner == index)
			take_over(c, &c->parts[i], index);
	}
	if (!known)
		rebalance(c);
}

void scene_subscribe(struct scene *c, struct scene_app *a, unsigned topics)
{
	a->plan.topics = topics;
	rebalance(c);
}

/* --- producers and consumers --- */

static bool comes_now(const struct scene *c, double every_s, int64_t from_ms)
{
	double now = (double)(c->now_ms - from_ms) / 1000;

	return every_s > 0 && fmod(now + STEP_S / 2, every_s) < STEP_S;
}

static void produce(const struct scene *c, struct scene_part *p)
{
	double now = (double)c->now_ms / 1000;
	double rate = p->rate;

	if (p->wave_s > 0)
		rate += p->wave * sin(2 * M_PI * now / p->wave_s);
	p->debt += MAX(rate, 0.0) * STEP_S;
	if (comes_now(c, p->every_s, 0))
		p->debt += p->burst;
	int64_t n = (int64_t)p->debt;
	p->debt -= (double)n;
	if (n == 0)
		return;
	p->end += n;
	if (p->txn != SCENE_ABORTS)
		p->readable = p->end;
	p->end += p->txn != SCENE_NO_TXN;
	if (!p->open)
		p->stable = p->txn == SCENE_NO_TXN ? TRACK_UNKNOWN : p->end;
}

static double limit_of(const struct scene_part *p)
{
	int64_t limit = p->open ? MIN(p->stable, p->readable) : p->readable;

	return (double)(p->poison > 0 ? MIN(limit, p->poison) : limit);
}

static void read_on(const struct scene *c, struct scene_app *a, struct scene_part *p, int index)
{
	double now = (double)(c->now_ms - a->begun_ms) / 1000;
	const struct scene_plan *plan = &a->plan;

	if (!a->runs || a->hangs || (a->stuck & (1u << index)) != 0)
		return;
	if (plan->work_every > 0 && fmod(now, plan->work_every) >= plan->work_for)
		return;
	if (p->position < (double)p->start || p->position > (double)p->end)
		p->position = (double)p->start; /* auto.offset.reset */
	double to = MAX(limit_of(p), p->position);
	if (plan->rate > 0) {
		to = MIN(to, p->position + a->budget);
		a->budget -= to - p->position;
	}
	p->position = to;
}

static void put_commit(struct scene *c, struct scene_part *p, int64_t offset, bool same)
{
	if (offset == p->committed && !same)
		return;
	p->committed = offset;
	p->committed_ms = c->now_ms;
}

static void commit_of(struct scene *c, const struct scene_app *a, struct scene_part *p)
{
	double offset = floor(p->position) - a->plan.hold;

	if (a->plan.batch > 0)
		offset = floor(offset / a->plan.batch) * a->plan.batch;
	if (offset > 0 || a->plan.commit_same)
		put_commit(c, p, (int64_t)MAX(offset, 0.0), a->plan.commit_same);
}

static void commit_all(struct scene *c, const struct scene_app *a)
{
	for (int i = 0; i < SCENE_PARTS; i++) {
		if (c->parts[i].owner == (int)(a - c->apps) && !a->plan.never_commits)
			commit_of(c, a, &c->parts[i]);
	}
}

static void work(struct scene *c, struct scene_app *a)
{
	a->budget = MIN(a->budget + a->plan.rate * STEP_S, MAX(a->plan.rate, 1.0));
	for (int64_t i = c->now_ms / STEP_MS; i < c->now_ms / STEP_MS + SCENE_PARTS; i++) {
		int index = (int)(i % SCENE_PARTS); /* none is always the first */

		if (c->parts[index].owner == (int)(a - c->apps))
			read_on(c, a, &c->parts[index], index);
	}
	if (!a->runs || a->hangs || c->now_ms < a->next_commit_ms)
		return;
	a->next_commit_ms =
		c->now_ms + (int64_t)(a->plan.commit_every * 1000) + (int64_t)(draw(c) % RESET_MS);
	commit_all(c, a);
}

void scene_stop(struct scene *c, struct scene_app *a, enum scene_stop how)
{
	if (how == SCENE_CLEAN)
		commit_all(c, a);
	a->runs = false;
	if (how == SCENE_CRASH || a->plan.is_static) {
		a->expires_ms = c->now_ms + SESSION_MS;
		return;
	}
	a->member = false;
	rebalance(c);
}

static void expire(struct scene *c)
{
	for (int i = 0; i < SCENE_APPS; i++) {
		struct scene_app *a = &c->apps[i];

		if (a->expires_ms == 0 || c->now_ms < a->expires_ms)
			continue;
		a->expires_ms = 0;
		a->member = false;
		rebalance(c);
	}
}

void scene_commit(struct scene *c, int part, int64_t offset)
{
	put_commit(c, &c->parts[part], offset, true);
}

void scene_delete_topic(struct scene *c, int topic)
{
	for (int i = 0; i < SCENE_PARTS; i++) {
		if (c->parts[i].exists && c->parts[i].topic == topic)
			c->parts[i] = (struct scene_part){.owner = -1};
	}
}

void scene_delete_group(struct scene *c)
{
	for (int i = 0; i < SCENE_PARTS; i++) {
		c->parts[i].committed = TRACK_UNKNOWN;
		c->parts[i].commit = (struct commit_track){0};
	}
	c->group = (struct group_track){0};
}

/* --- a pass --- */

static uint32_t members(const struct scene *c)
{
	uint32_t n = 0;

	for (int i = 0; i < SCENE_APPS; i++)
		n += c->apps[i].member;
	return n;
}

static void apply_group(struct scene *c, int64_t at_ms)
{
	struct track_group_row row = {
		.protocol = c->new_protocol ? TRACK_PROTOCOL_CONSUMER : TRACK_PROTOCOL_CLASSIC,
		.state = c->rebalancing ? TRACK_GROUP_REBALANCING : TRACK_GROUP_STABLE,
		.generation = c->generation,
		.member_count = members(c),
	};

	if (row.member_count == 0 && c->group.version == 0)
		return;
	if (row.member_count == 0)
		row.state = TRACK_GROUP_EMPTY;
	track_group_row(&c->group, at_ms, &row);
}

static void apply_log(struct scene *c, struct scene_part *p, int64_t at_ms)
{
	struct track_log_row row = {p->start, p->end, p->stable, TRACK_UNKNOWN};

	if (p->silent)
		row.start = row.end = row.stable = TRACK_UNKNOWN;
	track_log_row(&p->log, &c->cluster, at_ms, &row);
	if (!p->silent)
		history_add(&p->history, at_ms, p->end);
}

static bool is_subscribed(const struct scene *c, const struct scene_part *p)
{
	for (int i = 0; i < SCENE_APPS; i++) {
		if (c->apps[i].member && (topics_of(&c->apps[i]) & (1u << p->topic)) != 0)
			return true;
	}
	return false;
}

static void apply_owner(const struct scene *c, struct scene_part *p, bool owned)
{
	enum track_owner owner = c->group.version == 0 ? TRACK_OWNER_UNKNOWN : TRACK_OWNER_NONE;
	enum track_subscription subscription = TRACK_SUBSCRIPTION_UNKNOWN;

	if (members(c) > 0 && !c->hides_topics)
		subscription = is_subscribed(c, p) ? TRACK_SUBSCRIPTION_YES : TRACK_SUBSCRIPTION_NO;
	track_owner(&p->commit, owned ? TRACK_OWNER_PRESENT : owner, subscription);
}

static void apply_commit(struct scene *c, struct scene_part *p, int64_t at_ms)
{
	int64_t arrival_ms = wall(p->committed_ms);
	struct track_commit_row row = {p->committed, arrival_ms, arrival_ms};
	bool owned = p->owner >= 0 && c->apps[p->owner].member;

	if (p->committed < 0 && !owned && p->commit.version == 0)
		return;
	track_commit_row(&p->commit, &c->cluster, at_ms, &row);
	apply_owner(c, p, owned);
	if (track_is_over(&p->commit, &c->group))
		p->commit = (struct commit_track){0};
}

static struct judge_input input(const struct scene *c, const struct scene_part *p)
{
	return (struct judge_input){
		&p->commit,  &p->log,   c->group.version != 0 ? &c->group : NULL,
		&c->cluster, &c->rules, c->cluster.last_ms};
}

/* As the agent does: asked with one pass, answered with the next. */
static void probe(struct scene *c, struct scene_part *p, struct judge_input *in)
{
	bool found = p->readable > p->wish_offset;

	if (c->no_probe || !judge_wants_probe(in, &p->verdict))
		return;
	if (p->wish_offset == p->commit.offset &&
	    track_probe_answer(&p->commit, &p->log, p->wish_offset, p->wish_end,
			       found ? TRACK_PROBE_RECORD : TRACK_PROBE_NOTHING, 0)) {
		track_pass(&p->commit, &p->log, in->group, &c->cluster, in->now_ms);
		judge(in, &p->verdict);
	}
	p->wish_offset = p->commit.offset;
	p->wish_end = p->end;
}

static void judge_part(struct scene *c, struct scene_part *p, int64_t at_ms)
{
	struct judge_input in = input(c, p);

	track_pass(&p->commit, &p->log, in.group, &c->cluster, at_ms);
	if (track_wants_history(&p->commit))
		track_history(&p->commit, &p->history);
	judge(&in, &p->verdict);
	probe(c, p, &in);
	track_publish(&p->commit, &p->verdict, &c->rules, at_ms);
}

static enum status part_status(const struct scene_part *p)
{
	return p->commit.version != 0 && p->verdict.counted ? (enum status)p->commit.status
							    : STATUS_OK;
}

static void show(const struct scene *c)
{
	printf("%7.1f s %-8s", (double)c->now_ms / 1000, status_str(c->status));
	for (int i = 0; i < SCENE_PARTS; i++) {
		const struct scene_part *p = &c->parts[i];

		if (p->commit.version != 0)
			printf(" | %d %s (%s %s) c %" PRId64 " e %" PRId64 " lag %" PRId64
			       " old %" PRId64 " s",
			       i, status_str((enum status)p->commit.status),
			       status_str(p->verdict.status), reason_str(p->verdict.reason),
			       p->commit.offset, p->end, p->verdict.lag,
			       p->verdict.time_lag_ms / 1000);
	}
	printf("\n");
}

static void pass(struct scene *c)
{
	int64_t at_ms = wall(c->now_ms);
	enum status worst = STATUS_OK;
	bool visible = false;

	track_cluster_pass(&c->cluster, at_ms, (uint32_t)c->interval_ms, c->rules.window_ms);
	apply_group(c, at_ms);
	for (int i = 0; i < SCENE_PARTS; i++) {
		struct scene_part *p = &c->parts[i];

		if (!p->exists)
			continue;
		apply_log(c, p, at_ms);
		apply_commit(c, p, at_ms);
		if (p->commit.version == 0)
			continue;
		judge_part(c, p, at_ms);
		visible = true;
		worst = MAX(worst, part_status(p));
	}
	visible = visible || c->group.version != 0;
	c->status = visible ? status_of_group(worst) : STATUS_NOTFOUND;
	if (c->show)
		show(c);
}

/* --- the score --- */

double scene_grace_start(const struct scene *c)
{
	return MAX(30.0, 3 * (double)c->interval_ms / 1000);
}

double scene_grace_death(const struct scene *c)
{
	return MAX(90.0, 65 + 3 * (double)c->interval_ms / 1000);
}

double scene_grace_growth(const struct scene *c)
{
	return MAX(150.0, 120 + 3 * (double)c->interval_ms / 1000);
}

double scene_grace_recovery(const struct scene *c)
{
	return MAX(45.0, 10 + 4 * (double)c->interval_ms / 1000);
}

void scene_phase(struct scene *c, const char *name, unsigned right, double grace_s,
		 unsigned bad_parts)
{
	unsigned before = c->phase.name == NULL ? SCENE_GONE | SCENE_OK : c->phase.right;

	c->phase = (struct scene_phase){name, right, before, bad_parts, c->now_ms, grace_s};
	if (c->show)
		printf("--- %s\n", name);
}

static bool is_right(const struct scene *c)
{
	const struct scene_phase *ph = &c->phase;

	if ((ph->right & (1u << c->status)) == 0)
		return false;
	for (int i = 0; i < SCENE_PARTS && ph->bad_parts != 0; i++) {
		if (part_status(&c->parts[i]) > STATUS_OK && (ph->bad_parts & (1u << i)) == 0)
			return false;
	}
	return true;
}

static void note_wrong(struct scene *c)
{
	if (c->first_wrong[0] == '\0')
		snprintf(c->first_wrong, sizeof(c->first_wrong), "%s, %.0f s into \"%s\"",
			 status_str(c->status), (double)(c->now_ms - c->phase.from_ms) / 1000,
			 c->phase.name);
}

static void score(struct scene *c)
{
	const struct scene_phase *ph = &c->phase;

	if (ph->name == NULL)
		return;
	if ((double)(c->now_ms - ph->from_ms) > ph->grace_s * 1000) {
		c->seconds++;
		c->wrong += !is_right(c);
		if (!is_right(c))
			note_wrong(c);
	} else if (((1u << c->status) & SCENE_ALARM & ~(ph->right | ph->before)) != 0 &&
		   (ph->right & SCENE_ALARM) == 0) {
		c->wrong_in_grace++;
		note_wrong(c);
	}
}

void scene_play(struct scene *c, double seconds)
{
	int64_t until_ms = c->now_ms + (int64_t)(seconds * 1000);

	while (c->now_ms < until_ms) {
		c->now_ms += STEP_MS;
		expire(c);
		if (c->rebalancing && c->now_ms >= c->rebalanced_ms)
			assign(c);
		for (int i = 0; i < SCENE_PARTS; i++) {
			if (c->parts[i].exists)
				produce(c, &c->parts[i]);
		}
		for (int i = 0; i < SCENE_APPS; i++)
			work(c, &c->apps[i]);
		c->blind_s = MAX(c->blind_s - STEP_S, 0.0);
		if (c->now_ms >= c->next_pass_ms) {
			if (c->blind_s == 0)
				pass(c);
			c->next_pass_ms += c->interval_ms - c->interval_ms / 40 +
					   (int64_t)(draw(c) % (uint64_t)(c->interval_ms / 20 + 1));
		}
		if (c->now_ms % 1000 == 0)
			score(c);
	}
}
