/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_alerts - how much trouble there is, and how telling of it goes. The figures are of all
 * clusters: only for who sees all of them. */

#include "aggregator/serve/metrics_text.h"

void metrics_alerts(struct metrics_text *t, const struct server_calls *calls);
