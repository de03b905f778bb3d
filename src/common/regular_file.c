// SPDX-License-Identifier: MIT
#include "common/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(int fd, off_t max)
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	return status.st_size > max ? -EFBIG : 0;
}

int regular_file_open(const char *path, off_t max, FILE **ret_file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error;
	FILE *file = NULL;

	if (fd < 0)
		return -errno;
	error = check(fd, max);
	if (!error) {
		file = fdopen(fd, "r");
		error = file ? 0 : -errno;
	}
	if (error) {
		close(fd);
		return error;
	}
	*ret_file = file;
	return 0;
}

const char *regular_file_error(int error)
{
	switch (error) {
	case -EINVAL:
		return "not a regular file";
	case -EFBIG:
		return "too large";
	default:
		return strerror(-error);
	}
}
