/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * http - sockets to server_handle() and back. With http_answer.c the only user of libmicrohttpd.
 *
 * Its threads are its own. Limits on what a client may send or hold are kept here, all but those
 * of the path: connections in all and for each address, header bytes, body bytes, silence,
 * slowness, and requests of which two readers could see different ends.
 */

#include "aggregator/serve/server.h"

struct http_options {
	const char *listen;               /* numeric: address:port, [v6]:port, or :port for any */
	unsigned connections;             /* 1 to 480 */
	unsigned connections_per_address; /* 1 to 480 */
	unsigned idle_timeout_s;          /* 1 and up */
	bool tls;                         /* with what tls_new() has read */
	bool certificates;                /* it asks for those of clients */
};

struct http;

/* Listen and serve until http_stop(). s is borrowed and outlives *ret_h. ERR_CONFIG if listen does
 * not parse; -EADDRINUSE and the like if it cannot be had. */
MUST_CHECK int http_start(const struct http_options *options, struct server *s,
			  struct http **ret_h);

/* Takes no more requests and waits for the answers under way, 2 s at most; then no thread of the
 * server is left. */
void http_stop(struct http **h);

/* The port, for a listen of port 0. */
unsigned http_port(const struct http *h);
