/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/alert.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/alert_priv.h"
#include "aggregator/alert/silence_config.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#define COMMAND_S 5      /* how long somebody waits for the writer */
#define TRIM_MS 10000    /* between two steps of forgetting */
#define CHANGES_MAX 1000 /* told of one transaction; a storm is seen in the list */

enum { QUEUED, RUNNING, DONE };

/* --- changes --- */

static void note_change(struct alert *a, const struct incident *i)
{
	a->counts_changed = true;
	if (a->options.changed == NULL || a->change_count == CHANGES_MAX)
		return;
	a->changes = mem_grow(a->changes, a->change_count, &a->change_cap, sizeof(*a->changes));
	a->changes[a->change_count++] = *i;
}

static void tell_changes(struct alert *a)
{
	for (size_t i = 0; i < a->change_count; i++)
		alert_show(&a->changes[i], a->shown_rules, a->options.changed,
			   a->options.changed_arg);
}

static void on_change(void *arg, struct store_txn *t, const struct incident *i,
		      enum incident_change change, int64_t now_ms)
{
	struct alert *a = arg;

	notify_change(a->notify, t, a->shown_rules, i, change, now_ms);
	note_change(a, i);
}

/* --- start and stop --- */

static int start_telling(struct alert *a)
{
	const struct alert_config *c = a->options.config;
	const struct outbox_keep keep = {c->keep_sent_ms, c->keep_dead_ms};
	int err = outbox_new(&keep, &a->outbox);
	const struct deliver_options d = {.outbox = a->outbox,
					  .receivers = a->options.receivers,
					  .points = a->options.points,
					  .arg = a->options.store};

	if (err == ERR_OK)
		err = notify_new(c, a->outbox, &a->notify);
	/* The leader's thread wakes the one that delivers: that is there before it, and after it.
	 * Nothing is sent before, as the outbox has not been loaded. */
	if (err == ERR_OK)
		err = deliver_start(&d, &a->deliver);
	return err == ERR_OK ? leader_new(c, a->outbox, &a->leader) : err;
}

int alert_start(const struct alert_options *o, struct alert **ret_a)
{
	struct alert *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;

	if (a == NULL)
		return -ENOMEM;
	a->options = *o;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->done, &attr);
	pthread_condattr_destroy(&attr);
	a->silences = silences_new();
	a->incidents = incidents_new(a->silences, on_change, a);
	a->counts_changed = true;
	int err = silence_config_fix(o->config, a->silences);
	if (err == ERR_OK)
		err = start_telling(a);
	if (err != ERR_OK)
		alert_stop(&a);
	*ret_a = a;
	return err;
}

static void clear_blind(struct alert *a)
{
	for (size_t i = 0; i < a->blind_count; i++)
		view_unref(&a->blind[i]);
	a->blind_count = 0;
}

/* The writer has stopped: what was confirmed since its last transaction is put down here. */
static void stop_telling(struct alert *a)
{
	leader_free(&a->leader);
	deliver_stop(&a->deliver);
	if (a->outbox == NULL || !outbox_pending(a->outbox))
		return;
	struct store_txn t = store_begin(a->options.store, true);
	outbox_settle(a->outbox, &t, clock_wall_ms());
	outbox_end(a->outbox, store_commit(&t) == ERR_OK);
}

void alert_stop(struct alert **a)
{
	struct alert *gone = *a;

	if (gone == NULL)
		return;
	clear_blind(gone);
	stop_telling(gone);
	notify_free(&gone->notify);
	outbox_free(&gone->outbox);
	incidents_free(&gone->incidents);
	silences_free(&gone->silences);
	rules_unref(&gone->shown_rules);
	pthread_cond_destroy(&gone->done);
	pthread_mutex_destroy(&gone->lock);
	free(gone->blind);
	free(gone->changes);
	free(gone->counts);
	free(gone);
	*a = NULL;
}

/* --- the writer's hook --- */

void alert_load(struct alert *a, struct store_txn *t)
{
	outbox_load(a->outbox, t);
	notify_load(a->notify, t);
	silences_load(a->silences, t);
	incidents_load(a->incidents, t);
	a->counts_changed = true;
}

void alert_rules(struct alert *a, struct rules_set *rules)
{
	struct rules_set *shown = rules_ref(rules);

	incidents_rules(a->incidents, rules);
	a->rules_changed = true;
	pthread_mutex_lock(&a->lock);
	struct rules_set *before = a->shown_rules;
	a->shown_rules = shown;
	pthread_mutex_unlock(&a->lock);
	rules_unref(&before);
}

static void forget_blind(struct alert *a, uint32_t cluster_id)
{
	for (size_t i = 0; i < a->blind_count; i++) {
		if (a->blind[i]->cluster_id != cluster_id)
			continue;
		view_unref(&a->blind[i]);
		a->blind[i] = a->blind[--a->blind_count];
		return;
	}
}

void alert_judged(struct alert *a, struct store_txn *t, const struct view *v, int64_t now_ms)
{
	forget_blind(a, v->cluster_id);
	notify_hold(a->notify, t, v->cluster_id, v->stale, now_ms);
	incidents_pass(a->incidents, t, v, now_ms);
}

void alert_blind(struct alert *a, struct view *v)
{
	forget_blind(a, v->cluster_id);
	a->blind = mem_grow(a->blind, a->blind_count, &a->blind_cap, sizeof(struct view *));
	a->blind[a->blind_count++] = view_ref(v);
}

