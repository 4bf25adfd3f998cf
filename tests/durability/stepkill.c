/* SPDX-License-Identifier: Apache-2.0 */

/*
 * stepkill - preloaded into an aggregator, ends it as kill -9 does before one of the steps in which
 * it writes its store or talks to receivers of messages; what is between two steps leaves no trace.
 *
 * STEPKILL names a file that holds how many steps are still done. Until it is there nothing is
 * counted. Each step from then on is written down, a line each, in the file STEPKILL.steps: its
 * name before it is done, so that the last is the one that was not.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *steps; /* NULL: nothing is counted yet */
static long left;

/* Whether the steps are counted by now. */
static bool is_armed(void)
{
	char path[4096], text[32] = "";
	const char *name = getenv("STEPKILL");

	if (steps != NULL || name == NULL)
		return steps != NULL;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	snprintf(path, sizeof(path), "%s.steps", name);
	left = atol(text);
	steps = fopen(path, "we");
	return steps != NULL;
}

static void step(const char *name)
{
	pthread_mutex_lock(&lock);
	if (is_armed()) {
		fprintf(steps, "%s\n", name);
		fflush(steps);
		if (left-- == 0)
			kill(getpid(), SIGKILL);
	}
	pthread_mutex_unlock(&lock);
}

static bool is_store(int fd)
{
	static const char END[] = "/data.mdb";
	char link[64], path[4096];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path));
	return n >= (ssize_t)strlen(END) && memcmp(path + n - strlen(END), END, strlen(END)) == 0;
}

/* A connection of the thread that delivers messages. */
static bool delivers(int fd)
{
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own);
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	return strcmp(name, "deliver") == 0 &&
	       getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.ss_family == AF_INET;
}

static void *next(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (f == NULL)
		abort();
	return f;
}

/* Define real to be the function of this name. A function pointer and a void pointer are the same
 * here, though not in C. */
#define REAL(type_, name_, ...)                                                                    \
	static type_ (*real)(__VA_ARGS__);                                                         \
	if (real == NULL)                                                                          \
	*(void **)(void *)&real = next(name_)

/* LMDB writes the page that makes a transaction hold through a file of its own, which is on disk
 * when the call returns. */
ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
	if (is_store(fd))
		step((fcntl(fd, F_GETFL) & O_DSYNC) != 0 ? "commit" : "write");
	return real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	REAL(ssize_t, "writev", int, const struct iovec *, int);
	if (is_store(fd))
		step("write");
	return real(fd, parts, count);
}

int fdatasync(int fd)
{
	REAL(int, "fdatasync", int);
	if (is_store(fd))
		step("sync");
	return real(fd);
}

int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	REAL(int, "connect", int, const struct sockaddr *, socklen_t);
	if (delivers(fd))
		step("connect");
	return real(fd, to, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	REAL(ssize_t, "send", int, const void *, size_t, int);
	if (delivers(fd))
		step("send");
	return real(fd, data, size, flags);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	REAL(ssize_t, "recv", int, void *, size_t, int);
	if (delivers(fd))
		step("receive");
	return real(fd, data, size, flags);
}
