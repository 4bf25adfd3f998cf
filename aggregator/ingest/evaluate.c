/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/evaluate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ingest/crew.h"
#include "aggregator/ingest/diary.h"
#include "aggregator/ingest/part.h"
#include "aggregator/ingest/picture.h"
#include "common/err.h"
#include "common/mem.h"

/* Passes that may be missing before the agent counts as blind: EVALUATION rule 1. */
#define BLIND_PASSES 3

/* Changes that must wait until the walk over the commits is done: it allows no new keys. */
struct later {
	struct store_commit_key *keys;
	size_t count, cap;
};

/* The group at hand. It is there from its first partition's gathering to its last one's telling,
 * and both may be under way for several groups. */
struct scope {
	struct scope *next;
	uint32_t group;
	struct group_track track;
	bool has_track;
	struct members members;
	struct buf members_bytes;
	bool *owned_seen;  /* by index of members.owned */
	int64_t newest_ms; /* arrival of its newest commit */
};

#define PIECE_PARTS 32

/* Partitions that are judged together. */
struct piece {
	struct crew_piece work;
	struct part parts[PIECE_PARTS];
	struct scope *scopes[PIECE_PARTS]; /* theirs */
	size_t count;
	struct part *later[PIECE_PARTS]; /* those that take long: the crew's */
	size_t later_count;
};

struct evaluate_room {
	struct crew *crew;                /* NULL: none */
	struct piece pieces[CREW_PIECES]; /* a ring */
};

struct walk {
	struct evaluate *e;
	struct picture *picture;
	struct diary *diary;
	struct later owned;   /* partitions with an owner and no commit */
	struct later expired; /* groups silent for too long */
	struct later walked;  /* groups with commits, in the order of their numbers */

	struct evaluate_room *room;
	size_t given, told;     /* pieces */
	struct scope *told_of;  /* the group being told of, and those after it; NULL: none */
	struct scope *gathered; /* the last of them: the group being gathered */
};

