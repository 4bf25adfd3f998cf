/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/view.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/mem.h"

#define BLOCK_BYTES ((size_t)64 * 1024)

/* Memory handed out from its front, and never given back singly. */
struct block {
	struct block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

struct view_memory {
	struct block *blocks; /* the one in use first */
	/* A view made by board_drop_group() shares the names and partitions of the published view
	 * that it came from, and owns its own list of groups. */
	struct view *base; /* referenced; NULL for a published view */
	uint32_t *cut;     /* numbers of the groups whose partitions are in this view's memory */
	size_t cut_count;
};

struct board {
	pthread_mutex_t mtx;
	struct view **views; /* under mtx; by cluster name and environment, each referenced */
	size_t count, cap;   /* under mtx */
	atomic_uint_fast64_t serial;
};

static atomic_uint_fast64_t last_serial;

/* --- memory --- */

struct view *view_new(void)
{
	struct view *v = calloc(1, sizeof(*v));
	struct view_memory *m = calloc(1, sizeof(*m));

	if (v == NULL || m == NULL) {
		free(v);
		free(m);
		return NULL;
	}
	v->memory = m;
	v->cluster = v->environment = v->servers = "";
	v->agent = (struct view_agent){.name = "", .software = "", .problem = "", .source = ""};
	v->serial = atomic_fetch_add(&last_serial, 1) + 1;
	atomic_init(&v->refs, 1);
	return v;
}

static void *take(struct view *v, size_t size)
{
	struct view_memory *m = v->memory;
	const size_t align = _Alignof(max_align_t);

	assert(size <= SIZE_MAX / 2);
	size = (MAX(size, (size_t)1) + align - 1) / align * align;
	if (m->blocks == NULL || m->blocks->size - m->blocks->used < size) {
		size_t room = MAX(size, BLOCK_BYTES);
		struct block *b = mem_resize(NULL, sizeof(*b) + room, 1);

		*b = (struct block){.size = room, .next = m->blocks};
		m->blocks = b;
	}
	void *p = m->blocks->data + m->blocks->used;
	m->blocks->used += size;
	return p;
}

void *view_alloc(struct view *v, size_t size)
{
	return memset(take(v, size), 0, size);
}

void *view_copy(struct view *v, const void *data, size_t size)
{
	return memcpy(take(v, size), data, size);
}

const char *view_strdup(struct view *v, const char *s)
{
	return view_copy(v, s, strlen(s) + 1);
}

struct view *view_ref(struct view *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void view_unref(struct view **v)
{
	struct view *gone = *v;

	*v = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->refs, 1) != 1)
		return;
	for (struct block *b = gone->memory->blocks; b != NULL;) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
	view_unref(&gone->memory->base);
	free(gone->memory);
	free(gone);
}

/* --- finding --- */

static int by_group_name(const void *name, const void *group)
{
	return strcmp(name, ((const struct view_group *)group)->name);
}

const struct view_group *view_find_group(const struct view *v, const char *name)
{
	if (v->group_count == 0)
		return NULL;
	return bsearch(name, v->groups, v->group_count, sizeof(*v->groups), by_group_name);
}

static int by_topic_name(const void *name, const void *topic)
{
	return strcmp(name, ((const struct view_topic *)topic)->name);
}

const struct view_topic *view_find_topic(const struct view *v, const char *name)
{
	if (v->topic_count == 0)
		return NULL;
	return bsearch(name, v->topics, v->topic_count, sizeof(*v->topics), by_topic_name);
}

size_t view_group_topic(const struct view_group *g, const char *topic, size_t *ret_first)
{
	size_t low = 0, high = g->partition_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(g->partitions[mid].topic, topic) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	size_t end = low;
	while (end < g->partition_count && strcmp(g->partitions[end].topic, topic) == 0)
		end++;
	*ret_first = low;
	return end - low;
}

/* --- sums --- */

/* Messages that wait without an estimate make the group's unknown. */
static int64_t later_eta(int64_t eta_ms, const struct view_partition *p)
{
	if (p->lag <= 0 || eta_ms < 0)
		return eta_ms;
	return p->eta_ms < 0 ? VIEW_UNKNOWN : MAX(eta_ms, p->eta_ms);
}

