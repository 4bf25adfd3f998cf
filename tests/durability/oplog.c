/* SPDX-License-Identifier: Apache-2.0 */

/*
 * oplog - preloaded into a program, writes down what it does to files named data.mdb: every write
 * with its bytes, every sync, every change of length; and marks, where the program says that
 * something is promised now. From that a power cut can be played back: see powerloss.py.
 *
 * OPLOG names the file written to. A record is
 *	u8 kind, u8 flags, u32 file, u64 offset, u32 size; then size bytes
 * in the machine's byte order. File is the inode. Kinds: 1 write (flag 1: it is on disk when the
 * call returns), 2 sync, 3 set length to offset, 4 mark (offset: the caller's number).
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 1024
#define SUFFIX "/data.mdb"

enum kind { WRITE = 1, SYNC, LENGTH, MARK };

static struct {
	int fd;
	pthread_mutex_t lock;
	uint32_t inode[FDS]; /* 0: not a file of interest */
	uint8_t sync[FDS];   /* opened with O_DSYNC or O_SYNC */
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
	ssize_t (*writev)(int, const struct iovec *, int);
	int (*open)(const char *, int, ...);
	int (*fdatasync)(int);
	int (*fsync)(int);
	int (*ftruncate)(int, off_t);
	int (*fcntl)(int, int, ...);
	int (*close)(int);
} real = {.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static void *next(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (f == NULL)
		abort();
	return f;
}

/* A function pointer and a void pointer are the same here, though not in C. */
#define FIND(name) (*(void **)(void *)&real.name = next(#name))

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("OPLOG");

	FIND(write);
	FIND(pwrite);
	FIND(pwritev);
	FIND(writev);
	FIND(open);
	FIND(fdatasync);
	FIND(fsync);
	FIND(ftruncate);
	FIND(fcntl);
	FIND(close);
	if (path != NULL)
		real.fd = real.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void record(enum kind kind, int flags, uint32_t file, uint64_t offset,
		   const struct iovec *data, uint32_t size)
{
	uint8_t head[18];
	struct iovec all[2] = {{head, sizeof(head)}, {NULL, 0}};

	if (real.fd < 0)
		return;
	head[0] = (uint8_t)kind;
	head[1] = (uint8_t)flags;
	memcpy(head + 2, &file, 4);
	memcpy(head + 6, &offset, 8);
	memcpy(head + 14, &size, 4);
	if (data != NULL)
		all[1] = (struct iovec){data->iov_base, size};
	pthread_mutex_lock(&real.lock);
	if (real.writev(real.fd, all, 2) != (ssize_t)(sizeof(head) + size))
		abort();
	pthread_mutex_unlock(&real.lock);
}

static uint32_t tracked(int fd)
{
	return fd >= 0 && fd < FDS ? real.inode[fd] : 0;
}

static void track(int fd, const char *path, int flags)
{
	size_t size = strlen(path);
	struct stat st;

	if (fd < 0 || fd >= FDS)
		return;
	real.inode[fd] = 0;
	if (size < strlen(SUFFIX) || strcmp(path + size - strlen(SUFFIX), SUFFIX) != 0 ||
	    fstat(fd, &st) != 0)
		return;
	real.inode[fd] = (uint32_t)st.st_ino;
	real.sync[fd] = (flags & O_DSYNC) != 0;
}

static void record_writes(int fd, const struct iovec *v, int count, off_t at, ssize_t written)
{
	for (int i = 0; i < count && written > 0 && tracked(fd); i++) {
		size_t size = v[i].iov_len < (size_t)written ? v[i].iov_len : (size_t)written;

		record(WRITE, real.sync[fd], tracked(fd), (uint64_t)at, &v[i], (uint32_t)size);
		at += (off_t)size;
		written -= (ssize_t)size;
	}
}

/* For the program, which finds it by name when this is preloaded. */
void oplog_mark(uint64_t number);
void oplog_mark(uint64_t number)
{
	record(MARK, 0, 0, number, NULL, 0);
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = va_arg(args, mode_t);
	va_end(args);
	int fd = real.open(path, flags, mode);
	track(fd, path, flags);
	return fd;
}

int open64(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = va_arg(args, mode_t);
	va_end(args);
	return open(path, flags, mode);
}

int close(int fd)
{
	if (fd >= 0 && fd < FDS)
		real.inode[fd] = 0;
	return real.close(fd);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	struct iovec v = {(void *)(uintptr_t)data, size};
	ssize_t n = real.pwrite(fd, data, size, at);

	record_writes(fd, &v, 1, at, n);
	return n;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
	return pwrite(fd, data, size, at);
}

ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	ssize_t n = real.pwritev(fd, v, count, at);

	record_writes(fd, v, count, at, n);
	return n;
}

ssize_t pwritev64(int fd, const struct iovec *v, int count, off_t at)
{
	return pwritev(fd, v, count, at);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
	off_t at = tracked(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t n = real.writev(fd, v, count);

	record_writes(fd, v, count, at, n);
	return n;
}

ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec v = {(void *)(uintptr_t)data, size};
	off_t at = tracked(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t n = real.write(fd, data, size);

	record_writes(fd, &v, 1, at, n);
	return n;
}

int fdatasync(int fd)
{
	int rc = real.fdatasync(fd);

	if (rc == 0 && tracked(fd))
		record(SYNC, 0, tracked(fd), 0, NULL, 0);
	return rc;
}

int fsync(int fd)
{
	int rc = real.fsync(fd);

	if (rc == 0 && tracked(fd))
		record(SYNC, 0, tracked(fd), 0, NULL, 0);
	return rc;
}

int ftruncate(int fd, off_t length)
{
	int rc = real.ftruncate(fd, length);

	if (rc == 0 && tracked(fd))
		record(LENGTH, 0, tracked(fd), (uint64_t)length, NULL, 0);
	return rc;
}

int ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}
