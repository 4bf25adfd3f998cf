/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/v3_config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aggregator/serve/json_in.h"
#include "aggregator/serve/v3.h"
#include "common/err.h"
#include "common/log.h"

#define MODULE "default" /* the one storage and the one evaluator */

static const struct {
	const char *name;
	enum log_level level;
} LEVELS[] = {
	/* The first name of a level is the one that is shown. */
	{"debug", LOG_LEVEL_DEBUG}, {"info", LOG_LEVEL_INFO},   {"warn", LOG_LEVEL_WARN},
	{"error", LOG_LEVEL_ERROR}, {"trace", LOG_LEVEL_DEBUG}, {"warning", LOG_LEVEL_WARN},
	{"fatal", LOG_LEVEL_ERROR}, /* errors are never turned off */
};

static const char *level_name(void)
{
	size_t i = 0;

	while (LEVELS[i].level != log_get_level())
		i++;
	return LEVELS[i].name;
}

static void put_str(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_str(j, value);
}

static void put_int(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

/* Burrow's times are whole seconds. */
static void put_seconds(struct json *j, const char *key, int64_t ms)
{
	put_int(j, key, (ms + 999) / 1000);
}

static void put_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

static void begin_object(struct json *j, const char *key)
{
	json_key(j, key);
	json_begin_object(j);
}

/* --- the main configuration --- */

static void put_logging(struct json *j)
{
	begin_object(j, "logging");
	put_str(j, "filename", "");
	put_int(j, "max-size", 0);
	put_int(j, "max-backups", 0);
	put_int(j, "max-age", 0);
	put_bool(j, "use-local-time", false);
	put_bool(j, "use-compression", false);
	put_str(j, "level", level_name());
	json_end_object(j);
}

static void put_zookeeper(struct json *j)
{
	begin_object(j, "zookeeper");
	json_key(j, "servers");
	json_null(j);
	put_int(j, "timeout", 0);
	put_str(j, "root-path", "");
	json_end_object(j);
}

void v3_config_main(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_config *config = server_config(s);
	struct json j = v3_begin(rs, "main config returned");

	v3_request(&j, s, rq);
	begin_object(&j, "general");
	put_str(&j, "pidfile", "");
	put_str(&j, "stdout-logfile", "");
	put_str(&j, "access-control-allow-origin", config->allow_origin);
	json_end_object(&j);
	put_logging(&j);
	put_zookeeper(&j);
	begin_object(&j, "httpserver");
	begin_object(&j, "default");
	put_str(&j, "address", config->listen);
	put_str(&j, "tls", "");
	put_seconds(&j, "timeout", config->idle_timeout_ms);
	json_end_object(&j);
	json_end_object(&j);
	json_end_object(&j);
}

/* --- lists --- */

static struct json begin_list(struct server *s, const struct request *rq, struct response *rs,
			      const char *coordinator)
{
	struct json j = v3_begin(rs, "module list returned");

	v3_request(&j, s, rq);
	put_str(&j, "coordinator", coordinator);
	json_key(&j, "modules");
	json_begin_array(&j);
	return j;
}

static void end_list(struct json *j)
{
	json_end_array(j);
	json_end_object(j);
}

void v3_config_storages(struct server *s, const struct request *rq, struct response *rs)
{
	struct json j = begin_list(s, rq, rs, "storage");

	json_str(&j, MODULE);
	end_list(&j);
}

void v3_config_evaluators(struct server *s, const struct request *rq, struct response *rs)
{
	struct json j = begin_list(s, rq, rs, "evaluator");

	json_str(&j, MODULE);
	end_list(&j);
}

/* Warren's agents are both the cluster and the consumer module of a cluster. */
static void list_clusters(struct server *s, const struct request *rq, struct json *j)
{
	struct view **views = NULL;
	size_t count = server_all_views(s, rq, &views);

	for (size_t i = 0; i < count; i++) {
		json_str(j, views[i]->cluster);
		view_unref(&views[i]);
	}
	free(views);
}

void v3_config_clusters(struct server *s, const struct request *rq, struct response *rs)
{
	struct json j = begin_list(s, rq, rs, "cluster");

	list_clusters(s, rq, &j);
	end_list(&j);
}

void v3_config_consumers(struct server *s, const struct request *rq, struct response *rs)
{
	struct json j = begin_list(s, rq, rs, "consumer");

	list_clusters(s, rq, &j);
	end_list(&j);
}

void v3_config_notifiers(struct server *s, const struct request *rq, struct response *rs)
{
	struct json j = begin_list(s, rq, rs, "notifier");

	end_list(&j);
}

/* --- modules --- */

static struct json begin_module(struct response *rs, const char *message)
{
	struct json j = v3_begin(rs, message);

	begin_object(&j, "module");
	return j;
}

static void end_module(struct json *j, struct server *s, const struct request *rq)
{
	json_end_object(j);
	v3_end(j, s, rq);
}

void v3_config_storage(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_config *config = server_config(s);

	if (strcasecmp(rq->args[0], MODULE) != 0) {
		server_refuse(s, rq, 404, "storage module not found", rs);
		return;
	}
	struct json j = begin_module(rs, "storage module detail returned");
	put_str(&j, "class-name", "inmemory");
	put_int(&j, "intervals", config->intervals);
	put_int(&j, "min-distance", 0);
	put_str(&j, "group-allowlist", "");
	put_seconds(&j, "expire-group", config->expire_group_ms);
	put_str(&j, "group-denylist", "");
	end_module(&j, s, rq);
}

void v3_config_evaluator(struct server *s, const struct request *rq, struct response *rs)
{
	const struct server_config *config = server_config(s);

	if (strcasecmp(rq->args[0], MODULE) != 0) {
		server_refuse(s, rq, 404, "evaluator module not found", rs);
		return;
	}
	struct json j = begin_module(rs, "evaluator module detail returned");
	put_str(&j, "class-name", "caching");
	put_int(&j, "expire-cache", 0);
	put_int(&j, "minimum-complete", 0);
	put_int(&j, "allowed-lag", config->allowed_lag);
	put_seconds(&j, "max-time-lag", config->max_time_lag_ms);
	put_seconds(&j, "window", config->window_ms);
	put_seconds(&j, "stop-after-min", config->stop_after_min_ms);
	put_seconds(&j, "stop-after-max", config->stop_after_max_ms);
	put_seconds(&j, "warn-after", config->warn_after_ms);
	put_int(&j, "raise-after", config->raise_after);
	put_int(&j, "clear-after", config->clear_after);
	end_module(&j, s, rq);
}

void v3_config_consumer(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(view_unref) struct view *v = v3_find_cluster(s, rq, rq->args[0]);

	if (v == NULL) {
		server_refuse(s, rq, 404, "consumer module not found", rs);
		return;
	}
	struct json j = begin_module(rs, "consumer module detail returned");
	put_str(&j, "class-name", "kafka");
	put_str(&j, "cluster", v->cluster);
	v3_servers(&j, v);
	put_str(&j, "group-allowlist", "");
	put_str(&j, "zookeeper-path", "");
	put_int(&j, "zookeeper-timeout", 0);
	v3_client_profile(&j);
	put_str(&j, "offsets-topic", "__consumer_offsets");
	put_bool(&j, "start-latest", false);
	put_bool(&j, "backfill-earliest", false);
	put_str(&j, "group-denylist", "");
	end_module(&j, s, rq);
}

void v3_config_notifier(struct server *s, const struct request *rq, struct response *rs)
{
	server_refuse(s, rq, 404, "notifier module not found", rs);
}

/* --- the log level --- */

void v3_config_get_loglevel(struct server *s, const struct request *rq, struct response *rs)
{
	struct json j = v3_begin(rs, "log level returned");

	put_str(&j, "level", level_name());
	v3_end(&j, s, rq);
}

void v3_config_set_loglevel(struct server *s, const struct request *rq, struct response *rs)
{
	char name[16];
	int err = json_in_member(rq->body, rq->body_size, "level", name, sizeof(name));

	if (err == ERR_MALFORMED) {
		server_refuse(s, rq, 400, "could not decode message body", rs);
		return;
	}
	for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(LEVELS); i++) {
		if (strcasecmp(name, LEVELS[i].name) != 0)
			continue;
		log_set_level(LEVELS[i].level);
		struct json j = v3_begin(rs, "set log level");
		v3_end(&j, s, rq);
		return;
	}
	server_refuse(s, rq, 404, "unknown log level", rs);
}
