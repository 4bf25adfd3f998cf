/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_history - what happened to a group, and how far it was behind. See api.h. */

#include "aggregator/serve/server.h"

/* ?before= and ?limit=; the newest first. */
void api_events(struct server *s, const struct request *rq, struct response *rs);

/* ?from=, ?to= and ?step=; in columns, which charts take as they are. */
void api_history_group(struct server *s, const struct request *rq, struct response *rs);
void api_history_partition(struct server *s, const struct request *rq, struct response *rs);
