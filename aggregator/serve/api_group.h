/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_group - groups as they are now. See api.h. */

#include "aggregator/serve/server.h"
#include "common/json.h"

/* Of all clusters, of those of an environment, and of one. */
void api_groups(struct server *s, const struct request *rq, struct response *rs);
void api_environment_groups(struct server *s, const struct request *rq, struct response *rs);
void api_cluster_groups(struct server *s, const struct request *rq, struct response *rs);

/* With its partitions and members. */
void api_group(struct server *s, const struct request *rq, struct response *rs);

/* "status", "reason", "reasons" and "since_ms": the reasons are that of the worst partition, and
 * what is remarkable beside it. */
void api_group_put_status(struct json *j, const struct view_group *g);
