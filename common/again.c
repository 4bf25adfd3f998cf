/* SPDX-License-Identifier: Apache-2.0 */
#include "common/again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BYTES_MAX 65536
#define ARGUMENTS_MAX 1024

int again(void)
{
	static char text[BYTES_MAX];
	static char *arguments[ARGUMENTS_MAX + 1];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t count = 0;

	if (size <= 0)
		return errno != 0 ? -errno : -ENOENT;
	for (ssize_t at = 0; at < size && count < ARGUMENTS_MAX; at++)
		if (at == 0 || text[at - 1] == '\0')
			arguments[count++] = &text[at];
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execv("/proc/self/exe", arguments);
	return -errno;
}
