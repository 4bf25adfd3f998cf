/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Consumer behaviours with known truth, judged second by second as on the live bench, at several
 * pass intervals and with several seeds.
 *
 *	scenes [NAME INTERVAL_S SEED]    all of them, or every pass of one
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/verdicts/scene.h"

#define SEEDS 4

static const int64_t INTERVALS_MS[] = {1000, 4000, 5000, 10000, 30000};

static struct scene_app *usual_app(struct scene *c)
{
	return scene_app(c, (struct scene_plan){.commit_every = 3});
}

static void usual_topic(struct scene *c, double rate)
{
	c->parts[scene_topic(c, 0, 1)].rate = rate;
}

static void healthy(struct scene *c, double seconds)
{
	scene_phase(c, "healthy", SCENE_OK, scene_grace_start(c), 0);
	/* Until its pace is known, whatever the interval. */
	scene_play(c, MAX(seconds, 8 * (double)c->interval_ms / 1000));
}

static void dead(struct scene *c, double seconds)
{
	scene_phase(c, "dead", SCENE_ERR, scene_grace_death(c), 0);
	scene_play(c, seconds);
}

static void recovered(struct scene *c, double seconds)
{
	scene_phase(c, "recovered", SCENE_OK, scene_grace_recovery(c), 0);
	scene_play(c, seconds);
}

/* --- too slow --- */

static void slow_in_waves(struct scene *c)
{
	usual_topic(c, 30);
	c->parts[0].wave = 30;
	c->parts[0].wave_s = 100;
	scene_app(c, (struct scene_plan){.rate = 20, .commit_every = 3});
	scene_phase(c, "slow", SCENE_WARN, scene_grace_growth(c) + 100, 0);
	scene_play(c, 800);
}

static void slow_from_the_start(struct scene *c)
{
	usual_topic(c, 30);
	scene_app(c, (struct scene_plan){.rate = 15, .commit_every = 3});
	scene_phase(c, "slow", SCENE_WARN, scene_grace_growth(c) + 5, 0);
	scene_play(c, 600);
}

static void slow_and_behind_from_the_start(struct scene *c)
{
	usual_topic(c, 30);
	scene_play(c, 300);
	scene_app(c, (struct scene_plan){.rate = 15, .commit_every = 3});
	scene_phase(c, "slow", SCENE_WARN, scene_grace_growth(c) + 5, 0);
	scene_play(c, 600);
}

static void slow_on_two_of_three(struct scene *c)
{
	scene_topic(c, 0, 3);
	c->parts[0].rate = c->parts[1].rate = 30;
	c->parts[2].rate = 5;
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 3});
	healthy(c, 120);
	a->plan.rate = 35;
	scene_phase(c, "slow", SCENE_WARN, scene_grace_growth(c) + 60, 3);
	scene_play(c, 500);
	a->plan.rate = 800;
	scene_phase(c, "caught up", SCENE_OK, scene_grace_recovery(c), 0);
	scene_play(c, 300);
}

static void nine_tenths_of_the_speed(struct scene *c)
{
	usual_topic(c, 30);
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 3});
	healthy(c, 200);
	a->plan.rate = 27;
	scene_phase(c, "not old yet", SCENE_OK, 0, 0);
	scene_play(c, 530);
	scene_phase(c, "slow", SCENE_WARN, 170 + 3 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 1200);
}

static void four_fifths_of_the_speed(struct scene *c)
{
	usual_topic(c, 50);
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 400, .commit_every = 5});
	healthy(c, 200);
	a->plan.rate = 40;
	scene_phase(c, "slow", SCENE_WARN, 310 + 4 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 900);
	a->plan.rate = 400;
	scene_phase(c, "caught up", SCENE_OK, scene_grace_recovery(c), 0);
	scene_play(c, 300);
}

static void a_little_slow_with_a_backlog(struct scene *c)
{
	usual_topic(c, 100);
	scene_play(c, 360);
	scene_app(c, (struct scene_plan){.rate = 90, .commit_every = 5});
	scene_phase(c, "slow", SCENE_WARN, 60 + scene_grace_growth(c), 0);
	scene_play(c, 1500);
}

