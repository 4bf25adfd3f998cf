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

/* What one side of TLS shows and trusts, names of files in PEM; "" where not given. */
struct options_tls {
	char *ca_file;
	char *cert_file;
	char *key_file;
};

/* Report each of the three that is missing. node is where they should be, NULL if not there. */
void options_check_tls(struct conf_load *c, const struct tree_node *node,
		       const struct options_tls *tls);

/* Put the directory of the file at path before *name, if that is relative and not empty. */
void options_place_beside(const char *path, char **name);

/* The same for all three. */
void options_place_tls(const char *path, struct options_tls *tls);

/* Report an address, the value of key, that is neither tcp://host:port nor tls+tcp://host:port. */
void options_check_address(struct conf_load *c, const struct tree_node *node, const char *key,
			   const char *address);

/* A list of them. A conf_item's check. */
void options_check_addresses(struct conf_load *c, const struct tree_node *node, void *field);

/* Report an address that is plain tcp to other than loopback. */
void options_check_plain(struct conf_load *c, const struct tree_node *node, const char *address);

/* Whether the address, which was found right, begins with tls+tcp. */
bool options_is_tls(const char *address);

/* Take the host from an address that was found right, without brackets. True: it is a name; false:
 * it is an IP address. */
bool options_host(const char *address, char ret_host[static 256]);

/* Whether host, as in an address and without brackets, is this machine only. */
bool options_loopback(const char *host);

/* Split "host:port" or "[v6]:port" into host (no brackets) and port, 1 to 65535. False if it is
 * neither. */
bool options_split_address(const char *text, char ret_host[static 256], uint16_t *ret_port);
