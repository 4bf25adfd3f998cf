/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * flight - which batches an aggregator has, and which are on their way. Pure arithmetic.
 *
 * Answers overtake each other, so beyond the last number before which nothing is missing there is
 * a stretch of numbers some of which are done.
 */

#include "common/base.h"

#define FLIGHT_SIZE 64

struct flight {
	uint64_t done;   /* all batches up to this number are */
	uint64_t ahead;  /* bit i: done + 1 + i is done too */
	uint64_t flying; /* bit i: done + 1 + i is on its way */
};

/* Nothing is on its way, and all up to done is done. */
void flight_start(struct flight *f, uint64_t done);

/* The lowest number that is neither done nor on its way; 0 if it lies beyond what is kept. */
uint64_t flight_next(const struct flight *f);

/* It is sent; it has come back to be sent again; it is done. Numbers outside are ignored. */
void flight_send(struct flight *f, uint64_t seq);
void flight_again(struct flight *f, uint64_t seq);
void flight_finish(struct flight *f, uint64_t seq);

/* All below floor are done, one way or another. */
void flight_raise(struct flight *f, uint64_t floor);
