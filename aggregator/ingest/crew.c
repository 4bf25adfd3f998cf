/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/crew.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "common/err.h"

enum { GIVEN, TAKEN, DONE };

/* Looks for more work before it goes to sleep: to be woken costs more, and the giver most of it. */
#define LOOKS 100

struct crew {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct crew_piece *queue[CREW_PIECES]; /* a ring */
	atomic_size_t given;                   /* pieces since the start; changes under lock */
	size_t seen;                           /* of them those that have left the queue */
	bool sleeps, stopping;
};

/* True: p is the caller's to do. */
static bool take(struct crew_piece *p)
{
	int given = GIVEN;

	return atomic_compare_exchange_strong(&p->state, &given, TAKEN);
}

static void do_piece(struct crew_piece *p)
{
	p->work(p->arg);
	atomic_store_explicit(&p->state, DONE, memory_order_release);
}

static void look(struct crew *c)
{
	size_t seen = c->seen;

	pthread_mutex_unlock(&c->lock);
	for (int i = 0; i < LOOKS && atomic_load(&c->given) == seen; i++)
		sched_yield();
	pthread_mutex_lock(&c->lock);
}

/* The next piece that nobody has begun, taken; NULL: the crew stops. A piece leaves the queue and
 * is taken under the lock: once it is awaited it may be given anew, or be gone. */
static struct crew_piece *next(struct crew *c)
{
	struct crew_piece *p = NULL;

	pthread_mutex_lock(&c->lock);
	while (p == NULL && !c->stopping) {
		if (c->seen == c->given)
			look(c);
		while (c->seen == c->given && !c->stopping) {
			c->sleeps = true;
			pthread_cond_wait(&c->more, &c->lock);
			c->sleeps = false;
		}
		if (c->stopping)
			break;
		p = c->queue[c->seen++ % CREW_PIECES];
		if (!take(p))
			p = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return p;
}

static void *run(void *arg)
{
	struct crew *c = arg;

	for (struct crew_piece *p = next(c); p != NULL; p = next(c))
		do_piece(p);
	return NULL;
}

int crew_start(struct crew **ret_c)
{
	struct crew *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
	if (pthread_create(&c->thread, NULL, run, c) != 0) {
		free(c);
		return -ENOMEM;
	}
	*ret_c = c;
	return ERR_OK;
}

void crew_stop(struct crew **c)
{
	if (*c == NULL)
		return;
	pthread_mutex_lock(&(*c)->lock);
	(*c)->stopping = true;
	pthread_cond_signal(&(*c)->more);
	pthread_mutex_unlock(&(*c)->lock);
	pthread_join((*c)->thread, NULL);
	pthread_cond_destroy(&(*c)->more);
	pthread_mutex_destroy(&(*c)->lock);
	free(*c);
	*c = NULL;
}

void crew_give(struct crew *c, struct crew_piece *p)
{
	atomic_store(&p->state, GIVEN);
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->queue[c->given++ % CREW_PIECES] = p;
	if (c->sleeps)
		pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

/* p is to be forgotten by the queue: it is the oldest there, if it is there. */
static void forget(struct crew *c, const struct crew_piece *p)
{
	pthread_mutex_lock(&c->lock);
	if (c->seen != c->given && c->queue[c->seen % CREW_PIECES] == p)
		c->seen++;
	pthread_mutex_unlock(&c->lock);
}

void crew_await(struct crew *c, struct crew_piece *p)
{
	if (take(p)) {
		if (c != NULL)
			forget(c, p);
		do_piece(p);
		return;
	}
	/* It is in work, which takes less than to sleep and to be woken. */
	while (atomic_load_explicit(&p->state, memory_order_acquire) != DONE)
		sched_yield();
}
