/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * v3 - the requests about clusters and topics, answered as Burrow answers them, byte for byte where
 * its clients depend on it; and what the other v3 files share.
 *
 * Names are looked up as asked for; one that is not found and still holds an escape is unescaped
 * once more, as Telegraf escapes twice.
 */

#include "aggregator/serve/server.h"
#include "common/json.h"

void v3_clusters(struct server *s, const struct request *rq, struct response *rs);
void v3_cluster(struct server *s, const struct request *rq, struct response *rs);
void v3_topics(struct server *s, const struct request *rq, struct response *rs);
void v3_topic(struct server *s, const struct request *rq, struct response *rs);
void v3_topic_consumers(struct server *s, const struct request *rq, struct response *rs);

/* --- shared --- */

/* Begin an answer: {"error":false,"message":"...". */
struct json v3_begin(struct response *rs, const char *message);

/* "request":{...}, which every answer has. */
void v3_request(struct json *j, const struct server *s, const struct request *rq);

/* The same, and the end of the answer. */
void v3_end(struct json *j, const struct server *s, const struct request *rq);

/* The name unescaped once more, in copy; NULL if that changes nothing or cannot be. */
const char *v3_unescape_again(const char *name, char copy[static REQUEST_TARGET_MAX + 1]);

/* The view of the cluster that a name stands for, referenced; NULL: there is none. */
struct view *v3_find_cluster(struct server *s, const struct request *rq, const char *name);

/* "servers":[...],  and the client profile that Burrow has and Warren's agents keep to themselves.
 */
void v3_servers(struct json *j, const struct view *v);
void v3_client_profile(struct json *j);
