// SPDX-License-Identifier: MIT
/*
 * Does the program still place this group's connections?
 *
 * The kernel has no call that tells which program a group of sockets has. Two things detach the
 * program without notice: SO_DETACH_REUSEPORT_BPF on any socket of the group, and a foreign socket
 * of the same uid that joins the group and attaches its own program. Therefore the library opens a
 * test connection to the listener. The settings contain the source address and port of that
 * connection, and the program refuses exactly this one, or sends it to a socket of its own. If it
 * does (engine_judge_check()), the program is attached, and no worker notices the test. If the
 * connection is accepted otherwise, the program is not attached any more.
 *
 * There is one exception. Where a listener is bound to all addresses, a foreign socket at the
 * address of the test connection is preferred by the kernel, and accepts the connection. Such a
 * listener is therefore asked at another address, too (reach_find()). Only if the connection is
 * accepted at each of them, the program is attached again. If the connection is accepted also
 * after that, the foreign socket was the reason, and the program was attached all the time.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/reach.h"
#include "lib/group_internal.h"

/* The reply comes over loopback within microseconds, or later if ksoftirqd is busy. */
#define ANSWER_MS 20

/* The machine does not have the address of a listener: no client can connect to it. */
#define NO_ADDRESS (-EADDRNOTAVAIL)

/* A socket that does not belong to the group accepts the test connection. */
#define FOREIGN_SOCKET	(-EADDRINUSE)
#define RESTORED_CHECKS 4 /* of which the first ones may find connections of before */

/*
 * Open the socket of the test connection, bound to an address and port.
 *
 * source  if its port is 0, the kernel chooses one, which is filled in
 *
 * Returns the socket, NO_ADDRESS or another -errno.
 */
static int open_asker(struct sockaddr_storage *source, socklen_t length)
{
	struct linger reset = {.l_onoff = 1};
	int fd = socket(source->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (const void *)source, length) || getsockname(fd, (void *)source, &length)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int choose_source(struct sticky_group *group, uint32_t index, uint32_t number,
			 struct sockaddr_storage *source)
{
	int result;

	group_lock(group);
	result = engine_check_source(group->engine, index, number, source);
	group_unlock(group);
	return result;
}

/*
 * Connect. ENETUNREACH: with net.ipv4.ip_nonlocal_bind the test connection was bound to an address
 * that the machine does not have.
 *
 * Returns 0 (refused: the program runs), 1 (accepted: it does not run), -EAGAIN (no reply),
 * NO_ADDRESS, or another -errno.
 */
static int ask(int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	int error = connect(fd, (const void *)address, length) ? errno : 0;
	socklen_t error_length = sizeof(error);

	if (error == EINPROGRESS) {
		if (poll(&poller, 1, ANSWER_MS) <= 0)
			return -EAGAIN;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_length))
			return -errno;
	}
	if (error == ECONNREFUSED)
		return 0;
	if (error == ENETUNREACH)
		return NO_ADDRESS;
	if (error == EADDRNOTAVAIL)
		return -EAGAIN; /* an earlier test connection of the same ports is not over yet */
	/* A reset comes after the connection was established. */
	return error && error != ECONNRESET ? -error : 1;
}

static int set_check(struct sticky_group *group, const struct sockaddr_storage *source)
{
	int error;

	group_lock(group);
	error = engine_set_check(group->engine, (const void *)source);
	group_unlock(group);
	return error;
}

static int judge(struct sticky_group *group, uint32_t index, bool was_refused)
{
	int result;

	group_lock(group);
	result = engine_judge_check(group->engine, index, was_refused);
	group_unlock(group);
	return result;
}

/*
 * Ask once. Returns 0 (the program runs), 1 (it does not run), NO_ADDRESS or another -errno. The
 * group is not locked while the kernel is asked.
 *
 * source  with its port, or with port 0: any one
 */
static int ask_from(struct sticky_group *group, uint32_t index, const struct reach *way,
		    struct sockaddr_storage source)
{
	int fd = open_asker(&source, way->length), result, error;

	if (fd < 0)
		return fd;
	result = set_check(group, &source);
	if (!result)
		result = ask(fd, &way->to, way->length);
	if (result >= 0)
		result = judge(group, index, !result);
	/*
	 * While this address and port are in the settings, no other connection can come from there.
	 */
	error = set_check(group, NULL);
	close(fd);
	return error ? error : result;
}

