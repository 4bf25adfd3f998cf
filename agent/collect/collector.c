/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/collector.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/collect/pass.h"
#include "agent/collect/sampler.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define FULL_EVERY 30   /* passes */
#define WAIT_MAX_MS 250 /* so that a request to stop is seen */
#define ASK_MIN_MS 2000 /* what brokers get to answer: a late pass is better than none */
#define ASK_MAX_MS 10000

struct collector {
	const struct agent_cluster *conf;
	struct state *state;
	struct sampler sampler;
	struct probe *probe;
	struct probe_answer *answers; /* room for all of a pass */
	pthread_t thread;
	atomic_bool stop;

	int64_t next_mono;    /* the next tick */
	unsigned int partial; /* passes since the last full one */
	bool full_due;
	uint64_t breaks;    /* of the stream, as of the last pass */
	enum sample sample; /* the last one told in the log */
	bool told;          /* it is one at all */
	bool unsaved;       /* the disk did not take the last transaction */
};

static int load(struct collector *c, char why[static 512])
{
	struct sampler *s = &c->sampler;
	const char *what = "its number";

	int err = state_cluster(c->state, c->conf->name, &s->keep.cluster);
	if (err == ERR_OK)
		err = keep_load(&s->keep, c->state, &s->table, &what);
	if (err != ERR_OK)
		snprintf(why, 512,
			 "state of cluster %.200s: %s: %s; move state_dir away and start again",
			 c->conf->name, what, err_str(err));
	return err;
}

/* --- a tick --- */

static void append(void *arg, const void *body, size_t size)
{
	state_append(arg, body, size);
}

static void fill(struct collector *c, enum sample sample, struct pass *ret_p)
{
	struct state_spool spool;
	struct wire_report report;

	state_spool(c->state, &spool);
	sampler_report(&c->sampler, sample, &report);
	report.spool_bytes = spool.bytes;
	report.spool_batches = spool.batches;
	report.dropped = spool.dropped;
	report.probes = probe_limit(c->probe);
	*ret_p = (struct pass){
		.cluster = c->conf->name,
		.environment = c->conf->environment,
		.at_ms = c->sampler.at_ms,
		.interval_ms = (uint32_t)c->conf->sample_interval_ms,
		.full = c->full_due || c->partial + 1 >= FULL_EVERY || spool.breaks != c->breaks ||
			c->sampler.table.topics.shrunk,
		.report = report,
	};
	if (sample == SAMPLE_COMPLETE)
		c->breaks = spool.breaks;
}

static void tell_saving(struct collector *c, int err)
{
	const char *name = log_quote(c->conf->name);

	if (err != ERR_OK && !c->unsaved)
		log_error("state cannot be written: batches are kept in memory until it can",
			  "cluster=%s err=%s", name, log_quote(err_str(err)));
	else if (err == ERR_OK && c->unsaved)
		log_info("state is written again", "cluster=%s", name);
	c->unsaved = err != ERR_OK;
}

static void send_pass(struct collector *c)
{
	struct sampler *s = &c->sampler;
	struct pass p;

	fill(c, SAMPLE_COMPLETE, &p);
	p.number = ++s->keep.pass;
	p.answers = c->answers;
	p.answer_count = probe_take(c->probe, c->answers, probe_limit(c->probe));
	if (!s->use_admin)
		source_topic_note(&s->topic);

	struct state_txn txn = state_begin(c->state);
	pass_build(&s->table, &p, append, &txn);
	keep_save(&s->keep, &txn, &s->table);
	int err = state_commit(&txn);

	table_sent(&s->table);
	if (err == ERR_OK)
		table_saved(&s->table);
	c->full_due = false;
	c->partial = p.full ? 0 : c->partial + 1;
	tell_saving(c, err);
}

static void send_report(struct collector *c, enum sample sample)
{
	struct pass p;

	fill(c, sample, &p);
	struct state_txn txn = state_begin(c->state);
	pass_report(&p, append, &txn);
	tell_saving(c, state_commit(&txn));
}

/* A line where the state changes. */
static void tell_sample(struct collector *c, enum sample sample)
{
	const char *name = log_quote(c->conf->name);
	const struct sampler *s = &c->sampler;

	if (c->told && c->sample == sample)
		return;
	if (sample == SAMPLE_BLIND)
		log_warn("cluster does not answer", "cluster=%s problem=%s", name,
			 log_quote(s->problem));
	else if (sample == SAMPLE_CATCHING_UP)
		log_info(s->keep.position_count == 0
				 ? "reading __consumer_offsets from its beginning"
				 : "reading __consumer_offsets from where it was left",
			 "cluster=%s", name);
	else
		log_info("cluster is watched",
			 "cluster=%s source=%s groups=%" PRIu32 " topics=%" PRIu32
			 " commits=%" PRIu32,
			 name, s->use_admin ? "admin" : "offsets-topic", s->table.names.used,
			 s->table.topics.names.used, s->table.commits.count);
	c->told = true;
	c->sample = sample;
}

static void tick(struct collector *c)
{
	int64_t half = c->conf->sample_interval_ms / 2;
	int ask_ms = (int)MIN(MAX(half, ASK_MIN_MS), ASK_MAX_MS);

	enum sample sample = sampler_take(&c->sampler, ask_ms);
	tell_sample(c, sample);
	if (sample == SAMPLE_COMPLETE)
		send_pass(c);
	else
		send_report(c, sample);
}

/* The next tick of the same beat that lies ahead. */
static void advance(struct collector *c)
{
	int64_t interval = c->conf->sample_interval_ms;
	int64_t late = clock_mono_ms() - c->next_mono;

	c->next_mono += (MAX(late, 0) / interval + 1) * interval;
}

static void *run(void *arg)
{
	struct collector *c = arg;

	c->next_mono = clock_mono_ms();
	while (!atomic_load(&c->stop)) {
		int64_t left = c->next_mono - clock_mono_ms();
		if (left <= 0) {
			tick(c);
			advance(c);
		} else if (sampler_wait(&c->sampler, (int)MIN(left, WAIT_MAX_MS))) {
			c->next_mono = clock_mono_ms(); /* caught up: the beat begins here */
		}
	}
	return NULL;
}

/* --- life --- */

static void free_collector(struct collector **c)
{
	if (*c == NULL)
		return;
	sampler_close(&(*c)->sampler);
	free((*c)->answers);
	free(*c);
	*c = NULL;
}

int collector_start(const struct agent_cluster *conf, struct state *st, struct probe *p,
		    char why[static 512], struct collector **ret_c)
{
	CLEANUP(free_collector) struct collector *c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->conf = conf;
	c->state = st;
	c->full_due = true;
	c->probe = p;
	c->answers = mem_zeroed(probe_limit(p), sizeof(*c->answers));

	int err = sampler_open(&c->sampler, conf, why);
	c->sampler.probe = p;
	if (err == ERR_OK)
		err = load(c, why);
	if (err != ERR_OK)
		return err;
	err = -pthread_create(&c->thread, NULL, run, c);
	if (err != ERR_OK) {
		snprintf(why, 512, "cannot start a thread: %s", err_str(err));
		return err;
	}
	*ret_c = c;
	c = NULL; /* the caller's now */
	return ERR_OK;
}

void collector_ask_stop(struct collector *c)
{
	atomic_store(&c->stop, true);
}

bool collector_join(struct collector **c, int timeout_ms)
{
	if (!thread_join((*c)->thread, timeout_ms))
		return false;
	free_collector(c);
	return true;
}
