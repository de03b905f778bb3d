// SPDX-License-Identifier: MIT
#include "wire/fd_passing.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

ssize_t fd_passing_send(int channel, const void *bytes, size_t length, int fd)
{
	/* The control data must be aligned: cmsg(3). */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *passed;
	ssize_t sent;

	if (fd >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		passed = CMSG_FIRSTHDR(&header);
		passed->cmsg_level = SOL_SOCKET;
		passed->cmsg_type = SCM_RIGHTS;
		passed->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(passed), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

ssize_t fd_passing_receive(int channel, void *ret_bytes, size_t length, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = ret_bytes, .iov_len = length};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				/* CMSG_SPACE() would have room for a second descriptor. */
				.msg_controllen = CMSG_LEN(sizeof(int))};
	const struct cmsghdr *passed;
	ssize_t received;

	do
		received = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	passed = CMSG_FIRSTHDR(&header);
	if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    (passed && (passed->cmsg_level != SOL_SOCKET || passed->cmsg_type != SCM_RIGHTS ||
			passed->cmsg_len != CMSG_LEN(sizeof(int))))) {
		fd_passing_close(&header);
		return -EPROTO;
	}
	*ret_fd = -1;
	if (passed)
		memcpy(ret_fd, CMSG_DATA(passed), sizeof(*ret_fd));
	return received;
}

void fd_passing_discard(int fd)
{
	static const struct linger off;

	/* This fails if the descriptor is no socket. close() then has nothing to wait for. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(fd);
}

void fd_passing_close(struct msghdr *header)
{
	struct cmsghdr *passed;
	size_t count, i;
	int fd;

	for (passed = CMSG_FIRSTHDR(header); passed; passed = CMSG_NXTHDR(header, passed)) {
		if (passed->cmsg_level != SOL_SOCKET || passed->cmsg_type != SCM_RIGHTS)
			continue;
		count = (passed->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(passed) + i * sizeof(fd), sizeof(fd));
			fd_passing_discard(fd);
		}
	}
}
