/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* alertmanager - incidents as alerts of Prometheus' Alertmanager, API version 2. */

#include "aggregator/alert/message.h"
#include "common/buf.h"

/* An alert that is not sent again for so long is over: two repeats may be lost. */
#define ALERTMANAGER_LASTS_MS 300000

/* Append the body of POST /api/v2/alerts. The labels are what makes an alert, so they are the same
 * from every replica and as long as the incident lasts. now_ms: when it is sent. */
void alertmanager_put(struct buf *out, const struct message *m, int64_t now_ms);