static void slow_and_uneven(struct scene *c)
{
	usual_topic(c, 40);
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 4});
	healthy(c, 150);
	scene_phase(c, "slow", SCENE_WARN, 60 + scene_grace_growth(c), 0);
	for (int i = 0; i < 90; i++) {
		a->plan.rate = 10 + i * 7 % 31; /* 25 of 40 */
		scene_play(c, 10);
	}
	a->plan.rate = 400;
	recovered(c, 200);
}

static void slow_while_the_load_swings(struct scene *c)
{
	usual_topic(c, 40);
	c->parts[0].wave = 15;
	c->parts[0].wave_s = 60;
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 3});
	healthy(c, 150);
	a->plan.rate = 22;
	scene_phase(c, "slow", SCENE_WARN, 30 + scene_grace_growth(c), 0);
	scene_play(c, 600);
	a->plan.rate = 60;
	scene_phase(c, "drains", SCENE_OK | SCENE_WARN, 0, 0);
	scene_play(c, 60);
	scene_phase(c, "drains for long", SCENE_OK, 3 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 300);
}

static void waves_that_are_caught_up(struct scene *c)
{
	usual_topic(c, 30);
	c->parts[0].wave = 30;
	c->parts[0].wave_s = 200;
	scene_app(c, (struct scene_plan){.rate = 45, .commit_every = 3});
	scene_phase(c, "waves", SCENE_OK | SCENE_WARN, scene_grace_start(c), 0);
	scene_play(c, 1200);
}

static void far_behind_and_stable(struct scene *c)
{
	usual_topic(c, 40);
	scene_play(c, 600);
	c->parts[0].wave = 10;
	c->parts[0].wave_s = 37;
	scene_app(c, (struct scene_plan){.rate = 40, .commit_every = 5});
	scene_phase(c, "stable", SCENE_OK, scene_grace_start(c), 0);
	scene_play(c, 1500);
}

static void slower_and_slower(struct scene *c)
{
	usual_topic(c, 40);
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 100, .commit_every = 3});
	healthy(c, 200);
	scene_phase(c, "slower", SCENE_OK | SCENE_WARN, 0, 0);
	for (int i = 0; i < 20; i++) {
		a->plan.rate *= 0.9;
		scene_play(c, 20);
	}
	scene_phase(c, "slow", SCENE_WARN, 0, 0);
	scene_play(c, 300);
}

static void slow_with_rare_commits(struct scene *c)
{
	usual_topic(c, 30);
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 30});
	healthy(c, 200);
	a->plan.rate = 12;
	scene_phase(c, "slow", SCENE_WARN, 30 + scene_grace_growth(c), 0);
	scene_play(c, 500);
}

static void slow_in_bursts(struct scene *c)
{
	scene_topic(c, 0, 1);
	c->parts[0].every_s = 60;
	c->parts[0].burst = 1600;
	scene_app(c, (struct scene_plan){.rate = 18, .commit_every = 3});
	scene_phase(c, "slow", SCENE_WARN, 310 + 3 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 900);
}

static void falls_behind_then_holds(struct scene *c)
{
	usual_topic(c, 30);
	struct scene_app *a = scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 3});
	healthy(c, 100);
	a->plan.rate = 15;
	scene_phase(c, "slow", SCENE_WARN, scene_grace_growth(c), 0);
	scene_play(c, 300);
	a->plan.rate = 31;
	scene_phase(c, "stable", SCENE_OK | SCENE_WARN, 0, 0);
	scene_play(c, 600);
	scene_phase(c, "stable for long", SCENE_OK, 0, 0);
	scene_play(c, 300);
}

/* --- pauses and odd habits that are no fault --- */

static void stops_for_45_s(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	for (int i = 0; i < 3; i++) {
		a->hangs = true;
		scene_play(c, 45);
		a->hangs = false;
		scene_play(c, 100);
	}
}

static void away_for_45_s(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	for (int i = 0; i < 3; i++) {
		scene_stop(c, a, SCENE_CLEAN);
		scene_play(c, 45);
		scene_restart(c, a);
		scene_play(c, 100);
	}
}

static void a_static_member_restarts(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a =
		scene_app(c, (struct scene_plan){.commit_every = 3, .is_static = true});
	healthy(c, 100);
	for (int i = 0; i < 3; i++) {
		scene_stop(c, a, SCENE_CLEAN);
		scene_play(c, 40);
		scene_restart(c, a);
		scene_play(c, 100);
	}
}

