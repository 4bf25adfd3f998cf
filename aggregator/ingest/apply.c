/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/apply.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/margin.h"
#include "aggregator/ingest/members.h"
#include "common/err.h"
#include "common/mem.h"

/* A second agent may take over a cluster that its first has not spoken of for so long. */
#define TAKEOVER_MS 60000

/* How often it is noted that a burial is still of use. */
#define BURIAL_NOTE_MS 86400000

/* One batch on its way in. */
struct work {
	struct apply *a;
	struct store_txn *txn;
	const struct wire_batch *b;
	struct cluster *cluster;
	int64_t at_ms;    /* of the pass, see origin_pass_ms(); so are all times of rows: */
	int64_t shift_ms; /* what is added to the agent's */
	uint32_t *groups; /* the store's numbers of the batch's names, given when first used; */
	uint32_t *topics; /* 0: not yet */
};

static uint32_t number(struct work *w, enum store_kind kind, uint32_t *numbers, uint32_t name)
{
	if (numbers[name] == 0)
		numbers[name] =
			names_intern(w->a->names, w->txn, kind, w->cluster->id, w->b->names[name]);
	return numbers[name];
}

static uint32_t group_of(struct work *w, uint32_t name)
{
	return number(w, STORE_GROUP, w->groups, name);
}

static uint32_t topic_of(struct work *w, uint32_t name)
{
	return number(w, STORE_TOPIC, w->topics, name);
}

/* --- log rows --- */

static void remember_end(struct work *w, struct store_log_key k, const struct log_track *log)
{
	struct history h;

	store_get_history(w->txn, k, &h);
	unsigned levels = history_add(&h, w->at_ms, log->end);
	if (levels != 0)
		store_put_history(w->txn, k, &h, levels);
	if (log->start_moved_ms == w->at_ms)
		margin_note(w->txn, k, log, &h);
}

static void apply_log(struct work *w, const struct wire_log_row *row)
{
	struct store_log_key k = {w->cluster->id, topic_of(w, row->topic), row->partition};
	struct log_track track = {0};
	struct track_log_row facts = {
		.start = row->start,
		.end = row->end,
		.stable = row->stable,
		.leader_epoch = row->epoch,
	};

	if (w->cluster->census.open)
		census_add(&w->cluster->census.logs, 0, k.topic, k.partition);
	(void)store_get_log(w->txn, k, &track);
	if (!track_log_row(&track, &w->cluster->track, w->at_ms, &facts))
		return;
	store_put_log(w->txn, k, &track);
	if (row->end != WIRE_UNKNOWN)
		remember_end(w, k, &track);
}

/* --- commit rows --- */

/* Whether the group, or its offsets of this topic, were removed by hand or expired and have not
 * committed since. */
static bool buried(struct work *w, struct store_commit_key k, int64_t arrival_ms)
{
	const uint32_t topics[] = {0, k.topic};

	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		struct store_burial b;

		if (!store_get_buried(w->txn, k.cluster, k.group, topics[i], &b))
			continue;
		if (arrival_ms > b.at_ms) {
			store_del_buried(w->txn, k.cluster, k.group, topics[i]);
			continue;
		}
		if (w->at_ms - b.kept_ms >= BURIAL_NOTE_MS) {
			b.kept_ms = w->at_ms;
			store_put_buried(w->txn, k.cluster, k.group, topics[i], &b);
		}
		return true;
	}
	return false;
}

/* When the agent saw a commit. One that lies ahead of its clock was seen before that stepped back.
 */
static int64_t arrival_ms(const struct work *w, const struct wire_commit_row *row)
{
	return row->arrival_ms + (row->arrival_ms > w->b->pass_at_ms ? 0 : w->shift_ms);
}

static void apply_commit(struct work *w, const struct wire_commit_row *row)
{
	struct store_commit_key k = {
		.cluster = w->cluster->id,
		.group = group_of(w, row->group),
		.topic = topic_of(w, row->topic),
		.partition = row->partition,
	};
	struct commit_track track = {0};
	struct track_commit_row facts = {
		.offset = row->offset,
		.time_ms = row->time_ms,
		.arrival_ms = arrival_ms(w, row),
	};

	if (w->cluster->census.open)
		census_add(&w->cluster->census.commits, k.group, k.topic, k.partition);
	bool known = store_get_commit(w->txn, k, &track);
	if (!known && buried(w, k, facts.arrival_ms))
		return;
	/* The shift was another one when this commit was told first. */
	if (known && w->shift_ms != 0 && track.offset == row->offset &&
	    track.time_ms == row->time_ms)
		return;
	if (track_commit_row(&track, &w->cluster->track, w->at_ms, &facts))
		store_put_commit(w->txn, k, &track);
}

/* --- group rows --- */

