/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_agent - agents: who they are, and how they fare. See api.h. */

#include "aggregator/serve/server.h"

/* These have no tag: what they tell changes with every message of an agent. */
void api_agents(struct server *s, const struct request *rq, struct response *rs);
void api_agent(struct server *s, const struct request *rq, struct response *rs);
