/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * crew - a second thread that works ahead of the one that gives it work: small pieces, in order.
 * Whoever comes first does a piece, so that a crew that gets no processor holds nobody up.
 *
 * One thread gives and awaits; a piece is not touched by it between the two.
 */

#include <stdatomic.h>

#include "common/base.h"

struct crew;

struct crew_piece {
	void (*work)(void *arg);
	void *arg;
	atomic_int state; /* crew's */
};

/* Start the thread. Caller owns *ret_c. */
MUST_CHECK int crew_start(struct crew **ret_c);
void crew_stop(struct crew **c);

/* Have p done; it stays the caller's and stays where it is until crew_await(). c NULL: there is no
 * crew, crew_await() does it. At most CREW_PIECES may be given and not awaited. */
#define CREW_PIECES 8
void crew_give(struct crew *c, struct crew_piece *p);

/* Returns when p is done. Pieces are awaited in the order in which they were given. */
void crew_await(struct crew *c, struct crew_piece *p);
