/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * silent - ends TCP connections that do not get through their TLS handshake.
 *
 * nng never gives up a handshake, and tells nothing of a connection before it is through: who
 * connects and says nothing would hold a descriptor of ours for ever. So the process's own
 * descriptors are looked through for connections to our ports that nng has not made known.
 */

#include "common/base.h"

#define SILENT_PORTS_MAX 16
#define SILENT_REMOTE_MAX 64

/* A socket of one of the ports. */
struct silent_socket {
	uint64_t inode; /* no two sockets have the same while one is open */
	int64_t since_ms;
	bool settled; /* it was known once */
};

struct silent {
	uint16_t ports[SILENT_PORTS_MAX]; /* those that speak TLS */
	size_t port_count;
	struct silent_socket *sockets; /* owned, sorted by inode */
	size_t count;
};

/* Whether a connection is through; remote as silent_describe() writes it. */
typedef bool silent_known(void *arg, const char *remote);

/* Shut down each connection to one of the ports that is not known limit_ms after it was first seen;
 * returns how many. now_ms is a monotonic clock. */
size_t silent_sweep(struct silent *s, int64_t now_ms, int64_t limit_ms, silent_known *known,
		    void *arg);

/* "10.0.0.7:51234" or "[::1]:51234"; address is a struct sockaddr of either family, port in network
 * order. */
void silent_describe(int family, const void *address, uint16_t port,
		     char ret_text[static SILENT_REMOTE_MAX]);

/* Accepts a zeroed one. */
void silent_free(struct silent *s);
