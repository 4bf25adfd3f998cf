/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* The event of a cluster that the next of its kind replaces. */
struct latest {
	uint32_t cluster_id;
	uint64_t number;
};

struct ring {
	struct ring_event events[RING_EVENTS]; /* all texts of one are one piece of memory */
	uint64_t first, end;
	size_t bytes;
	int64_t since_ms; /* all that happened since is here, but for what was replaced */
	struct latest *latest;
	size_t latest_count;
};

struct ring *ring_new(void)
{
	struct ring *r = mem_zeroed(1, sizeof(*r));

	r->first = r->end = 1;
	return r;
}

static struct ring_event *slot(const struct ring *r, uint64_t number)
{
	return (struct ring_event *)(uintptr_t)&r->events[number % RING_EVENTS];
}

static size_t names_size(const struct ring_event *e)
{
	return strlen(e->environment) + strlen(e->cluster) + strlen(e->group) + 3;
}

/* Its place stays, so that the numbers of the others do. */
static void empty(struct ring *r, struct ring_event *e)
{
	if (e->text == NULL)
		return;
	r->bytes -= names_size(e) + e->size;
	free((void *)(uintptr_t)e->environment);
	*e = (struct ring_event){.at_ms = e->at_ms};
}

static void drop_oldest(struct ring *r)
{
	struct ring_event *e = slot(r, r->first++);

	if (e->text != NULL && e->at_ms >= r->since_ms)
		r->since_ms = e->at_ms + 1;
	empty(r, e);
}

void ring_free(struct ring **r)
{
	struct ring *gone = *r;

	*r = NULL;
	if (gone == NULL)
		return;
	while (gone->first != gone->end)
		drop_oldest(gone);
	free(gone->latest);
	free(gone);
}

uint64_t ring_first(const struct ring *r)
{
	return r->first;
}

uint64_t ring_end(const struct ring *r)
{
	return r->end;
}

const struct ring_event *ring_at(const struct ring *r, uint64_t number)
{
	assert(number >= r->first && number < r->end);
	return slot(r, number);
}

static const char *put(char **at, const char *s, size_t size)
{
	char *start = *at;

	memcpy(start, s, size);
	*at += size;
	return start;
}

static struct ring_event copy(const struct ring_event *e)
{
	char *at = mem_resize(NULL, names_size(e) + e->size, 1);
	struct ring_event to = {.at_ms = e->at_ms, .size = e->size};
	to.environment = put(&at, e->environment, strlen(e->environment) + 1);
	to.cluster = put(&at, e->cluster, strlen(e->cluster) + 1);
	to.group = put(&at, e->group, strlen(e->group) + 1);
	to.text = put(&at, e->text, e->size);
	return to;
}

uint64_t ring_add(struct ring *r, const struct ring_event *e)
{
	size_t size = names_size(e) + e->size;

	while (r->end - r->first == RING_EVENTS ||
	       (r->end != r->first && r->bytes + size > RING_BYTES))
		drop_oldest(r);
	r->bytes += size;
	*slot(r, r->end) = copy(e);
	return r->end++;
}

/* The entry of a cluster: its own, or one whose event is no longer there. */
static struct latest *latest_of(struct ring *r, uint32_t cluster_id)
{
	struct latest *unused = NULL;

	for (size_t i = 0; i < r->latest_count; i++) {
		if (r->latest[i].cluster_id == cluster_id)
			return &r->latest[i];
		if (r->latest[i].number < r->first)
			unused = &r->latest[i];
	}
	if (unused != NULL) {
		unused->cluster_id = cluster_id;
		return unused;
	}
	r->latest = mem_resize(r->latest, r->latest_count + 1, sizeof(*r->latest));
	r->latest[r->latest_count] = (struct latest){.cluster_id = cluster_id};
	return &r->latest[r->latest_count++];
}

uint64_t ring_replace(struct ring *r, uint32_t cluster_id, const struct ring_event *e)
{
	struct latest *l = latest_of(r, cluster_id);

	if (l->number >= r->first)
		empty(r, slot(r, l->number));
	l->number = ring_add(r, e);
	return l->number;
}

void ring_begin_at(struct ring *r, int64_t since_ms)
{
	r->since_ms = MAX(r->since_ms, since_ms);
}

bool ring_find(const struct ring *r, int64_t told_ms, uint64_t *ret_number)
{
	uint64_t number = r->first;

	if (told_ms < r->since_ms - 1)
		return false;
	while (number != r->end && slot(r, number)->at_ms <= told_ms)
		number++;
	*ret_number = number;
	return true;
}
