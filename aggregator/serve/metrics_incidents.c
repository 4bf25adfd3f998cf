/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_incidents.h"

#include "aggregator/serve/exposition.h"

static void put(void *arg, const char *environment, bool acknowledged, bool err, uint64_t count)
{
	struct buf *b = arg;

	buf_puts(b, "warren_incidents{");
	exposition_label(b, "environment", environment);
	exposition_label(b, "state", acknowledged ? "acknowledged" : "open");
	exposition_label(b, "status", err ? "ERR" : "WARN");
	exposition_labels_end(b);
	buf_put_u64(b, count);
	buf_putc(b, '\n');
}

void metrics_incidents(struct buf *b, const struct server_calls *calls, const struct access *who)
{
	if (calls->alarms.arg == NULL || who->scope != 0)
		return;
	exposition_family(b, "warren_incidents", "gauge", "Incidents that are not over");
	calls->alarms.counts(calls->alarms.arg, put, b);
}