static void add_later(struct later *l, struct store_commit_key k)
{
	l->keys = mem_grow(l->keys, l->count, &l->cap, sizeof(*l->keys));
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

static struct scope *scope_new(struct walk *w, uint32_t group)
{
	struct scope *s = calloc(1, sizeof(*s));
	uint32_t cluster = w->e->cluster->id;
	const uint8_t *data = NULL;
	size_t size = 0;

	if (s == NULL)
		abort();
	s->group = group;
	s->has_track = store_get_group(w->e->txn, cluster, group, &s->track);
	if (s->has_track && store_get_members(w->e->txn, cluster, group, &data, &size))
		buf_put(&s->members_bytes, data, size); /* writes to come may move the original */
	if (s->members_bytes.size != 0 &&
	    members_unpack((const uint8_t *)s->members_bytes.data, s->members_bytes.size,
			   &s->members) != ERR_OK)
		s->members = (struct members){0};
	s->owned_seen = mem_zeroed(s->members.owned_count + 1, sizeof(*s->owned_seen));
	return s;
}

static void scope_free(struct scope *s)
{
	members_free(&s->members);
	buf_free(&s->members_bytes);
	free(s->owned_seen);
	free(s);
}

/* A group without members and without a commit for a long time is dropped. */
static bool expired(const struct walk *w, const struct scope *s)
{
	return s->newest_ms != 0 && s->members.count == 0 &&
	       w->e->cluster->track.last_ms - s->newest_ms >
		       rules_for(w, s->group, 0, -1)->expire_group_ms;
}

static void tell_begin(struct walk *w, const struct scope *s)
{
	picture_begin_group(w->picture, s->group, names_text(w->e->names, s->group),
			    s->has_track ? &s->track : NULL);
	diary_begin_group(w->diary, s->group);
}

static void tell_end(struct walk *w, const struct scope *s)
{
	uint32_t cluster = w->e->cluster->id;
	bool gone = expired(w, s);

	for (size_t i = 0; i < s->members.owned_count; i++)
		if (!s->owned_seen[i])
			add_later(&w->owned, (struct store_commit_key){
						     cluster, s->group, s->members.owned[i].topic,
						     s->members.owned[i].partition});
	if (gone)
		add_later(&w->expired,
			  (struct store_commit_key){.cluster = cluster, .group = s->group});
	struct view_group *g = picture_end_group(w->picture, !gone);
	if (g == NULL)
		return;
	picture_maintain(w->picture, g, rules_for(w, s->group, 0, -1));
	diary_end_group(w->diary, g);
}

/* --- telling: whoever shows it, and whoever keeps it --- */

/* Groups are told of up to this one. */
static void turn_to(struct walk *w, const struct scope *s)
{
	while (w->told_of != s) {
		struct scope *done = w->told_of;

		tell_end(w, done);
		w->told_of = done->next;
		scope_free(done);
		if (w->told_of != NULL)
			tell_begin(w, w->told_of);
	}
}

static void tell(struct walk *w, struct scope *s, struct part *p)
{
	const struct store_log_key l = {p->key.cluster, p->key.topic, p->key.partition};
	const struct judge_input in = part_input(p);
	const char *topic = names_text(w->e->names, p->key.topic);

	turn_to(w, s);
	part_publish(p, w->e->cluster->probes);
	if (p->changed && p->silent_ms == 0)
		store_put_commit(w->e->txn, p->key, &p->track);
	s->newest_ms = MAX(s->newest_ms, p->track.arrival_ms);
	diary_partition(w->diary, &(struct diary_partition){
					  .topic_id = p->key.topic,
					  .topic = topic,
					  .partition = p->key.partition,
					  .in = &in,
					  .verdict = &p->verdict,
					  .before = p->before,
					  .lost = p->lost,
				  });
	picture_add_partition(w->picture, &(struct picture_partition){
						  .topic = p->key.topic,
						  .name = topic,
						  .partition = p->key.partition,
						  .track = &p->track,
						  .log = in.log,
						  .verdict = &p->verdict,
						  .rules = p->rules,
						  .owner = p->owner,
						  .margin = margin_of(w->e->txn, l, in.log,
								      &p->verdict, in.now_ms),
					  });
}

static void tell_piece(struct walk *w)
{
	struct piece *piece = &w->room->pieces[w->told++ % CREW_PIECES];

	if (piece->later_count != 0)
		crew_await(w->room->crew, &piece->work);
	for (size_t i = 0; i < piece->count; i++)
		tell(w, piece->scopes[i], &piece->parts[i]);
	piece->count = 0;
	piece->later_count = 0;
}

/* --- gathering --- */

static void judge_piece(void *arg)
{
	struct piece *piece = arg;

	for (size_t i = 0; i < piece->later_count; i++)
		part_judge(piece->later[i]);
}

static struct piece *gathering(struct walk *w)
{
	return &w->room->pieces[w->given % CREW_PIECES];
}

/* Nothing that was given is with the crew. */
static bool all_done(const struct walk *w)
{
	return w->given - w->told == 1 && w->room->pieces[w->told % CREW_PIECES].later_count == 0;
}

/* Have what is gathered judged, and make room for more. */
static void give_piece(struct walk *w)
{
	struct piece *piece = gathering(w);

	if (piece->later_count != 0) {
		piece->work.work = judge_piece;
		piece->work.arg = piece;
		crew_give(w->room->crew, &piece->work);
	}
	w->given++;
	if (w->given - w->told == CREW_PIECES)
		tell_piece(w);
	/* The same place again, where it is in the cache. */
	else if (all_done(w)) {
		tell_piece(w);
		w->given = --w->told;
	}
}

static void tell_rest(struct walk *w)
{
	if (gathering(w)->count != 0)
		give_piece(w);
	while (w->told != w->given)
		tell_piece(w);
	if (w->told_of != NULL)
		turn_to(w, NULL);
	w->gathered = NULL;
}

static void gather_group(struct walk *w, uint32_t group)
{
	struct scope *s = scope_new(w, group);

	add_later(&w->walked,
		  (struct store_commit_key){.cluster = w->e->cluster->id, .group = group});
	if (w->told_of == NULL) {
		w->told_of = s;
		tell_begin(w, s);
	} else {
		w->gathered->next = s;
	}
	w->gathered = s;
}

static enum track_owner owner_of(const struct scope *s, const struct members_one *m)
{
	if (m != NULL)
		return TRACK_OWNER_PRESENT;
	return s->has_track ? TRACK_OWNER_NONE : TRACK_OWNER_UNKNOWN;
}

static enum track_subscription subscription_of(const struct scope *s, uint32_t topic)
{
	if (s->members.topic_count == 0)
		return TRACK_SUBSCRIPTION_UNKNOWN;
	return members_subscribed(&s->members, topic) ? TRACK_SUBSCRIPTION_YES
						      : TRACK_SUBSCRIPTION_NO;
}

/* The partition that stands in the free place of the piece: its key and its track are there. */
static void gather(struct walk *w)
{
	struct piece *piece = gathering(w);
	struct part *p = &piece->parts[piece->count];
	struct scope *s = w->gathered;
	const struct members_owned place = {p->key.topic, p->key.partition, 0};
	const struct members_owned *owned = members_find(&s->members, &place);

	p->owner = owned == NULL ? NULL : &s->members.list[owned->member];
	if (owned != NULL)
		s->owned_seen[owned - s->members.owned] = true;
	p->changed =
		track_owner(&p->track, owner_of(s, p->owner), subscription_of(s, p->key.topic));
	if (p->track.offset == TRACK_UNKNOWN && p->owner == NULL) {
		/* Was owned, never committed, is owned no more. */
		if (w->e->silent_ms == 0)
			store_del_commit(w->e->txn, p->key);
		return;
	}
	p->has_log = store_get_log(
		w->e->txn, (struct store_log_key){p->key.cluster, p->key.topic, p->key.partition},
		&p->log);
	p->group = s->has_track ? &s->track : NULL;
	p->cluster = &w->e->cluster->track;
	p->rules = rules_for(w, p->key.group, p->key.topic, p->key.partition);
	p->silent_ms = w->e->silent_ms;
	part_join(p, w->e->txn);
	if (part_is_long(p))
		piece->later[piece->later_count++] = p;
	else
		part_judge(p);
	piece->scopes[piece->count++] = s;
	if (piece->count == PIECE_PARTS)
		give_piece(w);
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

static bool next_commit(struct walk *w, bool first)
{
	struct piece *piece = gathering(w);
	struct part *p = &piece->parts[piece->count];

	return store_next_commit(w->e->txn, first,
				 (struct store_range){.cluster = w->e->cluster->id}, &p->key,
				 &p->track);
}

static void walk_commits(struct walk *w)
{
	for (bool first = true; next_commit(w, first); first = false) {
		struct piece *piece = gathering(w);
		uint32_t group = piece->parts[piece->count].key.group;

		if (w->gathered == NULL || w->gathered->group != group)
			gather_group(w, group);
		gather(w);
	}
	tell_rest(w);
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
		gather_group(w, group);
		tell_rest(w);
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

/* An agent that catches up is as good as blind: it does not know the present either. */
static bool is_stale(const struct evaluate *e)
{
	return e->silent_ms != 0 || evaluate_blind(e->cluster, e->cluster->late_ms);
}

struct view *evaluate_cluster(struct evaluate *e)
{
	struct walk w = {
		.e = e,
		.room = e->room,
		.picture = picture_new(e->cluster, e->silent_ms, is_stale(e)),
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
	return picture_finish(&w.picture);
}

int evaluate_room_new(bool crew, struct evaluate_room **ret_r)
{
	struct evaluate_room *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	int err = crew ? crew_start(&r->crew) : ERR_OK;
	if (err != ERR_OK)
		free(r);
	else
		*ret_r = r;
	return err;
}

void evaluate_room_free(struct evaluate_room **r)
{
	if (*r == NULL)
		return;
	crew_stop(&(*r)->crew);
	free(*r);
	*r = NULL;
}

bool evaluate_blind(const struct cluster *c, int64_t silent_ms)
{
	return silent_ms > (int64_t)BLIND_PASSES * c->track.interval_ms;
}
