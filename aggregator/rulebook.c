/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/rulebook.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/rules_file.h"
#include "common/clock.h"
#include "common/err.h"

struct rulebook {
	char *path; /* "": none */
	struct rules_base base;
	pthread_mutex_t loading; /* held by the one that reloads, while it does */

	pthread_mutex_t lock;
	struct rulebook_state state; /* under lock */
};

int rulebook_open(const char *path, const struct rules_base *base, struct buf *errors,
		  struct rulebook **ret_b)
{
	struct rules_set *s = NULL;

	if (*path == '\0')
		s = rules_new("", 0, base, NULL, 0);
	int err = s != NULL ? ERR_OK : rules_file_load(path, base, errors, &s);
	if (err != ERR_OK)
		return err;
	struct rulebook *b = calloc(1, sizeof(*b));
	if (b == NULL)
		abort();
	b->path = strdup(path);
	if (b->path == NULL)
		abort();
	b->base = *base;
	b->state = (struct rulebook_state){.rules = s, .version = 1, .since_ms = clock_wall_ms()};
	pthread_mutex_init(&b->loading, NULL);
	pthread_mutex_init(&b->lock, NULL);
	*ret_b = b;
	return ERR_OK;
}

void rulebook_close(struct rulebook **b)
{
	struct rulebook *gone = *b;

	*b = NULL;
	if (gone == NULL)
		return;
	rulebook_state_free(&gone->state);
	pthread_mutex_destroy(&gone->loading);
	pthread_mutex_destroy(&gone->lock);
	free(gone->path);
	free(gone);
}

void rulebook_state(struct rulebook *b, struct rulebook_state *ret_state)
{
	pthread_mutex_lock(&b->lock);
	*ret_state = b->state;
	rules_ref(b->state.rules);
	ret_state->refused = (struct buf){0};
	buf_put(&ret_state->refused, b->state.refused.data, b->state.refused.size);
	pthread_mutex_unlock(&b->lock);
}

void rulebook_state_free(struct rulebook_state *state)
{
	rules_unref(&state->rules);
	buf_free(&state->refused);
}

/* --- reloading --- */

static void refuse(struct rulebook *b, const struct buf *errors)
{
	pthread_mutex_lock(&b->lock);
	b->state.refused_at_ms = clock_wall_ms();
	buf_reset(&b->state.refused);
	buf_put(&b->state.refused, errors->data, errors->size);
	pthread_mutex_unlock(&b->lock);
}

/* Takes the reference. False: they are those that were in force. */
static bool replace(struct rulebook *b, struct rules_set *s)
{
	pthread_mutex_lock(&b->lock);
	bool changed = rules_hash(s) != rules_hash(b->state.rules);
	struct rules_set *gone = changed ? b->state.rules : s;
	if (changed) {
		b->state.rules = s;
		b->state.version++;
		b->state.since_ms = clock_wall_ms();
	}
	b->state.refused_at_ms = 0;
	buf_reset(&b->state.refused);
	pthread_mutex_unlock(&b->lock);
	rules_unref(&gone);
	return changed;
}

int rulebook_reload(struct rulebook *b, void (*take)(void *arg, struct rules_set *s), void *arg,
		    struct buf *errors, bool *ret_changed)
{
	struct rules_set *s = NULL;

	if (*b->path == '\0')
		return ERR_NOT_FOUND;
	pthread_mutex_lock(&b->loading);
	int err = rules_file_load(b->path, &b->base, errors, &s);
	if (err == ERR_OK) {
		*ret_changed = replace(b, s);
		if (*ret_changed)
			take(arg, s); /* nobody replaces it while this one reloads */
	} else {
		refuse(b, errors);
	}
	pthread_mutex_unlock(&b->loading);
	return err;
}
