/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/accept.h"
#include "aggregator/serve/metrics_agents.h"
#include "aggregator/serve/metrics_alerts.h"
#include "aggregator/serve/metrics_kept.h"
#include "aggregator/serve/metrics_process.h"
#include "aggregator/serve/metrics_self.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#define LOOK_MS 100             /* how often the board is looked at, as long as somebody scrapes */
#define KEEP_MS INT64_C(300000) /* for so long after a scrape somebody does */
#define NEVER (-KEEP_MS)

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS "application/openmetrics-text"
#define OPENMETRICS_TYPE OPENMETRICS "; version=1.0.0; charset=utf-8"

struct metrics {
	struct board *board;                /* borrowed */
	const struct server_config *config; /* borrowed */
	pthread_t thread;

	pthread_mutex_t mtx;
	pthread_cond_t wake; /* on the monotonic clock: a scrape, or stop */
	/* under mtx */
	struct metrics_kept kept;
	int64_t asked_ms[METRICS_FORMS]; /* when it was scraped last, on the monotonic clock */
	bool stop;

	uint64_t ready; /* the thread's own: the board's serial when all sheets were made last */
};

/* Views of the board, held while they are read. */
struct views {
	struct view **all;
	size_t count;
};

static void release(struct views *v)
{
	for (size_t i = 0; i < v->count; i++)
		view_unref(&v->all[i]);
	free(v->all);
}

/* --- ahead of the scrapes --- */

/* Under mtx. */
static bool is_asked(const struct metrics *m, enum metrics_form form)
{
	return clock_mono_ms() - m->asked_ms[form] < KEEP_MS;
}

/* Have the sheet of this view ready. It is made without the lock, so that no scrape waits for it.
 * False: others have changed what is kept meanwhile. */
static bool prepare_sheet(struct metrics *m, const struct view *v, enum metrics_form form)
{
	struct metrics_sheet *sheet = NULL;

	pthread_mutex_lock(&m->mtx);
	struct metrics_kept_state state = metrics_kept_state(&m->kept, v, form);
	bool wanted = !state.fresh && is_asked(m, form) && !m->stop;
	pthread_mutex_unlock(&m->mtx);
	if (!wanted)
		return true;
	if (metrics_sheet_make(v, m->config, form, &sheet) != ERR_OK)
		sheet = NULL; /* then the next scrape tries, and says that it cannot */

	pthread_mutex_lock(&m->mtx);
	bool same = metrics_kept_state(&m->kept, v, form).edits == state.edits;
	if (same)
		metrics_kept_put(&m->kept, v->cluster_id, form, sheet);
	else
		metrics_sheet_free(&sheet);
	pthread_mutex_unlock(&m->mtx);
	return same;
}

static void prepare(struct metrics *m)
{
	uint64_t serial = board_serial(m->board);
	CLEANUP(release) struct views views = {.count = 0};
	bool ready = true;

	if (serial == m->ready)
		return;
	views.count = board_all(m->board, &views.all);
	for (enum metrics_form form = 0; form < METRICS_FORMS; form++) {
		for (size_t i = 0; i < views.count; i++)
			ready = prepare_sheet(m, views.all[i], form) && ready;
	}
	pthread_mutex_lock(&m->mtx);
	metrics_kept_prune(&m->kept, views.all, views.count);
	pthread_mutex_unlock(&m->mtx);
	if (ready)
		m->ready = serial;
}

/* Whether there is anything to be kept ready. Under mtx. */
static bool drop_unasked(struct metrics *m)
{
	bool any = false;

	for (enum metrics_form form = 0; form < METRICS_FORMS; form++) {
		if (!is_asked(m, form))
			metrics_kept_drop(&m->kept, form);
		any = any || is_asked(m, form);
	}
	return any;
}

/* Under mtx. */
static void wait_a_little(struct metrics *m)
{
	int64_t until_ms = clock_mono_ms() + LOOK_MS;
	const struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};

	pthread_cond_timedwait(&m->wake, &m->mtx, &until);
}

static void *run(void *arg)
{
	struct metrics *m = arg;

	pthread_mutex_lock(&m->mtx);
	while (!m->stop) {
		if (drop_unasked(m)) {
			pthread_mutex_unlock(&m->mtx);
			prepare(m);
			pthread_mutex_lock(&m->mtx);
			wait_a_little(m);
		} else {
			pthread_cond_wait(&m->wake, &m->mtx);
		}
	}
	pthread_mutex_unlock(&m->mtx);
	return NULL;
}

int metrics_start(struct board *board, const struct server_config *config, struct metrics **ret_m)
{
	struct metrics *m = calloc(1, sizeof(*m));
	pthread_condattr_t attr;

	if (m == NULL)
		return -ENOMEM;
	m->board = board;
	m->config = config;
	/* Whoever scraped before a restart goes on, so that the first scrape need not wait. */
	m->asked_ms[METRICS_GZIP] = clock_mono_ms();
	m->asked_ms[METRICS_PLAIN] = NEVER;
	pthread_mutex_init(&m->mtx, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->wake, &attr);
	pthread_condattr_destroy(&attr);
	int err = pthread_create(&m->thread, NULL, run, m);
	if (err != 0) {
		free(m);
		return -err;
	}
	*ret_m = m;
	return ERR_OK;
}

