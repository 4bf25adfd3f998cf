/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_alerts.h"

#include "aggregator/serve/exposition.h"
#include "common/clock.h"

static void put_result(struct buf *b, const char *result, uint64_t count)
{
	exposition_labelled(b, metrics_table_row(METRICS_ALERT_MESSAGES)->name, "result", result,
			    count);
}

static void put_delivery(struct metrics_text *t, const struct server_delivery *d)
{
	int64_t age_ms = d->oldest_ms == 0 ? 0 : MAX(clock_wall_ms() - d->oldest_ms, (int64_t)0);

	metrics_text_number(t, METRICS_ALERT_HELD, d->held);
	struct buf *b = metrics_text_family(t, METRICS_ALERT_MESSAGES);
	put_result(b, "sent", d->sent);
	put_result(b, "dead", d->dead);
	put_result(b, "retry", d->retries);
	metrics_text_number(t, METRICS_ALERT_WAITING, d->waiting);
	metrics_text_number(t, METRICS_ALERT_OLDEST, (uint64_t)age_ms / 1000);
	metrics_text_number(t, METRICS_ALERT_SENDS, d->sends);
}

static void put_incidents(void *arg, const char *environment, bool acknowledged, bool err,
			  uint64_t count)
{
	struct buf *b = arg;

	exposition_open(b, metrics_table_row(METRICS_INCIDENTS)->name);
	exposition_label(b, "environment", environment);
	exposition_label(b, "state", acknowledged ? "acknowledged" : "open");
	exposition_label(b, "status", err ? "ERR" : "WARN");
	exposition_close(b);
	exposition_int(b, (int64_t)count);
}

void metrics_alerts(struct metrics_text *t, const struct server_calls *calls)
{
	const struct server_alarms *a = &calls->alarms;
	struct server_delivery d = {0};

	if (a->delivery != NULL) {
		a->delivery(a->arg, &d);
		put_delivery(t, &d);
	}
	if (a->arg != NULL)
		a->counts(a->arg, put_incidents, metrics_text_family(t, METRICS_INCIDENTS));
}
