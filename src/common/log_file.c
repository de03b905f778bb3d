// SPDX-License-Identifier: MIT
#include "common/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

/*
 * With O_NONBLOCK, a FIFO without a reader is refused at once: open() does not wait for a reader.
 */
#define FLAGS (O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static const char *remedy(int error)
{
	switch (error) {
	case ENOENT:
		return "make its directory first";
	case EACCES:
	case EPERM:
	case EROFS:
		return "name a file in a directory that stickyctl's user may write to";
	case ENXIO:
		return "it is a FIFO that no program reads: start its reader first";
	case EISDIR:
		return "name a file in it";
	default:
		return "name another file";
	}
}

static int make(const char *path)
{
	int fd = open(path, FLAGS | O_CREAT | O_EXCL, FILE_MODE);

	/* the mode is to be the same for every umask */
	if (fd >= 0)
		fchmod(fd, FILE_MODE);
	return fd;
}

int log_file_open(const char *path, struct error_text *ret_error)
{
	int fd = open(path, FLAGS), error;

	if (fd < 0 && errno == ENOENT)
		fd = make(path);
	if (fd < 0 && errno == EEXIST) /* the file was made meanwhile, or is a link to nothing */
		fd = open(path, FLAGS);
	if (fd >= 0)
		return fd;
	error = errno;
	error_text_set(ret_error, "--log-file: cannot open %s: %s\n%s", path, strerror(error),
		       remedy(error));
	return -error;
}
