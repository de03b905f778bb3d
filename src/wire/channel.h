/* SPDX-License-Identifier: MIT */
/*
 * The channel: how a connection is passed to a worker process. A SOCK_SEQPACKET pair, one
 * message = one connection with its descriptor, or a word about one. Both ends are on one
 * machine, and may be of different versions: who does not know a version says so.
 *
 *     worker      HELLO            I take passed connections
 *     controller  CONNECTION id    + the descriptor
 *     worker      ACCEPTED id      it is mine; the controller closes its duplicate
 *     worker      REFUSED id       I take no more; the controller gives it to somebody else
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

/* How the client's address was learnt. */
enum channel_source {
	CHANNEL_FROM_PEER,   /* it is the connection's own */
	CHANNEL_FROM_HEADER, /* X-Forwarded-For or the like */
	CHANNEL_FROM_PROXY   /* PROXY protocol */
};

/* An address that fits a small message. */
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

/* A pair, non-blocking, close-on-exec. Returns 0 or -errno. */
int channel_pair(int ret_ends[2]);

/*
 * Send.
 *
 * fd  the descriptor that goes with it; stays the caller's; -1: none
 *
 * Returns 0, -EAGAIN (the channel is full), -ENOBUFS (the machine, or what a user may have on the
 * way, is), or another -errno: the other end is gone.
 */
int channel_send(int channel, const struct channel_message *message, int fd);

/*
 * Receive.
 *
 * ret_fd  the descriptor, close-on-exec, the caller's; -1: none
 *
 * Returns 1, 0 (the other end is gone), -EAGAIN, -EMFILE (a descriptor came and there was no
 * room for it: the message says whose), -EPROTO (not a message of ours, or of another version),
 * or another -errno.
 */
int channel_receive(int channel, struct channel_message *ret_message, int *ret_fd);

/* Copy an IPv4 or IPv6 address. Others leave it AF_UNSPEC. */
void channel_set_client(struct channel_message *message, const struct sockaddr *client);

#endif
