/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_outbox - the messages of alerts that wait, were sent or could not be, under /api/v1/outbox;
 * and their figures for metrics_scrape(). */

#include "aggregator/serve/server.h"

void api_outbox(struct server *s, const struct request *rq, struct response *rs);

/* Append warren_alert_messages_total and the like; to who sees some of the clusters alone nothing.
 */
void api_outbox_metrics(struct buf *b, const struct server_calls *calls, const struct access *who);
