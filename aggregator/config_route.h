/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_route - the part of the configuration under "alert.route": who is told of what, when. */

#include "common/conf.h"

struct alert_config;

/* The table of struct alert_route. */
extern const struct conf_schema CONFIG_ROUTE;

/* Have each route inherit from the one above what the file does not say, name those that have no
 * name, and report receivers that do not exist. map is that of the first route, or NULL. */
void config_route_check(struct conf_load *c, const struct tree_node *map, struct alert_config *a);
