// SPDX-License-Identifier: MIT
#include "bind/bind_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bind/bind_filter.h"
#include "common/descriptor_range.h"
#include "rights/privilege.h"

#define TIME_S 1

struct bind_reader {
	pid_t pid; /* process_reap() reaps it, like all children */
	int fd;
	struct event *event;
	bind_reader_done_fn *done;
	void *context;
};

/* Read the memory, write it to the pipe, and exit. The child makes async-signal-safe calls only. */
static void __attribute__((noreturn)) read_and_exit(const struct bind_call *call, int to)
{
	char bytes[BIND_FILTER_LENGTH_MAX];
	struct iovec here = {bytes, call->length}, there = {.iov_len = call->length};
	ssize_t length, written = -1;

	/* Close all other descriptors: this process must not keep the controller's sockets open. */
	if (dup2(to, STDIN_FILENO) < 0 || descriptors_close_from(STDIN_FILENO + 1))
		_exit(1);
	memcpy(&there.iov_base, &call->address, sizeof(there.iov_base));
	length = process_vm_readv(call->tid, &here, 1, &there, 1, 0);
	if (length > 0)
		written = write(STDIN_FILENO, bytes, (size_t)length);
	_exit(written != length);
}

static void free_reader(struct bind_reader *reader)
{
	if (reader->event)
		event_free(reader->event);
	close(reader->fd);
	free(reader);
}

static void on_bytes(evutil_socket_t fd, short what, void *context)
{
	struct bind_reader *reader = context;
	char bytes[BIND_FILTER_LENGTH_MAX];
	ssize_t length = what & EV_TIMEOUT ? 0 : read(fd, bytes, sizeof(bytes));

	if (what & EV_TIMEOUT)
		kill(reader->pid, SIGKILL);
	reader->done(reader->context, bytes, length > 0 ? (size_t)length : 0);
	free_reader(reader);
}

static int watch(struct event_base *base, struct bind_reader *reader)
{
	const struct timeval limit = {.tv_sec = TIME_S};

	reader->event = event_new(base, reader->fd, EV_READ, on_bytes, reader);
	return reader->event && !event_add(reader->event, &limit) ? 0 : -ENOMEM;
}

/* Start the child. It has the capabilities that are raised here. Returns its pid, or -errno. */
static pid_t start_child(const struct bind_call *call, const int ends[2])
{
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE);
	sigset_t all, mask;
	pid_t pid;
	int error;

	/*
	 * No handler of this process may run in the child, where it would write into the parent's
	 * event loop.
	 */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	error = errno;
	if (pid == 0)
		read_and_exit(call, ends[1]);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	privilege_restore(previous);
	return pid < 0 ? -error : pid;
}

int bind_reader_start(struct event_base *base, const struct bind_call *call,
		      bind_reader_done_fn *done, void *context, struct bind_reader **ret_reader)
{
	struct bind_reader *reader;
	int ends[2], error;

	if (call->length > BIND_FILTER_LENGTH_MAX || call->tid <= 0)
		return -EINVAL;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	reader = calloc(1, sizeof(*reader));
	if (!reader) {
		close(ends[0]);
		close(ends[1]);
		return -ENOMEM;
	}
	*reader = (struct bind_reader){.fd = ends[0], .done = done, .context = context};
	reader->pid = start_child(call, ends);
	close(ends[1]);
	error = reader->pid < 0 ? reader->pid : watch(base, reader);
	if (error) {
		if (reader->pid > 0)
			kill(reader->pid, SIGKILL);
		free_reader(reader);
		return error;
	}
	*ret_reader = reader;
	return 0;
}

void bind_reader_cancel(struct bind_reader *reader)
{
	if (!reader)
		return;
	kill(reader->pid, SIGKILL);
	free_reader(reader);
}