static void apply_members(struct work *w, uint32_t group, const struct wire_group *row)
{
	struct buf packed = {0};

	for (size_t i = 0; i < row->member_count; i++) {
		const struct wire_member *m = &row->members[i];

		for (size_t j = 0; j < m->subscribed_count; j++)
			(void)topic_of(w, m->subscribed[j]);
		for (size_t j = 0; j < m->assigned_count; j++)
			(void)topic_of(w, m->assigned[j].topic);
	}
	members_pack(&packed, row, w->topics);
	if (packed.err == ERR_OK)
		store_put_members(w->txn, w->cluster->id, group, packed.data, packed.size);
	else if (w->txn->err == ERR_OK)
		w->txn->err = packed.err;
	buf_free(&packed);
}

static void apply_group(struct work *w, const struct wire_group *row)
{
	uint32_t cluster = w->cluster->id;
	uint32_t group = group_of(w, row->name);
	struct group_track track = {0};
	struct track_group_row facts = {
		.protocol = (enum track_protocol)row->protocol,
		.state = (enum track_group_state)row->state,
		.generation = row->generation,
		.member_count = (uint32_t)row->member_count,
	};

	if (w->cluster->census.open)
		census_add(&w->cluster->census.groups, group, 0, 0);
	struct store_burial burial;
	if (!store_get_group(w->txn, cluster, group, &track) && row->member_count == 0 &&
	    store_get_buried(w->txn, cluster, group, 0, &burial))
		return;
	if (track_group_row(&track, w->at_ms, &facts))
		store_put_group(w->txn, cluster, group, &track);
	apply_members(w, group, row);
}

/* --- what is gone --- */

static void remove_group(struct apply *a, uint32_t cluster, uint32_t group)
{
	store_del_group(a->txn, cluster, group);
	store_del_buried(a->txn, cluster, group, 0);
	names_drop(a->names, a->txn, group);
}

static void remove_topic(struct work *w, uint32_t topic)
{
	struct store_range range = {.cluster = w->cluster->id};
	struct store_commit_key k;
	struct commit_track track;
	struct store_log_key l;
	struct log_track log;

	for (bool first = true; store_next_commit(w->txn, first, range, &k, &track); first = false)
		if (k.topic == topic)
			store_del_commit(w->txn, k);
	for (bool first = true; store_next_log(w->txn, first, range.cluster, &l, &log);
	     first = false)
		if (l.topic == topic)
			store_del_log(w->txn, l);
	names_drop(w->a->names, w->txn, topic);
}

static void apply_gone(struct work *w)
{
	const struct wire_batch *b = w->b;

	for (size_t i = 0; i < b->gone_commit_count; i++)
		store_del_commit(w->txn,
				 (struct store_commit_key){w->cluster->id,
							   group_of(w, b->gone_commits[i].group),
							   topic_of(w, b->gone_commits[i].topic),
							   b->gone_commits[i].partition});
	for (size_t i = 0; i < b->gone_group_count; i++)
		remove_group(w->a, w->cluster->id, group_of(w, b->gone_groups[i]));
	for (size_t i = 0; i < b->gone_topic_count; i++)
		remove_topic(w, topic_of(w, b->gone_topics[i]));
}

/* --- the end of a full pass --- */

static void sweep_commits(struct work *w, const struct census *census)
{
	struct store_range range = {.cluster = w->cluster->id};
	struct store_commit_key k;
	struct commit_track track;

	for (bool first = true; store_next_commit(w->txn, first, range, &k, &track); first = false)
		if (track.offset != TRACK_UNKNOWN &&
		    !census_has(&census->commits, k.group, k.topic, k.partition))
			store_del_commit(w->txn, k);
}

static void sweep_logs(struct work *w, const struct census *census)
{
	struct store_log_key k;
	struct log_track track;

	for (bool first = true; store_next_log(w->txn, first, w->cluster->id, &k, &track);
	     first = false)
		if (!census_has(&census->logs, 0, k.topic, k.partition))
			store_del_log(w->txn, k);
}

static void sweep_groups(struct work *w, const struct census *census)
{
	uint32_t cluster = w->cluster->id;
	uint32_t group = 0;
	struct group_track track;

	for (bool first = true; store_next_group(w->txn, first, cluster, &group, &track);
	     first = false)
		if (!census_has(&census->groups, group, 0, 0))
			store_del_group(w->txn, cluster, group);
}

/* Remove what a full pass has not named: it went while nobody watched. */
static void sweep(struct work *w)
{
	struct census *census = &w->cluster->census;

	census_sort(census);
	sweep_commits(w, census);
	sweep_logs(w, census);
	sweep_groups(w, census);
	census_end(census);
}

/* --- the pass --- */

