/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/apply.h"
#include "aggregator/ingest/evaluate.h"
#include "aggregator/ingest/session.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/frame.h"

#define TAKE_MS 200 /* how often blind agents and commands are looked after */
#define TRANSACTION_BATCHES 64
#define VIEWS 64
#define BUSY_RETRY_MS 200
#define DEGRADED_RETRY_MS 5000

/* A request to remove something, from another thread. */
struct burial {
	struct burial *next;
	uint32_t cluster, group;
	char *topic; /* owned; NULL: the whole group */
};

/* An answer that waits for the commit. */
struct answer {
	struct ingest_message *message;
	enum frame_type type;
	struct wire_ack ack;
	struct wire_welcome welcome;
};

struct writer {
	struct writer_options options;
	pthread_t thread;

	/* shared, under lock */
	pthread_mutex_t lock;
	struct burial *burials;
	struct rules_set *rules; /* to be taken; NULL: no new ones */
	struct writer_stats stats;
	bool stopping;

	/* owned by the writer thread */
	struct rules_memo *memo; /* of the rules judged by */
	struct names *names;
	struct clusters *clusters;
	struct sessions *sessions;
	struct arena arena;
	struct store_txn txn;
	bool in_txn;
	struct answer answers[TRANSACTION_BATCHES];
	size_t answer_count;
	struct view *views[VIEWS]; /* judged in this transaction, to be hung up after it */
	size_t view_count;
	struct ingest_message *later; /* ahead of their turn */
	struct writer_stats counts;   /* copied to stats now and then */
	struct buf body, frame;
};

/* --- answers --- */

static void send_frame(struct writer *w, struct ingest_message *m, enum frame_type type)
{
	buf_reset(&w->frame);
	frame_put(&w->frame, type, w->body.data, w->body.size, false);
	ingest_link_reply(m, w->frame.data, w->frame.size);
}

static void send_ack(struct writer *w, struct ingest_message *m, const struct wire_ack *ack)
{
	buf_reset(&w->body);
	wire_put_ack(&w->body, ack);
	send_frame(w, m, FRAME_ACK);
}

static void send_welcome(struct writer *w, struct ingest_message *m,
			 const struct wire_welcome *welcome)
{
	buf_reset(&w->body);
	wire_put_welcome(&w->body, welcome);
	send_frame(w, m, FRAME_WELCOME);
}

void writer_busy_reply(struct buf *out)
{
	const struct wire_ack busy = {
		.code = WIRE_RETRY, .retry_ms = BUSY_RETRY_MS, .reason = "aggregator is busy"};
	struct buf body = {0};

	wire_put_ack(&body, &busy);
	frame_put(out, FRAME_ACK, body.data, body.size, false);
	buf_free(&body);
}

static struct answer *promise(struct writer *w, struct ingest_message *m, enum frame_type type)
{
	struct answer *a = &w->answers[w->answer_count++];

	*a = (struct answer){.message = m, .type = type};
	return a;
}

static void keep_promises(struct writer *w)
{
	for (size_t i = 0; i < w->answer_count; i++) {
		struct answer *a = &w->answers[i];

		if (a->type == FRAME_WELCOME)
			send_welcome(w, a->message, &a->welcome);
		else
			send_ack(w, a->message, &a->ack);
	}
	w->answer_count = 0;
}

/* Nothing was written: everybody tries again later. */
static void break_promises(struct writer *w)
{
	for (size_t i = 0; i < w->answer_count; i++) {
		struct answer *a = &w->answers[i];

		if (a->type == FRAME_WELCOME)
			send_welcome(w, a->message,
				     &(struct wire_welcome){.code = WIRE_RETRY,
							    .reason = "the store takes no writes",
							    .version = WIRE_VERSION});
		else
			send_ack(w, a->message,
				 &(struct wire_ack){.code = WIRE_RETRY,
						    .seq = a->ack.seq,
						    .retry_ms = DEGRADED_RETRY_MS,
						    .reason = "the store takes no writes"});
	}
	w->answer_count = 0;
}

/* --- transactions --- */

static struct store_txn *begin(struct writer *w)
{
	if (!w->in_txn)
		w->txn = store_begin(w->options.store, true);
	w->in_txn = true;
	return &w->txn;
}

