/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * metrics - /metrics: the board as Prometheus reads it, Burrow's six families under their names and
 * Warren's, in the older text format or in OpenMetrics 1.0, plain or as gzip.
 *
 * What grows with groups and partitions is made into a sheet for each cluster once a pass, by a
 * thread of its own as long as somebody scrapes, and as gzip for a while after a start; a scrape
 * copies sheets. Until the sheet of a new pass is there, in some 100 ms, the one before is sent;
 * what was deleted is not in any.
 */

#include "aggregator/serve/server.h"

struct metrics; /* thread safe */

/* board and config are borrowed. -ENOMEM, -EAGAIN: no thread. Caller owns *ret_m. */
MUST_CHECK int metrics_start(struct board *board, const struct server_config *config,
			     struct metrics **ret_m);
void metrics_stop(struct metrics **m);

/* Something of the cluster was deleted: what was prepared of it must not be sent any more. */
void metrics_forget(struct metrics *m, uint32_t cluster_id);

void metrics_scrape(struct server *s, const struct request *rq, struct response *rs);
