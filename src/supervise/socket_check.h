/* SPDX-License-Identifier: MIT */
/* What a worker can do to its own listening sockets so that it hears no clients, put right. */
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
 * Has the worker closed this socket? To be called after each look at its queue. It looks only when
 * connections have waited in it since an earlier look, and then ever more rarely.
 *
 * Returns true where no process has had it open for a second: a server that listens again gets that
 * time. One that nobody was ever seen to have open is not closed.
 */
bool socket_check_closed(struct worker *worker, struct watched_socket *socket, int fd,
			 uint64_t now_ms);

/*
 * Undo what keeps clients out: a limit of the queue that is lower than ours (listen(0)), and a
 * least distance of clients (IP_MINTTL). What was found is added to the journal.
 *
 * limit  of the queue at this moment, in connections
 */
void socket_restore(const struct worker *worker, const struct watched_socket *socket, int fd,
		    uint32_t limit);

#endif
