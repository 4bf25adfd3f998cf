/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aggregator/ingest/apply.h"
#include "aggregator/ingest/writer_priv.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* Nobody waits longer for a batch that does not come. */
#define STUCK_MS 1000

#define NAMES_RETRY_MS 5000

/* Whether the guard lets it in; otherwise it has its answer. */
static bool let_in(struct writer *w, struct ingest_message *m, const struct frame *f,
		   const struct wire_hello *h)
{
	struct wire_welcome answer = {.reason = "", .version = WIRE_VERSION};

	switch (guard_hello(w->options.guard, m, f, h, clock_mono_ms(), &answer.challenge,
			    &answer.reason)) {
	case GUARD_WELCOME:
		return true;
	case GUARD_ASK:
		answer.code = WIRE_CHALLENGE;
		break;
	case GUARD_REFUSE:
		answer.code = WIRE_REFUSED;
		break;
	}
	reply_welcome(&w->reply, m, &answer);
	return false;
}

static void hello(struct writer *w, struct ingest_message *m, const struct frame *f)
{
	struct wire_hello h;
	int err = wire_get_hello(f->body, f->size, &w->arena, &h);

	if (err != ERR_OK) {
		w->counts.rejected++;
		reply_welcome(&w->reply, m,
			      &(struct wire_welcome){.code = WIRE_REFUSED,
						     .reason = err_str(err),
						     .version = WIRE_VERSION});
		return;
	}
	if (!let_in(w, m, f, &h))
		return;
	struct answer *a = writer_promise(w, m, FRAME_WELCOME);
	sessions_hello(w->sessions, writer_begin(w), &h, clock_mono_ms(), &a->welcome);
	if (a->welcome.code == WIRE_OK)
		roster_hello(w->roster, &h, a->welcome.session, m->received_ms);
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
	writer_promise(w, m, FRAME_ACK)->ack =
		(struct wire_ack){.code = WIRE_REJECTED, .seq = seq, .reason = why};
}

/* A pass that is complete is judged before the next of its cluster is applied. */
static void judge_earlier(struct writer *w, const struct wire_batch *b)
{
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		struct cluster *c = clusters_at(w->clusters, i);

		if (c->due && strcmp(c->name, b->cluster) == 0 &&
		    strcmp(c->origin.environment, b->environment) == 0)
			writer_judge(w, c);
	}
}

/* Why the batch will never be applied; NULL if it may be. */
static const char *why_not(struct writer *w, const struct ingest_message *m,
			   const struct wire_batch *b)
{
	const char *why = guard_cluster(w->options.guard, m, b);

	if (why == NULL &&
	    clusters_find(w->clusters, w->names, b->environment, b->cluster) == NULL &&
	    clusters_of_agent(w->clusters, b->agent) >= WIRE_CLUSTERS_MAX)
		why = "the agent speaks for too many clusters";
	return why;
}

/* Whether the names that the batch brings are not too many. They are only counted where they may
 * be: most batches bring none. */
static bool may_bring(struct writer *w, const struct apply *a, const struct wire_batch *b)
{
	int64_t now_ms = clock_mono_ms();

	return guard_names(w->options.guard, b->agent, 2 * b->name_count + 1, now_ms) ||
	       guard_names(w->options.guard, b->agent, apply_new_names(a, b), now_ms);
}

/* The batch is done with, applied or not. */
static void reject_batch(struct writer *w, struct ingest_message *m, const struct wire_batch *b,
			 const char *why)
{
	roster_batch(w->roster, b, m->received_ms, ROSTER_REJECTED);
	reject(w, m, b->seq, why);
}

