/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * deliver - one thread that takes messages out of the outbox and has them sent, each receiver in
 * its own lane, so that one that is slow or away delays nobody else.
 */

#include "aggregator/alert/outbox.h"
#include "aggregator/alert/receiver.h"

struct deliver_options {
	struct outbox *outbox;
	const struct receivers *receivers;

	/* Fill in how far the incident's group was behind between two times, rising by time, at
	 * most max points; returns how many. On the delivering thread. NULL: mails go without the
	 * picture. */
	size_t (*points)(void *arg, const struct incident *i, int64_t from_ms, int64_t to_ms,
			 struct picture_point *ret_points, size_t max);
	void *arg;
};

struct deliver;

/* What the options point to is borrowed until deliver_stop(). */
MUST_CHECK int deliver_start(const struct deliver_options *o, struct deliver **ret_d);

/* Within a second; what is under way then waits in the outbox, and is sent again. Nobody else may
 * use the outbox meanwhile. */
void deliver_stop(struct deliver **d);

/* How long to wait after so many attempts: longer each time, and not the same for all. */
int64_t deliver_delay_ms(const struct alert_retry *retry, uint32_t attempts, uint64_t key);
