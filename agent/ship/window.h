/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * window - which batches an aggregator has, and which are on their way. Pure arithmetic.
 *
 * Answers overtake each other, so beyond the last number before which nothing is missing there is
 * a window of numbers some of which are done.
 */

#include "common/base.h"

#define WINDOW_SIZE 64

struct window {
	uint64_t done;   /* all batches up to this number are */
	uint64_t ahead;  /* bit i: done + 1 + i is done too */
	uint64_t flying; /* bit i: done + 1 + i is on its way */
};

/* Nothing is on its way, and all up to done is done. */
void window_start(struct window *w, uint64_t done);

/* The lowest number that is neither done nor on its way; 0 if it lies beyond the window. */
uint64_t window_next(const struct window *w);

/* It is sent; it has come back to be sent again; it is done. Numbers outside are ignored. */
void window_send(struct window *w, uint64_t seq);
void window_again(struct window *w, uint64_t seq);
void window_finish(struct window *w, uint64_t seq);

/* All below floor are done, one way or another. */
void window_raise(struct window *w, uint64_t floor);
