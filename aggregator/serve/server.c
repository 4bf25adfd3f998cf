/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/server.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/serve/cache.h"
#include "aggregator/serve/health.h"
#include "aggregator/serve/metrics.h"
#include "aggregator/serve/route.h"
#include "aggregator/serve/rules_api.h"
#include "aggregator/serve/v3.h"
#include "aggregator/serve/v3_config.h"
#include "aggregator/serve/v3_group.h"
#include "common/err.h"

#define CACHE_BYTES ((size_t)32 << 20)

struct server {
	struct server_config config;
	struct server_calls calls;
	struct board *board; /* borrowed */
	struct cache *cache;
	struct metrics *metrics;
	atomic_bool ready;
	char host[256];
};

static const struct route ROUTES[] = {
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/lag", v3_group_lag},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/status", v3_group_status},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group", v3_group_detail},
	{METHOD_GET, "/v3/kafka/:cluster/consumer", v3_group_list},
	{METHOD_GET, "/v3/kafka/:cluster/topic/:topic/consumers", v3_topic_consumers},
	{METHOD_GET, "/v3/kafka/:cluster/topic/:topic", v3_topic},
	{METHOD_GET, "/v3/kafka/:cluster/topic", v3_topics},
	{METHOD_GET, "/v3/kafka/:cluster", v3_cluster},
	{METHOD_GET, "/v3/kafka", v3_clusters},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group/topic/:topic", v3_group_delete_topic},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group", v3_group_delete},

	{METHOD_GET, "/v3/config", v3_config_main},
	{METHOD_GET, "/v3/config/storage", v3_config_storages},
	{METHOD_GET, "/v3/config/storage/:name", v3_config_storage},
	{METHOD_GET, "/v3/config/evaluator", v3_config_evaluators},
	{METHOD_GET, "/v3/config/evaluator/:name", v3_config_evaluator},
	{METHOD_GET, "/v3/config/cluster", v3_config_clusters},
	{METHOD_GET, "/v3/config/cluster/:cluster", v3_cluster},
	{METHOD_GET, "/v3/config/consumer", v3_config_consumers},
	{METHOD_GET, "/v3/config/consumer/:name", v3_config_consumer},
	{METHOD_GET, "/v3/config/notifier", v3_config_notifiers},
	{METHOD_GET, "/v3/config/notifier/:name", v3_config_notifier},
	{METHOD_GET, "/v3/admin/loglevel", v3_config_get_loglevel},
	{METHOD_POST, "/v3/admin/loglevel", v3_config_set_loglevel},

	{METHOD_GET, "/api/v1/rules", rules_api_list},
	{METHOD_POST, "/api/v1/rules/reload", rules_api_reload},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/rules", rules_api_group},

	{METHOD_GET, "/burrow/admin", health_admin},
	{METHOD_GET, "/burrow/admin/ready", health_admin_ready},
	{METHOD_GET, "/healthz", health_live},
	{METHOD_GET, "/readyz", health_ready},
	{METHOD_GET, "/metrics", metrics_scrape},
};

static int fill_in(struct server *s)
{
	s->cache = cache_new(CACHE_BYTES);
	s->metrics = metrics_new();
	if (s->cache == NULL || s->metrics == NULL)
		return -ENOMEM;
	if (s->config.host[0] != '\0')
		return ERR_OK;
	s->config.host = s->host;
	return gethostname(s->host, sizeof(s->host) - 1) == 0 ? ERR_OK : -errno;
}

int server_new(const struct server_config *config, const struct server_calls *calls,
	       struct board *board, struct server **ret_s)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->config = *config;
	s->calls = *calls;
	s->board = board;
	int err = fill_in(s);
	if (err == ERR_OK)
		*ret_s = s;
	else
		server_free(&s);
	return err;
}

void server_free(struct server **s)
{
	struct server *gone = *s;

	*s = NULL;
	if (gone == NULL)
		return;
	cache_free(&gone->cache);
	metrics_free(&gone->metrics);
	free(gone);
}

void server_set_ready(struct server *s, bool ready)
{
	atomic_store(&s->ready, ready);
}

bool server_ready(const struct server *s)
{
	return atomic_load(&s->ready);
}

const struct server_config *server_config(const struct server *s)
{
	return &s->config;
}

const struct server_calls *server_calls(const struct server *s)
{
	return &s->calls;
}

struct board *server_board(struct server *s)
{
	return s->board;
}

struct cache *server_cache(struct server *s)
{
	return s->cache;
}

struct metrics *server_metrics(struct server *s)
{
	return s->metrics;
}

void server_refuse(const struct server *s, const struct request *rq, int status,
		   const char *message, struct response *rs)
{
	response_free(rs);
	response_init(rs);
	rs->status = status;
	rs->type = "application/json";

	struct json j = {.out = &rs->body};
	json_begin_object(&j);
	json_key(&j, "error");
	json_bool(&j, true);
	json_key(&j, "message");
	json_str(&j, message);
	v3_end(&j, s, rq);
}

void server_handle(struct server *s, struct request *rq, struct response *rs)
{
	response_init(rs);
	if (strlen(rq->target) > REQUEST_TARGET_MAX) {
		server_refuse(s, rq, 414, "the path is too long", rs);
		return;
	}
	route_dispatch(ROUTES, ARRAY_LEN(ROUTES), s, rq, rs);
	rq->url = NULL; /* it was route_dispatch()'s */
	if (rs->body.err == ERR_LIMIT)
		server_refuse(s, rq, 503, "the answer is larger than this server sends", rs);
	else if (rs->body.err != ERR_OK)
		server_refuse(s, rq, 503, "no memory for the answer", rs);
}
