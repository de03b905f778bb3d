// SPDX-License-Identifier: MIT
#include "bind/bind_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* A newer kernel may write larger structures than the headers of this build have. */
#define ROOM 512

/*
 * Is there a call to receive? The receiving ioctl() would wait for one, whatever the flags of the
 * descriptor are.
 */
static int look(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	if (poll(&poller, 1, 0) < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (poller.revents & POLLHUP)
		return -EPIPE;
	return poller.revents & POLLIN ? 0 : -EAGAIN;
}

int bind_notify_receive(int fd, struct bind_call *ret_call)
{
	union {
		struct seccomp_notif notif;
		char room[ROOM];
	} received;
	const struct seccomp_data *data = &received.notif.data;
	int error = look(fd);

	if (error)
		return error;
	memset(&received, 0, sizeof(received));
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &received))
		/* ENOENT: a signal has ended the call meanwhile. */
		return errno == ENOENT || errno == EINTR ? -EAGAIN : -errno;
	*ret_call = (struct bind_call){
		.id = received.notif.id,
		.tid = (pid_t)received.notif.pid,
		.is_listen = data->nr == SYS_listen,
		.number = (int)data->args[0],
		.address = data->args[1],
		.length = (uint32_t)data->args[2],
	};
	return 0;
}

bool bind_notify_is_waiting(int fd, const struct bind_call *call)
{
	uint64_t id = call->id;

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/*
 * SECCOMP_ADDFD_FLAG_SEND would also answer the call. It is not used, as the result of the call
 * would be the number of the descriptor, and bind() must return 0.
 */
int bind_notify_give(int fd, const struct bind_call *call, int socket, bool close_on_exec)
{
	struct seccomp_notif_addfd give = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)socket,
		.newfd = (uint32_t)call->number,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
	};

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &give) < 0 ? -errno : 0;
}

static int send_answer(int fd, const struct seccomp_notif_resp *answer)
{
	union {
		struct seccomp_notif_resp answer;
		char room[ROOM];
	} sent;

	memset(&sent, 0, sizeof(sent));
	sent.answer = *answer;
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &sent) ? -errno : 0;
}

int bind_notify_answer(int fd, const struct bind_call *call, int error)
{
	return send_answer(fd, &(struct seccomp_notif_resp){.id = call->id, .error = -error});
}

int bind_notify_continue(int fd, const struct bind_call *call)
{
	return send_answer(fd, &(struct seccomp_notif_resp){
				       .id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}
