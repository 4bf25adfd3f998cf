/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/diary.h"
#include "aggregator/ingest/members.h"
#include "aggregator/ingest/picture.h"
#include "common/err.h"

/* Passes that may be missing before the agent counts as blind: EVALUATION rule 1. */
#define BLIND_PASSES 3

/* Changes that must wait until the walk over the commits is done: it allows no new keys. */
struct later {
	struct store_commit_key *keys;
	size_t count, cap;
};

struct walk {
	struct evaluate *e;
	struct picture *picture;
	struct diary *diary;
	struct later owned;   /* partitions with an owner and no commit */
	struct later expired; /* groups silent for too long */
	struct later walked;  /* groups with commits, in the order of their numbers */

	/* the group at hand */
	struct group_track group;
	bool has_group;
	struct members members;
	struct buf members_bytes;
	bool *owned_seen;  /* by index of members.owned */
	int64_t newest_ms; /* arrival of its newest commit */
};

static void add_later(struct later *l, struct store_commit_key k)
{
	if (l->count == l->cap) {
		l->cap = MAX(l->cap * 2, (size_t)64);
		l->keys = realloc(l->keys, l->cap * sizeof(*l->keys));
		if (l->keys == NULL)
			abort();
	}
	l->keys[l->count++] = k;
}

/* The rules for a partition; for the group as a whole with a topic of 0. */
static const struct rules *rules_for(const struct walk *w, uint32_t group, uint32_t topic,
				     int32_t partition)
{
	const struct cluster *c = w->e->cluster;
	struct rules_memo_place place = {
		.cluster = c->id,
		.group = group,
		.topic = topic,
		.names = {.environment = c->origin.environment,
			  .cluster = c->name,
			  .group = names_text(w->e->names, group),
			  .topic = topic == 0 ? NULL : names_text(w->e->names, topic),
			  .partition = partition},
	};

	return rules_memo_get(w->e->rules, &place);
}

/* --- one group --- */

static void begin_group(struct walk *w, uint32_t group)
{
	const uint8_t *data = NULL;
	size_t size = 0;
	uint32_t cluster = w->e->cluster->id;

	add_later(&w->walked, (struct store_commit_key){.cluster = cluster, .group = group});
	w->has_group = store_get_group(w->e->txn, cluster, group, &w->group);
	w->newest_ms = 0;
	buf_reset(&w->members_bytes);
	if (w->has_group && store_get_members(w->e->txn, cluster, group, &data, &size))
		buf_put(&w->members_bytes, data, size); /* writes to come may move the original */
	if (w->members_bytes.size != 0 &&
	    members_unpack((const uint8_t *)w->members_bytes.data, w->members_bytes.size,
			   &w->members) != ERR_OK)
		w->members = (struct members){0};
	w->owned_seen = calloc(w->members.owned_count + 1, sizeof(*w->owned_seen));
	if (w->owned_seen == NULL)
		abort();
	picture_begin_group(w->picture, group, names_text(w->e->names, group),
			    w->has_group ? &w->group : NULL);
	diary_begin_group(w->diary, group);
}

/* A group without members and without a commit for a long time is dropped. */
static bool expired(const struct walk *w, uint32_t group)
{
	return w->newest_ms != 0 && w->members.count == 0 &&
	       w->e->cluster->track.last_ms - w->newest_ms >
		       rules_for(w, group, 0, -1)->expire_group_ms;
}

static void end_group(struct walk *w, uint32_t group)
{
	uint32_t cluster = w->e->cluster->id;
	bool gone = expired(w, group);

	for (size_t i = 0; i < w->members.owned_count; i++)
		if (!w->owned_seen[i])
			add_later(&w->owned, (struct store_commit_key){
						     cluster, group, w->members.owned[i].topic,
						     w->members.owned[i].partition});
	if (gone)
		add_later(&w->expired,
			  (struct store_commit_key){.cluster = cluster, .group = group});
	struct view_group *g = picture_end_group(w->picture, !gone);
	if (g != NULL)
		diary_end_group(w->diary, g);
	members_free(&w->members);
	free(w->owned_seen);
	w->owned_seen = NULL;
}

/* --- one partition of it --- */

static enum track_owner owner_of(const struct walk *w, const struct members_one *m)
{
	if (m != NULL)
		return TRACK_OWNER_PRESENT;
	return w->has_group ? TRACK_OWNER_NONE : TRACK_OWNER_UNKNOWN;
}

