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

/* Close all descriptors that came with a message, as its peer should not send any. */
void fd_passing_close(struct msghdr *header);

#endif
