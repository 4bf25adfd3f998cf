/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* openmetrics - Prometheus' text made that of OpenMetrics 1.0 (RFC draft, openmetrics.io), for who
 * asks for it. The two differ in the names of counters, and in the mark at the end, which to the
 * older format is a comment. */

#include "aggregator/serve/request.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OPENMETRICS_END "# EOF\n"

bool openmetrics_wanted(const struct request *rq);

/* Rewrite the HELP and TYPE lines of counters: the family has no _total, its samples have. */
void openmetrics_families(struct buf *b);
