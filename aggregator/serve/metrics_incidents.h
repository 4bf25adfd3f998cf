/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_incidents - how much trouble there is, for metrics_scrape(). */

#include "aggregator/serve/server.h"

/* Append warren_incidents. To who sees some of the clusters alone nothing: the figures are of whole
 * environments. */
void metrics_incidents(struct buf *b, const struct server_calls *calls, const struct access *who);
