/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_stream - GET /api/v1/stream?env=&cluster=&group=: see stream.h. */

#include "aggregator/serve/server.h"

void api_stream(struct server *s, const struct request *rq, struct response *rs);
