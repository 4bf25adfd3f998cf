/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * outbox_row - a row of the outbox in the store: its head, and behind it the encoded message while
 * that waits or is dead.
 */

#include "aggregator/alert/outbox.h"

/* False: these are not the bytes of a row. The message is what follows the head. */
bool outbox_row_get(const uint8_t *data, size_t size, struct outbox_row *ret_row);

/* Write it under its id. */
void outbox_row_put(struct store_txn *t, const struct outbox_row *row, const void *message,
		    size_t size);

/* Whether these are the bytes of a row, with a message that can be read where there is to be one.
 */
bool outbox_row_is_whole(const uint8_t *data, size_t size);
