/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/outbox_row.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/store/alert_store.h"
#include "common/err.h"

bool outbox_row_get(const uint8_t *data, size_t size, struct outbox_row *ret_row)
{
	if (size < sizeof(*ret_row))
		return false;
	memcpy(ret_row, data, sizeof(*ret_row));
	ret_row->receiver[sizeof(ret_row->receiver) - 1] = '\0';
	ret_row->error[sizeof(ret_row->error) - 1] = '\0';
	return ret_row->state >= OUTBOX_WAITING && ret_row->state <= OUTBOX_ELSEWHERE;
}

void outbox_row_put(struct store_txn *t, const struct outbox_row *row, const void *message,
		    size_t size)
{
	CLEANUP(buf_free) struct buf data = {0};

	buf_put(&data, row, sizeof(*row));
	buf_put(&data, message, size);
	if (data.err != ERR_OK)
		abort();
	alert_store_put(t, ALERT_OUTBOX, row->id, data.data, data.size);
}

bool outbox_row_is_whole(const uint8_t *data, size_t size)
{
	CLEANUP(message_free) struct message *m = NULL;
	struct outbox_row row;

	if (!outbox_row_get(data, size, &row))
		return false;
	if (row.state == OUTBOX_SENT || row.state == OUTBOX_ELSEWHERE)
		return size == sizeof(row);
	return message_decode(data + sizeof(row), size - sizeof(row), &m) == ERR_OK &&
	       m->key == row.key && m->thread == row.thread && (uint8_t)m->kind == row.kind &&
	       strcmp(m->receiver, row.receiver) == 0;
}
