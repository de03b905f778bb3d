// SPDX-License-Identifier: MIT
#include "listen/port_owner.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>

#include "rights/privilege.h"
#include "procfs/process_tree.h"
#include "procfs/socket_holders.h"

#define SOCKETS_MAX 16

struct search {
	struct sockdiag_listener found[SOCKETS_MAX];
	uint32_t count;
	pid_t pid; /* 0: none yet */
	struct sockdiag_listener owned;
};

void listener_format(const struct sockdiag_listener *listener,
		     char ret_text[STICKY_ADDRESS_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(listener->family, listener->address, host, sizeof(host));
	snprintf(ret_text, STICKY_ADDRESS_TEXT_SIZE,
		 listener->family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, listener->port);
}

static void add(void *context, const struct sockdiag_listener *listener)
{
	struct search *search = context;

	if (search->count < SOCKETS_MAX)
		search->found[search->count++] = *listener;
}

static bool note_holder(void *context, pid_t pid, int number, uint32_t inode)
{
	struct search *search = context;
	uint32_t i;

	(void)number;
	for (i = 0; i < search->count && !search->pid; i++)
		if (search->found[i].inode == inode) {
			search->pid = pid;
			search->owned = search->found[i];
		}
	return !search->pid;
}

/*
 * Name the user of a listening socket whose process was not found. The kernel tells the socket's
 * user even if the descriptors of its process may not be read.
 */
static void describe_user(const struct sockdiag_listener *listener, struct error_text *ret_text)
{
	const struct passwd *entry = getpwuid(listener->uid);
	char address[STICKY_ADDRESS_TEXT_SIZE];

	listener_format(listener, address);
	if (entry)
		error_text_set(ret_text, "a process of %.64s (uid %u) listens on %s",
			       entry->pw_name, listener->uid, address);
	else
		error_text_set(ret_text, "a process of uid %u listens on %s", listener->uid,
			       address);
}

bool port_owner_find(uint16_t port, struct error_text *ret_text)
{
	char address[STICKY_ADDRESS_TEXT_SIZE], command[PROCESS_COMMAND_SIZE];
	struct search search = {.count = 0};
	unsigned int previous;
	int error;

	previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	error = sockdiag_listeners(&port, 1, add, &search);
	if (!error && search.count)
		error = socket_holders_walk(note_holder, &search);
	privilege_restore(previous);
	if (!search.count)
		return false;
	if (error || !search.pid) {
		describe_user(&search.found[0], ret_text);
		return true;
	}
	listener_format(&search.owned, address);
	process_command(search.pid, command);
	error_text_set(ret_text, "pid %d (%s) listens on %s", search.pid, command, address);
	return true;
}