void metrics_stop(struct metrics **m)
{
	struct metrics *gone = *m;

	*m = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_lock(&gone->mtx);
	gone->stop = true;
	pthread_cond_signal(&gone->wake);
	pthread_mutex_unlock(&gone->mtx);
	pthread_join(gone->thread, NULL);
	metrics_kept_free(&gone->kept);
	pthread_cond_destroy(&gone->wake);
	pthread_mutex_destroy(&gone->mtx);
	free(gone);
}

void metrics_forget(struct metrics *m, uint32_t cluster_id)
{
	pthread_mutex_lock(&m->mtx);
	metrics_kept_forget(&m->kept, cluster_id);
	pthread_mutex_unlock(&m->mtx);
}

/* --- a scrape --- */

/* Under mtx. */
static const struct metrics_sheet *get_sheet(struct metrics *m, const struct view *v,
					     enum metrics_form form)
{
	const struct metrics_sheet *kept = metrics_kept_get(&m->kept, v, form);
	struct metrics_sheet *sheet = NULL;

	if (kept != NULL)
		return kept;
	if (metrics_sheet_make(v, m->config, form, &sheet) != ERR_OK)
		return NULL;
	metrics_kept_put(&m->kept, v->cluster_id, form, sheet);
	return sheet;
}

/* The sheets of these views, in their order; the array is the caller's, to be freed. NULL: no
 * memory. Under mtx. */
static const struct metrics_sheet **get_sheets(struct metrics *m, const struct views *views,
					       enum metrics_form form, size_t *ret_bytes)
{
	const struct metrics_sheet **sheets =
		calloc(views->count + 1, sizeof(struct metrics_sheet *));

	*ret_bytes = 0;
	for (size_t i = 0; i < views->count && sheets != NULL; i++) {
		sheets[i] = get_sheet(m, views->all[i], form);
		if (sheets[i] == NULL) {
			free(sheets);
			return NULL;
		}
		*ret_bytes += sheets[i]->bytes.size;
	}
	return sheets;
}

/* Burrow's labels do not tell environments apart: of clusters of one name only the first has its
 * families, which is the one that /v3 shows. */
static bool is_told(const struct views *views, size_t at, enum metrics_family family)
{
	return family >= METRICS_BURROW_END || at == 0 ||
	       strcmp(views->all[at - 1]->cluster, views->all[at]->cluster) != 0;
}

static void put_sheets(struct metrics *m, struct metrics_text *t, const struct views *views,
		       const struct metrics_sheet *const *sheets)
{
	for (enum metrics_family f = 0; f < METRICS_VIEW_END; f++) {
		if (!metrics_sheet_has(m->config, f))
			continue;
		(void)metrics_text_family(t, f);
		for (size_t i = 0; i < views->count; i++) {
			if (is_told(views, i, f))
				metrics_text_part(t, sheets[i], f);
		}
	}
}

/* Put together the whole; its error is t->out's. Under mtx, for sheets are in use. */
static void put_all(struct server *s, const struct request *rq, struct metrics_text *t)
{
	CLEANUP(release) struct views views = {.count = 0};
	struct metrics *m = server_metrics(s);
	bool sees_all = rq->who->scope == 0;
	size_t bytes = 0;

	views.count = server_all_views(s, rq, &views.all);
	CLEANUP(mem_free)
	const struct metrics_sheet **sheets = get_sheets(m, &views, t->form, &bytes);
	if (sheets == NULL) {
		t->out.err = -ENOMEM;
		return;
	}
	metrics_text_begin(t, bytes);
	put_sheets(m, t, &views, sheets);
	metrics_agents_clusters(t, views.all, views.count);
	if (sees_all)
		metrics_agents_links(t, server_calls(s), views.all, views.count);
	if (sees_all)
		metrics_alerts(t, server_calls(s));
	metrics_self(t, s);
	metrics_text_number(t, METRICS_KEPT_BYTES, m->kept.bytes);
	metrics_process(t);
	metrics_text_end(t);
}

static bool wants_openmetrics(const struct request *rq)
{
	int weight = accept_weight(rq->accept, OPENMETRICS);

	return weight > 0 && weight >= accept_weight(rq->accept, "text/plain");
}

static const struct response_header PLAIN[] = {{"Vary", "Accept, Accept-Encoding"}, {NULL, NULL}};
static const struct response_header PACKED[] = {
	{"Vary", "Accept, Accept-Encoding"}, {"Content-Encoding", "gzip"}, {NULL, NULL}};

void metrics_scrape(struct server *s, const struct request *rq, struct response *rs)
{
	struct metrics *m = server_metrics(s);
	bool packed = accept_weight(rq->accept_encoding, "gzip") > 0;
	CLEANUP(metrics_text_free)
	struct metrics_text t = {
		.form = packed ? METRICS_GZIP : METRICS_PLAIN,
		.openmetrics = wants_openmetrics(rq),
	};

	pthread_mutex_lock(&m->mtx);
	m->asked_ms[t.form] = clock_mono_ms();
	put_all(s, rq, &t);
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->mtx);
	rs->type = t.openmetrics ? OPENMETRICS_TYPE : TEXT_TYPE;
	rs->headers = packed ? PACKED : PLAIN;
	rs->shared = body_new(&t.out);
	if (rs->shared == NULL)
		server_refuse(s, rq, 503, "no memory to render the metrics", rs);
}
