/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/margin.h"

void margin_note(struct store_txn *t, struct store_log_key k, const struct log_track *log,
		 const struct history *h)
{
	struct past_oldest o = {.start = log->start};

	if (log->start < log->end)
		o.earlier = !history_passed(h, log->start, &o.at_ms);
	past_put_oldest(t, k, &o);
}

struct margin margin_of(struct store_txn *t, struct store_log_key k, const struct log_track *log,
			const struct verdict *v, int64_t now_ms)
{
	const struct margin unknown = {TRACK_UNKNOWN, false};
	struct past_oldest o;

	if (log == NULL || log->start_moved_ms == 0 || v->lag <= 0)
		return unknown;
	if (v->lost > 0)
		return (struct margin){0, false};
	/* The true age of the unread message may be greater, the margin less than what is told. */
	if (v->time_lag_ms < 0 || v->time_lag_at_least || !past_get_oldest(t, k, &o) ||
	    o.start != log->start || o.at_ms == 0)
		return unknown;
	return (struct margin){MAX(now_ms - o.at_ms - v->time_lag_ms, (int64_t)0), o.earlier != 0};
}
