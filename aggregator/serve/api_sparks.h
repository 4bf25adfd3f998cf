/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_sparks - the lag of many groups over the last hour, in one answer. See api.h. */

#include "aggregator/serve/server.h"

/* ?group=ENVIRONMENT/CLUSTER/GROUP, up to SPARKS_MAX times, ?range= and ?points=. Groups that are
 * not there, or not for who asks, are left out. */
#define SPARKS_MAX 100
void api_sparks(struct server *s, const struct request *rq, struct response *rs);
