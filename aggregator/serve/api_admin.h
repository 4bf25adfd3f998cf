/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_admin - what who runs Warren may change of it: groups that are to be forgotten, and how much
 * it says. Each leaves a line for the audit, see server.c. */

#include "aggregator/serve/server.h"

/* Forget a group, or one topic of it, until it commits again. */
void api_group_delete(struct server *s, const struct request *rq, struct response *rs);
void api_group_topic_delete(struct server *s, const struct request *rq, struct response *rs);

/* {"level": "debug", "info", "warn" or "error"}, until the next start. */
void api_loglevel(struct server *s, const struct request *rq, struct response *rs);
void api_loglevel_set(struct server *s, const struct request *rq, struct response *rs);
