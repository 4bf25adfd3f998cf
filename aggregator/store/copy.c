/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/store/store_priv.h"
#include "common/err.h"
#include "common/file.h"

#define PATH_BYTES 4096
#define PIECE ((size_t)16 << 20)

/* A file under a name of its own until it is whole. */
struct target {
	char dir[PATH_BYTES], part[PATH_BYTES], name[PATH_BYTES];
	int fd;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int fail(const char *path, int err, char why[static 512])
{
	snprintf(why, 512, "%.400s: %s", path, err_str(err));
	return err;
}

static int open_target(struct target *t, const char *dir, char why[static 512])
{
	t->fd = -1;
	if (snprintf(t->dir, PATH_BYTES, "%s", dir) >= PATH_BYTES ||
	    snprintf(t->name, PATH_BYTES, "%s/data.mdb", dir) >= PATH_BYTES ||
	    snprintf(t->part, PATH_BYTES, "%s/data.mdb.part", dir) >= PATH_BYTES)
		return fail(dir, -ENAMETOOLONG, why);
	if (mkdir(dir, 0750) != 0 && errno != EEXIST)
		return fail(dir, -errno, why);
	if (access(t->name, F_OK) == 0) {
		snprintf(why, 512,
			 "%.400s is there already; choose another directory, or move it "
			 "away",
			 t->name);
		return -EEXIST;
	}
	t->fd = open(t->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	return t->fd < 0 ? fail(t->part, -errno, why) : ERR_OK;
}

/* err: whether it is whole. */
static int finish_target(struct target *t, int err, char why[static 512])
{
	if (err == ERR_OK && fsync(t->fd) != 0)
		err = -errno;
	if (t->fd >= 0)
		close(t->fd);
	if (err == ERR_OK && rename(t->part, t->name) != 0)
		err = -errno;
	if (err == ERR_OK)
		return file_sync_folder(t->dir);
	unlink(t->part);
	return fail(t->part, err, why);
}

int copy_out(const char *dir, const char *to, char why[static 512])
{
	CLEANUP(store_close) struct store *st = NULL;
	struct target t;

	int err = store_open_readonly(dir, why, &st);
	if (err == ERR_OK)
		err = open_target(&t, to, why);
	if (err != ERR_OK)
		return err;
	err = lmdb_err(mdb_env_copyfd2(st->env, t.fd, MDB_CP_COMPACT));
	return finish_target(&t, err, why);
}

static int copy_bytes(int from, int to)
{
	ssize_t n;

	do
		n = sendfile(to, from, NULL, PIECE);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : ERR_OK;
}

int copy_in(const char *from, const char *dir, char why[static 512])
{
	CLEANUP(close_fd) int lock = -1;
	CLEANUP(close_fd) int fd = -1;
	struct target t;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/data.mdb", from);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(path, -errno, why);
	int err = store_lock(dir, &lock, why);
	if (err == ERR_OK)
		err = open_target(&t, dir, why);
	return err != ERR_OK ? err : finish_target(&t, copy_bytes(fd, t.fd), why);
}