static void add_partition(struct view_group *g, size_t i)
{
	const struct view_partition *p = &g->partitions[i];

	if (p->lag > 0)
		g->total_lag += (uint64_t)p->lag;
	if (p->lag > g->partitions[g->max_lag].lag)
		g->max_lag = i;
	if (p->time_lag_ms > g->time_lag_ms) {
		g->time_lag_ms = p->time_lag_ms;
		g->time_lag_at_least = p->time_lag_at_least;
	}
	if (p->margin_ms >= 0 && (g->margin_ms < 0 || p->margin_ms < g->margin_ms)) {
		g->margin_ms = p->margin_ms;
		g->margin_at_least = p->margin_at_least;
	}
	g->eta_ms = later_eta(g->eta_ms, p);
	g->lost += p->lost;
}

void view_sum_group(struct view_group *g)
{
	enum status worst = STATUS_NOTFOUND;
	size_t complete = 0;

	g->total_lag = 0;
	g->lost = g->eta_ms = 0;
	g->max_lag = g->worst = g->bad_count = g->unknown_count = 0;
	g->time_lag_ms = g->margin_ms = VIEW_UNKNOWN;
	g->time_lag_at_least = g->margin_at_least = false;
	g->reason = REASON_NONE;
	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];

		add_partition(g, i);
		complete += p->complete >= 1.0F;
		g->unknown_count += p->lag < 0;
		g->bad_count += p->counted && p->status > STATUS_OK;
		if (p->counted && p->status > worst) {
			worst = p->status;
			g->worst = i;
			g->reason = p->reason;
		}
	}
	g->status = status_of_group(MAX(worst, STATUS_OK));
	g->complete = g->partition_count > 0 ? (float)complete / (float)g->partition_count : 0;
}

/* --- views with something taken out --- */

/* Give g its own copy of its partitions in v's memory, without count of them from first on. */
static void cut_partitions(struct view *v, struct view_group *g, size_t first, size_t count)
{
	size_t left = g->partition_count - count;
	struct view_partition *p = view_alloc(v, left * sizeof(*p));

	for (size_t i = 0; i < left; i++)
		p[i] = g->partitions[i < first ? i : i + count];
	g->partitions = p;
	g->partition_count = left;
}

static bool was_cut(const struct view *v, uint32_t group_id)
{
	for (size_t i = 0; i < v->memory->cut_count; i++) {
		if (v->memory->cut[i] == group_id)
			return true;
	}
	return false;
}

/* A copy of old that shares what old borrowed from the published view, lists its groups itself,
 * and has room in its list of cut groups for one more. */
static struct view *derive(struct view *old, struct view_group **ret_groups)
{
	struct view *v = view_new();

	if (v == NULL)
		abort();
	struct view_memory *m = v->memory;
	uint64_t serial = v->serial;
	/* What comes from memory on is each view's own; others may be counting references. */
	memcpy(v, old, offsetof(struct view, memory));
	v->serial = serial;
	m->base = view_ref(old->memory->base != NULL ? old->memory->base : old);

	struct view_group *groups = view_alloc(v, old->group_count * sizeof(*groups));
	if (old->group_count > 0)
		memcpy(groups, old->groups, old->group_count * sizeof(*groups));
	m->cut = view_alloc(v, (old->memory->cut_count + 1) * sizeof(*m->cut));
	for (size_t i = 0; i < old->group_count; i++) {
		if (was_cut(old, groups[i].id)) {
			cut_partitions(v, &groups[i], 0, 0);
			m->cut[m->cut_count++] = groups[i].id;
		}
	}
	v->groups = groups;
	*ret_groups = groups;
	return v;
}

/* old without the group at an index, or without one topic of it. */
static struct view *without(struct view *old, size_t at, const char *topic)
{
	size_t first = 0;
	size_t count = old->groups[at].partition_count;

	if (topic != NULL) {
		size_t of_topic = view_group_topic(&old->groups[at], topic, &first);

		if (of_topic == 0)
			return NULL;
		/* A group that has no topic left is gone, as it is in Burrow. */
		if (of_topic == count)
			topic = NULL;
		count = of_topic;
	}

	struct view_group *groups = NULL;
	struct view *v = derive(old, &groups);
	if (topic == NULL) {
		v->group_count--;
		memmove(groups + at, groups + at + 1, (v->group_count - at) * sizeof(*groups));
		return v;
	}
	cut_partitions(v, &groups[at], first, count);
	view_sum_group(&groups[at]);
	if (!was_cut(v, groups[at].id))
		v->memory->cut[v->memory->cut_count++] = groups[at].id;
	return v;
}

