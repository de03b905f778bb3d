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
 * fd  descriptor that is sent with the first byte; remains the caller's; -1: none
 *
 * Returns the number of bytes that were sent, or -errno.
 */
ssize_t fd_passing_send(int channel, const void *bytes, size_t length, int fd);

/*
 * Receive a message, without waiting.
 *
 * ret_fd  the descriptor that came with it, close-on-exec; -1: none
 *
 * Returns the number of bytes, 0 at the end, -EPROTO (the message is longer than `length`, or has
 * more than one descriptor), or another -errno. Outputs are untouched on failure.
 */
ssize_t fd_passing_receive(int channel, void *ret_bytes, size_t length, int *ret_fd);

/* The most descriptors that a message can have: SCM_MAX_FD of the kernel. */
#define FD_PASSING_MAX 253

/*
 * Close a descriptor that a peer sent unasked. SO_LINGER is switched off first. With it, close()
 * would wait until the data of a TCP connection has been sent: for as long as the peer likes, and
 * even on a non-blocking socket.
 */
void fd_passing_discard(int fd);

/*
 * Discard all descriptors that came with a message of a peer that should not send any. The buffer
 * for control data must have room for FD_PASSING_MAX descriptors: the kernel itself closes those
 * that do not fit, and waits for their data to be sent.
 */
void fd_passing_close(struct msghdr *header);

#endif
