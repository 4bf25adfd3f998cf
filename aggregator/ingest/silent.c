/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/silent.h"
#include "common/mem.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void silent_describe(int family, const void *address, uint16_t port,
		     char ret_text[static SILENT_REMOTE_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(family, address, host, sizeof(host));
	snprintf(ret_text, SILENT_REMOTE_MAX, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
		 ntohs(port));
}

/* Where fd comes from, if it is a connection to one of the ports. */
static bool is_ours(const struct silent *s, int fd, char ret_remote[static SILENT_REMOTE_MAX])
{
	union address local = {0}, remote = {0};
	socklen_t local_size = sizeof(local), remote_size = sizeof(remote);

	if (getsockname(fd, &local.any, &local_size) != 0 ||
	    (local.any.sa_family != AF_INET && local.any.sa_family != AF_INET6))
		return false;
	bool v6 = local.any.sa_family == AF_INET6;
	uint16_t port = ntohs(v6 ? local.v6.sin6_port : local.v4.sin_port);
	size_t i = 0;
	while (i < s->port_count && s->ports[i] != port)
		i++;
	/* The listening socket itself has no peer. */
	if (i == s->port_count || getpeername(fd, &remote.any, &remote_size) != 0)
		return false;
	if (v6)
		silent_describe(AF_INET6, &remote.v6.sin6_addr, remote.v6.sin6_port, ret_remote);
	else
		silent_describe(AF_INET, &remote.v4.sin_addr, remote.v4.sin_port, ret_remote);
	return true;
}

static int by_inode(const void *a, const void *b)
{
	const struct silent_socket *x = a;
	const struct silent_socket *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* What is to be thought of the socket now; true: it has been silent for too long. */
static bool judge(const struct silent *s, struct silent_socket *it, int64_t limit_ms,
		  const char *remote, silent_known *known, void *arg)
{
	int64_t now_ms = it->since_ms;
	const struct silent_socket *before =
		s->count == 0 ? NULL : bsearch(it, s->sockets, s->count, sizeof(*it), by_inode);

	if (before != NULL)
		*it = *before;
	it->settled = it->settled || known(arg, remote);
	return !it->settled && now_ms - it->since_ms >= limit_ms;
}

size_t silent_sweep(struct silent *s, int64_t now_ms, int64_t limit_ms, silent_known *known,
		    void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct silent_socket *found = NULL;
	size_t count = 0, room = 0, ended = 0;

	if (dir == NULL)
		return 0;
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		int fd = atoi(e->d_name); /* no number only where it is . or .. */
		char remote[SILENT_REMOTE_MAX];
		struct stat st;

		if (fstatat(dirfd(dir), e->d_name, &st, 0) != 0 || !S_ISSOCK(st.st_mode) ||
		    !is_ours(s, fd, remote))
			continue;
		if (count == room) {
			room = MAX(2 * room, (size_t)64);
			found = mem_resize(found, room, sizeof(*found));
		}
		found[count] = (struct silent_socket){.inode = st.st_ino, .since_ms = now_ms};
		/* Should nng close it and something else open another under this number just now,
		 * that connection ends and is made again: they all are. */
		if (judge(s, &found[count], limit_ms, remote, known, arg))
			ended += shutdown(fd, SHUT_RDWR) == 0;
		count++;
	}
	closedir(dir);
	free(s->sockets);
	s->sockets = found;
	s->count = count;
	if (count > 0)
		qsort(found, count, sizeof(*found), by_inode);
	return ended;
}

void silent_free(struct silent *s)
{
	free(s->sockets);
	*s = (struct silent){0};
}
