// SPDX-License-Identifier: MIT
#include "supervise/socket_check.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "rights/privilege.h"
#include "procfs/socket_holders.h"
#include "supervise/supervise_internal.h"

/* A server may close its socket and listen again: it gets this time for it. */
#define REOPEN_MS 1000
/*
 * The longest time between two checks of a socket. A worker that accepts nothing is checked ever
 * more rarely.
 */
#define CHECK_MAX_MS 8000

/* Returns true if the worker is a thread, which has no descriptors of its own. */
static bool is_thread(const struct worker *worker)
{
	return !backend_of(worker)->ops->adopt;
}

/*
 * Find out whether a process other than this one has the socket open.
 *
 * in_any  false: only the worker's own process is looked at
 *
 * Returns 1 (yes), 0 (no) or -errno: see socket_is_held().
 */
static int is_held(const struct worker *worker, int fd, bool in_any)
{
	struct stat status;
	unsigned int previous;
	uint32_t inode;
	int result;

	if (is_thread(worker))
		return 1;
	if (fstat(fd, &status))
		return -errno;
	inode = (uint32_t)status.st_ino;
	previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	result = in_any ? socket_is_held(inode, pid_of(worker))
			: process_has_socket(pid_of(worker), inode);
	privilege_restore(previous);
	return result;
}

void socket_check_begin(const struct worker *worker, struct watched_socket *socket, int fd)
{
	/* A look at all processes would be too much here: many workers may begin at a time. */
	socket->was_held = is_held(worker, fd, false) == 1;
}

static void check_held(struct worker *worker, struct watched_socket *socket, int fd,
		       uint64_t now_ms)
{
	uint64_t stuck_ms = now_ms - socket->watch.waits_since_ms;
	int held = is_held(worker, fd, true);

	socket->was_held |= held == 1;
	if (held || !socket->was_held) {
		socket->closed_since_ms = 0;
		socket->next_check_ms =
			now_ms + (stuck_ms < CHECK_MAX_MS ? stuck_ms : CHECK_MAX_MS);
	} else if (!socket->closed_since_ms) {
		socket->closed_since_ms = now_ms;
	}
}

bool socket_check_closed(struct worker *worker, struct watched_socket *socket, int fd,
			 uint64_t now_ms)
{
	if (!socket->watch.waits_since_ms) {
		socket->closed_since_ms = socket->next_check_ms = 0;
		return false;
	}
	if (socket->watch.waits_since_ms == now_ms || now_ms < socket->next_check_ms)
		return false;
	check_held(worker, socket, fd, now_ms);
	return socket->closed_since_ms && now_ms - socket->closed_since_ms >= REOPEN_MS;
}

static void note_restored(const struct worker *worker, enum sticky_log_level level,
			  const char *what, int error)
{
	json_t *fields = worker_fields(worker);

	json_object_set_new(fields, "what", json_string(what));
	if (error)
		json_object_set_new(fields, "error", json_string(strerror(error)));
	supervisor_note(supervisor_of(worker), level,
			error ? "socket_not_restored" : "socket_restored", fields);
}

/*
 * Restore the limit of the queue, if the worker has lowered it by another listen(): see
 * worker_restore_backlog().
 */
static void restore_limit(const struct worker *worker, const struct watched_socket *socket, int fd,
			  uint32_t limit)
{
	int backlog = (int)supervisor_of(worker)->config->backlog;

	if (limit >= socket->limit)
		return;
	note_restored(worker, limit ? STICKY_LOG_INFO : STICKY_LOG_WARN,
		      "the limit of its queue, which the worker's listen() had lowered",
		      listen(fd, backlog) ? errno : 0);
}

/*
 * Remove a least distance of clients: the kernel discards the SYNs of more distant clients, and
 * neither counts nor reports them.
 */
static void restore_distance(const struct worker *worker, int fd, int level, int option)
{
	socklen_t length = sizeof(int);
	int value = 0, none = 0;

	if (getsockopt(fd, level, option, &value, &length) || !value)
		return;
	note_restored(worker, STICKY_LOG_WARN,
		      "IP_MINTTL or IPV6_MINHOPCOUNT, by which it discarded its clients' packets",
		      setsockopt(fd, level, option, &none, sizeof(none)) ? errno : 0);
}

void socket_restore(const struct worker *worker, const struct watched_socket *socket, int fd,
		    uint32_t limit)
{
	restore_limit(worker, socket, fd, limit);
	restore_distance(worker, fd, IPPROTO_IP, IP_MINTTL);
	restore_distance(worker, fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT);
}
