// SPDX-License-Identifier: MIT
/* The texts of sticky_strerror(). */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "sticky.h"

struct text {
	int error;
	const char *text;
};

/* The cause, a semicolon, and the remedy. */
static const struct text texts[] = {
	{0, "no error"},
	{EINVAL, "an argument is out of its range: a slot, listener or number that does not exist, "
		 "an address of another form, a socket that does not listen, or a structure of "
		 "another size; "
		 "compare the call with its description in sticky.h, and set `size` to sizeof"},
	{EPERM, "the kernel refuses bpf(2), which needs CAP_BPF in most cases, or an option that "
		"the callback `prepare` sets (SO_MARK and IP_TRANSPARENT need CAP_NET_ADMIN), or "
		"the directory is not on a BPF file system; "
		"call sticky_explain() if sticky_group_open() or sticky_group_adopt() returned "
		"this: it says what is missing; else give the process the capability of the "
		"option"},
	{EOPNOTSUPP, "this kernel or engine cannot do it: Linux 5.14 with BPF is needed; "
		     "call sticky_explain(), or use STICKY_ENGINE_USER, which needs no BPF"},
	{ENOEXEC,
	 "the kernel's verifier refuses the program; "
	 "report it with the kernel's version and the messages \"libbpf\" of the log callback"},
	{EADDRINUSE, "another socket listens on this address, the group listens there already, the "
		     "sockets of the group belong to another effective uid, or a socket for "
		     "sticky_group_listen_socket() has connections and neither SO_REUSEADDR nor "
		     "SO_REUSEPORT; "
		     "end the other program or choose another port, create all sockets of a "
		     "group under one uid, and set SO_REUSEADDR before bind(2)"},
	{EADDRNOTAVAIL,
	 "this machine does not have the address, or a socket for sticky_worker_adopt() has not "
	 "that of its listener; "
	 "configure the address, set IP_FREEBIND on each socket by the callback `prepare`, or "
	 "pass the worker's sockets in the order of the listeners"},
	{EACCES, "a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE; "
		 "keep this capability for as long as workers are opened, or use a higher port"},
	{EAFNOSUPPORT,
	 "the address or socket is of another family than the listener, or neither IPv4 nor IPv6; "
	 "use the family of the listener"},
	{EBUSY, "it is in use already: dispatchers are open, the socket belongs to a worker or to "
		"a group, or the group is pinned; "
		"close the one before, and use each socket once"},
	{EEXIST, "the directory has the pins of a group; "
		 "use another directory, or remove its files if the process of that group has "
		 "ended"},
	{ESHUTDOWN, "the group or process has stopped to take new connections; "
		    "open a new group: sticky_group_refuse() and sticky_process_stopping() cannot "
		    "be undone"},
	{E2BIG, "too many of them: a group has STICKY_LISTENERS_LIMIT listeners and "
		"STICKY_PROXIES_LIMIT ranges of proxies at most; "
		"use fewer, or wider ranges"},
	{ENOENT, "there is none: the name has no address, nothing is pinned in the directory, a "
		 "worker has the slot, or no controller started this process; "
		 "see the description of the function in sticky.h"},
	{ENOSPC, "the text does not fit; "
		 "pass STICKY_ADDRESS_TEXT_SIZE bytes"},
	{EDESTADDRREQ, "the group has no listener; "
		       "call sticky_group_listen() before sticky_dispatchers_open()"},
	{ECHILD, "this process is a child of the one that opened the group, and would change the "
		 "slots of its parent; "
		 "call only sticky_worker_fd(), and let the parent do the rest, or open a group of "
		 "its own"},
	{EBADF, "the descriptor is not open; "
		"pass an open one, and do not close descriptors that belong to the library"},
	{ENOTSOCK, "the descriptor is not a socket; "
		   "pass a listening TCP socket"},
	{EPROTO, "the other side is of an incompatible version; "
		 "start the version that made the maps or the channel, or end the old instance "
		 "first"},
	{ECONNREFUSED, "a test connection was refused, but not by the program; "
		       "let the packet filter pass connections over loopback, and give the network "
		       "device of the listener an address"},
	{EAGAIN, "nothing is there at the moment; "
		 "try again later, after poll(2) where there is a descriptor for that"},
	{EMFILE,
	 "this process has too many open descriptors; "
	 "raise RLIMIT_NOFILE: a group needs slots times listeners, and as many for workers"},
	{ENFILE, "the machine has too many open files; "
		 "raise fs.file-max"},
	{ENOMEM, "memory is short; "
		 "free some, or use fewer slots"},
	{EIO, "the kernel gave no random bytes; "
	      "pass a seed of your own in the options"},
};

const char *sticky_strerror(int error)
{
	const char *system_text;
	size_t i;

	error = error < 0 ? -error : error;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].error == error)
			return texts[i].text;
	system_text = strerrordesc_np(error);
	return system_text ? system_text : "an error number that the system does not know";
}
