/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/server.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "aggregator/serve/api_admin.h"
#include "aggregator/serve/api_agent.h"
#include "aggregator/serve/api_cluster.h"
#include "aggregator/serve/api_explain.h"
#include "aggregator/serve/api_group.h"
#include "aggregator/serve/api_history.h"
#include "aggregator/serve/api_incidents.h"
#include "aggregator/serve/api_maintenance.h"
#include "aggregator/serve/api_openapi.h"
#include "aggregator/serve/api_outbox.h"
#include "aggregator/serve/api_partition.h"
#include "aggregator/serve/api_sparks.h"
#include "aggregator/serve/api_stream.h"
#include "aggregator/serve/api_topic.h"
#include "aggregator/serve/cache.h"
#include "aggregator/serve/deliver.h"
#include "aggregator/serve/health.h"
#include "aggregator/serve/metrics.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/route.h"
#include "aggregator/serve/rules_api.h"
#include "aggregator/serve/traffic.h"
#include "aggregator/serve/v3.h"
#include "aggregator/serve/v3_config.h"
#include "aggregator/serve/v3_group.h"
#include "aggregator/serve/web.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define CACHE_BYTES ((size_t)64 << 20)

struct server {
	struct server_config config;
	struct server_calls calls;
	struct board *board; /* borrowed */
	struct cache *cache;
	struct metrics *metrics;
	atomic_bool ready;
	struct traffic traffic;
	char host[256];
};

static const struct route ROUTES[] = {
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/lag", v3_group_lag, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group/status", v3_group_status,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster/consumer/:group", v3_group_detail, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster/consumer", v3_group_list, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster/topic/:topic/consumers", v3_topic_consumers,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster/topic/:topic", v3_topic, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster/topic", v3_topics, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka/:cluster", v3_cluster, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/kafka", v3_clusters, ACCESS_NEEDS_READ},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group/topic/:topic", v3_group_delete_topic,
	 ACCESS_NEEDS_BURROW_ADMIN},
	{METHOD_DELETE, "/v3/kafka/:cluster/consumer/:group", v3_group_delete,
	 ACCESS_NEEDS_BURROW_ADMIN},

	{METHOD_GET, "/v3/config", v3_config_main, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/storage", v3_config_storages, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/storage/:name", v3_config_storage, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/evaluator", v3_config_evaluators, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/evaluator/:name", v3_config_evaluator, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/cluster", v3_config_clusters, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/cluster/:cluster", v3_cluster, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/consumer", v3_config_consumers, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/consumer/:name", v3_config_consumer, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/notifier", v3_config_notifiers, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/config/notifier/:name", v3_config_notifier, ACCESS_NEEDS_READ},
	{METHOD_GET, "/v3/admin/loglevel", v3_config_get_loglevel, ACCESS_NEEDS_READ},
	{METHOD_POST, "/v3/admin/loglevel", v3_config_set_loglevel,
	 ACCESS_NEEDS_BURROW_ADMIN_OF_ALL},

	{METHOD_GET, "/api/v1/environments", api_environments, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/environments/:environment", api_environment, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/environments/:environment/clusters", api_environment_clusters,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/environments/:environment/groups", api_environment_groups,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/groups", api_groups, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/sparklines", api_sparks, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters", api_clusters, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster", api_cluster, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/topics", api_topics, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/topics/:topic", api_topic, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups", api_cluster_groups, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/partitions", api_partitions,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/members", api_members,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group", api_group, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/explain", api_explain,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/events", api_events,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/history", api_history_group,
	 ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/partitions/:topic/:partition/history",
	 api_history_partition, ACCESS_NEEDS_READ},
	{METHOD_DELETE, "/api/v1/clusters/:cluster/groups/:group/topics/:topic",
	 api_group_topic_delete, ACCESS_NEEDS_ADMIN},
	{METHOD_DELETE, "/api/v1/clusters/:cluster/groups/:group", api_group_delete,
	 ACCESS_NEEDS_ADMIN},
	{METHOD_GET, "/api/v1/loglevel", api_loglevel, ACCESS_NEEDS_READ},
	{METHOD_PUT, "/api/v1/loglevel", api_loglevel_set, ACCESS_NEEDS_ADMIN_OF_ALL},
	{METHOD_GET, "/api/v1/agents", api_agents, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/agents/:agent", api_agent, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/openapi.json", api_openapi, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/api/v1/stream", api_stream, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/rules", rules_api_list, ACCESS_NEEDS_READ},
	{METHOD_POST, "/api/v1/rules/reload", rules_api_reload, ACCESS_NEEDS_ADMIN_OF_ALL},
	{METHOD_GET, "/api/v1/clusters/:cluster/groups/:group/rules", rules_api_group,
	 ACCESS_NEEDS_READ},

	{METHOD_GET, "/api/v1/maintenance", api_maintenance, ACCESS_NEEDS_READ},
	{METHOD_POST, "/api/v1/maintenance", api_maintenance_add, ACCESS_NEEDS_ADMIN},
	{METHOD_DELETE, "/api/v1/maintenance/:id", api_maintenance_delete, ACCESS_NEEDS_ADMIN},

	{METHOD_GET, "/api/v1/incidents", api_incidents, ACCESS_NEEDS_READ},
	{METHOD_GET, "/api/v1/incidents/:id", api_incident, ACCESS_NEEDS_READ},
	{METHOD_POST, "/api/v1/incidents/:id/acknowledge", api_incident_acknowledge,
	 ACCESS_NEEDS_ADMIN},
	{METHOD_POST, "/api/v1/incidents/:id/resolve", api_incident_resolve, ACCESS_NEEDS_ADMIN},
	{METHOD_GET, "/api/v1/silences", api_silences, ACCESS_NEEDS_READ},
	{METHOD_POST, "/api/v1/silences", api_silence_add, ACCESS_NEEDS_ADMIN},
	{METHOD_DELETE, "/api/v1/silences/:id", api_silence_delete, ACCESS_NEEDS_ADMIN},

	{METHOD_GET, "/api/v1/outbox", api_outbox, ACCESS_NEEDS_READ},
	{METHOD_POST, "/api/v1/outbox/:id/retry", api_outbox_retry, ACCESS_NEEDS_ADMIN_OF_ALL},

	{METHOD_GET, "/burrow/admin", health_admin, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/burrow/admin/ready", health_admin_ready, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/healthz", health_live, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/readyz", health_ready, ACCESS_NEEDS_NOTHING},
	{METHOD_GET, "/metrics", metrics_scrape, ACCESS_NEEDS_METRICS},
};

