/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * shipper - the thread of one aggregator: batches from the spool to it, in order of number.
 *
 * Greets on every new connection, keeps a few batches in flight, and takes one off only when the
 * aggregator says that it has it, or will never want it. A batch may so arrive twice: the
 * aggregator knows it by its number. The collectors never wait for a shipper.
 *
 * The order is that of time after an outage too, when the newest passes would be worth the most.
 * The aggregator folds a pass into what it knows of a partition, and one number says how far it is:
 * a pass that came out of turn could neither be applied in its place later, nor be told from one
 * that is lost. And there is little to be gained: of 100,000 group-partitions that all move every
 * 30 s an hour is 174 MiB in the spool, and takes the aggregator 18 s of processor time: 53 to 92 s
 * where 20 to 28 others want the same two cores (bench_catchup). Until then it knows by the time of
 * sending that what it is told is old.
 */

#include "agent/ship/identity.h"
#include "agent/state/state.h"
#include "common/base.h"
#include "proto/wire.h"

struct shipper_options {
	const char *agent;
	const char *address;         /* of the aggregator, as given to link_open() */
	const char *const *clusters; /* names, as many as cluster_count; borrowed */
	size_t cluster_count;
	uint64_t instance;        /* random, of this start of the agent */
	uint64_t config_hash;     /* that the aggregator shows; 0: none */
	size_t target;            /* its place in struct state_options.targets */
	const char *server_name;  /* that its certificate must have; borrowed */
	struct identity identity; /* copied */

	/* Takes what the aggregator wants read; ack is borrowed for the call. Called by the
	 * shipper's thread. NULL: this agent does not probe. */
	void (*on_probes)(void *arg, const struct wire_ack *ack);
	void *arg;
};

struct shipper;

/* Start. Options are copied but for the strings, which, and st, must outlive it. ERR_CONFIG: the
 * address is none, or nng does not take the certificate. */
MUST_CHECK int shipper_start(const struct shipper_options *options, struct state *st,
			     struct shipper **ret_s);

/* Show this from now on: it connects anew as soon as nothing is under way, so nothing is lost. It
 * is copied. Any thread may call this. */
void shipper_renew(struct shipper *s, const struct identity *identity);

/* Ask it to deliver what there is, if it is connected, for drain_ms at most, and then to end. */
void shipper_ask_stop(struct shipper *s, int drain_ms);

/* Wait for its end and free it. False: it has not ended within timeout_ms, and lives on. */
bool shipper_join(struct shipper **s, int timeout_ms);
