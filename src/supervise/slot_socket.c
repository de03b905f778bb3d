// SPDX-License-Identifier: MIT
#include "supervise/slot_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sticky.h"
#include "common/error_text.h"
#include "common/log.h"
#include "rights/privilege.h"
#include "rights/trusted_path.h"
#include "rights/unix_path.h"
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

/*
 * Returns the rights with which a path is to be used. NULL: the controller's own, as the operator
 * has named the path. But if the workers' user could change where the path leads, it is used with
 * that user's rights.
 */
static const struct user_rights *rights_for(const struct user_rights *rights, const char *path)
{
	return !rights->change || trusted_path_of_directory(path) ? NULL : rights;
}

/* Make a socket blocking. Workers get it as it is, and most programs expect accept() to block. */
static int make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) ? -errno : 0;
}

static int open_unix(const char *path, int backlog, const struct user_rights *user,
		     struct unix_path *ret_path)
{
	const struct user_rights *rights = rights_for(user, path);
	int fd, error = unix_path_remove_stale(path, rights);

	if (error)
		return error;
	fd = unix_path_listen(path, backlog, 0666, rights, ret_path);
	error = fd < 0 ? 0 : make_blocking(fd);
	if (error) {
		close(fd);
		unix_path_remove(ret_path);
		return error;
	}
	return fd;
}

static const char *hint(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another process listens there: stop it, or choose another address";
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

static int listen_at(const char *address, int backlog, const struct user_rights *rights,
		     struct unix_path *ret_path)
{
	*ret_path = UNIX_PATH_NONE;
	if (path_of(address))
		return open_unix(path_of(address), backlog, rights, ret_path);
	return sticky_listen(address, backlog);
}

int slot_socket_open(struct supervised_slot *slot, struct error_text *ret_error)
{
	const struct supervisor_options *options = &slot->supervisor->options;
	const struct config *config = slot->supervisor->config;
	char address[SLOT_SOCKET_TEXT_SIZE] = "";
	unsigned int previous;
	int fd;

	if (!config->slot_listen || slot->private_fd >= 0)
		return 0;
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	fd = slot_socket_address(config->slot_listen, slot->index, address);
	if (!fd)
		fd = listen_at(address, (int)config->backlog, options->rights, &slot->private_path);
	privilege_restore(previous);
	if (fd < 0) {
		error_text_set(ret_error, "--slot-listen %.200s: %s\n%s",
			       address[0] ? address : config->slot_listen, strerror(-fd), hint(fd));
		return fd;
	}
	slot->private_fd = fd;
	return 0;
}

void slot_socket_adopt(struct supervised_slot *slot, int fd)
{
	const struct user_rights *rights = slot->supervisor->options.rights;
	const char *form = slot->supervisor->config->slot_listen;
	char address[SLOT_SOCKET_TEXT_SIZE];
	int error = 0;

	slot->private_fd = fd;
	if (form && !slot_socket_address(form, slot->index, address) && path_of(address))
		error = unix_path_find(path_of(address), rights_for(rights, path_of(address)),
				       &slot->private_path);
	if (error)
		report(STICKY_LOG_WARN, "slot_file_kept", "slot=%u error=\"%s\"", slot->index,
		       strerror(-error));
}

void slot_socket_close(struct supervised_slot *slot)
{
	int error;

	if (slot->private_fd < 0)
		return;
	close(slot->private_fd);
	slot->private_fd = -1;
	error = unix_path_remove(&slot->private_path);
	if (error)
		report(STICKY_LOG_WARN, "slot_file_kept", "slot=%u error=\"%s\"", slot->index,
		       strerror(-error));
}
