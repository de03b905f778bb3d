// SPDX-License-Identifier: MIT
#include "process/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/fd_passing.h"

#define DATAGRAM_SIZE	  4096
#define DATAGRAMS_AT_ONCE 64 /* then the loop goes on to other events */

struct notify {
	int fd;
	struct event *readable;
	notify_fn *fn;
	void *context;
};

int notify_parse(char *text, struct notify_message *ret_message)
{
	struct notify_message message = {0};
	bool known = false;
	char *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!strcmp(line, "READY=1"))
			message.ready = known = true;
		else if (!strcmp(line, "STOPPING=1"))
			message.stopping = known = true;
		else if (!strcmp(line, "WATCHDOG=1"))
			message.alive = known = true;
		else if (!strncmp(line, "STATUS=", 7)) {
			message.status = line + 7;
			known = true;
		}
	}
	if (!known)
		return -EINVAL;
	*ret_message = message;
	return 0;
}

/*
 * Take the sender's pid from the control data. Descriptors in the control data are closed, as
 * systemd-notify(1) sends one with BARRIER=1 and waits until it is closed.
 */
static pid_t read_control(struct msghdr *header)
{
	struct cmsghdr *part;
	struct ucred sender = {0};

	for (part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS)
			memcpy(&sender, CMSG_DATA(part), sizeof(sender));
	fd_passing_close(header);
	return sender.pid;
}

/* Receive and handle one datagram. Returns false if none is left. */
static bool receive_one(struct notify *notify)
{
	char text[DATAGRAM_SIZE + 1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred)) +
			   CMSG_SPACE(FD_PASSING_MAX * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = text, .iov_len = DATAGRAM_SIZE};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct notify_message message;
	ssize_t length = recvmsg(notify->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	pid_t pid;

	if (length < 0)
		return errno == EINTR;
	pid = read_control(&header);
	text[length] = '\0';
	if (pid <= 0 || header.msg_flags & MSG_TRUNC || notify_parse(text, &message))
		return true;
	notify->fn(notify->context, pid, &message);
	return true;
}

void notify_drain(struct notify *notify)
{
	int count;

	for (count = 0; count < DATAGRAMS_AT_ONCE && receive_one(notify); count++)
		;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	notify_drain(context);
}

static int bind_path(int fd, const char *path, uid_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t previous;
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	unlink(path);
	previous = umask(0177); /* mode 0600: for its owner and root */
	error = bind(fd, (const void *)&address, sizeof(address)) ? -errno : 0;
	umask(previous);
	if (!error && uid != geteuid() && chown(path, uid, (gid_t)-1))
		error = -errno;
	return error;
}

int notify_open(struct event_base *base, const char *path, uid_t uid, notify_fn *fn, void *context,
		struct notify **ret_notify)
{
	struct notify *notify = calloc(1, sizeof(*notify));
	int one = 1, error;

	if (!notify)
		return -ENOMEM;
	notify->fn = fn;
	notify->context = context;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = notify->fd < 0 ? -errno : bind_path(notify->fd, path, uid);
	if (!error && setsockopt(notify->fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)))
		error = -errno;
	if (!error) {
		notify->readable =
			event_new(base, notify->fd, EV_READ | EV_PERSIST, on_readable, notify);
		error = !notify->readable || event_add(notify->readable, NULL) ? -ENOMEM : 0;
	}
	if (error) {
		notify_close(notify);
		return error;
	}
	*ret_notify = notify;
	return 0;
}

void notify_close(struct notify *notify)
{
	if (!notify)
		return;
	if (notify->readable)
		event_free(notify->readable);
	if (notify->fd >= 0)
		close(notify->fd);
	free(notify);
}
