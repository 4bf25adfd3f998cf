/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * deliver - what becomes of an answer of the API between its handler and the socket: it is made
 * pretty and small if that is asked for, kept for whoever asks the same of the same pass, and not
 * sent at all to a client that has it.
 *
 * What an answer was made from is told by a tag: the same tag and the same request give the same
 * answer. Tags are made of the serials of views, so that they change with every pass of a cluster
 * that the answer is about, and of no other.
 */

#include "aggregator/serve/server.h"

#define DELIVER_TAG_START UINT64_C(0x9e3779b97f4a7c15)

/* A tag of a tag and one more number. */
uint64_t deliver_mix(uint64_t tag, uint64_t number);

/* Called by a handler once it knows what its answer is made from. csv: which form it will have.
 * True: rs is the answer, already. */
bool deliver_known(struct server *s, const struct request *rq, uint64_t tag, bool csv,
		   struct response *rs);

/* Called after the handler, for every answer under /api/. */
void deliver(struct server *s, const struct request *rq, struct response *rs);