static void two_minutes_by_habit_then_dead(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 110});
	healthy(c, 900);
	scene_stop(c, a, SCENE_LEAVE);
	scene_phase(c, "dead", SCENE_ERR, 120 + 170 + 3 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 400);
}

static void a_minute_by_habit_then_hangs(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 55});
	healthy(c, 600);
	a->hangs = true;
	scene_phase(c, "dead", SCENE_ERR, 170 + 3 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 400);
}

static void quick_at_first_then_every_50_s(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 60);
	a->plan.commit_every = 50;
	scene_phase(c, "rare commits", SCENE_OK, 0, 0);
	scene_play(c, 600);
}

static void five_quick_commits_then_long_pauses(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 2});
	scene_phase(c, "healthy", SCENE_OK, scene_grace_start(c), 0);
	scene_play(c, 14);
	a->plan.commit_every = 100;
	scene_phase(c, "rare commits", SCENE_OK, 20, 0);
	scene_play(c, 900);
}

static void one_message_a_minute_then_dead(struct scene *c)
{
	scene_topic(c, 0, 1);
	c->parts[0].every_s = 60;
	c->parts[0].burst = 1;
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 2});
	healthy(c, 630);
	scene_stop(c, a, SCENE_LEAVE);
	scene_phase(c, "dead", SCENE_ERR, 30 + scene_grace_death(c), 0);
	scene_play(c, 300);
	scene_restart(c, a);
	recovered(c, 300);
}

static void one_message_in_40_s_then_hangs(struct scene *c)
{
	scene_topic(c, 0, 1);
	c->parts[0].every_s = 40;
	c->parts[0].burst = 1;
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 2});
	healthy(c, 420);
	a->hangs = true;
	scene_phase(c, "dead", SCENE_ERR, 40 + scene_grace_death(c), 0);
	scene_play(c, 300);
}

static void batches_every_two_minutes(struct scene *c)
{
	usual_topic(c, 10);
	scene_app(c, (struct scene_plan){.rate = 400,
					 .commit_every = 2,
					 .work_every = 50,
					 .work_for = 8,
					 .commit_same = true});
	healthy(c, 900);
}

static void a_backlog_on_two_partitions(struct scene *c)
{
	scene_topic(c, 0, 2);
	c->parts[0].rate = c->parts[1].rate = 100;
	scene_play(c, 200);
	c->parts[0].rate = c->parts[1].rate = 20;
	scene_app(c, (struct scene_plan){.rate = 200, .commit_every = 5});
	scene_phase(c, "eats", SCENE_OK, scene_grace_start(c), 0);
	scene_play(c, 600);
}

static void bursts_that_are_drained(struct scene *c)
{
	usual_topic(c, 5);
	c->parts[0].every_s = 150;
	c->parts[0].burst = 3000;
	scene_app(c, (struct scene_plan){.rate = 40, .commit_every = 3});
	healthy(c, 1200);
}

static void one_large_burst(struct scene *c)
{
	usual_topic(c, 20);
	scene_app(c, (struct scene_plan){.rate = 60, .commit_every = 3});
	healthy(c, 200);
	c->parts[0].debt += 15000;
	scene_phase(c, "drains", SCENE_OK, 0, 0);
	scene_play(c, 600);
}

static void idle_then_traffic(struct scene *c)
{
	usual_topic(c, 0);
	usual_app(c);
	healthy(c, 300);
	c->parts[0].rate = 50;
	scene_phase(c, "traffic", SCENE_OK, 0, 0);
	scene_play(c, 300);
	c->parts[0].rate = 0;
	scene_phase(c, "idle", SCENE_OK, 0, 0);
	scene_play(c, 300);
}

/* --- new, restarted, moved --- */

static void a_new_group_on_an_idle_topic(struct scene *c)
{
	usual_topic(c, 200);
	scene_play(c, 30);
	c->parts[0].rate = 0;
	scene_play(c, 60);
	scene_app(c, (struct scene_plan){.commit_every = 2, .latest = true});
	scene_phase(c, "new", SCENE_OK, 5 + 2 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 400);
}