static enum track_subscription subscription_of(const struct walk *w, uint32_t topic)
{
	if (w->members.topic_count == 0)
		return TRACK_SUBSCRIPTION_UNKNOWN;
	return members_subscribed(&w->members, topic) ? TRACK_SUBSCRIPTION_YES
						      : TRACK_SUBSCRIPTION_NO;
}

static bool join_history(struct walk *w, struct store_commit_key k, struct commit_track *t)
{
	struct history h;

	if (!track_wants_history(t))
		return false;
	store_get_history(w->e->txn, (struct store_log_key){k.cluster, k.topic, k.partition}, &h);
	return track_history(t, &h);
}

/* Reading at the committed offset may tell more: take what was found there, or wish for it. */
static bool join_probe(struct walk *w, struct store_commit_key k, struct commit_track *t,
		       const struct judge_input *in, struct verdict *v)
{
	static const enum track_probe ANSWERS[] = {
		[WIRE_PROBE_UNKNOWN] = TRACK_PROBE_UNKNOWN,
		[WIRE_PROBE_NOTHING] = TRACK_PROBE_NOTHING,
		[WIRE_PROBE_RECORD] = TRACK_PROBE_RECORD,
	};
	const struct probes_place place = {k.topic, k.partition, t->offset};
	bool changed = false;

	if (!judge_wants_probe(in, v))
		return false;
	const struct probes_answer *a =
		probes_find(w->e->cluster->probes, &place, in->log->generation);
	if (a != NULL &&
	    track_probe_answer(t, in->log, place.offset, a->end, ANSWERS[a->answer], a->time_ms)) {
		(void)track_pass(t, in->log, in->group, in->cluster, in->cluster->last_ms);
		judge(in, v);
		changed = true;
	}
	if (judge_wants_probe(in, v))
		probes_wish(w->e->cluster->probes,
			    &(struct probes_wish){
				    .place = place,
				    .generation = in->log->generation,
				    .badness = t->probe == TRACK_PROBE_RECORD ? 0 : v->status,
				    .waits_ms = v->time_lag_ms,
				    .end = in->log->end,
			    });
	return changed;
}

/* Judge one partition with a new pass, or again with the old one when the agent is blind. t is
 * in->commit. */
static bool judge_partition(struct walk *w, struct store_commit_key k, struct commit_track *t,
			    const struct judge_input *in, struct verdict *ret_v)
{
	int64_t at_ms = in->cluster->last_ms;
	bool changed = false;

	if (w->e->silent_ms == 0) {
		changed |= track_pass(t, in->log, in->group, in->cluster, at_ms);
		changed |= join_history(w, k, t);
	}
	judge(in, ret_v);
	if (w->e->silent_ms == 0) {
		changed |= join_probe(w, k, t, in, ret_v);
		changed |= track_publish(t, ret_v, in->rules, at_ms);
	}
	return changed;
}

/* Whoever shows it, and whoever keeps it. */
static void tell(struct walk *w, struct store_commit_key k, const struct members_one *owner,
		 struct diary_partition *p)
{
	struct store_log_key l = {k.cluster, k.topic, k.partition};

	p->topic_id = k.topic;
	p->topic = names_text(w->e->names, k.topic);
	p->partition = k.partition;
	diary_partition(w->diary, p);
	picture_add_partition(w->picture, &(struct picture_partition){
						  .topic = k.topic,
						  .name = p->topic,
						  .partition = k.partition,
						  .track = p->in->commit,
						  .log = p->in->log,
						  .verdict = p->verdict,
						  .rules = p->in->rules,
						  .owner = owner,
						  .margin = margin_of(w->e->txn, l, p->in->log,
								      p->verdict, p->in->now_ms),
					  });
}

static void take_partition(struct walk *w, struct store_commit_key k, struct commit_track *t)
{
	struct members_owned place = {k.topic, k.partition, 0};
	const struct members_owned *owned = members_find(&w->members, &place);
	const struct members_one *owner = owned == NULL ? NULL : &w->members.list[owned->member];
	const struct cluster_track *cluster = &w->e->cluster->track;
	struct log_track log;
	struct verdict v;

	if (owned != NULL)
		w->owned_seen[owned - w->members.owned] = true;
	bool changed = track_owner(t, owner_of(w, owner), subscription_of(w, k.topic));
	if (t->offset == TRACK_UNKNOWN && owner == NULL) {
		/* Was owned, never committed, is owned no more. */
		if (w->e->silent_ms == 0)
			store_del_commit(w->e->txn, k);
		return;
	}
	bool has_log = store_get_log(w->e->txn,
				     (struct store_log_key){k.cluster, k.topic, k.partition}, &log);
	const struct judge_input in = {t,
				       has_log ? &log : NULL,
				       w->has_group ? &w->group : NULL,
				       cluster,
				       rules_for(w, k.group, k.topic, k.partition),
				       cluster->last_ms + w->e->silent_ms};
	struct diary_partition p = {.in = &in, .verdict = &v, .before = (enum status)t->status};
	int64_t lost_at_ms = t->lost_at_ms;
	changed |= judge_partition(w, k, t, &in, &v);
	if (changed && w->e->silent_ms == 0)
		store_put_commit(w->e->txn, k, t);
	w->newest_ms = MAX(w->newest_ms, t->arrival_ms);
	p.lost = lost_at_ms == 0 && t->lost_at_ms != 0;
	tell(w, k, owner, &p);
}

