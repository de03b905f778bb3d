// SPDX-License-Identifier: MIT
#include "admin/admin_socket.h"

#include <errno.h>
#include <event2/util.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "rights/trusted_path.h"
#include "config/listen_address.h"
#include "sticky.h"

#define BACKLOG 64

static int open_unix(const char *path, const struct user_rights *user, struct unix_path *ret_path)
{
	const struct user_rights *rights =
		!user->change || trusted_path_of_directory(path) ? NULL : user;
	int error = unix_path_remove_stale(path, rights);

	return error ? error : unix_path_listen(path, BACKLOG, 0666, rights, ret_path);
}

static int open_tcp(const char *address)
{
	int fd = sticky_listen(address, BACKLOG);

	if (fd >= 0 && evutil_make_socket_nonblocking(fd)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static const char *hint(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another process listens there: stop it, or choose another address";
	case -EADDRNOTAVAIL:
		return "this machine does not have the address: choose one that it has, or :PORT";
	case -EEXIST:
		return "there is a file that is no socket: remove it, or choose another path";
	case -ENOENT:
		return "mend the name, or make the directory first";
	case -EACCES:
		return "stickyctl may not use it; ports below 1024 need CAP_NET_BIND_SERVICE";
	default:
		return "write HOST:PORT, such as 127.0.0.1:9180, or unix:/run/app/admin.sock";
	}
}

/* Returns the text for an error. sticky_listen() returns -ENOENT if the host is not known. */
static const char *describe(int error, bool is_path)
{
	return error == -ENOENT && !is_path ? "there is no such host" : strerror(-error);
}

int admin_socket_open(const char *address, const struct user_rights *rights,
		      struct unix_path *ret_path, struct error_text *ret_error)
{
	const char *path = listen_address_path(address);
	int fd;

	*ret_path = UNIX_PATH_NONE;
	fd = path ? open_unix(path, rights, ret_path) : open_tcp(address);
	if (fd < 0)
		error_text_set(ret_error, "--admin %.200s: %s\n%s", address, describe(fd, path),
			       hint(fd));
	return fd;
}
