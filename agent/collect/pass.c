/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/pass.h"

#include <assert.h>

#include "common/arena.h"
#include "common/bytes.h"
#include "common/err.h"
#include "common/mem.h"

/* Encoded, a row takes some 12 bytes, and 45 at the worst; so what these limits let through stays
 * below WIRE_BODY_MAX even if every estimate is wrong by that much. */
#define ROWS_MAX 4096
#define ROW_BYTES 14
#define ANSWER_BYTES 24
#define NAMES_MAX_BATCH 4096
#define GROUPS_MAX 1024
#define GONE_MAX 1024
#define GROUP_BYTES_MAX (512u << 10) /* of one group; members beyond it are left out */
#define ARENA_BYTES (16u << 20)

struct builder {
	struct table *table;
	const struct pass *pass;
	void (*emit)(void *arg, const void *body, size_t size);
	void *arg;

	struct wire_batch batch;
	size_t bytes;  /* estimate of what it takes encoded */
	uint32_t mark; /* of the names in this batch */
	bool first;
	struct arena arena; /* members */
	struct buf out;

	const char *names[NAMES_MAX_BATCH];
	struct wire_log_row logs[ROWS_MAX];
	struct wire_commit_row commits[ROWS_MAX];
	struct wire_group groups[GROUPS_MAX];
	uint32_t gone_groups[GONE_MAX];
	uint32_t gone_topics[GONE_MAX];
	struct wire_gone_commit gone_commits[ROWS_MAX];
	struct wire_probe_row answers[WIRE_PROBES_MAX];
};

static void fill_head(struct wire_batch *b, const struct pass *p)
{
	*b = (struct wire_batch){
		.cluster = p->cluster,
		.environment = p->environment,
		.pass = p->number,
		.pass_at_ms = p->at_ms,
		.interval_ms = p->interval_ms,
		.flags = p->full ? WIRE_PASS_FULL : 0,
		.report = p->report,
	};
}

static void begin(struct builder *b)
{
	fill_head(&b->batch, b->pass);
	b->batch.names = b->names;
	b->batch.logs = b->logs;
	b->batch.commits = b->commits;
	b->batch.groups = b->groups;
	b->batch.gone_groups = b->gone_groups;
	b->batch.gone_topics = b->gone_topics;
	b->batch.gone_commits = b->gone_commits;
	b->batch.probes = b->answers;
	b->bytes = 0;
	b->mark++;
	arena_reset(&b->arena);
}

static void encode(struct buf *out, const struct wire_batch *batch)
{
	buf_reset(out);
	wire_put_batch(out, batch);
	if (out->err != ERR_OK)
		abort();
	assert(out->size < WIRE_BODY_MAX);
}

static void flush(struct builder *b, bool last)
{
	b->batch.flags |= b->first ? WIRE_PASS_FIRST : 0;
	b->batch.flags |= last ? WIRE_PASS_LAST : 0;
	b->first = false;
	encode(&b->out, &b->batch);
	b->emit(b->arg, b->out.data, b->out.size);
	begin(b);
}

/* Room for a row of this many bytes, and two names that may be new. */
static void make_room(struct builder *b, size_t bytes)
{
	const struct wire_batch *m = &b->batch;

	if ((b->bytes > 0 && b->bytes + bytes > PASS_BODY_TARGET) ||
	    m->name_count + 2 > NAMES_MAX_BATCH || m->log_count == ROWS_MAX ||
	    m->commit_count == ROWS_MAX || m->group_count == GROUPS_MAX ||
	    m->gone_group_count == GONE_MAX || m->gone_topic_count == GONE_MAX ||
	    m->gone_commit_count == ROWS_MAX)
		flush(b, false);
	b->bytes += bytes;
}

static uint32_t add_name(struct builder *b, const char *name)
{
	uint32_t local = (uint32_t)b->batch.name_count++;

	b->names[local] = name;
	b->bytes += strlen(name) + 3;
	return local;
}

static uint32_t local_topic(struct builder *b, uint32_t n)
{
	struct topic *it = &b->table->topics.items[n];

	if (it->mark != b->mark) {
		it->local = add_name(b, names_text(&b->table->topics.names, n));
		it->mark = b->mark;
	}
	return it->local;
}

static uint32_t local_group(struct builder *b, uint32_t n)
{
	struct group *g = &b->table->groups[n];

	if (g->mark != b->mark) {
		g->local = add_name(b, names_text(&b->table->names, n));
		g->mark = b->mark;
	}
	return g->local;
}

/* --- logs --- */

static void add_log(struct builder *b, uint32_t n, int32_t partition, const struct topic_log *log)
{
	make_room(b, ROW_BYTES);
	b->logs[b->batch.log_count++] = (struct wire_log_row){
		.topic = local_topic(b, n),
		.partition = partition,
		.start = log->start,
		.end = log->end,
		.stable = log->stable,
		.epoch = WIRE_UNKNOWN,
	};
}

