/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nng_watch.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"

#define EVERY_MS 2000
#define STUCK_MS 3000
#define STUCK_LOOKS 4 /* so that a process that was stopped is not taken for stuck */

struct nng_watch {
	nng_socket ends[2];
	pthread_mutex_t lock;
	uint32_t pipe;    /* the connection; 0: there is none */
	uint32_t closed;  /* the one that is to go; 0: none */
	int64_t since_ms; /* that it was closed, or the last one had gone */
	int looks;
};

static void on_pipe(nng_pipe p, nng_pipe_ev event, void *arg)
{
	struct nng_watch *w = arg;
	uint32_t id = (uint32_t)nng_pipe_id(p);

	pthread_mutex_lock(&w->lock);
	if (event == NNG_PIPE_EV_ADD_POST)
		w->pipe = id;
	else if (w->closed == id)
		w->closed = 0;
	if (event == NNG_PIPE_EV_REM_POST && w->pipe == id)
		w->pipe = 0;
	pthread_mutex_unlock(&w->lock);
}

static int connect_ends(struct nng_watch *w)
{
	char url[64];

	snprintf(url, sizeof(url), "inproc://warren-watch-%p", (void *)w);
	int rv = nng_pair0_open(&w->ends[0]);
	if (rv == 0)
		rv = nng_pair0_open(&w->ends[1]);
	if (rv == 0)
		rv = nng_pipe_notify(w->ends[1], NNG_PIPE_EV_ADD_POST, on_pipe, w);
	if (rv == 0)
		rv = nng_pipe_notify(w->ends[1], NNG_PIPE_EV_REM_POST, on_pipe, w);
	if (rv == 0)
		rv = nng_socket_set_ms(w->ends[1], NNG_OPT_RECONNMINT, 10);
	if (rv == 0)
		rv = nng_listen(w->ends[0], url, NULL, 0);
	if (rv == 0)
		rv = nng_dial(w->ends[1], url, NULL, NNG_FLAG_NONBLOCK);
	return rv == 0 ? ERR_OK : rv == NNG_ENOMEM ? -ENOMEM : ERR_LINK;
}

int nng_watch_new(struct nng_watch **ret_w)
{
	struct nng_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	*ret_w = w;
	int err = connect_ends(w);
	if (err != ERR_OK)
		nng_watch_free(ret_w);
	return err;
}

bool nng_watch_stuck(struct nng_watch *w, int64_t now_ms)
{
	uint32_t close = 0;
	bool stuck = false;

	pthread_mutex_lock(&w->lock);
	if (w->closed != 0) {
		w->looks++;
		stuck = w->looks >= STUCK_LOOKS && now_ms - w->since_ms >= STUCK_MS;
	} else if (w->pipe != 0 && now_ms - w->since_ms >= EVERY_MS) {
		close = w->closed = w->pipe;
		w->since_ms = now_ms;
		w->looks = 0;
	}
	pthread_mutex_unlock(&w->lock);
	if (close != 0)
		nng_pipe_close((nng_pipe){.id = close});
	return stuck;
}

/* The sockets stay, whose close may hang, and the struct, with which on_pipe() is called. */
void nng_watch_free(struct nng_watch **w)
{
	*w = NULL;
}
