// SPDX-License-Identifier: MIT
#include "procfs/socket_holders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procfs/process_sockets.h"

struct walk {
	socket_holder_fn *found;
	void *context;
	pid_t pid;
	bool goes_on;
};

static bool on_socket(void *context, int number, uint32_t inode)
{
	struct walk *walk = context;

	walk->goes_on = walk->found(walk->context, walk->pid, number, inode);
	return walk->goes_on;
}

int socket_holders_walk(socket_holder_fn *found, void *context)
{
	struct walk walk = {.found = found, .context = context, .goes_on = true};
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return -errno;
	while (walk.goes_on && (entry = readdir(proc))) {
		walk.pid = (pid_t)strtol(entry->d_name, NULL, 10);
		/* A process that has ended, or that may not be read, is left out. */
		if (walk.pid > 0)
			(void)process_each_socket(walk.pid, on_socket, &walk);
	}
	closedir(proc);
	return 0;
}

struct search {
	uint32_t inode;
	bool is_found;
};

static bool look_for(void *context, int number, uint32_t inode)
{
	struct search *search = context;

	(void)number;
	search->is_found = inode == search->inode;
	return !search->is_found;
}

int process_has_socket(pid_t pid, uint32_t inode)
{
	struct search search = {.inode = inode};
	int error = process_each_socket(pid, look_for, &search);

	return error ? error : search.is_found;
}

int socket_is_held(uint32_t inode, pid_t group)
{
	int result = process_has_socket(group, inode), found = 0;
	const struct dirent *entry;
	DIR *proc;

	if (result == 1)
		return 1;
	if (result == -ENOENT)
		result = -ESRCH;
	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while (found != 1 && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid() || pid == group)
			continue;
		found = process_has_socket(pid, inode);
		if (!result && found == -EACCES && getpgid(pid) == group)
			result = found;
	}
	closedir(proc);
	return found == 1 ? 1 : result;
}

static bool has_cookie(int fd, uint64_t cookie)
{
	socklen_t length = sizeof(cookie);
	uint64_t found = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_COOKIE, &found, &length) && found == cookie;
}

int socket_holder_fetch(pid_t pid, int number, uint64_t cookie)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd, error;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	error = fd < 0 ? -errno : 0;
	close(pidfd);
	if (error)
		return error;
	if (!has_cookie(fd, cookie)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}
