// SPDX-License-Identifier: MIT
#include "client/leftover_sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procfs/sockdiag.h"
#include "procfs/socket_holders.h"

/* Looks at the sockets. A process that was killed a moment ago closes its own by itself. */
#define LOOKS		  7
#define LOOKS_TO_WAIT	  2  /* so many looks pass before a socket is shut down */
#define FIRST_REST_MS	  10 /* after the first look; each later one is twice as long */
#define COOKIES_OF_WORKER (STICKY_LISTENERS_LIMIT + 1)

/* ---- Processes ------------------------------------------------------------------------ */

void leftover_processes_add(struct leftover_processes *processes, pid_t worker)
{
	struct process_entry all[PROCESS_TREE_MAX], *found;
	size_t count = process_descendants(worker, all), i;

	found = realloc(processes->found, (processes->count + count) * sizeof(*found) + 1);
	if (!found)
		return;
	processes->found = found;
	for (i = 0; i < count; i++)
		if (all[i].group != worker)
			found[processes->count++] = all[i];
}

void leftover_processes_tell(const struct leftover_processes *processes)
{
	char command[PROCESS_COMMAND_SIZE];
	struct process_entry entry;
	uint32_t i;

	for (i = 0; i < processes->count; i++) {
		const struct process_entry *noted = &processes->found[i];

		if (process_entry_read(noted->pid, &entry) || entry.start != noted->start)
			continue;
		process_command(noted->pid, command);
		if (command[0])
			fprintf(stderr,
				"stickyctl: pid %d (%s) had left the process group of its worker, "
				"and lives on; 'kill %d' ends it\n",
				noted->pid, command, noted->pid);
	}
}

void leftover_processes_fini(struct leftover_processes *processes)
{
	free(processes->found);
	*processes = (struct leftover_processes){0};
}

/* ---- Sockets -------------------------------------------------------------------------- */

/* A listening socket of a worker that has ended. */
struct left_socket {
	uint64_t cookie;
	uint32_t inode; /* of the last look; 0: it does not listen any more */
	uint16_t port;
	pid_t holder;	 /* that has it open; 0: none could be seen */
	int fetch_error; /* why the holder's descriptor could not be had */
};

struct left_sockets {
	struct left_socket *sockets;
	size_t count;
};

/* Workers of one slot may have the same socket. */
static void add(struct left_sockets *left, uint64_t cookie)
{
	size_t i;

	for (i = 0; i < left->count; i++)
		if (left->sockets[i].cookie == cookie)
			return;
	if (cookie)
		left->sockets[left->count++].cookie = cookie;
}

/* Returns 0 or -ENOMEM. */
static int list(const struct state_file_content *content, struct left_sockets *ret_left)
{
	struct left_sockets left = {
		.sockets = calloc(STATE_FILE_WORKERS * COOKIES_OF_WORKER, sizeof(*left.sockets))};
	uint32_t i, j;

	if (!left.sockets)
		return -ENOMEM;
	for (i = 0; i < STATE_FILE_WORKERS; i++) {
		const struct worker_record *record = &content->worker[i];

		if (!record->used)
			continue;
		add(&left, record->private_cookie);
		for (j = 0; j < STICKY_LISTENERS_LIMIT; j++)
			add(&left, record->cookies[j]);
	}
	*ret_left = left;
	return 0;
}

/* For sockdiag_listeners(). */
static void on_listener(void *context, const struct sockdiag_listener *listener)
{
	const struct left_sockets *left = context;
	size_t i;

	for (i = 0; i < left->count; i++)
		if (left->sockets[i].cookie == listener->cookie) {
			left->sockets[i].inode = listener->inode;
			left->sockets[i].port = listener->port;
		}
}

/* Returns true where one of the sockets listens. */
static bool look(struct left_sockets *left)
{
	size_t i;
	int error;

	for (i = 0; i < left->count; i++)
		left->sockets[i].inode = 0;
	error = sockdiag_listeners(NULL, 0, on_listener, left);
	if (error)
		fprintf(stderr, "stickyctl: cannot list the listening sockets: %s\n",
			strerror(-error));
	for (i = 0; i < left->count; i++)
		if (left->sockets[i].inode)
			return true;
	return false;
}

static void tell_shut_down(const struct left_socket *socket, pid_t holder)
{
	char command[PROCESS_COMMAND_SIZE];

	process_command(holder, command);
	fprintf(stderr,
		"stickyctl: pid %d (%s) kept the listening socket of a worker that has ended: the "
		"socket was shut down, port %u is free. Let the worker close its descriptors in "
		"the programs that it starts: close_fds=True in Python, FD_CLOEXEC elsewhere\n",
		holder, command, socket->port);
}

/* For socket_holders_walk(): shut a socket down by a duplicate of the holder's descriptor. */
static bool on_holder(void *context, pid_t pid, int number, uint32_t inode)
{
	const struct left_sockets *left = context;
	struct left_socket *found = NULL;
	size_t i;
	int fd;

	for (i = 0; i < left->count && !found; i++)
		if (inode && left->sockets[i].inode == inode)
			found = &left->sockets[i];
	if (!found || pid == getpid())
		return true;
	found->holder = pid;
	fd = socket_holder_fetch(pid, number, found->cookie);
	found->fetch_error = fd < 0 ? fd : shutdown(fd, SHUT_RDWR) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (found->fetch_error)
		return true;
	found->inode = 0;
	tell_shut_down(found, pid);
	return true;
}

static void tell_unreachable(const struct left_socket *socket)
{
	char command[PROCESS_COMMAND_SIZE] = "", who[PROCESS_COMMAND_SIZE + 32] = "a process";

	if (socket->holder) {
		process_command(socket->holder, command);
		snprintf(who, sizeof(who), "pid %d (%s)", socket->holder, command);
	}
	fprintf(stderr,
		"stickyctl: %s keeps the listening socket of a worker that has ended, and port %u "
		"with it: end this process%s. Let the worker close its descriptors in the programs "
		"that it starts: close_fds=True in Python, FD_CLOEXEC elsewhere\n",
		who, socket->port, socket->holder ? "" : ", 'sudo ss -ltnp' shows it");
}

bool leftover_sockets_listen(const struct state_file_content *content)
{
	struct left_sockets left;
	bool listens;

	if (list(content, &left))
		return false;
	listens = look(&left);
	free(left.sockets);
	return listens;
}

bool leftover_sockets_shut_down(const struct state_file_content *content)
{
	struct left_sockets left;
	bool listens;
	int looks, error = list(content, &left);
	size_t i;

	if (error) {
		fprintf(stderr, "stickyctl: cannot look for kept sockets: %s\n", strerror(-error));
		return false;
	}
	for (looks = 1; (listens = look(&left)) && looks <= LOOKS; looks++) {
		if (looks > LOOKS_TO_WAIT)
			error = socket_holders_walk(on_holder, &left);
		poll(NULL, 0, FIRST_REST_MS << (looks - 1));
	}
	if (error)
		fprintf(stderr, "stickyctl: cannot read /proc: %s\n", strerror(-error));
	for (i = 0; listens && i < left.count; i++)
		if (left.sockets[i].inode)
			tell_unreachable(&left.sockets[i]);
	free(left.sockets);
	return !listens;
}
