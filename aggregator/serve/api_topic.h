/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_topic - the topics of a cluster as they are now. See api.h. */

#include "aggregator/serve/server.h"

void api_topics(struct server *s, const struct request *rq, struct response *rs);

/* With its partitions, and the groups that read it. */
void api_topic(struct server *s, const struct request *rq, struct response *rs);
