/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * route - which receivers an incident is for: the tree of the configuration, ready to be matched.
 * Immutable once made; any thread may ask.
 */

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/incident.h"
#include "aggregator/judge/rules.h"
#include "common/buf.h"

#define ROUTE_MATCHES_MAX 16 /* that one incident may have, by "continue" */

/* What a route means once the peculiarities of its receiver are seen to: Alertmanager does the
 * grouping itself and must hear again and again; Burrow's notifiers tell of each group alone. */
struct route {
	const struct alert_route *config;
	const struct alert_receiver *receiver;                /* never NULL */
	const struct alert_receiver *escalate_to, *otherwise; /* NULL: none */
	uint64_t hash;                                        /* of its name and its receiver's */
	bool everywhere; /* every replica sends: Alertmanager */
	bool each;       /* incidents are never told of together */
	bool once;       /* of each its opening is told and its end, nothing between */
	bool strict;     /* what is less bad than min_status is not repeated */
	bool send_resolved;
	enum status min_status;
	int64_t wait_ms, repeat_ms, escalate_after_ms; /* repeat, escalate: 0 never */
	int64_t storm_limit, storm_span_ms;            /* limit 0: none */
};

struct route_set;

/* Borrows the configuration. ERR_CONFIG, and why in the log, when it cannot be used on this
 * machine. Caller frees *ret_s with route_set_free(). */
MUST_CHECK int route_set_new(const struct alert_config *config, struct route_set **ret_s);
void route_set_free(struct route_set **s);

/* The routes of an incident that have a receiver, in the order of the file. Returns how many. */
size_t route_match(const struct route_set *s, const struct incident *i,
		   const struct rules_label *labels, size_t label_count,
		   const struct route *ret_routes[static ROUTE_MATCHES_MAX]);

/* NULL: there is none of that hash, any more. */
const struct route *route_find(const struct route_set *s, uint64_t hash);

/* Append what the incident has in common with others that are told of together, for people:
 * "environment=PROD cluster=orders". */
void route_put_group(const struct route *r, const struct incident *i,
		     const struct rules_label *labels, size_t label_count, struct buf *out);

/* Whether it is within the route's hours; and when they begin next, to the minute. */
bool route_in_hours(const struct route *r, int64_t at_ms);
int64_t route_hours_begin(const struct route *r, int64_t at_ms);
