// SPDX-License-Identifier: MIT
#include "service/service_socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

int service_socket_open(const char *name, struct service_socket *ret_socket)
{
	struct service_socket opened = {.fd = -1};
	int error = service_address_parse(name, &opened.to);

	if (error)
		return error;
	opened.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (opened.fd < 0)
		return -errno;
	*ret_socket = opened;
	return 0;
}

/* Log a failure, but not each one: a slow reader would fill the log. */
static void note_failure(struct service_socket *socket, int error)
{
	uint64_t left_out;

	if (!log_limit_allows(&socket->failures, clock_ms(), &left_out))
		return;
	report(STICKY_LOG_WARN, "notify_failed",
	       "error=\"%s\" so=\"the supervisor at NOTIFY_SOCKET does not learn the state of this "
	       "instance now; what it must know is sent again\"",
	       strerror(-error));
}

int service_socket_send(struct service_socket *socket, const char *text)
{
	/* The address is given each time, as the supervisor may have made its socket anew. */
	ssize_t sent = sendto(socket->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
			      (const void *)&socket->to.address, socket->to.length);
	int error = sent < 0 ? -errno : 0;

	if (error)
		note_failure(socket, error);
	return error;
}

void service_socket_close(struct service_socket *socket)
{
	close(socket->fd);
}
