/* SPDX-License-Identifier: MIT */
/*
 * The channel, over which the controller passes connections to a worker process: a pair of
 * SOCK_SEQPACKET sockets. A message carries one connection with its descriptor, or reports about
 * one. Both ends are on one machine, and may be of different versions: a message of an unknown
 * version is refused (-EPROTO).
 *
 *     worker      HELLO            the worker takes passed connections
 *     controller  CONNECTION id    with the descriptor
 *     worker      ACCEPTED id      the worker has it; the controller closes its duplicate
 *     worker      REFUSED id       the worker takes no more; another worker will get it
 */
#ifndef STICKY_WIRE_CHANNEL_H
#define STICKY_WIRE_CHANNEL_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define CHANNEL_VERSION	 1
#define CHANNEL_VARIABLE "STICKY_CHANNEL" /* the descriptor's number, in a worker's environment */

enum channel_kind {
	CHANNEL_HELLO = 1,
	CHANNEL_CONNECTION,
	CHANNEL_ACCEPTED,
	CHANNEL_REFUSED,
	CHANNEL_KIND_END
};

/* Where the client's address was found. */
enum channel_source {
	CHANNEL_FROM_PEER,   /* the connection's own peer */
	CHANNEL_FROM_HEADER, /* from X-Forwarded-For or a similar header */
	CHANNEL_FROM_PROXY   /* from the PROXY protocol */
};

/* An address, smaller than struct sockaddr_storage. */
union channel_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct channel_message {
	uint16_t version;
	uint16_t kind;
	uint32_t id;
	uint32_t source; /* enum channel_source */
	uint32_t unused;
	union channel_address client;
	uint32_t unused_too;
};

/* Make a channel: two connected sockets, non-blocking and close-on-exec. Returns 0 or -errno. */
int channel_pair(int ret_ends[2]);

/*
 * Send a message.
 *
 * fd  the descriptor that is sent with it; remains the caller's; -1: none
 *
 * Returns 0, -EAGAIN (the channel is full), -ENOBUFS (no memory, or too many descriptors of this
 * user are in flight), or another -errno: the other end is gone.
 */
int channel_send(int channel, const struct channel_message *message, int fd);

/*
 * Receive a message.
 *
 * ret_fd  the descriptor, close-on-exec, now the caller's; -1: none
 *
 * Returns 1 (a message was received), 0 (the other end is gone), -EAGAIN, -EMFILE (the descriptor
 * was lost, as this process may not open more; the message contains its id), -EPROTO (not a message
 * of the channel, or of another version), or another -errno.
 */
int channel_receive(int channel, struct channel_message *ret_message, int *ret_fd);

/*
 * Set the client of a message to an IPv4 or IPv6 address. An address of another family makes it
 * AF_UNSPEC.
 */
void channel_set_client(struct channel_message *message, const struct sockaddr *client);

#endif
