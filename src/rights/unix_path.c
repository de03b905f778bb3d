// SPDX-License-Identifier: MIT
#include "rights/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	size_t length = strlen(path);

	_Static_assert(sizeof(ret_address->sun_path) == UNIX_PATH_SIZE, "unix(7)");
	if (path[0] != '/' || path[length - 1] == '/')
		return -EINVAL;
	if (length >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(ret_address->sun_path, path);
	return 0;
}

/* Open the directory of an absolute path, and copy the file's name. Returns 0 or -errno. */
static int open_directory(const char *path, struct unix_path *ret_path)
{
	char directory[UNIX_PATH_SIZE];
	size_t length = (size_t)(strrchr(path, '/') - path);

	memcpy(directory, path, length);
	strcpy(directory + length, length ? "" : "/");
	*ret_path = UNIX_PATH_NONE;
	strcpy(ret_path->name, path + length + 1);
	ret_path->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret_path->directory < 0 ? -errno : 0;
}

static int look(const struct unix_path *path, struct stat *ret_status)
{
	return fstatat(path->directory, path->name, ret_status, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

/*
 * Note the device and inode of the socket's file. If there is no socket, set the path to "no file".
 */
static void note_file(struct unix_path *path)
{
	struct stat status;

	if (look(path, &status) || !S_ISSOCK(status.st_mode)) {
		close(path->directory);
		*path = UNIX_PATH_NONE;
		return;
	}
	path->device = status.st_dev;
	path->inode = status.st_ino;
}

static bool is_the_same(const struct unix_path *path, const struct stat *status)
{
	return S_ISSOCK(status->st_mode) && status->st_dev == path->device &&
	       status->st_ino == path->inode;
}

/*
 * Bind the socket, so that its file has the mode from the start. A chmod() of the path could change
 * another file that was put there in the meantime. bind() gives the file the mode of the socket,
 * less the bits of the umask.
 */
static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
	mode_t previous;
	int error;

	if (mode != UNIX_PATH_UMASK && fchmod(fd, mode))
		return -errno;
	previous = umask(0);
	if (mode == UNIX_PATH_UMASK)
		umask(previous);
	error = bind(fd, (const void *)address, sizeof(*address)) ? -errno : 0;
	umask(previous);
	return error;
}

static int bind_and_listen(const struct sockaddr_un *address, int backlog, mode_t mode)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	error = bind_with_mode(fd, address, mode);
	if (!error && listen(fd, backlog))
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/*
 * Open the directory, then bind the socket and listen. If another process exchanges the directory
 * before bind(), note_file() finds no socket in the directory that is open, or one that this other
 * process put there. In the end such a socket is removed with the rights of the user who exchanged
 * the directory.
 */
static int listen_in(const struct sockaddr_un *address, int backlog, mode_t mode,
		     struct unix_path *ret_path)
{
	int fd, error = open_directory(address->sun_path, ret_path);

	if (error)
		return error;
	fd = bind_and_listen(address, backlog, mode);
	if (fd >= 0) {
		note_file(ret_path);
		return fd;
	}
	close(ret_path->directory);
	*ret_path = UNIX_PATH_NONE;
	return fd;
}

int unix_path_listen(const char *path, int backlog, mode_t mode, const struct user_rights *rights,
		     struct unix_path *ret_path)
{
	struct user_rights_region region;
	struct sockaddr_un address;
	int fd, error = make_address(path, &address);

	*ret_path = UNIX_PATH_NONE;
	if (!error)
		error = user_rights_begin(rights, &region);
	if (error)
		return error;
	fd = listen_in(&address, backlog, mode, ret_path);
	ret_path->rights = rights;
	user_rights_end(&region);
	return fd;
}

int unix_path_find(const char *path, const struct user_rights *rights, struct unix_path *ret_path)
{
	struct user_rights_region region;
	struct sockaddr_un address;
	int error = make_address(path, &address);

	*ret_path = UNIX_PATH_NONE;
	if (!error)
		error = user_rights_begin(rights, &region);
	if (error)
		return error;
	error = open_directory(path, ret_path);
	if (!error)
		note_file(ret_path);
	ret_path->rights = rights;
	user_rights_end(&region);
	return error;
}

/*
 * Returns 0 if no process accepts connections at the address any more; -EADDRINUSE if one does; or
 * another -errno.
 */
static int check_refused(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	error = connect(fd, (const void *)address, sizeof(*address)) ? errno : EADDRINUSE;
	close(fd);
	if (error == ECONNREFUSED)
		return 0;
	return error == EAGAIN ? -EADDRINUSE : -error;
}

static int unlink_same(const struct unix_path *path)
{
	struct stat status;
	int error = look(path, &status);

	if (!error && is_the_same(path, &status) && unlinkat(path->directory, path->name, 0))
		error = -errno;
	return error == -ENOENT ? 0 : error;
}

static int remove_stale_in(const struct sockaddr_un *address, struct unix_path *path)
{
	struct stat status;
	int error = look(path, &status);

	if (error)
		return error == -ENOENT ? 0 : error;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	path->device = status.st_dev;
	path->inode = status.st_ino;
	error = check_refused(address);
	return error ? error : unlink_same(path);
}

int unix_path_remove_stale(const char *path, const struct user_rights *rights)
{
	struct user_rights_region region;
	struct sockaddr_un address;
	struct unix_path file;
	int error = make_address(path, &address);

	if (!error)
		error = user_rights_begin(rights, &region);
	if (error)
		return error;
	error = open_directory(path, &file);
	if (!error) {
		error = remove_stale_in(&address, &file);
		close(file.directory);
	}
	user_rights_end(&region);
	return error;
}

int unix_path_remove(struct unix_path *path)
{
	struct user_rights_region region;
	int error;

	if (path->directory < 0)
		return 0;
	error = user_rights_begin(path->rights, &region);
	if (!error) {
		error = unlink_same(path);
		user_rights_end(&region);
	}
	close(path->directory);
	*path = UNIX_PATH_NONE;
	return error;
}
