/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_http - the part of the configuration under "http": who may ask, and over what. */

#include "common/conf.h"

/* The table of struct aggregator_http. */
extern const struct conf_schema CONFIG_HTTP;

/* Checks that need more than "http" itself: whether others than this machine may connect without
 * TLS and credentials. root is the map of the whole file, object a struct aggregator_config. */
void config_http_check(struct conf_load *c, const struct tree_node *root, void *object);

/* Take the relative names of files from the directory of the file at path. */
struct aggregator_http;
void config_http_place(const char *path, struct aggregator_http *http);
