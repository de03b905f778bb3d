// SPDX-License-Identifier: MIT
/* Copies the options of a worker's own socket to the socket that the worker gets instead. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bind/bind_caller.h"

/*
 * Options of type int that accepted connections inherit, or that concern only the listening socket.
 * Not among them are those that decide which connections arrive (SO_REUSEPORT, SO_BINDTODEVICE,
 * filters).
 */
static const struct {
	int level, name;
	bool is_doubled; /* the kernel reports twice the value that was set: socket(7) */
} copied[] = {
	{SOL_SOCKET, SO_RCVBUF, true},
	{SOL_SOCKET, SO_SNDBUF, true},
	{SOL_SOCKET, SO_KEEPALIVE, false},
	{SOL_SOCKET, SO_RCVLOWAT, false},
	{SOL_SOCKET, SO_PRIORITY, false},
	{SOL_SOCKET, SO_OOBINLINE, false},
	{IPPROTO_TCP, TCP_NODELAY, false},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, false},
	{IPPROTO_TCP, TCP_KEEPIDLE, false},
	{IPPROTO_TCP, TCP_KEEPINTVL, false},
	{IPPROTO_TCP, TCP_KEEPCNT, false},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, false},
	{IPPROTO_TCP, TCP_SYNCNT, false},
	{IPPROTO_TCP, TCP_FASTOPEN, false},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, false},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, false},
	{IPPROTO_IP, IP_TOS, false},
	{IPPROTO_IPV6, IPV6_TCLASS, false},
};

static void copy_int(int from, int to, size_t i)
{
	int wanted = 0, present = 0;
	socklen_t length = sizeof(wanted);

	if (getsockopt(from, copied[i].level, copied[i].name, &wanted, &length) ||
	    getsockopt(to, copied[i].level, copied[i].name, &present, &length) || wanted == present)
		return;
	if (copied[i].is_doubled)
		wanted /= 2;
	(void)setsockopt(to, copied[i].level, copied[i].name, &wanted, sizeof(wanted));
}

static void copy_linger(int from, int to)
{
	struct linger linger;
	socklen_t length = sizeof(linger);

	if (!getsockopt(from, SOL_SOCKET, SO_LINGER, &linger, &length))
		(void)setsockopt(to, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/*
 * Copy O_NONBLOCK. It belongs to the open file description, which the worker's descriptor shares
 * with the controller's. This does no harm, as only the worker accepts there.
 */
static void copy_nonblock(int to, int flags)
{
	int present = fcntl(to, F_GETFL);

	if (present >= 0 && (present ^ flags) & O_NONBLOCK)
		fcntl(to, F_SETFL, (present & ~O_NONBLOCK) | (flags & O_NONBLOCK));
}

void bind_copy_options(int from, int to, int flags)
{
	size_t i;

	for (i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		copy_int(from, to, i);
	copy_linger(from, to);
	copy_nonblock(to, flags);
}
