/* SPDX-License-Identifier: MIT */
/*
 * Workers that leave their slot, and wait for the handshakes that began on their sockets.
 *
 * A handshake ends on the socket on which it began. Where the socket is closed while the client's
 * last packet is on its way, the kernel moves the handshake to another socket of the group; but if
 * that packet is handled on one processor while another one closes the socket, the client is reset.
 * So the worker goes on accepting until sock_diag(7) shows none of them any more, at most for
 * --handshake-grace.
 *
 * A worker may end at once when it is asked to stop, whatever it has begun. So while any connection
 * is open at the instance's ports, the worker has half a second for the requests that it has
 * accepted, also bounded by --handshake-grace. In a stop, when no other socket takes over, its
 * queue must be empty, too.
 */
#ifndef STICKY_SUPERVISE_HANDSHAKE_WAIT_H
#define STICKY_SUPERVISE_HANDSHAKE_WAIT_H

struct handshake_wait;
struct supervisor;
struct worker;

/* Returns 0 or -ENOMEM. handshake_wait_close() frees it. */
int handshake_wait_open(struct supervisor *supervisor, struct handshake_wait **ret_wait);

/* NULL is allowed. */
void handshake_wait_close(struct handshake_wait *wait);

/*
 * Begin to wait for a LEAVING worker: it gets WORKER_HANDSHAKES_OVER, from the loop, or at once
 * where there is nothing to wait for or memory is short.
 */
void handshake_wait_begin(struct handshake_wait *wait, struct worker *worker);

/* Wait no more: the worker has ended. Nothing where it does not wait. */
void handshake_wait_cancel(struct handshake_wait *wait, const struct worker *worker);

#endif
