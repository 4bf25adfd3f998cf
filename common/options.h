/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* options - the options that both daemons have, and the checks that both need. */

#include "common/conf.h"
#include "common/log.h"

struct options_log {
	enum log_level level;
	enum log_format format;
};

/* The table of struct options_log. */
extern const struct conf_schema OPTIONS_LOG;

/* Make the log module follow these. */
void options_log_apply(const struct options_log *log);

/* A list of tcp://host:port and tls+tcp://host:port: reports each that is malformed. A conf_item's
 * check. */
void options_check_addresses(struct conf_load *c, const struct tree_node *node, void *field);

/* Report each address of the list under key that is plain tcp to other than loopback. node is the
 * list in the file, NULL if it is not there. */
void options_check_plain(struct conf_load *c, const struct tree_node *node,
			 const struct conf_list *addresses);

/* Whether host, as in an address and without brackets, is this machine only. */
bool options_loopback(const char *host);

/* Split "host:port" or "[v6]:port" into host (no brackets) and port, 1 to 65535. False if it is
 * neither. */
bool options_split_address(const char *text, char ret_host[static 256], uint16_t *ret_port);