/* Ask from each source, up to the first one from which the program does not seem to run. */
static int ask_by(struct sticky_group *group, uint32_t index, const struct reach *way)
{
	uint32_t number = 0;
	int has_more, result;

	do {
		struct sockaddr_storage source = way->from;

		has_more = choose_source(group, index, number++, &source);
		if (has_more < 0)
			return has_more;
		result = ask_from(group, index, way, source);
	} while (!result && has_more);
	return result;
}

/*
 * Ask at one address after the other, until the program is seen to run. The first address is the
 * one at which it was seen the last time. After an error it is the next one.
 *
 * Returns 0 (the program runs), 1 (it does not run), FOREIGN_SOCKET (it runs, but the connection to
 * another address was accepted by a foreign socket), NO_ADDRESS or another -errno.
 */
static int check_listener(struct sticky_group *group, uint32_t index,
			  const struct listener *listener)
{
	struct reach ways[REACH_MAX];
	uint32_t count = reach_find(listener, ways), i;
	uint32_t *first = &group->check_from[index];
	bool is_accepted = false;
	int result = NO_ADDRESS;

	for (i = 0; i < count; i++) {
		uint32_t number = (*first + i) % count;
		int answer = ask_by(group, index, &ways[number]);

		if (!answer) {
			*first = number;
			return is_accepted ? FOREIGN_SOCKET : 0;
		}
		is_accepted |= answer == 1;
		if (answer < 0 && answer != NO_ADDRESS)
			result = answer;
		if (result != NO_ADDRESS && result != -ECONNREFUSED)
			break; /* another question would take as long, or fail, too */
	}
	(*first)++;
	return is_accepted ? 1 : result;
}

static int restore(struct sticky_group *group, uint32_t index)
{
	int error;

	group_lock(group);
	error = group->refusing ? 0
				: engine_restore(group->engine, index, &group->listeners[index]);
	group_unlock(group);
	return error;
}

/* Returns false if there is nothing to check, or if another thread is checking. */
static bool begin(struct sticky_group *group, struct listener *ret_listeners, uint32_t *ret_count)
{
	bool begins;

	group_lock(group);
	begins = !group->checking && !group->refusing &&
		 engine_can(group->engine, STICKY_CAN_GIVE_SOCKETS);
	group->checking |= begins;
	*ret_count = group->listener_count;
	memcpy(ret_listeners, group->listeners, sizeof(group->listeners));
	group_unlock(group);
	return begins;
}

static void end(struct sticky_group *group)
{
	group_lock(group);
	group->checking = false;
	group_unlock(group);
}

/*
 * Check that the program runs now that it has been attached again. Clients that arrived at the
 * spare socket of the classic engine before that may be found there first: then the check is
 * repeated.
 *
 * Returns 1 (it runs), or FOREIGN_SOCKET: another socket accepts the connection.
 */
static int check_restored(struct sticky_group *group, uint32_t index,
			  const struct listener *listener)
{
	uint32_t i;

	for (i = 0; i < RESTORED_CHECKS; i++)
		if (check_listener(group, index, listener) != 1)
			return 1;
	return FOREIGN_SOCKET;
}

/* Returns 1 if the program was attached again, 0 or -errno. */
static int check_and_restore(struct sticky_group *group, uint32_t index,
			     const struct listener *listener)
{
	int result, error;

	if (!listener_is_known(listener))
		return 0;
	result = check_listener(group, index, listener);
	if (result == NO_ADDRESS)
		return 0; /* IP_FREEBIND, or the address was removed: there is nothing to check */
	if (result <= 0)
		return result;
	error = restore(group, index);
	if (error)
		return error;
	return check_restored(group, index, listener);
}

int sticky_group_check(struct sticky_group *group)
{
	struct listener listeners[STICKY_LISTENERS_LIMIT];
	uint32_t count, i;
	int restored = 0, error = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	if (!begin(group, listeners, &count))
		return 0;
	for (i = 0; i < count; i++) {
		int result = check_and_restore(group, i, &listeners[i]);

		if (result > 0)
			restored++;
		else if (!error)
			error = result;
	}
	end(group);
	return restored ? restored : error;
}
