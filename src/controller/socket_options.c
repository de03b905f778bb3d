// SPDX-License-Identifier: MIT
/*
 * Sets options on the listening sockets: --tcp-defer-accept, --tcp-fastopen, --freebind,
 * --bind-device.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "controller/controller_internal.h"

static int set_number(int fd, int level, int name, uint32_t value)
{
	int number = (int)value;

	return value && setsockopt(fd, level, name, &number, sizeof(number)) ? -errno : 0;
}

static int bind_device(int fd, const char *device)
{
	return device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				    (socklen_t)strlen(device) + 1)
		       ? -errno
		       : 0;
}

int controller_prepare_socket(void *context, uint32_t listener, int fd)
{
	const struct config_sockets *sockets = &((const struct config *)context)->sockets;
	int error = set_number(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, sockets->defer_accept_s);

	(void)listener;
	if (!error)
		error = set_number(fd, IPPROTO_TCP, TCP_FASTOPEN, sockets->fastopen);
	if (!error) /* an IPv6 socket takes this option, too */
		error = set_number(fd, IPPROTO_IP, IP_FREEBIND, sockets->freebind);
	return error ? error : bind_device(fd, sockets->bind_device);
}
