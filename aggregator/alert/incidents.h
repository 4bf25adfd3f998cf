/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * incidents - which group is in which incident, and what each pass does to it. The records lie in
 * the store; in memory is what tells, pass after pass, that nothing has changed.
 *
 * The writer thread's, inside its transactions. After one was aborted incidents_load() reads again.
 */

#include "aggregator/alert/incident.h"
#include "aggregator/alert/silence.h"
#include "aggregator/judge/rules.h"
#include "aggregator/judge/view.h"
#include "aggregator/store/alert_store.h"

#define INCIDENTS_MAX 100000         /* groups in trouble, or lately; more are not noted */
#define INCIDENTS_KEPT 50000         /* that are over */
#define INCIDENTS_KEPT_MS 7776000000 /* 90 days */
#define INCIDENTS_STEPS 200          /* kept of one's timeline: the first, and the last */

struct incidents;

/* Called for each change, once the record is written. */
typedef void incidents_on_change(void *arg, struct store_txn *t, const struct incident *i,
				 enum incident_change change, int64_t now_ms);

/* Never NULL. silences is borrowed. */
struct incidents *incidents_new(const struct silences *silences, incidents_on_change *on_change,
				void *arg);
void incidents_free(struct incidents **n);
void incidents_load(struct incidents *n, struct store_txn *t);

/* What holds from now on: where labels and maintenance come from. Takes a reference. */
void incidents_rules(struct incidents *n, struct rules_set *rules);

/* The cluster was judged. */
void incidents_pass(struct incidents *n, struct store_txn *t, const struct view *v, int64_t now_ms);

/* Nothing is heard of the cluster: one incident, and its groups stay what they are. */
void incidents_blind(struct incidents *n, struct store_txn *t, const struct view *v,
		     int64_t now_ms);

/* The cluster is no more. */
void incidents_gone(struct incidents *n, struct store_txn *t, uint32_t cluster, int64_t now_ms);

/* By hand. ERR_NOT_FOUND: there is none of this id. Of one that is over nothing changes. */
MUST_CHECK int incidents_acknowledge(struct incidents *n, struct store_txn *t, uint64_t id,
				     const char *by, const char *note, int64_t now_ms);
MUST_CHECK int incidents_resolve(struct incidents *n, struct store_txn *t, uint64_t id,
				 const char *by, const char *note, int64_t now_ms);

/* Other silences are in force: look at all that are not over. */
void incidents_silence(struct incidents *n, struct store_txn *t, int64_t now_ms);

/* Forget what was over long ago, a little at a time. */
void incidents_trim(struct incidents *n, struct store_txn *t, int64_t now_ms);

/* The record of one; false if there is none. Any thread, with a transaction of its own. */
bool incidents_get(struct store_txn *t, uint64_t id, struct incident *ret_i);

/* Incidents that are not over, by environment, state and status. */
struct incidents_count {
	char environment[INCIDENT_CLUSTER_MAX];
	uint32_t counts[2][2]; /* [acknowledged][STATUS_ERR or more] */
};

/* Caller frees the array. */
size_t incidents_counts(const struct incidents *n, struct incidents_count **ret_counts);
