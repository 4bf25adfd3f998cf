/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/census.h"

#include <stdlib.h>

#include "common/mem.h"

void census_begin(struct census *c, uint64_t pass)
{
	census_end(c);
	c->open = true;
	c->pass = pass;
}

void census_add(struct census_set *s, uint32_t group, uint32_t topic, int32_t partition)
{
	s->places = mem_grow(s->places, s->count, &s->cap, sizeof(*s->places));
	s->places[s->count++] = (struct census_place){group, topic, partition};
}

static int compare(const void *a, const void *b)
{
	const struct census_place *x = a;
	const struct census_place *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->topic != y->topic)
		return x->topic < y->topic ? -1 : 1;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

static void sort(struct census_set *s)
{
	if (s->count > 1)
		qsort(s->places, s->count, sizeof(*s->places), compare);
}

void census_sort(struct census *c)
{
	sort(&c->commits);
	sort(&c->logs);
	sort(&c->groups);
}

bool census_has(const struct census_set *s, uint32_t group, uint32_t topic, int32_t partition)
{
	struct census_place want = {group, topic, partition};

	return s->count != 0 &&
	       bsearch(&want, s->places, s->count, sizeof(*s->places), compare) != NULL;
}

void census_end(struct census *c)
{
	free(c->commits.places);
	free(c->logs.places);
	free(c->groups.places);
	*c = (struct census){0};
}
