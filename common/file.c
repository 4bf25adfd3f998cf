/* SPDX-License-Identifier: Apache-2.0 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/err.h"

#define PIECE ((size_t)16 << 10)

int file_read(const char *path, size_t limit, struct buf *out)
{
	FILE *f = fopen(path, "re");
	char piece[PIECE];
	size_t got = 1;

	if (f == NULL)
		return -errno;
	for (size_t left = limit + 1; left > 0 && got > 0; left -= got) {
		got = fread(piece, 1, MIN(left, PIECE), f);
		buf_put(out, piece, got);
	}
	int err = ferror(f) ? -errno : out->err;
	fclose(f);
	return err;
}

int file_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int err = fsync(fd) == 0 ? ERR_OK : -errno;
	close(fd);
	return err;
}
