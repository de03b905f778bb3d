/* SPDX-License-Identifier: MIT */
/* The socket of syslog(3), written to without blocking, as syslog(3) itself may block. */
#ifndef STICKY_COMMON_SYSLOG_SOCKET_H
#define STICKY_COMMON_SYSLOG_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

#define SYSLOG_PATH	"/dev/log"
#define SYSLOG_LINE_MAX 8000 /* bytes of a line: the rest is cut off, as daemons would do */

struct syslog_socket;

/* Connect to the daemon at a path. Returns 0 or -errno. */
int syslog_socket_open(const char *path, struct syslog_socket **ret_socket);

/* Close the socket. NULL is allowed. */
void syslog_socket_close(struct syslog_socket *socket);

/* Returns the socket's descriptor, which changes when the daemon has been restarted. */
int syslog_socket_fd(const struct syslog_socket *socket);

/*
 * Send a line as a message of the facility daemon.
 *
 * line  without a line end; "<0>" to "<7>" at its beginning is its priority, which is otherwise
 *       that of info
 *
 * Returns 0, -EAGAIN: the daemon does not take it now, or another -errno.
 */
int syslog_socket_send(struct syslog_socket *socket, const char *line, size_t length);

#endif
