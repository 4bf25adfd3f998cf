/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * notify - who is told of which incident, when: routes, grouping, waiting, repeats, escalation and
 * the limit of a storm. It decides; outbox keeps, deliver sends.
 *
 * All but notify_new() and notify_free() on the writer thread, inside its transaction. Its memory
 * is what the store holds; notify_load() reads it again after a transaction failed.
 */

#include "aggregator/alert/outbox.h"
#include "aggregator/judge/rules.h"

struct alert_config; /* config of routes and receivers */
struct notify;

MUST_CHECK int notify_new(const struct alert_config *config, struct outbox *outbox,
			  struct notify **ret_n);
void notify_free(struct notify **n);
void notify_load(struct notify *n, struct store_txn *t);

/* An incident has changed. rules: where its group's labels come from. A silenced incident is told
 * of as well: notify keeps still, and speaks when the silence ends before the trouble. */
void notify_change(struct notify *n, struct store_txn *t, struct rules_set *rules,
		   const struct incident *i, enum incident_change change, int64_t now_ms);

/* What is seen of this cluster is long past: nobody is told of it. Or (not on) it is the present
 * again: now everybody is, of what is left. Known from pass to pass, and not kept in the store. */
void notify_hold(struct notify *n, struct store_txn *t, uint32_t cluster, bool on, int64_t now_ms);

/* Do what is due by time: waits that end, repeats, escalations, summaries. */
void notify_tick(struct notify *n, struct store_txn *t, int64_t now_ms);

/* When notify_tick() has something to do next; INT64_MAX: nothing. */
int64_t notify_next_ms(const struct notify *n);

/* Whether these are the bytes of a row of its own. Any thread. */
bool notify_is_whole(const uint8_t *data, size_t size);
