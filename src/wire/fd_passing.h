/* SPDX-License-Identifier: MIT */
/* Descriptors that are passed with a message: unix(7), SCM_RIGHTS. */
#ifndef STICKY_WIRE_FD_PASSING_H
#define STICKY_WIRE_FD_PASSING_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/*
 * Send bytes, without waiting.
 *
 * fd  sent with the first byte; remains the caller's; -1: none
 *
 * Returns the number of bytes that were sent, or -errno.
 */
ssize_t fd_passing_send(int channel, const void *bytes, size_t length, int fd);

/*
 * Receive a message, without waiting.
 *
 * ret_fd  the descriptor that came with it, close-on-exec; -1: none
 *
 * Returns the number of bytes, 0 at the end; -EPROTO: it is longer than `length`, or more came with
 * it than one descriptor; or another -errno. Outputs are untouched on failure.
 */
ssize_t fd_passing_receive(int channel, void *ret_bytes, size_t length, int *ret_fd);

/* The most descriptors that a message can have: SCM_MAX_FD of the kernel. */
#define FD_PASSING_MAX 253

/*
 * Close a descriptor that a peer sent unasked. SO_LINGER is taken off it first: close() would wait
 * for a TCP connection to be sent out, as long as the peer likes, also on a non-blocking socket.
 */
void fd_passing_discard(int fd);

/*
 * Discard all descriptors that came with a message of a peer that should not send any. Let there be
 * room for FD_PASSING_MAX: the kernel closes those that do not fit, and waits for them.
 */
void fd_passing_close(struct msghdr *header);

#endif
