/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_kept.h"

#include "common/mem.h"

struct metrics_kept_cluster {
	uint32_t id;
	uint64_t edits;
	struct metrics_sheet *sheets[METRICS_FORMS]; /* NULL: none */
};

static void drop(struct metrics_kept *k, struct metrics_sheet **sheet)
{
	if (*sheet != NULL)
		k->bytes -= (*sheet)->bytes.size;
	metrics_sheet_free(sheet);
}

static void drop_cluster(struct metrics_kept *k, struct metrics_kept_cluster *c)
{
	for (size_t form = 0; form < METRICS_FORMS; form++)
		drop(k, &c->sheets[form]);
}

void metrics_kept_free(struct metrics_kept *k)
{
	for (size_t i = 0; i < k->count; i++)
		drop_cluster(k, &k->clusters[i]);
	free(k->clusters);
	*k = (struct metrics_kept){.clusters = NULL};
}

static struct metrics_kept_cluster *find(const struct metrics_kept *k, uint32_t id)
{
	for (size_t i = 0; i < k->count; i++) {
		if (k->clusters[i].id == id)
			return &k->clusters[i];
	}
	return NULL;
}

static struct metrics_kept_cluster *find_or_add(struct metrics_kept *k, uint32_t id)
{
	struct metrics_kept_cluster *c = find(k, id);

	if (c != NULL)
		return c;
	k->clusters = mem_grow(k->clusters, k->count, &k->cap, sizeof(*k->clusters));
	k->clusters[k->count] = (struct metrics_kept_cluster){.id = id};
	return &k->clusters[k->count++];
}

const struct metrics_sheet *metrics_kept_get(const struct metrics_kept *k, const struct view *v,
					     enum metrics_form form)
{
	const struct metrics_kept_cluster *c = find(k, v->cluster_id);
	const struct metrics_sheet *sheet = c != NULL ? c->sheets[form] : NULL;

	if (sheet == NULL || (sheet->serial != v->serial && sheet->pass == v->pass))
		return NULL;
	return sheet;
}

struct metrics_kept_state metrics_kept_state(struct metrics_kept *k, const struct view *v,
					     enum metrics_form form)
{
	const struct metrics_kept_cluster *c = find_or_add(k, v->cluster_id);
	const struct metrics_sheet *sheet = c->sheets[form];

	return (struct metrics_kept_state){
		.fresh = sheet != NULL && sheet->serial == v->serial,
		.edits = c->edits,
	};
}

void metrics_kept_put(struct metrics_kept *k, uint32_t cluster_id, enum metrics_form form,
		      struct metrics_sheet *sheet)
{
	struct metrics_kept_cluster *c = find_or_add(k, cluster_id);

	drop(k, &c->sheets[form]);
	c->sheets[form] = sheet;
	c->edits++;
	if (sheet != NULL)
		k->bytes += sheet->bytes.size;
}

void metrics_kept_forget(struct metrics_kept *k, uint32_t cluster_id)
{
	struct metrics_kept_cluster *c = find(k, cluster_id);

	if (c == NULL)
		return;
	drop_cluster(k, c);
	c->edits++;
}

void metrics_kept_drop(struct metrics_kept *k, enum metrics_form form)
{
	for (size_t i = 0; i < k->count; i++)
		drop(k, &k->clusters[i].sheets[form]);
}

static bool has(struct view *const *views, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (views[i]->cluster_id == id)
			return true;
	}
	return false;
}

void metrics_kept_prune(struct metrics_kept *k, struct view *const *views, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < k->count; i++) {
		if (has(views, count, k->clusters[i].id))
			k->clusters[left++] = k->clusters[i];
		else
			drop_cluster(k, &k->clusters[i]);
	}
	k->count = left;
}
