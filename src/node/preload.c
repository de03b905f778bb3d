// SPDX-License-Identifier: MIT
#include "node/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The build makes it of preload.js. */
static const char text[] =
#include "node/preload.js.h"
	;

int preload_check(const char *path, const struct user_rights *rights)
{
	struct user_rights_region region;
	int fd, error = user_rights_begin(rights, &region);

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	error = fd < 0 ? -errno : 0;
	user_rights_end(&region);
	if (fd >= 0)
		close(fd);
	return error;
}

int preload_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t length = sizeof(text) - 1;
	int error = 0;

	if (fd < 0)
		return -errno;
	/* fchmod() is not subject to the umask: workers may run as another user. */
	if (fchmod(fd, 0644))
		error = -errno;
	else if (write(fd, text, length) != (ssize_t)length)
		error = -EIO;
	close(fd);
	return error;
}
