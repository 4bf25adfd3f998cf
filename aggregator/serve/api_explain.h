/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_explain - why a group is judged as it is. See api.h. */

#include "aggregator/serve/server.h"

/* The partitions that are not OK, with ?all all of them, or those of ?topic= and ?partition=. */
void api_explain(struct server *s, const struct request *rq, struct response *rs);
