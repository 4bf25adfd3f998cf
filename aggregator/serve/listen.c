/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"

#define BACKLOG 128

/* Cut "address:port" or "[address]:port"; a missing address is any. */
static int parse(const char *address, struct addrinfo **ret_list)
{
	char host[64];
	const char *colon = strrchr(address, ':');
	size_t size = colon != NULL ? (size_t)(colon - address) : 0;

	if (colon == NULL || size >= sizeof(host))
		return ERR_CONFIG;
	bool brackets = size >= 2 && address[0] == '[' && address[size - 1] == ']';
	snprintf(host, sizeof(host), "%.*s", (int)(brackets ? size - 2 : size), address + brackets);
	if (!brackets && strchr(host, ':') != NULL)
		return ERR_CONFIG;
	const struct addrinfo hints = {.ai_family = host[0] == '\0' ? AF_INET6 : AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	if (getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, ret_list) != 0)
		return ERR_CONFIG;
	return ERR_OK;
}

static int bind_and_listen(int fd, const struct addrinfo *to)
{
	const int on = 1;
	const int off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return -errno;
	if (to->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
		return -errno;
	if (bind(fd, to->ai_addr, to->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
		return -errno;
	return ERR_OK;
}

int listen_open(const char *address, int *ret_fd)
{
	struct addrinfo *to = NULL;
	int err = parse(address, &to);

	if (err != ERR_OK)
		return err;
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 ? -errno : bind_and_listen(fd, to);
	freeaddrinfo(to);
	if (err == ERR_OK)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

unsigned listen_port(int fd)
{
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(at);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
		return 0;
	memcpy(&v4, &at, sizeof(v4));
	memcpy(&v6, &at, sizeof(v6));
	return ntohs(at.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}
