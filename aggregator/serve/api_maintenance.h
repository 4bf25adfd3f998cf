/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_maintenance - /api/v1/maintenance: what nobody wants to be judged for a time, declared and
 * ended by hand. */

#include "aggregator/serve/server.h"

void api_maintenance(struct server *s, const struct request *rq, struct response *rs);
void api_maintenance_add(struct server *s, const struct request *rq, struct response *rs);
void api_maintenance_delete(struct server *s, const struct request *rq, struct response *rs);
