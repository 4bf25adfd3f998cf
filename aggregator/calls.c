/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/calls.h"

#include "aggregator/ingest/points.h"
#include "aggregator/ingest/recall.h"
#include "aggregator/ingest/roster.h"
#include "common/err.h"
#include "common/log.h"

static int delete_group(void *arg, uint32_t cluster_id, uint32_t group_id)
{
	struct calls *c = arg;

	writer_bury(c->writer, cluster_id, group_id, NULL);
	return ERR_OK;
}

static int delete_group_topic(void *arg, uint32_t cluster_id, uint32_t group_id, const char *topic)
{
	struct calls *c = arg;

	writer_bury(c->writer, cluster_id, group_id, topic);
	return ERR_OK;
}

static int offsets(void *arg, const struct view *v, const struct view_group *g, uint32_t max_points,
		   server_emit *emit, void *emit_arg)
{
	struct calls *c = arg;

	return points_read(c->store, v, g, max_points, emit, emit_arg);
}

static int partitions(void *arg, const struct story_group *g, const struct story_filter *f,
		      story_on_partition *emit, void *emit_arg)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	struct calls *c = arg;

	rulebook_state(c->rulebook, &state);
	return recall_partitions(c->store, g, state.rules, f, emit, emit_arg);
}

static int members(void *arg, const struct story_group *g, story_on_member *emit, void *emit_arg)
{
	struct calls *c = arg;

	return recall_members(c->store, g, emit, emit_arg);
}

static int events(void *arg, const struct story_group *g, int64_t before_ms, size_t max,
		  past_on_event *emit, void *emit_arg)
{
	struct calls *c = arg;

	return recall_events(c->store, g, before_ms, max, emit, emit_arg);
}

static int lag(void *arg, const struct story_group *g, const struct story_span *span,
	       story_on_lag *emit, void *emit_arg, int64_t *ret_step)
{
	struct calls *c = arg;

	return recall_lag(c->store, g, span, emit, emit_arg, ret_step);
}

static void store_state(void *arg, struct server_store *ret_s)
{
	struct calls *c = arg;
	struct writer_stats s;

	writer_stats(c->writer, &s);
	*ret_s = (struct server_store){s.store_used, s.store_limit, s.degraded};
}

static void ingest_state(void *arg, struct server_ingest *ret_i)
{
	struct calls *c = arg;
	struct ingest_link_stats l;
	struct writer_stats w;

	ingest_link_stats(c->link, &l);
	writer_stats(c->writer, &w);
	*ret_i = (struct server_ingest){
		.connections = l.connections,
		.batches = w.batches,
		.rows = w.rows,
		.transactions = w.transactions,
		.judging = w.judging,
		.duplicates = w.duplicates,
		.rejected = w.rejected,
		.lost = w.lost,
		.busy = l.busy,
		.connections_refused = l.refused,
		.connections_idle = l.idle,
		.connections_silent = l.silent,
		.hellos_refused = w.guard.refused,
		.hellos_stale = w.guard.stale,
		.batches_forged = w.guard.forged,
		.batches_foreign = w.guard.foreign,
		.batches_delayed = w.guard.delayed,
	};
}

/* Whom to tell of each agent. */
struct listener {
	server_on_agent *emit;
	void *arg;
};

static void tell_agent(void *arg, const struct roster_agent *a)
{
	struct listener *l = arg;
	int64_t skew_ms = 0;
	bool known = roster_skew(a, &skew_ms);

	l->emit(l->arg, &(struct server_agent){
				.name = a->name,
				.software = a->software,
				.config_hash = a->config_hash,
				.connected_ms = a->connected_ms,
				.seen_ms = a->seen_ms,
				.hellos = a->hellos,
				.batches = a->batches,
				.duplicates = a->duplicates,
				.rejected = a->rejected,
				.spool_batches = a->spool_batches,
				.spool_bytes = a->spool_bytes,
				.spool_age_ms = a->spool_age_ms,
				.skew_known = known,
				.skew_ms = skew_ms,
			});
}

static void agents(void *arg, server_on_agent *emit, void *emit_arg)
{
	struct calls *c = arg;
	struct listener l = {emit, emit_arg};

	roster_each(writer_roster(c->writer), tell_agent, &l);
}

static void rules(void *arg, struct rulebook_state *ret_state)
{
	struct calls *c = arg;

	rulebook_state(c->rulebook, ret_state);
}

static void take_rules(void *arg, struct rules_set *s)
{
	writer_set_rules(arg, s);
}

int calls_reload_rules(struct calls *c, struct buf *errors, bool *ret_changed)
{
	int err = rulebook_reload(c->rulebook, take_rules, c->writer, errors, ret_changed);

	if (err == ERR_OK)
		log_info("rules file loaded", "changed=%s", *ret_changed ? "true" : "false");
	else if (err == ERR_NOT_FOUND)
		log_warn("there is no rules file to load", "do=%s", log_quote("set rules_file"));
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		return err;
	log_lines(buf_str(errors), "rules file is wrong");
	log_error("rules file refused", "do=%s",
		  log_quote("the rules from before stay in force: correct it and reload"));
	return err;
}

static int reload_rules(void *arg, struct buf *errors, bool *ret_changed)
{
	return calls_reload_rules(arg, errors, ret_changed);
}

static int maintain(void *arg, struct rules_maintenance *m)
{
	struct calls *c = arg;

	return rulebook_maintain(c->rulebook, m, take_rules, c->writer);
}

static int end_maintenance(void *arg, uint64_t id)
{
	struct calls *c = arg;

	return rulebook_end_maintenance(c->rulebook, id, take_rules, c->writer);
}

struct server_calls calls_server(struct calls *c)
{
	return (struct server_calls){
		.arg = c,
		.delete_group = delete_group,
		.delete_group_topic = delete_group_topic,
		.offsets = offsets,
		.partitions = partitions,
		.members = members,
		.events = events,
		.lag = lag,
		.store = store_state,
		.agents = agents,
		.ingest = ingest_state,
		.rules = rules,
		.reload_rules = reload_rules,
		.maintain = maintain,
		.end_maintenance = end_maintenance,
	};
}
