/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * margin - how long until messages that wait are deleted unread.
 *
 * Retention by time deletes a message when it has reached an age, retention by size deletes it when
 * so much has come after it; with producers that go on as they did both let a message grow as old
 * as the oldest message that is left. So the margin is the age of the oldest message in the log
 * less the age of the oldest unread one. It is told only of logs that were seen deleting, and never
 * is longer than what is left while producers are steady: the oldest message is a little younger
 * than the age at which it goes.
 */

#include "aggregator/judge/history.h"
#include "aggregator/judge/judge.h"
#include "aggregator/store/past.h"

/* The log start has moved in this pass: keep when the message came that is the oldest now. */
void margin_note(struct store_txn *t, struct store_log_key k, const struct log_track *log,
		 const struct history *h);

struct margin {
	int64_t ms;    /* 0: being deleted already; TRACK_UNKNOWN: not known, or nothing waits */
	bool at_least; /* it is longer, the history does not reach back */
};

struct margin margin_of(struct store_txn *t, struct store_log_key k, const struct log_track *log,
			const struct verdict *v, int64_t now_ms);