static void apply_now(struct writer *w, struct ingest_message *m, const struct wire_batch *b)
{
	struct apply a = {
		.names = w->names,
		.clusters = w->clusters,
		.window_ms = rules_max_window_ms(rules_memo_set(w->memo)),
	};
	struct cluster *c = NULL;
	const char *why = why_not(w, m, b);

	if (why == NULL && !may_bring(w, &a, b)) {
		guard_put_off(w->options.guard, m, b);
		reply_retry(&w->reply, m, false, NAMES_RETRY_MS,
			    "the agent brings too many new groups and topics a minute");
		return;
	}
	a.txn = writer_begin(w);
	if (why != NULL) {
		session_applied(w->sessions, a.txn, b);
		reject_batch(w, m, b, why);
		return;
	}
	size_t names = names_count(w->names);
	int err = apply_batch(&a, b, session_software(w->sessions, b->agent), m->received_ms, &c,
			      &why);
	if (names_count(w->names) > names)
		guard_took_names(w->options.guard, b->agent, names_count(w->names) - names);
	session_applied(w->sessions, a.txn, b);
	if (err == ERR_CONFIG) {
		reject_batch(w, m, b, why);
		return;
	}
	roster_batch(w->roster, b, m->received_ms, ROSTER_APPLIED);
	/* An agent that reports without a pass is shown: at once before its first, else when blind.
	 */
	if (c != NULL && b->pass == 0) {
		c->due = c->due || c->track.last_ms == 0;
		c->news = true;
	}
	w->counts.batches++;
	w->counts.rows += b->log_count + b->commit_count;
	struct answer *answer = writer_promise(w, m, FRAME_ACK);
	answer->ack = (struct wire_ack){
		.code = WIRE_OK, .seq = b->seq, .reason = "", .applied_seq = b->seq};
	if (c != NULL && (session_features(w->sessions, b->agent) & WIRE_FEATURE_PROBE) != 0) {
		answer->cluster = c->id;
		c->probe_limit = b->report.probes;
	}
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
	struct wire_ack ack = {.seq = b.seq, .reason = ""};
	if (!guard_batch(w->options.guard, m, f, &b, session_number(w->sessions, b.agent))) {
		ack.code = WIRE_NEED_HELLO;
		reply_ack(&w->reply, m, &ack);
		return;
	}
	judge_earlier(w, &b);
	switch (session_turn(w->sessions, &b, clock_mono_ms(), &lost)) {
	case SESSION_NOW:
		apply_now(w, m, &b);
		break;
	case SESSION_LATER:
		keep_for_later(w, m);
		break;
	case SESSION_DUPLICATE:
		w->counts.duplicates++;
		roster_batch(w->roster, &b, m->received_ms, ROSTER_DUPLICATE);
		ack.code = WIRE_DUPLICATE;
		ack.applied_seq = session_applied_seq(w->sessions, b.agent);
		writer_promise(w, m, FRAME_ACK)->ack = ack;
		break;
	case SESSION_HELLO:
		ack.code = WIRE_NEED_HELLO;
		writer_promise(w, m, FRAME_ACK)->ack = ack;
		break;
	case SESSION_FENCED:
		ack.code = WIRE_FENCED;
		ack.reason = "another instance of this agent has taken over";
		writer_promise(w, m, FRAME_ACK)->ack = ack;
		break;
	}
	w->counts.lost += lost;
}

void writer_message(struct writer *w, struct ingest_message *m)
{
	struct frame f;

	arena_reset(&w->arena);
	int err = frame_get(m->data, m->size, WIRE_BODY_MAX, &w->arena, &f);
	if (err == ERR_OK && writer_closed(w))
		writer_put_off(w, m, f.type == FRAME_HELLO);
	else if (err == ERR_OK && f.type == FRAME_HELLO)
		hello(w, m, &f);
	else if (err == ERR_OK && f.type == FRAME_BATCH)
		batch(w, m, &f);
	else
		reject(w, m, 0, err != ERR_OK ? err_str(err) : "neither a hello nor a batch");
	if (w->answer_count == WRITER_BATCHES || w->view_count == WRITER_VIEWS || w->alone)
		writer_finish(w);
}

static void try_later(struct writer *w)
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
			writer_message(w, m);
		}
		for (struct ingest_message *m = w->later; m != NULL; m = m->next)
			after++;
	} while (after != 0 && after < before);
}

static void refuse_stuck(struct writer *w)
{
	struct ingest_message **at = &w->later;
	int64_t now_ms = clock_wall_ms();

	while (*at != NULL) {
		struct ingest_message *m = *at;

		if (now_ms - m->received_ms < STUCK_MS && now_ms >= m->received_ms) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		reply_retry(&w->reply, m, false, WRITER_BUSY_MS, "an earlier batch is missing");
	}
}

void writer_message_later(struct writer *w)
{
	try_later(w);
	refuse_stuck(w);
}
