/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* delivery - what people see of the outbox: its rows, how many there are, and whether this replica
 * sends. Any thread but the writer's. */

#include "aggregator/alert/outbox.h"

struct alert;

struct delivery_ask {
	unsigned states; /* bits 1 << enum outbox_state */
	uint64_t from;   /* the least id */
	size_t max;
};

/* Call on_row for each, the oldest first. *ret_next: the least id of what is left, 0: nothing is.
 * ERR_OK, or why the store cannot be read. */
MUST_CHECK int delivery_list(struct alert *a, const struct delivery_ask *ask,
			     void (*on_row)(void *arg, const struct outbox_row *row), void *arg,
			     uint64_t *ret_next);

void delivery_counts(struct alert *a, struct outbox_counts *ret_c, bool *ret_sends);
