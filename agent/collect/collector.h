/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * collector - the thread of one cluster: a pass at every tick, into the state.
 *
 * Ticks follow the monotonic clock and do not drift; one that comes while a pass is still under
 * way is left out. Never waits for the network to the aggregators.
 */

#include "agent/collect/probe.h"
#include "agent/config.h"
#include "agent/state/state.h"
#include "common/base.h"

struct collector;

/* Load what the state knows of the cluster and start. conf, st and p must outlive the collector.
 * ERR_CONFIG: a Kafka property is wrong; ERR_MALFORMED: the state is damaged; why says what. */
MUST_CHECK int collector_start(const struct agent_cluster *conf, struct state *st, struct probe *p,
			       char why[static 512], struct collector **ret_c);

/* Ask it to end soon; returns at once. */
void collector_ask_stop(struct collector *c);

/* Wait for its end and free it. False: it has not ended within timeout_ms, and lives on. */
bool collector_join(struct collector **c, int timeout_ms);
