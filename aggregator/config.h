/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config - what the aggregator is told: its YAML file as a plain struct, constant once loaded.
 *
 * Strings are never NULL; an option that is not set is "" or its default. Everything is owned by
 * the struct aggregator_config and valid until aggregator_config_free(). Any thread may read it.
 */

#include "aggregator/alert/alert_config.h"
#include "aggregator/serve/access.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/conf.h"
#include "common/options.h"

/* One who may ask. Of token_sha256, token_file, password_hash, password_file and client_cn exactly
 * one is set; user goes with the passwords. */
struct aggregator_credential {
	char *name;
	char *token_sha256; /* secret; 64 hex digits */
	char *token_file;   /* a path, as all *_file */
	char *user;
	char *password_hash; /* secret */
	char *password_file;
	char *client_cn;
	struct conf_list roles;    /* names of access_role_parse(), 1 to 3 */
	struct conf_list clusters; /* patterns of ENVIRONMENT/CLUSTER, 1 to 64 */
};

struct aggregator_http_tls {
	char *cert_file; /* "": plain HTTP */
	char *key_file;
	char *client_ca_file; /* "": no certificates are asked for */
};

struct aggregator_http {
	char *listen; /* numeric, address:port or [v6]:port */
	struct aggregator_http_tls tls;
	enum access_role anonymous;      /* up to ACCESS_READ */
	struct conf_array auth;          /* of struct aggregator_credential */
	char *allow_origin;              /* Access-Control-Allow-Origin; "": no such header */
	int64_t connections;             /* 8 to 480 */
	int64_t connections_per_address; /* 1 to 480 */
	int64_t idle_timeout_ms;         /* 1 s to 5 min */
	bool metrics_partitions;         /* what /metrics holds */
	bool metrics_topics;
	bool metrics_groups;
};

/* Where agents connect. */
struct aggregator_listen {
	char *url;                 /* tcp://host:port or tls+tcp://host:port */
	struct options_tls tls;    /* for the latter */
	struct conf_list clusters; /* globs over ENVIRONMENT/CLUSTER; none: all */
};

/* One that may connect. */
struct aggregator_agent {
	char *name;
	char *key_file;
	struct conf_list clusters; /* globs over ENVIRONMENT/CLUSTER, 1 to 1000 */
};

/* What one agent may ask of the aggregator. */
struct aggregator_limits {
	int64_t new_names; /* groups and topics never seen before, a minute; 1000 to 10^9 */
};

/* The parameters of the rules. */
struct aggregator_judge {
	int64_t window_ms; /* 2 min to 1 h */
	int64_t intervals; /* points of a partition that the v3 API shows, 2 to 60 */
	int64_t allowed_lag;
	int64_t max_time_lag_ms; /* 0: no bound */
	int64_t stop_after_min_ms;
	int64_t stop_after_max_ms; /* not less than stop_after_min_ms */
	int64_t warn_after_ms;
	int64_t raise_after; /* passes, 1 to 100 */
	int64_t clear_after; /* passes, 1 to 100 */
	uint32_t given;      /* bit 1 << enum rules_key: in the file, expire_group too */
};

struct aggregator_config {
	char *data_dir;           /* not empty */
	int64_t map_size;         /* bytes, 64 MiB to 16 TiB */
	struct conf_array listen; /* 1-16 of struct aggregator_listen: aggregator_config_listen() */
	struct conf_array agents; /* of struct aggregator_agent; none: any agent may connect */
	struct aggregator_limits limits;
	struct aggregator_http http;
	struct aggregator_judge judge;
	struct alert_config alert;
	int64_t expire_group_ms;   /* 1 h to 3650 d */
	int64_t expire_cluster_ms; /* 1 h to 3650 d */
	char *rules_file;          /* "": none */
	struct options_log log;
	bool insecure;
};

/* The i-th place where agents connect; i < cfg->listen.count. */
static inline const struct aggregator_listen *
aggregator_config_listen(const struct aggregator_config *cfg, size_t i)
{
	return (const struct aggregator_listen *)cfg->listen.items + i;
}

/* The i-th agent; i < cfg->agents.count. */
static inline const struct aggregator_agent *
aggregator_config_agent(const struct aggregator_config *cfg, size_t i)
{
	return (const struct aggregator_agent *)cfg->agents.items + i;
}

/* Read the file at path and the *.yaml files of conf.d beside it. Caller frees *ret_cfg with
 * aggregator_config_free(). ERR_CONFIG, and all mistakes in errors, one "file:line: ..." a line,
 * when anything is wrong; also when the file cannot be read. Names of files in it are then such
 * that they can be opened: a relative one is taken from the directory of path. */
MUST_CHECK int aggregator_config_load(const char *path, struct aggregator_config **ret_cfg,
				      struct buf *errors);

/* The same from text in memory, without conf.d; file is the name that errors show. */
MUST_CHECK int aggregator_config_parse(const char *file, const char *text, size_t size,
				       struct aggregator_config **ret_cfg, struct buf *errors);

/* The effective configuration as YAML, defaults included and secrets masked. */
void aggregator_config_print(const struct aggregator_config *cfg, struct buf *out);

/* Accepts a pointer to NULL; *cfg is NULL after. */
void aggregator_config_free(struct aggregator_config **cfg);
