// SPDX-License-Identifier: MIT
#include "node/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A connection that the primary passed is known by its message. An upgrade is no 'request', and
 * stays open.
 */
static const char text[] =
	"'use strict';\n"
	"// Written by stickyctl (--proxy-keepalive=close): steering is per connection, and a "
	"proxy\n"
	"// could put several clients' requests on one.\n"
	"const passed = new WeakSet();\n"
	"process.prependListener('internalMessage', (message, handle) => {\n"
	"  if (handle && message && message.act === 'newconn') passed.add(handle);\n"
	"});\n"
	"for (const name of ['http', 'https']) {\n"
	"  const { Server } = require(name);\n"
	"  const { emit } = Server.prototype;\n"
	"  Server.prototype.emit = function (event, request, response) {\n"
	"    if (event === 'request' && passed.has(handleOf(request))) response.shouldKeepAlive = "
	"false;\n"
	"    return emit.apply(this, arguments);\n"
	"  };\n"
	"}\n"
	"function handleOf(request) {\n"
	"  let socket = request && request.socket;\n"
	"  // Of TLS the connection beneath.\n"
	"  if (socket && socket._parent) socket = socket._parent;\n"
	"  return socket && socket._handle || {};\n"
	"}\n";

int preload_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t length = sizeof(text) - 1;
	int error = 0;

	if (fd < 0)
		return -errno;
	/* umask does not matter: workers may be somebody else. */
	if (fchmod(fd, 0644))
		error = -errno;
	else if (write(fd, text, length) != (ssize_t)length)
		error = -EIO;
	close(fd);
	return error;
}