void alert_gone(struct alert *a, struct store_txn *t, uint32_t cluster_id, int64_t now_ms)
{
	forget_blind(a, cluster_id);
	notify_hold(a->notify, t, cluster_id, false, now_ms);
	incidents_gone(a->incidents, t, cluster_id, now_ms);
}

static bool has_commands(struct alert *a)
{
	pthread_mutex_lock(&a->lock);
	bool any = a->commands != NULL;
	pthread_mutex_unlock(&a->lock);
	return any;
}

bool alert_pending(struct alert *a, int64_t now_ms)
{
	return a->rules_changed || a->blind_count != 0 || outbox_pending(a->outbox) ||
	       now_ms >= notify_next_ms(a->notify) || now_ms >= a->trim_ms ||
	       now_ms >= silences_next_ms(a->silences) || has_commands(a);
}

static int run(struct alert *a, struct store_txn *t, const struct alert_command *c, int64_t now_ms)
{
	switch (c->deed) {
	case ALERT_ACKNOWLEDGE:
		return incidents_acknowledge(a->incidents, t, c->id, c->by, c->note, now_ms);
	case ALERT_RESOLVE:
		return incidents_resolve(a->incidents, t, c->id, c->by, c->note, now_ms);
	case ALERT_ADD_SILENCE:
		c->silence->created_ms = now_ms;
		return silences_add(a->silences, t, c->silence);
	case ALERT_DEL_SILENCE:
		return silences_del(a->silences, t, c->id);
	case ALERT_RETRY:
		return outbox_retry(a->outbox, t, c->id, now_ms);
	}
	return ERR_NOT_FOUND;
}

/* Those who wait hold still while it runs: a command goes from the list only when it is done, or
 * by its owner while it is queued. */
static void run_commands(struct alert *a, struct store_txn *t, int64_t now_ms)
{
	pthread_mutex_lock(&a->lock);
	for (struct alert_command *c = a->commands; c != NULL; c = c->next) {
		if (c->state != QUEUED)
			continue;
		c->state = RUNNING;
		c->err = run(a, t, c, now_ms);
	}
	pthread_mutex_unlock(&a->lock);
}

void alert_work(struct alert *a, struct store_txn *t, int64_t now_ms)
{
	outbox_settle(a->outbox, t, now_ms);
	run_commands(a, t, now_ms);
	for (size_t i = 0; i < a->blind_count; i++) {
		/* What was seen last is all that is known. */
		notify_hold(a->notify, t, a->blind[i]->cluster_id, false, now_ms);
		incidents_blind(a->incidents, t, a->blind[i], now_ms);
	}
	bool silences_changed = silences_tick(a->silences, t, now_ms);
	if (silences_changed || a->rules_changed)
		incidents_silence(a->incidents, t, now_ms);
	a->rules_changed = false;
	notify_tick(a->notify, t, now_ms);
	if (now_ms >= a->trim_ms) {
		incidents_trim(a->incidents, t, now_ms);
		a->trim_ms = now_ms + TRIM_MS;
	}
}

static void end_commands(struct alert *a, bool committed)
{
	pthread_mutex_lock(&a->lock);
	for (struct alert_command **at = &a->commands; *at != NULL;) {
		struct alert_command *c = *at;

		if (c->state != RUNNING || !committed) {
			c->state = QUEUED;
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->state = DONE;
	}
	pthread_cond_broadcast(&a->done);
	pthread_mutex_unlock(&a->lock);
}

static void publish_counts(struct alert *a)
{
	struct incidents_count *counts = NULL;
	size_t count = incidents_counts(a->incidents, &counts);

	pthread_mutex_lock(&a->lock);
	struct incidents_count *before = a->counts;
	a->counts = counts;
	a->count_count = count;
	pthread_mutex_unlock(&a->lock);
	free(before);
	a->counts_changed = false;
}

void alert_end(struct alert *a, bool committed)
{
	outbox_end(a->outbox, committed);
	end_commands(a, committed);
	if (committed)
		tell_changes(a);
	a->change_count = 0;
	if (!committed)
		return; /* what was blind is said again with the next transaction */
	clear_blind(a);
	if (a->counts_changed)
		publish_counts(a);
}

/* --- what people do --- */

int alert_do(struct alert *a, struct alert_command *c)
{
	struct timespec limit;

	c->state = QUEUED;
	c->err = ERR_TIMEOUT;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += COMMAND_S;
	pthread_mutex_lock(&a->lock);
	c->next = a->commands;
	a->commands = c;
	pthread_mutex_unlock(&a->lock);
	if (a->options.wake != NULL)
		a->options.wake(a->options.wake_arg);

	pthread_mutex_lock(&a->lock);
	int rc = 0;
	while (c->state == RUNNING || (c->state == QUEUED && rc == 0))
		rc = pthread_cond_timedwait(&a->done, &a->lock, &limit);
	if (c->state == QUEUED) {
		struct alert_command **at = &a->commands;
		while (*at != c)
			at = &(*at)->next;
		*at = c->next;
		c->err = ERR_TIMEOUT;
	}
	pthread_mutex_unlock(&a->lock);
	return c->err;
}

size_t alert_counts(struct alert *a, struct incidents_count **ret_counts)
{
	pthread_mutex_lock(&a->lock);
	size_t count = a->count_count;
	*ret_counts = calloc(count + 1, sizeof(**ret_counts));
	if (*ret_counts == NULL)
		abort();
	if (count != 0)
		memcpy(*ret_counts, a->counts, count * sizeof(**ret_counts));
	pthread_mutex_unlock(&a->lock);
	return count;
}
