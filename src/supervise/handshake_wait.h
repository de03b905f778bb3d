/* SPDX-License-Identifier: MIT */
/*
 * Lets a worker that leaves its slot wait for the handshakes that began on its sockets.
 *
 * A handshake ends on the socket on which it began. If the socket is closed while the client's last
 * packet is on its way, the kernel moves the handshake to another socket of the group. But if one
 * processor handles that packet while another one closes the socket, the client is reset. Therefore
 * the worker still accepts until sock_diag(7) shows no such handshake any more, at most for
 * --handshake-grace.
 *
 * A worker may end at once when it is asked to stop, even if it has accepted requests. Therefore,
 * while any connection is open at the instance's ports, the worker has half a second for the
 * requests that it has accepted. The half second begins when the worker leaves its slot. It begins
 * again when one of the handshakes is over, as that client's request may come later. It is also
 * bounded by --handshake-grace. In a stop no other socket gets the worker's queue: the queue must
 * be empty, too. A worker that was hung already is not waited for. Nor is one that accepts none of
 * the queue for --hang-timeout; or for a second, if all clients in the queues have closed their
 * half of the connection.
 */
#ifndef STICKY_SUPERVISE_HANDSHAKE_WAIT_H
#define STICKY_SUPERVISE_HANDSHAKE_WAIT_H

struct handshake_wait;
struct supervisor;
struct worker;

/* Make the object. Returns 0 or -ENOMEM. handshake_wait_close() frees it. */
int handshake_wait_open(struct supervisor *supervisor, struct handshake_wait **ret_wait);

/* Free the object. NULL is allowed. */
void handshake_wait_close(struct handshake_wait *wait);

/*
 * Begin to wait for a LEAVING worker. The worker gets WORKER_HANDSHAKES_OVER from the loop, or at
 * once if there is nothing to wait for or memory is short.
 */
void handshake_wait_begin(struct handshake_wait *wait, struct worker *worker);

/* Stop waiting for a worker that is not LEAVING any more. Does nothing if it does not wait. */
void handshake_wait_cancel(struct handshake_wait *wait, const struct worker *worker);

#endif