static void a_new_group_dead_at_once(struct scene *c)
{
	usual_topic(c, 20);
	scene_play(c, 60);
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 3});
	scene_phase(c, "new", SCENE_OK, 5 + 2 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 10 + (double)c->interval_ms / 1000);
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 200);
}

static void a_new_group_hangs_at_once(struct scene *c)
{
	usual_topic(c, 20);
	scene_play(c, 60);
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 3});
	scene_phase(c, "new", SCENE_OK, 5 + 2 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 20);
	a->hangs = true;
	scene_phase(c, "dead", SCENE_ERR, 60 + scene_grace_death(c), 0);
	scene_play(c, 300);
}

static void rewinds_in_a_crash_loop(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 150);
	/* Only every second round or so shows how far it gets. */
	scene_phase(c, "loops", SCENE_ERR,
		    scene_grace_death(c) + 30 + (double)c->interval_ms / 1000, 0);
	int64_t from = c->parts[0].committed;
	c->parts[0].poison = from + 100;
	for (int i = 0; i < 20; i++) {
		a->plan.rate = 10 + i % 3 * 10;
		scene_play(c, 20);
		scene_stop(c, a, SCENE_LEAVE);
		scene_commit(c, 0, from + i % 4 * 10);
		scene_play(c, 4);
		scene_restart(c, a);
	}
	a->plan.rate = 400;
	c->parts[0].poison = 0;
	recovered(c, 150);
}

static void dies_before_its_first_commit_again_and_again(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a =
		scene_app(c, (struct scene_plan){.commit_every = 3, .never_commits = true});
	scene_phase(c, "loops", SCENE_ERR, 150 + 4 * (double)c->interval_ms / 1000, 0);
	for (int i = 0; i < 20; i++) {
		scene_play(c, 27);
		scene_stop(c, a, SCENE_LEAVE);
		scene_play(c, 10);
		scene_restart(c, a);
	}
	a->plan.never_commits = false;
	recovered(c, 150);
}

static void skipped_forward(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 200);
	scene_commit(c, 0, c->parts[0].end);
	scene_restart(c, a);
	recovered(c, 200);
}

static void killed_again_after_recovery(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	for (int i = 0; i < 2; i++) {
		a->hangs = true;
		dead(c, 180);
		a->hangs = false;
		recovered(c, 150);
	}
}

static void crashes_without_leaving(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	scene_stop(c, a, SCENE_CRASH);
	dead(c, 250);
	scene_restart(c, a);
	recovered(c, 150);
}

static void one_of_two_members_crashes(struct scene *c)
{
	scene_topic(c, 0, 2);
	c->parts[0].rate = c->parts[1].rate = 10;
	usual_app(c);
	struct scene_app *b = usual_app(c);
	healthy(c, 100);
	scene_stop(c, b, SCENE_CRASH);
	scene_phase(c, "taken over after 45 s", SCENE_OK, 0, 0);
	scene_play(c, 250);
}

static void one_of_two_members_hangs(struct scene *c)
{
	scene_topic(c, 0, 2);
	c->parts[0].rate = c->parts[1].rate = 10;
	usual_app(c);
	struct scene_app *b = usual_app(c);
	healthy(c, 100);
	b->hangs = true;
	scene_phase(c, "one hangs", SCENE_ERR, scene_grace_death(c), 3);
	scene_play(c, 250);
	b->hangs = false;
	recovered(c, 150);
}

static void rolling_deploys(struct scene *c)
{
	scene_topic(c, 0, 2);
	c->parts[0].rate = c->parts[1].rate = 10;
	struct scene_app *a = usual_app(c);
	struct scene_app *b = usual_app(c);
	healthy(c, 60);
	for (int i = 0; i < 5; i++) {
		scene_stop(c, a, SCENE_CLEAN);
		scene_play(c, 10);
		scene_restart(c, a);
		scene_stop(c, b, SCENE_CLEAN);
		scene_play(c, 10);
		scene_restart(c, b);
		scene_play(c, 40);
	}
}

static void rolling_deploys_of_the_new_protocol(struct scene *c)
{
	c->new_protocol = true;
	rolling_deploys(c);
}

static void dead_with_the_new_protocol(struct scene *c)
{
	c->new_protocol = true;
	crashes_without_leaving(c);
}

