/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * leader - which of several replicas sends: all, or the first of the configured peers that is
 * alive. All decide the same messages, with the same keys; one that does not send holds them back,
 * lets go of those that an earlier peer lived long enough to send, and sends the rest when that one
 * is silent. So nothing is lost when a replica dies, and what it had just sent may come twice.
 *
 * There is no election through a Kafka consumer group: aggregators talk to no Kafka, and which of
 * the clusters that agents watch should decide would be one more thing that can be down just when
 * alarms are due. Peers are asked over HTTP or TLS, where certificates say who they are; /readyz
 * needs no other credential.
 */

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/outbox.h"

#define LEADER_PEERS_MAX 16

struct leader;

/* Starts a thread when there are peers to ask. Borrows both until leader_free(). */
MUST_CHECK int leader_new(const struct alert_config *config, struct outbox *outbox,
			  struct leader **ret_l);
void leader_free(struct leader **l);

/* Whether this replica sends now. Any thread. */
bool leader_sends(const struct leader *l);

/* --- the decision alone, for tests --- */

struct leader_sight {
	size_t peers, self;
	int64_t seen_ms[LEADER_PEERS_MAX]; /* when each last answered; 0: never */
	int64_t start_ms;                  /* since when it is asked */
};

bool leader_decide(const struct leader_sight *s, int64_t takeover_after_ms, bool fail_open,
		   int64_t now_ms);

/* Up to when what was decided has been sent by an earlier peer; INT64_MIN: none is known of. */
int64_t leader_sent_until(const struct leader_sight *s, int64_t takeover_after_ms);
