/* SPDX-License-Identifier: MIT */
/*
 * Notices a listening socket that its worker has closed, and undoes changes that keep clients out.
 */
#ifndef STICKY_SUPERVISE_SOCKET_CHECK_H
#define STICKY_SUPERVISE_SOCKET_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct watched_socket; /* supervise_internal.h */
struct worker;

/*
 * Begin to watch a listening socket of a worker that has its slot.
 *
 * fd  our duplicate of the socket
 */
void socket_check_begin(const struct worker *worker, struct watched_socket *socket, int fd);

/*
 * Find out whether the worker has closed this socket. To be called after each look at the socket's
 * queue. Processes are looked at only if connections have waited in the queue since an earlier
 * look, and then ever more rarely.
 *
 * Returns true if no process has had the socket open for a second: a server that closes its socket
 * and listens again gets that time. Returns false if no process was ever seen to have it open.
 */
bool socket_check_closed(struct worker *worker, struct watched_socket *socket, int fd,
			 uint64_t now_ms);

/*
 * Undo changes that keep clients out: a limit of the queue that is lower than ours (listen(0)), and
 * a least distance of clients (IP_MINTTL). Each change that was found is added to the journal.
 *
 * limit  limit of the queue at this moment, in connections
 */
void socket_restore(const struct worker *worker, const struct watched_socket *socket, int fd,
		    uint32_t limit);

#endif
