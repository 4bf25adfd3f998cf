/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * burials - requests to remove a group, or one topic of it, from any thread to the writer's; each
 * is kept until a transaction that did so is committed.
 */

#include "aggregator/judge/view.h"
#include "common/base.h"

struct burials;

/* Never NULL. */
struct burials *burials_new(void);
void burials_free(struct burials **b);

/* topic NULL: the whole group. Any thread. */
void burials_add(struct burials *b, uint32_t cluster, uint32_t group, const char *topic);

/* --- for the writer thread --- */

/* Call bury for each that the transaction under way has not seen. */
void burials_apply(struct burials *b,
		   void (*bury)(void *arg, uint32_t cluster, uint32_t group, const char *topic),
		   void *arg);

/* The transaction has ended. */
void burials_end(struct burials *b, bool committed);

/* Keep out of sight what is to be removed and still is in the views. */
void burials_hide(struct burials *b, struct board *board);
