/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_self - how this aggregator fares: what comes in, judging, the store, HTTP. */

#include "aggregator/serve/metrics_text.h"

void metrics_self(struct metrics_text *t, struct server *s);
