/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * v3_config - the v3 requests about configuration and the log level. Warren's configuration has
 * another shape; what is answered is Burrow's shape, filled in where Warren has the like.
 */

#include "aggregator/serve/server.h"

void v3_config_main(struct server *s, const struct request *rq, struct response *rs);

/* Lists of modules. */
void v3_config_storages(struct server *s, const struct request *rq, struct response *rs);
void v3_config_evaluators(struct server *s, const struct request *rq, struct response *rs);
void v3_config_clusters(struct server *s, const struct request *rq, struct response *rs);
void v3_config_consumers(struct server *s, const struct request *rq, struct response *rs);
void v3_config_notifiers(struct server *s, const struct request *rq, struct response *rs);

/* One module; that of a cluster is v3_cluster()'s. */
void v3_config_storage(struct server *s, const struct request *rq, struct response *rs);
void v3_config_evaluator(struct server *s, const struct request *rq, struct response *rs);
void v3_config_consumer(struct server *s, const struct request *rq, struct response *rs);
void v3_config_notifier(struct server *s, const struct request *rq, struct response *rs);

void v3_config_get_loglevel(struct server *s, const struct request *rq, struct response *rs);
void v3_config_set_loglevel(struct server *s, const struct request *rq, struct response *rs);
