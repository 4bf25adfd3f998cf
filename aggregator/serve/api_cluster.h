/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_cluster - environments and clusters as they are now, with the sums of their groups. See
 * api.h. */

#include "aggregator/serve/cells.h"
#include "aggregator/serve/server.h"

void api_environments(struct server *s, const struct request *rq, struct response *rs);
void api_environment(struct server *s, const struct request *rq, struct response *rs);
void api_clusters(struct server *s, const struct request *rq, struct response *rs);
void api_environment_clusters(struct server *s, const struct request *rq, struct response *rs);
void api_cluster(struct server *s, const struct request *rq, struct response *rs);

/* "starting", "catching_up", "running" or "blind"; "" if it is not known. */
const char *api_agent_state(int state);