static int fill_in(struct server *s)
{
	s->cache = cache_new(CACHE_BYTES);
	if (s->cache == NULL)
		return -ENOMEM;
	int err = metrics_start(s->board, &s->config, &s->metrics);
	if (err != ERR_OK)
		return err;
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
	metrics_stop(&gone->metrics);
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

const struct route *server_routes(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(ROUTES);
	return ROUTES;
}

/* --- what who asks sees of the board --- */

size_t server_all_views(struct server *s, const struct request *rq, struct view ***ret_views)
{
	struct view **views = NULL;
	size_t count = board_all(s->board, &views);
	size_t seen = 0;

	for (size_t i = 0; i < count; i++) {
		if (access_sees(rq->who, views[i]->environment, views[i]->cluster))
			views[seen++] = views[i];
		else
			view_unref(&views[i]);
	}
	*ret_views = views;
	return seen;
}

/* board_get() among some views. */
static struct view *pick(struct view *const *views, size_t count, const char *cluster)
{
	struct view *alike = NULL;
	size_t alikes = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(views[i]->cluster, cluster) != 0)
			continue;
		if (strcmp(views[i]->cluster, cluster) == 0)
			return view_ref(views[i]);
		alike = views[i];
		alikes++;
	}
	return alikes == 1 ? view_ref(alike) : NULL;
}

struct view *server_find_view(struct server *s, const struct request *rq, const char *cluster)
{
	struct view **views = NULL;

	if (rq->who->scope == 0)
		return board_get(s->board, cluster);
	size_t count = server_all_views(s, rq, &views);
	struct view *found = pick(views, count, cluster);
	for (size_t i = 0; i < count; i++)
		view_unref(&views[i]);
	free(views);
	return found;
}