/* --- the cluster --- */

static void walk_logs(struct walk *w)
{
	struct store_log_key k;
	struct log_track log;

	for (bool first = true; store_next_log(w->e->txn, first, w->e->cluster->id, &k, &log);
	     first = false)
		picture_add_log(w->picture, k.topic, names_text(w->e->names, k.topic), k.partition,
				&log);
	picture_end_logs(w->picture);
}

static void walk_commits(struct walk *w)
{
	struct store_range range = {.cluster = w->e->cluster->id};
	struct store_commit_key k;
	struct commit_track t;
	uint32_t group = 0;

	for (bool first = true; store_next_commit(w->e->txn, first, range, &k, &t); first = false) {
		if (k.group != group) {
			if (group != 0)
				end_group(w, group);
			begin_group(w, k.group);
			group = k.group;
		}
		take_partition(w, k, &t);
	}
	if (group != 0)
		end_group(w, group);
}

/* Groups that are known by membership only. */
static void walk_groups(struct walk *w)
{
	struct group_track track;
	uint32_t group = 0;
	size_t with_commits = w->walked.count;
	size_t at = 0;

	for (bool first = true;
	     store_next_group(w->e->txn, first, w->e->cluster->id, &group, &track); first = false) {
		while (at < with_commits && w->walked.keys[at].group < group)
			at++;
		if (at < with_commits && w->walked.keys[at].group == group)
			continue;
		begin_group(w, group);
		end_group(w, group);
	}
}

static void add_owned(struct walk *w)
{
	const struct track_commit_row nothing = {TRACK_UNKNOWN, TRACK_UNKNOWN, 0};
	const struct cluster_track *cluster = &w->e->cluster->track;

	for (size_t i = 0; i < w->owned.count; i++) {
		struct store_commit_key k = w->owned.keys[i];
		struct commit_track t = {0};

		if (!names_has(w->e->names, STORE_TOPIC, k.topic))
			continue; /* deleted, and its members do not know yet */
		names_mark(w->e->names, k.topic);
		if (track_commit_row(&t, cluster, cluster->last_ms, &nothing))
			store_put_commit(w->e->txn, k, &t);
	}
}

static void drop_expired(struct walk *w)
{
	int64_t at_ms = w->e->cluster->track.last_ms;

	for (size_t i = 0; i < w->expired.count; i++) {
		struct store_commit_key k = w->expired.keys[i];

		names_mark(w->e->names, k.group);
		store_put_buried(w->e->txn, k.cluster, k.group, 0,
				 &(struct store_burial){at_ms, at_ms});
		store_del_group(w->e->txn, k.cluster, k.group);
	}
}

struct view *evaluate_cluster(struct evaluate *e)
{
	struct walk w = {
		.e = e,
		.picture = picture_new(e->cluster, e->silent_ms),
		.diary = diary_begin(e->txn, e->cluster->id, e->cluster->track.last_ms,
				     e->silent_ms == 0),
	};

	if (e->silent_ms == 0)
		probes_begin(e->cluster->probes, e->cluster->track.last_ms,
			     e->cluster->track.interval_ms, e->cluster->probe_limit);
	walk_logs(&w);
	walk_commits(&w);
	walk_groups(&w);
	diary_end(&w.diary);
	if (e->silent_ms == 0) {
		add_owned(&w);
		drop_expired(&w);
	}
	free(w.owned.keys);
	free(w.expired.keys);
	free(w.walked.keys);
	buf_free(&w.members_bytes);
	return picture_finish(&w.picture);
}

bool evaluate_blind(const struct cluster *c, int64_t silent_ms)
{
	return silent_ms > (int64_t)BLIND_PASSES * c->track.interval_ms;
}
