/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_receiver_check - what must hold of a receiver in the configuration: checks of conf_item
 * and conf_schema. */

#include "common/conf.h"

/* --- of one value --- */

void config_receiver_check_url(struct conf_load *c, const struct tree_node *node, void *field);
void config_receiver_check_urls(struct conf_load *c, const struct tree_node *node, void *field);
void config_receiver_check_proxy(struct conf_load *c, const struct tree_node *node, void *field);
void config_receiver_check_server(struct conf_load *c, const struct tree_node *node, void *field);
void config_receiver_check_name(struct conf_load *c, const struct tree_node *node, void *field);
void config_receiver_check_to(struct conf_load *c, const struct tree_node *node, void *field);

/* It cannot end a line of a protocol. */
void config_receiver_check_line(struct conf_load *c, const struct tree_node *node, void *field);

/* Headers of one line each; those that look like secrets are marked as such. */
void config_receiver_check_headers(struct conf_load *c, const struct tree_node *node, void *field);

/* --- of the whole --- */

/* It has what its type needs, and no more; no password goes over the net in clear. */
void config_receiver_check(struct conf_load *c, const struct tree_node *map, void *object);
