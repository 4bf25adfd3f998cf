/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* health - is the process alive, and may a load balancer send requests to it. */

#include "aggregator/serve/server.h"

/* Burrow's two: GOOD; READY, or STARTING with 503. */
void health_admin(struct server *s, const struct request *rq, struct response *rs);
void health_admin_ready(struct server *s, const struct request *rq, struct response *rs);

/* The same under the names that orchestrators expect. */
void health_live(struct server *s, const struct request *rq, struct response *rs);
void health_ready(struct server *s, const struct request *rq, struct response *rs);
