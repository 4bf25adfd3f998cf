/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/topics.h"

#include "common/err.h"
#include "common/glob.h"
#include "common/mem.h"
#include "proto/wire.h"

static const uint8_t NO_ID[16];

void topics_init(struct topics *t, const struct agent_filter *rules)
{
	*t = (struct topics){.rules = rules};
}

void topics_free(struct topics *t)
{
	for (uint32_t n = 0; n < t->names.count; n++)
		free(t->items[n].logs);
	free(t->items);
	free(t->by_id);
	names_free(&t->names);
	*t = (struct topics){0};
}

static bool excluded(const struct topics *t, const char *name)
{
	const struct agent_filter *f = t->rules;

	if (strcmp(name, TOPICS_OFFSETS) == 0)
		return true;
	return f != NULL &&
	       !glob_allowed(f->allow.items, f->allow.count, f->deny.items, f->deny.count, name);
}

static bool name_ok(const char *name, size_t size)
{
	return size > 0 && size <= WIRE_TOPIC_MAX && memchr(name, '\0', size) == NULL;
}

/* Room for the number, whose name has just been added. */
static struct topic *fill(struct topics *t, uint32_t n)
{
	t->items = mem_reach(t->items, &t->cap, n, sizeof(*t->items));
	t->items[n] =
		(struct topic){.hidden = excluded(t, names_text(&t->names, n)), .unsaved = true};
	t->news++;
	return &t->items[n];
}

uint32_t topics_intern(struct topics *t, const char *name, size_t size)
{
	if (!name_ok(name, size))
		return NAMES_NONE;
	uint32_t n = names_find(&t->names, name, size);
	if (n != NAMES_NONE)
		return n;
	n = names_add(&t->names, name, size);
	fill(t, n);
	return n;
}

bool topics_restore(struct topics *t, uint32_t n, const char *name, size_t size,
		    const uint8_t id[static 16])
{
	if (!name_ok(name, size) || n > NAMES_MAX || names_text(&t->names, n) != NULL ||
	    names_find(&t->names, name, size) != NAMES_NONE)
		return false;
	names_add_at(&t->names, n, name, size);
	fill(t, n);
	topics_set_id(t, n, id);
	t->items[n].unsaved = false;
	return true;
}

void topics_set_id(struct topics *t, uint32_t n, const uint8_t id[static 16])
{
	struct topic *it = &t->items[n];

	if (memcmp(it->id, id, sizeof(it->id)) == 0)
		return;
	memcpy(it->id, id, sizeof(it->id));
	it->unsaved = true;
	t->by_id_stale = true;
	t->news++;
}

static int by_id(const void *a, const void *b, void *arg)
{
	const struct topics *t = arg;
	const uint32_t *x = a;
	const uint32_t *y = b;
	return memcmp(t->items[*x].id, t->items[*y].id, 16);
}

static bool has_id(const struct topics *t, uint32_t n)
{
	return names_text(&t->names, n) != NULL && memcmp(t->items[n].id, NO_ID, 16) != 0;
}

static void sort_ids(struct topics *t)
{
	t->by_id = mem_resize(t->by_id, t->names.count, sizeof(*t->by_id));
	t->by_id_count = 0;
	for (uint32_t n = 0; n < t->names.count; n++) {
		if (has_id(t, n))
			t->by_id[t->by_id_count++] = n;
	}
	qsort_r(t->by_id, t->by_id_count, sizeof(*t->by_id), by_id, t);
	t->by_id_stale = false;
}