/* --- the board --- */

struct board *board_new(void)
{
	struct board *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	pthread_mutex_init(&b->mtx, NULL);
	atomic_init(&b->serial, 0);
	return b;
}

void board_free(struct board **b)
{
	struct board *gone = *b;

	*b = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		view_unref(&gone->views[i]);
	free(gone->views);
	pthread_mutex_destroy(&gone->mtx);
	free(gone);
}

/* Index of the cluster's view, or b->count. Under mtx. */
static size_t find_id(const struct board *b, uint32_t cluster_id)
{
	size_t i = 0;

	while (i < b->count && b->views[i]->cluster_id != cluster_id)
		i++;
	return i;
}

/* The reference is the caller's, to be given back when the lock is not held. */
static struct view *take_down(struct board *b, uint32_t cluster_id)
{
	size_t at = find_id(b, cluster_id);

	if (at == b->count)
		return NULL;
	struct view *v = b->views[at];
	b->count--;
	memmove(b->views + at, b->views + at + 1, (b->count - at) * sizeof(struct view *));
	atomic_fetch_add(&b->serial, 1);
	return v;
}

/* Of clusters of one name it must not depend on the last pass which comes first. */
static int compare(const struct view *a, const struct view *b)
{
	int order = strcmp(a->cluster, b->cluster);

	return order != 0 ? order : strcmp(a->environment, b->environment);
}

static void hang_up(struct board *b, struct view *v)
{
	b->views = mem_grow(b->views, b->count, &b->cap, sizeof(struct view *));
	size_t at = b->count++;
	while (at > 0 && compare(b->views[at - 1], v) > 0) {
		b->views[at] = b->views[at - 1];
		at--;
	}
	b->views[at] = v;
}

void board_publish(struct board *b, struct view *v)
{
	pthread_mutex_lock(&b->mtx);
	struct view *old = take_down(b, v->cluster_id);
	hang_up(b, v);
	atomic_fetch_add(&b->serial, 1);
	pthread_mutex_unlock(&b->mtx);
	view_unref(&old);
}

void board_remove(struct board *b, uint32_t cluster_id)
{
	pthread_mutex_lock(&b->mtx);
	struct view *old = take_down(b, cluster_id);
	pthread_mutex_unlock(&b->mtx);
	view_unref(&old);
}

void board_drop_group(struct board *b, uint32_t cluster_id, uint32_t group_id, const char *topic)
{
	pthread_mutex_lock(&b->mtx);
	size_t at = find_id(b, cluster_id);
	struct view *old = at < b->count ? b->views[at] : NULL;
	for (size_t i = 0; old != NULL && i < old->group_count; i++) {
		if (old->groups[i].id != group_id)
			continue;
		struct view *v = without(old, i, topic);

		if (v != NULL) {
			b->views[at] = v;
			view_unref(&old);
			atomic_fetch_add(&b->serial, 1);
		}
		break;
	}
	pthread_mutex_unlock(&b->mtx);
}

/* The view whose cluster has this name; else the only one that differs in letter case alone: with
 * two of these nobody can say which is meant. Under mtx. */
static struct view *find_name(const struct board *b, const char *cluster)
{
	struct view *alike = NULL;
	size_t count = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (strcasecmp(b->views[i]->cluster, cluster) != 0)
			continue;
		if (strcmp(b->views[i]->cluster, cluster) == 0)
			return b->views[i];
		alike = b->views[i];
		count++;
	}
	return count == 1 ? alike : NULL;
}

struct view *board_get(struct board *b, const char *cluster)
{
	pthread_mutex_lock(&b->mtx);
	struct view *v = find_name(b, cluster);
	if (v != NULL)
		view_ref(v);
	pthread_mutex_unlock(&b->mtx);
	return v;
}

size_t board_all(struct board *b, struct view ***ret_views)
{
	pthread_mutex_lock(&b->mtx);
	size_t count = b->count;
	struct view **views = mem_zeroed(count, sizeof(struct view *));
	for (size_t i = 0; i < count; i++)
		views[i] = view_ref(b->views[i]);
	pthread_mutex_unlock(&b->mtx);
	*ret_views = views;
	return count;
}

uint64_t board_serial(struct board *b)
{
	return atomic_load(&b->serial);
}
