/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * nng_watch - whether nng still works.
 *
 * One thread of nng takes ended connections apart, of all sockets of a process. When a connection
 * ends in the middle of a message, that thread may wait for ever for the part that nobody sends any
 * more (nng up to 1.11; with TLS a message goes out in three parts). Then no end of a connection is
 * told any more, none is made anew and none is given back. Nothing but a new process helps. So a
 * connection of our own is closed from time to time, and has to go.
 */

#include "common/base.h"

struct nng_watch;

/* Caller owns *ret_w. -ENOMEM, ERR_LINK. */
MUST_CHECK int nng_watch_new(struct nng_watch **ret_w);

/* Look; to be called about once a second, by one thread. now_ms is a monotonic clock. True: nng is
 * stuck. */
bool nng_watch_stuck(struct nng_watch *w, int64_t now_ms);

/* Let go of it. What nng may still look at is not given back. Accepts a pointer to NULL; *w is NULL
 * after. */
void nng_watch_free(struct nng_watch **w);