uint32_t topics_by_id(struct topics *t, const uint8_t id[static 16])
{
	if (t->by_id_stale)
		sort_ids(t);

	uint32_t low = 0;
	uint32_t high = t->by_id_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = memcmp(t->items[t->by_id[mid]].id, id, 16);
		if (order == 0)
			return t->by_id[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NAMES_NONE;
}

static void resize(struct topics *t, struct topic *it, int32_t count)
{
	if (count == it->log_count)
		return;
	if (count < it->log_count)
		t->shrunk = true;
	it->logs = mem_resize(it->logs, (size_t)count, sizeof(*it->logs));
	for (int32_t p = it->log_count; p < count; p++)
		it->logs[p] =
			(struct topic_log){.start = -1, .end = -1, .stable = -1, .leader = -1};
	it->log_count = count;
}

static void update_one(struct topics *t, const struct kafka_topic *k)
{
	uint32_t n = topics_intern(t, k->name, strlen(k->name));
	if (n == NAMES_NONE)
		return;

	struct topic *it = &t->items[n];
	it->listed = true;
	it->gone = false;
	if (it->hidden || (k->err != ERR_OK && k->partition_count < it->log_count))
		return;
	resize(t, it, MIN(k->partition_count, WIRE_PARTITION_MAX));
	for (int32_t p = 0; p < it->log_count; p++)
		it->logs[p].leader = k->partitions[p].leader;
}

static void unlist(struct topic *it)
{
	free(it->logs);
	it->logs = NULL;
	it->log_count = 0;
	it->gone = !it->hidden;
	it->unsaved = true;
	memset(it->id, 0, sizeof(it->id));
}

void topics_update(struct topics *t, const struct kafka_topics *listed)
{
	uint32_t known = t->names.count;

	for (uint32_t n = 0; n < known; n++) {
		t->items[n].before = t->items[n].listed;
		t->items[n].listed = false;
	}
	for (size_t i = 0; i < listed->count; i++)
		update_one(t, &listed->topics[i]);
	for (uint32_t n = 0; n < known; n++) {
		if (!t->items[n].before || t->items[n].listed)
			continue;
		unlist(&t->items[n]);
		t->by_id_stale = true;
	}
}

static bool asked(const struct topics *t, uint32_t n)
{
	return names_text(&t->names, n) != NULL && t->items[n].listed && !t->items[n].hidden;
}

size_t topics_ranges(const struct topics *t, size_t extra, struct kafka_range **ret_ranges)
{
	size_t total = 0;
	for (uint32_t n = 0; n < t->names.count; n++)
		total += asked(t, n) ? (size_t)t->items[n].log_count : 0;

	struct kafka_range *ranges = mem_resize(NULL, total + extra, sizeof(*ranges));
	size_t i = 0;
	for (uint32_t n = 0; n < t->names.count; n++) {
		const struct topic *it = &t->items[n];
		for (int32_t p = 0; asked(t, n) && p < it->log_count; p++)
			ranges[i++] = (struct kafka_range){.topic = names_text(&t->names, n),
							   .partition = p,
							   .leader = it->logs[p].leader,
							   .start = -1,
							   .end = -1};
	}
	*ret_ranges = ranges;
	return total;
}

static void answer(struct topic_log *log, const struct kafka_range *r)
{
	int64_t start = r->err == ERR_OK ? r->start : WIRE_UNKNOWN;
	int64_t end = r->err == ERR_OK ? r->end : WIRE_UNKNOWN;

	if (log->start == start && log->end == end)
		return;
	log->start = start;
	log->end = end;
	log->unsent = true;
}

void topics_answers(struct topics *t, const struct kafka_range *ranges, size_t count)
{
	size_t i = 0;

	for (uint32_t n = 0; n < t->names.count; n++) {
		struct topic *it = &t->items[n];
		for (int32_t p = 0; asked(t, n) && p < it->log_count && i < count; p++)
			answer(&it->logs[p], &ranges[i++]);
	}
}

struct topic_log *topics_log(struct topics *t, const char *name, int32_t partition)
{
	uint32_t n = names_find(&t->names, name, strlen(name));

	if (n == NAMES_NONE || !asked(t, n) || partition < 0 || partition >= t->items[n].log_count)
		return NULL;
	return &t->items[n].logs[partition];
}

void topics_stable(struct topic_log *log, int64_t stable)
{
	log->unsent |= log->stable != stable;
	log->stable = stable;
}

void topics_remove(struct topics *t, uint32_t n)
{
	free(t->items[n].logs);
	t->items[n] = (struct topic){0};
	names_remove(&t->names, n);
	t->by_id_stale = true;
}