/* The first batch of a pass, or the first that is not lost. */
static void begin_pass(struct work *w)
{
	struct cluster *c = w->cluster;
	const struct wire_batch *b = w->b;

	w->at_ms = origin_pass_ms(&c->origin, b, c->track.last_ms);
	w->shift_ms = w->at_ms - b->pass_at_ms;
	if (b->pass == c->pass)
		return;
	census_end(&c->census);
	c->pass = b->pass;
	if (track_cluster_pass(&c->track, w->at_ms, b->interval_ms, w->a->window_ms) &&
	    (b->flags & WIRE_PASS_FULL) && (b->flags & WIRE_PASS_FIRST))
		census_begin(&c->census, b->pass);
}

static void end_pass(struct work *w, int64_t now_ms)
{
	struct cluster *c = w->cluster;
	int64_t sent_ms = w->b->sent_steady_ms;

	if (c->census.open)
		sweep(w);
	c->origin.passed_ms = now_ms;
	c->late_ms = sent_ms == 0 ? 0 : sent_ms - w->b->pass_at_ms;
	c->due = true;
}

/* Kept until the pass is judged: there each group that stands at the place takes it. */
static void apply_answer(struct work *w, const struct wire_probe_row *row)
{
	struct probes_place place = {
		names_find(w->a->names, STORE_TOPIC, w->cluster->id, w->b->names[row->topic]),
		row->partition,
		row->offset,
	};

	if (place.topic != 0)
		probes_answer(w->cluster->probes, &place,
			      &(struct probes_answer){row->answer, row->end, row->time_ms});
}

static void apply_rows(struct work *w)
{
	const struct wire_batch *b = w->b;

	for (size_t i = 0; i < b->log_count; i++)
		apply_log(w, &b->logs[i]);
	for (size_t i = 0; i < b->commit_count; i++)
		apply_commit(w, &b->commits[i]);
	for (size_t i = 0; i < b->group_count; i++)
		apply_group(w, &b->groups[i]);
	apply_gone(w);
	for (size_t i = 0; i < b->probe_count; i++)
		apply_answer(w, &b->probes[i]);
}

static bool foreign(const struct cluster *c, const struct wire_batch *b, int64_t now_ms)
{
	return c->origin.agent[0] != '\0' && strcmp(c->origin.agent, b->agent) != 0 &&
	       now_ms - c->origin.seen_ms < TAKEOVER_MS;
}

size_t apply_new_names(const struct apply *a, const struct wire_batch *b)
{
	const struct cluster *c = clusters_find(a->clusters, a->names, b->environment, b->cluster);
	size_t count = 0;

	if (c == NULL)
		return b->name_count + 1;
	for (size_t i = 0; i < b->name_count; i++)
		count += names_find(a->names, STORE_GROUP, c->id, b->names[i]) == 0 &&
			 names_find(a->names, STORE_TOPIC, c->id, b->names[i]) == 0;
	return count;
}

/* A pass that was made before the last one applied, and comes after it, is of no more use: what it
 * says has been said anew since. */
static void apply_pass(struct apply *a, const struct wire_batch *b, struct cluster *c,
		       int64_t now_ms)
{
	struct work w = {.a = a, .txn = a->txn, .b = b, .cluster = c};

	begin_pass(&w);
	if (w.at_ms < c->track.last_ms)
		return;
	w.groups = mem_zeroed(2 * (b->name_count + 1), sizeof(*w.groups));
	w.topics = w.groups + b->name_count + 1;
	apply_rows(&w);
	if (b->flags & WIRE_PASS_LAST)
		end_pass(&w, now_ms);
	free(w.groups);
}

int apply_batch(struct apply *a, const struct wire_batch *b, const char *software, int64_t now_ms,
		struct cluster **ret_cluster, const char **ret_why)
{
	struct cluster *c =
		clusters_take(a->clusters, a->txn, a->names, b->environment, b->cluster);

	*ret_cluster = c;
	if (c == NULL)
		return a->txn->err;
	if (foreign(c, b, now_ms)) {
		*ret_why =
			"another agent reports this cluster: give it another name or environment";
		return ERR_CONFIG;
	}
	if (strcmp(c->origin.agent, b->agent) != 0)
		c->origin.pass = 0; /* it counts its own */
	origin_update(&c->origin, b, software, now_ms);
	if (b->pass != 0)
		apply_pass(a, b, c, now_ms);
	clusters_store(c, a->txn);
	return ERR_OK;
}

/* --- by hand --- */

void apply_bury(struct apply *a, struct cluster *c, uint32_t group, uint32_t topic)
{
	struct store_range range = {.cluster = c->id, .group = group};
	struct store_commit_key k;
	struct commit_track track;

	c->touched = true;
	names_mark(a->names, group);
	names_mark(a->names, topic);
	store_put_buried(a->txn, c->id, group, topic,
			 &(struct store_burial){c->track.last_ms, c->track.last_ms});
	if (topic == 0) {
		store_del_group(a->txn, c->id, group);
		return;
	}
	for (bool first = true; store_next_commit(a->txn, first, range, &k, &track); first = false)
		if (k.topic == topic)
			store_del_commit(a->txn, k);
}
