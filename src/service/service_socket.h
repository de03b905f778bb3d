/* SPDX-License-Identifier: MIT */
/* The socket for messages to the supervisor of this process: NOTIFY_SOCKET names where they go. */
#ifndef STICKY_SERVICE_SERVICE_SOCKET_H
#define STICKY_SERVICE_SERVICE_SOCKET_H

#include "common/log_limit.h"
#include "service/service_address.h"

struct service_socket {
	int fd;
	struct service_address to;
	struct log_limit failures; /* limits the log lines of failures */
};

/*
 * Make the socket. Nothing is sent, and the other end need not be there yet.
 *
 * name  the value of NOTIFY_SOCKET
 *
 * Returns 0 or -errno: those of service_address_parse() and socket(2).
 */
int service_socket_open(const char *name, struct service_socket *ret_socket);

/*
 * Send a message without waiting for the reader. If there is no room for it, it is not sent.
 * Failures are logged at most once a minute.
 *
 * Returns 0 or -errno.
 */
int service_socket_send(struct service_socket *socket, const char *text);

void service_socket_close(struct service_socket *socket);

#endif
