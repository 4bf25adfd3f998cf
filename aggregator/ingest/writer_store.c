/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/writer_priv.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define CALM_MS 8000 /* without a failure: the store takes writes again */
#define TROUBLE "the store takes no writes"

/* --- answers --- */

struct answer *writer_promise(struct writer *w, struct ingest_message *m, enum frame_type type)
{
	struct answer *a = &w->answers[w->answer_count++];

	*a = (struct answer){.message = m, .type = type};
	return a;
}

/* What the judging of its last pass has left to ask goes to the agent with the first reply. */
static void send_probes(struct writer *w, struct answer *a, const struct cluster *c)
{
	struct wire_probe probes[WIRE_PROBES_MAX];
	const struct probes_wish *wishes = NULL;
	size_t count = probes_take(c->probes, &wishes);

	a->ack.probe_cluster = c->name;
	a->ack.probe_environment = c->origin.environment;
	a->ack.probes = probes;
	for (size_t i = 0; i < count; i++) {
		const struct probes_place *place = &wishes[i].place;
		const char *topic = names_text(w->names, place->topic);

		if (topic[0] != '\0') /* it may have been deleted since */
			probes[a->ack.probe_count++] = (struct wire_probe){
				topic, place->partition, place->offset, wishes[i].end};
	}
	reply_ack(&w->reply, a->message, &a->ack);
}

static void keep_promises(struct writer *w)
{
	for (size_t i = 0; i < w->answer_count; i++) {
		struct answer *a = &w->answers[i];
		const struct cluster *c =
			a->cluster == 0 ? NULL : clusters_by_id(w->clusters, a->cluster);

		if (a->type == FRAME_WELCOME)
			reply_welcome(&w->reply, a->message, &a->welcome);
		else if (c != NULL)
			send_probes(w, a, c);
		else
			reply_ack(&w->reply, a->message, &a->ack);
	}
	w->answer_count = 0;
}

void writer_put_off(struct writer *w, struct ingest_message *m, bool hello)
{
	reply_retry(&w->reply, m, hello, WRITER_TROUBLE_MS, TROUBLE);
}

/* Nothing was written: everybody tries again later. */
static void break_promises(struct writer *w)
{
	for (size_t i = 0; i < w->answer_count; i++)
		writer_put_off(w, w->answers[i].message, w->answers[i].type == FRAME_WELCOME);
	w->answer_count = 0;
}

/* --- transactions --- */

/* Where it is not sure that the store takes anything, each transaction finds out. */
struct store_txn *writer_begin(struct writer *w)
{
	if (w->in_txn)
		return &w->txn;
	w->in_txn = true;
	w->before = w->counts;
	w->txn = store_begin(w->options.store, true);
	if (w->counts.degraded)
		store_touch(&w->txn);
	return &w->txn;
}

int writer_load(struct writer *w)
{
	struct store_txn t = store_begin(w->options.store, false);
	struct names *names = NULL;
	int err = names_load(&t, &names);

	if (err == ERR_OK && w->clusters == NULL)
		err = clusters_load(&t, names, &w->clusters);
	else if (err == ERR_OK)
		clusters_reload(w->clusters, &t, names);
	if (err == ERR_OK) {
		sessions_reload(w->sessions, &t);
		if (w->options.hook != NULL)
			w->options.hook->load(w->options.hook->arg, &t);
		err = t.err;
	}
	store_abort(&t);
	if (names != NULL) {
		names_free(&w->names);
		w->names = names;
	}
	return err;
}

static void read_again(struct writer *w)
{
	int err = writer_load(w);
	if (err != ERR_OK && !w->unread)
		log_error("store cannot be read", "err=%s", log_quote(err_str(err)));
	w->unread = err != ERR_OK;
}

/* What memory knows of an aborted transaction is not so. */
static void forget(struct writer *w)
{
	bool degraded = w->counts.degraded;

	if (w->options.hook != NULL)
		w->options.hook->end(w->options.hook->arg, false);

	w->counts = w->before;
	w->counts.degraded = degraded;
	w->expired = 0;
	burials_end(w->burials, false);
	reaper_restart(w->reaper);
	read_again(w);
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
		burials_hide(w->burials, w->options.board);
	w->view_count = 0;
}

static const char *advice(int err)
{
	if (err == ERR_FULL)
		return "raise map_size and restart, or have groups removed: what still fits is "
		       "taken, agents keep the rest";
	if (err == ERR_MALFORMED)
		return "the store is damaged: stop, see what warren-aggregator check says, and "
		       "restore a backup or move data_dir away; agents keep everything";
	return "look at the disk of data_dir: it is tried again every 5 s, agents keep everything";
}

/* The store does not take it. */
static void give_up(struct writer *w, int err)
{
	int64_t now = clock_mono_ms();

	if (!w->counts.degraded)
		log_error(TROUBLE, "err=%s do=%s", log_quote(err_str(err)), log_quote(advice(err)));
	w->counts.degraded = true;
	w->failed_mono = now;
	w->usage_mono = 0; /* tell how full it is now */
	if (err == ERR_FULL && !w->unread)
		w->alone = true;
	else
		w->closed_until = now + WRITER_TROUBLE_MS;
	break_promises(w);
}

static void recover(struct writer *w)
{
	if (!w->counts.degraded || clock_mono_ms() - w->failed_mono < CALM_MS)
		return;
	log_info("store takes writes again", "");
	w->counts.degraded = false;
	w->alone = false;
}

static void note_judged(struct writer *w)
{
	for (size_t i = 0; i < clusters_count(w->clusters); i++) {
		const struct cluster *c = clusters_at(w->clusters, i);

		if (c->judged && c->stale)
			log_info("cluster is seen again", "environment=%s cluster=%s",
				 log_quote(c->origin.environment), log_quote(c->name));
	}
	clusters_committed(w->clusters);
}

/* It is on disk: now the answers, then what readers see. */
static void committed(struct writer *w)
{
	w->counts.transactions++;
	burials_end(w->burials, true);
	note_judged(w);
	keep_promises(w);
	hang_up(w, true);
	if (w->options.hook != NULL)
		w->options.hook->end(w->options.hook->arg, true);
	if (w->expired != 0)
		board_remove(w->options.board, w->expired);
	w->expired = 0;
	recover(w);
}

/* The messages of an aborted transaction, once more. */
static void redo(struct writer *w)
{
	struct ingest_message *again[WRITER_BATCHES];
	size_t count = w->answer_count;

	for (size_t i = 0; i < count; i++)
		again[i] = w->answers[i].message;
	w->answer_count = 0;
	for (size_t i = 0; i < count; i++)
		writer_message(w, again[i]);
}

void writer_finish(struct writer *w)
{
	if (w->answer_count != 0)
		(void)writer_begin(w); /* answers alone have needed none */
	while (w->in_txn) {
		int err = store_commit(&w->txn);

		w->in_txn = false;
		if (err == ERR_OK) {
			committed(w);
			return;
		}
		hang_up(w, false);
		forget(w);
		if (err == ERR_FULL && store_grow(w->options.store) == ERR_OK)
			redo(w);
		else
			give_up(w, err);
	}
}

bool writer_closed(struct writer *w)
{
	if (clock_mono_ms() < w->closed_until)
		return true;
	if (w->unread)
		read_again(w);
	if (w->unread)
		w->closed_until = clock_mono_ms() + WRITER_TROUBLE_MS;
	return w->unread;
}
