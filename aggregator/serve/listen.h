/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* listen - the socket that the HTTP server listens on. */

#include "common/base.h"

/* Listen on a numeric "address:port", "[v6]:port" or ":port" for any address. Caller closes
 * *ret_fd. ERR_CONFIG if it is none; -EADDRINUSE and the like if it cannot be had. */
MUST_CHECK int listen_open(const char *address, int *ret_fd);

/* The port of a socket, for an address of port 0. */
unsigned listen_port(int fd);
