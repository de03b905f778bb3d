// SPDX-License-Identifier: MIT
#include "supervise/socket_check.h"

#include <errno.h>
#include <net/if.h>
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
/* Looks at a socket's options are not more frequent than this, however often its queue is looked
 * at. */
#define OPTIONS_MIN_MS 1000
/* A limit of hops from which on an answer reaches every client; the kernel's default. */
#define HOPS_ENOUGH 64

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

static int device_of(int fd)
{
	socklen_t length = sizeof(int);
	int device = 0;

	return getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &length) ? 0 : device;
}

/* The worker may have changed it before it was ready. Adopted sockets may have another one. */
static int first_device(const struct worker *worker, int fd)
{
	const char *name = supervisor_of(worker)->config->sockets.bind_device;

	if (worker->is_adopted)
		return device_of(fd);
	return name ? (int)if_nametoindex(name) : 0;
}

void socket_check_begin(const struct worker *worker, struct watched_socket *socket, int fd)
{
	socket->device = first_device(worker, fd);
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

static bool is_closed(struct worker *worker, struct watched_socket *socket, int fd, uint64_t now_ms)
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

/* Set an option to 0, if the worker has set it. what: for the journal. */
static void clear_option(const struct worker *worker, int fd, int level, int option,
			 const char *what)
{
	socklen_t length = sizeof(int);
	int value = 0, none = 0;

	if (getsockopt(fd, level, option, &value, &length) || !value)
		return;
	note_restored(worker, STICKY_LOG_WARN, what,
		      setsockopt(fd, level, option, &none, sizeof(none)) ? errno : 0);
}

/* A segment routing header, which leads the answers anywhere, takes no capability. */
static void clear_route(const struct worker *worker, int fd)
{
	uint8_t header[256];
	socklen_t length = sizeof(header);

	if (getsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, &length) || !length)
		return;
	note_restored(worker, STICKY_LOG_WARN,
		      "IPV6_RTHDR, by which its answers did not reach its clients",
		      setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0) ? errno : 0);
}

static int hops_of(int fd, int level, int option)
{
	socklen_t length = sizeof(int);
	int hops = 0;

	return getsockopt(fd, level, option, &hops, &length) ? HOPS_ENOUGH : hops;
}

/* -1 stands for the system's limit, which may be a low one, too: then nothing changes by it. */
static void restore_hops(const struct worker *worker, int fd, int level, int option)
{
	static const char what[] =
		"IP_TTL or IPV6_UNICAST_HOPS, by which its answers did not reach its clients";
	int hops = hops_of(fd, level, option), system = -1;

	if (hops >= HOPS_ENOUGH)
		return;
	if (setsockopt(fd, level, option, &system, sizeof(system)))
		note_restored(worker, STICKY_LOG_WARN, what, errno);
	else if (hops_of(fd, level, option) != hops)
		note_restored(worker, STICKY_LOG_WARN, what, 0);
}

static void restore_options(const struct worker *worker, int fd)
{
	static const char discards[] =
		"IP_MINTTL or IPV6_MINHOPCOUNT, by which it discarded its clients' packets";

	/* The kernel discards SYNs from further away, without a count or a word. */
	clear_option(worker, fd, IPPROTO_IP, IP_MINTTL, discards);
	clear_option(worker, fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, discards);
	clear_option(worker, fd, SOL_SOCKET, SO_DONTROUTE,
		     "SO_DONTROUTE, by which it answered no clients behind a router");
	restore_hops(worker, fd, IPPROTO_IP, IP_TTL);
	restore_hops(worker, fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS);
	clear_route(worker, fd);
}

void socket_restore(const struct worker *worker, struct watched_socket *socket, int fd,
		    uint32_t limit, uint64_t now_ms)
{
	restore_limit(worker, socket, fd, limit);
	if (now_ms < socket->next_options_ms)
		return;
	socket->next_options_ms = now_ms + OPTIONS_MIN_MS;
	restore_options(worker, fd);
	/* Any process may bind a socket to a device. To undo it takes CAP_NET_RAW, which we lack.
	 */
	socket->is_bound = device_of(fd) != socket->device;
}

enum hang_cause socket_check_cut_off(struct worker *worker, uint64_t now_ms)
{
	uint32_t i;
	int fd;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		struct watched_socket *socket = &worker->hang->sockets[i];

		fd = sticky_worker_fd(worker->sockets, i);
		if (fd < 0)
			continue;
		if (socket->is_bound)
			return HANG_BOUND_SOCKET;
		if (is_closed(worker, socket, fd, now_ms))
			return HANG_CLOSED_SOCKET;
	}
	return HANG_CAUSE_COUNT;
}

bool socket_check_end_shared(struct worker *worker)
{
	uint32_t i;

	if (!supervisor_shares_sockets(supervisor_of(worker)))
		return false;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		struct watched_socket *socket = &worker->hang->sockets[i];

		if (!socket->is_bound)
			continue;
		/* EPOLLHUP follows: worker_on_hangup(). Until then it must not be found again. */
		socket->device = device_of(sticky_worker_fd(worker->sockets, i));
		socket->is_bound = false;
		(void)shutdown(sticky_worker_fd(worker->sockets, i), SHUT_RD);
	}
	return true;
}
