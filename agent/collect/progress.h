/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* progress - tells people how far the first reading is: a bar on a terminal, else log lines. */

#include "common/base.h"

struct progress {
	int64_t told_mono;
	bool shown; /* a bar stands on the terminal */
};

void progress_tell(struct progress *p, const char *cluster, uint64_t done, uint64_t total);

/* Done: end the bar. */
void progress_end(struct progress *p);