static int load(struct writer *w)
{
	struct store_txn t = store_begin(w->options.store, false);
	struct names *names = NULL;
	struct clusters *clusters = NULL;
	int err = names_load(&t, &names);

	if (err == ERR_OK)
		err = clusters_load(&t, names, &clusters);
	store_abort(&t);
	if (err != ERR_OK) {
		names_free(&names);
		return err;
	}
	names_free(&w->names);
	clusters_free(&w->clusters);
	w->names = names;
	w->clusters = clusters;
	return ERR_OK;
}

static void degraded(struct writer *w, int err)
{
	if (err != ERR_OK && !w->counts.degraded)
		log_error("store takes no writes", "err=%s do=%s", log_quote(err_str(err)),
			  log_quote(err == ERR_FULL ? "raise map_size and restart"
						    : "look at the disk of data_dir"));
	if (err == ERR_OK && w->counts.degraded)
		log_info("store takes writes again", "");
	w->counts.degraded = err != ERR_OK;
}

/* What memory knows of an aborted transaction is not so: read it again. */
static void forget(struct writer *w)
{
	sessions_reset(w->sessions);
	if (load(w) != ERR_OK)
		log_error("store cannot be read", "");
}

/* What is to be removed by hand, but is still in the views, stays out of sight. */
static void hide_burials(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	for (const struct burial *b = w->burials; b != NULL; b = b->next)
		board_drop_group(w->options.board, b->cluster, b->group, b->topic);
	pthread_mutex_unlock(&w->lock);
}

static void hang_up(struct writer *w, bool committed)
{
	for (size_t i = 0; i < w->view_count; i++) {
		if (committed)
			board_publish(w->options.board, w->views[i]);
		else
			view_unref(&w->views[i]);
	}
	if (w->view_count != 0)
		hide_burials(w);
	w->view_count = 0;
}

/* End the transaction under way: on disk first, then the answers, then what readers see. */
static void finish(struct writer *w)
{
	if (!w->in_txn)
		return;
	w->in_txn = false;
	int err = store_commit(&w->txn);
	degraded(w, err);
	if (err == ERR_OK) {
		w->counts.transactions++;
		keep_promises(w);
	} else {
		forget(w);
		break_promises(w);
	}
	hang_up(w, err == ERR_OK);
}

/* --- judging --- */

/* Judge in the transaction that brought the pass: its pages are written once. */
static void judge_cluster(struct writer *w, struct cluster *c, int64_t silent_ms)
{
	int64_t began_us = clock_mono_us();
	struct evaluate e = {
		.txn = begin(w),
		.names = w->names,
		.rules = w->memo,
		.cluster = c,
		.silent_ms = silent_ms,
	};

	if (c->stale && silent_ms == 0)
		log_info("cluster is seen again", "environment=%s cluster=%s",
			 log_quote(c->origin.environment), log_quote(c->name));
	c->due = false;
	c->stale = silent_ms != 0;
	c->news = false;
	if (silent_ms == 0) {
		c->passed_mono = clock_mono_ms();
		w->counts.passes++;
	}
	w->views[w->view_count++] = evaluate_cluster(&e);
	w->counts.last_judge_us = clock_mono_us() - began_us;
	if (w->view_count == VIEWS)
		finish(w);
}

static void judge_due(struct writer *w)
{
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		struct cluster *c = clusters_at(w->clusters, i);

		if (c->due)
			judge_cluster(w, c, 0);
	}
}

/* Show that an agent is blind, and what it says of it. */
static void mark_blind(struct writer *w)
{
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		struct cluster *c = clusters_at(w->clusters, i);
		int64_t silent_ms = clock_mono_ms() - c->passed_mono;

		if (c->track.last_ms == 0 || !evaluate_blind(c, silent_ms) ||
		    (c->stale && !c->news))
			continue;
		if (!c->stale)
			log_warn("cluster is not seen",
				 "environment=%s cluster=%s agent=%s problem=%s",
				 log_quote(c->origin.environment), log_quote(c->name),
				 log_quote(c->origin.agent), log_quote(c->origin.problem));
		judge_cluster(w, c, silent_ms);
	}
}

/* --- messages --- */

