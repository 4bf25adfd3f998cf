/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_outbox - the messages of alerts that wait, were sent or could not be, under /api/v1/outbox. */

#include "aggregator/serve/server.h"

void api_outbox(struct server *s, const struct request *rq, struct response *rs);
void api_outbox_retry(struct server *s, const struct request *rq, struct response *rs);
