// SPDX-License-Identifier: MIT
#include "node/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The build makes these texts from stop.js and preload.js. */
static const char stop_text[] =
#include "node/stop.js.h"
	;
static const char connections_text[] =
#include "node/preload.js.h"
	;

static const struct {
	const char *name; /* name of the file, by which stop.js finds itself in NODE_OPTIONS */
	const char *text;
	size_t length;
} preloads[PRELOAD_COUNT] = {
	[PRELOAD_STOP] = {"stickyctl-stop.js", stop_text, sizeof(stop_text) - 1},
	[PRELOAD_CONNECTIONS] = {"stickyctl-preload.js", connections_text,
				 sizeof(connections_text) - 1},
};

const char *preload_name(enum preload preload)
{
	return preloads[preload].name;
}

int preload_write(enum preload preload, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t length = preloads[preload].length;
	int error = 0;

	if (fd < 0)
		return -errno;
	/* fchmod() is not subject to the umask: workers may run as another user. */
	if (fchmod(fd, 0644))
		error = -errno;
	else if (write(fd, preloads[preload].text, length) != (ssize_t)length)
		error = -EIO;
	close(fd);
	return error;
}
