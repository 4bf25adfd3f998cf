/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_openapi - GET /api/v1/openapi.json: what this API is, for programs; web/openapi.json as it is
 * compiled in. */

#include "aggregator/serve/server.h"

void api_openapi(struct server *s, const struct request *rq, struct response *rs);
