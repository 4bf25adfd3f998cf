/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/writer.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/apply.h"
#include "aggregator/ingest/evaluate.h"
#include "aggregator/ingest/writer_priv.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define TAKE_MS 200   /* how often blind agents and commands are looked after */
#define REAP_MS 1000  /* between two steps of the reaper */
#define USAGE_MS 2000 /* between two looks at how full the store is */
#define ALARM_PERCENT 80

/* --- judging --- */

static struct view *evaluate(struct writer *w, struct cluster *c, struct store_txn *t,
			     int64_t silent_ms)
{
	struct evaluate e = {
		.room = w->room,
		.txn = t,
		.names = w->names,
		.rules = w->memo,
		.cluster = c,
		.silent_ms = silent_ms,
	};
	int64_t began_us = clock_mono_us();
	struct view *v = evaluate_cluster(&e);

	histogram_count(&w->counts.judging, clock_mono_us() - began_us);
	return v;
}

void writer_judge(struct writer *w, struct cluster *c)
{
	c->touched = true;
	c->judged = true;
	c->due = false;
	struct view *v = evaluate(w, c, writer_begin(w), 0);
	w->views[w->view_count++] = v;
	if (w->options.hook != NULL && w->txn.err == ERR_OK)
		w->options.hook->judged(w->options.hook->arg, &w->txn, v, clock_wall_ms());
}

/* The store was full a moment ago: what can wait does, for a failure has all memory read again. */
static bool must_rest(const struct writer *w)
{
	return w->alone && clock_mono_ms() - w->failed_mono < WRITER_TROUBLE_MS;
}

static void judge_due(struct writer *w)
{
	if (must_rest(w))
		return;
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		if (w->view_count == WRITER_VIEWS || (w->alone && w->view_count != 0))
			writer_finish(w);
		if (i < clusters_count(w->clusters) && clusters_at(w->clusters, i)->due)
			writer_judge(w, clusters_at(w->clusters, i));
	}
}

static void tell_blind(const struct cluster *c, bool takes_writes)
{
	log_warn("cluster is not seen", "environment=%s cluster=%s agent=%s problem=%s",
		 log_quote(c->origin.environment), log_quote(c->name), log_quote(c->origin.agent),
		 log_quote(takes_writes ? c->origin.problem : "the store takes no writes"));
}

/* Show that an agent is blind, and what it says of it; or that what it says cannot be stored: then
 * the hook, which could not write of it, is told later, if it is so still. */
static void mark_blind(struct writer *w)
{
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		struct cluster *c = clusters_at(w->clusters, i);
		int64_t silent_ms = clock_mono_ms() - c->passed_mono;

		if (c->track.last_ms == 0 || !evaluate_blind(c, silent_ms) ||
		    (c->stale && !c->news && (!c->untold || w->counts.degraded)))
			continue;
		if (!c->stale)
			tell_blind(c, !w->counts.degraded);
		c->stale = true;
		c->news = false;
		struct store_txn t = store_begin(w->options.store, false);
		struct view *v = evaluate(w, c, &t, silent_ms);
		c->untold = w->counts.degraded;
		if (t.err == ERR_OK && w->options.hook != NULL && !c->untold)
			w->options.hook->blind(w->options.hook->arg, v);
		if (t.err == ERR_OK)
			board_publish(w->options.board, v);
		else
			view_unref(&v);
		store_abort(&t);
		burials_hide(w->burials, w->options.board);
	}
}

/* --- commands --- */

static void bury(void *arg, uint32_t cluster, uint32_t group, const char *topic)
{
	struct writer *w = arg;
	struct cluster *c = clusters_by_id(w->clusters, cluster);
	struct apply a = {.txn = writer_begin(w), .names = w->names, .clusters = w->clusters};
	uint32_t topic_id = 0;

	if (c == NULL)
		return;
	if (topic != NULL) {
		topic_id = names_find(w->names, STORE_TOPIC, c->id, topic);
		if (topic_id == 0)
			return;
	}
	apply_bury(&a, c, group, topic_id);
	log_info("group removed by hand", "cluster=%s group=%s topic=%s", log_quote(c->name),
		 log_quote(names_text(w->names, group)), log_quote(topic == NULL ? "" : topic));
	c->due = c->track.last_ms != 0;
}

/* Judge by these from now on; takes the reference. */
static void use_rules(struct writer *w, struct rules_set *rules)
{
	rules_memo_free(&w->memo);
	w->memo = rules_memo_new(rules);
	if (w->options.hook != NULL)
		w->options.hook->rules(w->options.hook->arg, rules);
	rules_unref(&rules);
}

static void commands(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct rules_set *rules = w->rules;
	w->rules = NULL;
	w->stats = w->counts;
	guard_stats(w->options.guard, &w->stats.guard);
	pthread_mutex_unlock(&w->lock);

	if (rules != NULL)
		use_rules(w, rules);
}

void writer_bury(struct writer *w, uint32_t cluster, uint32_t group, const char *topic)
{
	burials_add(w->burials, cluster, group, topic);
	ingest_link_wake(w->options.link);
}

