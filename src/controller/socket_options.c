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
#include <unistd.h>

#include "common/exit_code.h"
#include "controller/controller_internal.h"
#include "rights/privilege.h"

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

unsigned int controller_socket_privilege(const struct config *config)
{
	return config->sockets.mark || config->sockets.transparent ? PRIVILEGE_NET_ADMIN : 0;
}

/* Set the options that need a capability. */
static int set_privileged(int fd, const struct config *config)
{
	unsigned int previous = privilege_raise(controller_socket_privilege(config));
	int error = set_number(fd, SOL_SOCKET, SO_MARK, config->sockets.mark);

	if (!error) /* an IPv6 socket takes this option, too */
		error = set_number(fd, IPPROTO_IP, IP_TRANSPARENT, config->sockets.transparent);
	privilege_restore(previous);
	return error;
}

int controller_try_socket(struct controller *controller)
{
	int fd, error;

	if (!controller_socket_privilege(controller->instance.config))
		return EXIT_DONE;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return EXIT_DONE; /* the start will fail for this reason, and name it */
	error = set_privileged(fd, controller->instance.config);
	close(fd);
	if (!error)
		return EXIT_DONE;
	controller_complain("cannot set --mark or --transparent: %s\n"
			    "they need CAP_NET_ADMIN: run it as root or by sudo, or setcap "
			    "cap_bpf,cap_net_admin+ep stickyctl; in a container --cap-add "
			    "NET_ADMIN; a unit of systemd must have it in CapabilityBoundingSet=",
			    strerror(-error));
	return error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

int controller_prepare_socket(void *context, uint32_t listener, int fd)
{
	const struct config *config = context;
	const struct config_sockets *sockets = &config->sockets;
	int error = set_number(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, sockets->defer_accept_s);

	(void)listener;
	if (!error)
		error = set_number(fd, IPPROTO_TCP, TCP_FASTOPEN, sockets->fastopen);
	if (!error) /* an IPv6 socket takes this option, too */
		error = set_number(fd, IPPROTO_IP, IP_FREEBIND, sockets->freebind);
	if (!error)
		error = bind_device(fd, sockets->bind_device);
	return error ? error : set_privileged(fd, config);
}
