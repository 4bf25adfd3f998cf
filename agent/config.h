/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config - what the agent is told: its YAML file as a plain struct, constant once loaded.
 *
 * Strings are never NULL; an option that is not set is "" or its default. Everything is owned by
 * the struct agent_config and valid until agent_config_free(). Any thread may read it.
 */

#include "common/base.h"
#include "common/buf.h"
#include "common/conf.h"
#include "common/options.h"

enum agent_source {
	AGENT_SOURCE_AUTO,          /* the offsets topic, else the Admin API */
	AGENT_SOURCE_OFFSETS_TOPIC, /* reads __consumer_offsets */
	AGENT_SOURCE_ADMIN,         /* asks for every group's offsets */
};

/* Globs; use them with glob_allowed(f->allow.items, f->allow.count, f->deny.items, f->deny.count,
 * name). Both empty: all names. */
struct agent_filter {
	struct conf_list allow;
	struct conf_list deny;
};

/* Reading single records where an aggregator asks whether any are left unread. */
struct agent_probe {
	bool enabled;
	int64_t per_pass;  /* partitions, 1 to 1000 */
	int64_t max_bytes; /* fetched for one of them, 1 KiB to 16 MiB */
};

struct agent_cluster {
	char *name;            /* 1-255 bytes of UTF-8 without '/' */
	char *environment;     /* 0-255 bytes of UTF-8 without '/' */
	struct conf_map kafka; /* librdkafka's properties, KEY_file already read into KEY */
	enum agent_source source;
	int64_t sample_interval_ms; /* 1 s to 10 min */
	struct agent_filter groups;
	struct agent_filter topics;
	struct agent_probe probe;
};

struct agent_tls {
	struct options_tls files;
	char *server_name; /* "": the host of each address */
};

struct agent_limits {
	int64_t spool_bytes;  /* 16 MiB to 1 TiB */
	int64_t spool_age_ms; /* 1 min to 30 d */
};

struct agent_config {
	char *name;                   /* 1-255 of [A-Za-z0-9._-] */
	char *state_dir;              /* not empty */
	struct conf_list aggregators; /* 1-8 of tcp://host:port or tls+tcp://host:port */
	struct agent_tls tls;         /* for the latter */
	char *key_file;               /* shows who this agent is; "": it has no key */
	struct conf_array clusters;   /* 1-64 of struct agent_cluster: agent_config_cluster() */
	struct agent_limits limits;
	struct options_log log;
	bool insecure;
};

/* The i-th cluster; i < cfg->clusters.count. */
static inline const struct agent_cluster *agent_config_cluster(const struct agent_config *cfg,
							       size_t i)
{
	return (const struct agent_cluster *)cfg->clusters.items + i;
}

/* Read the file at path and the *.yaml files of conf.d beside it. Caller frees *ret_cfg with
 * agent_config_free(). ERR_CONFIG, and all mistakes in errors, one "file:line: ..." a line, when
 * anything is wrong; also when the file cannot be read. Names of files of the link are then such
 * that they can be opened: a relative one is taken from the directory of path. */
MUST_CHECK int agent_config_load(const char *path, struct agent_config **ret_cfg,
				 struct buf *errors);

/* The same from text in memory, without conf.d; file is the name that errors show. */
MUST_CHECK int agent_config_parse(const char *file, const char *text, size_t size,
				  struct agent_config **ret_cfg, struct buf *errors);

/* The name that the certificate of the i-th aggregator must have; "" if it is plain tcp. */
void agent_config_server_name(const struct agent_config *cfg, size_t i, char ret_name[static 256]);

/* The effective configuration as YAML, defaults included and secrets masked. */
void agent_config_print(const struct agent_config *cfg, struct buf *out);

/* Accepts a pointer to NULL; *cfg is NULL after. */
void agent_config_free(struct agent_config **cfg);
