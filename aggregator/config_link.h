/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_link - the part of the configuration about agents: where they connect, and who they are.
 */

#include "common/conf.h"

struct aggregator_config;

/* The tables of struct aggregator_listen and struct aggregator_agent. */
extern const struct conf_schema CONFIG_LISTEN;
extern const struct conf_schema CONFIG_AGENT;

/* A conf_item's check of the array "agents". */
void config_link_check_agents(struct conf_load *c, const struct tree_node *node, void *field);

/* Checks that need more: whether TLS has its files, and others than this machine no plain tcp. root
 * is the map of the whole file. */
void config_link_check(struct conf_load *c, const struct tree_node *root,
		       const struct aggregator_config *cfg);

/* Take the relative names of files from the directory of the file at path. */
void config_link_place(const char *path, struct aggregator_config *cfg);
