/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * clients - the connections of the HTTP server.
 *
 * libmicrohttpd ends a connection that is silent; one that sends a byte now and then could stay
 * for ever, and enough of them leave no room for others. So a request must be whole in a given
 * time, counted from the answer before it or from the connection's begin. Thread safe.
 */

#include "common/base.h"

#define CLIENTS_NAME_MAX 256

struct clients;

struct client {
	struct client *next, *previous;     /* owned by clients.c */
	int fd;                             /* borrowed */
	int64_t asks_since_ms;              /* owned by clients.c; 0: it is being answered */
	bool named;                         /* name is set; used by the connection's thread alone */
	char certificate[CLIENTS_NAME_MAX]; /* "": none */
};

/* ask_ms is the time for one request. Caller frees *ret_c with clients_free(). */
MUST_CHECK int clients_new(int64_t ask_ms, struct clients **ret_c);

/* When there are none left. */
void clients_free(struct clients **c);

/* A new connection; NULL: no memory. */
struct client *clients_add(struct clients *c, int fd);

/* The connection ends, and its socket has not been closed yet. */
void clients_remove(struct clients *c, struct client *client);

/* Its request is whole; and: it has been answered. */
void clients_asked(struct clients *c, struct client *client);
void clients_answered(struct clients *c, struct client *client);

/* Let no more requests come in: connections that are answered end after it, the others now.
 * True when there are none. */
bool clients_close_inward(struct clients *c);
