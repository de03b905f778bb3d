// SPDX-License-Identifier: MIT
#include "wire/channel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "wire/fd_passing.h"

_Static_assert(sizeof(struct channel_message) == 48, "both ends may be built apart");

int channel_pair(int ret_ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_ends)
		       ? -errno
		       : 0;
}

void channel_set_client(struct channel_message *message, const struct sockaddr *client)
{
	memset(&message->client, 0, sizeof(message->client));
	if (client->sa_family == AF_INET)
		memcpy(&message->client.v4, client, sizeof(message->client.v4));
	else if (client->sa_family == AF_INET6)
		memcpy(&message->client.v6, client, sizeof(message->client.v6));
}

int channel_send(int channel, const struct channel_message *message, int fd)
{
	ssize_t sent = fd_passing_send(channel, message, sizeof(*message), fd);

	/*
	 * Too many descriptors of this user are in flight. The caller must try again by a timer:
	 * the channel itself may be writable, so that no event would follow.
	 */
	if (sent == -ETOOMANYREFS)
		return -ENOBUFS;
	return sent < 0 ? (int)sent : 0;
}

/* Returns the descriptor that came with a message, or -1 if there is none. */
static int take_descriptor(struct msghdr *header)
{
	struct cmsghdr *passed;
	int fd = -1;

	for (passed = CMSG_FIRSTHDR(header); passed; passed = CMSG_NXTHDR(header, passed))
		if (passed->cmsg_level == SOL_SOCKET && passed->cmsg_type == SCM_RIGHTS &&
		    passed->cmsg_len == CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(passed), sizeof(fd));
	return fd;
}

static int check(const struct msghdr *header, const struct channel_message *message, ssize_t length,
		 int fd)
{
	if (length != sizeof(*message) || header->msg_flags & MSG_TRUNC ||
	    message->version != CHANNEL_VERSION || message->kind < CHANNEL_HELLO ||
	    message->kind >= CHANNEL_KIND_END)
		return -EPROTO;
	if (!(header->msg_flags & MSG_CTRUNC))
		return 1;
	/*
	 * The control data did not fit: the message carried more than one descriptor, or this
	 * process may not open more.
	 */
	return fd >= 0 ? -EPROTO : -EMFILE;
}

int channel_receive(int channel, struct channel_message *ret_message, int *ret_fd)
{
	struct iovec part = {.iov_base = ret_message, .iov_len = sizeof(*ret_message)};
	/* The control data must be aligned: cmsg(3). */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				/*
				 * CMSG_SPACE() would be wrong: its padding has room for a second
				 * descriptor.
				 */
				.msg_controllen = CMSG_LEN(sizeof(int))};
	ssize_t length;
	int fd, result;

	do
		length = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	fd = take_descriptor(&header);
	if (length == 0 && fd < 0)
		return 0;
	result = check(&header, ret_message, length, fd);
	if (result < 0 && fd >= 0) {
		fd_passing_discard(fd);
		fd = -1;
	}
	*ret_fd = fd;
	return result;
}
