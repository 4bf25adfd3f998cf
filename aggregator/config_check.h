/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_check - checks of values that several parts under "alert" have, for conf_item. */

#include "common/conf.h"

/* Lists of words. */
void config_check_status(struct conf_load *c, const struct tree_node *node, void *field);
void config_check_reason(struct conf_load *c, const struct tree_node *node, void *field);
void config_check_kind(struct conf_load *c, const struct tree_node *node, void *field);
void config_check_days(struct conf_load *c, const struct tree_node *node, void *field);

/* One of them, or nothing. */
void config_check_one_status(struct conf_load *c, const struct tree_node *node, void *field);
void config_check_one_reason(struct conf_load *c, const struct tree_node *node, void *field);

void config_check_time(struct conf_load *c, const struct tree_node *node, void *field);
void config_check_zone(struct conf_load *c, const struct tree_node *node, void *field);
