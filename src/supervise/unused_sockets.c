// SPDX-License-Identifier: MIT
#include "supervise/unused_sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "listen/listeners.h"
#include "listen/port_owner.h"
#include "procfs/process_sockets.h"
#include "procfs/process_tree.h"
#include "procfs/sockdiag.h"
#include "procfs/socket_use.h"
#include "rights/privilege.h"
#include "supervise/supervise_internal.h"

#define OPEN_MAX_SEEN 1024
#define OWN_MAX	      (STICKY_LISTENERS_LIMIT + 1)

struct look {
	uint32_t own[OWN_MAX];	      /* inodes of the sockets that the worker was given; 0: none */
	uint32_t open[OPEN_MAX_SEEN]; /* inodes of the sockets that its processes have open */
	size_t open_count;
	bool is_used;
	char listens_on[STICKY_ADDRESS_TEXT_SIZE]; /* where else it listens; "": nowhere */
};

static uint32_t inode_of(int fd)
{
	struct stat status;

	return fd >= 0 && !fstat(fd, &status) ? (uint32_t)status.st_ino : 0;
}

static bool is_in(const uint32_t *inodes, size_t count, uint32_t inode)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (inodes[i] == inode)
			return true;
	return false;
}

/*
 * Has a worker made one of its sockets non-blocking? A server with an event loop does so. Where the
 * workers of a slot share their sockets, the library does so itself, and it proves nothing.
 */
static bool is_prepared(const struct worker *worker)
{
	uint32_t i;

	if (supervisor_shares_sockets(supervisor_of(worker)))
		return false;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		int fd = sticky_worker_fd(worker->sockets, i);

		if (fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK)
			return true;
	}
	return false;
}

static bool keep_open(void *context, int number, uint32_t inode)
{
	struct look *look = context;

	(void)number;
	look->open[look->open_count++] = inode;
	return look->open_count < OPEN_MAX_SEEN;
}

static void look_at_process(struct look *look, pid_t pid)
{
	size_t i;

	if (look->open_count < OPEN_MAX_SEEN)
		(void)process_each_socket(pid, keep_open, look);
	for (i = 0; i < OWN_MAX && !look->is_used; i++)
		look->is_used = look->own[i] && process_waits_for_socket(pid, look->own[i]) != 0;
}

/* Has a process of the worker a connection that was accepted at our ports? Then it uses them. */
static bool has_connection(const struct worker *worker, const struct look *look)
{
	uint16_t ports[STICKY_LISTENERS_LIMIT];
	size_t port_count = listen_ports(supervisor_of(worker)->options.group, ports), i;
	uint32_t *inodes = NULL;
	long count = sockdiag_connections(ports, port_count, &inodes);
	bool is_found = count < 0;

	for (i = 0; i < look->open_count && count > 0 && !is_found; i++)
		is_found = is_in(inodes, (size_t)count, look->open[i]);
	free(inodes);
	return is_found;
}

static void on_listener(void *context, const struct sockdiag_listener *listener)
{
	struct look *look = context;

	if (!look->listens_on[0] && is_in(look->open, look->open_count, listener->inode) &&
	    !is_in(look->own, OWN_MAX, listener->inode))
		listener_format(listener, look->listens_on);
}

static void look_at_processes(const struct worker *worker, struct look *look)
{
	struct process_entry others[PROCESS_TREE_MAX];
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	size_t count = process_descendants(pid_of(worker), others), i;

	look_at_process(look, pid_of(worker));
	for (i = 0; i < count && !look->is_used; i++)
		look_at_process(look, others[i].pid);
	privilege_restore(previous);
	look->is_used = look->is_used || has_connection(worker, look);
	if (!look->is_used)
		(void)sockdiag_listeners(NULL, 0, on_listener, look);
}

/* Report an address once, whatever worker listens there: they all run the same command. */
static void note_unused(const struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);
	json_t *fields;

	if (!strcmp(supervisor->unused_was_said, worker->listens_on))
		return;
	memcpy(supervisor->unused_was_said, worker->listens_on, sizeof(worker->listens_on));
	fields = worker_fields(worker);
	json_object_set_new(fields, "listens_on", json_string(worker->listens_on));
	json_object_set_new(fields, "so",
			    json_string("it does not use the sockets that it was given, and its "
					"clients wait"));
	json_object_set_new(fields, "hint", json_string("name it by -l, or --worker=bind"));
	supervisor_note(supervisor, STICKY_LOG_WARN, "sockets_not_used", fields);
}

/* Is this a worker of which it is not known otherwise that it uses its sockets? */
static bool is_doubtful(const struct worker *worker)
{
	const struct config *config = supervisor_of(worker)->config;

	return backend_of(worker)->ops->adopt && !worker->speaks && worker_has_sockets(worker) &&
	       config_worker_mode(config) == WORKER_ACTIVATION && pid_of(worker) > 0;
}

bool unused_sockets_look(struct worker *worker)
{
	struct look look = {.own = {0}};
	uint32_t i;

	worker->listens_on[0] = '\0';
	if (!is_doubtful(worker) || is_prepared(worker))
		return false;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		look.own[i] = inode_of(sticky_worker_fd(worker->sockets, i));
	look.own[STICKY_LISTENERS_LIMIT] = inode_of(worker->slot->private_fd);
	look_at_processes(worker, &look);
	if (look.is_used)
		return false;
	memcpy(worker->listens_on, look.listens_on, sizeof(look.listens_on));
	if (worker->listens_on[0])
		note_unused(worker);
	return true;
}

enum hang_cause unused_sockets_cause(struct worker *worker, enum hang_cause cause)
{
	bool is_unused = unused_sockets_look(worker);

	if (worker->listens_on[0])
		return HANG_ELSEWHERE;
	return is_unused && cause == HANG_SLEEPS &&
			       config_helps_with_bind(supervisor_of(worker)->config)
		       ? HANG_NOT_BOUND
		       : cause;
}

void unused_sockets_look_again(struct supervisor *supervisor)
{
	uint32_t i;

	for (i = 0; i < STICKY_SLOTS_LIMIT; i++) {
		struct worker *worker = supervisor->slots[i] ? supervisor->slots[i]->current : NULL;

		if (worker && worker->listens_on[0])
			(void)unused_sockets_look(worker);
	}
}
