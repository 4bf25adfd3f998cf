/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/remind.h"

#include <stdlib.h>

#include "aggregator/alarm.h"
#include "aggregator/ingest/cluster.h"
#include "aggregator/serve/changes.h"
#include "aggregator/store/past.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"

struct reminding {
	struct stream *stream;
	struct store_txn txn;
	struct names *names;
	struct clusters *clusters;
	int64_t since_ms;
	const struct cluster *cluster; /* at hand, */
	uint32_t group;                /* and its group */
};

/* Call on_group for each group of the cluster at hand. */
static void each_group(struct reminding *r,
		       void (*on_group)(struct reminding *r, const struct past_standing *s,
					void *arg),
		       void *arg)
{
	struct past_standing s;

	for (bool first = true; past_next_standing(&r->txn, first, r->cluster->id, &r->group, &s);
	     first = false)
		on_group(r, &s, arg);
}

/* --- what each group was --- */

struct groups {
	struct view_group *list;
	size_t count, cap;
};

static void add_group(struct reminding *r, const struct past_standing *s, void *arg)
{
	struct groups *g = arg;

	g->list = mem_grow(g->list, g->count, &g->cap, sizeof(*g->list));
	g->list[g->count++] = (struct view_group){
		.id = r->group,
		.name = names_text(r->names, r->group),
		.status = (enum status)s->status,
	};
}

static void know_cluster(struct reminding *r)
{
	struct groups groups = {.list = NULL};
	const struct cluster *c = r->cluster;

	each_group(r, add_group, &groups);
	const struct view v = {
		.environment = c->origin.environment,
		.cluster = c->name,
		.cluster_id = c->id,
		.as_of_ms = c->track.last_ms,
		.received_ms = c->origin.passed_ms,
		.groups = groups.list,
		.group_count = groups.count,
	};
	stream_know(r->stream, &v);
	free(groups.list);
}

/* --- what happened --- */

static void tell_status(void *arg, const struct past_event *e)
{
	const struct reminding *r = arg;
	CLEANUP(buf_free) struct buf data = {0};
	const char *group = names_text(r->names, r->group);

	if (e->at_ms < r->since_ms || !e->of_group || e->kind != PAST_STATUS || e->from == e->to)
		return;
	changes_put_status(&data, &(struct change_status){
					  .environment = r->cluster->origin.environment,
					  .cluster = r->cluster->name,
					  .group = group,
					  .from = (enum status)e->from,
					  .to = (enum status)e->to,
					  .reason = reason_str((enum reason)e->reason),
					  .sentence = e->sentence,
					  .lag = e->lag,
					  .time_lag_ms = e->time_lag_ms,
					  .as_of_ms = e->at_ms,
				  });
	stream_recall(r->stream, &(struct stream_event){
					 .at_ms = e->at_ms,
					 .event = "status",
					 .environment = r->cluster->origin.environment,
					 .cluster = r->cluster->name,
					 .group = group,
					 .data = buf_str(&data),
				 });
}

/* Most groups have been what they are for long: their events need no look. */
static void tell_group(struct reminding *r, const struct past_standing *s, void *arg)
{
	(void)arg;
	if (s->since_ms >= r->since_ms)
		past_each_event(&r->txn, r->cluster->id, r->group, INT64_MAX, PAST_EVENTS,
				tell_status, r);
}

static bool see_all(void *arg, const char *environment, const char *cluster)
{
	(void)arg;
	(void)environment;
	(void)cluster;
	return true;
}

static void tell_incident(void *arg, const struct incident *i, const struct rules_label *labels,
			  size_t label_count)
{
	const struct reminding *r = arg;

	if (i->changed_ms >= r->since_ms)
		alarm_recall(r->stream, i, labels, label_count);
}

static int tell_incidents(struct reminding *r, struct alert *a)
{
	const struct alert_filter f = {.states = UINT32_MAX, .max = SIZE_MAX, .sees = see_all};
	struct alert_place next;
	size_t total = 0;

	return alert_list(a, &f, tell_incident, r, &total, &next);
}

/* --- all of it --- */

static void each_cluster(struct reminding *r, void (*on_cluster)(struct reminding *r))
{
	for (size_t i = 0; i < clusters_count(r->clusters); i++) {
		r->cluster = clusters_at(r->clusters, i);
		on_cluster(r);
	}
}

static void tell_cluster(struct reminding *r)
{
	each_group(r, tell_group, NULL);
}

static int tell_clusters(struct reminding *r)
{
	int err = names_load(&r->txn, &r->names);

	if (err == ERR_OK)
		err = clusters_load(&r->txn, r->names, &r->clusters);
	if (err != ERR_OK)
		return err;
	each_cluster(r, know_cluster);
	r->since_ms = stream_since_ms(r->stream);
	each_cluster(r, tell_cluster);
	return r->txn.err;
}

int remind(struct store *st, struct alert *a, struct stream *s)
{
	struct reminding r = {.stream = s, .txn = store_begin(st, false)};
	int err = tell_clusters(&r);

	clusters_free(&r.clusters);
	names_free(&r.names);
	store_abort(&r.txn);
	return err == ERR_OK ? tell_incidents(&r, a) : err;
}