static void add_logs(struct builder *b)
{
	const struct topics *topics = &b->table->topics;

	for (uint32_t n = 0; n < topics->names.count; n++) {
		const struct topic *it = &topics->items[n];
		if (names_text(&topics->names, n) == NULL || it->hidden)
			continue;
		if (it->gone && !b->pass->full) {
			make_room(b, ROW_BYTES);
			b->gone_topics[b->batch.gone_topic_count++] = local_topic(b, n);
		}
		for (int32_t p = 0; p < it->log_count; p++) {
			if (b->pass->full || it->logs[p].unsent)
				add_log(b, n, p, &it->logs[p]);
		}
	}
}

/* --- commits --- */

static void add_commit(struct builder *b, const struct commit *e)
{
	make_room(b, ROW_BYTES);
	uint32_t group = local_group(b, e->group);
	uint32_t topic = local_topic(b, e->topic);

	if (!(e->flags & COMMIT_ALIVE)) {
		b->gone_commits[b->batch.gone_commit_count++] =
			(struct wire_gone_commit){group, topic, (int32_t)e->partition};
		return;
	}
	b->commits[b->batch.commit_count++] = (struct wire_commit_row){
		.group = group,
		.topic = topic,
		.partition = (int32_t)e->partition,
		.offset = e->offset,
		.time_ms = e->time_ms,
		.arrival_ms = e->arrival_ms,
	};
}

/* A full pass names what lives; what it does not name is gone. */
static void add_commits(struct builder *b)
{
	const struct commits *c = &b->table->commits;
	uint32_t count = 0;
	CLEANUP(mem_free)
	uint32_t *order = commits_sorted(c, b->pass->full ? COMMIT_ALIVE : COMMIT_UNSENT, &count);

	for (uint32_t i = 0; i < count; i++)
		add_commit(b, commits_at(c, order[i]));
}

/* --- groups --- */

/* The number of a topic that a member names; NAMES_NONE if it is not to be told. */
static uint32_t topic_named(const struct builder *b, const char *name)
{
	const struct topics *t = &b->table->topics;
	uint32_t n = names_find(&t->names, name, strlen(name));

	return n == NAMES_NONE || t->items[n].hidden ? NAMES_NONE : n;
}

static uint32_t topic_assigned(const struct builder *b, const struct members_assigned *a)
{
	struct topics *t = &b->table->topics;

	if (a->topic_id == NULL)
		return topic_named(b, a->topic);
	uint32_t n = topics_by_id(t, a->topic_id);
	return n == NAMES_NONE || t->items[n].hidden ? NAMES_NONE : n;
}

/* Whether the topic is unknown, rather than hidden: it may be known later. */
static bool is_news(const struct builder *b, const struct members_assigned *a)
{
	struct topics *t = &b->table->topics;

	return a->topic_id != NULL
		       ? topics_by_id(t, a->topic_id) == NAMES_NONE
		       : names_find(&t->names, a->topic, strlen(a->topic)) == NAMES_NONE;
}

/* A topic in a member costs a name at most; when there is no room for that it is left out, which
 * only a group of thousands of topics can bring about. */
static bool name_fits(const struct builder *b)
{
	return b->batch.name_count < NAMES_MAX_BATCH;
}

static size_t count_topics(const struct member *m)
{
	size_t n = 0;

	for (const char *s = members_about(m).subscribed; s != NULL; s = members_next_topic(s))
		n++;
	return n;
}

static void add_subscribed(struct builder *b, const struct member *m, struct wire_member *w)
{
	uint32_t *topics = arena_alloc(&b->arena, (count_topics(m) + 1) * sizeof(*topics));
	if (topics == NULL)
		return;

	for (const char *s = members_about(m).subscribed; s != NULL; s = members_next_topic(s)) {
		uint32_t n = topic_named(b, s);
		if (n != NAMES_NONE && name_fits(b))
			topics[w->subscribed_count++] = local_topic(b, n);
	}
	w->subscribed = topics;
}

static size_t count_partitions(const struct member *m)
{
	struct members_assigned a;
	size_t total = 0;

	for (size_t at = 0; members_next_assigned(m, &at, &a);)
		total += a.count;
	return total;
}

static void add_topic_partitions(struct builder *b, const struct members_assigned *a,
				 struct wire_partition *to, struct wire_member *w)
{
	uint32_t n = topic_assigned(b, a);
	if (n == NAMES_NONE || a->count == 0 || !name_fits(b))
		return;

	uint32_t local = local_topic(b, n);
	for (uint32_t i = 0; i < a->count; i++) {
		int32_t partition = (int32_t)get_be32(a->partitions + (size_t)i * 4);
		if (partition >= 0 && partition <= WIRE_PARTITION_MAX)
			to[w->assigned_count++] = (struct wire_partition){local, partition};
	}
}

