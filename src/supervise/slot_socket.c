// SPDX-License-Identifier: MIT
#include "supervise/slot_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sticky.h"
#include "common/error_text.h"
#include "common/privilege.h"
#include "supervise/supervise_internal.h"

#define PLACE  "{slot}"
#define PREFIX "unix:"

int slot_socket_address(const char *form, uint32_t slot, char *ret_text)
{
	const char *place = strstr(form, PLACE);
	int length;

	if (!place)
		return -EINVAL;
	length = snprintf(ret_text, SLOT_SOCKET_TEXT_SIZE, "%.*s%u%s", (int)(place - form), form,
			  slot, place + strlen(PLACE));
	return length < SLOT_SOCKET_TEXT_SIZE ? 0 : -EINVAL;
}

/* Returns the path of "unix:/path", or NULL for another address. */
static const char *path_of(const char *address)
{
	return strncmp(address, PREFIX, strlen(PREFIX)) ? NULL : address + strlen(PREFIX);
}

static int make_name(const char *path, struct sockaddr_un *ret_name)
{
	*ret_name = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (path[0] != '/')
		return -EINVAL;
	if (strlen(path) >= sizeof(ret_name->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret_name->sun_path, path);
	return 0;
}

/*
 * Connections to the file of a socket that is not used any more are refused: it is removed. Any
 * other file belongs to another program.
 */
static int remove_stale(const struct sockaddr_un *name)
{
	struct stat status;
	int fd, error;

	if (lstat(name->sun_path, &status))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const void *)name, sizeof(*name)) ? errno : EADDRINUSE;
	close(fd);
	if (error != ECONNREFUSED)
		return error == EAGAIN ? -EADDRINUSE : -error;
	return unlink(name->sun_path) && errno != ENOENT ? -errno : 0;
}

static int open_unix(const char *path, int backlog)
{
	struct sockaddr_un name;
	int fd, error = make_name(path, &name);

	if (!error)
		error = remove_stale(&name);
	if (error)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const void *)&name, sizeof(name)) || chmod(path, 0666) ||
	    listen(fd, backlog)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static const char *hint(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "somebody listens there already: stop it, or choose another address";
	case -EEXIST:
		return "there is a file that is no socket: remove it, or choose another path";
	case -ENOENT:
		return "make its directory first, or mend the name";
	case -EACCES:
		return "we may not write there; ports below 1024 need CAP_NET_BIND_SERVICE";
	default:
		return "write unix:/run/app/{slot}.sock, or HOST:PORT with {slot} in it, e.g. "
		       "127.0.0.1:90{slot}";
	}
}

int slot_socket_listen(const char *form, uint32_t slot, int backlog, struct error_text *ret_error)
{
	char address[SLOT_SOCKET_TEXT_SIZE] = "";
	int fd = slot_socket_address(form, slot, address);

	if (!fd)
		fd = path_of(address) ? open_unix(path_of(address), backlog)
				      : sticky_listen(address, backlog);
	if (fd < 0)
		error_text_set(ret_error, "--slot-listen %.200s: %s\n%s",
			       address[0] ? address : form, strerror(-fd), hint(fd));
	return fd;
}

void slot_socket_unlisten(const char *form, uint32_t slot, int fd)
{
	char address[SLOT_SOCKET_TEXT_SIZE];

	if (fd < 0)
		return;
	close(fd);
	if (!slot_socket_address(form, slot, address) && path_of(address))
		unlink(path_of(address));
}

int slot_socket_open(struct supervised_slot *slot, struct error_text *ret_error)
{
	const struct config *config = slot->supervisor->config;
	unsigned int previous;
	int fd;

	if (!config->slot_listen || slot->private_fd >= 0)
		return 0;
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	fd = slot_socket_listen(config->slot_listen, slot->index, (int)config->backlog, ret_error);
	privilege_restore(previous);
	if (fd < 0)
		return fd;
	slot->private_fd = fd;
	return 0;
}

void slot_socket_close(struct supervised_slot *slot)
{
	if (slot->private_fd >= 0)
		slot_socket_unlisten(slot->supervisor->config->slot_listen, slot->index,
				     slot->private_fd);
	slot->private_fd = -1;
}
