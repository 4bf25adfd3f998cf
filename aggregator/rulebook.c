/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/rulebook.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/maintenance.h"
#include "aggregator/rules_file.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

struct rulebook {
	char *path;      /* "": none */
	const char *dir; /* where maintenance is kept; NULL: nowhere */
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
	struct rulebook *b = mem_zeroed(1, sizeof(*b));
	b->path = mem_copy(path);
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

/* --- maintenance by hand --- */

int rulebook_keep(struct rulebook *b, const char *dir, struct buf *errors)
{
	CLEANUP(mem_free) struct rules_maintenance *list = NULL;
	size_t count = 0;
	int err = maintenance_load(dir, errors, &list, &count);

	if (err != ERR_OK)
		return err;
	struct rules_set *before = b->state.rules;
	b->state.rules = rules_maintain(before, list, count);
	b->dir = dir;
	rules_unref(&before);
	return ERR_OK;
}

/* What is in force and lasts, but the one of this id. Room for one more; the caller frees it. */
static struct rules_maintenance *lasting(struct rulebook *b, uint64_t without, size_t *ret_count)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	int64_t now_ms = clock_wall_ms();
	size_t count = 0;

	rulebook_state(b, &state);
	const struct rules_maintenance *all = rules_maintenance(state.rules, &count);
	struct rules_maintenance *list = mem_zeroed(count + 1, sizeof(*list));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++)
		if (all[i].until_ms > now_ms && all[i].id != without)
			list[(*ret_count)++] = all[i];
	return list;
}

/* Keep them, and put them in force. With b->loading held. */
static int put_in_force(struct rulebook *b, const struct rules_maintenance *list, size_t count,
			void (*take)(void *arg, struct rules_set *s), void *arg)
{
	int err = b->dir == NULL ? ERR_OK : maintenance_store(b->dir, list, count);

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&b->lock);
	struct rules_set *before = b->state.rules;
	struct rules_set *now = rules_maintain(before, list, count);
	b->state.rules = now;
	pthread_mutex_unlock(&b->lock);
	rules_unref(&before);
	take(arg, now);
	return ERR_OK;
}

/* One that no other has, and that no other has had lately. */
static uint64_t new_id(const struct rules_maintenance *list, size_t count)
{
	uint64_t id = (uint64_t)clock_wall_ms() << 8;

	for (size_t i = 0; i < count; i++)
		id = MAX(id, list[i].id + 1);
	return id;
}

int rulebook_maintain(struct rulebook *b, struct rules_maintenance *m,
		      void (*take)(void *arg, struct rules_set *s), void *arg)
{
	size_t count = 0;

	pthread_mutex_lock(&b->loading);
	struct rules_maintenance *list = lasting(b, 0, &count);
	m->id = new_id(list, count);
	list[count] = *m;
	int err = count < MAINTENANCE_MAX ? put_in_force(b, list, count + 1, take, arg) : ERR_LIMIT;
	pthread_mutex_unlock(&b->loading);
	free(list);
	return err;
}

static bool has(struct rulebook *b, uint64_t id)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	size_t count = 0;

	rulebook_state(b, &state);
	const struct rules_maintenance *all = rules_maintenance(state.rules, &count);
	for (size_t i = 0; i < count; i++)
		if (all[i].id == id)
			return true;
	return false;
}

int rulebook_end_maintenance(struct rulebook *b, uint64_t id,
			     void (*take)(void *arg, struct rules_set *s), void *arg)
{
	int err = ERR_NOT_FOUND;

	pthread_mutex_lock(&b->loading);
	if (has(b, id)) {
		size_t count = 0;
		struct rules_maintenance *list = lasting(b, id, &count);

		err = put_in_force(b, list, count, take, arg);
		free(list);
	}
	pthread_mutex_unlock(&b->loading);
	return err;
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

/* Takes the reference, and gives one. */
static struct rules_set *with_maintenance(struct rulebook *b, struct rules_set *s)
{
	size_t count = 0;
	struct rules_maintenance *list = lasting(b, 0, &count);
	struct rules_set *with = rules_maintain(s, list, count);

	free(list);
	rules_unref(&s);
	return with;
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
		s = with_maintenance(b, s);
		*ret_changed = replace(b, s);
		if (*ret_changed)
			take(arg, s); /* nobody replaces it while this one reloads */
	} else {
		refuse(b, errors);
	}
	pthread_mutex_unlock(&b->loading);
	return err;
}
