/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "aggregator/judge/judge.h"
#include "aggregator/judge/view.h"
#include "common/date.h"

void view_explain(const struct view_partition *p, struct buf *out)
{
	const struct view_why *w = p->why;

	if (w == NULL)
		return;
	const struct explain_facts f = {
		.reason = w->reason,
		.time_lag_at_least = p->time_lag_at_least,
		.ignored = w->ignored,
		.complete = p->complete,
		.committed = p->committed,
		.log_start = p->log_start,
		.log_end = p->log_end,
		.lag = p->lag,
		.lost = p->lost,
		.time_lag_ms = p->time_lag_ms,
		.elapsed_ms = w->elapsed_ms,
		.limit_ms = w->limit_ms,
		.eta_ms = p->eta_ms,
		.usual_ms = w->usual_ms,
		.unseen_ms = w->unseen_ms,
		.rewind_from = w->rewind_from,
		.rewind_to = w->rewind_to,
		.window_ms = w->window_ms,
		.maintenance_ms = w->maintenance_ms,
		.maintenance_why = w->maintenance_why,
	};
	explain_facts(&f, out);
}

static void explain_bad_group(const struct view_group *g, struct buf *out)
{
	const struct view_partition *p = &g->partitions[g->worst];
	buf_printf(out,
		   "%zu of %zu partitions in trouble, the worst %s/%" PRId32 " %s: ", g->bad_count,
		   g->partition_count, p->topic, p->partition, status_str(p->status));
	view_explain(p, out);
}

static void explain_maintenance(const struct view_group *g, struct buf *out)
{
	buf_puts(out, "; in maintenance until ");
	date_put(out, g->maintenance_until_ms);
	if (*g->maintenance_by != '\0')
		buf_printf(out, " by %s", g->maintenance_by);
	if (*g->maintenance_note != '\0')
		buf_printf(out, ": %s", g->maintenance_note);
}

void view_explain_group(const struct view_group *g, struct buf *out)
{
	if (g->bad_count == 0)
		explain_quiet_group(g->partition_count, g->unknown_count, g->total_lag, out);
	else
		explain_bad_group(g, out);
	if (g->maintenance_until_ms != 0)
		explain_maintenance(g, out);
}
