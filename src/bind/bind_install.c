// SPDX-License-Identifier: MIT
#include "bind/bind_install.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/bind_filter.h"
#include "wire/fd_passing.h"

/*
 * From Linux 5.19 on: with this flag a signal does not end a call that the controller has received.
 */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* Install the filter. Returns its descriptor, or -errno. */
static int set_filter(unsigned long flags)
{
	struct sock_filter steps[BIND_FILTER_MAX];
	struct sock_fprog program = {.filter = steps};
	int fd;

	program.len = (unsigned short)bind_filter_build(steps);
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
	return fd < 0 ? -errno : fd;
}

static int set_best_filter(void)
{
	int fd = set_filter(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	return fd == -EINVAL ? set_filter(0) : fd;
}

int bind_install(int channel)
{
	char byte = 0;
	ssize_t sent;
	int fd;

	fd = set_best_filter();
	if (fd == -EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = set_best_filter();
	if (fd < 0)
		return fd;
	sent = channel < 0 ? 0 : fd_passing_send(channel, &byte, sizeof(byte), fd);
	close(fd);
	return sent < 0 ? (int)sent : 0;
}

int bind_install_try(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(-bind_install(-1));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ENOSYS;
}

const char *bind_install_reason(int error)
{
	switch (error) {
	case -EBUSY:
		return "another program answers the system calls of this one already, by a seccomp "
		       "filter (some container runtimes and sandboxes do)";
	case -EINVAL:
	case -ENOSYS:
	case -EOPNOTSUPP:
		return "this kernel has no seccomp user notification (CONFIG_SECCOMP_FILTER), or a "
		       "container's filter hides seccomp()";
	case -EPERM:
	case -EACCES:
		return "something forbids seccomp(): a filter of a container or of a systemd unit "
		       "(SystemCallFilter=)";
	default:
		return strerror(-error);
	}
}
