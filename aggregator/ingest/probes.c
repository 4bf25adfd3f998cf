/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/probes.h"
#include "common/mem.h"

#include <stdlib.h>
#include <uthash.h>

/* An answer comes with the pass after the question, or with the next one. */
#define WAIT_INTERVALS 3
/* What lies before the end when the log has grown again is worth a question so soon. */
#define AGAIN_INTERVALS 2
#define UNKNOWN_MS INT64_C(60000) /* pause after an answer that says nothing, at first */
#define PAUSE_MAX_MS INT64_C(600000)
/* A record that was found may have been compacted away by then. */
#define KEEP_MS (3 * PAUSE_MAX_MS)

struct question {
	UT_hash_handle hh;
	struct probes_place place; /* the key: no padding */
	uint32_t generation;
	int64_t asked_ms;
	unsigned vain; /* times asked without an answer that says something */
	bool answered;
	struct probes_answer answer;
};

_Static_assert(sizeof(struct probes_place) == 16, "a key: no padding");

struct probes {
	struct question *asked; /* the least recently asked first */
	int64_t now_ms;
	int64_t interval_ms;
	size_t limit;
	size_t count;
	bool taken;
	struct probes_wish chosen[WIRE_PROBES_MAX]; /* the most urgent first */
};

struct probes *probes_new(void)
{
	struct probes *p = mem_zeroed(1, sizeof(*p));

	return p;
}

static void forget(struct probes *p, struct question *q)
{
	HASH_DEL(p->asked, q);
	free(q);
}

void probes_free(struct probes **p)
{
	if (*p == NULL)
		return;
	while ((*p)->asked != NULL)
		forget(*p, (*p)->asked);
	free(*p);
	*p = NULL;
}

void probes_begin(struct probes *p, int64_t now_ms, uint32_t interval_ms, size_t limit)
{
	p->now_ms = now_ms;
	p->interval_ms = interval_ms;
	p->limit = MIN(limit, (size_t)WIRE_PROBES_MAX);
	p->count = 0;
	p->taken = false;
	while (p->asked != NULL && now_ms - p->asked->asked_ms >= KEEP_MS)
		forget(p, p->asked);
}

static struct question *find(const struct probes *p, const struct probes_place *place)
{
	struct question *q = NULL;

	HASH_FIND(hh, p->asked, place, sizeof(*place), q);
	return q;
}

static int64_t pause_ms(const struct probes *p, const struct question *q)
{
	int64_t pause = WAIT_INTERVALS * p->interval_ms;

	if (q->answered)
		pause = MAX(pause, UNKNOWN_MS);
	return MIN(pause << MIN(q->vain - 1, 8u), MAX(PAUSE_MAX_MS, pause));
}

static bool may_ask(const struct probes *p, const struct probes_wish *wish)
{
	const struct question *q = find(p, &wish->place);

	if (q == NULL || q->generation != wish->generation)
		return true;
	int64_t age_ms = p->now_ms - q->asked_ms;
	if (q->answered && q->answer.answer == WIRE_PROBE_RECORD)
		return false;
	if (q->answered && q->answer.answer == WIRE_PROBE_NOTHING)
		return wish->end > q->answer.end && age_ms >= AGAIN_INTERVALS * p->interval_ms;
	return age_ms >= pause_ms(p, q);
}

static bool is_same(const struct probes_place *a, const struct probes_place *b)
{
	return a->topic == b->topic && a->partition == b->partition && a->offset == b->offset;
}

static bool is_more_urgent(const struct probes_wish *a, const struct probes_wish *b)
{
	return a->badness != b->badness ? a->badness > b->badness : a->waits_ms > b->waits_ms;
}

/* Two groups at one place are one wish, as urgent as the more urgent of the two. */
static bool merge(struct probes *p, const struct probes_wish *wish)
{
	for (size_t i = 0; i < p->count; i++) {
		struct probes_wish *have = &p->chosen[i];

		if (!is_same(&have->place, &wish->place))
			continue;
		if (!is_more_urgent(wish, have))
			return true;
		memmove(have, have + 1, (p->count - i - 1) * sizeof(*have));
		p->count--;
		return false;
	}
	return false;
}

void probes_wish(struct probes *p, const struct probes_wish *wish)
{
	bool full = p->count == p->limit;

	if (p->limit == 0 || (full && !is_more_urgent(wish, &p->chosen[p->count - 1])) ||
	    !may_ask(p, wish) || merge(p, wish))
		return;
	size_t at = MIN(p->count, p->limit - 1);
	for (; at > 0 && is_more_urgent(wish, &p->chosen[at - 1]); at--)
		p->chosen[at] = p->chosen[at - 1];
	p->chosen[at] = *wish;
	p->count = MIN(p->count + 1, p->limit);
}

/* Its place in the order of asking is the last. */
static void note_asked(struct probes *p, const struct probes_wish *wish)
{
	struct question *q = find(p, &wish->place);

	if (q == NULL) {
		q = mem_zeroed(1, sizeof(*q));
		q->place = wish->place;
	} else {
		HASH_DEL(p->asked, q);
	}
	if (q->answered && q->answer.answer != WIRE_PROBE_UNKNOWN)
		q->vain = 0;
	q->vain++;
	q->answered = false;
	q->asked_ms = p->now_ms;
	q->generation = wish->generation;
	HASH_ADD(hh, p->asked, place, sizeof(q->place), q);
}

size_t probes_take(struct probes *p, const struct probes_wish **ret_list)
{
	size_t count = p->taken ? 0 : p->count;

	p->taken = true;
	for (size_t i = 0; i < count; i++)
		note_asked(p, &p->chosen[i]);
	*ret_list = p->chosen;
	return count;
}

void probes_answer(struct probes *p, const struct probes_place *place,
		   const struct probes_answer *answer)
{
	struct question *q = find(p, place);

	if (q == NULL)
		return;
	q->answered = true;
	q->answer = *answer;
}

const struct probes_answer *probes_find(const struct probes *p, const struct probes_place *place,
					uint32_t generation)
{
	const struct question *q = find(p, place);

	return q != NULL && q->answered && q->generation == generation ? &q->answer : NULL;
}