static void add_assigned(struct builder *b, struct group *g, const struct member *m,
			 struct wire_member *w)
{
	struct wire_partition *to = arena_alloc(&b->arena, (count_partitions(m) + 1) * sizeof(*to));
	if (to == NULL)
		return;

	struct members_assigned a;
	for (size_t at = 0; members_next_assigned(m, &at, &a);) {
		g->waiting |= is_news(b, &a);
		add_topic_partitions(b, &a, to, w);
	}
	w->assigned = to;
}

/* Bytes that a member takes encoded, at most: names of topics are numbers there. */
static size_t member_bytes(const struct member *m)
{
	struct members_about a = members_about(m);

	return strlen(a.id) + strlen(a.client_id) + strlen(a.host) + 32 + 3 * count_topics(m) +
	       6 * count_partitions(m);
}

static void add_members(struct builder *b, struct group *g, struct wire_group *w)
{
	struct wire_member *to = arena_alloc(&b->arena, (g->members.count + 1) * sizeof(*to));
	size_t bytes = 0;

	for (uint32_t i = 0; to != NULL && i < g->members.count; i++) {
		const struct member *m = g->members.items[i];
		struct members_about a = members_about(m);
		bytes += member_bytes(m);
		if (bytes > GROUP_BYTES_MAX)
			break;
		to[i] = (struct wire_member){.id = a.id, .client_id = a.client_id, .host = a.host};
		add_subscribed(b, m, &to[i]);
		add_assigned(b, g, m, &to[i]);
		w->member_count++;
	}
	w->members = to;
	b->table->skipped += g->members.count - w->member_count;
}

static size_t group_bytes(const struct group *g)
{
	size_t bytes = 16;

	for (uint32_t i = 0; i < g->members.count; i++)
		bytes += member_bytes(g->members.items[i]);
	return MIN(bytes, (size_t)GROUP_BYTES_MAX);
}

static void add_group(struct builder *b, uint32_t n)
{
	struct group *g = &b->table->groups[n];
	struct wire_group w = {
		.protocol = g->protocol, .state = g->state, .generation = g->generation};

	make_room(b, group_bytes(g));
	w.name = local_group(b, n);
	g->waiting = false;
	add_members(b, g, &w);
	b->groups[b->batch.group_count++] = w;
}

static void add_groups(struct builder *b)
{
	const struct table *t = b->table;

	for (uint32_t n = 0; n < t->names.count; n++) {
		const struct group *g = &t->groups[n];
		if (names_text(&t->names, n) == NULL || g->hidden)
			continue;
		if (!g->gone && (g->unsent || b->pass->full)) {
			add_group(b, n);
		} else if (g->gone && g->unsent && !b->pass->full) {
			make_room(b, ROW_BYTES);
			b->gone_groups[b->batch.gone_group_count++] = local_group(b, n);
		}
	}
}

/* --- what was read where it was asked for --- */

static void add_answers(struct builder *b)
{
	for (size_t i = 0; i < b->pass->answer_count; i++) {
		const struct probe_answer *a = &b->pass->answers[i];
		uint32_t n = topic_named(b, a->topic);

		if (n == NAMES_NONE)
			continue;
		make_room(b, ANSWER_BYTES);
		b->answers[b->batch.probe_count++] = (struct wire_probe_row){
			.topic = local_topic(b, n),
			.partition = a->partition,
			.offset = a->offset,
			.end = a->end,
			.answer = a->answer,
			.time_ms = a->time_ms,
		};
	}
}

/* Names of an earlier pass carry its marks: begin where no mark has been. */
static uint32_t highest_mark(const struct table *t)
{
	uint32_t mark = 0;

	for (uint32_t n = 0; n < t->names.count; n++)
		mark = MAX(mark, t->groups[n].mark);
	for (uint32_t n = 0; n < t->topics.names.count; n++)
		mark = MAX(mark, t->topics.items[n].mark);
	return mark;
}

void pass_build(struct table *t, const struct pass *p,
		void (*emit)(void *arg, const void *body, size_t size), void *arg)
{
	struct builder *b = mem_resize(NULL, 1, sizeof(*b));

	table_wake_waiting(t);
	b->table = t;
	b->pass = p;
	b->emit = emit;
	b->arg = arg;
	b->mark = highest_mark(t);
	b->first = true;
	b->out = (struct buf){0};
	arena_init(&b->arena, ARENA_BYTES);
	begin(b);
	add_logs(b);
	add_commits(b);
	add_groups(b);
	add_answers(b);
	flush(b, true);
	arena_free(&b->arena);
	buf_free(&b->out);
	free(b);
}

void pass_report(const struct pass *p, void (*emit)(void *arg, const void *body, size_t size),
		 void *arg)
{
	CLEANUP(buf_free) struct buf out = {0};
	struct wire_batch batch;

	fill_head(&batch, p);
	batch.pass = 0;
	batch.flags = 0;
	encode(&out, &batch);
	emit(arg, out.data, out.size);
}