static void hello(struct writer *w, struct ingest_message *m, const struct frame *f)
{
	struct wire_hello h;
	int err = wire_get_hello(f->body, f->size, &w->arena, &h);

	if (err != ERR_OK) {
		w->counts.rejected++;
		send_welcome(w, m,
			     &(struct wire_welcome){.code = WIRE_REFUSED,
						    .reason = err_str(err),
						    .version = WIRE_VERSION});
		return;
	}
	struct answer *a = promise(w, m, FRAME_WELCOME);
	sessions_hello(w->sessions, begin(w), &h, clock_mono_ms(), &a->welcome);
	if (a->welcome.code == WIRE_OK)
		log_info("agent connected", "agent=%s remote=%s software=%s applied_seq=%llu",
			 log_quote(h.agent), m->remote, log_quote(h.software),
			 (unsigned long long)a->welcome.applied_seq);
	else
		log_warn("agent refused", "agent=%s remote=%s reason=%s", log_quote(h.agent),
			 m->remote, log_quote(a->welcome.reason));
}

static void reject(struct writer *w, struct ingest_message *m, uint64_t seq, const char *why)
{
	w->counts.rejected++;
	log_debug("batch rejected", "remote=%s seq=%llu reason=%s", m->remote,
		  (unsigned long long)seq, log_quote(why));
	promise(w, m, FRAME_ACK)->ack =
		(struct wire_ack){.code = WIRE_REJECTED, .seq = seq, .reason = why};
}

/* A pass that is complete is judged before the next of its cluster is applied. */
static void judge_earlier(struct writer *w, const struct wire_batch *b)
{
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		struct cluster *c = clusters_at(w->clusters, i);

		if (c->due && strcmp(c->name, b->cluster) == 0)
			judge_cluster(w, c, 0);
	}
}

static void apply_now(struct writer *w, struct ingest_message *m, const struct wire_batch *b)
{
	struct apply a = {
		.names = w->names,
		.clusters = w->clusters,
		.window_ms = rules_max_window_ms(rules_memo_set(w->memo)),
	};
	struct cluster *c = NULL;
	const char *why = "";

	a.txn = begin(w);
	int err = apply_batch(&a, b, session_software(w->sessions, b->agent), m->received_ms, &c,
			      &why);
	session_applied(w->sessions, a.txn, b);
	if (err == ERR_CONFIG) {
		reject(w, m, b->seq, why);
		return;
	}
	/* An agent that reports without a pass is shown: at once before its first, else when blind.
	 */
	if (c != NULL && b->pass == 0) {
		c->due = c->due || c->track.last_ms == 0;
		c->news = true;
	}
	w->counts.batches++;
	w->counts.rows += b->log_count + b->commit_count;
	promise(w, m, FRAME_ACK)->ack = (struct wire_ack){
		.code = WIRE_OK, .seq = b->seq, .reason = "", .applied_seq = b->seq};
}

static void keep_for_later(struct writer *w, struct ingest_message *m)
{
	m->next = w->later;
	w->later = m;
}

static void batch(struct writer *w, struct ingest_message *m, const struct frame *f)
{
	struct wire_batch b;
	uint64_t lost = 0;
	int err = wire_get_batch(f->body, f->size, &w->arena, &b);

	if (err != ERR_OK) {
		reject(w, m, 0, err_str(err));
		return;
	}
	judge_earlier(w, &b);
	struct wire_ack ack = {.seq = b.seq, .reason = ""};
	switch (session_turn(w->sessions, &b, clock_mono_ms(), &lost)) {
	case SESSION_NOW:
		apply_now(w, m, &b);
		break;
	case SESSION_LATER:
		keep_for_later(w, m);
		break;
	case SESSION_DUPLICATE:
		w->counts.duplicates++;
		ack.code = WIRE_DUPLICATE;
		ack.applied_seq = session_applied_seq(w->sessions, b.agent);
		promise(w, m, FRAME_ACK)->ack = ack;
		break;
	case SESSION_HELLO:
		ack.code = WIRE_NEED_HELLO;
		promise(w, m, FRAME_ACK)->ack = ack;
		break;
	case SESSION_FENCED:
		ack.code = WIRE_FENCED;
		ack.reason = "another instance of this agent has taken over";
		promise(w, m, FRAME_ACK)->ack = ack;
		break;
	}
	w->counts.lost += lost;
}

