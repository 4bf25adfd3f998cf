/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_partition - the partitions and members of a group as they are now. See api.h. */

#include "aggregator/serve/api.h"

void api_partitions(struct server *s, const struct request *rq, struct response *rs);
void api_members(struct server *s, const struct request *rq, struct response *rs);

/* "partitions" and "members" of a group's own object. text is room for sentences. The members are
 * read from the store: fails as its call does, and then what is written is not whole. */
void api_partition_put_all(struct json *j, const struct view_group *g, struct buf *text);
MUST_CHECK int api_partition_put_members(struct server *s, struct json *j,
					 const struct api_group *g);