void server_drop_group(struct server *s, uint32_t cluster_id, uint32_t group_id, const char *topic)
{
	board_drop_group(s->board, cluster_id, group_id, topic);
	metrics_forget(s->metrics, cluster_id);
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
	if (strncmp(rq->target, "/api/", 5) == 0) {
		problem_answer(rs, status, message);
		return;
	}
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

/* --- who may --- */

static void refuse_access(struct server *s, const struct request *rq, const struct auth_verdict *v,
			  struct response *rs)
{
	size_t count = 0;

	if (strncmp(rq->url, "/api/", 5) == 0)
		problem_answer(rs, v->status, v->why);
	else
		server_refuse(s, rq, v->status, v->why, rs);
	rs->retry_after_s = v->retry_after_s;
	if (v->status != 401)
		return;
	if (auth_has(s->config.auth, AUTH_TOKEN))
		rs->challenges[count++] = "Bearer realm=\"warren\"";
	if (auth_has(s->config.auth, AUTH_PASSWORD) || auth_has(s->config.auth, AUTH_HASH))
		rs->challenges[count++] = "Basic realm=\"warren\", charset=\"UTF-8\"";
	if (count == 0) /* the answer must have one, also where a certificate is what is missing */
		rs->challenges[0] = "Bearer realm=\"warren\"";
}

bool server_admit(struct server *s, enum access_need need, struct request *rq, struct response *rs)
{
	struct auth_ask ask = {
		.need = need,
		.authorization = rq->authorization,
		.certificate = rq->certificate,
	};
	struct auth_verdict v;

	memcpy(ask.from, rq->from, sizeof(ask.from));
	auth_decide(s->config.auth, &ask, clock_mono_ms(), &v);
	rq->need = need;
	rq->who = v.who;
	if (v.status == 200)
		return true;
	refuse_access(s, rq, &v, rs);
	return false;
}

/* Who changed what, or tried to and is known. Always in the log, whatever its level. */
static void audit(const struct request *rq, const struct response *rs)
{
	static const char *const METHODS[] = {
		[METHOD_DELETE] = "DELETE", [METHOD_POST] = "POST", [METHOD_PUT] = "PUT"};
	char body[128];
	char from[46];
	size_t size = MIN(rq->body_size, sizeof(body) - 1);

	memcpy(body, rq->body, size);
	body[size] = '\0';
	log_audit("change over HTTP", "who=%s from=%s method=%s target=%s body=%s status=%d",
		  log_quote(rq->who->name[0] != '\0' ? rq->who->name : "anonymous"),
		  auth_address_str(rq->from, from),
		  (size_t)rq->method < ARRAY_LEN(METHODS) && METHODS[rq->method] != NULL
			  ? METHODS[rq->method]
			  : "GET",
		  log_quote(rq->target), log_quote(body), rs->status);
}

static void handle(struct server *s, struct request *rq, struct response *rs)
{
	if (strlen(rq->target) > REQUEST_TARGET_MAX) {
		server_refuse(s, rq, 414, "the path is too long", rs);
		return;
	}
	rq->who = NULL;
	if (web_answer(rq, rs) && rs->body.err == ERR_OK)
		return;
	route_dispatch(ROUTES, ARRAY_LEN(ROUTES), s, rq, rs);
	rq->url = NULL; /* it was route_dispatch()'s */
	if (strncmp(rq->target, "/api/", 5) == 0)
		deliver(s, rq, rs);
	if (rs->body.err == ERR_LIMIT)
		server_refuse(s, rq, 503, "the answer is larger than this server sends", rs);
	else if (rs->body.err != ERR_OK)
		server_refuse(s, rq, 503, "no memory for the answer", rs);
	if (rq->who != NULL && access_changes(rq->need))
		audit(rq, rs);
}

void server_handle(struct server *s, struct request *rq, struct response *rs)
{
	int64_t began_us = clock_mono_us();

	response_init(rs);
	handle(s, rq, rs);
	traffic_add(&s->traffic, rq, rs->status, clock_mono_us() - began_us);
}

const struct traffic *server_traffic(const struct server *s)
{
	return &s->traffic;
}

struct stream *server_stream(struct server *s)
{
	return s->config.stream;
}
