/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"

/* Why the open file may not be a secret's; NULL if it may. */
static const char *why_not(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_str(-errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if ((st.st_mode & S_IRWXO) != 0)
		return "others may read or write it; expects a mode such as 0640";
	return NULL;
}

const char *secret_read(const char *path, char *line, size_t size)
{
	/* Without O_NONBLOCK opening a FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_str(-errno);
	const char *why = why_not(fd);
	ssize_t n = why == NULL ? read(fd, line, size - 1) : 0;
	if (n < 0)
		why = err_str(-errno);
	close(fd);
	if (why != NULL)
		return why;
	line[n] = '\0';
	size_t length = strcspn(line, "\r\n");
	if (length == 0)
		return "its first line is empty";
	if (length == size - 1)
		return "its first line is too long";
	line[length] = '\0';
	return NULL;
}

bool secret_same(const char *given, const char *secret)
{
	size_t size = strlen(secret);
	size_t given_size = strlen(given);
	unsigned differ = size != given_size;

	/* The bytes behind the end of given are replaced by its first, which may be its NUL. */
	for (size_t i = 0; i < size; i++)
		differ |= (unsigned char)secret[i] ^ (unsigned char)given[i < given_size ? i : 0];
	return differ == 0;
}
