/* SPDX-License-Identifier: MIT */
/*
 * Notices a listening socket that its worker has closed, and undoes changes that keep clients out.
 */
#ifndef STICKY_SUPERVISE_SOCKET_CHECK_H
#define STICKY_SUPERVISE_SOCKET_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/hang_cause.h"

struct watched_socket; /* supervise_internal.h */
struct worker;

/*
 * Begin to watch a listening socket of a worker that has its slot.
 *
 * fd  our duplicate of the socket
 */
void socket_check_begin(const struct worker *worker, struct watched_socket *socket, int fd);

/*
 * Undo changes that keep clients out: a limit of the queue that is lower than ours (listen(0)), and
 * options by which the kernel discards the packets of clients, or by which answers do not reach
 * them. The options are looked at every few seconds. Each change that was found is added to the
 * journal.
 *
 * limit  limit of the queue at this moment, in connections
 */
void socket_restore(const struct worker *worker, struct watched_socket *socket, int fd,
		    uint32_t limit, uint64_t now_ms);

/*
 * Has the worker cut itself off from its clients, so that it must be replaced? To be called after
 * socket_restore() of all of its sockets.
 *
 * A socket is closed where no process has had it open for a second: a server that listens again
 * gets that time. It is looked for only while connections wait in the socket, and then ever more
 * rarely. A socket that no process was ever seen to have open is not closed.
 *
 * Returns HANG_CLOSED_SOCKET, HANG_BOUND_SOCKET, or HANG_CAUSE_COUNT: it has not.
 */
enum hang_cause socket_check_cut_off(struct worker *worker, uint64_t now_ms);

/*
 * Where the next worker of the slot would get the same sockets (the classic engine), shut down
 * those that are bound to a device: the slot gets new sockets and the worker is replaced, as if the
 * worker had shut them down.
 *
 * Returns false where each worker has sockets of its own, and nothing was done.
 */
bool socket_check_end_shared(struct worker *worker);

#endif
