/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* alert_priv - what the files of alert share. */

#include <pthread.h>

#include "aggregator/alert/alert.h"
#include "aggregator/alert/deliver.h"
#include "aggregator/alert/leader.h"
#include "aggregator/alert/notify.h"

struct alert {
	struct alert_options options;

	/* shared, under lock */
	pthread_mutex_t lock;
	pthread_cond_t done; /* a command is */
	struct alert_command *commands;
	struct incidents_count *counts;
	size_t count_count;
	struct rules_set *shown_rules; /* referenced: where labels come from */

	/* the writer thread's */
	struct outbox *outbox;
	struct leader *leader;
	struct deliver *deliver;
	struct notify *notify;
	struct silences *silences;
	struct incidents *incidents;
	struct view **blind; /* referenced: clusters to be said blind */
	size_t blind_count, blind_cap;
	struct incident *changes; /* in this transaction, for who wants to know */
	size_t change_count, change_cap;
	int64_t trim_ms;
	bool rules_changed; /* other labels, other silences match */
	bool counts_changed;
};

/* Call on with an incident and its labels; rules may be NULL. */
void alert_show(const struct incident *i, const struct rules_set *rules, alert_on_incident *on,
		void *arg);