static void stuck_on_one_of_two(struct scene *c)
{
	scene_topic(c, 0, 2);
	c->parts[0].rate = c->parts[1].rate = 10;
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	a->stuck = 2;
	scene_phase(c, "one is stuck", SCENE_ERR, scene_grace_death(c), 2);
	scene_play(c, 200);
	a->stuck = 0;
	recovered(c, 150);
}

/* --- topics --- */

static void a_topic_recreated_under_a_consumer(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 120);
	scene_delete_topic(c, 0);
	scene_play(c, 8);
	usual_topic(c, 20);
	scene_phase(c, "recreated", SCENE_OK, 0, 0);
	scene_play(c, 200);
	a->hangs = true;
	dead(c, 200);
}

static void a_topic_recreated_under_a_dead_group(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 120);
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 150);
	/* Within one pass, and the offsets stay. */
	struct scene_part *p = &c->parts[0];
	p->end = p->readable = 100;
	scene_phase(c, "commit beyond the end", SCENE_ALARM, 0, 0);
	scene_play(c, 50);
}

static void records_deleted_behind_a_good_reader(struct scene *c)
{
	usual_topic(c, 20);
	scene_app(c, (struct scene_plan){.commit_every = 30});
	healthy(c, 200);
	for (int i = 0; i < 10; i++) {
		c->parts[0].start = (int64_t)c->parts[0].position - 5;
		scene_play(c, 47);
	}
}

static void records_deleted_under_a_dead_reader(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 150);
	c->parts[0].start = c->parts[0].end;
	scene_phase(c, "deleted", SCENE_ERR, 15, 0);
	scene_play(c, 100);
	scene_restart(c, a);
	recovered(c, 150);
}

static void partitions_added(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 120);
	int added = scene_topic(c, 0, 1);
	c->parts[added].rate = 10;
	c->rebalancing = false;
	scene_play(c, 20); /* until the members learn of it */
	scene_subscribe(c, a, 1);
	scene_play(c, 200);
	a->stuck = 2;
	scene_phase(c, "the new one is stuck", SCENE_ERR, scene_grace_death(c), 2);
	scene_play(c, 200);
}

static void given_to_nobody(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 100);
	c->assigns_to_nobody = true;
	scene_subscribe(c, a, 1);
	dead(c, 400);
	c->assigns_to_nobody = false;
	scene_subscribe(c, a, 1);
	recovered(c, 150);
}

static void a_topic_left_with_lag_and_taken_up_again(struct scene *c)
{
	scene_topic(c, 0, 1);
	scene_topic(c, 1, 1);
	c->parts[0].rate = c->parts[1].rate = 10;
	struct scene_app *a = scene_app(c, (struct scene_plan){.topics = 3, .commit_every = 3});
	healthy(c, 100);
	a->stuck = 2;
	scene_play(c, 30);
	a->stuck = 0;
	scene_subscribe(c, a, 1);
	scene_phase(c, "left", c->hides_topics ? SCENE_ANY : SCENE_OK, 0, 0);
	scene_play(c, 340);
	scene_phase(c, "abandoned", SCENE_OK, 3 * (double)c->interval_ms / 1000, 0);
	scene_play(c, 100);
	scene_subscribe(c, a, 3);
	scene_phase(c, "taken up again", SCENE_OK, 0, 0);
	scene_play(c, 100);
	a->stuck = 2;
	scene_phase(c, "stuck", SCENE_ERR, scene_grace_death(c), 2);
	scene_play(c, 150);
}

static void a_topic_left_where_subscriptions_are_hidden(struct scene *c)
{
	c->hides_topics = true;
	a_topic_left_with_lag_and_taken_up_again(c);
}

/* --- transactions and compaction --- */

static void aborted_data_at_the_end(struct scene *c)
{
	scene_topic(c, 0, 1);
	c->parts[0].every_s = 5;
	c->parts[0].burst = 10;
	c->parts[0].txn = SCENE_COMMITS;
	struct scene_app *a = usual_app(c);
	healthy(c, 150);
	c->parts[0].txn = SCENE_ABORTS;
	scene_play(c, 16);
	c->parts[0].every_s = 0;
	scene_phase(c, "idle after aborted data", SCENE_OK, 0, 0);
	scene_play(c, 400);
	c->parts[0].every_s = 5;
	scene_play(c, 200);
	c->parts[0].txn = SCENE_COMMITS;
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 200);
}

