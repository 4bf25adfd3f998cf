/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/delivery.h"

#include "aggregator/alert/alert_priv.h"
#include "common/err.h"

int delivery_list(struct alert *a, const struct delivery_ask *ask,
		  void (*on_row)(void *arg, const struct outbox_row *row), void *arg,
		  uint64_t *ret_next)
{
	struct store_txn t = store_begin(a->options.store, false);
	struct outbox_row row;
	size_t count = 0;

	*ret_next = 0;
	for (uint64_t id = ask->from; outbox_read(&t, id, &row); id = row.id + 1) {
		if ((ask->states & 1u << row.state) == 0)
			continue;
		if (count == ask->max) {
			*ret_next = row.id;
			break;
		}
		count++;
		on_row(arg, &row);
	}
	int err = t.err;

	store_abort(&t);
	return err;
}

void delivery_counts(struct alert *a, struct outbox_counts *ret_c, bool *ret_sends)
{
	outbox_counts(a->outbox, ret_c);
	*ret_sends = leader_sends(a->leader);
}
