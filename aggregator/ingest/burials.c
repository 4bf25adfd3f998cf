/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/burials.h"
#include "common/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct burial {
	struct burial *next;
	uint32_t cluster, group;
	bool applied; /* in the transaction under way; the writer thread's */
	char *topic;  /* owned; NULL: the whole group */
};

/* Others add in front, the writer thread alone removes. */
struct burials {
	pthread_mutex_t lock;
	struct burial *first;
};

struct burials *burials_new(void)
{
	struct burials *b = mem_zeroed(1, sizeof(*b));

	pthread_mutex_init(&b->lock, NULL);
	return b;
}

static void free_one(struct burial *one)
{
	free(one->topic);
	free(one);
}

void burials_free(struct burials **b)
{
	if (*b == NULL)
		return;
	while ((*b)->first != NULL) {
		struct burial *one = (*b)->first;

		(*b)->first = one->next;
		free_one(one);
	}
	pthread_mutex_destroy(&(*b)->lock);
	free(*b);
	*b = NULL;
}

void burials_add(struct burials *b, uint32_t cluster, uint32_t group, const char *topic)
{
	struct burial *one = mem_zeroed(1, sizeof(*one));

	*one = (struct burial){.cluster = cluster, .group = group};
	if (topic != NULL) {
		one->topic = mem_copy(topic);
	}
	pthread_mutex_lock(&b->lock);
	one->next = b->first;
	b->first = one;
	pthread_mutex_unlock(&b->lock);
}

static struct burial *first_of(struct burials *b)
{
	pthread_mutex_lock(&b->lock);
	struct burial *first = b->first;
	pthread_mutex_unlock(&b->lock);
	return first;
}

void burials_apply(struct burials *b,
		   void (*bury)(void *arg, uint32_t cluster, uint32_t group, const char *topic),
		   void *arg)
{
	for (struct burial *one = first_of(b); one != NULL; one = one->next) {
		if (one->applied)
			continue;
		one->applied = true;
		bury(arg, one->cluster, one->group, one->topic);
	}
}

void burials_end(struct burials *b, bool committed)
{
	pthread_mutex_lock(&b->lock);
	for (struct burial **at = &b->first; *at != NULL;) {
		struct burial *one = *at;

		if (one->applied && committed) {
			*at = one->next;
			free_one(one);
			continue;
		}
		one->applied = false;
		at = &one->next;
	}
	pthread_mutex_unlock(&b->lock);
}

void burials_hide(struct burials *b, struct board *board)
{
	for (const struct burial *one = first_of(b); one != NULL; one = one->next)
		board_drop_group(board, one->cluster, one->group, one->topic);
}
