/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * source_admin - commits and groups by the Admin API, into a table. For clusters whose
 * __consumer_offsets may not be read. Repeated commits of the same offset cannot be seen.
 */

#include "agent/collect/kafka.h"
#include "agent/collect/table.h"

struct source_admin {
	struct kafka *kafka; /* borrowed */
	struct table *table; /* borrowed */
	unsigned int passes;
	size_t failed; /* groups that gave no answer in this pass */
	bool partial;  /* not all brokers listed their groups */
	int64_t at_ms;
};

/* Ask for all groups and their offsets, and now and then for their members. Returns within about
 * timeout_ms. ERR_BROKER, ERR_TIMEOUT: nothing is known of this moment, the table is as before. */
MUST_CHECK int source_admin_take(struct source_admin *a, int64_t at_ms, int timeout_ms);
