/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_process - what this process takes of the machine, under the names that all programs give
 * it to Prometheus. Read from /proc. */

#include "aggregator/serve/metrics_text.h"

void metrics_process(struct metrics_text *t);