static void a_marker_where_the_probe_may_not_read(struct scene *c)
{
	c->no_probe = true;
	scene_topic(c, 0, 1);
	c->parts[0].every_s = 5;
	c->parts[0].burst = 10;
	c->parts[0].txn = SCENE_COMMITS;
	scene_app(c, (struct scene_plan){.commit_every = 3, .commit_same = true});
	healthy(c, 150);
	c->parts[0].every_s = 0;
	scene_phase(c, "idle", SCENE_OK, 0, 0);
	scene_play(c, 400);
}

static void a_transaction_open_for_three_minutes(struct scene *c)
{
	scene_topic(c, 0, 1);
	c->parts[0].every_s = 5;
	c->parts[0].burst = 10;
	c->parts[0].txn = SCENE_COMMITS;
	struct scene_app *a = usual_app(c);
	healthy(c, 150);
	for (int i = 0; i < 2; i++) {
		c->parts[0].open = true;
		scene_phase(c, "open", SCENE_OK, 0, 0);
		scene_play(c, 182 + i);
		c->parts[0].open = false;
		scene_phase(c, "ended", SCENE_OK, 0, 0);
		scene_play(c, 60);
	}
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 200);
}

static void a_tail_that_was_compacted_away(struct scene *c)
{
	usual_topic(c, 20);
	scene_app(c, (struct scene_plan){.commit_every = 3, .commit_same = true});
	healthy(c, 150);
	c->parts[0].rate = 0;
	scene_play(c, 10);
	c->parts[0].end += 40; /* tombstones that are gone before they are read */
	scene_phase(c, "compacted", SCENE_OK, 0, 0);
	scene_play(c, 400);
	c->parts[0].rate = 20;
	scene_play(c, 100);
}

/* --- our own faults --- */

static void the_agent_is_away_for_two_minutes(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 120);
	c->blind_s = 120;
	scene_play(c, 300);
	c->blind_s = 120;
	scene_play(c, 60);
	a->hangs = true;
	scene_play(c, 70);
	dead(c, 200);
}

static void the_broker_is_away_for_a_minute(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = usual_app(c);
	healthy(c, 120);
	for (int i = 0; i < 2; i++) {
		a->hangs = true;
		c->parts[0].silent = true;
		c->parts[0].rate = 0;
		c->blind_s = 30;
		scene_play(c, 60);
		c->parts[0].silent = false;
		c->parts[0].rate = 20;
		scene_play(c, 10);
		a->hangs = false;
		scene_play(c, 150);
	}
}

/* --- others --- */

static void a_simple_consumer_dies(struct scene *c)
{
	usual_topic(c, 20);
	struct scene_app *a = scene_app(c, (struct scene_plan){.commit_every = 2, .simple = true});
	healthy(c, 100);
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 200);
	scene_restart(c, a);
	recovered(c, 100);
	scene_delete_group(c);
	a->runs = false;
	scene_phase(c, "deleted", SCENE_GONE, scene_grace_recovery(c), 0);
	scene_play(c, 60);
}

static void works_in_hand(struct scene *c)
{
	usual_topic(c, 10);
	struct scene_app *a =
		scene_app(c, (struct scene_plan){.commit_every = 2, .hold = 3, .batch = 10});
	healthy(c, 400);
	scene_stop(c, a, SCENE_LEAVE);
	dead(c, 200);
}

