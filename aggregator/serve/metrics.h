/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * metrics - the board as Prometheus reads it: Burrow's six families under their names, and
 * Warren's.
 *
 * What grows with groups and partitions is rendered once for each state of the board, however many
 * scrape it; what is about agents is little, depends on the time, and is rendered for each scrape.
 */

#include "aggregator/serve/server.h"

struct metrics; /* the last rendering; thread safe */

/* NULL: no memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics **m);

void metrics_scrape(struct server *s, const struct request *rq, struct response *rs);
