/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/clients.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"

#define LOOK_EVERY_S 1

struct clients {
	pthread_mutex_t mtx;
	pthread_cond_t stop;
	bool stopping;        /* under mtx */
	struct client *first; /* under mtx */
	int64_t ask_ms;
	pthread_t thread;
};

/* Under mtx. A socket that is shut down is found at its end by libmicrohttpd, which closes it. */
static void end_slow(struct clients *c, int64_t now_ms)
{
	for (struct client *client = c->first; client != NULL; client = client->next) {
		if (client->asks_since_ms != 0 && now_ms - client->asks_since_ms > c->ask_ms)
			shutdown(client->fd, SHUT_RDWR);
	}
}

static void *look(void *arg)
{
	struct clients *c = arg;

	pthread_mutex_lock(&c->mtx);
	while (!c->stopping) {
		struct timespec until;

		end_slow(c, clock_mono_ms());
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_EVERY_S;
		pthread_cond_timedwait(&c->stop, &c->mtx, &until);
	}
	pthread_mutex_unlock(&c->mtx);
	return NULL;
}

static void release(struct clients *c)
{
	pthread_cond_destroy(&c->stop);
	pthread_mutex_destroy(&c->mtx);
	free(c);
}

int clients_new(int64_t ask_ms, struct clients **ret_c)
{
	struct clients *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (c == NULL)
		return -ENOMEM;
	c->ask_ms = ask_ms;
	pthread_mutex_init(&c->mtx, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->stop, &attr);
	pthread_condattr_destroy(&attr);
	int err = pthread_create(&c->thread, NULL, look, c);
	if (err != 0) {
		release(c);
		return -err;
	}
	*ret_c = c;
	return ERR_OK;
}

void clients_free(struct clients **c)
{
	struct clients *gone = *c;

	*c = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_lock(&gone->mtx);
	gone->stopping = true;
	pthread_cond_signal(&gone->stop);
	pthread_mutex_unlock(&gone->mtx);
	pthread_join(gone->thread, NULL);
	release(gone);
}

struct client *clients_add(struct clients *c, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->fd = fd;
	client->asks_since_ms = clock_mono_ms();
	pthread_mutex_lock(&c->mtx);
	client->next = c->first;
	if (c->first != NULL)
		c->first->previous = client;
	c->first = client;
	pthread_mutex_unlock(&c->mtx);
	return client;
}

void clients_remove(struct clients *c, struct client *client)
{
	pthread_mutex_lock(&c->mtx);
	if (client->next != NULL)
		client->next->previous = client->previous;
	if (client->previous != NULL)
		client->previous->next = client->next;
	else
		c->first = client->next;
	pthread_mutex_unlock(&c->mtx);
	free(client);
}

static void set_since(struct clients *c, struct client *client, int64_t since_ms)
{
	pthread_mutex_lock(&c->mtx);
	client->asks_since_ms = since_ms;
	pthread_mutex_unlock(&c->mtx);
}

void clients_asked(struct clients *c, struct client *client)
{
	set_since(c, client, 0);
}

void clients_answered(struct clients *c, struct client *client)
{
	set_since(c, client, clock_mono_ms());
}

bool clients_close_inward(struct clients *c)
{
	pthread_mutex_lock(&c->mtx);
	for (struct client *client = c->first; client != NULL; client = client->next)
		shutdown(client->fd, SHUT_RD);
	bool none = c->first == NULL;
	pthread_mutex_unlock(&c->mtx);
	return none;
}