static const struct {
	const char *name;
	void (*play)(struct scene *c);
} SCENES[] = {
/* clang-format off */
#define SCENE(name) {#name, name}
/* clang-format on */
	SCENE(slow_in_waves),
	SCENE(slow_from_the_start),
	SCENE(slow_and_behind_from_the_start),
	SCENE(slow_on_two_of_three),
	SCENE(nine_tenths_of_the_speed),
	SCENE(four_fifths_of_the_speed),
	SCENE(a_little_slow_with_a_backlog),
	SCENE(slow_and_uneven),
	SCENE(slow_while_the_load_swings),
	SCENE(waves_that_are_caught_up),
	SCENE(far_behind_and_stable),
	SCENE(slower_and_slower),
	SCENE(slow_with_rare_commits),
	SCENE(slow_in_bursts),
	SCENE(falls_behind_then_holds),
	SCENE(stops_for_45_s),
	SCENE(away_for_45_s),
	SCENE(a_static_member_restarts),
	SCENE(two_minutes_by_habit_then_dead),
	SCENE(a_minute_by_habit_then_hangs),
	SCENE(quick_at_first_then_every_50_s),
	SCENE(five_quick_commits_then_long_pauses),
	SCENE(one_message_a_minute_then_dead),
	SCENE(one_message_in_40_s_then_hangs),
	SCENE(batches_every_two_minutes),
	SCENE(a_backlog_on_two_partitions),
	SCENE(bursts_that_are_drained),
	SCENE(one_large_burst),
	SCENE(idle_then_traffic),
	SCENE(a_new_group_on_an_idle_topic),
	SCENE(a_new_group_dead_at_once),
	SCENE(a_new_group_hangs_at_once),
	SCENE(rewinds_in_a_crash_loop),
	SCENE(dies_before_its_first_commit_again_and_again),
	SCENE(skipped_forward),
	SCENE(killed_again_after_recovery),
	SCENE(crashes_without_leaving),
	SCENE(one_of_two_members_crashes),
	SCENE(one_of_two_members_hangs),
	SCENE(rolling_deploys),
	SCENE(rolling_deploys_of_the_new_protocol),
	SCENE(dead_with_the_new_protocol),
	SCENE(stuck_on_one_of_two),
	SCENE(a_topic_recreated_under_a_consumer),
	SCENE(a_topic_recreated_under_a_dead_group),
	SCENE(records_deleted_behind_a_good_reader),
	SCENE(records_deleted_under_a_dead_reader),
	SCENE(partitions_added),
	SCENE(given_to_nobody),
	SCENE(a_topic_left_with_lag_and_taken_up_again),
	SCENE(a_topic_left_where_subscriptions_are_hidden),
	SCENE(aborted_data_at_the_end),
	SCENE(a_marker_where_the_probe_may_not_read),
	SCENE(a_transaction_open_for_three_minutes),
	SCENE(a_tail_that_was_compacted_away),
	SCENE(the_agent_is_away_for_two_minutes),
	SCENE(the_broker_is_away_for_a_minute),
	SCENE(a_simple_consumer_dies),
	SCENE(works_in_hand),
#undef SCENE
};

static bool run(size_t i, int64_t interval_ms, uint64_t seed, bool show)
{
	struct scene *c = calloc(1, sizeof(*c));

	if (c == NULL)
		exit(2);
	c->interval_ms = interval_ms;
	c->seed = seed;
	c->show = show;
	scene_begin(c);
	SCENES[i].play(c);
	bool right = c->wrong == 0 && c->wrong_in_grace == 0;
	if (!right)
		printf("%-45s every %2" PRId64 " s, seed %d: wrong %" PRId64 " of %" PRId64
		       " s, false in grace %" PRId64 " s; %s\n",
		       SCENES[i].name, interval_ms / 1000, (int)seed, c->wrong, c->seconds,
		       c->wrong_in_grace, c->first_wrong);
	free(c);
	return right;
}

static int show_one(char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(SCENES); i++) {
		if (strcmp(SCENES[i].name, argv[1]) == 0)
			return run(i, atoi(argv[2]) * INT64_C(1000), (uint64_t)atoi(argv[3]), true)
				       ? 0
				       : 1;
	}
	fprintf(stderr, "no such scene: %s\n", argv[1]);
	return 2;
}

int main(int argc, char **argv)
{
	size_t runs = 0;
	size_t right = 0;

	if (argc == 4)
		return show_one(argv);
	for (size_t i = 0; i < ARRAY_LEN(SCENES); i++) {
		for (size_t k = 0; k < ARRAY_LEN(INTERVALS_MS) * SEEDS; k++, runs++)
			right += run(i, INTERVALS_MS[k / SEEDS], k % SEEDS + 1, false);
	}
	printf("%zu scenes, %zu of %zu runs right in every second\n", ARRAY_LEN(SCENES), right,
	       runs);
	return right == runs ? 0 : 1;
}