void writer_set_rules(struct writer *w, struct rules_set *rules)
{
	struct rules_set *replaced = rules_ref(rules);

	pthread_mutex_lock(&w->lock);
	struct rules_set *before = w->rules;
	w->rules = replaced;
	pthread_mutex_unlock(&w->lock);
	rules_unref(&before);
	ingest_link_wake(w->options.link);
}

struct roster *writer_roster(struct writer *w)
{
	return w->roster;
}

void writer_stats(struct writer *w, struct writer_stats *ret_stats)
{
	pthread_mutex_lock(&w->lock);
	*ret_stats = w->stats;
	pthread_mutex_unlock(&w->lock);
}

/* --- the thread --- */

static bool stopping(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool stop = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return stop;
}

/* --- the store's own affairs --- */

static void reap(struct writer *w)
{
	int64_t now = clock_mono_ms();

	if (now - w->reaped_mono < REAP_MS)
		return;
	w->reaped_mono = now;
	const struct reaper_step s = {
		.txn = writer_begin(w),
		.names = w->names,
		.clusters = w->clusters,
		.now_ms = clock_wall_ms(),
		.up_ms = now - w->started_mono,
	};
	w->expired = reaper_step(w->reaper, &s);
	if (w->expired != 0 && w->options.hook != NULL)
		w->options.hook->gone(w->options.hook->arg, s.txn, w->expired, s.now_ms);
	writer_finish(w);
}

static void look_at_usage(struct writer *w)
{
	uint64_t used = 0;
	uint64_t limit = 0;
	int64_t now = clock_mono_ms();

	if (w->usage_mono != 0 && now - w->usage_mono < USAGE_MS)
		return;
	w->usage_mono = now;
	store_usage(w->options.store, &used, &limit);
	bool was = w->counts.store_used > w->counts.store_limit / 100 * ALARM_PERCENT;
	bool is = used > limit / 100 * ALARM_PERCENT;
	if (is && !was)
		log_warn("store is nearly full", "used_mib=%llu map_size_mib=%llu do=%s",
			 (unsigned long long)(used >> 20), (unsigned long long)(limit >> 20),
			 log_quote("raise map_size and restart"));
	w->counts.store_used = used;
	w->counts.store_limit = limit;
}

static void alarm_work(struct writer *w)
{
	const struct writer_hook *hook = w->options.hook;
	int64_t now_ms = clock_wall_ms();

	if (hook != NULL && !must_rest(w) && hook->pending(hook->arg, now_ms))
		hook->work(hook->arg, writer_begin(w), now_ms);
}

/* What is to be done in a transaction, beside taking messages. */
static void tend(struct writer *w)
{
	burials_apply(w->burials, bury, w);
	judge_due(w);
	alarm_work(w);
	writer_finish(w);
	reap(w);
}

static void *run(void *arg)
{
	struct writer *w = arg;

	judge_due(w);
	writer_finish(w);
	while (!stopping(w)) {
		struct ingest_message *list = ingest_link_take(w->options.link, TAKE_MS);

		while (list != NULL) {
			struct ingest_message *m = list;
			list = m->next;
			writer_message(w, m);
		}
		writer_message_later(w);
		commands(w);
		if (!writer_closed(w))
			tend(w);
		mark_blind(w);
		look_at_usage(w);
	}
	return NULL;
}

int writer_start(const struct writer_options *o, struct writer **ret_w)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->options = *o;
	pthread_mutex_init(&w->lock, NULL);
	arena_init(&w->arena, WIRE_ARENA_BYTES);
	w->sessions = sessions_new();
	w->roster = roster_new();
	w->burials = burials_new();
	w->reaper = reaper_new(o->expire_cluster_ms);
	w->started_mono = clock_mono_ms();
	w->memo = rules_memo_new(o->rules);
	if (o->hook != NULL)
		o->hook->rules(o->hook->arg, o->rules);
	int err = evaluate_room_new(true, &w->room);
	if (err == ERR_OK)
		err = writer_load(w);
	if (err == ERR_OK)
		err = -pthread_create(&w->thread, NULL, run, w);
	if (err != ERR_OK) {
		w->stopping = true;
		w->thread = 0;
		writer_stop(&w);
		return err;
	}
	*ret_w = w;
	return ERR_OK;
}

void writer_stop(struct writer **w)
{
	struct writer *done = *w;

	if (done == NULL)
		return;
	pthread_mutex_lock(&done->lock);
	done->stopping = true;
	pthread_mutex_unlock(&done->lock);
	if (done->thread != 0) {
		ingest_link_wake(done->options.link);
		pthread_join(done->thread, NULL);
	}
	while (done->later != NULL) {
		struct ingest_message *m = done->later;
		done->later = m->next;
		ingest_link_reply(m, NULL, 0);
	}
	evaluate_room_free(&done->room);
	rules_memo_free(&done->memo);
	rules_unref(&done->rules);
	names_free(&done->names);
	clusters_free(&done->clusters);
	sessions_free(&done->sessions);
	roster_free(&done->roster);
	arena_free(&done->arena);
	reply_free(&done->reply);
	burials_free(&done->burials);
	reaper_free(&done->reaper);
	pthread_mutex_destroy(&done->lock);
	free(done);
	*w = NULL;
}

void writer_busy_reply(struct buf *out)
{
	reply_put_retry(out, WRITER_BUSY_MS, "aggregator is busy");
}