static void message(struct writer *w, struct ingest_message *m)
{
	struct frame f;

	arena_reset(&w->arena);
	int err = frame_get(m->data, m->size, WIRE_BODY_MAX, &w->arena, &f);
	if (err == ERR_OK && f.type == FRAME_HELLO)
		hello(w, m, &f);
	else if (err == ERR_OK && f.type == FRAME_BATCH)
		batch(w, m, &f);
	else
		reject(w, m, 0, err != ERR_OK ? err_str(err) : "neither a hello nor a batch");
	if (w->answer_count == TRANSACTION_BATCHES)
		finish(w);
}

/* Those that came ahead of their turn, once more: as often as one of them found its turn. A batch
 * whose predecessor does not come is answered in the end, or the agent's requests would all hang.
 */
static void retry_later(struct writer *w)
{
	size_t before;
	size_t after = 0;

	do {
		struct ingest_message *list = w->later;

		w->later = NULL;
		before = 0;
		after = 0;
		while (list != NULL) {
			struct ingest_message *m = list;
			list = m->next;
			before++;
			message(w, m);
		}
		for (struct ingest_message *m = w->later; m != NULL; m = m->next)
			after++;
	} while (after != 0 && after < before);
}

/* Nobody waits longer than a second or so for a batch that does not come. */
static void refuse_stuck(struct writer *w)
{
	struct ingest_message **at = &w->later;
	int64_t now_ms = clock_wall_ms();

	while (*at != NULL) {
		struct ingest_message *m = *at;

		if (now_ms - m->received_ms < 1000 && now_ms >= m->received_ms) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		send_ack(w, m,
			 &(struct wire_ack){.code = WIRE_RETRY,
					    .retry_ms = BUSY_RETRY_MS,
					    .reason = "an earlier batch is missing"});
	}
}

/* --- commands --- */

static void bury(struct writer *w, const struct burial *b)
{
	struct cluster *c = clusters_by_id(w->clusters, b->cluster);
	struct apply a = {.txn = begin(w), .names = w->names, .clusters = w->clusters};
	uint32_t topic = 0;

	if (c == NULL)
		return;
	if (b->topic != NULL) {
		topic = names_find(w->names, STORE_TOPIC, c->id, b->topic);
		if (topic == 0)
			return;
	}
	apply_bury(&a, c, b->group, topic);
	log_info("group removed by hand", "cluster=%s group=%s topic=%s", log_quote(c->name),
		 log_quote(names_text(w->names, b->group)),
		 log_quote(b->topic == NULL ? "" : b->topic));
	c->due = c->track.last_ms != 0;
}

/* Judge by these from now on; takes the reference. */
static void use_rules(struct writer *w, struct rules_set *rules)
{
	rules_memo_free(&w->memo);
	w->memo = rules_memo_new(rules);
	rules_unref(&rules);
}

static void commands(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct burial *list = w->burials;
	struct rules_set *rules = w->rules;
	w->burials = NULL;
	w->rules = NULL;
	w->stats = w->counts;
	pthread_mutex_unlock(&w->lock);

	if (rules != NULL)
		use_rules(w, rules);
	while (list != NULL) {
		struct burial *b = list;

		list = b->next;
		bury(w, b);
		free(b->topic);
		free(b);
	}
}

void writer_bury(struct writer *w, uint32_t cluster, uint32_t group, const char *topic)
{
	struct burial *b = calloc(1, sizeof(*b));

	if (b == NULL)
		abort();
	*b = (struct burial){.cluster = cluster, .group = group};
	if (topic != NULL)
		b->topic = strdup(topic);
	pthread_mutex_lock(&w->lock);
	b->next = w->burials;
	w->burials = b;
	pthread_mutex_unlock(&w->lock);
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

static void *run(void *arg)
{
	struct writer *w = arg;

	judge_due(w);
	finish(w);
	while (!stopping(w)) {
		struct ingest_message *list = ingest_link_take(w->options.link, TAKE_MS);

		while (list != NULL) {
			struct ingest_message *m = list;
			list = m->next;
			message(w, m);
		}
		retry_later(w);
		refuse_stuck(w);
		commands(w);
		judge_due(w);
		mark_blind(w);
		finish(w);
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
	w->memo = rules_memo_new(o->rules);
	int err = load(w);
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
	rules_memo_free(&done->memo);
	rules_unref(&done->rules);
	names_free(&done->names);
	clusters_free(&done->clusters);
	sessions_free(&done->sessions);
	arena_free(&done->arena);
	buf_free(&done->body);
	buf_free(&done->frame);
	pthread_mutex_destroy(&done->lock);
	free(done);
	*w = NULL;
}
