/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* v3_group - the v3 requests about consumer groups. See v3.h. */

#include "aggregator/serve/server.h"

void v3_group_list(struct server *s, const struct request *rq, struct response *rs);

/* The points of each partition, from the store. */
void v3_group_detail(struct server *s, const struct request *rq, struct response *rs);

/* The verdict, with the partitions that are not OK, or with all. Rendered once for each view. */
void v3_group_status(struct server *s, const struct request *rq, struct response *rs);
void v3_group_lag(struct server *s, const struct request *rq, struct response *rs);

/* Gone from all answers when these return; from the store when its writer gets to it. */
void v3_group_delete(struct server *s, const struct request *rq, struct response *rs);
void v3_group_delete_topic(struct server *s, const struct request *rq, struct response *rs);
