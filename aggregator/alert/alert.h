/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * alert - the whole of it for main: incidents, notify, outbox, deliver tied together, the hook by
 * which the writer tells what it has judged, and what people ask of it.
 */

#include "aggregator/alert/incidents.h"
#include "aggregator/alert/silence.h"
#include "aggregator/judge/view.h"

struct alert_config;
struct picture_point;
struct receivers;
struct alert;

/* An incident, and the labels of its group where the rules give any; of texts that are the rules'.
 */
typedef void alert_on_incident(void *arg, const struct incident *i,
			       const struct rules_label *labels, size_t label_count);

struct alert_options {
	const struct alert_config *config;
	const struct receivers *receivers; /* of the configuration */
	struct store *store;

	/* As deliver_options.points, with the store as arg. May be NULL. */
	size_t (*points)(void *arg, const struct incident *i, int64_t from_ms, int64_t to_ms,
			 struct picture_point *ret_points, size_t max);

	/* Have the writer look at alert_pending() soon. Any thread. May be NULL. */
	void (*wake)(void *arg);
	void *wake_arg;

	/* An incident has changed, and the change is on disk. On the writer's thread: it must not
	 * block. May be NULL. */
	alert_on_incident *changed;
	void *changed_arg;
};

/* Starts the delivering thread. Everything is borrowed until alert_stop(). */
MUST_CHECK int alert_start(const struct alert_options *o, struct alert **ret_a);
void alert_stop(struct alert **a);

/* --- the writer's hook: its thread, but for the first, before it runs --- */

/* Read what the store holds: at start, and after a transaction was aborted. */
void alert_load(struct alert *a, struct store_txn *t);

/* These rules hold from now on; takes a reference of its own. */
void alert_rules(struct alert *a, struct rules_set *rules);

/* The cluster was judged in this transaction, v is what will be published. */
void alert_judged(struct alert *a, struct store_txn *t, const struct view *v, int64_t now_ms);

/* Nothing is heard of the cluster; outside of a transaction. Takes a reference of v. */
void alert_blind(struct alert *a, struct view *v);

/* The cluster is no more in the store. */
void alert_gone(struct alert *a, struct store_txn *t, uint32_t cluster_id, int64_t now_ms);

/* True when alert_work() has something to do, pass or no pass: the writer begins a transaction. */
bool alert_pending(struct alert *a, int64_t now_ms);
void alert_work(struct alert *a, struct store_txn *t, int64_t now_ms);

/* The transaction under way has ended. */
void alert_end(struct alert *a, bool committed);

/* --- what people do: any thread but the writer's --- */

enum alert_deed {
	ALERT_ACKNOWLEDGE,
	ALERT_RESOLVE,
	ALERT_ADD_SILENCE,
	ALERT_DEL_SILENCE,
	ALERT_RETRY, /* a message that is dead */
};

struct alert_command {
	enum alert_deed deed;
	uint64_t id;             /* of the incident, silence or message */
	const char *by, *note;   /* of the first two */
	struct silence *silence; /* to add; gets its id */

	/* alert.c's */
	int err, state;
	struct alert_command *next;
};

/* Have it done by the writer, and wait until it is on disk. ERR_NOT_FOUND: there is none of this
 * id; ERR_TIMEOUT: it was not done, the store takes nothing; what silences_add() or outbox_retry()
 * returns. */
MUST_CHECK int alert_do(struct alert *a, struct alert_command *c);

/* --- what people see: any thread --- */

struct alert_filter {
	unsigned states;                           /* bits 1 << enum incident_state */
	const char *environment, *cluster, *group; /* globs; NULL: any */
	int status;                                /* enum status; 0: any */
	int64_t since_ms;                          /* opened then or later */
	struct alert_place before;                 /* where to go on; id 0: from the newest on */
	size_t max;
	bool (*sees)(void *arg, const char *environment, const char *cluster);
	void *arg;
};

/* The newest first. *ret_total: all that match, shown or not; *ret_next: where the rest begins, id
 * 0: there is no more. */
MUST_CHECK int alert_list(struct alert *a, const struct alert_filter *f, alert_on_incident *on,
			  void *arg, size_t *ret_total, struct alert_place *ret_next);

typedef void alert_on_step(void *arg, const struct incident_step *s);

/* One, if it is seen by whom f->sees tells, and then its timeline. ERR_NOT_FOUND. on_step may be
 * NULL. */
MUST_CHECK int alert_one(struct alert *a, uint64_t id, const struct alert_filter *f,
			 alert_on_incident *on, alert_on_step *on_step, void *arg);

typedef void alert_on_silence(void *arg, const struct silence *s);
MUST_CHECK int alert_silences(struct alert *a, alert_on_silence *on, void *arg);

/* See incidents_counts(). */
size_t alert_counts(struct alert *a, struct incidents_count **ret_counts);
